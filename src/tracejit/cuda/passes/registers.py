"""What a thread's steps read and write at its point is in registers meanwhile.

    for i in over_x(n):                     for i in over_x(n):
        for k in range(m):                      c = b[i]
            v = b[i]                            for k in range(m):
            w = v * v                               v = c
            b[i] = w                                w = v * v
                                                    c = w
                                                b[i] = c

An array of which a loop touches one element only, and no view, may be so: no other thread touches
that. (NVVM does so for loads alone: a store at each step takes ten times as long as its sum.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tracejit.lower.kernel.rename import renamed
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Element,
    Expr,
    For,
    Statement,
    Store,
)
from tracejit.lower.kernel.undo import viewed
from tracejit.lower.kernel.verify import assigned, every, names, operands, read_by


def in_registers(block: Block, fresh: Callable[[str], str]) -> None:
    """Keep elements in registers in the loops of steps that stand in loops over a grid."""
    memory: dict[str, str] = {}
    for s in every(block):
        if isinstance(s, Assign) and (whole := viewed(s.value)):
            memory[s.name] = memory.get(whole, whole)
    for loop in [s for s in every(block) if isinstance(s, For) and s.kind.startswith("over_")]:
        if any(isinstance(s, For) and s.kind == "range" for s in loop.statements()):
            loop.body = [t for s in loop.statements() for t in _kept(s, memory, fresh)]


def _kept(s: Statement, memory: Mapping[str, str], fresh: Callable[[str], str]) -> list[Statement]:
    """A loop of steps with what is done before and after it; another statement as it is."""
    if not (isinstance(s, For) and s.kind == "range"):
        return [s]
    s.body = _of_one(s)
    own = {*assigned(s), s.index, *(t.index for t in every(s) if isinstance(t, For))}
    touched: dict[str, set[Expr]] = {}
    for e in (e for t in every(s) for e in read_by(t)):
        for array, element in _touched(e):
            touched.setdefault(memory.get(array, array), set()).add(element)
    places: dict[Element, str] = {}
    for element in dict.fromkeys(t.element for t in every(s) if isinstance(t, Store)):
        target = element.array
        if not isinstance(target, str) or own & names(element):
            continue
        if touched[memory.get(target, target)] == {element}:
            places[element] = fresh("c")
    s.body = renamed(s, places).body
    before = [Assign(place, element) for element, place in places.items()]
    return [*before, s, *(Store(element, place) for element, place in places.items())]


def _of_one(block: Block) -> list[Statement]:
    """The statements of a block, those of loops of one iteration without these."""
    found: list[Statement] = []
    for s in block.statements():
        first = s.operands[0] if isinstance(s, For) and s.kind == "span" else None
        if isinstance(s, For) and isinstance(first, str) and s.operands[1] == Binary("+", first, 1):
            found += _of_one(renamed(s, {s.index: first}))
        else:
            found.append(s)
    return found


def _touched(e: Expr) -> Iterator[tuple[str, Expr]]:
    """The elements in an expression, each with its array; a name by itself may be all of one."""
    if isinstance(e, str):
        yield e, e
    elif isinstance(e, Element) and isinstance(e.array, str):
        yield e.array, e
        for i in e.index:
            yield from _touched(i)
    else:
        for inner in operands(e):
            yield from _touched(inner)
