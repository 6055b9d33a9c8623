"""The arguments of a program: which objects they may be, and how they lie in memory: in slots of
eight bytes, one argument's after another's.

An array is its data, lengths and strides, a complex number two floating ones. A function takes all
of them by one pointer. As Numba would pass them, an array is seven arguments or more, and for a few
hundred of these LLVM takes minutes: its time grows with the cube of their number.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.numpy_support import as_dtype

INT, BYTES = ir.IntType(64), ir.IntType(8).as_pointer()


def slots(ty: Any) -> int:
    """How many slots an argument of this type has."""
    return 1 + 2 * ty.ndim if isinstance(ty, types.Array) else -(-as_dtype(ty).itemsize // 8)


def total(signature: tuple[Any, ...]) -> int:
    """How many slots the arguments of a signature have."""
    return sum(map(slots, signature))


def load(
    context: Any, b: ir.IRBuilder, signature: tuple[Any, ...], place: ir.Value
) -> list[ir.Value]:
    """The arguments of a signature from the slots at `place`, a pointer to int64.

    Nobody counts references to arrays: the caller has one for as long as the call takes.
    """
    values = []
    at = 0
    for ty in signature:
        if isinstance(ty, types.Array):
            fields = [b.load(b.gep(place, [INT(at + k)])) for k in range(slots(ty))]
            values.append(_array(context, b, ty, fields))
        else:
            kind = context.get_data_type(ty).as_pointer()
            value = b.bitcast(b.gep(place, [INT(at)]), kind)
            values.append(context.unpack_value(b, ty, value))
        at += slots(ty)
    return values


def _array(context: Any, b: ir.IRBuilder, ty: Any, fields: list[ir.Value]) -> ir.Value:
    """Numba's record of an array, in registers: by way of memory it is 30 instructions."""
    model = context.data_model_manager[ty]
    kind = model.get_value_type()
    data, shape, strides = map(model.get_field_position, ("data", "shape", "strides"))
    lengths = fields[1 : 1 + ty.ndim]
    items = functools.reduce(lambda n, k: b.mul(n, k, flags=("nsw",)), lengths, INT(1))
    array = ir.Constant(kind, None)
    parts = [
        (b.inttoptr(fields[0], kind.elements[data]), data),
        (items, model.get_field_position("nitems")),
        (INT(as_dtype(ty.dtype).itemsize), model.get_field_position("itemsize")),
        *((length, [shape, k]) for k, length in enumerate(lengths)),
        *((stride, [strides, k]) for k, stride in enumerate(fields[1 + ty.ndim :])),
    ]
    for part, where in parts:
        array = b.insert_value(array, part, where)
    return array


def store(
    context: Any,
    b: ir.IRBuilder,
    signature: tuple[Any, ...],
    place: ir.Value,
    values: list[ir.Value],
) -> None:
    """Put the arguments of a signature into the slots at `place`."""
    at = 0
    for ty, value in zip(signature, values, strict=True):
        here = b.gep(place, [INT(at)])
        if isinstance(ty, types.Array):
            array = context.make_array(ty)(context, b, value)
            parts = [cgutils.unpack_tuple(b, t, ty.ndim) for t in (array.shape, array.strides)]
            for k, field in enumerate([b.ptrtoint(array.data, INT), *parts[0], *parts[1]]):
                b.store(field, b.gep(here, [INT(k)]))
        else:
            context.pack_value(
                b, ty, value, b.bitcast(here, context.get_data_type(ty).as_pointer())
            )
        at += slots(ty)


# Objects ----------------------------------------------------------------------------------------

#: Flags of an array.
_C, _F, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400
#: Which flags tell a layout, and which of them are set: what is contiguous both ways is C.
_LAYOUTS = {"C": (_C, _C), "F": (_C | _F, _F), "A": (_C | _F, 0)}
#: Every type of number: NumPy's, and Python's with how each is read.
_NUMBERS: list[type] = [np.dtype(char).type for char in np.typecodes["All"] if char not in "SUV"]
PYTHONS: dict[type, int] = {int: 1, float: 2, complex: 3, bool: 4}
#: What is raised where there are more arguments or fewer.
OTHER_ARGUMENTS = "an entry takes other arguments"


def dtype_of(ty: Any) -> np.dtype[Any]:
    """The dtype of an argument, or of its elements."""
    found: np.dtype[Any] = as_dtype(ty.dtype if isinstance(ty, types.Array) else ty)
    return found


def classes(dtype: np.dtype[Any]) -> list[type]:
    """NumPy's type of scalars of this dtype: of C's two integers of 64 bits one is another."""
    return [cls for cls in _NUMBERS if np.dtype(cls).num == dtype.num]


def flags_of(ty: Any) -> tuple[int, int]:
    """Which flags of an array are looked at, and which of them it has."""
    mask, flags = _LAYOUTS[ty.layout]
    wanted = flags | _ALIGNED | (_WRITEABLE if ty.mutable else 0)
    return mask | _ALIGNED | _WRITEABLE, wanted
