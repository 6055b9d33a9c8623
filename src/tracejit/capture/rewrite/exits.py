"""Loops and functions that end at their end: ``break``, ``continue`` and ``return`` become flags.

What follows a statement that may leave runs where the flags say that it did not. Where one side of
a branch always leaves, what follows moves to the other side, and no flag is needed for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracejit.capture.rewrite.nodes import at, load
from tracejit.capture.rewrite.refusal import Refused
from tracejit.capture.rewrite.scope import FUNCTIONS, assigned, own

# No user has a name with a dot.
RETURNED, RESULT = ".returned", ".result"


@dataclass(frozen=True)
class _Loop:
    """The flags of the loop around a statement."""

    broke: str
    skipped: str


class While(ast.While):
    """A loop without ``break``, which the flags `leave` end."""

    leave: list[str]


class For(ast.For):
    leave: list[str]


class Exits:
    """The lowering of one function's statements."""

    def __init__(self) -> None:
        self._loops = 0

    def function(self, body: list[ast.stmt]) -> list[ast.stmt]:
        lowered = self.block(body, None, True)
        if RETURNED in assigned(lowered):
            lowered.insert(0, _flag(RETURNED, False, lowered[0]))
        return lowered

    def block(self, body: Sequence[ast.stmt], loop: _Loop | None, last: bool) -> list[ast.stmt]:
        """`body` where it lies in `loop`; if `last`, nothing follows in this step or function."""
        if not body:
            return []
        first, rest = body[0], list(body[1:])
        if isinstance(first, ast.Return):
            return self.returned(first, loop, last)
        if isinstance(first, ast.Break):
            assert loop is not None
            return [_flag(loop.broke, True, first)]
        if isinstance(first, ast.Continue):
            assert loop is not None
            skips = _flag(loop.skipped, True, first)
            return [at(first, ast.Pass()) if last else skips]
        if isinstance(first, ast.If):
            then, otherwise = first.body, first.orelse
            if may_leave(first) and _ends(then):
                otherwise, rest = [*otherwise, *rest], []
            elif may_leave(first) and _ends(otherwise):
                then, rest = [*then, *rest], []
            sides = [self.block(side, loop, last and not rest) for side in (then, otherwise)]
            lowered: list[ast.stmt] = [at(first, ast.If(first.test, *sides))]
            if last and not rest:
                return lowered  # each side has ended by itself
        elif isinstance(first, (ast.While, ast.For)):
            lowered, otherwise = self.loop(first)
            rest = [*otherwise, *rest]
        else:
            lowered = [self.guarded(first, loop, last and not rest)]
        return [*lowered, *self.unless_left(lowered, rest, loop, last)]

    def unless_left(
        self, before: list[ast.stmt], rest: list[ast.stmt], loop: _Loop | None, last: bool
    ) -> list[ast.stmt]:
        """What follows the statements `before`."""
        flags = _flags(before, loop)
        rest = self.block(rest, loop, last)
        if RETURNED in flags and loop is None and last:
            result = ast.Return(load(RESULT))
            test = load(RETURNED)
            return [at(before[0], ast.If(test, [at(before[0], result)], rest))]
        if flags and rest:
            return [at(before[0], ast.If(_none_of(flags, before[0]), rest, []))]
        return rest

    def returned(self, node: ast.Return, loop: _Loop | None, last: bool) -> list[ast.stmt]:
        if loop is None and last:
            return [node]
        value = node.value or at(node, ast.Constant(None))
        result = ast.Assign([ast.Name(RESULT, ast.Store())], value)
        return [at(node, result), _flag(RETURNED, True, node)]

    def loop(self, node: ast.While | ast.For) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """The loop, and what its ``else`` makes of the statements that follow."""
        if isinstance(node, ast.While) and assigned([node.test]) and not node.orelse:
            node = _tested_inside(node)
        self._loops += 1
        loop = _Loop(f".broke{self._loops}", f".skipped{self._loops}")
        body = self.block(node.body, loop, True)
        bound = assigned(body)
        if loop.skipped in bound:
            body.insert(0, _flag(loop.skipped, False, node))
        flags = [flag for flag in (loop.broke, RETURNED) if flag in bound]
        new: ast.stmt
        if isinstance(node, ast.While):
            new = While(node.test, body, [])
            new.leave = flags
        else:
            new = For(node.target, node.iter, body, [])
            new.leave = flags
        lowered: list[ast.stmt] = [at(node, new)]
        if loop.broke not in bound:
            return lowered, node.orelse
        lowered.insert(0, _flag(loop.broke, False, node))
        if not node.orelse:
            return lowered, []
        whole = ast.If(_none_of([loop.broke], node), node.orelse, [])
        return lowered, [at(node, whole)]

    def guarded(self, node: ast.stmt, loop: _Loop | None, last: bool) -> ast.stmt:
        """A ``try`` or a ``with``."""
        if isinstance(node, ast.With):
            body = self.block(node.body, loop, last)
            if _flags(body, loop) and (len(node.items) > 1 or any(map(_leaves_more, node.body))):
                # An exception on the way out may end at the outer one: then nothing was left.
                raise Refused("leaves several `with` or `finally` at once", node)
            return at(node, ast.With(node.items, body))
        if not isinstance(node, ast.Try):
            return node
        for statement in node.finalbody:
            if may_leave(statement):
                raise Refused("leaves a `finally` before its end", statement)
        body = self.block(node.body, loop, last and not node.orelse)
        flags = _flags(body, loop)
        orelse = self.block(node.orelse, loop, last and not flags)
        if flags and orelse:
            orelse = [at(node, ast.If(_none_of(flags, node), orelse, []))]
        handlers = []
        for handler in node.handlers:
            # What left and then raised, in a `finally`, has not left.
            reset = [_flag(flag, False, handler) for flag in flags]
            caught = [*reset, *self.block(handler.body, loop, last)]
            handlers.append(at(handler, ast.ExceptHandler(handler.type, handler.name, caught)))
        final = self.block(node.finalbody, loop, False)
        if RETURNED in flags and final:
            final.insert(0, at(node, ast.Expr(load(RESULT))))  # it may be written into there
        return at(node, ast.Try(body, handlers, orelse, final))


def may_leave(node: ast.AST, inside: bool = False) -> bool:
    """Whether a statement may leave the loop or function around it; `inside` a loop of its own."""
    if isinstance(node, (ast.Return, ast.Break, ast.Continue)):
        return not inside or isinstance(node, ast.Return)
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
        return False
    if isinstance(node, (ast.While, ast.For)):
        return any(may_leave(n, True) for n in node.body) or any(
            may_leave(n, inside) for n in node.orelse
        )
    return any(may_leave(n, inside) for n in ast.iter_child_nodes(node))


def _ends(body: list[ast.stmt]) -> bool:
    """Whether nothing that follows `body` runs after it."""
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        return _ends(last.body) and _ends(last.orelse)
    return isinstance(last, (ast.Return, ast.Break, ast.Continue, ast.Raise))


def _leaves_more(statement: ast.stmt) -> bool:
    """Whether a way out of `statement` runs code of its own."""
    return any(
        (isinstance(n, ast.With) or (isinstance(n, ast.Try) and n.finalbody)) and may_leave(n)
        for n in own(statement)
    )


def _flags(body: Iterable[ast.AST], loop: _Loop | None) -> list[str]:
    """The flags by which `body` leaves."""
    bound = assigned(body)
    flags = [loop.broke, loop.skipped, RETURNED] if loop else [RETURNED]
    return [flag for flag in flags if flag in bound]


def _flag(name: str, value: bool, place: ast.AST) -> ast.stmt:
    return at(place, ast.Assign([ast.Name(name, ast.Store())], ast.Constant(value)))


def _tested_inside(node: ast.While) -> ast.While:
    """``while True``, and a break: a loop's test is computed more often than it is run."""
    test = at(node.test, ast.UnaryOp(ast.Not(), node.test))
    leave = at(node.test, ast.If(test, [at(node.test, ast.Break())], []))
    return at(node, ast.While(at(node.test, ast.Constant(True)), [leave, *node.body], []))


def _none_of(flags: Sequence[str], place: ast.AST) -> ast.expr:
    names: list[ast.expr] = [load(flag) for flag in flags]
    either = names[0] if len(names) == 1 else ast.BoolOp(ast.Or(), names)
    return at(place, ast.UnaryOp(ast.Not(), either))
