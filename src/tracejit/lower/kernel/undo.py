"""Kernels that take back what they have written, where they leave before the end.

    u0 = undo_log(x0, v3)                   u0 = undo_log(x0, v3)
    for i0 in range(v3):                    n0 = undo_notes(u0)
        x0[v1] = v2                         for i0 in range(v3):
    if told(bad):                               if n0:
        return 2                                    undo_note_1(u0, x0, x0, v1)
    return 0                                    x0[v1] = v2
                                            if told(bad):
                                                undo(u0, x0)
                                                return 2
                                            return 0

An undo log has the places of elements, and what was there. So a few writes into a large array cost
what they are, and not a copy of it. Of many it is a copy.
"""

from __future__ import annotations

from tracejit.lower.kernel.statements import (
    Assign,
    Block,
    Call,
    Do,
    Expr,
    Factory,
    For,
    Forever,
    If,
    Kernel,
    Part,
    Return,
    Statement,
    Store,
    Transposed,
)
from tracejit.lower.kernel.verify import every

#: What functions are called that give views of their first operands.
_VIEWS = ("flat", "shaped_", "strip_", "slab_")
_OPEN = "undo_log"


def open_log(block: Block, array: str, number: int, count: Expr) -> None:
    """Open a log of an array, into which there may be so many writes, or more."""
    block.assign(f"u{number}", Call(_OPEN, (array, count)))


def with_undo(kernel: Kernel) -> Kernel:
    """`kernel`, which leaves arrays with logs as they were where it returns another code than 0.

    Needs: elements of them are written by stores alone, as long as it may return.
    """
    undo = _Undo(kernel)
    body = undo.block(kernel.body)
    return Kernel(kernel.parameters, {**kernel.factories, **undo.factories}, body)


class _Undo:
    """Goes through a kernel that writes into arrays of the caller's."""

    def __init__(self, kernel: Kernel) -> None:
        #: The logs that have been opened, by array.
        self.logs: dict[str, str] = {}
        self.factories: dict[str, Factory] = {}
        views = {s.name: viewed(s.value) for s in every(kernel.body) if isinstance(s, Assign)}
        self.base = {name: of for name, of in views.items() if of}

    def block(self, block: Block) -> Block:
        """A block whose stores are noted."""
        return Block([new for s in block.statements() for new in self._statement(s)])

    def _statement(self, s: Statement) -> list[Statement]:
        if isinstance(s, Return):
            taken_back = [Do(Call("undo", (u, name))) for name, u in self.logs.items()]
            return [s] if s.code == 0 else [*taken_back, s]
        if isinstance(s, Store):
            return [*self._noted(s), s]
        if isinstance(s, Assign) and isinstance(s.value, Call) and s.value.function == _OPEN:
            array = s.value.operands[0]
            assert isinstance(array, str)
            self.logs[array] = s.name
            return [s, Assign(_notes(s.name), Call("undo_notes", (s.name,)))]
        if not isinstance(s, Block):
            return [s]
        body = self.block(s).body
        if isinstance(s, For):
            assert type(s) is For, "what threads share is decided later"
            return [For(body, index=s.index, kind=s.kind, operands=s.operands)]
        if isinstance(s, If):
            otherwise = None if s.otherwise is None else self.block(s.otherwise)
            return [If(body, test=s.test, otherwise=otherwise)]
        return [Forever(body)]

    def _noted(self, s: Store) -> list[Statement]:
        """What takes note of the element that a store overwrites."""
        name = array_of(s.element.array)
        while name in self.base:
            name = self.base[name]
        if name not in self.logs:
            return []
        index = s.element.index
        function = f"undo_note_{len(index)}"
        self.factories[function] = Factory("undo_note", (len(index),))
        log = self.logs[name]
        note = Do(Call(function, (log, name, s.element.array, *index)))
        return [If([note], test=_notes(log))]


def _notes(log: str) -> str:
    """The name of whether a log takes notes."""
    return f"n{log[1:]}"


def array_of(e: Expr) -> str:
    """The name of an array, or of what it is the transpose of."""
    while isinstance(e, Transposed):
        e = e.array
    assert isinstance(e, str)
    return e


def viewed(value: Expr) -> str:
    """The array that an expression is a view of; nothing where it is another."""
    if isinstance(value, Call) and value.function.startswith(_VIEWS):
        return array_of(value.operands[0])
    return array_of(value.array) if isinstance(value, Part) else ""
