"""A GPU as a target: a kernel for each loop nest, and what launches them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.cuda.compile import host_entry
from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.link import Link
from tracejit.cuda.emit.host import emit
from tracejit.cuda.entry import Entry
from tracejit.cuda.machine.host import DEVICE
from tracejit.cuda.passes.extremes import extremes_by_places
from tracejit.cuda.passes.memory import no_parts, scalars_in_memory
from tracejit.cuda.passes.middles import by_other_ops
from tracejit.cuda.passes.outwards import alone_outwards
from tracejit.cuda.residence import Home
from tracejit.cuda.source import CUDASource
from tracejit.ir.graph import Graph
from tracejit.lower.emit.expressions import storage
from tracejit.lower.passes.chunks import mark_chunks
from tracejit.lower.passes.masks import through_masks
from tracejit.lower.passes.products import products_as_sums
from tracejit.lower.passes.tiles import tile
from tracejit.lower.program import Program
from tracejit.lower.target import Costs, Launch, Made, Passes, Residence, Source
from tracejit.native.parameters import Array, Number, Parameter

#: About how long a kernel takes to compile: NVVM and the assembler.
_SECONDS = 0.05


class CUDA:
    """Programs for the GPU that `driver` stands for; `name` is its device's."""

    costs = Costs()
    passes = Passes(
        graph=(products_as_sums, through_masks, by_other_ops, extremes_by_places),
        placed=(tile,),
        stored=(mark_chunks, no_parts, scalars_in_memory, alone_outwards),
    )

    def __init__(self, driver: Driver, name: str = "cuda") -> None:
        self.link = Link(driver)
        self.home = Home(name, driver)
        self.residence: Residence | None = self.home
        self._lock = threading.Lock()

    def render(self, program: Program) -> CUDASource:
        """The kernels of `program`, and the host's function."""
        return emit(program)

    def seconds(self, source: Source) -> float:
        """About how long `compile` takes."""
        assert isinstance(source, CUDASource)
        return _SECONDS * (1 + len(source.kernels))

    def compile(self, source: Source, graph: Graph, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        """The compiled entry, and whether it had to be compiled."""
        assert isinstance(source, CUDASource)
        signature: list[Parameter] = []
        for node in graph.inputs:
            layout = layouts[node.attr[0]]
            if layout:
                kind = layout[0].replace("R", "A")
                readonly = layout.endswith("r")
                signature.append(Array(storage(node.dtype), node.ndim, kind, readonly))
            else:
                half = node.dtype.char == "e"
                signature.append(Number(np.dtype(np.float32) if half else node.dtype))
        for b in source.buffers:
            signature.append(Array(storage(b.node.dtype), len(b.shape), "C"))
        signature += [Array(np.dtype(np.int32), 1, "C"), DEVICE]
        with self._lock:
            function, made = host_entry(source, tuple(signature))
            return Entry(source, graph, layouts, function, self.link, self.home), made

    def launch(self, made: Made) -> Launch | None:
        """Large calls are run as all are."""
        return None
