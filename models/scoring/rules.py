"""Which alarm may answer for which event, for how long, and how often events come by nature."""

from typing import NamedTuple

from twin.signals import ALARM_KINDS

_H = 3600.0

#: Alarm kinds by family (contracts, section 4).
FAMILIES: dict[str, tuple[str, ...]] = {
    "anode_change": (
        "anode_change_unreported",
        "anode_change_missed",
        "anode_slow_pickup",
        "anode_set_low",
        "anode_set_high",
    ),
    "anode_condition": (
        "anode_slip",
        "anode_spike",
        "anode_burnoff",
        "anode_cracked",
        "anode_overload",
        "anode_contact",
    ),
    "heat_loss": ("ledge_thinning", "side_wall_hot", "cover_loss", "bottom_loss", "cell_cold", "cell_hot"),
    "process": (
        "anode_effect_imminent",
        "anode_effect",
        "feeder_blocked",
        "sludge",
        "instability",
        "efficiency_loss",
    ),
    "instrument": ("sensor_fault", "stream_silent", "twin_out_of_range"),
}
FAMILY_OF: dict[str, str] = {kind: family for family, kinds in FAMILIES.items() for kind in kinds}
_ANODE_FAMILIES = {"anode_change", "anode_condition"}

#: An alarm in the last minute before an anode effect is too late to be a prediction [s].
LEAD_S = 60.0
#: Time after an event in which alarms are neither right nor false [s].
GRACE_S = 6.0 * _H


class Window(NamedTuple):
    """When the onset of an alarm may lie to count for an event, in seconds around its physical start.

    Attributes
    ----------
    before_s
        Earliest, before the start (kappa).
    after_s
        Latest, after the start (tau); the end of the event comes first if it is earlier. Negative: a lead.
    """

    before_s: float
    after_s: float


#: Windows by kind. Anode effects, slips, burn-offs, changes, heat and drift are those of the detection reference,
#: section 3; the others (spike, crack, contact, overload, feeder, instability, instruments) are our own choice.
WINDOWS: dict[str, Window] = {
    **{kind: Window(0.0, 12.0 * _H) for kind in FAMILIES["anode_change"]},
    "anode_slip": Window(0.0, 0.5 * _H),
    "anode_burnoff": Window(0.0, 0.5 * _H),
    **{
        kind: Window(0.0, 12.0 * _H)
        for kind in ("anode_spike", "anode_cracked", "anode_overload", "anode_contact")
    },
    **{kind: Window(0.0, 24.0 * _H) for kind in ("ledge_thinning", "side_wall_hot", "cover_loss")},
    **{
        kind: Window(0.0, 72.0 * _H)
        for kind in ("bottom_loss", "cell_cold", "cell_hot", "sludge", "efficiency_loss")
    },
    "anode_effect_imminent": Window(900.0, -LEAD_S),
    "anode_effect": Window(0.0, 300.0),
    "feeder_blocked": Window(0.0, 12.0 * _H),
    "instability": Window(0.0, 1.0 * _H),
    **{kind: Window(0.0, 24.0 * _H) for kind in ("sensor_fault", "twin_out_of_range")},
    "stream_silent": Window(0.0, 0.5 * _H),
}

#: Events per cell-day at a plant, for the precision to expect there: problems at 3 % of 1.2 changes a day, 12 of
#: 184 cells with a wrong heat balance in three months (Zhu and Li 2020), 0.08 anode effects (Ren et al. 2007).
#: None is known for the other families.
NATURAL_RATE_PER_CELL_DAY: dict[str, float] = {"anode_change": 0.04, "heat_loss": 7.2e-4, "process": 0.08}

#: Buffer of the volume under the surface by family [s]: long where the cell answers thermally.
BUFFER_S: dict[str, float] = {family: 3600.0 for family in FAMILIES} | {"heat_loss": 6.0 * _H}


def compatible(alarm_kind: str, alarm_anode: int | None, event_kind: str, event_anode: int | None) -> bool:
    """Whether an alarm of one kind can speak of an event of another; whether it is the exact kind is another matter.

    Parameters
    ----------
    alarm_kind
        Alarm kind by contract; empty for a null model, which names nothing and may mean anything.
    alarm_anode, event_anode
        Counted from 1, or None.
    event_kind
        Kind of the label.

    Examples
    --------
    >>> compatible("anode_contact", 7, "anode_slow_pickup", 7)  # a new anode and its contact: the same thing
    True
    >>> compatible("sensor_fault", None, "cell_hot", None)
    False
    """
    if not alarm_kind or alarm_kind == event_kind:
        return True
    if event_kind == "anode_effect_imminent" or alarm_kind == "anode_effect_imminent":
        return False
    ours, theirs = FAMILY_OF[alarm_kind], FAMILY_OF[event_kind]
    if ours == theirs:
        return True
    return {ours, theirs} == _ANODE_FAMILIES and alarm_anode is not None and alarm_anode == event_anode


def groups() -> dict[str, tuple[str, ...]]:
    """Every table of the scorer, name to kinds: all, those that are not of heat loss, each family, each kind.

    Heat has a budget of false alarms of its own, of a hundredth: its evidence takes days.
    """
    fast = tuple(kind for kind in ALARM_KINDS if kind not in FAMILIES["heat_loss"])
    return {"all": ALARM_KINDS, "fast": fast, **FAMILIES, **{kind: (kind,) for kind in ALARM_KINDS}}
