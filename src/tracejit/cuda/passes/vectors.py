"""Loops in which a thread takes neighbouring elements at a time, by vector loads and stores.

A load or a store of 16 bytes moves as much as two or four of single elements, and memory is what
most kernels wait for. It needs elements side by side, and addresses that are multiples of its size,
which the kernel tests: otherwise, and for what is left at the end, it goes one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from tracejit.cuda.source import ParameterKind
from tracejit.ir import ops
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Element,
    Expr,
    For,
    If,
    Length,
    Statement,
    Store,
)
from tracejit.lower.kernel.undo import viewed
from tracejit.lower.kernel.verify import assigned, every, names, operands, read_by

#: The loops that may go by vectors; those that do have how many elements in their kind.
KIND = "over_x"
WIDTHS = (1, 2, 4)
#: Bytes that one instruction moves.
_BYTES = 16
#: What is computed of an element, in additions, at most: it is there for each of a vector's, and
#: what takes longer does not wait for memory.
_LARGEST = 200
#: How much a draw is; other calls have the cost of their op.
_DRAW = 20


class Accesses(NamedTuple):
    """The elements that a loop loads, and stores, as parts of vectors."""

    loads: Collection[Element]
    stores: Collection[Element]


def by_vectors(body: Block, kinds: Mapping[str, ParameterKind]) -> int:
    """Let the loop that threads share along x go by vectors, if it can; how many elements of each.

    `kinds` are those of the kernel's parameters.
    """
    loop = next((s for s in every(body) if isinstance(s, For) and s.kind == KIND), None)
    if loop is None:
        return 1
    arrays = Arrays(body, kinds)
    found = accesses(loop, arrays)
    if found is None:
        return 1
    dtypes = [arrays.gapless[str(e.array)].dtype for e in (*found.loads, *found.stores)]
    width = max(min(_BYTES // max(d.itemsize for d in dtypes), WIDTHS[-1]), 1)
    if width == 1 and not any(d.kind == "c" for d in dtypes):
        return 1
    loop.kind = f"{KIND}{width}"
    return width


class Arrays:
    """The arrays that a kernel knows by name: parameters, and views of them."""

    def __init__(self, body: Block, kinds: Mapping[str, Any]) -> None:
        #: Of a view, what it is a view of.
        self.base: dict[str, str] = {}
        #: Those without gaps between elements.
        self.gapless = {name: kind for name, kind in kinds.items() if kind.layout == "C"}
        for s in every(body):
            if isinstance(s, Assign) and (of := viewed(s.value)):
                self.base[s.name] = of
                if isinstance(s.value, Call) and s.value.function == "flat" and of in kinds:
                    self.gapless[s.name] = kinds[of]

    def memory(self, name: object) -> str:
        """The parameter that has an array's memory."""
        found = str(name)
        while found in self.base:
            found = self.base[found]
        return found


def accesses(loop: For, arrays: Arrays) -> Accesses | None:
    """What a loop may load and store as vectors; None if it may not.

    All that it stores is stored so, or each instruction would write parts of what others write; and
    what it reads of that is what it stores to, before.
    """
    own = assigned(loop) | {loop.index}
    loads: dict[Element, None] = {}
    stores: dict[str, Element] = {}
    #: What is read of memory in another way.
    other: set[str] = set()
    steps = 0
    for s, conditional in _statements(loop, False):
        if isinstance(s, Store):
            read: tuple[Expr, ...] = s.value, *s.element.index
        elif isinstance(s, Assign | If):
            read = read_by(s)
        else:
            return None
        for e in (part for each in read for part in _parts(each)):
            steps += _cost(e)
            if isinstance(e, str):
                other.add(arrays.memory(e))
            elif isinstance(e, Element):
                memory = arrays.memory(e.array)
                if conditional or memory in stores or not _is_beside(e, loop, arrays, own):
                    other.add(memory)
                else:
                    loads[e] = None
        if isinstance(s, Store):
            memory = arrays.memory(s.element.array)
            if conditional or memory in stores or not _is_beside(s.element, loop, arrays, own):
                return None
            stores[memory] = s.element
    places = ((stores.get(arrays.memory(e.array), e), e) for e in loads)
    apart = other.isdisjoint(stores) and all(a.index == b.index for a, b in places)
    if not stores or not apart or steps > _LARGEST:
        return None
    return Accesses([*loads], [*stores.values()])


def _statements(block: Block, conditional: bool) -> Iterator[tuple[Statement, bool]]:
    """The statements of a loop, and whether they stand under a condition."""
    for s in block.statements():
        yield s, conditional
        if isinstance(s, If):
            yield from _statements(s, True)
            if s.otherwise is not None:
                yield from _statements(s.otherwise, True)


def _parts(e: Expr) -> Iterator[Expr]:
    """An expression, and all that it is made of but for arrays that it has elements of."""
    yield e
    inner = operands(e)
    named = isinstance(e, Element | Length) and isinstance(e.array, str)
    for each in inner[1:] if named else inner:
        yield from _parts(each)


def _cost(e: Expr) -> int:
    """How long an operation takes, in additions."""
    if not isinstance(e, Call):
        return not isinstance(e, str | int)
    row = ops.ELEMENTWISE.get(e.function)
    if row is None:
        return _DRAW if e.function.startswith("philox") else 1
    return row.cost


def _is_beside(e: Element, loop: For, arrays: Arrays, own: set[str]) -> bool:
    """Whether neighbouring iterations have neighbours of this element."""
    return (
        e.array in arrays.gapless
        and e.index[-1:] == (loop.index,)
        and all(_is_known(i) and own.isdisjoint(names(i)) for i in e.index[:-1])
    )


def _is_known(e: Expr) -> bool:
    """Whether an index is computed of numbers and names alone."""
    if isinstance(e, Binary):
        return _is_known(e.left) and _is_known(e.right)
    return isinstance(e, str | int)
