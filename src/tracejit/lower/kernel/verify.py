"""The verifier of kernels: rules that every kernel obeys, whatever its target."""

from __future__ import annotations

from collections.abc import Iterator

from tracejit.errors import InvalidGraphError
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
    Group,
    If,
    Kernel,
    Leave,
    Length,
    Output,
    Part,
    Return,
    Shared,
    Statement,
    Store,
    Transposed,
    Unary,
)
from tracejit.lower.kernel.text import BINDS


def verify(kernel: Kernel) -> None:
    """Raise InvalidGraphError unless `kernel` is well formed.

    Checked: a name has a value wherever it is read, on all ways there; the index of a loop is given
    no other; what iterations do at once changes no name of all of them; nothing comes after a
    statement that leaves; what leaves a loop is in one; the kernel ends with a code.
    """
    checker = _Checker()
    problem = next(checker.problems(kernel), None)
    if problem is not None:
        raise InvalidGraphError(f"the kernel: {problem}")


class _Checker:
    """Goes through a kernel with the names that have values."""

    def __init__(self) -> None:
        #: The indices of open loops.
        self.fixed: list[str] = []
        #: Loops without end that are open, each with the names that each `Leave` has seen.
        self.endless: list[list[set[str]]] = []

    def problems(self, kernel: Kernel) -> Iterator[str]:
        known = set(kernel.parameters)
        if len(known) < len(kernel.parameters):
            yield "two parameters have one name"
        yield from self.block(kernel.body, known)
        if not isinstance(_last(kernel.body), Return):
            yield "it does not end with a code"

    def block(self, block: Block, known: set[str]) -> Iterator[str]:
        """The problems of a block; the names that it gives values are added to those `known`."""
        left = False
        for s in block.statements():
            if left:
                yield f"nothing comes to {type(s).__name__}"
            for e in read_by(s):
                yield from (f"{name} has no value here" for name in names(e) - known)
                yield from _wrong(e)
            yield from self.effects(s, known)
            left = isinstance(s, Return | Leave)

    def effects(self, s: Statement, known: set[str]) -> Iterator[str]:
        if isinstance(s, Assign):
            if s.name in self.fixed:
                yield f"{s.name} is the index of an open loop"
            known.add(s.name)
        elif isinstance(s, For):
            if s.index in self.fixed:
                yield f"{s.index} is the index of two loops"
            self.fixed.append(s.index)
            inside = known | {s.index}
            yield from self.block(s, inside)
            if isinstance(s, Shared):
                yield from self.shared(s, known, inside)
            self.fixed.pop()
        elif isinstance(s, Forever):
            self.endless.append([])
            yield from self.block(s, set(known))
            seen = self.endless.pop()
            if seen:  # what has a value wherever it is left has one after it
                known |= set.intersection(*seen)
        elif isinstance(s, If):
            yield from self.branches(s, known)
        elif isinstance(s, Leave):
            if not self.endless:
                yield "there is no loop to leave"
            else:
                self.endless[-1].append(set(known))

    def shared(self, s: Shared, known: set[str], inside: set[str]) -> Iterator[str]:
        """The problems of iterations at once, after each of which names are known `inside`."""
        changed = assigned(s)
        yield from (f"{name} is every iteration's" for name in changed & known)
        yield from (f"{name} has no value here" for name in set(s.kept.values()) - inside)
        own = {s.index, *s.kept}
        yield from (f"{name} is no result" for name in assigned(s.then) - known)
        yield from self.block(s.then, known | own)

    def branches(self, s: If, known: set[str]) -> Iterator[str]:
        sides = []
        for side in (s, s.otherwise):
            inside = set(known)
            if side is not None:
                yield from self.block(side, inside)
                if isinstance(_last(side), Return | Leave):
                    continue
            sides.append(inside)
        if sides:
            known |= set.intersection(*sides)


def _last(block: Block) -> Statement | None:
    """A block's last statement, if it has any."""
    statements = list(block.statements())
    return statements[-1] if statements else None


def every(block: Block) -> Iterator[Statement]:
    """The statements of a block, those inside of others included."""
    for s in block.statements():
        yield s
        if isinstance(s, Block):
            yield from every(s)
            if isinstance(s, If) and s.otherwise is not None:
                yield from every(s.otherwise)


def assigned(block: Block) -> set[str]:
    """The names that a block assigns."""
    return {s.name for s in every(block) if isinstance(s, Assign)}


def read_by(s: Statement) -> tuple[Expr, ...]:
    """The expressions that a statement evaluates before all that is inside of it."""
    if isinstance(s, Assign):
        return (s.value,)
    if isinstance(s, Store):
        return s.element, s.value
    if isinstance(s, Do):
        return (s.call,)
    if isinstance(s, Return):
        return (s.code,)
    if isinstance(s, Shared):
        return *s.operands, s.work
    if isinstance(s, For):
        return s.operands
    return (s.test,) if isinstance(s, If) else ()


def read_in(block: Block) -> set[str]:
    """The names that a block reads, those of the arrays that it writes to included."""
    return {name for s in every(block) for e in read_by(s) for name in names(e)}


def operands(e: Expr) -> tuple[Expr, ...]:
    """The expressions that an expression is made of."""
    if isinstance(e, str | int | Constant):
        return ()
    if isinstance(e, Call):
        return e.operands
    if isinstance(e, Binary):
        return e.left, e.right
    if isinstance(e, Unary):
        return (e.operand,)
    if isinstance(e, Element | Part):
        return e.array, *e.index
    if isinstance(e, Length | Transposed):
        return (e.array,)
    assert isinstance(e, Group | Output)
    return (e.inner,) if isinstance(e, Group) else (e.call,)


def names(e: Expr) -> set[str]:
    """The names that an expression reads."""
    if isinstance(e, str):
        return {e}
    return set().union(*map(names, operands(e)))


def _wrong(e: Expr) -> Iterator[str]:
    """What is wrong with an expression by itself."""
    if isinstance(e, Binary) and e.sign not in BINDS:
        yield f"{e.sign} is no operator"
    if isinstance(e, Unary) and e.sign not in ("not", "-"):
        yield f"{e.sign} is no operator of one value"
    if isinstance(e, Element | Part | Length | Transposed) and not isinstance(
        e.array, str | Part | Transposed
    ):
        yield f"{type(e.array).__name__} is no array"
    for each in operands(e):
        yield from _wrong(each)
