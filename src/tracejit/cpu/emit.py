"""Numba source of a program: one function, one operation a statement, each name assigned once.

The names are canonical and no line of the user's appears, so that equal computations have equal
source; where each statement comes from is kept beside it. For ``1 / (1 + np.exp(-x))``:

    @njit(…)
    def entry(x0, b0):
        if (x0.shape[0] == 1):
            return 1
        v0 = x0.shape[0]
        for i0 in range(v0):
            v1 = x0[i0]
            v2 = negative(v1)
            v3 = exp(v2)
            v4 = 1.0 + v3
            v5 = 1.0 / v4
            b0[i0] = v5
        return 0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracejit.cpu import expressions
from tracejit.cpu.accumulate import BLOCK, Accumulators, Version
from tracejit.cpu.block import Block, Line
from tracejit.cpu.chunks import Chunks
from tracejit.cpu.streams import Streams
from tracejit.cpu.values import Values
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node
from tracejit.lower.access import FLAT, Entry, Index
from tracejit.lower.backend import Extra, Source
from tracejit.lower.materialise import matrix_source
from tracejit.lower.phases import BY_STREAMS, Phase, with_slots
from tracejit.lower.program import (
    Buffer,
    Computation,
    Kind,
    Loop,
    Program,
    computations_in,
)

#: What an entry returns.
DONE, MISSED, REFUSED = 0, 1, 2


def emit(program: Program, phases: Sequence[Phase] = (), streaming: bool = False) -> Source:
    """The source of `program`; with `phases`, of an entry for a range of one of them."""
    return Emitter(program, phases, streaming).emit()


class Emitter(Values):
    """Walks a program's tree; holds the open blocks from the function's body inwards."""

    def __init__(self, program: Program, phases: Sequence[Phase], streaming: bool) -> None:
        super().__init__(with_slots(program) if phases else program)
        self.phases = phases
        #: What only an entry for a range takes: the buffers between its calls (see `Source`).
        self.extras: list[Extra] = []
        self.parameters: list[str] = []
        self.outermost = 2 if phases else 1
        #: The outermost item that runs over a range.
        self.ranged: Loop | Computation | None = None
        self.accumulators = Accumulators(self)
        self.chunks = Chunks(self)
        self.streaming = streaming
        self.streams = Streams(self)

    # The whole function ----------------------------------------------------------------------

    def emit(self) -> Source:
        """Emit everything."""
        graph = self.program.graph
        for k, node in enumerate(graph.inputs):
            self.names[node.attr[0]] = f"x{k}"
        unique = {id(b): b for bs in self.program.buffers.values() for b in bs}
        early = [b for b in unique.values() if not b.late]
        late = [b for b in unique.values() if b.late]
        if self.phases:
            self.extras = [Extra(b) for b in early if b.kept]
            early = [b for b in early if not b.kept]
        ordered = [b for b in early if b.output] + [b for b in early if not b.output]
        ordered += self.program.parts.values()
        for k, buffer in enumerate([*ordered, *late, *(e.buffer for e in self.extras)]):
            buffer.name = f"b{k}"
        returned = [b for b in late if b.output]
        self.parameters = [f"x{k}" for k in range(len(graph.inputs))] + [b.name for b in ordered]
        self._checks(returned)
        for k, item in enumerate(self.program.items):
            if phases := self.phases:
                self.ranged = item if phases[k].rows != 0 else None
                self.open_phase(k)
            self.item(item)
            del self.path[1:]
            if self.ranged is item and isinstance(item, Loop) and item.chunked:
                self.chunks.combine(item, k)
        if self.traps:
            self.body.body.insert(self.start, Line("bad = False"))
            self.body.add("if bad:")
            self.body.add(f"    {self._return(REFUSED, returned)}")
        self.body.add(self._return(DONE, returned))
        parameters = self.parameters + [e.buffer.name for e in self.extras]
        parameters += ["phase", "first", "last"] if self.phases else []
        lines = self.body.lines(1)
        head = self._head(parameters)
        text = "\n".join([*head, *(t for t, _ in lines)]) + "\n"
        origins = [*(None for _ in head), *(o for _, o in lines)]
        return Source(text, origins, ordered, returned, bool(self.phases), self.extras)

    def open_phase(self, number: int) -> None:
        """Open the block of a phase."""
        self.path.append(Block(f"if phase == {number}:"))
        self.body.body.append(self.path[-1])

    def _head(self, parameters: list[str]) -> list[str]:
        text = "\n".join(t for t, _ in self.body.lines())
        words = set(_words(text))
        runtime = sorted(words & _runtime_names())
        lines = ["import numpy as np"] if "np." in text else []
        numba = sorted(words & _NUMBA_NAMES)
        if words & {"inf", "nan"}:
            lines.append("from math import inf, nan")
        if numba:
            lines.append(f"from numba import {', '.join(numba)}")
        if runtime or self.headers:
            names = sorted(
                {*runtime, *(h.split("(")[0].split()[-1] for h in self.headers.values())}
            )
            lines.append(f"from tracejit.cpu.runtime import {', '.join(names)}")
        if lines:
            lines.append("")
        lines.extend(self.headers[k] for k in sorted(self.headers))
        if self.headers:
            lines.append("")
        lines.append("")
        lines.append(f"def entry({', '.join(parameters)}):")
        return lines

    def _return(self, code: int, late: list[Buffer]) -> str:
        if not late:
            return f"return {code}"
        if code == DONE:
            return f"return {code}, {', '.join(map(self._returned, late))}"
        # Numba wants one type for all returns: empty arrays of the same types.
        empty = [f"np.empty({_tuple(['0'] * len(b.shape))}, {_np(b)})" for b in late]
        return f"return {code}, {', '.join(empty)}"

    def _returned(self, buffer: Buffer) -> str:
        if buffer.node.op is ops.NONZERO:
            return f"{buffer.name}[:{self.dim(buffer.shape[0])}]"
        return buffer.name

    def _checks(self, returned: list[Buffer]) -> None:
        """Leave before any work where the arguments are not those that the trace was for."""
        conditions = []
        for node in self.program.graph.inputs:
            name = self.names[node.attr[0]]
            if self.program.layouts[node.attr[0]] == "R":
                conditions.append(f"(not rows({name}))")
        for check in self.program.graph.checks:
            conditions.append(self._failure(check.condition))
        if conditions:
            self.body.add(f"if {' or '.join(conditions)}:")
            self.body.add(f"    {self._return(MISSED, returned)}")
        self.start = len(self.body.body)

    def _failure(self, condition: Node) -> str:
        """The expression that is true where a check fails."""
        sign = {"equal": "!=", "not_equal": "=="}.get(condition.op.name)
        if sign is not None:
            length, one = condition.args
            if length.op is ops.DIM and one.op is ops.CONST and build.constant_value(one) == 1:
                name, axis, _ = length.attr
                return f"({self.names[name]}.shape[{axis}] {sign} 1)"
        return f"(not {self.value(condition, ())})"

    # Loops -----------------------------------------------------------------------------------

    def item(self, item: Loop | Computation) -> None:
        if isinstance(item, Computation):
            self._computation(item)
        elif len(self.path) == self.outermost:
            self._nest(item)
        else:
            self._loop(item)

    def _nest(self, loop: Loop) -> None:
        """An outermost loop: in two versions where it sums rows, which mostly are short."""
        inside = computations_in(loop)
        self._allocate(inside)
        lengths = self.accumulators.row_lengths(loop, inside)
        if not lengths:
            self._loop(loop)
            return
        short = " and ".join(f"{length} <= {BLOCK}" for length in lengths)
        for condition in (
            short,
            f"not ({short})" if len(lengths) > 1 else f"{lengths[0]} > {BLOCK}",
        ):
            block = Block(f"if {condition}:")
            self.path[-1].body.append(block)
            self.path.append(block)
            self.accumulators.rows_short = condition is short
            self._loop(loop)
            self.path.pop()
        self.accumulators.rows_short = False

    def _loop(self, loop: Loop) -> None:
        extent = self.dim(loop.extent)
        if loop.chunked:
            self.chunks.run(loop, extent)
        elif self.streaming:
            self.streams.run(loop, extent)
        elif loop is self.ranged:
            self.range_of(loop, "first", "last")
        else:
            self.range_of(loop, "", extent)

    def range_of(self, loop: Loop, first: str, last: str) -> None:
        """The iterations of a loop from `first` (from none: 0) up to `last`."""
        inside = computations_in(loop)
        self.var_of[loop] = self.fresh("i")
        self.loops[id(loop)] = loop
        self.accumulators.before(loop, inside)
        if loop.twins:
            self._twin_loop(loop, first, last)
        else:
            version = self.accumulators.open(loop, inside, first, last)
            self._steps(loop, inside, version, last)

    def _steps(self, loop: Loop, inside: list[Computation], version: Version, extent: str) -> None:
        """What a loop does at each step, and what becomes of it."""
        self.starts[loop] = version.start
        for c in loop.draws:
            self._draw_blocks(c, version, extent)
        self.path.extend(version.blocks)
        self.depth_of[loop] = len(self.path) - 1
        for item in loop.items:
            self.item(item)
        self.path.pop()
        version.close()
        del self.path[len(self.path) - len(version.blocks) + 1 :]
        del self.depth_of[loop]
        self.accumulators.after(loop, inside)

    def _twin_loop(self, loop: Loop, first: str, last: str) -> None:
        """A loop that takes several steps at a time; the last ones coincide where it must."""
        steps, var = len(loop.twins) + 1, self.var_of[loop]
        group = self.fresh("i")
        shift = steps.bit_length() - 1
        count, start = last, f"{group} << {shift}"
        if first:
            count, start = f"({last} - {first})", f"{first} + ({start})"
        block = Block(f"for {group} in range(({count} + {steps - 1}) >> {shift}):")
        block.add(f"{var} = {start}")
        self.path[-1].body.append(block)
        self.path.append(block)
        self.depth_of[loop] = len(self.path) - 1
        for k, twin in enumerate(loop.twins, 1):
            self.loops[id(twin)], self.var_of[twin] = twin, self.fresh("i")
            self.depth_of[twin] = len(self.path) - 1
            block.add(f"{self.var_of[twin]} = imin({var} + {k}, {last} - 1)")
        for item in loop.items:
            self.item(item)
        self.path.pop()
        for each in (loop, *loop.twins):
            del self.depth_of[each]

    def _allocate(self, inside: list[Computation]) -> None:
        """Allocate the arrays whose size is known only now, before the nest that fills them."""
        for c in inside:
            for buffer in self.program.buffers[c.target]:
                if buffer.late and buffer.name not in self.allocated:
                    self.allocated.add(buffer.name)
                    extents = [self.dim(d) for d in buffer.shape]
                    if c.kind is Kind.NONZERO:  # a row to write to after the last one found
                        extents[0] += " + 1"
                    shape = _tuple(extents)
                    self.path[-1].add(f"{buffer.name} = np.empty({shape}, {_np(buffer)})")

    def _computation(self, c: Computation) -> None:
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            self._allocate([c])
            if c.kind is Kind.MATMUL:
                self._matmul(c)
            else:
                self._library.get(c.value.op, self._ufunc)(c)
            return
        if not c.loops:
            self._allocate([c])
        self.current = c
        index = self.index_of(c)
        if c.kind is Kind.SCATTER:
            self._scatter(c, index)
            self.current = None
            return
        point = (c.value, index)
        if self.accumulators.takes_product(c) and self._known(*point) is None:
            factors = [self.value(a, index) for a in c.value.args]
            self.accumulators.step_product(c, factors[0], factors[-1])
            self.current = None
            return
        if c.value is c.target and c.value.op is not ops.CONST:
            value = self._compute(*point)
        else:
            value = self.value(*point)
        if c.kind is Kind.MAP:
            self.store(c, value, index)
        else:
            self.accumulators.step(c, value, index)
        self.current = None

    def index_of(self, c: Computation) -> Index:
        """The index vector of a computation's domain over the open loops."""
        if c.loops and c.loops[0].flat:
            return FLAT
        loop_of = {axis: loop for axis, loop in zip(c.order, c.loops, strict=True)}
        return tuple(Entry(0, 1, id(loop_of[k])) for k in range(len(c.domain)))

    def target_index(self, c: Computation, index: Index) -> Index:
        """Where in the target the element at `index` of the domain goes."""
        if index is FLAT:
            return FLAT if not c.reduced else ()
        assert isinstance(index, tuple)
        kept = [index[k] for k in c.kept]
        if c.partial:
            entry = kept[c.axis]
            assert isinstance(entry, Entry)
            kept[c.axis] = entry._replace(start=dims.add(entry.start, c.offset))
        return tuple(kept)

    def store(self, c: Computation, value: str, index: Index) -> None:
        """Store `value` as the element of the target, and remember that it is known here."""
        where = self.target_index(c, index)
        if not c.partial:
            self.path[-1].known[(c.target, where)] = value
        for buffer in self.program.buffers[c.target]:
            text = f"half_store({value})" if c.target.dtype.char == "e" else value
            place, offset = self.streams.aside.get(id(buffer), ("", ""))
            put = f"put_aside({place}, {offset}, {text})"
            line = put if place else f"{self.element(buffer, where)} = {text}"
            self.path[-1].add(line, c.target.origin)

    def _scatter(self, c: Computation, index: Index) -> None:
        """Put or add an element where its positions say."""
        mode, checked = c.target.attr
        value = self.value(c.value, index if c.value.ndim else ())
        places = []
        block, origin = self.path[-1], c.target.origin
        for axis, (node, check) in enumerate(zip(c.positions, checked, strict=True)):
            place = self.value(node, index if node.ndim else ())
            if check:
                length = self.dim(c.target.shape[axis])
                self._trap(f"outside({place}, {length})", len(self.path) - 1)
                wrapped = self.fresh("v")
                block.add(f"{wrapped} = wrap({place}, {length})", origin)
                place = wrapped
            places.append(place)
        for buffer in self.program.buffers[c.target]:
            at = [places[k] for k in buffer.axes]
            if buffer.layout == "F":
                at.reverse()
            element = f"{buffer.name}[{', '.join(at)}]"
            half = c.target.dtype.char == "e"
            text = value
            if mode == "add":
                old = f"half_load({element})" if half else element
                text = self.accumulators.sum_of(c, old, value)
            block.add(f"{element} = {f'half_store({text})' if half else text}", origin)

    def _matmul(self, c: Computation) -> None:
        a, b = c.value.args
        out = self.program.buffers[c.target][0]
        char = c.value.dtype.char
        name = f"matmul_{char.replace('?', 't')}"
        self.headers[name] = f'{name} = matmul_loop("{char}{char}->{char}")'
        batch = [self.fresh("i") for _ in range(c.value.ndim - 2)]
        block = self.path[-1]
        for var, d in zip(batch, c.value.shape, strict=False):
            inner = Block(f"for {var} in range({self.dim(d)}):")
            block.body.append(inner)
            block = inner
        operands = [self._matrix(x, batch) for x in (a, b)]
        block.add(f"{name}({', '.join(operands)}, {_part(out.name, batch)})", c.value.origin)
        for copy in self.program.buffers[c.target][1:]:
            block.add(f"{copy.name}[{', '.join([*batch, ':', ':'])}] = {_part(out.name, batch)}")

    def _ufunc(self, c: Computation) -> None:
        op = c.value.op
        assert isinstance(op, ops.Elementwise)
        name, module, ufunc, types = expressions.loop_name(op, c.value)
        self.headers[f"{name}_over"] = f'{name}_over = ufunc_over("{module}", "{ufunc}", "{types}")'
        operands = [
            self.flat_name(self.array_name(a), a.ndim) if a.ndim else self.value(a, ())
            for a in c.value.args
        ]
        out = self.program.buffers[c.target][0]
        operands.append(self.flat_name(out.name, c.target.ndim))
        self.path[-1].add(f"{name}_over({', '.join(operands)})", c.value.origin)

    @property
    def _library(self) -> dict[ops.Op, Callable[[Computation], None]]:
        """What emits a call of compiled code; the loop of a ufunc otherwise."""
        return {
            ops.SORT: self._sort,
            ops.ARGSORT: self._sort,
            ops.DRAW: self._draw,
            ops.ADVANCE: lambda c: None,  # the draw leaves it
        }

    def _draw(self, c: Computation) -> None:
        """Numbers of a distribution into the target, and the state after them into its own."""
        name, shape = c.value.attr
        self.headers[f"draw_{name}"] = f'draw_{name} = draw("{name}")'
        state, *parameters = c.value.args
        operands = [
            self.array_name(state),
            self._state_after(c),
            self.flat_name(self.program.buffers[c.target][0].name, c.value.ndim),
            self.dim(shape[-1]),
        ]
        for p in parameters:
            flat = self.flat_name(self.array_name(p), p.ndim) if p.ndim else self.value(p, ())
            operands.append(flat)
        if name in BY_STREAMS:
            operands += ["first", "last"] if self.ranged is c else ["0", "-1"]
        self._trap(f"draw_{name}({', '.join(operands)})", len(self.path) - 1)

    def _draw_blocks(self, c: Computation, version: Version, extent: str) -> None:
        """Numbers for each block of a loop, and the state after the last."""
        name = c.value.attr[0]
        for part in ("begin", "block"):
            self.headers[f"{name}_{part}"] = f'{name}_{part} = draw("{name}_{part}")'
        state, after = self.array_name(c.value.args[0]), self._state_after(c)
        block = self.path[-1]
        block.body.insert(len(block.body) - 1, Line(f"{name}_begin({state}, {after})"))
        out = self.program.buffers[c.target][0].name
        left = f"imin({extent} - {version.start}, {BLOCK})"
        line = Line(f"{name}_block({after}, {out}, {left})", c.value.origin)
        version.blocks[0].body.insert(0, line)

    def _state_after(self, c: Computation) -> str:
        after = next(n for n in self.program.stored if n.op is ops.ADVANCE and n.args == (c.value,))
        return self.program.buffers[after][0].name

    def _sort(self, c: Computation) -> None:
        """Rows of the operand, sorted into the target."""
        [x] = c.value.args
        name, kind, char = c.value.op.name, c.value.attr, x.dtype.char
        function = f"{name}_{kind}_{char.replace('?', 't')}"
        self.headers[function] = f'{function} = {name}_rows("{char}", "{kind}")'
        out = self.program.buffers[c.target][0]
        operands = [
            self.flat_name(self.array_name(x), x.ndim),
            self.dim(x.shape[-1]),
            self.flat_name(out.name, x.ndim),
        ]
        self.path[-1].add(f"{function}({', '.join(operands)})", c.value.origin)

    def _matrix(self, node: Node, batch: list[str]) -> str:
        source, transposed = matrix_source(node)
        name = self.array_name(source)
        return f"{_part(name, batch)}.T" if transposed else _part(name, batch)


_NUMBA_NAMES = frozenset(
    ["int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "float32", "complex64"]
)


def _runtime_names() -> frozenset[str]:
    global _names
    if not _names:
        from tracejit.cpu import runtime

        _names = frozenset(n for n in dir(runtime) if not n.startswith("_")) - {"annotations"}
    return _names


_names: frozenset[str] = frozenset()


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _np(buffer: Buffer) -> str:
    dtype = expressions.storage(buffer.node.dtype)
    return "np.bool_" if dtype.kind == "b" else f"np.{dtype.name}"


def _part(name: str, batch: list[str]) -> str:
    return f"{name}[{', '.join(batch)}, :, :]" if batch else name
