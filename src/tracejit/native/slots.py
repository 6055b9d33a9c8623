"""The arguments of a program in its instructions: read from slots of memory, and put into them.

A function takes all of them by one pointer. As Numba would pass them, an array is seven arguments
or more, and for a few hundred of these LLVM takes minutes: its time grows with the cube of their
number.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.np.numpy_support import from_dtype

from tracejit.native.parameters import Array, Parameter, Signature

INT, BYTES = ir.IntType(64), ir.IntType(8).as_pointer()


def type_of(parameter: Parameter) -> Any:
    """The Numba type of an argument."""
    kind = from_dtype(parameter.dtype)
    if not isinstance(parameter, Array):
        return kind
    layout: Any = parameter.layout
    return types.Array(kind, parameter.ndim, layout, readonly=parameter.readonly)


def load(context: Any, b: ir.IRBuilder, signature: Signature, place: ir.Value) -> list[ir.Value]:
    """The arguments of a signature from the slots at `place`, a pointer to int64.

    Nobody counts references to arrays: the caller has one for as long as the call takes.
    """
    values = []
    at = 0
    for parameter in signature:
        ty = type_of(parameter)
        if isinstance(parameter, Array):
            fields = [b.load(b.gep(place, [INT(at + k)])) for k in range(parameter.slots)]
            values.append(_array(context, b, ty, parameter.dtype.itemsize, fields))
        else:
            kind = context.get_data_type(ty).as_pointer()
            value = b.bitcast(b.gep(place, [INT(at)]), kind)
            values.append(context.unpack_value(b, ty, value))
        at += parameter.slots
    return values


def _array(
    context: Any, b: ir.IRBuilder, ty: Any, itemsize: int, fields: list[ir.Value]
) -> ir.Value:
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
        (INT(itemsize), model.get_field_position("itemsize")),
        *((length, [shape, k]) for k, length in enumerate(lengths)),
        *((stride, [strides, k]) for k, stride in enumerate(fields[1 + ty.ndim :])),
    ]
    for part, where in parts:
        array = b.insert_value(array, part, where)
    return array


def store(
    context: Any,
    b: ir.IRBuilder,
    signature: Signature,
    place: ir.Value,
    values: list[ir.Value],
) -> None:
    """Put the arguments of a signature into the slots at `place`."""
    at = 0
    for parameter, value in zip(signature, values, strict=True):
        ty, here = type_of(parameter), b.gep(place, [INT(at)])
        if isinstance(parameter, Array):
            array = context.make_array(ty)(context, b, value)
            parts = [cgutils.unpack_tuple(b, t, ty.ndim) for t in (array.shape, array.strides)]
            for k, field in enumerate([b.ptrtoint(array.data, INT), *parts[0], *parts[1]]):
                b.store(field, b.gep(here, [INT(k)]))
        else:
            context.pack_value(
                b, ty, value, b.bitcast(here, context.get_data_type(ty).as_pointer())
            )
        at += parameter.slots
