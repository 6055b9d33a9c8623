"""What stands for functions of SciPy's in a trace, by the module that they are of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.arrays import cosines, scipymatrices  # noqa: F401, which fill FFT and LINALG
from tracejit.arrays.ndimage import NDIMAGE, RANKS
from tracejit.arrays.scipyfft import FFT
from tracejit.arrays.scipylinalg import LINALG
from tracejit.arrays.special import SPECIAL

_TABLES: dict[str, dict[str, Callable[..., Any]]] = {
    "scipy.special": SPECIAL,
    "scipy.linalg": LINALG,
    "scipy.fft": FFT,
}
#: Functions in C, which SciPy's own Python code calls.
IN_C: dict[str, dict[str, Callable[..., Any]]] = {
    "scipy.ndimage._nd_image": NDIMAGE,
    "scipy.ndimage._rank_filter_1d": RANKS,
}


def library_function(function: Any) -> Callable[..., Any] | None:
    """What stands for a function of SciPy's in a trace, or None."""
    module = getattr(function, "__module__", None)
    if not isinstance(module, str):
        return None
    table = IN_C.get(module) or _TABLES.get(".".join(module.split(".")[:2]), {})
    return table.get(getattr(function, "__name__", ""))
