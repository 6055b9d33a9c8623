"""How the operations that a CPU kernel may name are defined.

Every one is a Numba intrinsic: a typing rule and a few LLVM instructions that are placed in the
kernel itself.  Unlike a compiled helper function it costs next to nothing at compile time, and the
loop vectoriser sees through it.

The types are strict.  Casts are explicit in the IR, so an operand of an unexpected type is a
mistake of the code generator, and a silent conversion by Numba would hide it: no rule here ever
asks Numba for a conversion.
"""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import errors, types
from numba.core.typing import signature
from numba.extending import intrinsic

__all__ = [
    "BOOL",
    "COMPLEX",
    "FLOAT",
    "INT",
    "NUMBER",
    "REAL",
    "SIGNED",
    "UNSIGNED",
    "Emit",
    "binary",
    "call_llvm",
    "complex_pair",
    "complex_parts",
    "constant",
    "define",
    "is_nan",
    "is_signed",
    "is_true",
    "kind",
    "same",
    "truth",
    "unary",
    "zero",
]

BOOL = "b"
SIGNED = "i"
UNSIGNED = "u"
INT = "iu"
FLOAT = "f"
COMPLEX = "c"
REAL = "biuf"
NUMBER = "biufc"

# (builder, type of the first operand, values of the operands) -> value of the result
Emit = Callable[..., ir.Value]

_INTS: dict[Any, str] = {
    **dict.fromkeys((types.int8, types.int16, types.int32, types.int64), SIGNED),
    **dict.fromkeys((types.uint8, types.uint16, types.uint32, types.uint64), UNSIGNED),
}
_KINDS: dict[Any, str] = {
    types.boolean: BOOL,
    **_INTS,
    types.float32: FLOAT,
    types.float64: FLOAT,
    types.complex64: COMPLEX,
    types.complex128: COMPLEX,
}


def kind(ty: Any) -> str:
    """One letter for a kernel scalar type (as in `numpy.dtype.kind`), "" for any other type."""
    return _KINDS.get(ty, "")


def is_signed(ty: Any) -> bool:
    """Whether a kernel type is a signed integer."""
    return kind(ty) == SIGNED


def constant(value: ir.Value, number: int | float) -> ir.Constant:
    """A constant of the LLVM type of `value`."""
    return ir.Constant(value.type, number)


def zero(value: ir.Value) -> ir.Constant:
    """The zero of the LLVM type of `value`."""
    return constant(value, 0)


def is_nan(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Whether a floating-point value is nan."""
    return b.fcmp_unordered("uno", x, x)


def call_llvm(
    builder: ir.IRBuilder, name: str, *operands: ir.Value, flags: Sequence[str] = ()
) -> ir.Value:
    """Call the LLVM intrinsic `name`, overloaded on the type of its first operand."""
    ty = operands[0].type
    fnty = ir.FunctionType(ty, [operand.type for operand in operands])
    function = builder.module.declare_intrinsic(name, [ty], fnty)
    return builder.call(function, operands, fastmath=flags)


def complex_parts(builder: ir.IRBuilder, value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Real and imaginary part of a complex value."""
    return builder.extract_value(value, 0), builder.extract_value(value, 1)


def complex_pair(builder: ir.IRBuilder, real: ir.Value, imag: ir.Value) -> ir.Value:
    """The complex value made of two parts."""
    empty = ir.Constant(ir.LiteralStructType([real.type, imag.type]), ir.Undefined)
    return builder.insert_value(builder.insert_value(empty, real, 0), imag, 1)


def is_true(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
    """The truth of a value: it is not zero (so nan is true)."""
    match kind(ty):
        case "b":
            return x
        case "f":
            return b.fcmp_unordered("!=", x, zero(x))
        case "c":
            real, imag = (b.fcmp_unordered("!=", p, zero(p)) for p in complex_parts(b, x))
            return b.or_(real, imag)
    return b.icmp_signed("!=", x, zero(x))


def define(
    name: str,
    arity: int,
    result: Callable[..., Any],
    emit: Emit,
    *,
    all_types: bool = False,
    with_context: bool = False,
) -> Any:
    """Make the intrinsic `name`.

    `result` takes the operand types and returns the type of the result, or None where it does not
    accept them.  `emit` is given the type of the first operand, or the tuple of them all, and
    before the builder the target context where it asks for it.
    """

    def typer(typingctx: Any, *operands: Any) -> Any:
        returned = result(*operands) if len(operands) == arity else None
        if returned is None:
            shown = ", ".join(str(ty) for ty in operands)
            raise errors.TypingError(f"{name} is not defined for ({shown})")

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
            operand_types = sig.args if all_types else sig.args[0]
            if with_context:
                return emit(context, builder, operand_types, *args)
            return emit(builder, operand_types, *args)

        return signature(returned, *operands), codegen

    # Numba binds the arguments of a call to the parameters by name.
    parameters = [
        inspect.Parameter(parameter, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for parameter in ("typingctx", *string.ascii_lowercase[:arity])
    ]
    typer.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


def same(kinds: str) -> Any:
    """Typing rule: operands of one type among `kinds`, which is the type of the result too."""

    def result(first: Any, *rest: Any) -> Any:
        accepted = kind(first) and kind(first) in kinds and all(ty == first for ty in rest)
        return first if accepted else None

    return result


def truth(kinds: str) -> Any:
    """Typing rule: operands of one type among `kinds`, a truth value as the result."""
    rule = same(kinds)
    return lambda *operands: None if rule(*operands) is None else types.boolean


def unary(name: str, kinds: str, emit: Emit) -> Any:
    """An operation on one value of `kinds` that keeps its type."""
    return define(name, 1, same(kinds), emit)


def binary(name: str, kinds: str, emit: Emit) -> Any:
    """An operation on two values of one type among `kinds` that keeps the type."""
    return define(name, 2, same(kinds), emit)
