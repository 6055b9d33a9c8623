"""Dates and durations: integers of 64 bits, whose dtype says their unit.

Programs know integers alone. An argument of dates is taken as these, and a result is given as
dates. Which dtypes an operation has, and which it refuses, NumPy tells; what is not here, a
host call does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir.types import canonical_dtype, same_values
from tracejit.trace.tables import SEVERAL
from tracejit.trace.tracer import PYTHON_TYPES, Tracer

#: NumPy, whose functions take traced values.
_np: Any = np
#: The integer that is no date, and no duration.
NAT = np.iinfo(np.int64).min
_INT64 = np.dtype(np.int64)
#: How long a unit is, in femtoseconds: those of a calendar have no length.
_UNITS = {
    **{unit: 1000**k for k, unit in enumerate(("fs", "ps", "ns", "us", "ms", "s"))},
    **{unit: n * 10**15 for unit, n in {"m": 60, "h": 3600, "D": 86400, "W": 604800}.items()},
}


def is_dated(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is one of dates or durations that programs take."""
    return dtype.kind in "mM" and dtype.isnative and np.datetime_data(dtype)[0] != "generic"


def is_taken(dtype: np.dtype[Any], device: str) -> bool:
    """Whether programs for a device take values of a dtype, or the integers that they are."""
    return canonical_dtype(dtype) is not None or (device == "cpu" and is_dated(dtype))


def shadow(value: Any) -> Any:
    """The integers of an array, or of a scalar, in the same memory."""
    return value.view(_INT64)


def _operators(ufunc: np.ufunc) -> tuple[Any, Any, Any]:
    """The operator of a ufunc, its reflection and its form in place."""

    def forward(self: Dates, other: Any) -> Any:
        return _ufunc(ufunc, self, other)

    def reflected(self: Dates, other: Any) -> Any:
        return _ufunc(ufunc, other, self)

    def inplace(self: Dates, other: Any) -> Any:
        result = _ufunc(ufunc, self, other)
        if self.ticks.kind == "array":
            if not isinstance(result, Dates) or result.dtype != self.dtype:
                raise NotTraceable("dates in place of dates of another unit are not compiled")
            self.ticks[...] = result.ticks
            return self
        return result

    return forward, reflected, inplace


class Dates:
    """Dates or durations in a trace: their integers, `ticks`, and a dtype."""

    __tracejit_shown__ = "an array of dates"
    __tracejit_fixed__ = True  # what changes is the array of integers
    __slots__ = ("__weakref__", "dtype", "ticks")
    __array_priority__ = 2000.0

    def __init__(self, ticks: Tracer, dtype: np.dtype[Any]) -> None:
        self.ticks, self.dtype = ticks, dtype

    @property
    def form(self) -> _Form:
        """What a region carries of it."""
        return _Form(self.dtype)

    def example(self) -> Any:
        """A value of the same class, dtype and rank."""
        found = np.zeros((0,) * self.ticks.node.ndim, self.dtype)
        return found if self.ticks.kind == "array" else found[()]

    __add__, __radd__, __iadd__ = _operators(np.add)
    __sub__, __rsub__, __isub__ = _operators(np.subtract)
    __mul__, __rmul__, __imul__ = _operators(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _operators(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operators(np.floor_divide)
    __mod__, __rmod__, __imod__ = _operators(np.remainder)
    __lt__, __le__ = _operators(np.less)[0], _operators(np.less_equal)[0]
    __gt__, __ge__ = _operators(np.greater)[0], _operators(np.greater_equal)[0]
    __eq__, __ne__ = _operators(np.equal)[0], _operators(np.not_equal)[0]

    def __neg__(self) -> Any:
        return _ufunc(np.negative, self)

    def __pos__(self) -> Any:
        return _ufunc(np.positive, self)

    def __abs__(self) -> Any:
        return _ufunc(np.absolute, self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            raise NotTraceable(f"np.{ufunc.__name__} of dates with options is not compiled")
        return _ufunc(ufunc, *inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func not in FUNCTIONS:
            raise NotTraceable(f"np.{func.__name__} of dates is not compiled")
        return FUNCTIONS[func](func, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "ndim", "size", "itemsize", "nbytes"):
            return getattr(self.ticks, name)
        if name == "T":
            return Dates(self.ticks.T, self.dtype)
        if name in _SHAPED:
            method = getattr(self.ticks, name)
            return lambda *args, **kwargs: Dates(method(*args, **kwargs), self.dtype)
        function = getattr(np, name, None)
        if name in _METHODS and function is not None:
            return lambda *args, **kwargs: FUNCTIONS[function](function, self, *args, **kwargs)
        if hasattr(np.ndarray, name):
            raise NotTraceable(f"ndarray.{name} of dates is not compiled")
        raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")

    def astype(self, dtype: Any) -> Any:
        """The dates in another unit, or their integers."""
        target = np.dtype(dtype)
        if target.kind == self.dtype.kind and target != self.dtype:
            return Dates(converted(self.ticks, self.dtype, target), target)
        if target.kind not in "iuf" and target != self.dtype:
            raise NotTraceable(f"dates as {target} are not compiled")
        ticks = self.ticks.astype(_INT64 if target == self.dtype else target)
        return Dates(ticks, self.dtype) if target == self.dtype else ticks

    def view(self, dtype: Any) -> Any:
        """The integers, or the same array anew."""
        if np.dtype(dtype) == _INT64:
            return self.ticks.view(_INT64)
        raise NotTraceable(f"a view of dates as {np.dtype(dtype)} is not compiled")

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """In place; what is no date comes last."""
        self.ticks[...] = _np.sort(self.ticks - 1, axis, kind) + 1

    def __len__(self) -> int:
        return len(self.ticks)

    def __iter__(self) -> Iterator[Dates]:
        return (Dates(ticks, self.dtype) for ticks in self.ticks)

    def __getitem__(self, key: Any) -> Dates:
        return Dates(self.ticks[key], self.dtype)

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(value) is str:
            value = np.array(value, self.dtype)[()]
        self.ticks[key] = ticks_of(value, self.dtype)

    def python_type(self) -> NoReturn:
        """What meets integers alone."""
        raise NotTraceable("dates meet what takes numbers")

    def _ask(self, *_args: Any) -> NoReturn:
        raise NotTraceable("Python asks for the value of dates")

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __round__ = __contains__ = _ask
    __hash__ = __repr__ = __str__ = __format__ = __array__ = __reduce__ = _ask


SEVERAL.add(Dates)
#: Methods that put elements elsewhere, and those that are functions of the table.
_SHAPED = frozenset("reshape ravel flatten copy take repeat squeeze transpose swapaxes".split())
_METHODS = frozenset("min max argmin argmax argsort sum mean cumsum searchsorted".split())
#: For each ufunc what it is of integers, by the kinds of its operands.
LOOPS: dict[np.ufunc, dict[str, Callable[..., Any]]] = {}
#: Functions of NumPy's: what takes the function and its arguments.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def integers_of(value: Any, dated: dict[int, Any]) -> Any:
    """A value that is read, or the integers that it is: one array of each.

    By identities `dated` has the integers of dates, and the dtypes of integers.
    """
    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind not in "mM":
        return value
    dtype = value.dtype
    integers = dated.setdefault(id(value), shadow(value))
    dated[id(integers)] = dtype
    return integers


def dates_of(variable: Tracer, integers: Any, dated: dict[int, Any]) -> Any:
    """The variable of integers, or of the dates that they are: one object of each."""
    dtype = dated.get(id(integers))
    return variable if dtype is None else dated.setdefault(id(variable), Dates(variable, dtype))


class _Form(NamedTuple):
    """Dates of a dtype have one part, their integers."""

    dtype: np.dtype[Any]

    def names(self, name: str) -> tuple[str, ...]:
        """What the part of a variable is called."""
        return (f"{name} as {self.dtype}",)

    def parts(self, value: Any) -> Sequence[Any] | None:
        """The integers; None for what is of another dtype."""
        return (value.ticks,) if isinstance(value, Dates) and value.dtype == self.dtype else None

    def whole(self, parts: Sequence[Any]) -> Dates:
        """The dates of such integers."""
        return Dates(parts[0], self.dtype)


# Units --------------------------------------------------------------------------------------------


def _length(dtype: np.dtype[Any]) -> int:
    unit, count = np.datetime_data(dtype)
    if unit not in _UNITS:
        raise NotTraceable(f"dates of a unit as {dtype} are not compiled where it changes")
    return _UNITS[unit] * count


def converted(ticks: Any, old: np.dtype[Any], new: np.dtype[Any]) -> Any:
    """Integers of one unit in another: as NumPy does, they wrap around, and are rounded down."""
    if old == new:
        return ticks
    if old.kind != new.kind:
        raise NotTraceable("dates as durations are not compiled")
    if np.datetime_data(new)[0] == "generic":
        raise NotTraceable("dates without a unit are not compiled")
    np.zeros(1, old).astype(new)  # OverflowError where NumPy has no factor
    lengths = _length(old), _length(new)
    times, parts = (length // math.gcd(*lengths) for length in lengths)
    other = ticks * np.int64(times) if times > 1 else ticks
    return where_known(ticks, other // np.int64(parts) if parts > 1 else other)


def where_known(ticks: Any, result: Any, other: Any = None) -> Any:
    """`result` where there are dates, and no date elsewhere."""
    return _np.where(is_missing(ticks, other), np.int64(NAT), result)[()]


def is_missing(ticks: Any, other: Any = None) -> Any:
    found = ticks == np.int64(NAT)
    return found if other is None else found | (other == np.int64(NAT))


def ticks_of(value: Any, dtype: np.dtype[Any]) -> Any:
    """The integers of a value, as those of `dtype`."""
    if isinstance(value, Dates):
        return converted(value.ticks, value.dtype, dtype)
    if isinstance(value, (np.datetime64, np.timedelta64)):
        if value.dtype.kind != dtype.kind and np.datetime_data(value.dtype)[0] != "generic":
            raise NotTraceable("dates meet durations")
        if np.datetime_data(value.dtype)[0] in ("M", "Y") and value.dtype != dtype:
            raise NotTraceable("months and years as another unit are NumPy's to refuse")
        return np.int64(shadow(value.astype(dtype)))
    if dtype.kind == "m" and _is_integer(value):
        return value.astype(_INT64) if isinstance(value, Tracer) else np.int64(value)
    raise NotTraceable(f"dates meet {type(value).__name__}")


def _is_integer(value: Any) -> bool:
    if isinstance(value, Tracer):
        return value.node.dtype.kind in "iu" and value.kind != "number"
    return type(value) is int or isinstance(value, np.integer)


# Ufuncs -------------------------------------------------------------------------------------------


def told(value: Any) -> Any:
    """The dtype of an operand, or Python's class of numbers."""
    if isinstance(value, (Dates, np.generic)):
        return value.dtype
    if isinstance(value, Tracer):
        weak = value.kind == "number"
        return PYTHON_TYPES[value.node.dtype.kind] if weak else value.node.dtype
    if type(value) in (int, float):
        return type(value)
    raise NotTraceable(f"dates meet {type(value).__name__}")


def _ufunc(ufunc: np.ufunc, *inputs: Any) -> Any:
    """A ufunc, by the dtypes that NumPy has for it."""
    inputs = tuple(v[()] if isinstance(v, np.ndarray) and not v.ndim else v for v in inputs)
    found = [told(value) for value in inputs]
    if ufunc not in LOOPS or bool in found:
        raise NotTraceable(f"np.{ufunc.__name__} of dates is not compiled")
    dtypes = ufunc.resolve_dtypes((*found, *[None] * ufunc.nout))
    loop = LOOPS[ufunc].get("".join(d.kind for d in dtypes[: ufunc.nin]))
    if loop is None:
        raise NotTraceable(f"np.{ufunc.__name__} of these dtypes is not compiled")
    operands = [
        ticks_of(value, dtype) if dtype.kind in "mM" else _number(value, dtype)
        for value, dtype in zip(inputs, dtypes, strict=False)
    ]
    result = loop(*operands)
    return Dates(result, dtypes[-1]) if dtypes[-1].kind in "mM" else result


def _number(value: Any, dtype: np.dtype[Any]) -> Any:
    dtype = same_values(dtype)
    if isinstance(value, Tracer) and value.kind != "number":
        return value.astype(dtype)
    return value * dtype.type(1) if isinstance(value, Tracer) else dtype.type(value)
