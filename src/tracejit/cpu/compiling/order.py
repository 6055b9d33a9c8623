"""The order of a loop's statements in which LLVM vectorises most.

It keeps a value from one step for the next one, as ``x[i + 1]`` for ``x[i]``, and cannot put what
is computed from that behind a store: such a loop stays one of scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from itertools import dropwhile

from tracejit.lower.kernel.statements import Assign, Statement, Store
from tracejit.lower.kernel.verify import names


def stores_last(
    statements: Sequence[Statement], places: Container[str], memory: Callable[[str], str]
) -> Sequence[Statement]:
    """The statements of a loop, its stores behind all else; as they are where that is unsafe.

    `places` are the names that are assigned more than once; `memory` tells of an array the one that
    it is a view of, which overlaps with no other one.
    """
    stores = [s for s in statements if isinstance(s, Store)]
    others = [s for s in statements if isinstance(s, Assign)]
    if len(stores) + len(others) < len(statements):
        return statements
    stored = {memory(name) for s in stores for name in names(s.element.array)}
    read = {name for s in stores for e in (s.value, s.element) for name in names(e)}
    for s in dropwhile(lambda s: isinstance(s, Assign), statements):
        if isinstance(s, Assign):
            again = s.name in read and s.name in places
            if again or not stored.isdisjoint(map(memory, names(s.value))):
                return statements
    return [*others, *stores]
