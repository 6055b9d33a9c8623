"""The host's function in machine code: three functions launch, read and write for it.

Their addresses, and what each kernel is, are in its last argument, `device`: so the code is for any
process. They return 0, or another number where something failed, which the function returns.

    launch(kernel, x, y, z, parameters)     a kernel over so many iterations; `parameters` point to
                                            its arguments
    fetch(address, size, where)             read so many bytes, when all launches are done
    put(address, size, where)               write them
    make(number, axes, size, where)         make memory of so many bytes, and put its address behind
                                            the lengths at `where`: for a result that late sizes are
                                            of, or, where the number is none, for a temporary
    call(number, parameters)                a call of a library's; `parameters` as of a launch
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array

from tracejit.cuda.source import CUDASource, LibraryCall
from tracejit.intrinsics import elements
from tracejit.intrinsics.build import Builder, Value
from tracejit.intrinsics.function import Built, compiled
from tracejit.lower.kernel.statements import Call, Element, Store
from tracejit.native.parameters import Array, Signature

#: What the function returns where the device failed.
FAILED = 4
#: Where `device` has the functions, and from where on the kernels.
LAUNCH, FETCH, PUT, MAKE, CALL, KERNELS = 0, 1, 2, 3, 4, 5
#: What moves whole arrays: ``fetched(here, there)``, and back.
_WHOLE = {"fetched": FETCH, "put_back": PUT}
#: Its type.
DEVICE = Array(np.dtype(np.int64), 1, "C", readonly=True)
_INT, _BYTES = ir.IntType(64), ir.IntType(8).as_pointer()
_CODE = ir.IntType(32)


def host_function(
    name: str, source: CUDASource, functions: Mapping[str, Any], signature: Signature
) -> Built:
    """The host's function of a source, for one signature; `device` comes last."""

    def body(typingctx: Any, context: Any, b: ir.IRBuilder, arguments: list[Value]) -> None:
        HostBuilder(context, typingctx, b, source, functions, arguments).build()

    return compiled(name, signature, body)


class HostBuilder(Builder):
    """Builds the host's function: elements that it reads are in the device's memory."""

    def __init__(
        self,
        context: Any,
        typingctx: Any,
        b: ir.IRBuilder,
        source: CUDASource,
        functions: Mapping[str, Any],
        arguments: Sequence[Value],
    ) -> None:
        super().__init__(context, typingctx, b, source.kernel, functions, arguments)
        self.source = source
        self.numbers = {name: k for k, name in enumerate(source.kernels)}

    def _called(self, e: Call) -> Value:
        if e.function in self.numbers:
            return self._launched(e)
        made = self.kernel.factories.get(e.function)
        if made is not None and made.function == "made":
            char, ndim = made.arguments
            return self._made(str(char), int(ndim), e)
        if e.function in _WHOLE:
            return self._moved(_WHOLE[e.function], e)
        return super()._called(e)

    def _made(self, char: str, ndim: int, e: Call) -> Value:
        """An array in memory that is made here: its number and its lengths are given."""
        b, ty = self.b, types.Array(elements.element_type(char), ndim, "C")
        number, *lengths = (self.value(o)[1] for o in e.operands)
        size = np.dtype(char).itemsize
        strides: list[ir.Value] = [_INT(size)]
        for length in reversed(lengths):
            strides.insert(0, b.mul(strides[0], length))
        with b.goto_entry_block():
            places = b.alloca(ir.ArrayType(_INT, ndim + 1))
        for k, length in enumerate(lengths):
            b.store(length, b.gep(places, [_CODE(0), _CODE(k)]))
        self._ask(MAKE, number, _INT(ndim), strides[0], b.bitcast(places, _BYTES))
        address = b.load(b.gep(places, [_CODE(0), _CODE(ndim)]))
        array = self.context.make_array(ty)(self.context, b)
        populate_array(
            array,
            data=b.inttoptr(address, array.data.type),
            shape=cgutils.pack_array(b, lengths, _INT),
            strides=cgutils.pack_array(b, strides[1:], _INT),
            itemsize=self.context.get_constant(types.intp, size),
            meminfo=None,
        )
        return ty, array._getvalue()

    def _moved(self, number: int, e: Call) -> Value:
        """All elements of an array of the host's, from or to one of the device's; without gaps."""
        b, (here, there) = self.b, (self.value(o) for o in e.operands)
        arrays = [self.context.make_array(ty)(self.context, b, v) for ty, v in (here, there)]
        size = b.mul(arrays[0].nitems, arrays[0].itemsize)
        own, address = b.bitcast(arrays[0].data, _BYTES), b.ptrtoint(arrays[1].data, _INT)
        with b.if_then(b.icmp_signed(">", size, _INT(0))):
            self._ask(number, address, size, own)
        return types.boolean, ir.Constant(ir.IntType(1), 0)

    def _launched(self, e: Call) -> Value:
        counts = [self.value(o)[1] for o in e.operands[:3]]
        parameters: list[ir.Value] = []
        kinds = self.source.kernels[e.function].kinds
        for operand, kind in zip(e.operands[3:], kinds, strict=True):
            parameters += self._parameters(*self.value(operand), kind.layout)
        b = self.b
        with b.goto_entry_block():
            pointers = b.alloca(ir.ArrayType(_BYTES, max(len(parameters), 1)))
            places = [b.alloca(p.type) for p in parameters]
        for k, (parameter, place) in enumerate(zip(parameters, places, strict=True)):
            b.store(parameter, place)
            where = b.gep(pointers, [_CODE(0), _CODE(k)])
            b.store(b.bitcast(place, _BYTES), where)
        kernel = self._of_device(KERNELS + self.numbers[e.function])
        if isinstance(self.source.kernels[e.function], LibraryCall):
            self._ask(CALL, kernel, b.bitcast(pointers, _BYTES))
        else:
            self._ask(LAUNCH, kernel, *counts, b.bitcast(pointers, _BYTES))
        return types.boolean, ir.Constant(ir.IntType(1), 0)

    def _parameters(self, ty: Any, value: ir.Value, layout: str) -> list[ir.Value]:
        """The parameters of a kernel that an argument is: an array has strides where it may gap."""
        if not isinstance(ty, types.Array):
            return [self.context.data_model_manager[ty].as_data(self.b, value)]
        array = self.context.make_array(ty)(self.context, self.b, value)
        found = [self.b.ptrtoint(array.data, _INT)]
        for several in (array.shape, array.strides):
            found += [self.b.extract_value(several, k) for k in range(ty.ndim)]
        return found[: 1 + ty.ndim * (1 if layout == "C" else 2)]

    def _element(self, e: Element) -> Value:
        ty, address, place = self._place(e)
        self._move(FETCH, address, place)
        model = self.context.data_model_manager[ty.dtype]
        return ty.dtype, model.from_data(self.b, self.b.load(place))

    def _store(self, s: Store) -> None:
        ty, address, place = self._place(s.element)
        model = self.context.data_model_manager[ty.dtype]
        self.b.store(model.as_data(self.b, self.value(s.value)[1]), place)
        self._move(PUT, address, place)

    def _place(self, e: Element) -> tuple[Any, ir.Value, ir.Value]:
        """An array's type, where an element of it is on the device, and memory here for one."""
        ty, array = self.value(e.array)
        index = tuple(self.value(i)[1] for i in e.index)
        address = elements.element_address(self.context, self.b, ty, array, index, False)
        with self.b.goto_entry_block():
            return ty, address, self.b.alloca(address.type.pointee)

    def _move(self, number: int, address: ir.Value, place: ir.Value) -> None:
        size = self.context.get_abi_sizeof(address.type.pointee)
        at = self.b.ptrtoint(address, _INT)
        self._ask(number, at, _INT(size), self.b.bitcast(place, _BYTES))

    def _of_device(self, number: int) -> ir.Value:
        ty, device = self.env["device"]
        array = self.context.make_array(ty)(self.context, self.b, device)
        return self.b.load(self.b.gep(array.data, [_INT(number)]))

    def _ask(self, number: int, *operands: ir.Value) -> None:
        """Call one of the functions, and leave where it fails."""
        b = self.b
        kind = ir.FunctionType(_CODE, [o.type for o in operands])
        code = b.call(b.inttoptr(self._of_device(number), kind.as_pointer()), operands)
        with b.if_then(b.icmp_unsigned("!=", code, _CODE(0)), likely=False):
            self.leave(_INT(FAILED))


HostBuilder.statement_of = {**Builder.statement_of, Store: HostBuilder._store}
HostBuilder.expression_of = {
    **Builder.expression_of,
    Call: HostBuilder._called,
    Element: HostBuilder._element,
}
