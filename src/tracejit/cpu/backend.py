"""The CPU as a back end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.cpu.compiling.compile import array_type, compile_entry, scalar_type
from tracejit.cpu.compiling.estimate import seconds
from tracejit.cpu.emit.emitter import emit
from tracejit.cpu.emit.expressions import storage
from tracejit.cpu.passes.columns import positions_of_columns
from tracejit.cpu.passes.jam import jam
from tracejit.cpu.passes.numbers import extremes_of_numbers
from tracejit.cpu.passes.products import products_as_sums
from tracejit.cpu.passes.tiles import tile
from tracejit.ir.graph import Graph
from tracejit.lower.backend import Passes, Source
from tracejit.lower.phases import Phase
from tracejit.lower.program import Program


class CPU:
    """One Numba function a program."""

    passes = Passes(
        graph=(positions_of_columns, extremes_of_numbers, products_as_sums), program=(tile, jam)
    )

    def emit(
        self, program: Program, phases: Sequence[Phase] = (), streaming: bool = False
    ) -> Source:
        """The Numba source of `program`, or of an entry for a range of one of its `phases`."""
        return emit(program, phases, streaming)

    def seconds(self, source: Source) -> float:
        """About how long `compile` takes."""
        return seconds(source.text)

    def compile(self, source: Source, graph: Graph, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        """The compiled entry, and whether it had to be compiled."""
        signature = []
        for node in graph.inputs:
            layout = layouts[node.attr[0]]
            if layout:
                readonly = layout.endswith("r")
                kind = "A" if layout[0] == "R" else layout[0]
                signature.append(array_type(storage(node.dtype), node.ndim, kind, readonly))
            else:
                dtype = np.dtype(np.float32) if node.dtype.char == "e" else node.dtype
                signature.append(scalar_type(dtype))
        signature.extend(
            array_type(storage(b.node.dtype), len(b.shape), "C")
            for b in (*source.buffers, *(extra.buffer for extra in source.extras))
        )
        if source.ranged:
            signature += [scalar_type(np.dtype(np.int64))] * 3
        if source.late:  # the cells
            signature.append(array_type(np.dtype(np.int64), 1, "C"))
        return compile_entry(source.text, tuple(signature), len(source.late))

    def spread(self, entry: Any, divided: Sequence[bool] | None) -> Any:
        """A call of `entry` by several threads."""
        from tracejit.cpu.compiling.spread import spread

        return spread(entry, divided)
