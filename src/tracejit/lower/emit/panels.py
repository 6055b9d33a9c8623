"""Loops of steps in panels: some steps at a time, between what is packed and what is put back.

s0 = temporary_d_2(13, 16)
for i6 in range(idiv(imax(v3, 0) + 11, 12)):
    i7 = i6 * 12
    i8 = imin(i7 + 12, v3)
    i9 = 0 + i7
    pack_3(s0, x0, i0, i2, i3 - i2, i9, 0, i8 - i7 + 1, 1)
    for i4 in span(i7, i8):
        ...
    unpack_3(s0, x0, i0, i2, i3 - i2, i9, 1, i8 - i7, 0)
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir.node import Node
from tracejit.lower.access import Entry
from tracejit.lower.emit.emitting import Emitting, steps
from tracejit.lower.kernel.statements import Assign, Binary, Call, Do, Expr, Factory, For, Group
from tracejit.lower.panels import PADDED, STEPS
from tracejit.lower.program import Lines, Panel


class Panels:
    """The panels of one loop of steps, whose lines are open, over arrays by these names."""

    def __init__(
        self,
        emitter: Emitting,
        lines: Sequence[tuple[Expr, Expr]],
        around: Lines,
        params: Sequence[Node],
        arrays: Sequence[Expr],
    ) -> None:
        self.e, self.around, self.panels = emitter, lines, around.panels
        #: From where to where its steps go along the lines.
        self.lines = list(lines)
        if around.padded:
            [*_, (first, last)] = lines
            count, end = Binary("+", Binary("-", last, first), PADDED - 1), emitter.fresh("i")
            shift = PADDED.bit_length() - 1
            self._assign(end, Binary("<<", Group(Binary(">>", Group(count), shift)), shift))
            self.lines[-1] = first, Binary("+", first, end)
        self.params, self.arrays, self.beside = params, arrays, around.beside
        #: By array: the panel, and which line and place come first in it.
        self.names: dict[str, tuple[str, Expr, Expr]] = {}
        self._puts: list[Call] = []

    def steps(self, index: str, count: Expr) -> For:
        """Open the loop of `count` steps, and one of some at a time around it."""
        if not self.panels:
            block = steps(index, None, count)
            self.e.open(block)
            return block
        bases = [self.e.dim(panel.base) for panel in self.panels]
        memory = [self._memory(panel) for panel in self.panels]
        number, first, last = (self.e.fresh("i") for _ in range(3))
        some = Call("imax", (count, 0))  # of which there may be fewer than none
        times = Call("idiv", (Binary("+", some, STEPS - 1), STEPS))
        self.e.open(For(index=number, kind="range", operands=(times,)))
        self._assign(first, Binary("*", number, STEPS))
        self._assign(last, Call("imin", (Binary("+", first, STEPS), count)))
        for panel, base, name in zip(self.panels, bases, memory, strict=True):
            self._pack(panel, base, name, first, last)
        block = steps(index, first, last)
        self.e.open(block)
        return block

    def close(self) -> None:
        """Put back what has been written, and close the loop around."""
        if self.panels:
            for call in self._puts:
                self.e.path[-1].add(Do(call))
            self.e.path.pop()

    def _assign(self, name: str, value: Expr) -> None:
        self.e.path[-1].assign(name, value)

    def _memory(self, panel: Panel) -> str:
        """A name for the memory of a panel, which is made once, however often the loop is begun."""
        char = self.params[panel.param].dtype.char
        rows, name = STEPS + panel.high - panel.low, self.e.fresh("s")
        made = f"temporary_{char.replace('?', 't')}_2"
        self.e.factories[made] = Factory("temporary", (char, 2))
        value = Call(made, (rows, 1 << self.beside))
        self.e.root.body.body.insert(self.e.root.start, Assign(name, value))
        return name

    def _pack(self, panel: Panel, base: Expr, name: str, first: str, last: str) -> None:
        """Fill a panel, and keep what puts it back."""
        array, forwards = self.arrays[panel.param], panel.sign > 0
        assert isinstance(array, str) and array not in self.names
        place, count = self.e.fresh("i"), Binary("-", last, first)
        start = Binary("+", base, first) if forwards else Binary("-", base, last)
        self._assign(place, _moved(start, panel.low + (not forwards)))
        index = [self._line(entry) for entry in panel.lines]
        line, end = self.around[-1]
        index.append(Binary("-", end, line))
        self.names[array] = name, index[-2], place
        ahead = 0 if array in self.e.fetched else panel.sign
        self.e.fetched.add(array)
        low: Expr = 0
        rows = _moved(count, panel.high - panel.low)
        if not panel.loads:
            assert panel.written is not None
            before, after = panel.written[0] - panel.low, panel.high - panel.written[1]
            low, rows = (0, before) if forwards else (_moved(rows, -after), after)
        call = self._call("pack", array, name, index, place, low, rows, ahead)
        if rows != 0:
            self.e.path[-1].add(Do(call))
        if panel.written is not None:
            least, most = panel.written
            row, rows = least - panel.low, _moved(count, most - least)
            ahead = 0 if panel.loads else ahead
            self._puts.append(self._call("unpack", array, name, index, place, row, rows, ahead))

    def _line(self, entry: Entry) -> Expr:
        """Where an array is gone into along an axis of its lines."""
        start = self.e.dim(entry.start)
        if entry.axis is None:
            return start
        line, _ = self.around[entry.axis]
        return line if start == 0 else Binary("+", line, start)

    def _call(
        self,
        what: str,
        array: str,
        panel: str,
        index: Sequence[Expr],
        place: str,
        *moved: Expr,
    ) -> Call:
        """Move rows of a panel, from one on, so many; the place is where the panel begins."""
        name = f"{what}_{len(index)}"
        self.e.factories[name] = Factory(what, (len(index),))
        return Call(name, (panel, array, *index, place, *moved))


def _moved(value: Expr, by: int) -> Expr:
    """A number that is greater by so many."""
    return Binary("+" if by > 0 else "-", value, abs(by)) if by else value
