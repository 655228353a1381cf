"""The plant's own decorator for compiled kernels; kernels of one file may call those of another."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])

_ROOT = Path(__file__).parent
_MARK = b"@kernel"


def _cache_folder() -> str:
    """Name the cache after the text of all kernels: Numba's own key sees only the file a kernel stands in."""
    digest = hashlib.sha256()
    for path in sorted(_ROOT.glob("*.py")):
        text = path.read_bytes()
        if _MARK in text or path.name == "state.py":
            digest.update(text)
    return str(_ROOT / "__pycache__" / f"numba-{digest.hexdigest()[:16]}")


_FOLDER = _cache_folder()


def kernel(function: _Function) -> _Function:
    """Compile a function; the folder of its cache is fixed when it is decorated."""
    before = numba.config.CACHE_DIR  # pyright: ignore
    numba.config.CACHE_DIR = _FOLDER  # pyright: ignore
    try:
        return cast(_Function, njit(cache=True, nogil=True)(function))
    finally:
        numba.config.CACHE_DIR = before  # pyright: ignore
