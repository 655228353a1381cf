"""Why an intensity differs from another: exact split by the logarithmic mean (LMDI)."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from twin.energy import METAL_KG_PER_KAH


class State(NamedTuple):
    """What an AC intensity is made of.

    Attributes
    ----------
    voltage_V
        Mean voltage by part [V]; the same keys on both sides of a comparison.
    current_efficiency, rectifier_efficiency
        Fractions, > 0.
    """

    voltage_V: Mapping[str, float]
    current_efficiency: float
    rectifier_efficiency: float

    @property
    def ac_kwh_per_t(self) -> float:
        """AC intensity, c V / (CE eta) [kWh/t]."""
        volt = sum(self.voltage_V.values())
        return 1000.0 * volt / (METAL_KG_PER_KAH * self.current_efficiency * self.rectifier_efficiency)


def log_mean(a: float, b: float) -> float:
    """Logarithmic mean of two positive numbers.

    Examples
    --------
    >>> log_mean(2.0, 2.0)
    2.0
    """
    # Near a == b, (a - b) / ln(a/b) loses digits; the series is exact to rounding there.
    x = (a - b) / (a + b)
    return (a + b) / 2.0 if x == 0.0 else (a - b) / (2.0 * math.atanh(x))


def split(before: State, after: State) -> dict[str, float]:
    """Change of the AC intensity by cause [kWh/t]; the parts sum to the change to rounding.

    Parameters
    ----------
    before, after
        Two states with the same parts of voltage.

    Returns
    -------
    dict
        One value a part of the voltage, then ``current_efficiency`` and ``rectifier_efficiency``.

    Raises
    ------
    ValueError
        Different parts, or a total that is not positive.

    Notes
    -----
    Energy reference 7.4. The voltage's effect w ln(V1/V0) is w (V1 - V0) / L(V1, V0), so that its parts share it
    by their own differences, also when the total did not change.
    """
    if before.voltage_V.keys() != after.voltage_V.keys():
        raise ValueError(f"different parts: {sorted(before.voltage_V)} and {sorted(after.voltage_V)}")
    volts = [sum(state.voltage_V.values()) for state in (before, after)]
    factors = (*volts, *before[1:], *after[1:])
    if not all(math.isfinite(factor) and factor > 0.0 for factor in factors):
        raise ValueError(f"voltage and efficiencies must be positive: {factors}")
    weight = log_mean(after.ac_kwh_per_t, before.ac_kwh_per_t)
    per_volt = weight / log_mean(*volts)
    parts = {key: per_volt * (after.voltage_V[key] - before.voltage_V[key]) for key in before.voltage_V}
    parts["current_efficiency"] = -weight * math.log(after.current_efficiency / before.current_efficiency)
    parts["rectifier_efficiency"] = -weight * math.log(
        after.rectifier_efficiency / before.rectifier_efficiency
    )
    return parts
