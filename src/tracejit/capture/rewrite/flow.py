"""Which variables are live, and which have a value, at the blocks of a function without exits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from tracejit.capture.rewrite.exits import For, While
from tracejit.capture.rewrite.scope import assigned, read

Set = frozenset[str]
NONE: Set = frozenset()
#: Statements whose targets are bound whenever they are done.
_BINDS = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.FunctionDef,
    ast.AsyncFunctionDef, ast.ClassDef,
)  # fmt: skip


def binds(statement: ast.stmt) -> Set:
    """The names that a simple statement binds for certain."""
    if not isinstance(statement, _BINDS):
        return NONE
    if isinstance(statement, ast.Assign):
        return frozenset(assigned(statement.targets))
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        return frozenset(assigned([statement.target]) if statement.value else ())
    return frozenset(assigned([statement]))


class Liveness:
    """The variables that may be read after each block, by the identity of its statement.

    `always` are those that a function inside, or one around, may read at any time. `escape` are
    those that are read where an exception is caught.
    """

    def __init__(self, always: Iterable[str]) -> None:
        self.always = frozenset(always)
        self.after: dict[int, Set] = {}

    def block(self, body: Sequence[ast.stmt], out: Set, escape: Set = NONE) -> Set:
        """What is live before `body` where `out` is live after it."""
        for statement in reversed(body):
            out = self.statement(statement, out, escape) | escape
        return out

    def statement(self, node: ast.stmt, out: Set, escape: Set) -> Set:
        self.after[id(node)] = out | escape
        if isinstance(node, ast.If):
            sides = (self.block(side, out, escape) for side in (node.body, node.orelse))
            return frozenset().union(*sides, read([node.test]))
        if isinstance(node, While):
            return self.loop(step_of(node), out | read([node.test]), escape)
        if isinstance(node, For):
            return self.loop(step_of(node), out, escape) | read([node.iter])
        if isinstance(node, ast.Try):
            return self.try_(node, out, escape)
        if isinstance(node, ast.With):
            # Its end may take an exception for done.
            return self.block(node.body, out, escape | out) | read(node.items)
        if isinstance(node, (ast.Return, ast.Raise)):
            return frozenset(read([node])) | self.always
        return (out - binds(node)) | read([node]) | self.always

    def loop(self, body: Sequence[ast.stmt], out: Set, escape: Set) -> Set:
        """What is live before a loop where `out` is read if it ends here."""
        while True:
            before = out | self.block(body, out, escape)
            if before == out:
                return out
            out = before

    def try_(self, node: ast.Try, out: Set, escape: Set) -> Set:
        if node.finalbody:
            out = escape = self.block(node.finalbody, out | escape, escape)
        caught = escape
        for handler in node.handlers:
            inside = self.block(handler.body, out, escape) - {handler.name or ""}
            caught |= inside | (read([handler.type]) if handler.type else NONE)
        otherwise = self.block(node.orelse, out, escape)
        return self.block(node.body, otherwise, caught)


def step_of(loop: For | While) -> list[ast.stmt]:
    """What a step of a loop assigns and reads."""
    leave = [ast.Expr(ast.Name(flag, ast.Load())) for flag in loop.leave]
    if isinstance(loop, While):
        return [ast.Expr(loop.test), *loop.body, *leave]
    return [ast.Assign([loop.target], ast.Constant(None)), *loop.body, *leave]


def read_first(
    bodies: Iterable[Sequence[ast.stmt]], always: Iterable[str], kept: Set = NONE
) -> Set:
    """The variables that one of `bodies` may read before it has assigned them.

    What is `kept` is read after it, and so before, where it may not be assigned.
    """
    return frozenset().union(*(Liveness(always).block(body, kept) for body in bodies))


def bound_after(body: Sequence[ast.stmt], bound: Set, names: Set) -> Set:
    """The variables of all `names` that have a value after `body`: all where it does not end."""
    for node in body:
        if isinstance(node, (ast.Return, ast.Raise)):
            return names
        if isinstance(node, ast.If):
            bound = bound_after(node.body, bound, names) & bound_after(node.orelse, bound, names)
        elif isinstance(node, ast.Try):
            through = bound_after([*node.body, *node.orelse], bound, names)
            for handler in node.handlers:
                through &= bound_after(handler.body, bound, names)
            bound = bound_after(node.finalbody, through, names)
        else:
            bound = bound | binds(node)
    return bound
