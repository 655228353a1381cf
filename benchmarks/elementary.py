"""exp, log and power in float64 without branches, tables or calls, so that LLVM puts eight cells into one register.

PyPI's llvmlite has no vector mathematics library: a loop that calls ``math.exp`` is compiled cell by cell.
"""

from collections.abc import Callable
from math import factorial, inf, log, nan, sqrt
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial

#: FMA is allowed; whatever would make ``isnan`` a lie or a sum depend on the compiler's mood is not.
FLAGS = frozenset({"contract"})


_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile a kernel."""
    return cast(_Function, njit(nogil=True, error_model="numpy", fastmath=set(FLAGS))(function))


def inlined(function: _Function) -> _Function:
    """Compile a function into whatever calls it; a loop around a call would not become vector code."""
    return cast(_Function, njit(forceinline=True, error_model="numpy", fastmath=set(FLAGS))(function))


# Numba's compiler objects are not typed.
_Compiler = Any


def _same_bits(source: _Compiler, target: _Compiler) -> _Compiler:
    """Make a function whose result has the bits of its argument and another type."""

    def bits(typing_context: _Compiler, value: _Compiler) -> _Compiler:
        def code(context: _Compiler, builder: _Compiler, signature: _Compiler, args: _Compiler) -> _Compiler:
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), code

    return intrinsic(bits)


_bits = _same_bits(types.float64, types.uint64)
_float = _same_bits(types.uint64, types.float64)


def _fit(function: Callable[[Any], Any], low: float, high: float, degree: int) -> tuple[float, ...]:
    """Coefficients, constant first, of the polynomial through the Chebyshev nodes of an interval."""
    fitted = Chebyshev.interpolate(function, degree, domain=[low, high])
    return tuple(float(c) for c in fitted.convert(kind=Polynomial, domain=[-1, 1], window=[-1, 1]).coef)


_HALF_LN2 = 0.5 * log(2.0)
# (exp(r) - 1 - r - r2/2) / r3 and (log((1+s)/(1-s)) / s - 2) / s2 over s2, by their series: no cancellation.
_E = _fit(lambda r: sum(r**n / factorial(n + 3) for n in range(20)), -1.01 * _HALF_LN2, 1.01 * _HALF_LN2, 8)
_L = _fit(lambda z: sum(2.0 * z**n / (2 * n + 3) for n in range(20)), 0.0, 0.0295, 6)
_E0, _E1, _E2, _E3, _E4, _E5, _E6, _E7, _E8 = _E
_L0, _L1, _L2, _L3, _L4, _L5, _L6 = _L
_LOG2E, _LN2_HIGH = 1.0 / log(2.0), float.fromhex("0x1.62e42feep-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
#: Adding it leaves the nearest integer in the lowest bits.
_ROUND = 1.5 * 2.0**52
_52, _MANTISSA = np.uint64(52), np.uint64(2**52 - 1)
_ONE, _ROOT_HALF = (np.float64(v).view(np.uint64) for v in (1.0, sqrt(0.5)))
_TO_ONE, _EXPONENT_BITS, _EXPONENT_ZERO = (
    _ONE - _ROOT_HALF,
    np.float64(2.0**52).view(np.uint64),
    2.0**52 + 1023.0,
)


@inlined
def exp64(x: float) -> float:
    """Exponential; 0 below -708, inf above 709, NaN stays NaN."""
    shifted = x * _LOG2E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (_E0 + r * _E1) + r2 * (_E2 + r * _E3)
    high = (_E4 + r * _E5) + r2 * (_E6 + r * _E7) + r4 * _E8
    series = 1.0 + (r + r2 * (0.5 + r * (low + r4 * high)))
    y = _float(_bits(series) + (_bits(shifted) << _52))
    y = 0.0 if x < -708.0 else y
    return inf if x > 709.0 else y


@inlined
def log64(x: float) -> float:
    """Natural logarithm; -inf at 0, NaN below it; numbers under 2.3e-308 count as 0."""
    bits = _bits(x) + _TO_ONE
    exponent = _float((bits >> _52) | _EXPONENT_BITS) - _EXPONENT_ZERO
    f = _float((bits & _MANTISSA) + _ROOT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    series = (_L0 + z * _L1) + z2 * ((_L2 + z * _L3) + z2 * ((_L4 + z * _L5) + z2 * _L6))
    half = 0.5 * f * f
    y = exponent * _LN2_HIGH + (f - (half - (s * (half + z * series) + exponent * _LN2_LOW)))
    y = y if x < inf else x
    y = y if x >= 2.3e-308 else -inf
    return y if x >= 0.0 else nan


@inlined
def power64(x: float, y: float) -> float:
    """Power x**y for x not below 0; NaN below it."""
    return exp64(y * log64(x))
