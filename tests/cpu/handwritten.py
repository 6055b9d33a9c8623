"""Kernels that tests write themselves: as their text, or as functions that Numba compiles."""

from __future__ import annotations

import ast
import cmath
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numba
import numpy as np

from tracejit.cpu.compiling.build import Builder
from tracejit.intrinsics.function import compiled
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    For,
    Forever,
    If,
    Kernel,
    Leave,
    Length,
    Output,
    Part,
    Return,
    Statement,
    Store,
    Transposed,
    Unary,
)

_numbers = itertools.count()
#: What the source that calls it finds a function by.
FUNCTIONS: list[Any] = []


def kernel(text: str, *signature: Any, late: int = 0) -> Any:
    """The entry of a kernel's text, for one signature."""
    namespace: dict[str, Any] = {}
    head = ast.Module(ast.parse(text).body[:-1], [])
    exec(compile(head, "<head>", "exec"), namespace)
    read = parsed(text)

    def body(typingctx: Any, context: Any, b: Any, arguments: list[Any]) -> None:
        Builder(context, typingctx, b, read, namespace, arguments).build()

    return compiled(f"test_{next(_numbers)}", signature, body).callable(late=late)


def wrapped(function: Callable[..., Any], *signature: Any) -> Any:
    """An entry that calls a function, which returns its code."""
    FUNCTIONS.append(numba.njit(nogil=True, error_model="numpy")(function))
    names = ", ".join(f"a{k}" for k in range(len(signature)))
    head = f"from handwritten import FUNCTIONS\nbody = FUNCTIONS[{len(FUNCTIONS) - 1}]\n"
    return kernel(f"{head}def entry({names}):\n    return body({names})\n", *signature)


def parsed(text: str) -> Kernel:
    """The kernel that is the last function of a text, without its factories."""
    *_, function = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return Kernel([a.arg for a in function.args.args], {}, Block(_block(function.body)))


# Statements ------------------------------------------------------------------------------------

_SIGNS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.LShift: "<<", ast.RShift: ">>", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.And: "and", ast.Or: "or", ast.Not: "not", ast.USub: "-",
}  # fmt: skip
_DTYPES = "int8 int16 int32 uint8 uint16 uint32 uint64 float32 complex64".split()


def _block(statements: Iterable[ast.stmt]) -> list[Statement]:
    return [_statement(s) for s in statements]


def _statement(s: ast.stmt) -> Statement:
    match s:
        case ast.Assign([ast.Name(name)], value):
            return Assign(name, expression(value))
        case ast.Assign([ast.Subscript() as target], value):
            element = expression(target)
            assert isinstance(element, Element)
            return Store(element, expression(value))
        case ast.Expr(ast.Call() as call):
            made = expression(call)
            assert isinstance(made, Call)
            return Do(made)
        case ast.For(ast.Name(name), ast.Call(ast.Name(kind), operands), body):
            operands = tuple(map(expression, operands))
            return For(_block(body), index=name, kind=kind, operands=operands)
        case ast.While(ast.Constant(True), body):
            return Forever(_block(body))
        case ast.If(test, body, orelse):
            otherwise = Block(_block(orelse)) if orelse else None
            return If(_block(body), test=expression(test), otherwise=otherwise)
        case ast.Return(ast.expr() as value):
            return Return(expression(value))
        case ast.Break():
            return Leave()
    raise AssertionError(ast.unparse(s))


# Expressions -----------------------------------------------------------------------------------


def expression(e: ast.expr) -> Expr:
    number = _number(e)
    if number is not None:
        return number
    match e:
        case ast.Name(name):
            return name
        case ast.Call(ast.Name(function), operands):
            return Call(function, tuple(map(expression, operands)))
        case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]):
            return Binary(_SIGNS[type(op)], expression(left), expression(right))
        case ast.BoolOp(op, [first, *others]):
            found = expression(first)
            for other in others:
                found = Binary(_SIGNS[type(op)], found, expression(other))
            return found
        case ast.UnaryOp(op, operand):
            return Unary(_SIGNS[type(op)], expression(operand))
        case ast.Attribute(array, "T"):
            return Transposed(expression(array))
        case ast.Subscript(ast.Attribute(array, "shape"), ast.Constant(axis)):
            return Length(expression(array), axis)
        case ast.Subscript(ast.Call() as call, ast.Constant(k)):
            made = expression(call)
            assert isinstance(made, Call)
            return Output(made, k)
        case ast.Subscript(array, where):
            places = where.elts if isinstance(where, ast.Tuple) else [where]
            index = [p for p in places if not isinstance(p, ast.Slice)]
            at, rest = tuple(map(expression, index)), len(places) - len(index)
            name = expression(array)
            return Part(name, at, rest) if rest else Element(name, at)
    raise AssertionError(ast.unparse(e))


def _number(e: ast.expr) -> int | Constant | None:
    """A constant; None for another expression."""
    match e:
        case ast.Constant(bool() | float() as value):
            return Constant(value, np.dtype(type(value)))
        case ast.Constant(int(value)):
            return value
        case ast.Name("inf" | "nan" as name):
            return Constant(getattr(cmath, name), np.dtype(float))
        case ast.UnaryOp(ast.USub(), operand):
            number = _number(operand)
            if isinstance(number, Constant):
                return Constant(-number.value, number.dtype)
            return None if number is None else -number
        case ast.Call(ast.Name("complex"), [real, imag]):
            parts = [_number(part) for part in (real, imag)]
            values = [p.value if isinstance(p, Constant) else p for p in parts]
            return Constant(complex(*values), np.dtype(complex))
        case ast.Call(ast.Name(name), [operand]) if name in _DTYPES:
            number = _number(operand)
            if number is None:
                return None
            value = number.value if isinstance(number, Constant) else number
            return Constant(value, np.dtype(name))
    return None
