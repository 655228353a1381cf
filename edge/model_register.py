"""``potline models``: every detector that runs, what it is for, what it needs, and how good it was found to be."""

import json
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from edge.alarm_rules import load_texts
from edge.config import Config
from edge.exits import OK
from edge.model_file import SHIPPED, Body, file_hash, load, read
from models.base import CellLayout
from models.registry import DETECTORS
from models.scoring.intervals import poisson
from twin.signals import ALARM_KINDS

#: What is shown of a row of the benchmark.
_KEPT = (
    "events",
    "detected",
    "recall",
    "recall_wilson_95",
    "alarms",
    "false_alarms",
    "false_per_cell_day",
    "false_per_cell_day_poisson_95",
    "right_anode",
    "right_side",
    "exact_kind",
    "delay_median_min",
)
_RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "detection.json"


class _Text(Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    zh: str


class _Kind(Struct, frozen=True, forbid_unknown_fields=True):
    class_: str = msgspec.field(name="class")
    needs: tuple[str, ...] = ()
    without_en: str = ""
    without_zh: str = ""


class _Register(Struct, frozen=True, forbid_unknown_fields=True):
    class_: dict[str, _Text] = msgspec.field(name="class")
    kind: dict[str, _Kind] = msgspec.field()


class Row(NamedTuple):
    """One alarm kind of one detector.

    Attributes
    ----------
    detector, version
        Who scores it.
    kind, title
        Alarm kind by contract, and its title in the language asked for.
    kind_class
        One of the four classes, in that language.
    needs
        Signals and events by contract.
    without
        What is left where they are missing.
    factor
        By which training raised its limit; 1 where it did not.
    scores
        By set of the benchmark, where it has run: recall, place, kind, delay and false alarms per cell-day with
        intervals. A set without an event or an alarm of the kind stands there with none of either.
    """

    detector: str
    version: str
    kind: str
    title: str
    kind_class: str
    needs: tuple[str, ...]
    without: str
    factor: float
    scores: dict[str, dict[str, Any]]


def register() -> _Register:
    """The shipped register.

    Raises
    ------
    ValueError
        A kind that the contract has not got, or a class that is not one of the four.
    """
    raw = tomllib.loads(files("edge").joinpath("model_register.toml").read_text(encoding="utf-8"))
    found = msgspec.convert(raw, _Register)
    unknown = sorted(set(found.kind) - set(ALARM_KINDS))
    unknown += sorted({entry.class_ for entry in found.kind.values()} - set(found.class_))
    if unknown:
        raise ValueError(f"edge/model_register.toml: not in the contract: {', '.join(unknown)}")
    return found


def rows(body: Body, language: str, results: Path = _RESULTS) -> list[Row]:
    """The register as a table, detectors in the order of the registry.

    Parameters
    ----------
    body
        The models that are in use.
    language
        ``en`` or ``zh``.
    results
        ``detection.json`` of the benchmark; scores are empty where it is not there.
    """
    known, rules, scored = register(), load_texts().kind, _scores(results)
    found: list[Row] = []
    for make in DETECTORS.values():
        detector = make(_nobody())
        for kind in detector.kinds:
            entry = known.kind[kind]
            limit = body.limits.get(kind)
            title = rules[kind].title(language, "…", None, None) if kind in rules else kind
            found.append(
                Row(
                    detector.name,
                    detector.version,
                    kind,
                    " ".join(title.split())
                    .strip(" :：,，")
                    .removeprefix("号")
                    .removeprefix("…")
                    .removesuffix(" at …")
                    .removesuffix(" of …")
                    .lstrip(" :："),
                    getattr(known.class_[entry.class_], language),
                    entry.needs,
                    entry.without_zh if language == "zh" else entry.without_en,
                    1.0 if limit is None else limit.factor,
                    scored.get(kind, {}),
                )
            )
    return found


def show(config: Config, language: str, as_json: bool, say: Callable[[str], None]) -> int:
    """Print the register.

    Parameters
    ----------
    config
        Names the file of models.
    language
        ``en`` or ``zh``.
    as_json
        One object for programs instead of text.
    say
        Gets the lines.

    Raises
    ------
    ModelFileError
        The file of models cannot be used.
    """
    name = config.models or SHIPPED
    body = load(read(config.models), name)
    found = rows(body, language)
    if as_json:
        told = {
            "file": name,
            "sha256": file_hash(config),
            "network": body.use_sequence,
            "causes_by_law": sorted(kind for kind, score in body.cause_scores.items() if score.used),
            "scores_measured": measured(),
            "kinds": [row._asdict() for row in found],
        }
        say(json.dumps(told, ensure_ascii=False, indent=1))
        return OK
    zh = language == "zh"
    say(f"{'模型文件' if zh else 'models'}: {name}, SHA-256 {file_hash(config)}")
    origin = measured()
    if origin:
        word = "评分来自" if zh else "scores measured by"
        text = ", ".join(f"{key} {value}" for key, value in origin.items() if key != "script")
        say(f"{word} {origin['script']}: {text}")
    for of_class in register().class_.values():
        title = getattr(of_class, language)
        say(f"\n{title}")
        for row in found:
            if row.kind_class == title:
                factor = "" if row.factor == 1.0 else f" {'限值' if zh else 'limit'} x {row.factor:g}"
                say(f"  {row.kind:<24} {row.version}{factor}")
                say(f"    {row.title}")
                say(f"    {'需要' if zh else 'needs'}: {', '.join(row.needs)}; {row.without}")
                for line in _told(row.scores, zh):
                    say(f"    {line}")
    return OK


def _told(scores: Mapping[str, Mapping[str, Any]], zh: bool) -> list[str]:
    """A line for each set."""
    if not scores:
        return ["尚无评分" if zh else "no scores yet"]
    parts: list[str] = []
    for name, row in scores.items():
        recall = "-"
        if row["events"]:
            low, high = row["recall_wilson_95"]
            recall = f"{row['recall']:.2f} ({row['detected']}/{row['events']}, {low:.2f}-{high:.2f})"
        false = "-"
        if row["false_per_cell_day"] is not None:
            low, high = row["false_per_cell_day_poisson_95"]
            false = f"{row['false_per_cell_day']:.4f} ({low:.4f}-{high:.4f})"
        parts.append(
            f"{name}: {'检出率' if zh else 'recall'} {recall}, {'误报/槽日' if zh else 'false/cell-day'} {false}"
        )
    return parts


def measured(results: Path = _RESULTS) -> dict[str, Any]:
    """Where the scores come from: script, commit, seed and time of the benchmark; empty where it has not run.

    Parameters
    ----------
    results
        ``detection.json`` of the benchmark.
    """
    if not results.is_file():
        return {}
    found = json.loads(results.read_text(encoding="utf-8"))
    kept = {key: found[key] for key in ("commit", "seed", "measured") if key in found}
    return {"script": "benchmarks/bench_detection.py", **kept}


def _scores(results: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores of each kind by set; empty where the benchmark's file is not there."""
    if not results.is_file():
        return {}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, of_set in json.loads(results.read_text(encoding="utf-8"))["sets"].items():
        days = float(of_set["record"]["cell_days_normal"])
        for kind in ALARM_KINDS:
            # A kind without events and alarms has no group of its own; that it was never wrong is a score too.
            system = of_set["groups"].get(kind, {}).get("system", {})
            row = {key: system.get(key) for key in _KEPT}
            # On a line of its own technology file instruments are missing: silence there says nothing.
            whole = not str(of_set.get("setting", {}).get("technology", "")).endswith(".toml")
            if not system and whole:
                row |= {"events": 0, "detected": 0, "alarms": 0, "false_alarms": 0}
                row["false_per_cell_day"] = 0.0 if days else None
                row["false_per_cell_day_poisson_95"] = poisson(0, days) if days else (None, None)
            found.setdefault(kind, {})[name] = row | {"normal_cell_days": days}
    return found


def _nobody() -> CellLayout:
    """A layout of no cells, to ask a detector what it is."""
    none, empty = np.zeros(0, dtype=np.int64), np.zeros((0, 1), dtype=np.int64)
    nothing = np.zeros(0)
    return CellLayout(none, none, empty, none, none, empty, none, nothing, nothing, nothing, nothing)
