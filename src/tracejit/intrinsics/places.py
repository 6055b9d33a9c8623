"""Places: names that a kernel assigns more than once, as memory that LLVM turns into registers."""

from __future__ import annotations

import functools
import inspect
import math
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.intrinsics.partial import ORDERED, PARTIAL, Partial, Update, partial_numbers
from tracejit.intrinsics.structure import EXTREMES, innermost

_NOTHING = ir.Constant(ir.IntType(1), 0)
#: What LLVM's vectoriser knows as a reduction.
_REDUCTIONS = EXTREMES.keys() | ORDERED | {"imax", "imin", "logical_or", "logical_and", "bit_or"}


class Place(types.Type):
    """Memory for one value, which LLVM turns into registers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"Place({dtype})")


@intrinsic
def place(typingctx: Any, value: Any) -> Any:
    """A new place that holds `value`."""
    result = Place(types.unliteral(value))

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            address = builder.alloca(args[0].type)
        builder.store(args[0], address)
        return address

    return result(result.dtype), codegen


@intrinsic
def get(typingctx: Any, where: Any) -> Any:
    """What a place holds."""
    return where.dtype(where), lambda context, builder, signature, args: builder.load(args[0])


@intrinsic
def put(typingctx: Any, where: Any, value: Any) -> Any:
    """Let a place hold `value`."""
    if where.dtype != types.unliteral(value):
        return None

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        _note(builder, "put", where.dtype)
        builder.store(args[1], args[0])
        return _NOTHING

    return types.boolean(where, where.dtype), codegen


@functools.cache
def updating(operation: Any) -> Any:
    """The intrinsic that puts ``operation(what a place holds, …)`` into the place."""
    definition = operation._defn

    def typer(typingctx: Any, where: Any, *rest: Any) -> Any:
        found = definition(typingctx, where.dtype, *rest)
        if found is None or found[0].return_type != where.dtype:
            return None
        signature, emit = found

        def codegen(context: Any, builder: ir.IRBuilder, _: Any, args: Any) -> Any:
            _note(builder, operation._name, where.dtype)
            load = builder.load(args[0])
            value = emit(context, builder, signature, [load, *args[1:]])
            store = builder.store(value, args[0])
            loop = innermost(builder)
            if loop and operation._name in EXTREMES and _may_leave_as_is(args[1]):
                loop.serial = True
            if loop and operation._name in ORDERED and partial_numbers(where.dtype):
                of = Partial(args[0], operation._name, where.dtype)
                loop.sums.append(Update(of, load, store))
            return _NOTHING

        return types.boolean(where, *signature.args[1:]), codegen

    typer.__signature__ = inspect.signature(definition)  # type: ignore[attr-defined]
    typer.__name__ = typer.__qualname__ = f"update_{operation._name}"
    return intrinsic(typer)


def _note(b: ir.IRBuilder, operation: str, ty: Any) -> None:
    """Take note of an assignment to a place of a type, in the innermost open loop."""
    element = getattr(ty, "dtype", ty)  # of a total
    partial = PARTIAL.get(getattr(element, "underlying_float", element))
    loop = innermost(b)
    if loop is None:
        return
    loop.serial |= operation not in _REDUCTIONS
    if partial and operation in EXTREMES:
        loop.partial = min(loop.partial or partial, partial)
        loop.extremes += 1
        loop.extreme_vectors = max(loop.extreme_vectors, EXTREMES[operation])


def _may_leave_as_is(value: ir.Value) -> bool:
    """Whether a value is infinite under a condition, and an extreme is then what it was before.

    LLVM makes a condition of the extreme of that, which its vectoriser does not know.
    """
    return isinstance(value, ir.SelectInstr) and any(
        isinstance(arm, ir.Constant) and math.isinf(arm.constant) for arm in value.operands[1:]
    )
