"""Threads of a block that work together: their numbers, memory that they share, and barriers.

    thread(), threads()        the number of a thread in its block, and how many there are
    group(), groups()          the number of a block in its grid, and how many there are
    together()                 go on when all threads of the block are here, and see what they wrote
    shared(char, count)()      an array of so many elements, which the threads of a block share
    over_threads(n)            a loop whose iterations the threads of a block share
    over_groups(n)             one whose iterations the blocks of the grid share; all threads of a
                               block go through the same ones, and may wait for each other inside

Blocks that work together have threads along their first axis only.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array

from tracejit.intrinsics import structure
from tracejit.intrinsics.define import define
from tracejit.intrinsics.elements import element_type
from tracejit.intrinsics.grid import register

#: The address space of memory that a block shares.
_SHARED = 3
_INT = ir.IntType(64)
_NOTHING = ir.Constant(ir.IntType(1), 0)


def _number(name: str, of: str) -> Any:
    return define(name, 0, lambda: types.int64, lambda b, tys: register(b, of), all_types=True)


thread, threads = _number("thread", "tid.x"), _number("threads", "ntid.x")
group, groups = _number("group", "ctaid.x"), _number("groups", "nctaid.x")


def shared_memory(b: ir.IRBuilder, element: ir.Type, count: int) -> ir.Value:
    """The address of so many elements that the threads of a block share."""
    number = sum(v.name.startswith("shared") for v in b.module.global_values)
    kind = ir.ArrayType(element, count)
    memory = ir.GlobalVariable(b.module, kind, f"shared{number}", _SHARED)
    memory.linkage, memory.align = "internal", 16
    memory.initializer = ir.Constant(kind, ir.Undefined)
    first = b.gep(memory, [_INT(0), _INT(0)])
    return b.addrspacecast(first, element.as_pointer())


def wait_for_block(b: ir.IRBuilder) -> None:
    """Go on when all threads of the block are here, and see what they have stored."""
    kind = ir.FunctionType(ir.VoidType(), ())
    function = b.module.declare_intrinsic("llvm.nvvm.barrier0", (), kind)
    set.add(function.attributes, "convergent")  # llvmlite does not know it
    b.call(function, ())


def _together(b: ir.IRBuilder, tys: Any) -> ir.Value:
    wait_for_block(b)
    return _NOTHING


together = define("together", 0, lambda: types.boolean, _together, all_types=True)


@functools.cache
def shared(char: str, count: int) -> Any:
    """The intrinsic ``shared()``: an array of `count` elements, without values, of a block."""
    made = types.Array(element_type(char), 1, "C")
    size = np.dtype(char).itemsize

    def emit(context: Any, b: ir.IRBuilder, tys: Any) -> ir.Value:
        array = context.make_array(made)(context, b)
        populate_array(
            array,
            data=shared_memory(b, context.get_data_type(made.dtype), count),
            shape=cgutils.pack_array(b, [_INT(count)], _INT),
            strides=cgutils.pack_array(b, [_INT(size)], _INT),
            itemsize=context.get_constant(types.intp, size),
            meminfo=None,
        )
        return array._getvalue()

    return define(f"shared[{char}]", 0, lambda: made, emit, all_types=True, with_context=True)


def _loop(name: str, first: str, step: str) -> Any:
    def emit(b: ir.IRBuilder, ty: Any, count: ir.Value) -> ir.Value:
        at, by = register(b, first), register(b, step)
        return structure.begin(b, count, guarded=True, first=at, step=by)

    return define(name, 1, lambda n: types.int64 if n == types.int64 else None, emit)


#: Loops by the name that a kernel has for them.
LOOPS = {
    "over_threads": _loop("over_threads", "tid.x", "ntid.x"),
    "over_groups": _loop("over_groups", "ctaid.x", "nctaid.x"),
}

__all__ = ["LOOPS", "group", "groups", "shared", "thread", "threads", "together"]
