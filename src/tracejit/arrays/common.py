"""What the implementations share: questions about dimensions, axes, dtypes of operands."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tracejit.errors import AxisError, DTypeError, NotTraceable, ShapeError
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.lengths import non_negative
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL, INT64, same_values
from tracejit.trace.memory import Memory
from tracejit.trace.tables import METHODS
from tracejit.trace.tracer import Operand, Tracer, number, operand, supported, wrap

CONDITION = ArrayType(BOOL)

# Questions about dimensions ---------------------------------------------------------------------


def condition(name: str, a: Dim, b: Dim) -> Node:
    """A comparison of two lengths or Python ints, as a boolean scalar."""
    return make(ops.ELEMENTWISE[name], (dims.as_node(a), dims.as_node(b)), None, CONDITION)


def decided(name: str, a: Dim, b: Dim) -> bool | None:
    """The answer to a comparison, as by `at_least`; None where only the values of arrays tell."""
    return build.solver().answer(condition(name, a, b))


def compared(name: str, a: Dim, b: Dim) -> bool | None:
    """The answer to a comparison of an index with a bound; None where it is to be tested.

    Other values of arrays need no other program then.
    """
    return build.solver().answer(condition(name, a, b), decides=False)


def at_least(a: Dim, b: Dim) -> bool:
    """Whether ``a >= b``, under a guard where that depends on the arguments."""
    difference = dims.sub(a, b)
    if non_negative(difference):
        return True
    if non_negative(dims.sub(-1, difference)):
        return False
    return build.solver().truth(condition("greater_equal", a, b))


def same(a: Dim, b: Dim) -> bool:
    """Whether ``a == b``, under a guard where that depends on the arguments."""
    difference = dims.sub(a, b)
    if isinstance(difference, int):
        return difference == 0
    if non_negative(dims.sub(difference, 1)) or non_negative(dims.sub(-1, difference)):
        return False
    return build.solver().truth(condition("equal", a, b))


def is_empty(shape: Iterable[Dim]) -> bool:
    """Whether an array of `shape` has no elements."""
    return any(same(d, 0) for d in shape)


def has_elements(shape: Iterable[Dim]) -> bool:
    """Whether an array of `shape` has any; where only values tell, that is required."""
    for d in shape:
        if not build.solver().is_open(d):
            some = not is_empty([d])
        elif (known := compared("greater", d, 0)) is not None:
            some = known
        else:
            holds = condition("greater", d, 0)
            build.solver().require(holds, holds, holds)
            some = True
        if not some:
            return False
    return True


def shown(shape: Iterable[Dim]) -> str:
    """`shape` as NumPy prints it, with the lengths at hand."""
    known = [build.solver().value(d) for d in shape]
    return str(tuple(known)).replace("None", "?")


# Arguments --------------------------------------------------------------------------------------


def whole_number(x: Any) -> int:
    """A Python int from a user's argument. Most of NumPy's functions take no bool for one."""
    if isinstance(x, bool) or (isinstance(x, Tracer) and x.node.dtype.kind == "b"):
        raise NotTraceable("a bool is given for an integer", "give an int")
    return operator.index(x)


def length(x: Any) -> Dim:
    """A length or a Python int from a user's argument."""
    if isinstance(x, Tracer) and x.node.dtype.kind in "iu" and not x.node.shape:
        if x.kind == "number":
            return dims.from_node(x.node)
        whole = x.node.dtype == INT64 and x.node.op is ops.CAST
        if whole and x.node.args[0].type == dims.INT_SCALAR:
            # ``np.prod(x.shape)``: a length as a NumPy scalar.
            return dims.from_node(x.node.args[0])
        if x.kind == "scalar" and not build.solver().is_known(x.node):
            return dims.from_node(METHODS["convert"](int, x).node)
    return whole_number(x)


def shape_argument(shape: Any) -> tuple[Dim, ...]:
    """A shape from an int or a sequence of ints, none of them negative."""
    shape = listed(shape)
    entries = shape if isinstance(shape, (tuple, list)) else (shape,)
    result = tuple(length(d) for d in entries)
    if not all(at_least(d, 0) for d in result):
        raise ValueError("negative dimensions are not allowed")
    return result


def listed(x: Any) -> Any:
    """A shape, axes or places that an array holds, as a list."""
    if isinstance(x, Tracer) and x.node.shape:
        return METHODS["tolist"](x)
    return list(x) if isinstance(x, (range, np.ndarray)) and np.ndim(x) else x


def axis_index(axis: Any, ndim: int, prefix: str | None = None) -> int:
    """`axis` counted from 0."""
    k = whole_number(axis)
    if not -ndim <= k < ndim:
        raise AxisError(k, ndim, prefix)
    return k % ndim


def axis_tuple(
    axis: Any, ndim: int, repeated: str = "repeated axis", prefix: str | None = None
) -> tuple[int, ...]:
    """One axis or several, counted from 0, in the order given."""
    axis = listed(axis)
    entries = axis if isinstance(axis, (tuple, list)) else (axis,)
    result = tuple(axis_index(k, ndim, prefix) for k in entries)
    if len(set(result)) != len(result):
        raise ShapeError(repeated)
    return result


def reduced_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that a reduction takes away, sorted."""
    if axis is None or axis is np._NoValue:
        return tuple(range(ndim))
    # NumPy lets a 0-d array have axis 0.
    if ndim == 0 and not isinstance(axis, (tuple, list)) and whole_number(axis) in (0, -1):
        return ()
    return tuple(sorted(axis_tuple(axis, ndim, "duplicate value in 'axis'")))


def given(x: Any) -> bool:
    """Whether an argument was given: NumPy marks absence by None or its ``_NoValue``."""
    return x is not None and x is not np._NoValue


def placed(x: Node, order: Any) -> Node:
    """A copy of `x`, in the memory order that is asked for."""
    return build.ordered(x, order) if order in ("C", "F") else x


def refuse_others(options: dict[str, Any]) -> None:
    """Take ``device="cpu"`` and ``like=`` from a creator's options, and refuse other values."""
    if options.pop("device", None) not in (None, "cpu"):
        raise ValueError('Device not understood. Only "cpu" is allowed.')
    if not isinstance(options.pop("like", None), (Tracer, np.ndarray, type(None))):
        raise NotTraceable("like= of another class is not compiled")


def dtype_argument(dtype: Any) -> np.dtype[Any]:
    """A dtype that the user names."""
    return supported(np.dtype(dtype))


# Dtypes -----------------------------------------------------------------------------------------


def told(x: Operand) -> Any:
    """What NumPy's dtype resolution is told of an operand."""
    return build.operand_dtype(x) if isinstance(x, Node) else type(x)


def fits(x: int, dtype: np.dtype[Any]) -> bool:
    """Whether the Python int `x` is a value of the integer `dtype`."""
    info = np.iinfo(dtype)
    return int(info.min) <= x <= int(info.max)


def node_fits(x: Node, dtype: np.dtype[Any]) -> bool:
    """`fits` for a traced Python int, under a guard; ints of 64 bits hold every such number."""
    if dtype.kind not in "iu" or dtype == INT64:
        return True
    info, d = np.iinfo(dtype), dims.from_node(x)
    # Beyond 32 bits only the sign can matter: traced Python ints are kept below 2**62.
    wide = dtype.itemsize == 8
    return at_least(d, int(info.min)) and (wide or at_least(int(info.max), d))


def coerce(x: Operand, dtype: np.dtype[Any]) -> Node:
    """`x` as an operand of `dtype`; OverflowError for a Python int that it cannot hold."""
    if isinstance(x, Node):
        if x.type.weak and x.dtype.kind == "i" and not node_fits(x, dtype):
            known = build.solver().value(dims.from_node(x))
            raise OverflowError(f"Python integer {known} out of bounds for {dtype.name}")
        return build.cast(x, dtype)
    if isinstance(x, int) and dtype.kind in "iu" and not fits(x, dtype):
        raise OverflowError(f"Python integer {x} out of bounds for {dtype.name}")
    if isinstance(x, int) and not fits(x, INT64) and dtype == BOOL:
        raise OverflowError("Python int too large to convert to C long")
    with np.errstate(all="ignore"):
        return build.constant(np.asarray(x).astype(dtype)[()], dtype)


def strong(x: Any) -> Node:
    """`x` as an array operand: Python numbers get NumPy's default dtype."""
    node = wrap(x).node
    return build.cast(node, node.dtype)


def common_dtype(*operands: Operand) -> np.dtype[Any]:
    """NumPy's ``result_type``, Python numbers being weak."""
    samples: list[Any] = []
    for x in operands:
        kind = told(x)
        samples.append(kind if isinstance(kind, np.dtype) else kind(1))
    return supported(np.result_type(*samples))


def join(*values: Any) -> list[Node]:
    """Operands brought to their common dtype."""
    operands = [operand(v) for v in values]
    dtype = common_dtype(*operands)
    return [coerce(x, dtype) for x in operands]


def check_cast(source: np.dtype[Any], target: np.dtype[Any], casting: str) -> None:
    """Raise NumPy's TypeError where `casting` forbids the conversion."""
    if not np.can_cast(source, target, casting):  # type: ignore[arg-type]
        raise DTypeError(
            f"Cannot cast array data from {source!r} to {target!r} according to the rule "
            f"{casting!r}"
        )


def check_output(
    ufunc: np.ufunc, result: np.dtype[Any], target: np.dtype[Any], casting: str = "same_kind"
) -> None:
    """Raise NumPy's TypeError where a ufunc's result may not be stored in `target`."""
    if not np.can_cast(result, target, casting):  # type: ignore[arg-type]
        raise DTypeError(
            f"Cannot cast ufunc {ufunc.__name__!r} output from {result!r} to {target!r} with "
            f"casting rule {casting!r}"
        )


# Writes -----------------------------------------------------------------------------------------


def check_owned(target: Tracer) -> None:
    """NumPy's error for what is read-only; NotTraceable where what is written could not be told."""
    if not target.owned:
        if target.memory is not None:
            raise ValueError("assignment destination is read-only")
        raise NotTraceable(
            "in-place write into what is differentiated, or a constant",
            "write into a copy: x = x.copy()",
        )


def write(target: Tracer, node: Node) -> None:
    """Let `target` hold `node`, of its shape and dtype; its views and its base see it."""
    if target.memory is None and build.solver().may_go_back():
        target.memory = Memory(target)  # what is undone is undone for all its views
    if target.memory is None:
        target.node = node
    else:
        target.memory.write(target, node)


# Nodes ------------------------------------------------------------------------------------------


def broadcast(*nodes: Node) -> list[Node]:
    """`nodes` broadcast to one shape."""
    shape = build.broadcast_shapes([n.shape for n in nodes])
    return [build.broadcast_to(n, shape) for n in nodes]


def call(name: str, *args: Any) -> Node:
    """Elementwise row `name` over nodes and Python numbers, by NumPy's dtype rules."""
    row = ops.ELEMENTWISE[name]
    operands = [operand(a) if not isinstance(a, Node) else a for a in args]
    dtypes = build.resolve(row.ufunc, tuple(map(told, operands)))
    nodes = [coerce(x, supported(same_values(d))) for x, d in zip(operands, dtypes, strict=False)]
    return build.apply(row, nodes, supported(dtypes[row.ufunc.nin + row.output]))


def select(mask: Node, x: Node, y: Node) -> Node:
    """`x` where `mask` holds, else `y`, both of one dtype."""
    return build.apply(ops.WHERE, (build.cast(mask, BOOL), x, y), x.dtype)


def zero(dtype: np.dtype[Any]) -> Node:
    """The 0 of `dtype`."""
    return build.constant(dtype.type(0), dtype)


def dim_node(d: Dim) -> Node:
    """A length as a strong int64 scalar."""
    return build.cast(dims.as_node(d), INT64)


def span(n: Dim, start: Dim = 0, step: Dim = 1) -> Node:
    """``start, start + step, …``: `n` int64 numbers."""
    result = build.iota(n)
    if not (isinstance(step, int) and step == 1):
        result = call("multiply", result, dim_node(step))
    if not (isinstance(start, int) and start == 0):
        result = call("add", result, dim_node(start))
    return result


def keep(x: Node, axes: Sequence[int]) -> Node:
    """A reduction's result with its axes back, of length 1 (``keepdims``)."""
    return build.expand_dims(x, axes)


def numbers(shape: Iterable[Dim]) -> tuple[Any, ...]:
    """A shape for the user: ints and traced Python numbers."""
    return tuple(d if isinstance(d, int) else number(d) for d in shape)


# What NumPy raises for ----------------------------------------------------------------------------


def require_positions(node: Node, i: Node, n: Dim, shape: tuple[Dim, ...]) -> None:
    """Positions `i` of which `node` is made, for an operand of `shape`, lie on an axis of `n`."""
    at = build.cast(i, INT64)
    if not _lies_on(at, n):
        length = dim_node(n)
        low = call("greater_equal", at, call("negative", length))
        holds = call("logical_and", low, call("less", at, length))
        _require(node, _read(node, at), holds, shape)


def _read(node: Node, at: Node) -> Node:
    """The operand of `node` that has all the positions `at`: spread along axes that are not empty.

    So they are tested where they are read, and by no loop of their own.
    """
    for spread in node.args[1:]:
        if spread.op is not ops.VIEW or spread.args[0] is not at:
            continue
        index = spread.attr[1]
        axes = [axis for _, _, axis in index]
        whole = all(start == 0 and by == 1 for start, by, _ in index) and None not in axes
        if whole and all(spread.shape[k] is n for k, n in zip(axes, at.shape, strict=True)):
            added = [n for k, n in enumerate(spread.shape) if k not in axes]
            if not build.solver().is_in_region() and all(compared("greater", n, 0) for n in added):
                return spread
    return at


def require_exponents(node: Node, exponent: Node) -> None:
    """The integer power `node` has no negative exponent."""
    if exponent.op is not ops.CONST:
        _require(node, exponent, call("greater_equal", exponent, 0), node.shape)


def require_fits(x: Node, dtype: np.dtype[Any]) -> None:
    """Numbers that Python would make integers of `dtype` of fit: else NumPy raises."""
    whole = x.dtype.kind in "iu" and (x.type.weak or np.can_cast(x.dtype, dtype, "safe"))
    if dtype.kind not in "iu" or x.dtype.kind not in "iuf" or whole:
        return  # of Python's integers the trace asks
    limits = np.iinfo(dtype)
    if x.dtype.kind == "f":
        low, high = float(limits.min) - 1, float(int(limits.max) + 1)
        holds = call("logical_and", call("greater", x, low), call("less", x, high))
    else:
        own = np.iinfo(x.dtype)
        low, high = max(int(own.min), int(limits.min)), min(int(own.max), int(limits.max))
        holds = call("logical_and", call("greater_equal", x, low), call("less_equal", x, high))
    _require(x, x, holds, x.shape)


def _require(node: Node, operand: Node, holds: Node, shape: tuple[Dim, ...]) -> None:
    """NumPy raises where it computes `node` and some of `holds` are false; not if it is empty."""
    every = build.reduce("all", holds, tuple(range(holds.ndim)))
    if operand.shape != shape:
        every = call("logical_or", every, call("equal", dim_node(dims.product(shape)), 0))
    build.solver().require(node, operand, every)


def _lies_on(at: Node, n: Dim) -> bool:
    """Whether positions are those of an axis of length `n`, for how they were made."""
    column: Any = 0
    while at.op in (ops.VIEW, ops.RESHAPE, ops.CAST):
        if at.op is ops.CAST and at.args[0].dtype.kind != "i":
            return False
        if at.op is ops.VIEW and at.args[0].op is ops.NONZERO:
            column = at.attr[1][1][0] if at.attr[1][1][2] is None else None
        at = at.args[0]
    if at.op is ops.IOTA:
        return at.attr is n or at.attr == n
    if at.op is ops.ARGSORT:
        return at.shape[-1] is n
    if at.op in ops.ARG_REDUCTIONS:
        return len(at.attr) == 1 and at.args[0].shape[at.attr[0]] is n
    return at.op is ops.NONZERO and isinstance(column, int) and at.args[0].shape[column] is n
