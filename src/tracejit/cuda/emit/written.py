"""Kernels that are written as text, in the language that kernels are shown in.

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
import textwrap
from collections.abc import Callable, Mapping
from typing import NamedTuple

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
    Statement,
    Store,
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


@functools.lru_cache(256)
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
            case _:
                raise _unknown(line)
    parameters = [a.arg for a in function.args.args]
    return Written(function.name, parameters, factories, _block(function.body))


def statements(text: str) -> list[Statement]:
    """The statements of a text, which may be indented."""
    return _block(ast.parse(textwrap.dedent(text)).body).body


def condition(text: str, names: Mapping[str, str]) -> Expr:
    """An expression that is written as text, with other names."""
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
        case ast.Break():
            return Leave()
    raise _unknown(s)


def _expression(e: ast.expr) -> Expr:
    match e:
        case ast.Name(name):
            return name
        case ast.Constant(bool() as value):
            return Constant(value, np.dtype(bool))
        case ast.Constant(int() as value):
            return value
        case ast.Constant(float() as value):
            return Constant(value, np.dtype(float))
        case ast.BinOp(left, sign, right):
            return Binary(_SIGNS[type(sign)], _expression(left), _expression(right))
        case ast.Compare(left, [sign], [right]):
            return Binary(_SIGNS[type(sign)], _expression(left), _expression(right))
        case ast.BoolOp(sign, values):
            both: Callable[[Expr, Expr], Expr] = functools.partial(Binary, _SIGNS[type(sign)])
            return functools.reduce(both, map(_expression, values))
        case ast.UnaryOp(ast.USub(), ast.Constant(int() as value)):
            return -value
        case ast.UnaryOp(sign, operand):
            return Unary(_SIGNS[type(sign)], _expression(operand))
        case ast.Call(ast.Name(name), operands):
            return _called(name, operands)
        case ast.Subscript(ast.Attribute(ast.Name(array), "shape"), ast.Constant(int() as axis)):
            return Length(array, axis)
        case ast.Subscript(ast.Call() as call, ast.Constant(int() as number)):
            several = _expression(call)
            assert isinstance(several, Call)
            return Output(several, number)
        case ast.Subscript(ast.Name(array), ast.Tuple(index)):
            return Element(array, tuple(map(_expression, index)))
        case ast.Subscript(ast.Name(array), index):
            return Element(array, (_expression(index),))
    raise _unknown(e)


def _called(name: str, operands: list[ast.expr]) -> Expr:
    """A call, or a number of another dtype than Python's: ``uint8(1)``."""
    if name in _DTYPES and len(operands) == 1:
        dtype = _DTYPES[name]
        return Constant(dtype.type(ast.literal_eval(operands[0])).item(), dtype)
    return Call(name, tuple(map(_expression, operands)))


_DTYPES = {
    name: np.dtype(name)
    for name in (
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float32", "float64", "complex64", "complex128"),
    )
}
