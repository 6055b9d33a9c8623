"""Builders of nodes with their type rules: dtypes by NumPy's own resolution, shapes symbolic.

Whether two dimensions agree is asked of the `Solver` in force: a trace answers from the arguments
at hand and records a check; without one, only equal dimensions agree.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, Origin, make
from tracejit.ir.squeezed import is_same
from tracejit.ir.types import BOOL, INT64
from tracejit.ir.watcher import Watcher

#: One entry of a view's index map: operand index = start + step * output index of `axis`.
Index = tuple[Dim, int, int | None]


class Solver(Watcher):
    """Decides questions about dimensions. This one knows only what is certain."""

    #: Part of the identity of the inputs made under this solver.
    token: int = 0
    #: What is open, and may be undone.
    logs: Any = ()

    def equal(self, a: Dim, b: Dim) -> bool:
        """Whether `a` and `b` are the same length."""
        return a is b or (isinstance(a, int) and a == b)

    def is_late(self, a: Dim, b: Dim) -> bool:
        """Whether only the data says if `a` and `b` are the same length."""
        return False

    def canonical(self, a: Dim) -> Dim:
        """`a` with lengths that are known to be equal replaced by one of them."""
        return a

    def truth(self, condition: Node) -> bool:
        """The answer to a scalar condition over dimensions and Python numbers."""
        raise ShapeError(f"cannot decide {condition!r} without arguments")

    def value(self, a: Dim) -> int | None:
        """The value of `a` if it is known."""
        return a if isinstance(a, int) else None

    def is_known(self, node: Node) -> bool:
        """Whether the scalar `node` depends on sizes and numbers alone, and no derivative on it."""
        return False

    def concrete(self, node: Node) -> Any:
        """The Python number that `node` is for the arguments at hand, under a guard."""
        raise NotTraceable(
            "Python asks for the value of a traced array",
            "use np.where to choose between values, or whole-array operations",
        )

    def spelled(self, node: Node) -> Any:
        """The same of a number whose text or hash is asked for."""
        return self.concrete(node)

    def array_input(self, value: np.ndarray) -> Any:
        """A constant array made inside the trace, as a tracer over a hidden input."""
        raise NotTraceable("a constant array is made where no function is being traced")

    def known_array(self, value: np.ndarray) -> Any:
        """The tracer that stands for this concrete array, or None if its origin is unknown."""
        return None

    def origin(self) -> Origin | None:
        """The user's line that is being executed."""
        return None


#: In force where nothing is traced.
IDLE = Solver()


class _Context(threading.local):
    solver: Solver = IDLE


_context = _Context()


def solver() -> Solver:
    """The solver in force on this thread."""
    return _context.solver


@contextlib.contextmanager
def use_solver(new: Solver) -> Iterator[None]:
    """Put `new` in force on this thread."""
    old, _context.solver = _context.solver, new
    try:
        yield
    finally:
        _context.solver = old


def _make(op: ops.Op, args: tuple[Node, ...], attr: Any, type: ArrayType) -> Node:
    return make(op, args, attr, type, _context.solver.origin())


# Leaves --------------------------------------------------------------------------------------


def input(name: str, dtype: np.dtype[Any], shape: tuple[Dim, ...], weak: bool = False) -> Node:
    """An input of the graph. Those of different traces differ, and so keep their own lines."""
    return make(ops.INPUT, (), (name, shape, _context.solver.token), ArrayType(dtype, shape, weak))


def constant(value: Any, dtype: Any = None, weak: bool = False) -> Node:
    """A scalar constant; Python numbers without `dtype` are weak."""
    if dtype is None and type(value) in (int, float, complex):
        weak = True
    scalar = np.asarray(value, dtype)[()]
    return make(ops.CONST, (), scalar.tobytes(), ArrayType(scalar.dtype, (), weak))


def constant_value(node: Node) -> Any:
    """The NumPy scalar of a constant node."""
    return np.frombuffer(node.attr, node.dtype)[0]


def iota(length: Dim) -> Node:
    """``0, 1, … length - 1`` as int64."""
    return _make(ops.IOTA, (), length, ArrayType(INT64, (length,)))


# Elementwise ---------------------------------------------------------------------------------


@lru_cache(4096)
def resolve(
    ufunc: np.ufunc, operands: tuple[Any, ...], casting: Any = "same_kind", signature: Any = None
) -> tuple[np.dtype[Any], ...]:
    """The loop's dtypes for `operands` (dtypes, or ``int``/``float``/``complex`` for weak ones).

    Raises what NumPy raises where there is no loop.
    """
    if all(isinstance(d, type) for d in operands):
        # Weakness is between a scalar and an array; alone, a Python number is a NumPy scalar.
        operands = tuple(np.dtype(d) for d in operands)
    options = {} if signature is None else {"signature": signature}
    return ufunc.resolve_dtypes((*operands, *(None,) * ufunc.nout), casting=casting, **options)


def operand_dtype(node: Node) -> Any:
    """What NumPy's resolution is told of `node`: its dtype, or a Python type if weak."""
    if not node.type.weak:
        return node.dtype
    return {"i": int, "f": float, "c": complex}[node.dtype.kind]


def cast(x: Node, dtype: np.dtype[Any]) -> Node:
    """`x` as `dtype`; strong."""
    if x.dtype == dtype and not x.type.weak:
        return x
    if x.op is ops.CONST:
        with np.errstate(all="ignore"):
            return constant(constant_value(x).astype(dtype), dtype)
    return _make(ops.CAST, (x,), None, ArrayType(dtype, x.shape))


def apply(row: ops.Elementwise, args: Sequence[Node], dtype: np.dtype[Any]) -> Node:
    """`row` over operands that have the loop's dtypes already; broadcasts them."""
    shape = broadcast_shapes([a.shape for a in args])
    operands = tuple(a if a.ndim == 0 else broadcast_to(a, shape) for a in args)
    return _make(row, operands, None, ArrayType(dtype, shape))


def elementwise(name: str, *args: Node, signature: Any = None) -> Node:
    """Row `name` over `args`, with NumPy's dtype resolution, casts and broadcasting."""
    row = ops.ELEMENTWISE[name]
    dtypes = resolve(row.ufunc, tuple(map(operand_dtype, args)), signature=signature)
    operands = [cast(a, d) for a, d in zip(args, dtypes, strict=False)]
    return apply(row, operands, dtypes[len(args) + row.output])


def where(condition: Node, x: Node, y: Node) -> Node:
    """`x` where `condition` holds, else `y`; all of NumPy's ``where`` but for its wrapping."""
    if condition.dtype != BOOL:
        condition = cast(condition, BOOL)
    dtype = result_type(x, y)
    return apply(ops.WHERE, (condition, cast(x, dtype), cast(y, dtype)), dtype)


def result_type(*args: Node) -> np.dtype[Any]:
    """NumPy's ``result_type`` with NEP 50's weak scalars."""
    samples = [a.dtype.type(1).item() if a.type.weak else a.dtype for a in args]
    return np.result_type(*samples)


def ordered(x: Node, order: str) -> Node:
    """`x`, in memory order "C" or "F" where it is stored."""
    if x.ndim < 2:
        return x
    return _make(ops.ORDERED[order], (x,), None, x.type)


def real(x: Node) -> Node:
    """The real part of a complex array."""
    part = np.dtype(np.float32 if x.dtype.itemsize == 8 else np.float64)
    return _make(ops.REAL, (x,), None, ArrayType(part, x.shape))


def imag(x: Node) -> Node:
    """The imaginary part of a complex array."""
    part = np.dtype(np.float32 if x.dtype.itemsize == 8 else np.float64)
    return _make(ops.IMAG, (x,), None, ArrayType(part, x.shape))


# Reductions ----------------------------------------------------------------------------------


def reduce(name: str, x: Node, axes: tuple[int, ...]) -> Node:
    """Reduction `name` of `x` over `axes` (sorted, non-negative), which disappear."""
    row = ops.REDUCTIONS[name]
    if name in ("any", "all"):
        x = cast(x, BOOL)
    if not axes:
        return full(x.shape, constant(0, INT64)) if row in ops.ARG_REDUCTIONS else x
    shape = tuple(d for i, d in enumerate(x.shape) if i not in axes)
    dtype = INT64 if row in ops.ARG_REDUCTIONS else x.dtype
    return _make(row, (x,), axes, ArrayType(dtype, shape))


def accumulate(name: str, x: Node, axis: int) -> Node:
    """Running reduction of `x` along `axis` by elementwise row `name`."""
    return _make(ops.ACCUMULATE, (x,), (name, axis), ArrayType(x.dtype, x.shape))


def sort(x: Node, axis: int, kind: str = "quicksort", positions: bool = False) -> Node:
    """`x` in order along `axis`, as NumPy's sort of that `kind` leaves it; or its `positions`."""
    last = x.ndim - 1
    moved = transpose(x, [*(k for k in range(x.ndim) if k != axis), axis])
    row, dtype = (ops.ARGSORT, INT64) if positions else (ops.SORT, x.dtype)
    result = _make(row, (moved,), kind, ArrayType(dtype, moved.shape))
    return transpose(result, [*range(axis), last, *range(axis, last)])


def middle(x: Node, numbers: bool = False, places: tuple[Node, ...] = ()) -> Node:
    """The two middle elements along the last axis, of its `numbers` alone or NaN if there is one.

    They are one and the same of an odd number of elements. Or those at other `places` in order.
    """
    return _make(ops.MIDDLE, (x, *places), numbers, ArrayType(x.dtype, (*x.shape[:-1], 2)))


# Random numbers --------------------------------------------------------------------------------


def draw(
    name: str, state: Node, shape: tuple[Dim, ...], parameters: Sequence[Node], dtype: np.dtype[Any]
) -> tuple[Node, Node]:
    """Numbers of a distribution, of `shape` and `dtype`, and the state after them.

    Parameters are scalars, or what the distribution wants: mostly arrays of `shape`.
    """
    wide = shape or (1,)
    values = _make(ops.DRAW, (state, *parameters), (name, wide), ArrayType(dtype, wide))
    after = _make(ops.ADVANCE, (values,), None, state.type)
    return (values if shape else view(values, (), ((0, 0, None),))), after


# Structure -----------------------------------------------------------------------------------


def view(x: Node, shape: tuple[Dim, ...], index: tuple[Index, ...]) -> Node:
    """Affine view: element ``[i]`` is ``x[start + step * i[axis], …]``, an entry an axis of `x`."""
    if x.op is ops.VIEW:
        index = tuple(_compose(entry, index) for entry in x.attr[1])
        x = x.args[0]
    if shape == x.shape and all(e == (0, 1, k) for k, e in enumerate(index)):
        return x
    if x.ndim == 0 and not shape:
        return x
    return _make(ops.VIEW, (x,), (shape, index), ArrayType(x.dtype, shape))


def _compose(inner: Index, outer: tuple[Index, ...]) -> Index:
    start, step, axis = inner
    if axis is None:
        return inner
    start2, step2, axis2 = outer[axis]
    return dims.add(start, dims.mul(step, start2)), step * step2, axis2


def broadcast_shapes(shapes: Sequence[tuple[Dim, ...]]) -> tuple[Dim, ...]:
    """NumPy's broadcast of `shapes`; ShapeError where they do not agree."""
    first = shapes[0]
    if all(s == first or not s for s in shapes):
        return next((s for s in shapes if s), first)
    ndim = max(map(len, shapes))
    result: list[Dim] = [1] * ndim
    for shape in shapes:
        for k, d in enumerate(shape, ndim - len(shape)):
            if d is result[k] or (isinstance(d, int) and d == 1):
                continue
            if result[k] == 1 or _agree(result[k], d, shapes) is not result[k]:
                result[k] = d
    return tuple(result)


def _agree(a: Dim, b: Dim, shapes: Sequence[tuple[Dim, ...]]) -> Dim:
    """The one of `a` and `b` that the broadcast has; a derived dimension of 1 gives way."""
    s = solver()
    va, vb = s.value(a), s.value(b)
    if s.is_late(a, b):
        late, other, length = (b, a, va) if vb is None else (a, b, vb)
        return late if length != 1 or s.equal(other, 1) else other
    unknown = va is None or vb is None
    if (va == vb or unknown) and s.equal(a, b):
        return a
    if (va == 1 or unknown) and va != vb and s.equal(a, 1):
        return b
    if (vb == 1 or unknown) and va != vb and s.equal(b, 1):
        return a
    known = [tuple(s.value(d) for d in shape) for shape in shapes]
    text = " ".join(str(k).replace("None", "?").replace(" ", "") for k in known)
    raise ShapeError(f"operands could not be broadcast together with shapes {text} ")


def broadcast_to(x: Node, shape: tuple[Dim, ...]) -> Node:
    """`x` broadcast to `shape`, which its own must fit."""
    if x.shape == shape:
        return x
    lead = len(shape) - x.ndim
    if lead < 0:
        raise ShapeError("input operand has more dimensions than allowed by the axis remapping")
    index: list[Index] = []
    for k, d in enumerate(x.shape):
        s = solver()
        target = shape[lead + k]
        if d != 1 and s.value(d) != 1 and (target != 1 or s.is_open(d)) and s.is_late(d, target):
            x = first_of(x, k, target)
            index.append((0, 1, lead + k))
        elif d is target or (d != 1 and target != 1 and s.equal(d, target)):
            index.append((0, 1, lead + k))
        elif s.value(d) in (1, None) and s.equal(d, 1):
            index.append((0, 0, None))
        else:
            shown = [str(tuple(map(s.value, d))).replace(" ", "") for d in (x.shape, shape)]
            raise ShapeError(
                "operands could not be broadcast together with remapped shapes "
                f"[original->remapped]: {shown[0]}  and requested shape {shown[1]}"
            )
    return view(x, shape, tuple(index))


def first_of(x: Node, axis: int, count: Dim) -> Node:
    """The first `count` elements along an axis; that these are all is required."""
    after = x.ndim - axis - 1
    places = view(iota(count), (count, *(1,) * after), ((0, 1, 0),))
    picks = tuple(("index", 0) if k == axis else ("axis", k) for k in range(x.ndim))
    result = gather(x, (*x.shape[:axis], count, *x.shape[axis + 1 :]), picks, places)
    numbers = (cast(dims.as_node(d), INT64) for d in (count, x.shape[axis]))
    same = elementwise("equal", *numbers)
    solver().require(result, same, same)
    return result


def full(shape: tuple[Dim, ...], value: Node) -> Node:
    """An array of `shape` filled with the scalar `value`."""
    return view(value, shape, ())


def transpose(x: Node, order: Sequence[int]) -> Node:
    """Axes permuted: output axis `k` is operand axis ``order[k]``."""
    place = {axis: k for k, axis in enumerate(order)}
    return view(
        x,
        tuple(x.shape[axis] for axis in order),
        tuple((0, 1, place[axis]) for axis in range(x.ndim)),
    )


def expand_dims(x: Node, axes: Sequence[int]) -> Node:
    """New axes of length 1 at the positions `axes` of the result."""
    ndim = x.ndim + len(axes)
    old = [k for k in range(ndim) if k not in axes]
    shape: list[Dim] = [1] * ndim
    for k, d in zip(old, x.shape, strict=True):
        shape[k] = d
    return view(x, tuple(shape), tuple((0, 1, k) for k in old))


def squeeze(x: Node, axes: Sequence[int]) -> Node:
    """Without the axes of length 1 named by `axes`."""
    kept = [k for k in range(x.ndim) if k not in axes]
    place = {axis: k for k, axis in enumerate(kept)}
    index: tuple[Index, ...] = tuple(
        (0, 1, place[k]) if k in place else (0, 0, None) for k in range(x.ndim)
    )
    return view(x, tuple(x.shape[k] for k in kept), index)


def flip(x: Node, axes: Sequence[int]) -> Node:
    """Reversed along `axes`."""
    index: tuple[Index, ...] = tuple(
        (dims.sub(d, 1), -1, k) if k in axes else (0, 1, k) for k, d in enumerate(x.shape)
    )
    return view(x, x.shape, index)


def reshape(x: Node, shape: tuple[Dim, ...]) -> Node:
    """Same elements in C order under a new shape of the same size."""
    if shape == x.shape:
        return x
    kept = [k for k, d in enumerate(x.shape) if d != 1]
    if [x.shape[k] for k in kept] == [d for d in shape if d != 1]:
        # Only axes of length 1 come or go: that is a view, and fuses.
        squeezed = squeeze(x, [k for k in range(x.ndim) if k not in kept])
        return expand_dims(squeezed, [k for k, d in enumerate(shape) if d == 1])
    if x.op is ops.RESHAPE or is_same(x):
        x = x.args[0]
    if x.op is ops.VIEW and not x.args[0].ndim:
        return full(shape, x.args[0])
    return _make(ops.RESHAPE, (x,), shape, ArrayType(x.dtype, shape))


def concatenate(parts: Sequence[Node], axis: int) -> Node:
    """`parts`, which have one dtype, joined along `axis`."""
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    length: Dim = 0
    for p in parts:
        length = dims.add(length, p.shape[axis])
        for k, d in enumerate(p.shape):
            if k != axis and not solver().equal(shape[k], d):
                a, b = (solver().value(v) for v in (shape[k], d))
                raise ShapeError(
                    "all the input array dimensions except for the concatenation axis must match "
                    f"exactly, but along dimension {k}, the array at index 0 has size {a} and the "
                    f"array at index {parts.index(p)} has size {b}"
                )
    shape[axis] = length
    attr = (axis, tuple(shape))
    return _make(ops.CONCATENATE, tuple(parts), attr, ArrayType(parts[0].dtype, tuple(shape)))


def gather(
    x: Node, shape: tuple[Dim, ...], picks: tuple[tuple[str, int], ...], *indices: Node
) -> Node:
    """Read `x` at integer arrays: see ``ops.GATHER``; every index array has the full `shape`."""
    wide = tuple(broadcast_to(cast(i, INT64), shape) for i in indices)
    return _make(ops.GATHER, (x, *wide), (shape, picks), ArrayType(x.dtype, shape))


def scatter(
    x: Node, y: Node, positions: Sequence[Node], checked: Sequence[bool], mode: str
) -> Node:
    """`x` with the elements of `y` put at positions: see ``ops.SCATTER``.

    Positions are int64, of the shape of `y` or scalars. Several elements may go to one place: in
    mode "set" the last one stays, else each is combined with what is there by the row of that name.
    """
    if y.ndim:
        solver().take_loop()
    attr = (mode, tuple(checked))
    return _make(ops.SCATTER, (x, y, *positions), attr, ArrayType(x.dtype, x.shape))


def nonzero(mask: Node) -> Node:
    """Positions of the true elements: an int64 array of shape (count, ndim)."""
    axes = tuple(range(mask.ndim))
    count = reduce("sum", cast(mask, INT64), axes)
    length = make(ops.CAST, (count,), None, dims.INT_SCALAR)
    return _make(ops.NONZERO, (mask,), length, ArrayType(INT64, (length, mask.ndim)))


def matmul(a: Node, b: Node) -> Node:
    """Product of matrices with shapes (…, m, n) and (…, n, p) of one dtype and equal stacks."""
    shape = (*a.shape[:-1], b.shape[-1])
    return _make(ops.MATMUL, (a, b), None, ArrayType(a.dtype, shape))


def weak(x: Node) -> Node:
    """A scalar as a Python number."""
    if x.type.weak:
        return x
    return make(ops.CAST, (x,), None, ArrayType(x.dtype, (), weak=True))


def size(x: Node) -> Dim:
    """Number of elements."""
    return dims.product(x.shape)
