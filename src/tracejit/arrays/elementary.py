"""Elementwise functions of NumPy that are no ufuncs: where, clip, round and the like."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    broadcast,
    call,
    check_output,
    check_owned,
    coerce,
    common_dtype,
    given,
    join,
    node_fits,
    select,
    strong,
    told,
    write,
)
from tracejit.arrays.picking import nonzero
from tracejit.arrays.ufuncs import call as ufunc_call
from tracejit.errors import NotTraceable
from tracejit.ir import build, ops, scalars
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL
from tracejit.trace.tables import implements, method
from tracejit.trace.tracer import (
    Operand,
    Tracer,
    as_array,
    is_number,
    operand,
    supported,
    value,
    wrap,
)

#: The ufunc whose dtype rules ``np.clip`` has.
_CLIP: np.ufunc = sys.modules["numpy._core.umath"].clip


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """``np.where``: always an array, also 0-d; with the condition alone, its positions."""
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    operands = [operand(x), operand(y)]
    dtype = common_dtype(*operands)
    left, right = (_wrapped(v, dtype) for v in operands)
    mask, left, right = broadcast(build.cast(strong(condition), BOOL), left, right)
    return Tracer(build.apply(ops.WHERE, (mask, left, right), left.dtype))


def _wrapped(x: Operand, dtype: np.dtype[Any]) -> Node:
    """`x` as `dtype`; ``np.where`` lets a Python int that does not fit wrap around."""
    if isinstance(x, Node):
        return build.cast(x, dtype)
    if isinstance(x, int) and dtype.kind in "biu" and -(2**63) <= x < 2**64:
        wide = np.dtype(np.int64 if x < 2**63 else np.uint64)
        return build.cast(build.constant(x, wide), dtype)
    return coerce(x, dtype)


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = np._NoValue,
    a_max: Any = np._NoValue,
    out: Any = None,
    *,
    min: Any = np._NoValue,
    max: Any = np._NoValue,
    **kwargs: Any,
) -> Tracer:
    """``np.clip``."""
    if not (a_min is np._NoValue or min is np._NoValue) or not (
        a_max is np._NoValue or max is np._NoValue
    ):
        raise ValueError("`min` or `max` is given beside `a_min` or `a_max`")
    low = min if a_min is np._NoValue else a_min
    high = max if a_max is np._NoValue else a_max
    x = strong(a)
    bounds: list[Operand | None] = []
    for b, below in ((low, True), (high, False)):
        bounds.append(_bound(operand(b), x.dtype, below) if given(b) else None)
    if bounds[0] is None and bounds[1] is None:
        return ufunc_call(np.positive, Tracer(x), **kwargs)
    if bounds[0] is None or bounds[1] is None:
        row = np.minimum if bounds[0] is None else np.maximum
        bound = bounds[0] if bounds[1] is None else bounds[1]
        return ufunc_call(row, Tracer(x), _handed(bound), **kwargs)
    dtypes = build.resolve(_CLIP, (x.dtype, told(bounds[0]), told(bounds[1])))
    if kwargs:
        raise NotTraceable(f"np.clip with {next(iter(kwargs))}= is not compiled")
    target = supported(dtypes[3])
    first, last = (coerce(b, target) for b in bounds if b is not None)
    return value(_clipped(build.cast(x, target), first, last))


def _clipped(x: Node, low: Node, high: Node) -> Node:
    """`x` within bounds of its dtype. NumPy's loops differ in which of two equals they take."""
    if x.dtype.kind not in "fc":
        return call("minimum", call("maximum", x, low), high)
    if x.dtype.kind == "f" and all(not b.ndim or b.shape[-1] == 1 for b in (low, high)):
        result = _choose("less", x, low, low, x)
        result = _choose("greater", result, high, high, result)
        for bound in (high, low):
            if not _is_known_number(bound):
                result = _choose("not_equal", bound, bound, bound, result)
        return result
    result = _choose("greater", x, low, x, low)
    result = _choose("not_equal", x, x, x, result)
    kept = _choose("less", result, high, result, high)
    return _choose("not_equal", result, result, result, kept)


def _choose(name: str, a: Node, b: Node, x: Node, y: Node) -> Node:
    """`x` where the comparison of `a` and `b` holds, else `y`."""
    return select(*broadcast(call(name, a, b), x, y))


def _is_known_number(x: Node) -> bool:
    return x.op is ops.CONST and not bool(np.isnan(build.constant_value(x)))


def _bound(b: Operand, dtype: np.dtype[Any], below: bool) -> Operand | None:
    """A bound; None for a Python int beyond the integer dtype, which bounds nothing."""
    if dtype.kind not in "iu":
        return b
    if isinstance(b, Node) and b.type.weak and b.dtype.kind == "i" and not node_fits(b, dtype):
        b = int(build.solver().concrete(b))
    if isinstance(b, int):
        info = np.iinfo(dtype)
        if (below and b <= info.min) or (not below and b >= info.max):
            return None
    return b


def _handed(b: Any) -> Any:
    return Tracer(b) if isinstance(b, Node) else b


@method("clip")
def clip_method(
    x: Tracer, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any
) -> Tracer:
    """``x.clip(min, max)``."""
    return clip(x, min, max, out, **kwargs)


@implements(np.round)
def round_(a: Any, decimals: Any = 0, out: Any = None) -> Tracer:
    """``np.round``: scale, ``rint``, scale back, as NumPy does."""
    x, digits = strong(a), operator.index(decimals)
    if x.dtype.kind in "iu" and digits >= 0:
        return value(x)
    if digits == 0:
        return value(call("rint", x))
    if x.dtype == BOOL:
        check_output(np.multiply if digits > 0 else np.divide, np.dtype(float), BOOL)
    if x.dtype.kind == "c":
        raise NotTraceable("np.round of complex numbers to decimals is not compiled")
    if abs(digits) > 300:  # the scale is no float
        raise NotTraceable("np.round to so many decimals is not compiled")
    scale = float(10 ** abs(digits))
    there, back = ("multiply", "divide") if digits > 0 else ("divide", "multiply")
    result = call(back, call("rint", call(there, x, scale)), scale)
    return value(build.cast(result, x.dtype) if x.dtype.kind in "iu" else result)


implements(np.around)(round_)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Tracer:
    """``np.fix``: towards zero."""
    node = strong(x)
    if node.dtype.kind in "biu":
        return value(node)
    return value(call("trunc", node))


@method("conj", "conjugate")
def conj(x: Tracer) -> Tracer:
    """``x.conj()``: the array itself where it is real."""
    if x.node.dtype.kind != "c":
        return +x if x.kind == "number" else x  # a bool's is an int
    result = call("conjugate", x.node)
    return Tracer(build.weak(result), "number") if x.kind == "number" else value(result)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1.0e-5, atol: Any = 1.0e-8, equal_nan: bool = False) -> Any:
    """``np.isclose``, by NumPy's formula."""
    x, y = operand(a), operand(b)
    if isinstance(y, Node) and not y.type.weak:
        y = build.cast(y, common_dtype(y, 1.0))
    elif isinstance(y, Node):
        y = strong(Tracer(y)) if y.dtype.kind != "i" else build.cast(y, np.dtype(float))
    else:
        y = complex(y) if isinstance(y, complex) else float(y)
    if not isinstance(x, Node):
        x = float(x) if isinstance(x, int) else x
    margin = call("add", atol, call("multiply", rtol, call("absolute", y)))
    near = call("less_equal", call("absolute", call("subtract", x, y)), margin)
    finite = call("bitwise_and", near, call("isfinite", y))
    result = call("bitwise_or", finite, call("equal", x, y))
    if equal_nan:
        both = call("bitwise_and", call("isnan", x), call("isnan", y))
        result = call("bitwise_or", result, both)
    return value(result)


def _all(x: Node) -> Tracer:
    return Tracer(build.reduce("all", x, tuple(range(x.ndim))), "number")


@implements(np.allclose)
def allclose(
    a: Any, b: Any, rtol: Any = 1.0e-5, atol: Any = 1.0e-8, equal_nan: bool = False
) -> Any:
    """``np.allclose``: a Python bool."""
    return _all(isclose(a, b, rtol, atol, equal_nan).node)


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """``np.array_equal``: a Python bool."""
    x, y = strong(a1), strong(a2)
    if x.ndim != y.ndim:
        return False
    if not all(build.solver().equal(p, q) for p, q in zip(x.shape, y.shape, strict=True)):
        return False
    result = call("equal", x, y)
    if equal_nan:
        both = call("bitwise_and", call("isnan", x), call("isnan", y))
        result = call("bitwise_or", result, both)
    return _all(result)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Tracer:
    """``np.nan_to_num``."""
    node = strong(x)
    if not copy:
        if not isinstance(x, Tracer) or x.kind != "array":
            raise NotTraceable("np.nan_to_num(copy=False) of what is no array")
        check_owned(x)
        write(x, _numbers(node, nan, posinf, neginf))
        return x
    return value(_numbers(node, nan, posinf, neginf))


def _numbers(node: Node, nan: Any, posinf: Any, neginf: Any) -> Node:
    if node.dtype.kind in "biu":
        return node
    if node.dtype.kind == "c":
        parts = (_numbers(part(node), nan, posinf, neginf) for part in (build.real, build.imag))
        return build.apply(scalars.COMPLEX, [*parts], node.dtype)
    if any(np.iscomplexobj(fill) for fill in (nan, posinf, neginf)):
        raise NotTraceable("np.nan_to_num puts complex numbers among real ones")
    info = np.finfo(node.dtype)
    high = operand(info.max if posinf is None else posinf)
    low = operand(info.min if neginf is None else neginf)
    dtype = node.dtype
    is_nan = call("isnan", node)
    above = call("equal", node, build.constant(np.inf, dtype))
    below = call("equal", node, build.constant(-np.inf, dtype))
    result = select(below, _fill(low, node), node)
    result = select(above, _fill(high, node), result)
    return select(is_nan, _fill(operand(nan), node), result)


def _fill(x: Operand, like: Node) -> Node:
    return build.broadcast_to(coerce(x, like.dtype), like.shape)


@implements(np.select)
def select_(condlist: Any, choicelist: Any, default: Any = 0) -> Tracer:
    """``np.select``."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError("select with an empty condition list is not possible")
    choices = join(*choicelist, default)
    masks = [strong(c) for c in condlist]
    for k, m in enumerate(masks):
        if m.dtype != BOOL:
            raise TypeError(f"invalid entry {k} in condlist: should be boolean ndarray")
    nodes = broadcast(*masks, *choices)
    result = nodes[-1]
    for mask, choice in reversed(
        list(zip(nodes[: len(masks)], nodes[len(masks) : -1], strict=True))
    ):
        result = select(mask, choice, result)
    return Tracer(result)


@implements(np.sinc)
def sinc(x: Any) -> Tracer:
    """``np.sinc``, by NumPy's formula."""
    node = strong(x)
    y = call("multiply", np.pi, node)
    if node.dtype.kind in "fc":
        eps = float(np.finfo(node.dtype).eps) if node.dtype.itemsize > 2 else 1e-7
    else:
        eps = 1.0e-20
    filled = build.constant(np.asarray(eps).astype(y.dtype)[()], y.dtype)
    y = select(build.cast(y, BOOL), y, build.broadcast_to(filled, y.shape))
    return value(call("divide", call("sin", y), y))


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Tracer:
    """``np.angle``."""
    node = strong(z)
    if node.dtype.kind == "c":
        result = call("arctan2", build.imag(node), build.real(node))
    else:
        result = call("arctan2", 0, node)
    return value(call("multiply", result, 180 / np.pi) if deg else result)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """``np.isreal``: of a Python number a Python bool."""
    if is_number(x):
        return wrap(x).imag == 0
    node = strong(x)
    if node.dtype.kind == "c":
        return value(call("equal", build.imag(node), 0))
    return value(build.full(node.shape, build.constant(True, BOOL)))


@implements(np.iscomplex)
def iscomplex(x: Any) -> Tracer:
    """``np.iscomplex``."""
    node = strong(x)
    if node.dtype.kind == "c":
        return value(call("not_equal", build.imag(node), 0))
    return value(build.full(node.shape, build.constant(False, BOOL)))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """``np.iscomplexobj``."""
    return wrap(x).node.dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """``np.isrealobj``."""
    return not iscomplexobj(x)


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """``np.result_type``."""
    samples: list[Any] = []
    for a in arrays_and_dtypes:
        if isinstance(a, Tracer):
            kind = told(operand(a))
            samples.append(kind if isinstance(kind, np.dtype) else kind(1))
        else:
            samples.append(a)
    return np.result_type(*samples)


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """``np.can_cast``."""
    source = from_.node.dtype if isinstance(from_, Tracer) else from_
    return np.can_cast(source, to, casting)  # type: ignore[arg-type]


@implements(np.real_if_close)
def real_if_close(a: Any, tol: Any = 100) -> Tracer:
    """``np.real_if_close`` of real arrays."""
    x = as_array(a)
    if x.node.dtype.kind == "c":
        raise NotTraceable("np.real_if_close of complex numbers depends on their values")
    return x
