"""A function in parts: segments, which are functions of their own, and what stays Python's.

A segment is a run of statements between host calls. Its parameters are the variables that it reads,
and it returns those that it assigns and that are live after it. So the order of everything, what is
raised and what is unbound are Python's, as in the function.
"""

from __future__ import annotations

import ast
import copy
import inspect
import types
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from tracejit.capture.divide.hoist import COMPOUND, HOST, WORK, Hoist, heads, last_of, suites
from tracejit.capture.divide.liveness import Liveness
from tracejit.capture.divide.places import Place
from tracejit.capture.rewrite.flow import Set, bound_after
from tracejit.capture.rewrite.nodes import at, define, load, parameters
from tracejit.capture.rewrite.refusal import refusal
from tracejit.capture.rewrite.scope import (
    arguments,
    assigned,
    captured,
    declared,
    local,
    own,
    read,
    unbound,
)
from tracejit.capture.rewrite.source import Source, compiled, register, source_of


class Segment(NamedTuple):
    """A run of statements as a function; `text` is the same for equal ones at one place."""

    name: str
    code: types.CodeType
    text: str
    lines: tuple[int, int]


class Division(NamedTuple):
    """`code` calls the `segments` and `HOST`, which are variables of around with these names."""

    code: types.CodeType
    segments: list[Segment]


#: Statements and expressions that stay where they are: they see the function's frame.
_KEPT = (
    ast.Global, ast.Nonlocal, ast.Delete, ast.Import, ast.ImportFrom, ast.FunctionDef,
    ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await, ast.Pass,
)  # fmt: skip
_LEAVES = (ast.Break, ast.Continue)
_PYTHONS = frozenset("len range print isinstance enumerate zip str repr type super".split())


def divided(
    code: types.CodeType, places: Iterable[Place], foreign: AbstractSet[str] = frozenset()
) -> Division | None:
    """A function that is not compiled at `places`, nor where it reads the variables `foreign`.

    None where nothing else is left of it.
    """
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        return None
    source = source_of(code)
    if source is None or not isinstance(source.node, ast.FunctionDef):
        return None
    why = refusal(source.node)
    if why is not None and "global variable" not in why.text:
        return None
    try:
        return _Dividing(source, places, foreign).done()
    except RecursionError:  # it is nested too deeply
        return None


class _Dividing:
    def __init__(self, source: Source, places: Iterable[Place], foreign: AbstractSet[str]) -> None:
        self.source = source
        node = source.node
        assert isinstance(node, ast.FunctionDef)
        self.node = copy.deepcopy(node)
        #: A segment that is all of it would be divided again, for ever.
        self.whole = ast.dump(node, include_attributes=True)
        documented = ast.get_docstring(node, clean=False) is not None
        self.head, body = self.node.body[:documented], self.node.body[documented:]
        self.segments: list[Segment] = []
        self.tests = last_of(".c", local(node))
        outer = declared(body, ast.Nonlocal) | declared(body, ast.Global)
        hoist = Hoist(body, places, foreign, local(node))
        self.hosts, self.body = hoist.hosts, hoist.body
        self.variables = frozenset(local(node)) | (assigned(self.body).keys() - outer)
        #: What other functions may read, or assign, whenever they are called.
        self.fixed = frozenset(captured(self.body)) | outer
        self.certain = self.variables - unbound(self.body)
        #: Functions and classes that each call makes anew, and modules by what imports them.
        self.functions, self.imports = _made_by(self.body, self.fixed)
        self.liveness = Liveness(self.fixed)
        self.liveness.block(self.body, self.fixed)

    def done(self) -> Division | None:
        bound: Set = frozenset(a.arg for a in arguments(self.node.args))
        body = self.suite(self.body, bound, True)
        if not self.segments or not self.hosts or self.whole in [s.text for s in self.segments]:
            return None
        self.node.body = [*self.head, *body]
        free = [s.name for s in self.segments]
        return Division(compiled(self.source, self.node, [HOST, *free]), self.segments)

    # Statements

    def suite(self, body: Sequence[ast.stmt], bound: Set, last: bool) -> list[ast.stmt]:
        """A block where `bound` have values; the function ends with it if it is the `last`."""
        done: list[ast.stmt] = []
        start = self._ending(body, bound) if last else len(body)
        at_place = 0
        while at_place < len(body):
            run = self.run(body[at_place:], bound, at_place == start)
            after = body[at_place + len(run) :]
            if run and _works(run):
                done.append(self.segment([*run, *self.asked(run, after, bound)], bound))
            elif run:
                done += run
            else:
                statement = body[at_place]
                follows = at_place + 1 < len(body)
                done += self.kept(statement, bound, last and not follows)
                run = [statement]
            bound = bound_after(run, bound, self.certain) & self.certain
            at_place += len(run)
        return done

    def asked(
        self, run: Sequence[ast.stmt], after: Sequence[ast.stmt], bound: Set
    ) -> list[ast.stmt]:
        """The test of a branch that follows a run, as its last statement."""
        if isinstance(run[-1], ast.Return) or not (after and isinstance(after[0], ast.If)):
            return []
        branch = after[0]
        bound = bound_after(run, bound, self.certain) & self.certain
        if id(branch) in self.hosts or not self.is_own(branch.test, bound):
            return []
        self.tests += 1
        name = f".c{self.tests}"
        statement = at(branch.test, ast.Assign([ast.Name(name, ast.Store())], branch.test))
        branch.test = at(branch.test, load(name))
        self.variables |= {name}
        self.certain |= {name}
        self.liveness.after[id(statement)] = self.liveness.after[id(run[-1])] | {name}
        return [statement]

    def _ending(self, body: Sequence[ast.stmt], bound: Set) -> int:
        """The first of the statements at the end that are one segment, which may return inside."""
        bounds = [bound]
        for statement in body:
            bounds.append(bound_after([statement], bounds[-1], self.certain) & self.certain)
        start = len(body)
        while start and self.fits(body[start - 1], bounds[start - 1], True):
            start -= 1
        return start if any(_returns(s) for s in body[start:]) else len(body)

    def run(self, body: Sequence[ast.stmt], bound: Set, ending: bool) -> list[ast.stmt]:
        """The statements at the start of `body` that are one segment."""
        if ending:
            return list(body)
        found: list[ast.stmt] = []
        for statement in body:
            ends = isinstance(statement, ast.Return)
            if not self.fits(statement, bound, ends):
                break
            found.append(statement)
            bound = bound_after([statement], bound, self.certain) & self.certain
            # What a handler reads has to be there when a later statement raises.
            caught = assigned([statement]).keys() & self.liveness.caught[id(statement)]
            if ends or caught:
                break
        return found

    def fits(self, node: ast.stmt, bound: Set, returns: bool) -> bool:
        """Whether a statement may be part of a segment, one at whose end the function `returns`."""
        below = list(own(node))
        if any(id(n) in self.hosts or isinstance(n, _KEPT) for n in below):
            return False
        if not returns and any(isinstance(n, ast.Return) for n in below):
            return False
        if _leaves_loop(node) or _sees_frame(below):
            return False
        names = assigned([node]).keys()
        if names & self.fixed or read([node]) & self.functions:
            return False
        if not self.liveness.reads([node]) & self.variables - self.imports.keys() <= bound:
            return False
        if isinstance(node, COMPOUND) and names & self.liveness.caught[id(node)]:
            return False
        after = bound_after([node], bound, self.certain)
        return names & self.liveness.after[id(node)] <= after & self.certain or returns

    def kept(self, node: ast.stmt, bound: Set, last: bool) -> list[ast.stmt]:
        """A statement that stays Python's, with segments in it."""
        if isinstance(node, (ast.If, ast.While)) and id(node) not in self.hosts:
            node.test = self.called(node.test, bound)
        if not isinstance(node, COMPOUND):
            return [node]
        inside = bound
        if isinstance(node, ast.For):
            inside |= frozenset(assigned([node.target])) & self.certain
        elif isinstance(node, ast.With):
            inside |= frozenset(assigned(node.items)) & self.certain
        for suite in suites(node):
            first = suite is node.body or isinstance(node, ast.If)
            around = inside if first else bound
            suite[:] = self.suite(suite, around, last and isinstance(node, ast.If))
        return [node]

    # Segments

    def segment(self, run: Sequence[ast.stmt], bound: Set) -> ast.stmt:
        """The call of a run of statements as a function."""
        returns = any(_returns(s) for s in run)
        names = frozenset(assigned(run)) & self.liveness.after[id(run[-1])] & self.variables
        out = [] if returns else sorted(names)
        body = list(run)
        if out:
            result = at(run[-1], ast.Return(_tuple(out, ast.Load())))
            body.append(result)
        call = self.call(body, self.liveness.reads(body) & self.variables & bound)
        if returns:
            return at(run[0], ast.Return(call))
        if out:
            return at(run[0], ast.Assign([_tuple(out, ast.Store())], call))
        return at(run[0], ast.Expr(call))

    def call(self, body: list[ast.stmt], names: Iterable[str]) -> ast.expr:
        names = sorted(frozenset(names) - self.imports.keys())
        needed = {id(s): s for n in sorted(read(body)) if (s := self.imports.get(n))}
        body = [*needed.values(), *body]
        node = at(body[0], define(self.node.name, parameters(*names), body))
        code = compiled(self.source, node)
        register(Source(node, code, self.source.imports))
        name = f".segment{len(self.segments)}"
        lines = min(s.lineno for s in body), max(s.end_lineno or s.lineno for s in body)
        self.segments.append(Segment(name, code, ast.dump(node, include_attributes=True), lines))
        return at(body[0], ast.Call(load(name), [load(n) for n in names], []))

    def called(self, test: ast.expr, bound: Set) -> ast.expr:
        """An expression, as a segment if that is worth it."""
        value = at(test, ast.Return(test))
        if not self.is_own(test, bound) or not _works([value]):
            return test
        return self.call([value], self.liveness.reads([value]) & self.variables)

    def is_own(self, test: ast.expr, bound: Set) -> bool:
        """Whether an expression may be part of a segment."""
        below = list(own(test))
        alone = assigned([test]) or any(isinstance(n, _KEPT) for n in below) or _sees_frame(below)
        names = read([test]) & self.variables - self.imports.keys()
        return not alone and not names & self.functions and names <= bound


def _made_by(body: Sequence[ast.stmt], fixed: Set) -> tuple[Set, dict[str, ast.stmt]]:
    """The names that functions and classes are bound to, and those that only an import binds."""
    functions, others = set(), set(fixed)
    imports: dict[str, ast.stmt] = {}
    for node in own(*body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            functions.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = assigned([node]).keys()
            others |= names & imports.keys()
            imports.update(dict.fromkeys(names, node))
        elif isinstance(node, ast.stmt) and not isinstance(node, COMPOUND):
            others |= assigned([node]).keys()
            if any(isinstance(n, ast.Lambda) for n in own(node)):
                functions |= assigned([node]).keys()
        elif isinstance(node, (ast.For, ast.With)):
            others |= assigned(heads(node)).keys()
    kept = {n: s for n, s in imports.items() if n not in others}
    return frozenset(functions), kept


def _tuple(names: Sequence[str], ctx: ast.expr_context) -> ast.expr:
    elements: list[ast.expr] = [ast.Name(name, ctx) for name in names]
    return elements[0] if len(names) == 1 else ast.Tuple(elements, ctx)


def _returns(node: ast.stmt) -> bool:
    return any(isinstance(n, ast.Return) for n in own(node))


def _leaves_loop(node: ast.AST) -> bool:
    """Whether a statement leaves, or goes on with, a loop around it."""
    if isinstance(node, _LEAVES):
        return True
    if isinstance(node, (ast.For, ast.While)):
        return any(map(_leaves_loop, node.orelse))
    return isinstance(node, COMPOUND) and any(
        _leaves_loop(s) for suite in suites(node) for s in suite
    )


def _sees_frame(nodes: Iterable[ast.AST]) -> bool:
    """Whether one of the nodes depends on which function it stands in."""
    return any(isinstance(n, ast.Name) and n.id in ("super", "__class__") for n in nodes)


def _works(run: Sequence[ast.stmt]) -> bool:
    """Whether a run of statements does what is worth to be compiled."""
    for node in own(*run):
        if isinstance(node, (ast.For, ast.While, ast.AugAssign)):
            return True
        if isinstance(node, ast.Call):
            if not (isinstance(node.func, ast.Name) and node.func.id in _PYTHONS):
                return True
        elif isinstance(node, WORK) and not isinstance(node, ast.Call):
            return True
    return False
