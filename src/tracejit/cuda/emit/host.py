"""The host's function: checks, launches of kernels, what is read back, and the code at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.cuda.emit.calls import Calls
from tracejit.cuda.emit.chains import emit_chains
from tracejit.cuda.emit.device import DeviceEmitter
from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.emit.limits import located, require_possible
from tracejit.cuda.emit.partial import emit_parts
from tracejit.cuda.emit.scans import emit_scans
from tracejit.cuda.emit.scatter import emit_scatter
from tracejit.cuda.packages import lacking
from tracejit.cuda.passes.inside import lines_inside
from tracejit.cuda.passes.memory import is_kept
from tracejit.cuda.passes.orderless import are_in_any_order, in_any_order, running
from tracejit.cuda.passes.registers import in_registers
from tracejit.cuda.passes.repeated import repeated_places
from tracejit.cuda.passes.spread import spread
from tracejit.cuda.passes.teams import rows_in_turn, team_of
from tracejit.cuda.source import FLAG, CUDASource, ParameterKind, scalar_kind
from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower.emit.expressions import storage
from tracejit.lower.emit.values import REFUSED
from tracejit.lower.kernel.statements import (
    Binary,
    Constant,
    Element,
    Expr,
    Group,
    If,
    Part,
    Return,
)
from tracejit.lower.kernel.text import Text, factory_text
from tracejit.lower.passes.chunks import chunks_of, reduced_by_chunks
from tracejit.lower.program import (
    Buffer,
    Computation,
    Kind,
    Lines,
    Loop,
    Program,
    computations_of,
)
from tracejit.lower.styles import Chunk

#: What a kernel counts up where NumPy would have raised.
_FLAG_TYPE = np.dtype(np.int32)


def emit(program: Program) -> CUDASource:
    """The source of `program`."""
    return HostEmitter(program).emit()


class HostEmitter(Launching):
    """Every outermost item of the program is a kernel of its own."""

    undoes = False

    def __init__(self, program: Program, around: Any = None) -> None:
        program.strips.clear()  # lines are for caches
        super().__init__(program, around)
        self._known_here: dict[Node, bool] = {}
        if around is not None:
            self.written = around.written
        #: Whether a kernel of the whole function may tell that NumPy raises.
        self.told = False
        self.calls = Calls(self)

    def emit(self) -> CUDASource:
        """Emit everything."""
        kernel, text = self.kernel(), Text()
        # What is made inside is told by its number.
        kernel = kernel._replace(parameters=[p for p in kernel.parameters if p != "late"])
        text.block(kernel.body)
        head = [factory_text(name, made) for name, made in sorted(kernel.factories.items())]
        device = [line for k in self.kernels.values() for line in (*k.text.splitlines(), "", "")]
        head = [*device, *head, f"def entry({', '.join(kernel.parameters)}):"]
        origins = [*(None for _ in head), *text.origins]
        body = "\n".join([*head, *text.lines, ""])
        source = CUDASource(
            kernel,
            body,
            origins,
            self.given,
            self.returned,
            remarks=self.remarks,
            kernels=self.kernels,
            kinds=self.kinds,
        )
        if source.is_replayable():
            self.remark("launches that repeat from call to call are replayed as one CUDA graph")
        return source

    def name_all(self) -> None:
        super().name_all()
        for k, node in enumerate(self.program.graph.inputs):
            layout = self.program.layouts[node.attr[0]]
            kind = ParameterKind(storage(node.dtype), node.ndim, layout[:1].replace("R", "A"))
            self.kinds[f"x{k}"] = kind if layout else scalar_kind(node.dtype)
        for buffer in self.given:
            self._note(buffer)
        for node in self.written:
            name = self.names[node.attr[0]]
            assert isinstance(name, str)
            self.kinds[name] = self.kinds[name]._replace(written=True)
        self.kinds[FLAG] = ParameterKind(_FLAG_TYPE, 1, "C", True)
        self.kinds["device"] = ParameterKind(np.dtype(np.int64), 1, "C")

    def own_parameters(self) -> list[str]:
        return [FLAG, "device"]

    def leave(self) -> None:
        super().leave()
        if self.told:
            raised = Binary("!=", Element(FLAG, (0,)), Constant(0, _FLAG_TYPE))
            self.body.add(If([Return(REFUSED)], test=raised))

    def item(self, item: Loop | Computation) -> None:
        with located(item):
            self._item(item)

    def _item(self, item: Loop | Computation) -> None:
        if isinstance(item, Loop) or item.kind not in (Kind.LIBRARY, Kind.MATMUL):
            self._launch(item)
            return
        if (control := self.program.controls.get(item.target)) is not None:
            control.lines = lines_inside(control)  # others are for caches
            if control.lines is not None:
                self._launch_steps(item, control.lines)
                return
        super().item(item)

    def note_part(self, name: str, part: Part) -> None:
        assert isinstance(part.array, str)
        whole = self.kinds[part.array]
        layout = "C" if whole.layout == "C" else "A"
        self.kinds[name] = whole._replace(ndim=part.rest, layout=layout)

    def make(self, buffer: Buffer) -> None:
        super().make(buffer)
        self._note(buffer)

    def _note(self, buffer: Buffer) -> None:
        self.kinds[buffer.name] = ParameterKind(
            storage(buffer.node.dtype), len(buffer.shape), "C", True
        )

    def _launch(self, item: Loop | Computation) -> None:
        """Emit the kernels that do what `item` does, and their launches."""
        self.allocate(list(computations_of(item)))
        team, program = team_of(item), self.program
        grid = spread(item, program) if isinstance(item, Loop) else []
        if isinstance(item, Loop) and not grid:
            loops, reduced = in_any_order(item, program)
            if loops:
                self.note_traps(emit_parts(self, self.kinds, loops, reduced))
                return
            loops, scatter = repeated_places(item, program)
            if scatter is not None:
                self.note_traps(emit_scatter(self, self.kinds, loops, scatter))
                return
            if scans := running(item, program):
                if are_in_any_order(item, scans, program):
                    self.note_traps(emit_scans(self, self.kinds, item, scans))
                else:
                    self.note_traps(emit_chains(self, item))
                return
            if item.has(Chunk):
                self._launch_chunks(item, team)
                return
        device = DeviceEmitter(program, self, grid, team)
        device.item(item)
        self._launched(device, [loop.extent for loop in reversed(grid)])

    def _launch_steps(self, item: Computation, lines: Lines) -> None:
        """Emit a kernel of a loop of steps whose threads take all of them, each at its point."""
        self.allocate([item])
        device = DeviceEmitter(self.program, self, [])
        device.item(item)
        in_registers(device.body, device.fresh)
        self._launched(device, lines.extents[::-1])

    def _launch_chunks(self, loop: Loop, team: int) -> None:
        """Emit a kernel for the chunks of a loop, and those that combine what these gave."""
        number, parts = chunks_of(loop)[1], {}
        for c in reduced_by_chunks(loop):
            shape = (number, *c.target.shape)
            name = self.temporary(c.target.dtype.char, *map(self.dim, shape))
            self.kinds[name] = ParameterKind(storage(c.target.dtype), len(shape), "C", True)
            parts[c] = Buffer(c.target, shape, tuple(range(c.target.ndim)), name=name)
        device = DeviceEmitter(self.program, self, [], team)
        for b in rows_in_turn(loop, self.program):
            shape = (number, *b.shape, *((1,) if not b.shape and b.is_passing else ()))
            name = self.temporary(b.node.dtype.char, *map(self.dim, shape))
            self.kinds[name] = ParameterKind(storage(b.node.dtype), len(shape), "C", True)
            device.rows[b.name] = name
        device.chunks.run(loop, parts)
        self._launched(device, [number])
        for c, part in parts.items():
            device = DeviceEmitter(self.program, self, [])
            self._launched(device, device.chunks.combine(loop, c, part))

    def _launched(self, device: DeviceEmitter, extents: Sequence[Dim]) -> None:
        """Launch what has been emitted, for so many iterations along x, y and z."""
        name = f"kernel{len(self.kernels)}"
        made = device.made(name)
        if made is None:
            return
        require_possible(made)
        self.kernels[name] = made
        self.note_traps(bool(device.traps))
        counts: list[Expr] = [*map(self.dim, extents), *[1] * (3 - len(extents))]
        x, y, z = counts
        if made.width > 1:
            more, shift = made.width - 1, made.width.bit_length() - 1
            x = Binary(">>", Group(Binary("+", x, more)), shift)
        if made.team > 1 and not made.threads:
            x = Binary("*", x, made.team)
        self.call_kernel(name, (x, y, z), made.kernel.parameters)

    def note_traps(self, told: bool) -> None:
        """Take note of whether a kernel may tell that NumPy raises."""
        assert isinstance(self.whole, HostEmitter)
        self.whole.told |= told

    def use_loop(self, name: str, module: str, ufunc: str, types: str) -> None:
        raise lacking(ufunc, module)

    def call(self, c: Computation) -> None:
        self.calls.call(c)

    def _in_memory(self, node: Node) -> bool:
        return super()._in_memory(node) or is_kept(node, self.program)

    def knows(self, node: Node) -> bool:
        """Whether a scalar follows from what is known on the host."""
        if not node.ndim and self.is_known(node, ()):
            return True  # such as what a loop has left
        found = self._known_here.get(node)
        if found is None:
            if self._in_memory(node) and self.program.buffers.get(node):
                found = False
            elif node.op is ops.INPUT:
                found = node.attr[0] not in self.array_inputs()
            elif isinstance(node.op, ops.Elementwise) or node.op in (ops.POLY, ops.VIEW):
                found = all(not a.ndim and self.knows(a) for a in node.args)
            else:
                found = node.op in (ops.DIM, ops.CONST, ops.COUNT)
            self._known_here[node] = found
        return found
