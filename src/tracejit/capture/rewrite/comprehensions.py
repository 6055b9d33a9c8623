"""List displays, comprehensions, and builtins of generator expressions, as calls of the runtime."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager

from tracejit.capture.rewrite.flow import Set
from tracejit.capture.rewrite.nodes import N, at, load, parameters
from tracejit.capture.rewrite.refusal import Reason
from tracejit.capture.rewrite.scope import assigned, read

#: Builtins that make one value of many.
REDUCTIONS = ("any", "all", "sum", "max", "min")
#: What must not become a part of a function inside, or would see a variable of each item.
_KEPT = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda)
#: Whether comprehensions are functions.
_FUNCTIONS = sys.version_info < (3, 12)
Made = ast.ListComp | ast.GeneratorExp


class Record:
    """What was done: constructs with their lines, and what stays as it is, and why.

    `owner` is the class around, which says what names that begin with ``__`` are.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner.lstrip("_")
        self.constructs: list[tuple[str, int]] = []
        self.kept: list[Reason] = []


class Comprehensions(ast.NodeTransformer):
    """What a function makes of many items; its other calls are those of a subclass."""

    record: Record
    variables: Set
    #: Whether Python says of a variable without a value that it is one of a function around.
    free = False

    def expression(self, node: ast.expr) -> ast.expr:
        """An expression with calls for its control flow."""
        new: ast.expr = self.visit(node)
        return new

    def python(self, node: N) -> N:
        """A node that stays what it is, with what it holds."""
        new: N = self.generic_visit(node)  # type: ignore[assignment]
        return new

    def closure(self) -> AbstractContextManager[None]:
        """What is visited is in a function inside."""
        raise NotImplementedError

    def call(self, method: str, place: ast.AST, *parts: ast.expr) -> ast.expr:
        """A call of the runtime."""
        raise NotImplementedError

    def note(self, construct: str, node: ast.expr | ast.stmt) -> None:
        """Record a construct."""
        raise NotImplementedError

    def inner(self, node: ast.expr, made: Made) -> ast.expr:
        """An expression that a function inside computes, of what Python has for `made`."""
        before, self.free = self.free, isinstance(made, ast.GeneratorExp) or _FUNCTIONS
        with self.closure():
            new = self.expression(node)
        self.free = before
        return new

    def visit_List(self, node: ast.List) -> ast.expr:
        new = self.python(node)
        return self.call("list_", node, new) if isinstance(node.ctx, ast.Load) else new

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        if not self.can_be_calls(node):
            return self.comprehension(node)
        self.note("comprehension", node)
        return self.collected(node)

    def comprehension(self, node: Made | ast.SetComp | ast.DictComp) -> ast.expr:
        self.record.kept.append(Reason("a comprehension stays Python's", node.lineno))
        new = copy.copy(node)
        first = copy.copy(new.generators[0])
        first.iter = self.expression(first.iter)
        new.generators = [first, *new.generators[1:]]
        return new

    visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension

    def can_be_calls(self, made: Made) -> bool:
        """Whether functions of each item do what is done with it."""
        for source in made.generators:
            names = source.target.elts if isinstance(source.target, ast.Tuple) else [source.target]
            if source.is_async or not all(isinstance(name, ast.Name) for name in names):
                return False
        if _reads_later(made):
            return False
        below = [n for part in _inside(made) for n in ast.walk(part)]
        reduced = [id(n.args[0]) for n in below if isinstance(n, ast.Call) and self.reduces(n)]
        return not any(
            isinstance(n, _KEPT) or (isinstance(n, ast.GeneratorExp) and id(n) not in reduced)
            for n in below
        )

    def collected(self, made: Made) -> ast.expr:
        """A list of what the innermost of nested loops appends."""
        append = at(made.elt, ast.Call(load(".append"), [self.inner(made.elt, made)], []))
        done: ast.expr = append
        for source in reversed(made.generators[1:]):
            body = self.taking(source.target, self.under(source.ifs, done, made))
            done = self.call("each_", source.iter, self.inner(source.iter, made), body)
        first = made.generators[0]
        body = self.taking(first.target, self.under(first.ifs, done, made), ".append")
        return self.call("collect_", made, self.expression(first.iter), body)

    def under(self, tests: list[ast.expr], done: ast.expr, made: Made) -> ast.expr:
        """What is done where all tests hold."""
        for test in reversed(tests):
            side = at(test, ast.Lambda(parameters(), done))
            done = self.call("if_", test, self.inner(test, made), side)
        return done

    def taking(self, target: ast.expr, body: ast.expr, *first: str) -> ast.Lambda:
        """A function of other values and of an item, whose names a target gives."""
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        if not isinstance(target, ast.Tuple):
            return at(target, ast.Lambda(parameters(*first, *names), body))
        function = at(target, ast.Lambda(parameters(*names), body))
        starred = at(target, ast.Starred(load(".item"), ast.Load()))
        call = at(target, ast.Call(function, [starred], []))
        return at(target, ast.Lambda(parameters(*first, ".item"), call))

    def reduces(self, node: ast.Call) -> bool:
        """Whether a builtin makes one value of a generator expression that a loop could be."""
        if not (isinstance(node.func, ast.Name) and node.func.id in REDUCTIONS):
            return False
        if node.func.id in self.variables or node.keywords or len(node.args) != 1:
            return False
        [made] = node.args
        return (
            isinstance(made, ast.GeneratorExp)
            and (len(made.generators) == 1 or node.func.id in ("max", "min"))
            and self.can_be_calls(made)
        )

    def reduction(self, node: ast.Call) -> ast.expr:
        """A builtin of a generator expression, with a function of each item."""
        [made] = node.args
        assert isinstance(made, ast.GeneratorExp) and isinstance(node.func, ast.Name)
        self.note("generator expression", made)
        [source, *others], name = made.generators, node.func.id
        if name in ("max", "min") and (others or source.ifs):
            return at(node, ast.Call(node.func, [self.collected(made)], []))
        value, parts = made.elt, []
        if source.ifs and name == "any":
            value = at(value, ast.BoolOp(ast.And(), [*source.ifs, value]))
        elif source.ifs and name == "all":
            tests = [at(test, ast.UnaryOp(ast.Not(), test)) for test in source.ifs]
            value = at(value, ast.BoolOp(ast.Or(), [*tests, value]))
        elif source.ifs:
            test = at(value, ast.BoolOp(ast.And(), [*source.ifs, ast.Constant(True)]))
            parts.append(self.taking(source.target, self.inner(test, made)))
        body = self.taking(source.target, self.inner(value, made))
        return self.call("reduce_", node, node.func, self.expression(source.iter), body, *parts)


def _inside(made: Made) -> Iterable[ast.expr]:
    """What is done with each item."""
    first, *others = made.generators
    yield from [made.elt, *first.ifs]
    for source in others:
        yield from [source.iter, *source.ifs]


def _reads_later(made: Made) -> bool:
    """Whether a loop reads what it or one inside of it binds: what was bound the time before."""
    later: set[str] = set()
    for k, source in reversed([*enumerate(made.generators)]):
        if read(source.ifs) & later:
            return True
        later |= assigned([source.target]).keys()
        if k and read([source.iter]) & later:
            return True
    return False
