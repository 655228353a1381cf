"""What every alarm kind means to people: priority, delays and texts, from ``alarm_rules.toml``."""

import tomllib
from importlib.resources import files

import msgspec
from msgspec import Struct

from twin.signals import ALARM_KINDS, SIDES

_SIDE_ZH = {"duct": "烟道端", "tap": "出铝端", "up": "上游侧", "down": "下游侧"}
_SIDE_EN = {"duct": "duct end", "tap": "tap end", "up": "upstream side", "down": "downstream side"}


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alarm kind.

    Attributes
    ----------
    priority
        1 critical, 2 high, 3 medium, 4 low.
    on_delay_s, off_delay_s
        Observed seconds that the score must stay at or above 1, or below ``clear_below``.
    clear_below
        Score below which the condition counts as gone (hysteresis).
    line_wide
        One alarm of the line stands for its cells when most of them are abnormal at once.
    title_en, title_zh, action_en, action_zh
        Texts; ``{cell}``, ``{anode}`` and ``{side}`` are filled in.
    """

    priority: int
    on_delay_s: float
    off_delay_s: float
    title_en: str
    title_zh: str
    action_en: str
    action_zh: str
    clear_below: float = 0.8
    line_wide: bool = False

    def title(self, language: str, cell: str, anode: int | None, side: str | None) -> str:
        """Title in ``en`` or ``zh`` with cell, anode and side filled in."""
        return _fill(self.title_zh if language == "zh" else self.title_en, language, cell, anode, side)

    def action(self, language: str, cell: str, anode: int | None, side: str | None) -> str:
        """What to do, in ``en`` or ``zh``, with cell, anode and side filled in."""
        return _fill(self.action_zh if language == "zh" else self.action_en, language, cell, anode, side)


class CauseText(Struct, frozen=True, forbid_unknown_fields=True):
    """A cause in both languages."""

    en: str
    zh: str


class Texts(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file: rules by alarm kind, texts by cause."""

    kind: dict[str, Rule]
    cause: dict[str, CauseText]


def _fill(text: str, language: str, cell: str, anode: int | None, side: str | None) -> str:
    names = _SIDE_ZH if language == "zh" else _SIDE_EN
    side_text = "" if side is None else names[side]
    return text.format(cell=cell, anode="" if anode is None else anode, side=side_text)


def load_texts() -> Texts:
    """Read the shipped rules and cause texts.

    Raises
    ------
    ValueError
        When a kind or a key is not one of the contract.
    """
    raw = tomllib.loads(files("edge").joinpath("alarm_rules.toml").read_text(encoding="utf-8"))
    texts = msgspec.convert(raw, Texts)
    unknown = sorted(set(texts.kind) - set(ALARM_KINDS))
    if unknown:
        raise ValueError(f"edge/alarm_rules.toml: no such alarm kind: {', '.join(unknown)}")
    if set(_SIDE_EN) != set(SIDES) or set(_SIDE_ZH) != set(SIDES):
        raise ValueError("edge/alarm_rules.py: a side has no text")
    return texts
