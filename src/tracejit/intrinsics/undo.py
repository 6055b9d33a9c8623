"""Undo logs: where a kernel has written into an array, and what was there.

A log has its entries in memory that grows. From a quarter as many on as the array has elements, a
copy is made of what that was, and nothing is noted any longer: before the first write, if it is
known that there are so many.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_address
from tracejit.intrinsics.temporary import allocator, hold, release

_INT, _CODE, _BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
#: Where the next entry goes, and where there is no room left; the entries; the copy.
_LOG = ir.LiteralStructType([_BYTES] * 4)
_NEXT, _END, _ENTRIES, _COPY = range(4)
#: What asking for room gives: there is some, none is needed, no memory is left.
_ROOM, _COPIED, _FAILED = (_CODE(k) for k in range(3))
#: Entries at first; and of an array of how many elements there are as many, at most.
_FIRST, _PART = 64, 4
_NULL, _NOTHING = ir.Constant(_BYTES, None), ir.Constant(ir.IntType(1), 0)


def _open(context: Any, b: ir.IRBuilder, tys: Any, array: ir.Value, count: ir.Value) -> ir.Value:
    with b.goto_entry_block():
        log = b.alloca(_LOG)
        b.store(ir.Constant(_LOG, None), log)
        for k in (_ENTRIES, _COPY):
            hold(b, _at(b, log, k))
    nitems = context.make_array(tys[0])(context, b, array).nitems
    few = _greater(b, b.udiv(nitems, _INT(_PART)), _INT(_FIRST))
    with b.if_then(b.icmp_signed(">", count, few)):
        _find_room(context, b, tys[0], log, array, copied=True)
    return b.bitcast(log, _BYTES)


#: ``undo_log(array, count)``: a log in which there is nothing, for so many writes or more.
undo_log = define(
    "undo_log",
    2,
    lambda array, count: types.voidptr if isinstance(array, types.Array) else None,
    _open,
    all_types=True,
    with_context=True,
)


def _notes(b: ir.IRBuilder, ty: Any, log: ir.Value) -> ir.Value:
    copy = b.load(_at(b, b.bitcast(log, _LOG.as_pointer()), _COPY))
    return cgutils.is_null(b, copy)


#: ``undo_notes(log)``: whether notes are taken, when nothing has been written.
undo_notes = define(
    "undo_notes", 1, lambda log: types.boolean if log == types.voidptr else None, _notes
)


@functools.cache
def undo_note(ndim: int) -> Any:
    """The intrinsic ``undo_note(log, array, view, *index)``: take note of an element of a view."""

    def result(log: Any, array: Any, view: Any, *index: Any) -> Any:
        arrays = all(isinstance(ty, types.Array) for ty in (array, view))
        fits = log == types.voidptr and arrays and view.ndim == ndim and view.dtype == array.dtype
        return types.boolean if fits and all(ty == types.int64 for ty in index) else None

    return define(f"undo_note_{ndim}", 3 + ndim, result, _note, all_types=True, with_context=True)


def _note(
    context: Any,
    b: ir.IRBuilder,
    tys: Any,
    log: ir.Value,
    array: ir.Value,
    view: ir.Value,
    *index: ir.Value,
) -> ir.Value:
    address = element_address(context, b, tys[2], view, index, False)
    log = b.bitcast(log, _LOG.as_pointer())
    entry = _entry(address.type)
    place, end = b.load(_at(b, log, _NEXT)), b.load(_at(b, log, _END))
    before = b.block
    ask, note, after = (b.append_basic_block(f"undo.{part}") for part in ("ask", "note", "after"))
    full = b.append_basic_block("undo.full")
    likely = b.cbranch(b.icmp_unsigned("<", place, end), note, ask)
    likely.set_weights([99, 1])
    b.position_at_end(ask)  # where there is a copy, what comes next is past the end
    b.cbranch(b.icmp_unsigned("==", place, end), full, after)
    b.position_at_end(full)
    code = _find_room(context, b, tys[1], log, array, copied=False)
    new = b.load(_at(b, log, _NEXT))
    given = b.block
    b.cbranch(b.icmp_unsigned("==", code, _ROOM), note, after)
    b.position_at_end(note)
    free = b.phi(_BYTES)
    free.add_incoming(place, before)
    free.add_incoming(new, given)
    at = b.bitcast(free, entry.as_pointer())
    b.store(address, _at(b, at, 0))
    b.store(b.load(address), _at(b, at, 1))
    b.store(b.bitcast(b.gep(at, [_INT(1)]), _BYTES), _at(b, log, _NEXT))
    b.branch(after)
    b.position_at_end(after)
    return _NOTHING


def _find_room(
    context: Any, b: ir.IRBuilder, ty: Any, log: ir.Value, array: ir.Value, copied: bool
) -> ir.Value:
    """Make room for an entry, or a copy in place of all; MemoryError where there is none."""
    more = _function(context, b, ty, array.type, _CODE, _copied if copied else _more)
    code = b.call(more, [log, array])
    with b.if_then(b.icmp_unsigned("==", code, _FAILED), likely=False):
        b.call(_function(context, b, ty, array.type, ir.VoidType(), _undone), [log, array])
        release(b)
        context.call_conv.return_user_exc(b, MemoryError, ("no memory for an undo log",))
    return code


def _undo(context: Any, b: ir.IRBuilder, tys: Any, log: ir.Value, array: ir.Value) -> ir.Value:
    function = _function(context, b, tys[1], array.type, ir.VoidType(), _undone)
    b.call(function, [b.bitcast(log, _LOG.as_pointer()), array])
    return _NOTHING


#: ``undo(log, array)``: put back what the array had.
undo = define(
    "undo",
    2,
    lambda log, array: types.boolean if isinstance(array, types.Array) else None,
    _undo,
    all_types=True,
    with_context=True,
)

# Functions for all places of a kernel ------------------------------------------------------------

_Emit = Callable[["_Log"], None]


def _function(
    context: Any, b: ir.IRBuilder, ty: Any, kind: ir.Type, returned: ir.Type, emit: _Emit
) -> ir.Function:
    """The function of a log and an array of a type, which `emit` gives its instructions."""
    name = f"tracejit.undo.{emit.__name__}.{ty}"
    found = b.module.globals.get(name)
    if found is None:
        type_ = ir.FunctionType(returned, [_LOG.as_pointer(), kind])
        found = ir.Function(b.module, type_, name)
        found.linkage = "internal"
        found.attributes.add("noinline")
        emit(_Log(context, ty, found))
    return found


class _Log:
    """A log and its array, in a function of these."""

    def __init__(self, context: Any, ty: Any, function: ir.Function) -> None:
        self.context, self.ty = context, ty
        self.b = ir.IRBuilder(function.append_basic_block())
        self.log, array = function.args
        self.array = context.make_array(ty)(context, self.b, array)
        self.entry = _entry(self.array.data.type)
        self.size = _INT(context.get_abi_sizeof(self.entry))

    def load(self, k: int) -> ir.Value:
        return self.b.load(_at(self.b, self.log, k))

    def store(self, k: int, value: ir.Value) -> None:
        self.b.store(value, _at(self.b, self.log, k))

    def count(self) -> ir.Value:
        """How many entries there are."""
        b = self.b
        ends = (b.ptrtoint(self.load(k), _INT) for k in (_NEXT, _ENTRIES))
        return b.udiv(b.sub(*ends), self.size)

    def put_back(self, exchanged: bool = False, backwards: bool = True) -> None:
        """Give each place what its entry has; the entry gets what was there, if `exchanged`."""
        b, count = self.b, self.count()
        first = b.bitcast(self.load(_ENTRIES), self.entry.as_pointer())
        with cgutils.for_range(b, count) as loop:
            index = b.sub(b.sub(count, loop.index), _INT(1)) if backwards else loop.index
            at = b.gep(first, [index])
            place, kept = b.load(_at(b, at, 0)), _at(b, at, 1)
            value = b.load(kept)
            if exchanged:
                b.store(b.load(place), kept)
            b.store(value, place)

    def copy(self, where: ir.Value, back: bool) -> None:
        """Copy all elements to memory, or from there."""
        b, array = self.b, self.array
        memory = b.bitcast(where, array.data.type)
        shape, strides = (cgutils.unpack_tuple(b, t) for t in (array.shape, array.strides))
        counter = cgutils.alloca_once_value(b, _INT(0))
        with cgutils.loop_nest(b, shape, _INT) as index:
            element = cgutils.get_item_pointer2(
                self.context, b, array.data, shape, strides, self.ty.layout, index
            )
            number = b.load(counter)
            ends: Sequence[ir.Value] = (element, b.gep(memory, [number]))
            source, target = reversed(ends) if back else ends
            b.store(b.load(source), target)
            b.store(b.add(number, _INT(1)), counter)


def _more(at: _Log) -> None:
    """Find room for an entry, or make a copy of what the array was."""
    b, count = at.b, at.count()
    quarter = b.udiv(at.array.nitems, _INT(_PART))
    with b.if_then(b.icmp_unsigned("<", count, _greater(b, quarter, _INT(_FIRST)))):
        size = b.mul(_greater(b, b.shl(count, _INT(1)), _INT(_FIRST)), at.size)
        room = b.call(allocator(b, "tracejit_realloc"), [at.load(_ENTRIES), size])
        with b.if_then(cgutils.is_not_null(b, room)):
            at.store(_ENTRIES, room)
            at.store(_NEXT, b.gep(room, [b.mul(count, at.size)]))
            at.store(_END, b.gep(room, [size]))
            b.ret(_ROOM)
    _copied(at)


def _copied(at: _Log) -> None:
    """Make a copy of what the array was, from the entries that there are."""
    b = at.b
    bytes_ = b.mul(at.array.nitems, at.array.itemsize)
    memory = b.call(allocator(b, "tracejit_malloc"), [bytes_])
    with b.if_then(cgutils.is_null(b, memory)):
        b.ret(_FAILED)
    at.put_back(exchanged=True)
    at.copy(memory, back=False)
    at.put_back(exchanged=True, backwards=False)
    b.call(allocator(b, "tracejit_free"), [at.load(_ENTRIES)])
    at.store(_ENTRIES, _NULL)
    at.store(_COPY, memory)
    at.store(_NEXT, b.inttoptr(_INT(1), _BYTES))
    at.store(_END, _NULL)
    b.ret(_COPIED)


def _undone(at: _Log) -> None:
    """Put back what the array had."""
    b, copy = at.b, at.load(_COPY)
    with b.if_else(cgutils.is_null(b, copy)) as (noted, copied):
        with noted:
            at.put_back()
        with copied:
            at.copy(copy, back=True)
    b.ret_void()


def _entry(address: ir.Type) -> ir.Type:
    """An entry of a log: the place of an element, and what was there."""
    return ir.LiteralStructType([address, address.pointee])


def _at(b: ir.IRBuilder, struct: ir.Value, field: int) -> ir.Value:
    return b.gep(struct, [_CODE(0), _CODE(field)], inbounds=True)


def _greater(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.icmp_unsigned(">", x, y), x, y)
