"""Random draws: kernels over a generator's state, which leave the state after them.

What has no kernel is drawn by the host, as the CPU does, and put into the device's memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.cuda.emit.launching import Launching, Operand
from tracejit.cuda.library.chances import FIRST, PLACES, RUNNING, UNITS, counts
from tracejit.cuda.library.masked import THREADS
from tracejit.cuda.library.streams import DRAWS
from tracejit.cuda.source import FLAG, ParameterKind
from tracejit.ir import dims, ops
from tracejit.ir.node import Node
from tracejit.lower.kernel.read import expression
from tracejit.lower.kernel.statements import Call, Do, Expr, Factory
from tracejit.lower.placement import in_memory
from tracejit.lower.program import Computation

_INT = np.dtype(np.int64)


def draw(e: Launching, c: Computation) -> None:
    """Emit what draws `c`."""
    name = c.value.attr[0]
    state, *parameters = c.value.args
    row = DRAWS.get((state.dtype.name, name))
    after = next(n for n in e.program.stored if n.op is ops.ADVANCE and n.args == (c.value,))
    if (state.dtype.name, name) in _IN_PARTS:
        _IN_PARTS[state.dtype.name, name](e, c, after)
        return
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


# What several kernels draw -----------------------------------------------------------------------


def _states(e: Launching, c: Computation, after: Node) -> list[Operand]:
    """The state, and the one after it."""
    state = c.value.args[0]
    kind = ParameterKind(state.dtype, state.ndim, "A")
    return [(e.array(state), kind), (e.array(after), kind._replace(written=True))]


def _numbers(e: Launching, c: Computation) -> Operand:
    """The numbers that are drawn."""
    target = e.program.buffers[c.target][0]
    return e.flat(target.name, c.value.ndim), ParameterKind(c.value.dtype, 1, "C", True)


def _given(e: Launching, p: Node) -> Operand:
    """A parameter: a number, or the elements of an array."""
    if p.ndim:
        source = in_memory(p)
        return e.flat(e.array(source), source.ndim), ParameterKind(p.dtype, 1, "C")
    name = e.fresh("v")
    e.path[-1].assign(name, e.value(p, ()))
    return name, ParameterKind(np.dtype(p.dtype))


def _flag(e: Launching) -> Operand:
    """Where a kernel tells that NumPy would have raised."""
    e.note_traps(True)
    return FLAG, ParameterKind(np.dtype(np.int32), 1, "C", True)


def _distinct(e: Launching, c: Computation, after: Node) -> None:
    """The first of all numbers, in an order that is drawn."""
    count, number = _given(e, c.value.args[1])
    size = _size(e, c.value)
    length = e.fresh("v")
    e.path[-1].assign(length, Call("imax", (count, 0)))
    whole = e.temporary("l", length), ParameterKind(_INT, 1, "C", True)
    row = DRAWS[c.value.args[0].dtype.name, "permutation"]
    operands = [*_states(e, c, after), whole, (length, number), (length, number)]
    e.launch(row.text, (1 if row.threads else 2, 1, 1), operands, row.threads)
    e.launch(FIRST, (size, 1, 1), [whole, _numbers(e, c)])
    bad = Call("logical_not", (expression("count > 0 and size <= count", _named(e, count, size)),))
    e.trap(bad, len(e.path) - 1)


def _named(e: Launching, count: Expr, size: Expr) -> dict[str, str]:
    names = {"count": e.fresh("v"), "size": e.fresh("v")}
    for name, value in zip(names.values(), (count, size), strict=True):
        e.path[-1].assign(name, value)
    return names


def _weighed(e: Launching, c: Computation, after: Node) -> None:
    """Where numbers are among the running sums of the chances."""
    count, chances = (_given(e, p) for p in c.value.args[1:])
    total = e.temporary("d", e.dim(dims.product(c.value.args[2].shape)))
    sums = total, ParameterKind(np.dtype(float), 1, "C", True)
    e.launch(RUNNING, (1, 1, 1), [chances, count, sums, _flag(e)], THREADS)
    size = _size(e, c.value)
    units = e.temporary("d", size), ParameterKind(np.dtype(float), 1, "C", True)
    row = DRAWS.get((c.value.args[0].dtype.name, "random_sample"))
    text, threads = (row.text, row.threads) if row else (UNITS, 0)
    groups = 1 if threads else Call("imax", (size, 2))
    e.launch(text, (groups, 1, 1), [*_states(e, c, after), units], threads)
    e.launch(PLACES, (size, 1, 1), [sums, units, _numbers(e, c)])


def _multinomial(e: Launching, c: Computation, after: Node) -> None:
    """Rows of counts, a thread each."""
    n, p = (_given(e, p) for p in c.value.args[1:])
    rows = e.dim(dims.product(c.value.shape[:-1]))
    used = e.temporary("l", rows), ParameterKind(_INT, 1, "C", True)
    length = e.dim(c.value.shape[-1]), ParameterKind(_INT)
    text = counts(several=bool(c.value.args[1].ndim))
    operands = [*_states(e, c, after), n, p, length, used, _numbers(e, c), _flag(e)]
    e.launch(text, (Call("imax", (rows, 2)), 1, 1), operands)


#: What is drawn so, by the dtype of a state, and the distribution.
_IN_PARTS: dict[tuple[str, str], Callable[[Launching, Computation, Node], None]] = {
    ("uint32", "choice_distinct"): _distinct,
    ("uint64", "choice_distinct"): _distinct,
    ("uint32", "choice_weighed"): _weighed,
    ("uint64", "choice_weighed"): _weighed,
    ("uint64", "multinomial"): _multinomial,
}


# What the host draws ------------------------------------------------------------------------------


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
