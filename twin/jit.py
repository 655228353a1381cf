"""The one decorator for compiled kernels."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def _source_key(root: Path) -> str:
    """Hash all sources: Numba's own cache key sees only the file a kernel stands in."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if not numba.config.CACHE_DIR:  # pyright: ignore
    _root = Path(__file__).parent
    numba.config.CACHE_DIR = str(_root / "__pycache__" / f"numba-{_source_key(_root)}")  # pyright: ignore


def kernel(function: _Function) -> _Function:
    """Compile a function that a kernel may call, into its caller.

    Notes
    -----
    No fastmath: it would make isnan(nan) False, and missing is NaN here. A division by zero gives inf or NaN, as
    NumPy's does, and stops nothing: whoever divides by what may be 0 says what the result then is.
    """
    return cast(_Function, njit(cache=True, nogil=True, forceinline=True, error_model="numpy")(function))
