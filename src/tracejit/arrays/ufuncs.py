"""Calls of ufuncs and their methods on traced values, by NumPy's rules of dtypes and casting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import reductions
from tracejit.arrays.common import (
    CONDITION,
    at_least,
    axis_index,
    check_output,
    check_owned,
    coerce,
    dim_node,
    fits,
    is_empty,
    node_fits,
    require_exponents,
    shown,
    strong,
    told,
    write,
)
from tracejit.arrays.common import call as call_row
from tracejit.arrays.numbers import COMPARISONS, PYTHON
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node, make
from tracejit.ir.types import BOOL, INT64, same_values
from tracejit.trace.tables import UFUNC_METHODS
from tracejit.trace.tracer import Operand, Tracer, is_number, operand, supported, value, wrap

#: Ufuncs with several outputs: one row each.
SEVERAL = {
    np.divmod: ("floor_divide", "remainder"),
    np.modf: ("modf_fraction", "modf_integer"),
    np.frexp: ("frexp_mantissa", "frexp_exponent"),
}
#: Generalised ufuncs, which are no elementwise rows; filled by ``linear``.
GENERALISED: dict[np.ufunc, Any] = {}


def call(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    casting: str = "same_kind",
    order: str = "K",
    dtype: Any = None,
    subok: bool = True,
    signature: Any = None,
    sig: Any = None,
    **other: Any,
) -> Any:
    """``ufunc(*inputs, …)``."""
    kept = None if where is True else _kept(ufunc, out)
    if kept is not None and ufunc is np.power:  # which may refuse what is not asked for
        inputs = (inputs[0], _asked(inputs[1], where))
    if ufunc in GENERALISED:
        result = GENERALISED[ufunc](*inputs, dtype=dtype, **other)
    else:
        if other:
            raise TypeError(f"{ufunc.__name__}() got an unexpected keyword {next(iter(other))!r}")
        loop = _signature(ufunc, dtype, signature if signature is not None else sig)
        result = _elementwise(ufunc, [operand(i) for i in inputs], casting, loop)
    if kept is not None:
        parts = result if isinstance(result, tuple) else (result,)
        chosen = tuple(
            _chosen(where, r.node, k, ufunc, casting) for r, k in zip(parts, kept, strict=True)
        )
        result = chosen if isinstance(result, tuple) else chosen[0]
    return _into(out, result, ufunc, casting)


UFUNC_METHODS["__call__"] = call


def _signature(ufunc: np.ufunc, dtype: Any, signature: Any) -> Any:
    if dtype is not None:
        return (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    if isinstance(signature, str) and "->" in signature:
        left, right = signature.split("->")
        signature = tuple(left + right)
    if isinstance(signature, (tuple, list)):
        return tuple(None if d is None else np.dtype(d) for d in signature)
    return None if signature is None else (None,) * ufunc.nin + (np.dtype(signature),) * ufunc.nout


def _elementwise(ufunc: np.ufunc, args: list[Operand], casting: str, signature: Any) -> Any:
    names = SEVERAL.get(ufunc)
    rows = ops.rows_of(ufunc) if names is None else [ops.ELEMENTWISE[name] for name in names]
    row = None if rows else ops.row_of(ufunc)
    if rows is None and row is None:
        raise NotTraceable(f"the ufunc {ufunc.__name__} is not compiled")
    if len(args) != ufunc.nin:
        raise TypeError(
            f"{ufunc.__name__}() takes from {ufunc.nin} to {ufunc.nargs} positional arguments "
            f"but {len(args)} were given"
        )
    dtypes = build.resolve(ufunc, tuple(map(told, args)), casting, signature)
    if ufunc in COMPARISONS:
        certain = _out_of_range(ufunc, args, dtypes)
        if certain is not None:
            return certain
    nodes = [coerce(x, supported(same_values(d))) for x, d in zip(args, dtypes, strict=False)]
    if ufunc is np.power and dtypes[1].kind == "i" and not isinstance(args[1], np.ndarray):
        _refuse_negative_power(args)
    if rows:
        return tuple(
            value(build.apply(each, nodes, supported(dtypes[ufunc.nin + k])))
            for k, each in enumerate(rows)
        )
    assert row is not None
    result = build.apply(row, nodes, supported(dtypes[-1]))
    if ufunc is np.power and dtypes[1].kind == "i" and not _is_weak(args[1]):
        require_exponents(result, nodes[1])
    return value(result)


def _out_of_range(ufunc: np.ufunc, args: list[Operand], dtypes: Any) -> Tracer | None:
    """A comparison of an integer array with a Python int that its dtype cannot hold."""
    for k in (0, 1):
        dtype, x, other = dtypes[k], args[k], args[1 - k]
        if dtype.kind not in "iu" or not isinstance(other, Node) or other.dtype == BOOL:
            continue
        if isinstance(x, Node) and x.type.weak and not node_fits(x, dtype):
            x = int(build.solver().concrete(x))
        if isinstance(x, int) and not fits(x, dtype):
            answer = PYTHON[ufunc](x, 0) if k == 0 else PYTHON[ufunc](0, x)
            return value(build.full(other.shape, build.constant(answer, np.bool_)))
    return None


def _is_weak(x: Operand) -> bool:
    return isinstance(x, int) or (isinstance(x, Node) and x.type.weak)


def _refuse_negative_power(args: list[Operand]) -> None:
    """Integers to a negative integer power; arrays of exponents are looked at when it runs."""
    base, exponent = args
    negative = False
    if isinstance(exponent, int):
        negative = exponent < 0
    elif isinstance(exponent, Node) and exponent.op is ops.CONST:
        negative = bool(build.constant_value(exponent) < 0)
    elif isinstance(exponent, Node) and exponent.type.weak:
        row = ops.ELEMENTWISE["less"]
        zero = dims.as_node(0)
        negative = build.solver().truth(make(row, (exponent, zero), None, CONDITION))
    if negative and not (isinstance(base, Node) and is_empty(base.shape)):
        raise ValueError("Integers to negative integer powers are not allowed.")


def _into(out: Any, result: Any, ufunc: np.ufunc, casting: str) -> Any:
    """`result`, or the arrays of `out=` rebound to it."""
    targets = out if isinstance(out, tuple) else (out,)
    if all(t is None for t in targets):
        return result
    if len(targets) == 1 and targets[0] is ...:
        return Tracer(result.node, "array")
    results = result if isinstance(result, tuple) else (result,)
    for target, r in zip(targets, results, strict=True):
        if target is not None:
            if not isinstance(target, Tracer) or target.kind != "array":
                raise NotTraceable("out= is given an array that is not traced")
            rebind(target, r.node, ufunc, casting)
    final = tuple(r if t is None else t for t, r in zip(targets, results, strict=True))
    return final if isinstance(result, tuple) else final[0]


def _kept(ufunc: np.ufunc, out: Any) -> tuple[Tracer | None, ...]:
    """The arrays of ``out=`` that keep their elements where ``where=`` is false, if there are."""
    targets = out if isinstance(out, tuple) else (out,) * ufunc.nout
    if ufunc in GENERALISED:
        raise NotTraceable("where= of this ufunc is not compiled", "use np.where(condition, a, b)")
    found = tuple(None if t is ... else t for t in targets)
    if not all(t is None or isinstance(t, Tracer) for t in found):
        raise NotTraceable("out= is given an array that is not traced")
    return found


def _asked(exponent: Any, where: Any) -> Any:
    """An exponent, where it counts."""
    mask, node = strong(where), operand(exponent)
    if isinstance(node, Node) and node.dtype.kind == "i" and not node.type.weak:
        return Tracer(build.where(mask, node, build.constant(0, node.dtype)))
    return exponent


def _chosen(where: Any, node: Node, kept: Tracer | None, ufunc: np.ufunc, casting: str) -> Tracer:
    """`node` where a mask is true, and what `kept` has elsewhere; without it, that is anything."""
    mask = strong(where)
    if mask.dtype != BOOL:
        raise NotTraceable("where= is no mask for the elements of out=")
    if kept is None:
        return value(build.broadcast_to(node, build.broadcast_shapes([node.shape, mask.shape])))
    dtype, shape = kept.node.dtype, kept.node.shape
    wide = build.broadcast_shapes([shape, node.shape, mask.shape])
    if len(wide) != len(shape) or not all(map(build.solver().equal, wide, shape)):
        raise NotTraceable("where= is no mask for the elements of out=")
    check_output(ufunc, node.dtype, dtype, casting)
    mask, new = (build.broadcast_to(x, shape) for x in (mask, build.cast(node, dtype)))
    return value(build.where(mask, new, kept.node))


def rebind(target: Tracer, node: Node, ufunc: np.ufunc, casting: str = "same_kind") -> None:
    """Let `target`, an array of the function's own, have the value `node`."""
    check_owned(target)
    check_output(ufunc, node.dtype, target.node.dtype, casting)
    shape = target.node.shape
    wide = build.broadcast_shapes([shape, node.shape])
    if len(wide) != len(shape) or not all(map(build.solver().equal, wide, shape)):
        raise ShapeError(
            f"non-broadcastable output operand with shape {shown(shape)} doesn't match the "
            f"broadcast shape {shown(wide)}"
        )
    write(target, build.broadcast_to(build.cast(node, target.node.dtype), shape))


# The operator ** ---------------------------------------------------------------------------------


def power(base: Any, exponent: Any) -> Any:
    """``base ** exponent``: an array to a Python number has NumPy's short cuts."""
    if isinstance(base, Tracer) and base.kind == "array" and is_number(exponent):
        short = _short_cut(base.node.dtype, exponent)
        if short is not None:
            return call(short, base)
    return call(np.power, base, exponent)


def _short_cut(dtype: np.dtype[Any], exponent: Any) -> np.ufunc | None:
    kind = type(exponent)
    if isinstance(exponent, Tracer):
        kind = {"i": int, "f": float}.get(exponent.node.dtype.kind, complex)
    inexact = dtype.kind in "fc"
    if kind is int:
        if exponent == 2:
            return np.square
        if inexact and exponent == -1:
            return np.reciprocal
    elif kind is float and inexact and exponent == 0.5:
        return np.sqrt
    return None


# Other methods of a ufunc ------------------------------------------------------------------------


def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Tracer:
    """``ufunc.reduce(array, …)``."""
    return reductions.reduce(ufunc, array, axis, dtype, keepdims, initial, where)


def accumulate(
    ufunc: np.ufunc, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None
) -> Tracer:
    """``ufunc.accumulate(array, …)``."""
    return reductions.accumulate(ufunc, array, axis, dtype)


def outer(ufunc: np.ufunc, a: Any, b: Any, **kwargs: Any) -> Any:
    """``ufunc.outer(a, b)``."""
    left, right = wrap(a), wrap(b)
    if right.node.shape and left.node.shape:
        ndim = left.node.ndim
        axes = [ndim + k for k in range(right.node.ndim)]
        left = Tracer(build.expand_dims(left.node, axes))
    return call(ufunc, left, right, **kwargs)


#: Segments that are reduced one by one.
_SEGMENTS = 64


def reduceat(
    ufunc: np.ufunc, array: Any, indices: Any, axis: Any = 0, dtype: Any = None, out: Any = None
) -> Any:
    """``ufunc.reduceat``: from each index up to the next one, or one element alone."""
    x, at = wrap(array), strong(indices)
    if not x.node.ndim:
        raise TypeError("cannot reduceat on a scalar")
    if at.dtype.kind not in "iu" or at.ndim != 1:
        raise NotTraceable(f"{ufunc.__name__}.reduceat at what is no vector of integers")
    k = axis_index(axis, x.node.ndim)
    node = build.transpose(strong(x), [k, *(j for j in range(x.node.ndim) if j != k)])
    n = node.shape[0]
    at = build.cast(at, INT64)
    known = build.solver().fixed(at)
    if known is not None and len(known) <= _SEGMENTS:
        result = _pieces(ufunc, node, known.tolist(), dtype)
    else:
        result = _masked(ufunc, node, at, n, dtype)
    return Tracer(build.transpose(result, [*range(1, k + 1), 0, *range(k + 1, result.ndim)]))


def _pieces(ufunc: np.ufunc, x: Node, starts: list[int], dtype: Any) -> Node:
    n = x.shape[0]
    rest = tuple((0, 1, k) for k in range(1, x.ndim))
    found = []
    for start, stop in zip(starts, [*starts[1:], None], strict=True):
        if start < 0 or not at_least(n, start + 1):
            raise IndexError(f"index {start} out-of-bounds in {ufunc.__name__}.reduceat [0, n)")
        if stop is not None and not at_least(n, stop):
            raise IndexError(f"index {stop} out-of-bounds in {ufunc.__name__}.reduceat [0, n)")
        count = (
            1
            if stop is not None and stop <= start
            else dims.sub(n if stop is None else stop, start)
        )
        part = build.view(x, (count, *x.shape[1:]), ((start, 1, 0), *rest))
        one = reductions.reduce(ufunc, Tracer(part), 0, dtype).node
        found.append(build.expand_dims(one, (0,)))
    return build.concatenate(found, 0)


def _masked(ufunc: np.ufunc, x: Node, starts: Node, n: Any, dtype: Any) -> Node:
    """Every segment of all elements, of which the others do nothing."""
    row = ops.REDUCED.get(reductions.SAME.get(ufunc, ufunc))
    if row is None:
        raise NotTraceable(f"{ufunc.__name__}.reduceat at computed places is not compiled")
    length, count = dim_node(n), starts.shape[0]
    inside = call_row(
        "logical_and", call_row("greater_equal", starts, 0), call_row("less", starts, length)
    )
    every = build.reduce("all", inside, (0,))
    build.solver().require(every, every, every)
    x = build.cast(x, reductions.accumulator(ufunc, x.dtype, dtype))
    following = build.concatenate(
        [build.view(starts, (dims.sub(count, 1),), ((1, 1, 0),)), build.full((1,), length)], 0
    )
    stops = call_row("maximum", following, call_row("add", starts, 1))
    places = build.iota(n)
    low, high = (build.expand_dims(v, (1,)) for v in (starts, stops))
    own = call_row(
        "logical_and", call_row("greater_equal", places, low), call_row("less", places, high)
    )
    own = build.expand_dims(own, [2 + j for j in range(x.ndim - 1)])
    nothing = build.constant(ops.identity(row.name, x.dtype), x.dtype)
    return build.reduce(row.name, build.where(own, build.expand_dims(x, (0,)), nothing), (1,))


def _between(x: Node, low: Any, high: Node) -> Node:
    return call_row("logical_and", call_row("greater_equal", x, low), call_row("less", x, high))


UFUNC_METHODS.update(reduce=reduce, accumulate=accumulate, outer=outer, reduceat=reduceat)
