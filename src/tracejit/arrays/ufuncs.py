"""Calls of ufuncs and their methods on traced values, by NumPy's rules of dtypes and casting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import reductions
from tracejit.arrays.common import (
    CONDITION,
    check_output,
    check_owned,
    coerce,
    fits,
    is_empty,
    node_fits,
    require_exponents,
    shown,
    strong,
    told,
    write,
)
from tracejit.arrays.numbers import COMPARISONS, PYTHON
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node, make
from tracejit.ir.types import BOOL, same_values
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
    if ufunc in GENERALISED:
        result = GENERALISED[ufunc](*inputs, dtype=dtype, **other)
    else:
        if other:
            raise TypeError(f"{ufunc.__name__}() got an unexpected keyword {next(iter(other))!r}")
        loop = _signature(ufunc, dtype, signature if signature is not None else sig)
        result = _elementwise(ufunc, [operand(i) for i in inputs], casting, loop)
    if kept is not None:
        result = _chosen(where, result.node, kept, ufunc, casting)
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
    rows = SEVERAL.get(ufunc)
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
            value(build.apply(ops.ELEMENTWISE[name], nodes, supported(dtypes[ufunc.nin + k])))
            for k, name in enumerate(rows)
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


def _kept(ufunc: np.ufunc, out: Any) -> Tracer:
    """The array of ``out=`` that keeps its elements where ``where=`` is false."""
    target = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if target is None or target is ...:
        raise NotTraceable(
            "where= of a ufunc leaves elements without a value", "use np.where(condition, a, b)"
        )
    if not isinstance(target, Tracer) or ufunc in GENERALISED or ufunc.nout > 1:
        raise NotTraceable("where= of this ufunc is not compiled", "use np.where(condition, a, b)")
    if ufunc is np.power:  # which may refuse what is not asked for
        raise NotTraceable("where= of np.power is not compiled", "use np.where(condition, a, b)")
    return target


def _chosen(where: Any, node: Node, kept: Tracer, ufunc: np.ufunc, casting: str) -> Tracer:
    """`node` where a mask is true, and what `kept` has elsewhere."""
    mask, dtype = strong(where), kept.node.dtype
    shape = kept.node.shape
    wide = build.broadcast_shapes([shape, node.shape, mask.shape])
    same = len(wide) == len(shape) and all(map(build.solver().equal, wide, shape))
    if mask.dtype != BOOL or not same:
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


def _refused(name: str) -> Any:
    def refuse(ufunc: np.ufunc, *args: Any, **kwargs: Any) -> Any:
        raise NotTraceable(f"{ufunc.__name__}.{name} is not compiled")

    return refuse


UFUNC_METHODS.update(
    reduce=reduce,
    accumulate=accumulate,
    outer=outer,
    reduceat=_refused("reduceat"),
)
