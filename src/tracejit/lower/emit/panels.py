"""Loops of steps in panels: some steps at a time, between what is packed and what is put back.

s0 = panel_d_17()
for i6 in range((v3 + 15) >> 4):
    i7 = i6 << 4
    i8 = imin(i7 + 16, v3)
    i9 = 0 + i7
    pack_3(s0, x0, i0, i2, i3 - i2, i9, 0, i8 - i7 + 1, 1)
    for i4 in span(i7, i8):
        ...
    unpack_3(s0, x0, i0, i2, i3 - i2, i9, 1, i8 - i7)
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir.node import Node
from tracejit.lower.emit.emitting import Emitting, steps
from tracejit.lower.emit.expressions import storage
from tracejit.lower.kernel.statements import Binary, Call, Do, Expr, Factory, For, Group
from tracejit.lower.panels import PADDED, STEPS
from tracejit.lower.program import Lines, Panel

_SHIFT = STEPS.bit_length() - 1


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
        self.params, self.arrays = params, arrays
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
        times = Binary(">>", Binary("+", count, STEPS - 1), _SHIFT)
        self.e.open(For(index=number, kind="range", operands=(times,)))
        self._assign(first, Binary("<<", number, _SHIFT))
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
        """A name for the memory of a panel."""
        char = storage(self.params[panel.param].dtype).char
        rows, name = STEPS + panel.high - panel.low, self.e.fresh("s")
        made = f"panel_{char.replace('?', 't')}_{rows}"
        self.e.factories[made] = Factory("panel", (char, rows))
        self._assign(name, Call(made, ()))
        return name

    def _pack(self, panel: Panel, base: Expr, name: str, first: str, last: str) -> None:
        """Fill a panel, and keep what puts it back."""
        array, forwards = self.arrays[panel.param], panel.sign > 0
        assert isinstance(array, str)
        place, count = self.e.fresh("i"), Binary("-", last, first)
        start = Binary("+", base, first) if forwards else Binary("-", base, last)
        self._assign(place, _moved(start, panel.low + (not forwards)))
        *outer, (line, end) = self.around
        starts = [self.e.dim(d) for d in panel.starts]
        index = [_sum(i, d) for (i, _), d in zip(outer, starts, strict=False)]
        index += [_sum(line, starts[-1]), Binary("-", end, line)]
        self.names[array] = name, index[-2], place
        ahead = 0 if array in self.e.fetched else panel.sign
        self.e.fetched.add(array)
        low: Expr = 0
        rows = _moved(count, panel.high - panel.low)
        if not panel.loads:
            assert panel.written is not None
            before, after = panel.written[0] - panel.low, panel.high - panel.written[1]
            low, rows = (0, before) if forwards else (_moved(rows, -after), after)
        self._do("pack", array, name, index, place, low, rows, (ahead,))
        if panel.written is not None:
            least, most = panel.written
            rows = _moved(count, most - least)
            self._do("unpack", array, name, index, place, least - panel.low, rows)

    def _do(
        self,
        what: str,
        array: str,
        panel: str,
        index: Sequence[Expr],
        place: str,
        row: Expr,
        count: Expr,
        more: tuple[Expr, ...] = (),
    ) -> None:
        """Move so many rows of a panel, from one on; the place is where the panel begins."""
        ndim = len(index)
        name = f"{what}_{ndim}"
        self.e.factories[name] = Factory(what, (ndim,))
        call = Call(name, (panel, array, *index, place, row, count, *more))
        if what == "pack":
            self.e.path[-1].add(Do(call))
        else:
            self._puts.append(call)


def _moved(value: Expr, by: int) -> Expr:
    """A number that is greater by so many."""
    return Binary("+" if by > 0 else "-", value, abs(by)) if by else value


def _sum(a: Expr, b: Expr) -> Expr:
    return a if b == 0 else Binary("+", a, b)
