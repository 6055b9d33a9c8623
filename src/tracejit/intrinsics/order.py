"""The order of a loop's statements in which LLVM makes the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Expr,
    If,
    Leave,
    Return,
    Statement,
    Store,
    Unary,
)
from tracejit.lower.kernel.verify import every, names, read_by

#: Statements of a test, at most, that is built twice.
_FEW = 24
_COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))


def stores_last(
    statements: Sequence[Statement], places: Container[str], memory: Callable[[str], str]
) -> Sequence[Statement]:
    """The statements of a loop, each store behind all that it may be put behind.

    LLVM keeps a value from one step for the next one, as ``x[i + 1]`` for ``x[i]``, and cannot put
    what is computed from that behind a store: such a loop stays one of scalars. `places` are the
    names that are assigned more than once; `memory` tells of an array the one that it is a view of,
    which overlaps with no other one.
    """
    found: list[Statement] = []
    stores: list[Statement] = []
    written: set[str] = set()
    used: set[str] = set()
    for s in statements:
        if isinstance(s, Store):
            stores.append(s)
            written.update(map(memory, names(s.element.array)))
            used.update(*map(names, (s.value, s.element)))
            continue
        passed = isinstance(s, Assign) and written.isdisjoint(map(memory, names(s.value)))
        if not passed or (isinstance(s, Assign) and s.name in places and s.name in used):
            found += stores
            stores, written, used = [], set(), set()
        found.append(s)
    return [*found, *stores]


def turned(
    statements: Sequence[Statement], places: Container[str], read_in_all: Mapping[str, int]
) -> int:
    """How many statements a loop begins with that test, of several conditions, whether it ends.

    They are built before the loop and again at its end, as Python compiles a ``while``: a step then
    jumps once. LLVM does so by itself where there is one condition. `places` are the names that are
    assigned more than once, `read_in_all` is how often the whole kernel reads a name.
    """
    tests = (k for k, s in enumerate(statements, 1) if isinstance(s, If) and _leaves(s))
    count = next(tests, 0)
    test = list(every(Block([*statements[:count]])))
    if len(test) > _FEW or not all(isinstance(s, Assign | If | Return | Leave) for s in test):
        return 0
    assigned = [s for s in test if isinstance(s, Assign)]
    if sum(_is_condition(s.value) for s in assigned) < 2:
        return 0
    found = reads(statements[:count])
    own = (s.name for s in assigned if s.name not in places)
    return count if all(found[name] == read_in_all[name] for name in own) else 0


def left_where_found(
    statements: Sequence[Statement], count: int, places: Container[str]
) -> Sequence[Statement]:
    """The statements of a loop, whose first `count` are its test, that a branch itself leaves.

    A ``break`` in a branch is a flag that the test looks at: a step that sets it goes on to its
    end, and LLVM computes the flag. Here the branch does what is left of the step, and leaves.
    """
    known = conditions(statements[:count], places)
    k = next((k for k in range(len(statements) - 1, count, -1) if _branches(statements[k])), 0)
    branch, rest = statements[k], statements[k + 1 :]
    if not known or not k or not isinstance(branch, If):
        return statements
    if len(rest) > _FEW or not all(isinstance(s, Assign) or _returns(s) for s in rest):
        return statements
    values = {s.name: s.value for s in rest if isinstance(s, Assign)}
    flags = map(negated, known)
    set_by = (values.get(e) for e in flags if isinstance(e, str))
    sources = {e for e in set_by if isinstance(e, str) and e not in values}
    sets = Counter(s.name for s in every(Block(branch.body)) if isinstance(s, Assign))
    true = (s.name for s in branch.statements() if isinstance(s, Assign) and _is_true(s.value))
    if not any(name in sources and sets[name] == 1 for name in true):
        return statements
    left = If([*branch.body, *rest, Leave()], test=branch.test, otherwise=branch.otherwise)
    return [*statements[:k], left, *rest]


def one_by_one(test: Sequence[Statement], places: Container[str]) -> Sequence[Statement]:
    """A test of several conditions as one of each: LLVM then jumps where one of them is known."""
    found = conditions(test, places)
    if len(found) < 2 or not isinstance(test[-1], If) or _branches(test[-1]):
        return test
    ended = (negated(e) or Call("logical_not", (e,)) for e in found)
    return [*test[:-1], *(If([*test[-1].body], test=e) for e in ended)]


def held(test: Sequence[Statement], places: Container[str]) -> list[Binary]:
    """The comparisons that hold where a test, of statements that are built twice, has not ended.

    They are of what these do not assign themselves. LLVM would know them if it turned the loop: it
    takes away tests of bounds that follow.
    """
    own = {s.name for s in test if isinstance(s, Assign)}
    found = (e for e in conditions(test, places) if own.isdisjoint(names(e)))
    return [e for e in found if isinstance(e, Binary) and e.sign in _COMPARISONS]


def conditions(test: Sequence[Statement], places: Container[str]) -> list[Expr]:
    """Of what a test goes on with all are true: conditions, or names of what others assign.

    None are told of a test that assigns places: what it compares may have changed since.
    """
    if any(isinstance(s, Assign) and s.name in places for s in every(Block([*test]))):
        return []
    values = {s.name: s.value for s in test if isinstance(s, Assign)}
    found: list[Expr] = []

    def look(e: Expr) -> None:
        if isinstance(e, str) and e in values:
            look(values[e])
        elif isinstance(e, Call) and e.function == "logical_and":
            for operand in e.operands:
                look(operand)
        else:
            found.append(e)

    for s in test:
        if isinstance(s, If) and _leaves(s) and (ended := negated(s.test)) is not None:
            look(ended)
    return found


def negated(e: Expr) -> Expr | None:
    """What a negation is of; None for another expression."""
    if isinstance(e, Call) and e.function == "logical_not":
        return e.operands[0]
    return e.operand if isinstance(e, Unary) and e.sign == "not" else None


def reads(statements: Iterable[Statement]) -> Counter[str]:
    """How many expressions of statements, and of those inside of them, read each name."""
    return Counter(
        name for s in every(Block([*statements])) for e in read_by(s) for name in names(e)
    )


def _branches(s: Statement) -> bool:
    """Whether it does one thing or another."""
    return isinstance(s, If) and s.otherwise is not None and not s.otherwise.is_empty()


def _returns(s: Statement) -> bool:
    """Whether it is a test that may end the program."""
    if not isinstance(s, If) or _branches(s):
        return False
    return any(isinstance(inner, Return) for inner in s.statements())


def _is_true(e: Expr) -> bool:
    return isinstance(e, Constant) and e.value is True


def _leaves(s: If) -> bool:
    return any(isinstance(inner, Leave) for inner in s.statements())


def _is_condition(e: Expr) -> bool:
    if isinstance(e, Binary):
        return e.sign in _COMPARISONS
    return isinstance(e, Call) and e.function == "logical_not"
