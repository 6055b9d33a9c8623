"""Kernels as text, in the language that they are shown in, read.

    part = shared("d", 256)

    def doubled(x, out):
        for i in over_x(x.shape[0]):
            out[i] = 2.0 * x[i]

The lines before the function are factories, as in any source. A text is Python's grammar and not
its meaning: types are exact, `and` and `or` compute both sides, and a loop's kind is what it goes
over.
"""

from __future__ import annotations

import ast
import functools
import math
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    Factory,
    For,
    Forever,
    If,
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

_SIGNS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.LShift: "<<", ast.RShift: ">>", ast.And: "and", ast.Or: "or",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Not: "not", ast.USub: "-",
}  # fmt: skip


class Written(NamedTuple):
    """A function that has been read: its name and parameters, its factories and its statements."""

    name: str
    parameters: list[str]
    factories: dict[str, Factory]
    body: Block


def read(text: str) -> Written:
    """The function of a text. SyntaxError where something in it is no part of a kernel."""
    *head, function = ast.parse(text).body
    if not isinstance(function, ast.FunctionDef):
        raise SyntaxError("a kernel's text ends with a function")
    factories = {}
    for line in head:
        match line:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(made), arguments)):
                factories[name] = Factory(made, tuple(ast.literal_eval(a) for a in arguments))
            case ast.Import() | ast.ImportFrom():
                continue  # what a CPU's source says of what it calls
            case _:
                raise _unknown(line)
    parameters = [a.arg for a in function.args.args]
    return Written(function.name, parameters, factories, _block(function.body))


def statements(text: str) -> list[Statement]:
    """The statements of a text, which may be indented."""
    return _block(ast.parse(textwrap.dedent(text)).body).body


def expression(text: str, names: Mapping[str, str] | None = None) -> Expr:
    """An expression that is written as text, with other names where these say so."""
    names = names or {}
    tree = ast.parse(text, mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return _expression(tree)


def _unknown(node: ast.AST) -> SyntaxError:
    return SyntaxError(f"no part of a kernel: {ast.unparse(node)}")


def _block(body: list[ast.stmt]) -> Block:
    return Block([_statement(s) for s in body])


def _statement(s: ast.stmt) -> Statement:
    match s:
        case ast.Assign([ast.Name(name)], value):
            return Assign(name, _expression(value))
        case ast.Assign([ast.Subscript() as target], value):
            element = _expression(target)
            assert isinstance(element, Element)
            return Store(element, _expression(value))
        case ast.Expr(ast.Call() as call):
            done = _expression(call)
            assert isinstance(done, Call)
            return Do(done)
        case ast.For(ast.Name(index), ast.Call(ast.Name(kind), operands), body):
            given = tuple(map(_expression, operands))
            return For(_block(body).body, index=index, kind=kind, operands=given)
        case ast.While(ast.Constant(True), body):
            return Forever(_block(body).body)
        case ast.If(test, body, otherwise):
            other = _block(otherwise) if otherwise else None
            return If(_block(body).body, test=_expression(test), otherwise=other)
        case ast.Return(ast.expr() as value):
            return Return(_expression(value))
        case ast.Break():
            return Leave()
    raise _unknown(s)


def _expression(e: ast.expr) -> Expr:
    number = _number(e)
    if number is not None:
        return number
    match e:
        case ast.Name(name):
            return name
        case ast.BinOp(left, sign, right) | ast.Compare(left, [sign], [right]):
            return Binary(_SIGNS[type(sign)], _expression(left), _expression(right))
        case ast.BoolOp(sign, values):
            both: Callable[[Expr, Expr], Expr] = functools.partial(Binary, _SIGNS[type(sign)])
            return functools.reduce(both, map(_expression, values))
        case ast.UnaryOp(sign, operand):
            return Unary(_SIGNS[type(sign)], _expression(operand))
        case ast.Call(ast.Name(name), operands):
            return Call(name, tuple(map(_expression, operands)))
        case ast.Attribute(array, "T"):
            return Transposed(_array(array))
        case ast.Subscript(ast.Attribute(array, "shape"), ast.Constant(int() as axis)):
            return Length(_array(array), axis)
        case ast.Subscript(ast.Call() as call, ast.Constant(int() as number)):
            several = _expression(call)
            assert isinstance(several, Call)
            return Output(several, number)
        case ast.Subscript(array, where):
            places = where.elts if isinstance(where, ast.Tuple) else [where]
            index = tuple(_expression(p) for p in places if not isinstance(p, ast.Slice))
            rest = len(places) - len(index)
            return Part(_array(array), index, rest) if rest else Element(_array(array), index)
    raise _unknown(e)


def _array(e: ast.expr) -> str | Part | Transposed:
    found = _expression(e)
    if not isinstance(found, str | Part | Transposed):
        raise _unknown(e)
    return found


def _number(e: ast.expr) -> int | Constant | None:
    """A constant, of Python's or of another dtype, ``uint8(1)``; None for another expression."""
    match e:
        case ast.Constant(bool() | float() as value):
            return Constant(value, np.dtype(type(value)))
        case ast.Constant(int() as value):
            return value
        case ast.Name("inf" | "nan" as name):
            return Constant(getattr(math, name), np.dtype(float))
        case ast.UnaryOp(ast.USub(), operand):
            number = _number(operand)
            if isinstance(number, Constant):
                return Constant(-number.value, number.dtype)
            return None if number is None else -number
        case ast.Call(ast.Name("complex"), [real, imag]):
            parts = [_value(_number(part)) for part in (real, imag)]
            return Constant(complex(*parts), np.dtype(complex))
        case ast.Call(ast.Name(name), [operand]) if name in _DTYPES:
            number = _number(operand)
            if number is None:
                return None
            return Constant(_DTYPES[name].type(_value(number)).item(), _DTYPES[name])
    return None


def _value(number: Any) -> Any:
    return number.value if isinstance(number, Constant) else number


_DTYPES = {
    name: np.dtype(name)
    for name in (
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float32", "float64", "complex64", "complex128"),
    )
}
