"""The CPU as a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.cpu.compiling.compile import compile_entry
from tracejit.cpu.compiling.estimate import seconds
from tracejit.cpu.emit.emitter import emit
from tracejit.cpu.launch import Inside, Launch, launch
from tracejit.cpu.passes.columns import positions_of_columns
from tracejit.cpu.passes.convolutions import convolutions_of_others
from tracejit.cpu.passes.jam import jam
from tracejit.cpu.passes.numbers import extremes_of_numbers
from tracejit.cpu.passes.streams import mark_streams
from tracejit.cpu.passes.windows import draw_in_loops
from tracejit.cpu.source import CPUSource
from tracejit.ir.graph import Graph
from tracejit.lower.emit.expressions import storage
from tracejit.lower.passes.chunks import mark_chunks
from tracejit.lower.passes.masks import through_masks
from tracejit.lower.passes.parts import parts_joined
from tracejit.lower.passes.products import products_as_sums
from tracejit.lower.passes.tiles import tile
from tracejit.lower.program import Program
from tracejit.lower.target import Costs, Made, Passes, Source
from tracejit.native.parameters import Array, Number, Parameter

_INT64 = np.dtype(np.int64)


class CPU:
    """One Numba function a program."""

    costs = Costs()
    residence = None
    passes = Passes(
        graph=(
            parts_joined,
            convolutions_of_others,
            positions_of_columns,
            extremes_of_numbers,
            products_as_sums,
            through_masks,
        ),
        placed=(tile, jam, draw_in_loops),
        stored=(mark_chunks, mark_streams),
    )

    def render(self, program: Program) -> CPUSource:
        """The Numba source of `program`."""
        return emit(program)

    def seconds(self, source: Source) -> float:
        """About how long `compile` takes."""
        assert isinstance(source, CPUSource)
        return seconds(source.kernel, source.calls)

    def compile(self, source: Source, graph: Graph, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        """The compiled entry, and whether it had to be compiled."""
        assert isinstance(source, CPUSource)
        signature: list[Parameter] = []
        for node in graph.inputs:
            layout = layouts[node.attr[0]]
            if layout:
                readonly = layout.endswith("r")
                kind = "A" if layout[0] == "R" else layout[0]
                signature.append(Array(storage(node.dtype), node.ndim, kind, readonly))
            else:
                dtype = np.dtype(np.float32) if node.dtype.char == "e" else node.dtype
                signature.append(Number(dtype))
        signature.extend(
            Array(storage(b.node.dtype), len(b.shape), "C")
            for b in (*source.buffers, *(extra.buffer for extra in source.extras))
        )
        if source.ranged:
            signature += [Number(_INT64)] * 3
        if source.shared:
            signature.append(Number(_INT64))
        if source.late:  # the cells
            signature.append(Array(_INT64, 1, "C"))
        return compile_entry(source, tuple(signature))

    def launch(self, made: Made) -> Launch | Inside | None:
        """How several threads share large calls."""
        return launch(self.compile, made)
