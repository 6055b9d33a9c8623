"""Arithmetic of dates and durations: of their integers, as NumPy's loops have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.dates import LOOPS, NAT, is_missing, where_known

#: NumPy, whose functions take traced values.
_np: Any = np
_INT64 = np.dtype(np.int64)


def _joined(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """What needs both: there is none where one is missing."""
    return lambda a, b: where_known(a, f(a, b), b)


def _compared(f: Callable[[Any, Any], Any], missing: bool = False) -> Callable[[Any, Any], Any]:
    """A comparison: what is no date is equal to nothing."""
    if missing:
        return lambda a, b: is_missing(a, b) | f(a, b)
    return lambda a, b: ~is_missing(a, b) & f(a, b)


def _one(f: np.ufunc) -> Callable[[Any, Any], Any]:
    """The one that there is, or what `f` makes of both."""

    def chosen(a: Any, b: Any) -> Any:
        return _np.where(is_missing(a), b, _np.where(is_missing(b), a, f(a, b)))[()]

    return chosen


def _scaled(a: Any, b: Any) -> Any:
    return _rounded(a, a.astype(np.float64) * b)


def _rounded(a: Any, x: Any) -> Any:
    """A float as an integer, where it is one."""
    whole = _np.isfinite(x) & ~is_missing(a)
    inside = _np.where(whole & (abs(x) < 2.0**63), x, -(2.0**63)).astype(_INT64)
    return _np.where(whole, inside, np.int64(NAT))[()]


def _quotient(a: Any, b: Any) -> Any:
    """The quotient of integers, without its fraction."""
    floor = a // b
    down = (floor * b != a) & ((a < 0) != (b < 0))
    found = _np.where(down, floor + 1, floor)
    return _np.where(is_missing(a) | (b == 0), np.int64(NAT), found)[()]


def _ratio(a: Any, b: Any) -> Any:
    found = a.astype(np.float64) / b.astype(np.float64)
    return _np.where(is_missing(a, b), np.nan, found)[()]


def _floor(a: Any, b: Any) -> Any:
    found = a // b
    return _np.where(is_missing(a, b) | (b == 0), np.int64(0), found)[()]


def _rest(a: Any, b: Any) -> Any:
    return _np.where(is_missing(a, b) | (b == 0), np.int64(NAT), a % b)[()]


def _swapped(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: f(b, a)


_add = _joined(lambda a, b: a + b)
_subtract = _joined(lambda a, b: a - b)


def _times(a: Any, b: Any) -> Any:
    return where_known(a, a * b)


def _both(f: Any) -> dict[str, Any]:
    return {"mm": f, "MM": f}


_ALL: dict[np.ufunc, dict[str, Callable[..., Any]]] = {
    np.add: {"Mm": _add, "mM": _add, "mm": _add},
    np.subtract: {"MM": _subtract, "Mm": _subtract, "mm": _subtract},
    np.multiply: {
        "mi": _times, "im": _swapped(_times), "mf": _scaled, "fm": _swapped(_scaled),
    },
    np.divide: {
        "mm": _ratio, "mi": _quotient, "mf": lambda a, b: _rounded(a, a.astype(np.float64) / b),
    },
    np.floor_divide: {"mm": _floor, "mi": _quotient},
    np.remainder: {"mm": _rest},
    np.negative: {"m": lambda a: where_known(a, -a)},
    np.positive: {"m": lambda a: +a},
    np.absolute: {"m": lambda a: where_known(a, abs(a))},
    np.equal: _both(_compared(lambda a, b: a == b)),
    np.not_equal: _both(_compared(lambda a, b: a != b, missing=True)),
    np.less: _both(_compared(lambda a, b: a < b)),
    np.less_equal: _both(_compared(lambda a, b: a <= b)),
    np.greater: _both(_compared(lambda a, b: a > b)),
    np.greater_equal: _both(_compared(lambda a, b: a >= b)),
    np.maximum: _both(_joined(_np.maximum)),
    np.minimum: _both(_joined(_np.minimum)),
    np.fmax: _both(_one(_np.maximum)),
    np.fmin: _both(_one(_np.minimum)),
    np.isnat: {"m": is_missing, "M": is_missing},
    np.isnan: {"m": is_missing, "M": is_missing},
    np.isfinite: {"m": lambda a: ~is_missing(a), "M": lambda a: ~is_missing(a)},
}  # fmt: skip
LOOPS.update(_ALL)
