"""Reductions of everything, by all threads: a kernel for parts, and one that puts them together.

Each thread takes every so many elements; the threads of a block put their parts together by halves,
in shared memory, and leave one for the block. One block does the same with these.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracejit.cuda.emit.device import DeviceEmitter
from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.source import ParameterKind
from tracejit.lower.access import Index
from tracejit.lower.emit import expressions
from tracejit.lower.emit.accumulate import Accumulators, Extreme
from tracejit.lower.kernel.read import statements
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Do,
    Element,
    Expr,
    Factory,
    For,
    If,
    Length,
)
from tracejit.lower.kernel.text import Text
from tracejit.lower.program import Computation, Kind, Loop

#: Threads of a block; how many elements each takes at the least; blocks at most.
THREADS, _EACH, _BLOCKS = 256, 4, 1024
_NUMBER = ParameterKind(np.dtype(np.int64))


class Part(NamedTuple):
    """What threads, or blocks, have found: arrays of values, and of positions of extremes."""

    values: str
    places: str = ""


def emit_parts(
    host: Launching, kinds: dict[str, ParameterKind], loops: list[Loop], found: list[Computation]
) -> bool:
    """Emit the two kernels of a nest, and their launches; whether they may tell that NumPy raises.

    The `loops` are shared by threads, and `found` is what is reduced over them. What the parts are,
    as parameters, is added to `kinds`.
    """
    size: Expr = host.dim(loops[0].extent)
    for loop in loops[1:]:
        size = Binary("*", size, host.dim(loop.extent))
    count, blocks = host.fresh("v"), host.fresh("v")
    width = THREADS * _EACH
    share = Binary(">>", Binary("+", count, width - 1), width.bit_length() - 1)
    host.path[-1].assign(count, size)
    host.path[-1].assign(blocks, Call("imax", (Call("imin", (share, _BLOCKS)), 1)))
    parts = {}
    for c in found:
        values = host.temporary(c.value.dtype.char, blocks)
        kinds[values] = ParameterKind(expressions.storage(c.value.dtype), 1, "C", True)
        places = host.temporary("l", blocks) if c.kind is Kind.ARG else ""
        if places:
            kinds[places] = _NUMBER._replace(ndim=1, layout="C", written=True)
        parts[c] = Part(values, places)
    first, last = PartEmitter(host, loops, count), TeamEmitter(host)
    first.parts(loops[0], parts)
    last.results(parts)
    for emitter, groups in ((first, blocks), (last, 1)):
        name = f"kernel{len(host.kernels)}"
        host.kernels[name] = made = emitter.finished(name, THREADS)
        host.call_kernel(name, (groups, 1, 1), made.kernel.parameters)
    return bool(first.traps)


class OneLoop:
    """Loops inside of each other as one that threads share: of `size` iterations, a name."""

    def __init__(self, loops: list[Loop], size: str) -> None:
        self.loops, self.size = loops, size
        #: Which iteration a thread is in.
        self.iteration = ""
        self._places: dict[int, str] = {}

    def steps(self, e: DeviceEmitter, loop: Loop) -> Block | None:
        """The block of one of the loops; None for others."""
        outer, *inner = self.loops
        if loop is not outer:
            place = self._places.get(id(loop))
            return Block([Assign(e.var_of[loop], place)]) if place else None
        if not inner:
            self.iteration = e.var_of[loop]
            return For(index=self.iteration, kind="over_x", operands=(self.size,))
        self.iteration = rest = e.fresh("i")
        block = For(index=rest, kind="over_x", operands=(self.size,))
        for one in reversed(inner):
            length, before, place = e.dim(one.extent), e.fresh("v"), e.fresh("v")
            block.assign(before, Call("idiv", (rest, length)))
            block.assign(place, Binary("-", rest, Binary("*", before, length)))
            self._places[id(one)] = place
            rest = before
        block.assign(e.var_of[loop], rest)
        return block


class TeamEmitter(DeviceEmitter):
    """Emits a kernel whose blocks put together what their threads have found."""

    def __init__(self, host: Any) -> None:
        super().__init__(host.program, host, [])
        self.accumulators: PartAccumulators = PartAccumulators(self)
        self.thread = self.fresh("v")
        self.body.assign(self.thread, Call("thread", ()))
        #: Arrays that threads share, by dtype and by what is in them.
        self._arrays: dict[tuple[str, str], str] = {}

    def results(self, parts: dict[Computation, Part]) -> None:
        """Emit a kernel of one block, which puts the `parts` together and stores what they give."""
        for c, part in parts.items():
            self.accumulators.begin(c, c.loops[0])
            k = self.fresh("i")
            self.open(For(index=k, kind="over_threads", operands=(Length(part.values, 0),)))
            self._take(c, part, k)
            self.path.pop()
            whole = self.of_block(c)
            self.open(If(test=Binary("==", self.thread, 0)))
            value: Expr = Element(whole.places or whole.values, (0,))
            if not whole.places:
                value = expressions.loaded(value, c.value.dtype)
                value = expressions.rounded(value, c.target.dtype)
            self.accumulators.finish(c, value)
            self.path.pop()

    def _take(self, c: Computation, part: Part, k: str) -> None:
        """Take one of the parts into what a thread has found."""
        value, dtype = self.fresh("v"), c.value.dtype
        block = self.path[-1]
        block.assign(value, expressions.loaded(Element(part.values, (k,)), dtype))
        if not part.places:
            name = self.accumulators.accumulator(c)
            block.assign(name, self.accumulators.combine(c, name, value))
            return
        found, place = self.accumulators.found[c], self.fresh("v")
        block.assign(place, Element(part.places, (k,)))
        self.script(
            f"""\
            if {self._better(c, value, found.best, place, found.place)}:
                {found.best} = {value}
                {found.place} = {place}
            """
        )

    def of_block(self, c: Computation) -> Part:
        """Emit what puts the threads' parts together; where it is then: in the first elements."""
        dtype, t = c.value.dtype, self.thread
        whole = Part(
            self.shared_array(dtype.char),
            self.shared_array("l", "places") if c.kind is Kind.ARG else "",
        )
        p, q = whole
        x, y, a, b = (self.fresh("v") for _ in range(4))

        def load(place: str) -> str:
            return text_of(expressions.loaded(Element(p, (place,)), dtype))

        def store(value: Expr) -> str:
            return text_of(expressions.stored(value, dtype))

        if c.kind is Kind.ARG:
            found = self.accumulators.found[c]
            lines = f"{p}[{t}] = {store(found.best)}\n{q}[{t}] = {found.place}\ntogether()\n"
            step = f"""\
    {a} = {q}[{t}]
    {b} = {q}[{t} + HALF]
    if {self._better(c, y, x, b, a)}:
        {p}[{t}] = {store(y)}
        {q}[{t}] = {b}
"""
        else:
            lines = f"{p}[{t}] = {store(self.accumulators.accumulator(c))}\ntogether()\n"
            step = f"    {p}[{t}] = {store(self.accumulators.combine(c, x, y))}\n"
        half = THREADS // 2
        while half:
            lines += f"if {t} < {half}:\n    {x} = {load(t)}\n    {y} = {load(f'{t} + {half}')}\n"
            lines += step.replace("HALF", str(half)) + "together()\n"
            half //= 2
        self.script(lines)
        return whole

    def _better(self, c: Computation, y: str, x: str, later: str, earlier: str) -> str:
        """The text of whether an extreme `y` takes the place of `x`: of equal ones, the first."""

        def beats(value: str, best: str) -> str:
            largest = c.target.op.name == "argmax"
            if c.value.dtype.kind == "c":
                return f"{'larger' if largest else 'smaller'}_complex({value}, {best})"
            test = f"not {'le' if largest else 'ge'}({value}, {best})"
            return f"({test} and not isnan({best}))" if c.value.dtype.kind == "f" else f"({test})"

        return f"{beats(y, x)} or (not {beats(x, y)} and {later} < {earlier})"

    def shared_array(self, char: str, role: str = "values") -> str:
        """An array that the block's threads share, an element each: the one of a dtype and role.

        What was in it before has been read by all threads.
        """
        known = self._arrays.get((char, role))
        if known is not None:
            self.path[-1].add(Do(Call("together", ())))
            return known
        name = f"shared_{char.replace('?', 't')}"
        self.factories[name] = Factory("shared", (char, THREADS))
        array = self._arrays[char, role] = self.fresh("s")
        self.body.body.insert(0, Assign(array, Call(name, ())))
        return array

    def script(self, text: str) -> None:
        """Emit statements that are written as text."""
        self.path[-1].body += statements(text)


class PartEmitter(TeamEmitter):
    """Emits a nest whose outermost `loops` all threads share, `count` iterations in all."""

    def __init__(self, host: Any, loops: list[Loop], count: str) -> None:
        super().__init__(host)
        self.one_loop = OneLoop(loops, count)
        self.scalars[count] = _NUMBER

    def parts(self, nest: Loop, parts: dict[Computation, Part]) -> None:
        """Emit the kernel, each block of which leaves an element of the `parts`."""
        self.item(nest)
        for c, part in parts.items():
            whole = self.of_block(c)
            self.open(If(test=Binary("==", self.thread, 0)))
            for target, source in zip(part, whole, strict=True):
                if target:
                    self.script(f"{target}[group()] = {source}[0]")
            self.path.pop()

    def steps(self, loop: Loop, first: Expr | None, last: Expr) -> Block:
        return self.one_loop.steps(self, loop) or super().steps(loop, first, last)


class PartAccumulators(Accumulators):
    """What a thread finds by itself."""

    e: TeamEmitter

    def end(self, c: Computation) -> None:
        """What a thread has found stays where it is."""

    def _begin_extreme(self, c: Computation) -> None:
        found = Extreme(self.e.fresh("v"), self.e.fresh("v"), "")
        self.found[c], self.names[c] = found, found.place
        self.e.path[-1].assign(found.best, self.identity(c))
        self.e.path[-1].assign(found.place, 0)

    def step(self, c: Computation, value: Expr, index: Index) -> None:
        if c.kind is not Kind.ARG:
            super().step(c, value, index)
            return
        assert isinstance(self.e, PartEmitter)
        better = self.if_better(c, value)
        better.assign(self.found[c].best, value, c.target.origin)
        better.assign(self.found[c].place, self.e.one_loop.iteration)


def text_of(e: Expr) -> str:
    """The text of an expression."""
    return Text().expression(e)
