"""The host's function: checks, launches of kernels, what is read back, and the code at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.cuda.emit.device import FLAG, DeviceEmitter
from tracejit.cuda.emit.limits import located, require_possible
from tracejit.cuda.passes.spread import spread
from tracejit.cuda.passes.teams import team_of
from tracejit.cuda.source import CUDASource, GridKernel, ParameterKind
from tracejit.errors import NotTraceable
from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower.control import LEFT
from tracejit.lower.emit.emitter import Emitter
from tracejit.lower.emit.expressions import storage
from tracejit.lower.emit.values import REFUSED
from tracejit.lower.kernel.statements import (
    Binary,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    Group,
    If,
    Part,
    Return,
)
from tracejit.lower.kernel.text import Text, factory_text
from tracejit.lower.passes.chunks import chunks_of, reduced_by_chunks
from tracejit.lower.program import Buffer, Computation, Kind, Loop, Program, computations_in
from tracejit.lower.styles import Chunk

#: What a kernel counts up where NumPy would have raised.
_FLAG_TYPE = np.dtype(np.int32)


def emit(program: Program) -> CUDASource:
    """The source of `program`."""
    return HostEmitter(program).emit()


class HostEmitter(Emitter):
    """Every outermost item of the program is a kernel of its own."""

    undoes = False

    def __init__(self, program: Program, around: Any = None) -> None:
        super().__init__(program, around)
        #: The kernels by name, and what the names of arrays, and of the caller's scalars, are.
        self.kernels: dict[str, GridKernel] = {} if around is None else around.kernels
        self.kinds: dict[str, ParameterKind] = {} if around is None else around.kinds
        self._known_here: dict[Node, bool] = {}
        if around is not None:
            self.written = around.written
        #: The emitter of the whole function; whether its kernels may tell that NumPy raises.
        self.whole: HostEmitter = self if around is None else around.whole
        self.told = False

    def emit(self) -> CUDASource:
        """Emit everything."""
        kernel, text = self.kernel(), Text()
        text.block(kernel.body)
        head = [factory_text(name, made) for name, made in sorted(kernel.factories.items())]
        device = [line for k in self.kernels.values() for line in (*k.text.splitlines(), "", "")]
        head = [*device, *head, f"def entry({', '.join(kernel.parameters)}):"]
        origins = [*(None for _ in head), *text.origins]
        body = "\n".join([*head, *text.lines, ""])
        return CUDASource(
            kernel,
            body,
            origins,
            self.given,
            self.returned,
            kernels=self.kernels,
            kinds=self.kinds,
        )

    def name_all(self) -> None:
        super().name_all()
        for k, node in enumerate(self.program.graph.inputs):
            layout = self.program.layouts[node.attr[0]]
            kind = ParameterKind(storage(node.dtype), node.ndim, layout[:1].replace("R", "A"))
            self.kinds[f"x{k}"] = kind if layout else ParameterKind(storage(node.dtype))
        for buffer in self.given:
            self._note(buffer)
        for node in self.written:
            name = self.names[node.attr[0]]
            assert isinstance(name, str)
            self.kinds[name] = self.kinds[name]._replace(written=True)
        self.kinds[FLAG] = ParameterKind(_FLAG_TYPE, 1, "C", True)
        self.kinds["device"] = ParameterKind(np.dtype(np.int64), 1, "C")
        if self.returned:
            raise NotTraceable("a size that data tells is not known to a GPU's program yet")

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
            control.lines = None  # which are for caches
        super().item(item)

    def note_part(self, name: str, part: Part) -> None:
        assert isinstance(part.array, str)
        whole = self.kinds[part.array]
        self.kinds[name] = whole._replace(ndim=part.rest, layout="A")

    def make(self, buffer: Buffer) -> None:
        super().make(buffer)
        self._note(buffer)

    def _note(self, buffer: Buffer) -> None:
        self.kinds[buffer.name] = ParameterKind(
            storage(buffer.node.dtype), len(buffer.shape), "C", True
        )

    def _launch(self, item: Loop | Computation) -> None:
        """Emit the kernels that do what `item` does, and their launches."""
        team, program = team_of(item), self.program
        if isinstance(item, Loop):
            self.allocate(computations_in(item))
        if not isinstance(item, Loop) or not item.has(Chunk):
            grid = spread(item, program) if isinstance(item, Loop) else []
            device = DeviceEmitter(program, self, grid, team)
            device.item(item)
            self._launched(device, [loop.extent for loop in reversed(grid)])
            return
        device = DeviceEmitter(program, self, [], team)
        device.item(item)
        self._launched(device, [chunks_of(item)[1]])
        for c in reduced_by_chunks(item):
            device = DeviceEmitter(program, self, [])
            self._launched(device, device.chunks.combine(item, c))

    def _launched(self, device: DeviceEmitter, extents: Sequence[Dim]) -> None:
        """Launch what has been emitted, for so many iterations along x, y and z."""
        name = f"kernel{len(self.kernels)}"
        made = device.made(name)
        if made is None:
            return
        require_possible(made)
        self.kernels[name] = made
        self.whole.told |= bool(device.traps)
        counts: list[Expr] = [self.dim(d) for d in extents]
        counts += [1] * (3 - len(counts))
        if made.width > 1:
            more, shift = made.width - 1, made.width.bit_length() - 1
            counts[0] = Binary(">>", Group(Binary("+", counts[0], more)), shift)
        if made.team > 1:
            counts[0] = Binary("*", counts[0], made.team)
        self.path[-1].add(Do(Call(name, (*counts, *made.kernel.parameters))))

    def call(self, c: Computation) -> None:
        if c.value.op is LEFT:
            return
        raise NotTraceable(f"there is no kernel for {c.value.op.name} on a GPU yet")

    def knows(self, node: Node) -> bool:
        """Whether a scalar follows from what is known on the host."""
        found = self._known_here.get(node)
        if found is None:
            if self._in_memory(node) and self.program.buffers.get(node):
                found = False
            elif node.op is ops.INPUT:
                found = node.attr[0] not in self.array_inputs()
            elif isinstance(node.op, ops.Elementwise) or node.op in (ops.POLY, ops.VIEW):
                found = all(not a.ndim and self.knows(a) for a in node.args)
            else:
                found = node.op in (ops.DIM, ops.CONST)
            self._known_here[node] = found
        return found
