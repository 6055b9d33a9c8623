"""Functions whose calls are timed, and whose first results are kept to be compared."""

from __future__ import annotations

import time
import types
from typing import Any, NamedTuple

import numpy as np

from tracejit.trace.trace import current

#: Calls of a function whose results are kept, and elements of each array.
KEPT, ELEMENTS = 20, 10_000


class Calls(NamedTuple):
    """What the calls of one function took, in seconds, and left: numbers and parts of arrays."""

    seconds: list[float]
    outcomes: list[Any]


class Watched:
    """`f`, called as `called`; a trace takes it for what it stands for."""

    __tracejit_function__ = True

    def __init__(self, f: types.FunctionType, called: Any) -> None:
        self.__wrapped__, self.called = f, called
        self.__name__, self.__qualname__, self.__doc__ = f.__name__, f.__qualname__, f.__doc__
        self.__module__ = f.__module__
        self.calls = Calls([], [])

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current() is not None:
            return self.called(*args, **kwargs)
        start = time.perf_counter()
        result = self.called(*args, **kwargs)
        self.calls.seconds.append(time.perf_counter() - start)
        if len(self.calls.outcomes) < KEPT:
            self.calls.outcomes.append(kept([result, args, kwargs]))
        return result


def kept(value: Any, depth: int = 0) -> Any:
    """A copy of what can be compared: numbers, texts, parts of arrays, and containers of these."""
    if isinstance(value, (np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "biufc":
        array = np.asarray(value)
        step = -(-array.size // ELEMENTS) or 1
        return array.dtype.str, array.shape, array.reshape(-1)[::step].copy()
    if isinstance(value, (bool, int, float, complex, str, type(None))):
        return value
    if depth < 4 and isinstance(value, (list, tuple)):
        return [kept(v, depth + 1) for v in value[:100]]
    if depth < 4 and isinstance(value, dict):
        return {str(k): kept(v, depth + 1) for k, v in list(value.items())[:100]}
    return type(value).__qualname__


def difference(a: Any, b: Any) -> float:
    """The largest relative difference of what was kept; infinite where it is of another form."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        if a[:2] != b[:2]:
            return float("inf")
        return _relative(a[2], b[2])
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return max(map(difference, a, b), default=0.0)
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return max((difference(a[k], b[k]) for k in a), default=0.0)
    if isinstance(a, (int, float, complex)) and type(a) is type(b):
        return _relative(np.asarray([a]), np.asarray([b]))
    return 0.0 if type(a) is type(b) and a == b else float("inf")


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    if a.dtype.kind not in "fc":
        return 0.0 if np.array_equal(a, b) else float("inf")
    same = (a == b) | ((a != a) & (b != b))
    if same.all():
        return 0.0
    size = np.abs(a).max(initial=0.0, where=np.isfinite(a))
    with np.errstate(all="ignore"):
        off = float(np.abs(a - b)[~same].max() / (size or 1.0))
    return off if np.isfinite(off) else float("inf")
