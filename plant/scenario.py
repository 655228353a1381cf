"""The four sets of records: how a line runs, what goes wrong, and what happens to all of it at once."""

from collections.abc import Sequence

import numpy as np

from plant.faults.plan import PLANS, Plan, plan_faults
from plant.line import Line
from plant.supply import Load, Outage
from plant.technology import Technology, named

_DAY = 86400.0
#: Short outages and long ones, times a day; published: five minutes to three hours.
_SHORT_A_DAY, _LONG_A_DAY = 1 / 15, 1 / 60
#: Days on which the line follows the price of power, of a natural record and of a shifted one.
_MODULATED, _MODULATED_SHIFT = 0.1, 0.6
#: A shifted record is ramped up by this share a day, to no more than the other.
_RAMP_A_DAY, _RAMP_MAX = 0.004, 0.05
#: Rhythm of the crews of a shifted record over that of the design.
_SLOWER_TAPS, _SHORTER_LIFE = 1.33, 0.93


def scenario(
    plan: Plan,
    *,
    n_cells: int,
    days: float,
    seed: int,
    start_us: int,
    technology: str | Technology = "P300",
    outages: Sequence[Outage] = (),
) -> Line:
    """Set up a line and everything that will happen to it.

    Parameters
    ----------
    plan
        ``none``: steady current and no fault. ``natural``: published rates, a load that follows the price of power
        now and then, an outage about twice a month. ``enriched``: many faults of every kind in half of the cells
        and no outage, which would hide them. ``shift``: as natural, on a line that is ramped up and modulated, with
        another rhythm of taps and changes, fewer shell sensors and no collector bars; best with another technology too.
    n_cells, days, seed, start_us, technology
        As given to the line.
    outages
        Besides those that the set draws.

    Raises
    ------
    ValueError
        If there is no such set.
    """
    if plan not in PLANS:
        raise ValueError(f"faults {plan!r} is not one of {', '.join(PLANS)}")
    design = named(technology)
    if plan == "shift":
        design = _otherwise(design)
    rng = np.random.default_rng([seed, 16])
    drawn: list[Outage] = []
    loads: list[Load] = []
    if plan in ("natural", "shift"):
        drawn = _outages(rng, days)
        loads = _loads(rng, days, _MODULATED if plan == "natural" else _MODULATED_SHIFT)
    if plan == "shift":
        loads += [
            Load(day * _DAY, (days + 1.0) * _DAY, _RAMP_A_DAY)
            for day in range(1, min(int(days) + 1, round(_RAMP_MAX / _RAMP_A_DAY) + 1))
        ]
    return Line(
        n_cells=n_cells,
        seed=seed,
        start_us=start_us,
        technology=design,
        faults=plan_faults(plan, n_cells=n_cells, days=days, seed=seed, technology=design),
        outages=[*outages, *drawn],
        loads=loads,
        rough=plan != "none",
    )


def _otherwise(design: Technology) -> Technology:
    """The same cells, run by other people with fewer instruments."""
    sides = design.shell_sides
    kept = [k for k, side in enumerate(sides) if side in sides[:k] or side in ("duct", "tap")]
    return design._replace(
        tap_interval_h=design.tap_interval_h * _SLOWER_TAPS,
        anode_life_h=design.anode_life_h * _SHORTER_LIFE,
        n_shell=len(kept),
        n_bars=0,
        shell_sides=tuple(design.shell_sides[k] for k in kept),
    )


def _outages(rng: np.random.Generator, days: float) -> list[Outage]:
    found: list[Outage] = []
    for a_day, low_s, high_s in ((_SHORT_A_DAY, 300.0, 3600.0), (_LONG_A_DAY, 3600.0, 3 * 3600.0)):
        for _ in range(int(rng.poisson(a_day * days))):
            length = float(np.exp(rng.uniform(np.log(low_s), np.log(high_s))))
            found.append(Outage(float(rng.uniform(0.0, days * _DAY)), length))
    return found


def _loads(rng: np.random.Generator, days: float, share: float) -> list[Load]:
    """Five to ten per cent up or down for some hours, as optimised against a day-ahead price."""
    found: list[Load] = []
    for day in range(int(days)):
        if rng.random() < share:
            start = (day + float(rng.uniform(0.0, 0.7))) * _DAY
            size = float(rng.uniform(0.05, 0.10)) * (-1.0 if rng.random() < 0.6 else 0.5)
            found.append(Load(start, start + float(rng.uniform(2.0, 6.0)) * 3600.0, size))
    return found
