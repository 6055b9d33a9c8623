"""The order of a loop's statements in which LLVM makes the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

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


def reads(statements: Iterable[Statement]) -> Counter[str]:
    """How many expressions of statements, and of those inside of them, read each name."""
    return Counter(
        name for s in every(Block([*statements])) for e in read_by(s) for name in names(e)
    )


def _leaves(s: If) -> bool:
    return any(isinstance(inner, Leave) for inner in s.statements())


def _is_condition(e: Expr) -> bool:
    if isinstance(e, Binary):
        return e.sign in _COMPARISONS
    return isinstance(e, Call) and e.function == "logical_not"
