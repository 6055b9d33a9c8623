"""The host's function in machine code: three functions launch, read and write for it.

Their addresses, and what each kernel is, are in its last argument, `device`: so the code is for any
process. They return 0, or another number where something failed, which the function returns.

    launch(kernel, blocks, threads, …)      the driver's own cuLaunchKernel: a kernel over a grid
                                            of blocks of threads, in a stream
    enter(context)                          the driver's own cuCtxSetCurrent, which comes first
    fetch(address, size, where)             read so many bytes, when all launches are done
    put(address, size, where)               write them
    make(number, axes, size, where)         make memory of so many bytes, and put its address behind
                                            the lengths at `where`: for a result that late sizes are
                                            of, or, where the number is none, for a temporary
    call(number, parameters, answer)        a call of a library's; `parameters` as of a launch, and
                                            a byte: whether NumPy has to be asked
    flush()                                 launch what has been noted

Where `device` has the address of a record, and all that a program does is to launch, launches are
noted there, in words: its own number, the grid and the block, and the values of its parameters.
(`device/graphs.py` launches them.)
"""

from __future__ import annotations

import functools
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

#: What the function returns where the device failed, beside the code in the bits above.
FAILED, CODE_BITS = 4, 8
#: Threads of a block, the most blocks of a grid along its first axis, and along the others.
THREADS, BLOCKS, ROWS = 256, 1 << 16, 1 << 12
#: Where `device` has the functions, the stream, and from where on the kernels.
LAUNCH, FETCH, PUT, MAKE, CALL, STREAM, ENTER, CONTEXT, FLUSH, RECORD, KERNELS = range(11)
#: The words of a record: how many are in use, how many there are, and then those of launches. Of
#: each, what comes before the parameters.
USED, ROOM, FIRST, HEAD = 0, 1, 2, 7
#: What moves whole arrays: ``fetched(here, there)``, and back.
_WHOLE = {"fetched": FETCH, "put_back": PUT}
#: The bytes of a word.
WORD = 8
#: The type of `device`.
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
        self.notes = source.is_replayable()

    def build(self) -> None:
        """Build the function: the device's context belongs to a thread, and it may be any."""
        self._ask(ENTER, self._of_device(CONTEXT))
        super().build()

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
        b, number = self.b, self.numbers[e.function]
        made = self.source.kernels[e.function]
        with b.goto_entry_block():
            pointers = b.alloca(ir.ArrayType(_BYTES, max(len(parameters), 1)))
            places = [b.alloca(p.type) for p in parameters]
        for k, (parameter, place) in enumerate(zip(parameters, places, strict=True)):
            b.store(parameter, place)
            where = b.gep(pointers, [_CODE(0), _CODE(k)])
            b.store(b.bitcast(place, _BYTES), where)
        nothing = types.boolean, ir.Constant(ir.IntType(1), 0)
        if isinstance(made, LibraryCall):
            kernel = self._of_device(KERNELS + number)
            with b.goto_entry_block():
                answer = b.alloca(ir.IntType(8))
            self._ask(CALL, kernel, b.bitcast(pointers, _BYTES), answer)
            return types.boolean, b.trunc(b.load(answer), ir.IntType(1))
        some = functools.reduce(b.and_, [b.icmp_signed(">", n, _INT(0)) for n in counts])
        with b.if_then(some, likely=True):
            grid = grid_of(b, counts, made.threads)
            if not self.notes:
                self._launch(number, grid, b.bitcast(pointers, _BYTES))
                return nothing
            record = self._of_device(RECORD)
            with b.if_else(b.icmp_unsigned("!=", record, _INT(0))) as (later, now):
                with later:
                    self._note(record, made.sizes(), (_INT(number), *grid), parameters)
                with now:
                    self._launch(number, grid, b.bitcast(pointers, _BYTES))
        return nothing

    def _launch(self, number: int, grid: Sequence[ir.Value], parameters: ir.Value) -> None:
        """Launch a kernel over a grid."""
        shape = [self.b.trunc(n, _CODE) for n in (*grid, _INT(0))]
        kernel, stream = self._of_device(KERNELS + number), self._of_device(STREAM)
        self._ask(LAUNCH, kernel, *shape, stream, parameters, ir.Constant(_BYTES, None))

    def _note(
        self,
        record: ir.Value,
        sizes: Sequence[int],
        head: Sequence[ir.Value],
        parameters: Sequence[ir.Value],
    ) -> None:
        """Note a launch with parameters of these sizes, behind those that have been noted."""
        b, offsets = self.b, offsets_of(sizes)
        record = b.inttoptr(record, _INT.as_pointer())
        used = b.gep(record, [_INT(USED)])
        end = b.add(b.load(used), _INT(offsets[-1]))
        with b.if_then(b.icmp_signed(">", end, b.load(b.gep(record, [_INT(ROOM)]))), likely=False):
            self._ask(FLUSH)
        start = b.load(used)
        for k, word in enumerate(head):
            b.store(word, b.gep(record, [b.add(start, _INT(k))]))
        for parameter, offset, size in zip(parameters, offsets, sizes, strict=False):
            place = b.gep(record, [b.add(start, _INT(offset))])
            if size < WORD:
                b.store(_INT(0), place)
            b.store(parameter, b.bitcast(place, parameter.type.as_pointer()))
        b.store(b.add(start, _INT(offsets[-1])), used)

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
        if self.notes:
            noted = self.b.icmp_unsigned("!=", self._of_device(RECORD), _INT(0))
            with self.b.if_then(noted):
                self._ask(FLUSH)
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
            told = b.shl(b.zext(code, _INT), _INT(CODE_BITS))
            self.leave(b.or_(told, _INT(FAILED)))


def offsets_of(sizes: Sequence[int]) -> list[int]:
    """In words of a record, where a launch has its parameters of these sizes, and where it ends.

    >>> offsets_of([8, 16, 1])
    [7, 8, 10, 11]
    """
    found = [HEAD]
    for size in sizes:
        found.append(found[-1] - -size // WORD)
    return found


def grid_of(b: ir.IRBuilder, counts: Sequence[ir.Value], threads: int) -> list[ir.Value]:
    """The blocks of a grid along each axis, and then the threads of a block.

    `counts` are the iterations along each axis; or, where blocks have so many `threads`, how many
    blocks. For 1,000 iterations there are 4 blocks of 256 threads, for 3 × 100,000 there are
    1 × 1,563 of 4 × 64.
    """
    one, most = _INT(1), ir.FunctionType(_INT, [_INT, ir.IntType(1)])

    def least(x: ir.Value, y: ir.Value) -> ir.Value:
        return b.select(b.icmp_signed("<", x, y), x, y)

    def bits(n: ir.Value) -> ir.Value:
        """How many bits number this many iterations."""
        zeros = cgutils.get_or_insert_function(b.module, most, "llvm.ctlz.i64")
        return b.sub(_INT(64), b.call(zeros, [b.sub(n, one), ir.Constant(ir.IntType(1), 0)]))

    def blocks(n: ir.Value, shift: ir.Value, limit: int) -> ir.Value:
        whole = b.add(n, b.sub(b.shl(one, shift), one))
        return least(b.ashr(whole, shift), _INT(limit))

    x, y, z = counts
    if threads:
        return [least(x, _INT(BLOCKS)), one, one, _INT(threads), one, one]
    width = least(bits(x), _INT(THREADS.bit_length() - 1))
    height = least(bits(y), b.sub(_INT(THREADS.bit_length() - 1), width))
    grid = [blocks(x, width, BLOCKS), blocks(y, height, ROWS), least(z, _INT(ROWS))]
    return [*grid, b.shl(one, width), b.shl(one, height), one]


HostBuilder.statement_of = {**Builder.statement_of, Store: HostBuilder._store}
HostBuilder.expression_of = {
    **Builder.expression_of,
    Call: HostBuilder._called,
    Element: HostBuilder._element,
}
