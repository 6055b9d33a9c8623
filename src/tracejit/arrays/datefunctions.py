"""Functions of NumPy's over dates and durations: of their integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.dates import FUNCTIONS, LOOPS, NAT, Dates, is_missing, ticks_of, told
from tracejit.errors import NotTraceable

#: NumPy, whose functions take traced values.
_np: Any = np


def _need_dates(value: Any) -> Dates:
    if not isinstance(value, Dates):
        raise NotTraceable(f"dates beside {type(value).__name__} are not compiled")
    return value


def _same(func: Any, dates: Any, *args: Any, **kwargs: Any) -> Any:
    """What puts elements elsewhere."""
    given = _need_dates(dates)
    if any(isinstance(v, Dates) for v in (*args, *kwargs.values())):
        raise NotTraceable("dates as an option are not compiled")
    return _wrapped(func(given.ticks, *args, **kwargs), given.dtype)


def _wrapped(result: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(result, (list, tuple)):
        return type(result)(_wrapped(r, dtype) for r in result)
    return Dates(result, dtype)


def _common(values: Any) -> tuple[list[Any], np.dtype[Any]]:
    """The integers of several values, in their common unit."""
    dtype = np.result_type(*[told(v) for v in values])
    return [ticks_of(v, dtype) for v in values], dtype


def _join(func: Any, arrays: Any, *args: Any, **kwargs: Any) -> Any:
    if kwargs.keys() - {"axis"} or type(arrays) not in (list, tuple):
        raise NotTraceable(f"np.{func.__name__} of dates with options is not compiled")
    ticks, dtype = _common([_need_dates(a) for a in arrays])
    return Dates(func(ticks, *args, **kwargs), dtype)


def _where(func: Any, condition: Any, *values: Any) -> Any:
    if len(values) != 2:
        raise NotTraceable("np.where of dates is not compiled")
    ticks, dtype = _common(values)
    return Dates(_np.where(condition, *ticks), dtype)


def _asked(func: Any, dates: Any) -> Any:
    return func(_need_dates(dates).ticks)


def _extreme(func: Any, dates: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The first or the last date; none, where one is missing."""
    given = _need_dates(dates)
    options = {"axis": axis, "keepdims": keepdims}
    found, missing = func(given.ticks, **options), is_missing(given.ticks).any(**options)
    return Dates(_np.where(missing, np.int64(NAT), found)[()], given.dtype)


def _place(func: Any, dates: Any, axis: Any = None) -> Any:
    """The first one that is missing, as NumPy finds it."""
    ticks = _need_dates(dates).ticks
    return func(ticks - 1 if func is np.argmax else ticks, axis)


def _sort(func: Any, dates: Any, axis: Any = -1, kind: Any = None) -> Any:
    """What is no date comes last: one less, it is the greatest integer."""
    given = _need_dates(dates)
    found = func(given.ticks - 1, axis, kind)
    return found if func is np.argsort else Dates(found + 1, given.dtype)


def _durations(dates: Any) -> Dates:
    given = _need_dates(dates)
    if given.dtype.kind == "M":
        raise NotTraceable("a sum of dates is not compiled")
    return given


def _sum(func: Any, dates: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    given = _durations(dates)
    options = {"axis": axis, "keepdims": keepdims}
    total, missing = func(given.ticks, **options), is_missing(given.ticks).any(**options)
    return Dates(_np.where(missing, np.int64(NAT), total)[()], given.dtype)


def _running(func: Any, dates: Any, axis: Any = None) -> Any:
    given = _durations(dates)
    missing = _np.cumsum(is_missing(given.ticks), axis) > 0
    total = _np.where(missing, np.int64(NAT), func(given.ticks, axis))
    return Dates(total, given.dtype)


def _diff(func: Any, dates: Any, n: int = 1, axis: int = -1) -> Any:
    given = _need_dates(dates)
    if type(n) is not int or n < 1 or type(axis) is not int:
        raise NotTraceable("np.diff of dates with options is not compiled")
    for _ in range(n):
        rows = _np.moveaxis(given.ticks, axis, -1)
        ticks = _np.moveaxis(LOOPS[np.subtract]["mm"](rows[..., 1:], rows[..., :-1]), -1, axis)
        unit = "[{1}{0}]".format(*np.datetime_data(given.dtype))
        given = Dates(ticks, np.dtype(f"m8{unit}"))
    return given


def _unique(func: Any, dates: Any) -> Any:
    given = _need_dates(dates)
    return Dates(func(given.ticks - 1) + 1, given.dtype)


def _searched(func: Any, dates: Any, values: Any, side: str = "left") -> Any:
    ticks, _ = _common([_need_dates(dates), values])
    return func(ticks[0] - 1, ticks[1] - np.int64(1), side)


_ALL: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys(
        (np.reshape, np.ravel, np.transpose, np.squeeze, np.expand_dims, np.swapaxes, np.moveaxis,
         np.flip, np.fliplr, np.flipud, np.roll, np.take, np.repeat, np.tile, np.broadcast_to,
         np.copy, np.rot90, np.atleast_1d, np.atleast_2d, np.array_split, np.split, np.diagonal),
        _same,
    ),
    **dict.fromkeys((np.concatenate, np.stack, np.hstack, np.vstack, np.column_stack), _join),
    **dict.fromkeys((np.shape, np.ndim, np.size), _asked),
    **dict.fromkeys((np.min, np.max), _extreme),
    **dict.fromkeys((np.argmin, np.argmax), _place),
    **dict.fromkeys((np.sort, np.argsort), _sort),
    np.where: _where, np.sum: _sum, np.cumsum: _running, np.diff: _diff, np.unique: _unique,
    np.searchsorted: _searched,
}  # fmt: skip
FUNCTIONS.update(_ALL)
