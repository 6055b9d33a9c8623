"""Indexing under Theano's rules: reading, and new arrays with a part set or increased."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.arrays.indexing import scatter
from tracejit.errors import NotTraceable
from tracejit.ir.node import postorder
from tracejit.symbolic.convert import as_tensor_variable, cast, is_made
from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.infer import apply, result_types
from tracejit.symbolic.opcodes import Operand, _filled, node_of, opcode
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, creation, elementwise, joining
from tracejit.tensor.nparray import numpy_op
from tracejit.trace.tracer import Tracer


def _key(spec: Any, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_position(s, values) for s in spec)


def _position(entry: Any, values: Sequence[Any]) -> Any:
    """An entry of an index with its operands: what is computed of arrays stays an element."""
    if isinstance(entry, Operand) and isinstance(values[entry.index], Tracer):
        node = values[entry.index].node
        if not node.ndim and any(n.several is None and n.ndim for n in postorder([node])):
            return values[entry.index]
    return _filled(entry, values)


@opcode("subtensor")
def _subtensor(attr: Any, x: Any, *values: Any) -> Any:
    """attr: the index, operands by slot (the first is 0)."""
    return x[_key(attr, values)]


@opcode("set_subtensor", types=lambda attr, inputs: [inputs[0].type])
def _set_subtensor(attr: Any, x: Any, y: Any, *values: Any) -> Any:
    """attr: (mode, the index)."""
    mode, spec = attr
    key = _key(spec, values)
    if not any(isinstance(v, Tracer) for v in (x, y, *values)):
        result = np.array(x)
        if mode == "add":
            np.add.at(result, key, y)
        else:
            result[key] = y
        return result
    if not isinstance(x, Tracer):
        raise NotTraceable("a part of a constant is set")
    return Tracer(scatter(x, key, node_of(y), mode))


# Building --------------------------------------------------------------------------------------


def getitem(x: Any, key: Any) -> Any:
    """``x[key]``: ints, slices, None, ``...``, integer arrays and masks."""
    entries = key if isinstance(key, tuple) else (key,)
    if _holds_bool(entries):
        raise TypeError("Python bools are no index: use a NumPy array of bools for a mask")
    short = _of_vector(x, entries)
    if short is not None:
        return short
    if _too_many(x, entries):
        raise IndexError(f"too many indices for array: {len(entries)} for {x.ndim} axes")
    operands: list[Variable] = []
    spec = tuple(_entry(e, operands) for e in entries)
    (kind,) = result_types("subtensor", spec, [x, *operands])
    return apply("subtensor", [x, *operands], spec, [_pattern(x, spec, kind)])[0]


def _holds_bool(e: Any) -> bool:
    if isinstance(e, (list, tuple)):
        return any(map(_holds_bool, e))
    return isinstance(e, (bool, np.bool_))


def _too_many(x: Any, entries: tuple[Any, ...]) -> bool:
    taken = 0
    for e in entries:
        if _is_mask(e):
            taken += e.ndim
        elif e is not None and e is not Ellipsis:
            taken += 1
    return taken > x.ndim


def _is_mask(e: Any) -> bool:
    return isinstance(e, (Variable, np.ndarray)) and str(e.dtype) == "bool"  # type: ignore[union-attr]


def _of_vector(x: Any, entries: tuple[Any, ...]) -> Any:
    """The lengths in a shape, where the index is static: as such they stay known."""

    if len(entries) != 1 or not is_made(x):
        return None
    scalars = x.owner.inputs
    (e,) = entries
    if isinstance(e, Constant) and not e.type.ndim:
        e = int(e.data)
    if isinstance(e, (int, np.integer)):
        return scalars[e]
    if isinstance(e, slice) and not any(isinstance(v, Variable) for v in (e.start, e.stop, e.step)):
        return basic.make_vector(*scalars[e])
    return None


def _entry(e: Any, operands: list[Variable]) -> Any:
    """One entry of an index as static data, with slots for what is symbolic."""
    if e is None or e is Ellipsis:
        return e
    if isinstance(e, (int, np.integer)):
        return int(e)
    if isinstance(e, slice):
        return slice(*(_bound(v, operands) for v in (e.start, e.stop, e.step)))
    v = as_tensor_variable(e)
    if isinstance(v, Constant) and not v.data.size:
        v = cast(v, "int64")
    if np.dtype(v.dtype).kind not in "iub":
        raise IndexError(f"an index must be of integers or booleans, not {v.dtype}")
    if not v.ndim:
        return _bound(v, operands)
    return _operand(v, operands, False)


def _bound(v: Any, operands: list[Variable]) -> Any:
    if v is None or isinstance(v, (int, np.integer)):
        return v if v is None else int(v)
    v = as_tensor_variable(v)
    if v.ndim or np.dtype(v.dtype).kind not in "iu":
        raise TypeError(f"a bound of an index is an integer scalar, not {v} of {v.type}")
    if isinstance(v, Constant):
        return int(v.data)
    return _operand(v, operands, True)


def _operand(v: Any, operands: list[Variable], length: bool) -> Operand:
    operands.append(v)
    return Operand(len(operands) - 1, length)


def _pattern(x: Any, spec: tuple[Any, ...], kind: TensorType) -> TensorType:
    """The type of a subtensor: an axis broadcasts if it is new, or did and is taken whole."""
    if any(isinstance(e, Operand) and not e.length for e in spec):
        return kind
    pattern: list[bool] = []
    axis = 0
    used = sum(e is not None and e is not Ellipsis for e in spec)
    full = spec if any(e is Ellipsis for e in spec) else (*spec, Ellipsis)
    for e in full:
        if e is None:
            pattern.append(True)
        elif e is Ellipsis:
            pattern += x.broadcastable[axis : axis + x.ndim - used]
            axis += x.ndim - used
        else:
            if isinstance(e, slice):
                pattern.append(x.broadcastable[axis] and _covers_one(e))
            axis += 1
    return TensorType(x.dtype, pattern)


def _covers_one(e: slice) -> bool:
    """Whether a slice of constants has the element of an axis of length 1."""
    known = all(n is None or isinstance(n, (int, np.integer)) for n in (e.start, e.stop, e.step))
    return known and len(range(1)[e]) == 1


def set_subtensor(
    x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False
) -> Any:
    """The array of which `x` is a part, ``whole[index]``, with that part set to `y`."""
    return _changed(x, y, "set")


def inc_subtensor(
    x: Any, y: Any, inplace: bool = False, set_instead_of_inc: bool = False,
    tolerate_inplace_aliasing: bool = False,
) -> Any:  # fmt: skip
    """The array of which `x` is a part, with `y` added there; repeated indices add up."""
    return _changed(x, y, "set" if set_instead_of_inc else "add")


def _changed(x: Any, y: Any, mode: str) -> Any:

    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if y.ndim > x.ndim:
        raise TypeError(
            f"Trying to increment a {x.ndim}-dimensional subtensor with a {y.ndim}-dimensional "
            "value."
        )
    owner = x.owner
    if owner is not None and owner.opcode == "dimshuffle":
        inner = owner.inputs[0]
        back = tuple(owner.attr.index(k) for k in range(inner.ndim) if k in owner.attr)
        if len(back) == inner.ndim:
            y = as_tensor_variable(y, ndim=x.ndim)
            y = basic.addbroadcast(y, *(k for k, p in enumerate(owner.attr) if p == "x"))
            return _changed(inner, basic.dimshuffle(y, back), mode)
    if owner is not None and owner.opcode == "reshape":
        inner = owner.inputs[0]
        y = creation.alloc(y, *(basic.shape_i(x, k) for k in range(x.ndim)))
        return _changed(inner, basic.reshape(y, basic.shape(inner), inner.ndim), mode)
    if owner is None or owner.opcode != "subtensor":
        raise TypeError("x must be the result of a subtensor operation", x)
    whole = owner.inputs[0]
    kinds = np.dtype(y.dtype), np.dtype(whole.dtype)
    # What is no variable is taken for what it is put into.
    constant = isinstance(y, Constant) and np.can_cast(*kinds, "same_kind")
    if not constant and np.result_type(*kinds) != kinds[1]:
        raise TypeError(
            f"Trying to increment a {whole.dtype} subtensor with a value of dtype {y.dtype}: cast "
            "the value."
        )
    operands = [whole, cast(y, whole.dtype), *owner.inputs[1:]]
    return apply("set_subtensor", operands, (mode, owner.attr), [whole.type])[0]


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """The elements of `a` at `indices` along `axis`, or of its ravel. `mode`: raise, wrap, clip."""

    a, at = as_tensor_variable(a), as_tensor_variable(indices)
    if mode != "raise":
        at = cast(at, "int64")
    if axis is None:
        a, axis = basic.flatten(a), 0
    axis %= a.ndim
    if mode == "clip":
        at = elementwise.clip(at, 0, basic.shape_i(a, axis) - 1)
    elif mode == "wrap":
        at = at % basic.shape_i(a, axis)
    elif mode != "raise":
        raise ValueError(f"mode {mode!r}: it is 'raise', 'wrap' or 'clip'")
    return a[(*[slice(None)] * axis, at)]


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """``choices[a[k]][k]`` at each place `k`: as `numpy.choose`, without an `out`.

    `choices` is a list, or a tensor whose first axis counts them. TypeError for an `a` of floats.
    """

    a = as_tensor_variable(a)
    if np.dtype(a.dtype).kind not in "biu":
        raise TypeError(f"choose first argument must have an [u]int* dtype. Got {a.dtype}.")
    if out is not None:
        raise ValueError("choose() of symbolic variables takes no out")
    if isinstance(choices, (list, tuple)):
        choices = joining.stack(list(choices))
    choices = as_tensor_variable(choices)
    inner = choices.broadcastable[1:]
    ndim = max(a.ndim, len(inner))
    sides = [(True,) * (ndim - len(p)) + p for p in (a.broadcastable, inner)]
    kind = TensorType(choices.dtype, [all(p) for p in zip(*sides, strict=True)])
    return numpy_op("choose", (cast(a, "int64"), choices), {"mode": mode}, types=[kind])


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """The positions of the elements of `a` that are not zero: a vector an axis, or a matrix."""

    a = as_tensor_variable(a)
    if not a.ndim:
        raise ValueError("Nonzero only supports non-scalar arrays.")
    found = numpy_op("nonzero", (a,))
    vectors = tuple(found) if isinstance(found, (list, tuple)) else (found,)
    return joining.stack(list(vectors)) if return_matrix else vectors


def flatnonzero(a: Any) -> Any:
    """The positions of the elements of the ravel of `a` that are not zero."""

    return nonzero(basic.flatten(a))[0]


def nonzero_values(a: Any) -> Any:
    """The elements of `a` that are not zero."""

    flat = basic.flatten(a)
    return flat[nonzero(flat)[0]]


def __getattr__(name: str) -> Any:
    """Theano's module of this name has the classes of ops, too."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(sys.modules["tracejit.tensor"], name)


__all__ = [
    "choose",
    "flatnonzero",
    "inc_subtensor",
    "nonzero",
    "nonzero_values",
    "set_subtensor",
    "take",
]
