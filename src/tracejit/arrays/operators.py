"""Python's operators on traced values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import numbers, ufuncs
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build
from tracejit.trace.mixed import Mixed
from tracejit.trace.tables import SEVERAL, method
from tracejit.trace.tracer import Tracer, is_number, wrap


@method("operator")
def operate(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """Python's binary operator whose ufunc is `ufunc`."""
    if type(a) in SEVERAL or type(b) in SEVERAL:
        return NotImplemented  # theirs
    if is_number(a) and told_complex(a) and is_float(b):
        b = Tracer(build.weak(wrap(b).node), "number")  # np.float64 is a float of Python's
    if is_number(a) and is_number(b):
        return numbers.arithmetic(ufunc, a, b)
    text = any(x is None or isinstance(x, str) for x in (a, b))
    if text and ufunc in (np.equal, np.not_equal) and not (is_number(a) or is_number(b)):
        raise NotTraceable("an array is compared with what is no number", "use `is None`")
    for x in (a, b):
        if isinstance(x, (Tracer, int, float, complex, np.generic, np.ndarray)):
            continue
        if not isinstance(x, (list, tuple)) or is_number(a) or is_number(b):
            if not (is_number(a) or is_number(b)) and _takes_elements(ufunc, x):
                raise NotTraceable(f"a {type(x).__name__} meets a traced array")
            return NotImplemented
    if is_number(a) and told_complex(a) and isinstance(b, Tracer) and told_complex(b):
        # np.complex128 is a subclass of complex, whose own operator comes first.
        raise NotTraceable(
            "a Python complex number on the left of a NumPy complex scalar",
            "write the scalar on the left",
        )
    if ufunc is np.matmul and not (has_axes(a) or has_axes(b)):
        names = [x._python_name() if isinstance(x, Tracer) else type(x).__name__ for x in (a, b)]
        raise TypeError(f"unsupported operand type(s) for @: {names[0]!r} and {names[1]!r}")
    if ufunc is np.power:
        return ufuncs.power(a, b)
    return ufuncs.call(ufunc, a, b)


def _takes_elements(ufunc: np.ufunc, x: Any) -> bool:
    """Whether NumPy may compute with an object `x` and each element in turn, and raise nothing."""
    cls, missing = type(x), object()
    own = getattr(cls, "__array_ufunc__", missing)
    if own is None or (own is missing and getattr(cls, "__array_priority__", 0) > 0):
        return False  # the whole array is left to the object's own operator
    name = numbers.PYTHON[ufunc].__name__.strip("_")
    return (
        ufunc in numbers.COMPARISONS
        or any(hasattr(cls, f"__{prefix}{name}__") for prefix in ("", "r", "array_"))
        or hasattr(cls, "__array__")
    )


def told_complex(x: Any) -> bool:
    """Whether `x` is a Python complex number or a ``np.complex128`` scalar."""
    if isinstance(x, Tracer):
        return x.kind != "array" and x.node.dtype == np.complex128
    return isinstance(x, complex)


def is_float(x: Any) -> bool:
    """Whether `x` is a ``np.float64`` scalar."""
    if isinstance(x, Tracer):
        return x.kind == "scalar" and x.node.dtype == np.float64
    return isinstance(x, np.float64)


def has_axes(x: Any) -> bool:
    """Whether `x` is an array to NumPy, 0-d ones included."""
    if isinstance(x, Tracer):
        return x.kind == "array"
    return isinstance(x, (np.ndarray, list, tuple))


@method("unary")
def operate_one(ufunc: np.ufunc, x: Tracer) -> Any:
    """Python's unary operator whose ufunc is `ufunc`."""
    return numbers.arithmetic(ufunc, x) if x.kind == "number" else ufuncs.call(ufunc, x)


@method("update")
def update(ufunc: np.ufunc, target: Tracer, other: Any) -> Any:
    """The in-place operator of `ufunc`: `target`, rebound to the result cast to its dtype."""
    if isinstance(other, Mixed):
        other = other.written(target.node.dtype)
    try:
        result = operate(ufunc, target, other)
    except ShapeError as error:
        if "broadcast together with shapes" not in str(error):
            raise
        known = tuple(map(build.solver().value, target.node.shape))
        raise ShapeError(f"{error}{known} ".replace(", ", ",")) from None
    if result is not NotImplemented:
        ufuncs.rebind(target, result.node, ufunc)
        return target
    return result
