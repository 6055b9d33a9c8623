"""Scatters to places that may repeat, by all threads, with what NumPy does one after the other.

One kernel computes the values and their places; these are sorted, so that what goes to one place
stands together, in its order; then a thread takes each place, and all that goes there, in turn.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tracejit.cuda.emit.device import DeviceEmitter
from tracejit.cuda.emit.launching import Launching, Operand
from tracejit.cuda.emit.ordering import emit_sort
from tracejit.cuda.emit.partial import OneLoop, text_of
from tracejit.cuda.library import scatters
from tracejit.cuda.source import ParameterKind
from tracejit.ir import ops
from tracejit.lower.emit.expressions import loaded, storage, stored
from tracejit.lower.kernel.statements import Binary, Block, Element, Expr, Group, Store
from tracejit.lower.program import Computation, Loop

_NUMBER = ParameterKind(np.dtype(np.int64))
_PLACES = _NUMBER._replace(ndim=1, layout="C", written=True)


def emit_scatter(
    host: Launching, kinds: dict[str, ParameterKind], loops: list[Loop], c: Computation
) -> bool:
    """Emit a scatter over these loops; whether a kernel of it may tell that NumPy raises."""
    dtype, size = c.target.dtype, host.fresh("v")
    extents = (host.dim(loop.extent) for loop in loops)
    host.path[-1].assign(size, functools.reduce(lambda a, b: Binary("*", a, b), extents))
    keys, values = host.temporary("l", size), host.temporary(dtype.char, size)
    kinds[keys], kinds[values] = _PLACES, ParameterKind(storage(dtype), 1, "C", True)
    emitter = ScatterEmitter(host, OneLoop(loops, size), keys, values)
    emitter.item(loops[0])
    name = f"kernel{len(host.kernels)}"
    host.kernels[name] = kernel = emitter.finished(name)
    host.call_kernel(name, (size, 1, 1), kernel.kernel.parameters)
    order = host.temporary("l", size)
    ordered = emit_sort(host, keys, np.dtype(np.int64), size, size, order, positions=True)
    mode = c.target.attr[0]
    combined = ""
    if mode != "set":
        row = ops.ELEMENTWISE[mode]
        combined = text_of(emitter.accumulators.apply(row, c, "total", "value"))
    text = scatters.of_runs(
        c.target.ndim,
        text_of(loaded("{}", dtype)),
        combined,
        text_of(stored("total", dtype)),
    )
    operands: list[Operand] = [
        (ordered, _PLACES._replace(written=False)),
        (order, _PLACES._replace(written=False)),
        (values, kinds[values]._replace(written=False)),
        (host.array(c.target), ParameterKind(storage(dtype), c.target.ndim, "A", True)),
        *((host.dim(d), _NUMBER) for d in c.target.shape[1:]),
    ]
    host.launch(text, (size, 1, 1), operands)
    return bool(emitter.traps)


class ScatterEmitter(DeviceEmitter):
    """Emits a kernel that leaves the values of a scatter, and their places, one after the other."""

    def __init__(self, host: Any, loop: OneLoop, keys: str, values: str) -> None:
        super().__init__(host.program, host, [])
        self.one_loop, self.arrays = loop, (keys, values)
        self.scalars[loop.size] = _NUMBER

    def steps(self, loop: Loop, first: Expr | None, last: Expr) -> Block:
        return self.one_loop.steps(self, loop) or super().steps(loop, first, last)

    def put_at(self, c: Computation, value: Expr, places: list[Expr]) -> None:
        keys, values = self.arrays
        place = places[0]
        for at, length in zip(places[1:], c.target.shape[1:], strict=True):
            place = Binary("+", Binary("*", Group(place), self.dim(length)), at)
        block, number = self.path[-1], self.one_loop.iteration
        block.add(Store(Element(keys, (number,)), place, c.target.origin))
        kept = stored(value, c.target.dtype)
        block.add(Store(Element(values, (number,)), kept, c.target.origin))
