"""Expressions and blocks under other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracejit.lower.kernel.statements import (
    Assign,
    Block,
    Do,
    Expr,
    Expression,
    For,
    Forever,
    If,
    Leave,
    Return,
    Statement,
    Store,
)


def replaced(e: Expr, new: Mapping[str, str]) -> Expr:
    """An expression with names that are `new`."""
    if isinstance(e, str):
        return new.get(e, e)
    return e if isinstance(e, int) else _rebuilt(e, new)


def _rebuilt(e: Any, new: Mapping[str, str]) -> Any:
    parts = {name: _part(name, getattr(e, name), new) for name in e.__slots__}
    return type(e)(**parts)


def _part(name: str, value: Any, new: Mapping[str, str]) -> Any:
    if isinstance(value, tuple):
        return tuple(replaced(each, new) for each in value)
    is_expression = isinstance(value, Expression) or name in _OPERANDS
    return replaced(value, new) if is_expression else value


#: The parts of expressions that may be names of values.
_OPERANDS = {"operand", "left", "right", "inner", "array", "call"}


def renamed(block: Block, new: Mapping[str, str]) -> Block:
    """A block in which some names are `new`, those that it assigns included."""
    return Block([_statement(s, new) for s in block.statements()])


def _statement(s: Statement, new: Mapping[str, str]) -> Statement:
    if isinstance(s, Assign):
        return Assign(new.get(s.name, s.name), replaced(s.value, new), s.origin)
    if isinstance(s, Store):
        return Store(_rebuilt(s.element, new), replaced(s.value, new), s.origin)
    if isinstance(s, Do):
        return Do(_rebuilt(s.call, new), s.origin)
    if isinstance(s, Return):
        return Return(replaced(s.code, new), s.origin)
    if isinstance(s, Leave):
        return s
    body = renamed(s, new).body
    if isinstance(s, For):
        operands = tuple(replaced(e, new) for e in s.operands)
        return For(body, index=new.get(s.index, s.index), kind=s.kind, operands=operands)
    if isinstance(s, If):
        otherwise = None if s.otherwise is None else renamed(s.otherwise, new)
        return If(body, test=replaced(s.test, new), otherwise=otherwise)
    return Forever(body) if isinstance(s, Forever) else Block(body)
