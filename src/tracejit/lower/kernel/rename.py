"""Expressions and blocks under other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracejit.lower.kernel.statements import (
    Assign,
    Block,
    Do,
    Element,
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

#: By a name, or an element of an array, the name that takes its place.
New = Mapping[Any, str]


def replaced(e: Expr, new: New) -> Expr:
    """An expression with names that are `new`."""
    if isinstance(e, str):
        return new.get(e, e)
    if isinstance(e, Element) and e in new:
        return new[e]
    return e if isinstance(e, int) else _rebuilt(e, new)


def _rebuilt(e: Any, new: New) -> Any:
    parts = {name: _part(name, getattr(e, name), new) for name in e.__slots__}
    return type(e)(**parts)


def _part(name: str, value: Any, new: New) -> Any:
    if isinstance(value, tuple):
        return tuple(replaced(each, new) for each in value)
    is_expression = isinstance(value, Expression) or name in _OPERANDS
    return replaced(value, new) if is_expression else value


#: The parts of expressions that may be names of values.
_OPERANDS = {"operand", "left", "right", "inner", "array", "call"}


def renamed(block: Block, new: New) -> Block:
    """A block in which some names are `new`, those that it assigns too; or elements are places."""
    return Block([_statement(s, new) for s in block.statements()])


def _statement(s: Statement, new: New) -> Statement:
    if isinstance(s, Assign):
        return Assign(new.get(s.name, s.name), replaced(s.value, new), s.origin)
    if isinstance(s, Store) and s.element in new:
        return Assign(new[s.element], replaced(s.value, new), s.origin)
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
