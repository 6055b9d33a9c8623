"""Random draws: kernels over a generator's state, which leave the state after them."""

from __future__ import annotations

import numpy as np

from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.emit.written import condition
from tracejit.cuda.library.streams import DRAWS
from tracejit.cuda.source import ParameterKind
from tracejit.errors import NotTraceable
from tracejit.ir import dims, ops
from tracejit.lower.kernel.statements import Call
from tracejit.lower.program import Computation

_GENERATORS = {"int32": "MRG31k3p", "uint32": "MT19937", "uint64": "Philox"}


def draw(e: Launching, c: Computation) -> None:
    """Emit what draws `c`; NotTraceable where there is nothing that does."""
    name = c.value.attr[0]
    state, *parameters = c.value.args
    row = DRAWS.get((state.dtype.name, name))
    if row is None:
        raise _lacking(f"{name} from {_GENERATORS[state.dtype.name]}")
    if any(p.ndim for p in parameters):
        raise _lacking(f"{name} with arrays of parameters")
    after = next(n for n in e.program.stored if n.op is ops.ADVANCE and n.args == (c.value,))
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
        bad = Call("logical_not", (condition(row.good, given),))
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


def _lacking(what: str) -> NotTraceable:
    return NotTraceable(f"there is no kernel for a draw of {what} on a GPU", "use device='cpu'")
