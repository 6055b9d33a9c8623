"""The host's function: checks, launches of kernels, what is read back, and the code at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.cuda.emit.calls import Calls
from tracejit.cuda.emit.device import FLAG, DeviceEmitter
from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.emit.partial import emit_parts
from tracejit.cuda.emit.scans import emit_scans
from tracejit.cuda.passes.orderless import in_any_order, running_in_any_order
from tracejit.cuda.passes.spread import spread
from tracejit.cuda.source import CUDASource, ParameterKind, scalar_kind
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower.emit.expressions import storage
from tracejit.lower.emit.values import REFUSED
from tracejit.lower.kernel.statements import Binary, Constant, Element, If, Part, Return
from tracejit.lower.kernel.text import Text, factory_text
from tracejit.lower.program import Buffer, Computation, Kind, Loop, Program, computations_of

#: What a kernel counts up where NumPy would have raised.
_FLAG_TYPE = np.dtype(np.int32)


def emit(program: Program) -> CUDASource:
    """The source of `program`."""
    return HostEmitter(program).emit()


class HostEmitter(Launching):
    """Every outermost item of the program is a kernel of its own."""

    undoes = False

    def __init__(self, program: Program, around: Any = None) -> None:
        super().__init__(program, around)
        #: What the names of arrays, and of the caller's scalars, are.
        self.kinds: dict[str, ParameterKind] = {} if around is None else around.kinds
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
        """Emit a kernel that does what `item` does, and its launch."""
        self.allocate(list(computations_of(item)))
        grid = spread(item, self.program) if isinstance(item, Loop) else []
        if isinstance(item, Loop) and not grid:
            loops, reduced = in_any_order(item, self.program)
            if loops:
                self._note_traps(emit_parts(self, self.kinds, loops, reduced))
                return
            if scans := running_in_any_order(item, self.program):
                self._note_traps(emit_scans(self, self.kinds, item, scans))
                return
        name = f"kernel{len(self.kernels)}"
        device = DeviceEmitter(self.program, self, grid)
        made = device.grid_kernel(name, item)
        if made is None:
            return
        self.kernels[name] = made
        self._note_traps(bool(device.traps))
        counts = [self.dim(loop.extent) for loop in reversed(grid)]
        x, y, z = [*counts, *[1] * (3 - len(counts))]
        self.call_kernel(name, (x, y, z), made.kernel.parameters)

    def _note_traps(self, told: bool) -> None:
        """Take note of whether a kernel may tell that NumPy raises."""
        assert isinstance(self.whole, HostEmitter)
        self.whole.told |= told

    def call(self, c: Computation) -> None:
        self.calls.call(c)

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
                found = node.op in (ops.DIM, ops.CONST, ops.COUNT)
            self._known_here[node] = found
        return found
