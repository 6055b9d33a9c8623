"""Shape and order of axes: attributes of arrays, reshape, transpose and their relatives."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    axis_index,
    axis_tuple,
    check_cast,
    dtype_argument,
    length,
    listed,
    numbers,
    placed,
    same,
    shape_argument,
)
from tracejit.errors import ByLayout, NotTraceable, ShapeError
from tracejit.ir import bits, build, dims
from tracejit.ir.alias import Step
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.tables import METHODS, implements, method
from tracejit.trace.tracer import Tracer, as_array, number, value, view_of, wrap

# Attributes -------------------------------------------------------------------------------------


@method("shape")
@implements(np.shape)
def shape(a: Any) -> tuple[Any, ...]:
    """``np.shape``: ints, and traced Python numbers where the length may change."""
    return numbers(wrap(a).node.shape)


@method("ndim")
@implements(np.ndim)
def ndim(a: Any) -> int:
    """``np.ndim``."""
    return wrap(a).node.ndim


@method("size")
@implements(np.size)
def size(a: Any, axis: Any = None) -> Any:
    """``np.size``."""
    x = wrap(a).node
    axes = range(x.ndim) if axis is None else axis_tuple(axis, x.ndim)
    return number(dims.product(x.shape[k] for k in axes))


@method("dtype")
def dtype(x: Tracer) -> np.dtype[Any]:
    """``x.dtype``."""
    return x.node.dtype


@method("itemsize")
def itemsize(x: Tracer) -> int:
    """``x.itemsize``."""
    return x.node.dtype.itemsize


@method("nbytes")
def nbytes(x: Tracer) -> Any:
    """``x.nbytes``."""
    return number(dims.mul(build.size(x.node), x.node.dtype.itemsize))


@method("T")
def transposed(x: Tracer) -> Tracer:
    """``x.T``."""
    return transpose(x)


@method("mT")
def matrix_transposed(x: Tracer) -> Tracer:
    """``x.mT``."""
    if x.node.ndim < 2:
        raise ShapeError("matrix transpose with ndim < 2 is undefined")
    return swapaxes(x, -1, -2)


@method("real")
@implements(np.real)
def real(val: Any) -> Any:
    """``np.real``."""
    x = wrap(val)
    if x.node.dtype.kind != "c":
        return +x if x.kind == "number" else x  # a bool's is an int
    if x.kind == "number":
        return Tracer(build.weak(build.real(x.node)), "number")
    return view_of(x, build.real)


@method("imag")
@implements(np.imag)
def imag(val: Any) -> Any:
    """``np.imag``: zeros for real arrays."""
    x = wrap(val)
    if x.kind == "number":
        if x.node.dtype.kind == "c":
            return Tracer(build.weak(build.imag(x.node)), "number")
        return 0.0 if x.node.dtype.kind == "f" else 0
    if x.node.dtype.kind != "c":
        fill = build.constant(x.node.dtype.type(0), x.node.dtype)
        zeros = Tracer(build.full(x.node.shape, fill), x.kind)
        return view_of(zeros, Step(lambda n: n, _locked, distinct=True), read_only=True)
    return view_of(x, build.imag)


@method("setattr")
def set_part(x: Tracer, name: str, y: Any) -> None:
    """``x.real = y`` and ``x.imag = y``."""
    part = view_of(x, lambda n: n) if x.node.dtype.kind != "c" else getattr(x, name)
    if x.kind != "array" or name not in ("real", "imag"):
        raise AttributeError(f"attribute {name!r} is not writable")
    if name == "imag" and x.node.dtype.kind != "c":
        raise TypeError("array does not have imaginary part to set")
    METHODS["setitem"](part, Ellipsis, y)


def _locked(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


# Copies -----------------------------------------------------------------------------------------


def in_order(x: Tracer, order: Any) -> Tracer:
    """`x` itself if it is contiguous in memory order `order`, or a copy that is."""
    if order not in ("C", "F") or x.kind != "array" or not x.node.ndim:
        return x
    take = functools.partial(np.asarray, order=order)
    return view_of(x, Step(lambda n: placed(n, order), take, order=order))


@method("astype")
@implements(np.astype)
def astype(
    x: Any,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> Tracer:
    """``x.astype(dtype)``."""
    source, target = as_array(x), dtype_argument(dtype)
    check_cast(source.node.dtype, target, casting)
    if not copy and source.node.dtype == target:
        return in_order(source, order)
    return Tracer(placed(build.cast(source.node, target), order), source.kind)


@method("copy")
def copied(x: Tracer, order: str = "C") -> Tracer:
    """``x.copy()``."""
    return Tracer(placed(x.node, order))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Tracer:
    """``np.copy``."""
    return Tracer(placed(as_array(a).node, order))


@method("flatten")
def flatten(x: Tracer, order: str = "C") -> Tracer:
    """``x.flatten()``."""
    return Tracer(ravel(x, order).node)


@method("view")
def view(x: Tracer, dtype: Any = None, type: Any = None) -> Tracer:
    """``x.view()``: another array of the same memory."""
    same = dtype is None or dtype == x.node.dtype
    target = x.node.dtype if same else dtype_argument(dtype)
    if type is not None or not (same or bits.is_possible(x.node.dtype, target)):
        raise NotTraceable(
            "ndarray.view as a dtype of another size, or a class, is not compiled",
            "convert it by astype",
        )
    if same:
        return view_of(x, lambda n: n)
    if x.kind != "array":
        return Tracer(bits.taken(x.node, target), x.kind)
    return view_of(x, Step(bits.Taken(target), lambda a: a.view(target), distinct=True))


# reshape ----------------------------------------------------------------------------------------


@method("reshape")
def reshape_method(x: Tracer, *shape: Any, order: str = "C", copy: Any = None) -> Tracer:
    """``x.reshape(2, -1)``."""
    return reshape(x, shape[0] if len(shape) == 1 else shape, order, copy=copy)


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Tracer:
    """``np.reshape``; one length may be -1."""
    x = as_array(a)
    if copy is False:
        raise ByLayout("reshape(copy=False) depends on the memory layout", "leave copy out")
    if copy:
        x = Tracer(x.node)
    new = _new_shape(x.node, shape)
    total, wanted = build.size(x.node), dims.product(new)
    if total is not wanted and build.solver().is_late(total, wanted):
        if order != "C":
            raise NotTraceable("a length that depends on data becomes several, in another order")

        def rows(n: Node) -> Node:
            return build.reshape(build.first_of(build.reshape(n, (total,)), 0, wanted), new)

        return view_of(x, Step(rows, _reshaped, new))
    if _reversed(x.node, order):

        def backwards(n: Node) -> Node:
            return _backwards(build.reshape(_backwards(n), new[::-1]))

        return view_of(x, Step(backwards, _reshaped_backwards, new, order="F"))
    return view_of(x, lambda n: build.reshape(n, new))


def _reshaped(x: np.ndarray, *shape: int) -> np.ndarray:
    return x.reshape(shape)


def _reshaped_backwards(x: np.ndarray, *shape: int) -> np.ndarray:
    return x.reshape(shape, order="F")


def _backwards(x: Node) -> Node:
    return build.transpose(x, range(x.ndim)[::-1])


def _reversed(x: Node, order: str) -> bool:
    """Whether elements are read in Fortran order."""
    if order in "AK" and x.ndim > 1:
        raise ByLayout(f"order={order!r} depends on the memory layout", "give order='C'")
    return order == "F"


def _new_shape(x: Node, shape: Any) -> tuple[Dim, ...]:
    shape = listed(shape)
    entries = [length(d) for d in (shape if isinstance(shape, (tuple, list)) else (shape,))]
    unknown = [k for k, d in enumerate(entries) if not at_least(d, 0)]
    if len(unknown) > 1:
        raise ShapeError("can only specify one unknown dimension")
    total = build.size(x)
    if unknown:
        rest = dims.product(d for k, d in enumerate(entries) if k not in unknown)
        if not same(rest, 0):
            exact = dims.exact_div(total, rest)
            if exact is None and same(dims.mod(total, rest), 0):
                exact = dims.floordiv(total, rest)
            if exact is not None:
                entries[unknown[0]] = exact
                return tuple(entries)
    elif build.solver().is_late(total, dims.product(entries)):
        return tuple(entries)  # that it is required
    elif build.solver().equal(total, dims.product(entries)):
        return tuple(entries)
    raise ShapeError(
        f"cannot reshape array of size {build.solver().value(total)} into shape "
        + _shape_text([-1 if k in unknown else d for k, d in enumerate(entries)])
    )


def _shape_text(shape: Sequence[Dim]) -> str:
    """A shape as NumPy's message has it: a leading -1 is left out, a later one is ``newaxis``."""
    words = [str(build.solver().value(d)).replace("-1", "newaxis") for d in shape]
    while words and words[0] == "newaxis":
        del words[0]
    return "(" + ",".join(words) + (",)" if len(shape) == len(words) == 1 else ")")


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Tracer:
    """``np.ravel``."""
    x = as_array(a)
    backwards = _reversed(x.node, order)

    def nodes(n: Node) -> Node:
        return build.reshape(_backwards(n) if backwards else n, (build.size(n),))

    # Unlike what reshapes, this copies what is not contiguous.
    take = operator.methodcaller("ravel", order)
    return view_of(x, Step(nodes, take, order="F" if backwards else "C"))


# Order of axes ----------------------------------------------------------------------------------


@method("transpose")
def transpose_method(x: Tracer, *axes: Any) -> Tracer:
    """``x.transpose(1, 0)``."""
    return transpose(x, axes[0] if len(axes) == 1 else axes or None)


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Tracer:
    """``np.transpose``."""
    x = as_array(a)
    if axes is None:
        return view_of(x, _backwards)
    axes = listed(axes)
    entries = axes if isinstance(axes, (tuple, list)) else (axes,)
    if len(entries) != x.node.ndim:
        raise ShapeError("axes don't match array")
    order = axis_tuple(axes, x.node.ndim, "repeated axis in transpose")
    return view_of(x, lambda n: build.transpose(n, order))


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Tracer:
    """``np.swapaxes``."""
    x = as_array(a)
    order = list(range(x.node.ndim))
    i = axis_index(axis1, len(order), "axis1")
    j = axis_index(axis2, len(order), "axis2")
    order[i], order[j] = order[j], order[i]
    return view_of(x, lambda n: build.transpose(n, order))


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Tracer:
    """``np.matrix_transpose``."""
    return matrix_transposed(as_array(x))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Tracer:
    """``np.moveaxis``."""
    x = as_array(a)
    n = x.node.ndim
    old = axis_tuple(source, n, "repeated axis in `source` argument", "source")
    new = axis_tuple(destination, n, "repeated axis in `destination` argument", "destination")
    if len(old) != len(new):
        raise ShapeError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [k for k in range(n) if k not in old]
    for to, axis in sorted(zip(new, old, strict=True)):
        order.insert(to, axis)
    return view_of(x, lambda n: build.transpose(n, order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: Any, start: Any = 0) -> Tracer:
    """``np.rollaxis``."""
    x = as_array(a)
    n = x.node.ndim
    k, to = axis_index(axis, n), operator.index(start)
    to = to + n if to < 0 else to
    if not 0 <= to <= n:
        axis_index(to, n + 1, "start")
    return moveaxis(x, k, to - 1 if k < to else to)


# Axes of length 1 -------------------------------------------------------------------------------


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Tracer:
    """``np.expand_dims``."""
    x = as_array(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = axis_tuple(axis, x.node.ndim + count)
    return view_of(x, lambda n: build.expand_dims(n, axes))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Tracer:
    """``np.squeeze``."""
    x = as_array(a)
    shape = x.node.shape
    if axis is None:
        axes: Sequence[int] = [k for k, d in enumerate(shape) if same(d, 1)]
    else:
        axes = axis_tuple(axis, len(shape), "duplicate value in 'axis'")
        if not all(same(shape[k], 1) for k in axes):
            raise ShapeError("cannot select an axis to squeeze out which has size not equal to one")
    return view_of(x, lambda n: build.squeeze(n, axes)) if axes else x


def _at_least_1d(x: Tracer) -> Tracer:
    return x if x.node.ndim else view_of(x, lambda n: build.expand_dims(n, (0,)))


def _at_least_2d(x: Tracer) -> Tracer:
    x = _at_least_1d(x)
    return x if x.node.ndim > 1 else view_of(x, lambda n: build.expand_dims(n, (0,)))


def _at_least_3d(x: Tracer) -> Tracer:
    x = _at_least_2d(_at_least_1d(x)) if not x.node.ndim else _at_least_1d(x)
    if x.node.ndim == 1:
        return view_of(x, lambda n: build.expand_dims(n, (0, 2)))
    return x if x.node.ndim > 2 else view_of(x, lambda n: build.expand_dims(n, (2,)))


def _each(change: Any) -> Any:
    def function(*arys: Any) -> Any:
        results = tuple(change(as_array(a)) for a in arys)
        return results[0] if len(results) == 1 else results

    return function


implements(np.atleast_1d)(_each(_at_least_1d))
implements(np.atleast_2d)(_each(_at_least_2d))
implements(np.atleast_3d)(_each(_at_least_3d))


# Broadcasting -----------------------------------------------------------------------------------


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Tracer:
    """``np.broadcast_to``: a read-only view."""
    x, target = as_array(array), shape_argument(shape)
    if len(target) < x.node.ndim:
        raise ShapeError("input operand has more dimensions than allowed by the axis remapping")
    step = Step(lambda n: build.broadcast_to(n, target), _broadcast_to, target, distinct=True)
    return view_of(x, step, read_only=True)


def _broadcast_to(x: np.ndarray, *shape: int) -> np.ndarray:
    return np.broadcast_to(x, shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Tracer, ...]:
    """``np.broadcast_arrays``."""
    arrays = [as_array(a) for a in args]
    target = build.broadcast_shapes([a.node.shape for a in arrays])
    if all(_has_shape(a.node, target) for a in arrays):
        return tuple(arrays)
    step = Step(lambda n: build.broadcast_to(n, target), _broadcast, target, distinct=True)
    return tuple(
        a if _has_shape(a.node, target) else view_of(a, step, read_only=True) for a in arrays
    )


def _has_shape(x: Node, shape: tuple[Dim, ...]) -> bool:
    return len(x.shape) == len(shape) and all(map(same, x.shape, shape))


def _broadcast(x: np.ndarray, *shape: int) -> np.ndarray:
    """A view of `shape` that may be written to, with NumPy's warning."""
    # Of another shape than all others, so that it is not returned as it is.
    other = np.broadcast_to(np.empty((), bool), (1, *shape) if x.shape == shape else shape)
    result = np.broadcast_arrays(x, other)[0]
    return result[0] if result.ndim > len(shape) else result


# Reversal and rotation --------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Tracer:
    """``np.flip``."""
    x = as_array(m)
    axes = range(x.node.ndim) if axis is None else axis_tuple(axis, x.node.ndim)
    if not x.node.ndim:
        return value(x.node)
    return view_of(x, lambda n: build.flip(n, axes))


@implements(np.flipud)
def flipud(m: Any) -> Tracer:
    """``np.flipud``."""
    if not as_array(m).node.ndim:
        raise ShapeError("Input must be >= 1-d.")
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Tracer:
    """``np.fliplr``."""
    if as_array(m).node.ndim < 2:
        raise ShapeError("Input must be >= 2-d.")
    return flip(m, 1)
