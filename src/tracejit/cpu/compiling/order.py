"""The order of a loop's statements in which LLVM makes the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import dropwhile

from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Expr,
    If,
    Leave,
    Return,
    Statement,
    Store,
)
from tracejit.lower.kernel.verify import names, read_by

#: Statements of a test, at most, that is built twice.
_FEW = 24
_COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))


def stores_last(
    statements: Sequence[Statement], places: Container[str], memory: Callable[[str], str]
) -> Sequence[Statement]:
    """The statements of a loop, its stores behind all else; as they are where that is unsafe.

    LLVM keeps a value from one step for the next one, as ``x[i + 1]`` for ``x[i]``, and cannot put
    what is computed from that behind a store: such a loop stays one of scalars. `places` are the
    names that are assigned more than once; `memory` tells of an array the one that it is a view of,
    which overlaps with no other one.
    """
    stores = [s for s in statements if isinstance(s, Store)]
    others = [s for s in statements if isinstance(s, Assign)]
    if len(stores) + len(others) < len(statements):
        return statements
    stored = {memory(name) for s in stores for name in names(s.element.array)}
    used = {name for s in stores for e in (s.value, s.element) for name in names(e)}
    for s in dropwhile(lambda s: isinstance(s, Assign), statements):
        if isinstance(s, Assign):
            again = s.name in used and s.name in places
            if again or not stored.isdisjoint(map(memory, names(s.value))):
                return statements
    return [*others, *stores]


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
    test = list(_all(statements[:count]))
    if len(test) > _FEW or not all(isinstance(s, Assign | If | Return | Leave) for s in test):
        return 0
    assigned = [s for s in test if isinstance(s, Assign)]
    if sum(_is_condition(s.value) for s in assigned) < 2:
        return 0
    found = reads(statements[:count])
    own = (s.name for s in assigned if s.name not in places)
    return count if all(found[name] == read_in_all[name] for name in own) else 0


def reads(statements: Iterable[Statement]) -> Counter[str]:
    """How many expressions of statements, and of those inside of them, read each name."""
    return Counter(name for s in _all(statements) for e in read_by(s) for name in names(e))


def _all(statements: Iterable[Statement]) -> Iterable[Statement]:
    for s in statements:
        yield s
        if isinstance(s, Block):
            yield from _all(s.statements())
        if isinstance(s, If) and s.otherwise is not None:
            yield from _all(s.otherwise.statements())


def _leaves(s: If) -> bool:
    return any(isinstance(inner, Leave) for inner in s.statements())


def _is_condition(e: Expr) -> bool:
    if isinstance(e, Binary):
        return e.sign in _COMPARISONS
    return isinstance(e, Call) and e.function == "logical_not"
