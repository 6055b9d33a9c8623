"""Shapes, creation, joining and products under Theano's names and by its rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.tensor.elemwise import as_tensor_variable, cast, constant, elemwise
from tracejit.tensor.graph import Constant, Variable
from tracejit.tensor.infer import apply
from tracejit.tensor.nparray import numpy_op
from tracejit.tensor.type import TensorType, dtype_name


class NotScalarConstantError(Exception):
    """A scalar whose value is not constant."""


# Shape -----------------------------------------------------------------------------------------


def shape_i(x: Any, axis: int) -> Any:
    """The length of one axis, an int64 scalar."""
    x = as_tensor_variable(x)
    if isinstance(x, Constant):
        return constant(np.int64(x.data.shape[axis]))
    if x.broadcastable[axis]:
        return constant(np.int64(1))
    owner = x.owner
    if owner is not None and owner.op == "elemwise":  # the same as that of an operand
        for v, pattern in zip(owner.inputs, owner.attr[2], strict=True):
            if not pattern[axis]:
                return shape_i(v, axis)
    return apply("shape_i", [x], axis, [TensorType("int64", ())])[0]


def make_vector(*scalars: Any, dtype: str = "int64") -> Any:
    """A vector of scalars."""
    items = [as_tensor_variable(s) for s in scalars]
    return apply("make_vector", items, dtype, [TensorType(dtype, [len(items) == 1])])[0]


def shape(x: Any) -> Any:
    """The shape of `x`, a vector of int64."""
    x = as_tensor_variable(x)
    return make_vector(*(shape_i(x, k) for k in range(x.ndim)))


def size(x: Any) -> Any:
    """The number of elements of `x`."""
    x = as_tensor_variable(x)
    total: Any = constant(np.int64(1))
    for k in range(x.ndim):
        total = shape_i(x, k) if k == 0 else elemwise("multiply", total, shape_i(x, k))
    return total


def static_length(x: Any) -> int | None:
    """The length of the first axis where it is known while the graph is built."""
    if x.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    if isinstance(x, Constant):
        return len(x.data)
    if x.owner is not None and x.owner.op == "make_vector":
        return len(x.owner.inputs)
    return 1 if x.broadcastable[0] else None


def lengths(shape: Any, ndim: int | None = None) -> list[Any]:
    """The entries of a shape: a tuple or list of ints and scalars, a scalar, or a vector."""
    if isinstance(shape, (tuple, list)):
        entries = [as_tensor_variable(s) for s in shape]
    else:
        vector = as_tensor_variable(shape)
        if vector.ndim == 0:
            entries = [vector]
        elif vector.ndim == 1:
            count = static_length(vector) if ndim is None else ndim
            if count is None:
                raise ValueError(
                    "the number of axes cannot be told from a symbolic shape: give ndim"
                )
            entries = [vector[k] for k in range(count)]
        else:
            raise TypeError(f"a shape is a vector, not an array of {vector.ndim} axes")
    for entry in entries:
        if entry.ndim or np.dtype(entry.dtype).kind not in "iub":
            raise TypeError(f"Shape must be integers; got {entry} of {entry.type}")
    return entries


def _ones_of(entries: Sequence[Any]) -> list[bool]:
    return [isinstance(e, Constant) and int(e.data) == 1 for e in entries]


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Any:
    """`x` under another shape; one length may be -1. `ndim` is needed for a vector of lengths."""
    x, entries = as_tensor_variable(x), lengths(newshape, ndim)
    if ndim is not None and len(entries) != ndim:
        raise ValueError(f"ndim={ndim}, but the shape has {len(entries)} lengths")
    pattern = _ones_of(entries)
    return apply("reshape", [x, *entries], tuple(pattern), [TensorType(x.dtype, pattern)])[0]


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Any:
    """`x` with `ndim` axes (1): the trailing ones become one."""
    x = as_tensor_variable(x)
    ndim = outdim if ndim is None else ndim
    ndim = 1 if ndim is None else ndim
    if ndim < 1 or (ndim > 1 and ndim > x.ndim):
        raise ValueError(f"ndim {ndim} out of bound [1, {x.ndim + 1})")
    kept = [shape_i(x, k) for k in range(ndim - 1)]
    pattern = [*x.broadcastable[: ndim - 1], all(x.broadcastable[ndim - 1 :]) and x.ndim > 0]
    last = constant(np.int64(1)) if pattern[-1] else constant(np.int64(-1))
    operands = [x, *kept, last]
    return apply("reshape", operands, tuple(pattern), [TensorType(x.dtype, pattern)])[0]


def dimshuffle(x: Any, pattern: Any) -> Any:
    """Axes in a new order; "x" is a new one that broadcasts, and only such ones may be dropped."""
    x, pattern = as_tensor_variable(x), tuple(pattern)
    for k in pattern:
        if k != "x" and not (isinstance(k, (int, np.integer)) and 0 <= k < x.ndim):
            raise ValueError(
                f"new_order[{pattern.index(k)}] is {k!r}, but the input only has {x.ndim} axes."
            )
    axes = [int(k) for k in pattern if k != "x"]
    if len(set(axes)) != len(axes):
        raise ValueError(f"an axis is named twice in {pattern}")
    for k in range(x.ndim):
        if k not in axes and not x.broadcastable[k]:
            raise ValueError(
                f"You cannot drop a non-broadcastable dimension: axis {k} of {x.type}, in the "
                f"order {pattern}."
            )
    pattern = tuple(k if k == "x" else int(k) for k in pattern)
    if pattern == tuple(range(x.ndim)):
        return x
    new = [True if k == "x" else x.broadcastable[k] for k in pattern]
    return apply("dimshuffle", [x], pattern, [TensorType(x.dtype, new)])[0]


def transpose(x: Any, axes: Any = None) -> Any:
    """Axes permuted, or reversed."""
    x = as_tensor_variable(x)
    order = range(x.ndim)[::-1] if axes is None else [int(a) % x.ndim for a in axes]
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"axes {axes} are no order of {x.ndim} axes")
    return dimshuffle(x, order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    x = as_tensor_variable(x)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return dimshuffle(x, order)


def shape_padleft(x: Any, n_ones: int = 1) -> Any:
    """`n_ones` axes that broadcast, before the others."""
    x = as_tensor_variable(x)
    return dimshuffle(x, ["x"] * n_ones + list(range(x.ndim)))


def shape_padright(x: Any, n_ones: int = 1) -> Any:
    """`n_ones` axes that broadcast, after the others."""
    x = as_tensor_variable(x)
    return dimshuffle(x, list(range(x.ndim)) + ["x"] * n_ones)


def shape_padaxis(x: Any, axis: int) -> Any:
    """An axis that broadcasts, at position `axis`."""
    x = as_tensor_variable(x)
    order: list[Any] = list(range(x.ndim))
    if not -(x.ndim + 1) <= axis <= x.ndim:
        raise IndexError(f"axis {axis} is out of bounds for a result of {x.ndim + 1} axes")
    order.insert(axis if axis >= 0 else axis + x.ndim + 1, "x")
    return dimshuffle(x, order)


def squeeze(x: Any) -> Any:
    """Without the axes that broadcast by their type."""
    x = as_tensor_variable(x)
    return dimshuffle(x, [k for k, b in enumerate(x.broadcastable) if not b])


def patternbroadcast(x: Any, broadcastable: Any) -> Any:
    """`x` with another broadcast pattern; axes that newly broadcast must have length 1."""
    x, pattern = as_tensor_variable(x), tuple(map(bool, broadcastable))
    if pattern == x.broadcastable:
        return x
    return apply("rebroadcast", [x], pattern, [TensorType(x.dtype, pattern)])[0]


def addbroadcast(x: Any, *axes: int) -> Any:
    """`x` whose `axes` broadcast: they must have length 1."""
    x = as_tensor_variable(x)
    return patternbroadcast(x, [b or k in axes for k, b in enumerate(x.broadcastable)])


def unbroadcast(x: Any, *axes: int) -> Any:
    """`x` whose `axes` no longer broadcast."""
    x = as_tensor_variable(x)
    return patternbroadcast(x, [b and k not in axes for k, b in enumerate(x.broadcastable)])


# Creation --------------------------------------------------------------------------------------


def alloc(value: Any, *shape: Any) -> Any:
    """`value` broadcast to a shape of ints and integer scalars."""
    value = as_tensor_variable(value)
    if len(shape) == 1 and isinstance(shape[0], (list, tuple)):
        shape = tuple(shape[0])
    entries = lengths(shape)
    if value.ndim > len(entries):
        raise TypeError(
            f"The value of {value.ndim} axes has more than the {len(entries)} asked for"
        )
    pattern = _ones_of(entries)
    lead = (True,) * (len(entries) - value.ndim) + value.broadcastable
    kind = TensorType(value.dtype, pattern)
    return apply("alloc", [value, *entries], lead, [kind])[0]


def _shape_given(shape: Any) -> list[Any]:
    return lengths(shape if isinstance(shape, (list, tuple, Variable, np.ndarray)) else [shape])


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros of `dtype` (floatX)."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    return alloc(constant(0, dtype=dtype), *_shape_given(shape))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones of `dtype` (floatX)."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    return alloc(constant(1, dtype=dtype), *_shape_given(shape))


def fill(model: Any, value: Any) -> Any:
    """`value` in the shape of `model`; it has the dtype of `value`."""
    model, value = as_tensor_variable(model), as_tensor_variable(value)
    if not model.ndim:
        return value
    entries = [shape_i(model, k) for k in range(model.ndim)]
    lead = (True,) * (model.ndim - value.ndim) + value.broadcastable
    kind = TensorType(value.dtype, model.broadcastable)
    return apply("alloc", [value, *entries], lead, [kind])[0]


second = fill


def zeros_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Zeros in the shape of `model`."""
    model = as_tensor_variable(model)
    return fill(model, constant(0, dtype=model.dtype if dtype is None else dtype))


def ones_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Ones in the shape of `model`."""
    model = as_tensor_variable(model)
    return fill(model, constant(1, dtype=model.dtype if dtype is None else dtype))


def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Ones on the `k`-th diagonal of an (n, m) matrix."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    n = as_tensor_variable(n)
    m = n if m is None else as_tensor_variable(m)
    rows = dimshuffle(arange(n), (0, "x"))
    columns = dimshuffle(arange(m), ("x", 0))
    return cast(elemwise("equal", elemwise("add", rows, k), columns), dtype)


def identity_like(x: Any) -> Any:
    """The identity matrix in the shape of `x`."""
    x = as_tensor_variable(x)
    return eye(shape_i(x, 0), shape_i(x, 1), 0, x.dtype)


def tri(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Ones at and below the `k`-th diagonal."""
    dtype = dtype_name("floatX" if dtype is None else dtype)
    m = n if m is None else m
    rows, columns = dimshuffle(arange(n), (0, "x")), dimshuffle(arange(m), ("x", 0))
    return cast(elemwise("greater_equal", elemwise("add", rows, k), columns), dtype)


def tril(m: Any, k: Any = 0) -> Any:
    """The lower triangle of a matrix, zeros elsewhere."""
    m = as_tensor_variable(m)
    return elemwise("multiply", m, tri(shape_i(m, 0), shape_i(m, 1), k, m.dtype))


def triu(m: Any, k: Any = 0) -> Any:
    """The upper triangle of a matrix, zeros elsewhere."""
    m = as_tensor_variable(m)
    one = constant(np.asarray(1, m.dtype))
    below = tri(shape_i(m, 0), shape_i(m, 1), elemwise("subtract", k, 1), m.dtype)
    return elemwise("multiply", m, elemwise("subtract", one, below))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """``start, start + step, …`` below `stop`: int64 for integers, else floats."""
    if stop is None:
        start, stop = 0, start
    items = [as_tensor_variable(v) for v in (start, stop, step)]
    found = np.result_type(*(np.dtype(v.dtype) for v in items))
    if dtype is None:
        dtype = "int64" if found.kind in "iub" else found.name
        if found.kind == "f" and all(isinstance(v, Constant) for v in items):
            dtype = config.floatX
    dtype = dtype_name(dtype)
    whole = found.kind in "iub"
    result = numpy_op(
        "arange", (items[0], items[1], items[2]), {}, lengths=whole,
        types=[TensorType("int64" if whole else found.name, [False])],
    )  # fmt: skip
    return cast(result, dtype)


def diag(v: Any, k: int = 0) -> Any:
    """A diagonal matrix of a vector, or the diagonal of a matrix."""
    v = as_tensor_variable(v)
    if v.ndim not in (1, 2):
        raise ValueError(f"diag() is for vectors and matrices, not arrays of {v.ndim} axes")
    return numpy_op("diag", (v, k))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal over two axes."""
    return numpy_op("diagonal", (as_tensor_variable(x), offset, axis1, axis2))


def trace(x: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    from tracejit.tensor import reductions

    return reductions.sum(diagonal(x))


# Copies, parts of complex numbers ----------------------------------------------------------------


def tensor_copy(x: Any, name: str | None = None) -> Any:
    """A new variable of the same value."""
    x = as_tensor_variable(x)
    pattern = x.broadcastable
    (result,) = apply("elemwise", [x], ("cast", x.dtype, (pattern,)), [x.type])
    result.name = name
    return result


def real(x: Any) -> Any:
    """The real part."""
    x = as_tensor_variable(x)
    return elemwise("real", x) if x.dtype.startswith("complex") else x


def imag(x: Any) -> Any:
    """The imaginary part."""
    x = as_tensor_variable(x)
    return elemwise("imag", x) if x.dtype.startswith("complex") else zeros_like(x)


def get_scalar_constant_value(x: Any) -> Any:
    """The value of a scalar whose graph has no inputs, as a 0-d array.

    NotScalarConstantError where it has.
    """
    from tracejit.tensor.graph import leaves
    from tracejit.tensor.replay import replay

    v = as_tensor_variable(x)
    if v.ndim and not all(v.broadcastable):
        raise NotScalarConstantError(f"{v} is not a scalar")
    if not all(isinstance(leaf, Constant) for leaf in leaves([v])):
        raise NotScalarConstantError(f"{v} is not constant")
    return np.asarray(replay([v], {})[0]).reshape(())


# Joining ---------------------------------------------------------------------------------------


def join(axis: Any, *tensors: Any) -> Any:
    """`tensors` one after the other along `axis`."""
    parts = [as_tensor_variable(t) for t in tensors]
    if not parts:
        raise ValueError("Cannot join an empty list of tensors")
    if isinstance(axis, Variable):
        axis = int(get_scalar_constant_value(axis))
    ndim = parts[0].ndim
    if any(p.ndim != ndim for p in parts):
        raise TypeError(f"Join() can only join tensors with the same number of dimensions: {parts}")
    if ndim == 0:
        raise TypeError("Join cannot handle arguments of dimension 0. Use T.stack.")
    if not -ndim <= axis < ndim:
        raise IndexError(f"Join axis {axis} out of bounds [{-ndim}, {ndim})")
    axis %= ndim
    dtype = np.result_type(*(np.dtype(p.dtype) for p in parts)).name
    parts = [cast(p, dtype) for p in parts]
    if len(parts) == 1:
        return parts[0]
    if ndim == 1 and all(p.owner is not None and p.owner.op == "make_vector" for p in parts):
        return make_vector(*(s for p in parts for s in p.owner.inputs), dtype=dtype)
    # An axis broadcasts where any part's does: then the others must have length 1 too.
    pattern = [any(p.broadcastable[k] for p in parts) for k in range(ndim)]
    pattern[axis] = False
    return apply("join", parts, (axis, tuple(pattern)), [TensorType(dtype, pattern)])[0]


def concatenate(tensor_list: Any, axis: int = 0) -> Any:
    """A list of tensors, one after the other along `axis`."""
    if not isinstance(tensor_list, (tuple, list)):
        raise TypeError(
            "The 'tensors' argument must be either a tuple or a list, make sure you did not forget "
            "() or [] around arguments of concatenate.",
            tensor_list,
        )
    return join(axis, *tensor_list)


def stack(*tensors: Any, axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    if tensors and isinstance(tensors[0], (list, tuple)):
        axis = tensors[1] if len(tensors) > 1 else axis
        tensors = tuple(tensors[0])
    parts = [as_tensor_variable(t) for t in tensors]
    if not parts:
        raise ValueError("stack() needs at least one tensor")
    if all(p.ndim == 0 for p in parts):
        dtype = np.result_type(*(np.dtype(p.dtype) for p in parts)).name
        return make_vector(*(cast(p, dtype) for p in parts), dtype=dtype)
    return join(axis, *(shape_padaxis(p, axis) for p in parts)) if len(parts) > 1 else (
        shape_padaxis(parts[0], axis)
    )  # fmt: skip


def stacklists(arg: Any) -> Any:
    """Nested lists of tensors as one tensor."""
    if isinstance(arg, (tuple, list)):
        return stack([stacklists(a) for a in arg])
    return as_tensor_variable(arg)


def horizontal_stack(*args: Any) -> Any:
    """Matrices side by side."""
    return concatenate(args, axis=1)


def vertical_stack(*args: Any) -> Any:
    """Matrices one below the other."""
    return concatenate(args, axis=0)


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Any]:
    """Parts of the given lengths along `axis`."""
    x, sizes = as_tensor_variable(x), as_tensor_variable(splits_size)
    parts, start = [], constant(np.int64(0))
    for k in range(n_splits):
        stop = elemwise("add", start, sizes[k])
        key = [slice(None)] * x.ndim
        key[axis] = slice(start, stop)
        parts.append(x[tuple(key)])
        start = stop
    return parts


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """`x` repeated as a whole, `reps` times along each axis."""
    x = as_tensor_variable(x)
    counts = lengths(reps if isinstance(reps, (list, tuple)) or ndim else [reps], ndim)
    return numpy_op("tile", (x, tuple(counts)), lengths=True)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """The elements of `x`, each `repeats` times, along `axis` or of its ravel."""
    x, count = as_tensor_variable(x), as_tensor_variable(repeats)
    if count.ndim:
        return numpy_op("repeat", (x, count, axis))
    return numpy_op("repeat", (x, count, axis), lengths=True)


def roll(x: Any, shift: Any, axis: int | None = None) -> Any:
    """Elements moved by `shift` places along `axis`, those beyond the end to the start."""
    return numpy_op("roll", (as_tensor_variable(x), as_tensor_variable(shift), axis), lengths=True)


# Products --------------------------------------------------------------------------------------


def _same_float(*xs: Any) -> list[Any]:
    operands = [as_tensor_variable(x) for x in xs]
    dtype = np.result_type(*(np.dtype(v.dtype) for v in operands)).name
    return [cast(v, dtype) for v in operands]


def dot(a: Any, b: Any) -> Any:
    """The product of vectors and matrices; of a scalar elementwise; else NumPy's ``dot``."""
    a, b = _same_float(a, b)
    if not (a.ndim and b.ndim):
        return elemwise("multiply", a, b)
    if b.ndim > 2 or a.ndim > 2:
        return tensordot(a, b, [[a.ndim - 1], [max(0, b.ndim - 2)]])
    pattern = [*a.broadcastable[:-1], *(b.broadcastable[1:])]
    kind = TensorType(a.dtype, pattern)
    return apply("numpy", [a, b], numpy_op.attr("dot", 2), [kind])[0]


def outer(x: Any, y: Any) -> Any:
    """The outer product of two arrays as vectors."""
    x, y = (v if v.ndim == 1 else flatten(v) for v in map(as_tensor_variable, (x, y)))
    return elemwise("multiply", dimshuffle(x, (0, "x")), dimshuffle(y, ("x", 0)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over several axes."""
    a, b = _same_float(a, b)
    return numpy_op("tensordot", (a, b, axes))


def batched_dot(a: Any, b: Any) -> Any:
    """The product of each pair of slices along the first axes."""
    a, b = _same_float(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise TypeError("batched_dot() needs operands with a first axis")
    if a.ndim == 3 and b.ndim == 3:
        return numpy_op("matmul", (a, b))
    if a.ndim == 1 or b.ndim == 1:
        small, large = (a, b) if a.ndim == 1 else (b, a)
        order = [0, *["x"] * (large.ndim - 1)]
        return elemwise("multiply", dimshuffle(small, order), large)
    return batched_tensordot(a, b, [[a.ndim - 1], [max(1, b.ndim - 2)]])


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """`tensordot` of each pair of slices along the first axes."""
    x, y = _same_float(x, y)
    if isinstance(axes, int):
        axes = [list(range(x.ndim - axes, x.ndim)), list(range(1, 1 + axes))]
    left, right = (list(map(int, np.atleast_1d(a))) for a in axes)
    letters = iter("bcdefghijklmnopqrstuvwxyz")
    first = ["a", *(next(letters) for _ in range(x.ndim - 1))]
    second = ["a", *(next(letters) for _ in range(y.ndim - 1))]
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    out = [c for k, c in enumerate(first) if k not in left]
    out += [c for k, c in enumerate(second) if k and k not in right]
    return numpy_op("einsum", (f"{''.join(first)},{''.join(second)}->{''.join(out)}", x, y))


# Sorting ---------------------------------------------------------------------------------------


def sort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """Sorted along `axis`, or as a vector where that is None."""
    return numpy_op("sort", (as_tensor_variable(a), axis, kind))


def argsort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """The order that sorts along `axis`, as int64."""
    return numpy_op("argsort", (as_tensor_variable(a), axis, kind))


__all__ = [
    "NotScalarConstantError",
    "addbroadcast",
    "alloc",
    "arange",
    "argsort",
    "batched_dot",
    "batched_tensordot",
    "concatenate",
    "diag",
    "diagonal",
    "dimshuffle",
    "dot",
    "eye",
    "fill",
    "flatten",
    "get_scalar_constant_value",
    "horizontal_stack",
    "identity_like",
    "imag",
    "join",
    "make_vector",
    "ones",
    "ones_like",
    "outer",
    "patternbroadcast",
    "real",
    "repeat",
    "reshape",
    "roll",
    "second",
    "shape",
    "shape_padaxis",
    "shape_padleft",
    "shape_padright",
    "size",
    "sort",
    "split",
    "squeeze",
    "stack",
    "stacklists",
    "swapaxes",
    "tensor_copy",
    "tensordot",
    "tile",
    "trace",
    "transpose",
    "tri",
    "tril",
    "triu",
    "unbroadcast",
    "vertical_stack",
    "zeros",
    "zeros_like",
]
