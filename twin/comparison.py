"""How a figure is held against a limit, and how it is rounded for display."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

#: Comparison words of Chinese rules: those that include the boundary and those that do not.
WORDS: dict[str, str] = {
    "以上": "ge",
    "不低于": "ge",
    "以下": "le",
    "不高于": "le",
    "超": "gt",
    "超过": "gt",
    "高于": "gt",
    "不足": "lt",
}
COMPARISONS = ("le", "lt", "ge", "gt", "eq", "about")
#: Rounding by name: GB/T 8170 rounds half to even, the carbon market's guides half up.
ROUNDING: dict[str, str] = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}
#: A target called "about" (左右) counts as met from this share of it on.
ABOUT_FRAC = Decimal("0.98")


def meets(value: float | Decimal, comparison: str, limit: float | Decimal) -> bool:
    """Whether an unrounded value meets a limit; a NaN meets none.

    Parameters
    ----------
    value, limit
        In the same unit. Compared as they are, never rounded (GB/T 8170-2008 section 4.3, full-value rule).
    comparison
        One of `COMPARISONS`; ``about`` means at least 98 % of the limit, a choice of ours.

    Raises
    ------
    ValueError
        Unknown comparison.

    Notes
    -----
    Energy reference 0.3.

    Examples
    --------
    >>> meets(13000.4, "le", 13000), meets(35.0, "gt", 35), meets(30.0, WORDS["以上"], 30)
    (False, False, True)
    """
    if comparison not in COMPARISONS:
        raise ValueError(f"no such comparison: {comparison!r}; one of {', '.join(COMPARISONS)}")
    if value != value:
        return False
    found, held = exact(value), exact(limit)
    if comparison == "about":
        return found >= held * ABOUT_FRAC
    order = (found > held) - (found < held)
    return order in {"le": (-1, 0), "lt": (-1,), "ge": (0, 1), "gt": (1,), "eq": (0,)}[comparison]


def exact(value: float | Decimal | int) -> Decimal:
    """A number as the decimal that it is written as, so that 13320.01 is not a little less."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def rounded(value: float | Decimal, places: int = 0, rule: str = "half_even") -> Decimal:
    """A value rounded for display only.

    Parameters
    ----------
    value
        Finite number.
    places
        Digits after the point, >= 0.
    rule
        ``half_even`` (GB/T 8170) or ``half_up`` (carbon-market guides).

    Raises
    ------
    ValueError
        Unknown rule.

    Examples
    --------
    >>> rounded(13000.5), rounded(13000.5, rule="half_up")
    (Decimal('13000'), Decimal('13001'))
    """
    if rule not in ROUNDING:
        raise ValueError(f"no such rounding: {rule!r}; one of {', '.join(ROUNDING)}")
    return exact(value).quantize(Decimal(1).scaleb(-places), rounding=ROUNDING[rule])
