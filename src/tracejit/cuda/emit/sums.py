"""Sums in kernels: blocks whose elements a team shares, and chunks that are teams' work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracejit.cuda.emit.blocks import Blocks, is_for_blocks
from tracejit.ir.dims import Dim
from tracejit.lower.emit import chunks
from tracejit.lower.emit.accumulate import Version, kept_element, led
from tracejit.lower.emit.sums import Sums
from tracejit.lower.kernel.statements import Binary, Block, Call, Element, Expr, Factory, For, Store
from tracejit.lower.passes.chunks import chunks_of
from tracejit.lower.program import Buffer, Computation, Kind, Loop
from tracejit.lower.styles import Chunk, Tile


class TeamSums(Sums):
    """Accumulators of which a team's threads have a part each."""

    e: Any
    #: The loop whose blocks the teams of a block of threads take in turn.
    in_turn: Loop | None = None

    def open(
        self, loop: Loop, inside: list[Computation], first: Expr | None, last: Expr
    ) -> Version:
        version = super().open(loop, inside, first, last)
        inner = version.blocks[-1]
        assert isinstance(inner, For)
        if inner.kind == "block" and self.e.is_shared(loop):
            inner.kind = "team_block"
        if loop is not self.in_turn:
            return version
        outer = version.blocks[0]
        assert isinstance(outer, For)
        outer.kind = "team_blocks"
        sums, last = self.ending_in(loop, inside), inner.operands[1]

        added_up = f"sum_teams_{self.e.team}"
        self.e.factories[added_up] = Factory("sum_teams", (self.e.team,))

        def close() -> None:
            for c in sums:
                name = self.totals[(c, loop)]
                added = Call(added_up, (name, version.start, last))
                self.e.path[-1].assign(name, added, c.target.origin)

        return version._replace(close=close)

    def is_over(self, loop: Loop) -> bool:
        return not loop.has(Chunk)

    def over_kept(self, c: Computation, position: int) -> tuple[Block, dict[int, str]]:
        block, place = super().over_kept(c, position)
        if self.e.team > 1 and isinstance(block, For) and block.kind == "range":
            block.kind, block.operands = "team", (0, *block.operands)
        return block, place


class DeviceChunks(chunks.Chunks):
    """A kernel in which teams take chunks, and others that combine what these gave."""

    e: Any
    sums: TeamSums
    #: What emits chunks that a block of threads has, if it has them.
    blocks: Blocks | None = None

    def run(self, loop: Loop, parts: Mapping[Computation, Buffer]) -> None:
        """Emit the chunks of `loop`, each an iteration of teams, which leave the `parts`."""
        e = self.e
        length, number = (e.dim(d) for d in chunks_of(loop))
        extent = e.dim(loop.extent)
        chunk, start, end = (e.fresh("i") for _ in range(3))
        self.sums.in_turn = None if e.rows else _in_turn(loop, self.sums, e)
        e.chunk = chunk
        if is_for_blocks(loop, parts, e.program):
            self.blocks = Blocks(e, self.sums)
        kind = "over_groups" if self.is_by_blocks() else "teams"
        block = For(index=chunk, kind=kind, operands=(number,))
        block.assign(start, Binary("*", chunk, length))
        block.assign(end, Call("imin", (Binary("+", start, length), extent)))
        e.open(block)
        if self.blocks is not None:
            self.blocks.run(loop, parts, chunk, (start, end))
            e.path.pop()
            return
        for c, part in parts.items():
            if c.kind is Kind.SWEEP:
                self.sums.parts_of[c.target] = part, (chunk,)
        for member in loop.members:
            e.spans[member] = start, end
            e.loop(member)
        for c, part in parts.items():
            if c.kind is Kind.REDUCE:
                element = Element(part.name, (chunk,))
                e.path[-1].add(Store(element, self.given(c), c.target.origin))
        e.path.pop()

    def is_by_blocks(self) -> bool:
        """Whether a chunk is the work of a block of threads."""
        return self.blocks is not None or self.sums.in_turn is not None

    def combine(self, loop: Loop, c: Computation, part: Buffer) -> list[Dim]:
        """Emit what makes one of what chunks gave of `c`: of an array, by a thread an element.

        How many iterations threads share, along x, y and z.
        """
        e = self.e
        _, count = chunks_of(loop)
        number, chunk = e.dim(count), e.fresh("i")
        if c.kind is Kind.REDUCE:
            self.open_totals([c])
            block = For(index=chunk, kind="ahead", operands=(number,))
            e.open(block)
            value = e.fresh("v")
            block.assign(value, Element(part.name, (chunk,)))
            self.take(c, value)
            e.path.pop()
            self.close_totals([c])
            return []
        inner, place = self.sums.over_kept(c, 0)
        for block, axis in zip(reversed(_loops(e.path[-1], inner)), "xyz", strict=False):
            block.kind = f"over_{axis}"
        total, given = e.fresh("v"), e.fresh("v")
        inner.assign(total, self.sums.identity(c))
        each = For(index=chunk, kind="ahead", operands=(number,))
        inner.add(each)
        each.assign(given, led(kept_element(c, part, place), (chunk,)))
        each.assign(total, self.sums.combine_in_order(c, total, given), c.target.origin)
        for buffer in e.program.buffers[c.target]:
            inner.add(Store(kept_element(c, buffer, place), total, c.target.origin))
        return [c.domain[axis] for axis in reversed(c.order[1:]) if axis not in c.reduced][:3]


def _in_turn(loop: Loop, sums: TeamSums, e: Any) -> Loop | None:
    """The loop whose blocks teams may take in turn, if that is what is chunked."""
    [*inside] = loop.items
    if loop.has(Tile) or not all(isinstance(c, Computation) for c in inside):
        return None
    each = [c for c in inside if isinstance(c, Computation)]
    fits = sums.ending_in(loop, each) and not sums.rounds_in(loop, each)
    return loop if fits and e.is_shared(loop) else None


def _loops(block: Block, inner: Block) -> list[For]:
    """The loops that end in `inner`, outermost first."""
    found: list[For] = []
    while block is not inner:
        block = block.body[-1]  # type: ignore[assignment]
        assert isinstance(block, For)
        found.append(block)
    return found
