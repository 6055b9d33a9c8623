"""Random draws: kernels over a generator's state, which leave the state after them.

What has no kernel is drawn by the host, as the CPU does, and put into the device's memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.library.streams import DRAWS
from tracejit.cuda.source import ParameterKind
from tracejit.ir import dims, ops
from tracejit.ir.node import Node
from tracejit.lower.kernel.read import expression
from tracejit.lower.kernel.statements import Call, Do, Expr, Factory
from tracejit.lower.placement import in_memory
from tracejit.lower.program import Computation


def draw(e: Launching, c: Computation) -> None:
    """Emit what draws `c`."""
    name = c.value.attr[0]
    state, *parameters = c.value.args
    row = DRAWS.get((state.dtype.name, name))
    after = next(n for n in e.program.stored if n.op is ops.ADVANCE and n.args == (c.value,))
    if row is None or any(p.ndim for p in parameters):
        _on_host(e, c, after)
        return
    kind = ParameterKind(state.dtype, state.ndim, "A")
    target, dtype = e.program.buffers[c.target][0], c.value.dtype
    operands = [
        (e.array(state), kind),
        (e.array(after), kind._replace(written=True)),
        (e.flat(target.name, c.value.ndim), ParameterKind(dtype, 1, "C", True)),
    ]
    given = {}
    for number, p in zip(row.parameters.split(), parameters, strict=True):
        given[number] = e.fresh("v")
        e.path[-1].assign(given[number], e.value(p, ()), c.value.origin)
        operands.append((given[number], ParameterKind(np.dtype(p.dtype))))
    if given:
        bad = Call("logical_not", (expression(row.good, given),))
        e.trap(bad, len(e.path) - 1)
    length, size = (
        e.dim(c.value.shape[-1]) if c.value.ndim else 1,
        e.dim(dims.product(c.value.shape)),
    )
    if row.each == "rows":
        operands.append((length, ParameterKind(np.dtype(np.int64))))
    counts = {"streams": e.dim(state.shape[0]), "rows": size, "elements": size}
    count = 1 if row.threads else Call("imax", (counts[row.each], 2))
    e.launch(row.text, (count, 1, 1), operands, row.threads)


def _on_host(e: Launching, c: Computation, after: Node) -> None:
    """Emit a draw by the CPU's function, between a fetch of the state and of arrays, and back.

    The numbers of NumPy's ``RandomState`` come one after another, from functions of the C library.
    """
    name, shape = c.value.attr
    e.remark(f"{name} is drawn on the host, by the CPU's function, and uploaded")
    state, *parameters = c.value.args
    out = e.program.buffers[c.target][0].name
    numbers = _here(e, c.value.dtype, _size(e, c.value))
    moved = _here(e, state.dtype, _size(e, state))
    given: list[Expr] = [_fetched(e, state), moved, numbers, e.dim(shape[-1])]
    given += [_fetched(e, p) if p.ndim else e.value(p, ()) for p in parameters]
    e.factories[f"draw_{name}"] = Factory("draw", (name,))
    refused = e.fresh("v")
    e.path[-1].assign(refused, Call(f"draw_{name}", tuple(given)), c.value.origin)
    e.trap(refused, len(e.path) - 1)
    for here, there in ((moved, e.array(after)), (numbers, e.flat(out, c.value.ndim))):
        e.path[-1].add(Do(Call("put_back", (here, there))))


def _size(e: Launching, node: Node) -> Expr:
    return e.dim(dims.product(node.shape))


def _here(e: Launching, dtype: np.dtype[Any], size: Expr) -> str:
    """A new array of the host's."""
    make, name = f"temporary_{dtype.char}_1", e.fresh("s")
    e.factories[make] = Factory("temporary", (dtype.char, 1))
    e.path[-1].assign(name, Call(make, (size,)))
    return name


def _fetched(e: Launching, node: Node) -> str:
    """The elements of an array of the device's, here."""
    source = in_memory(node)
    name = _here(e, node.dtype, _size(e, node))
    e.path[-1].add(Do(Call("fetched", (name, e.flat(e.array(source), source.ndim)))))
    return name
