"""What computes a stored node: one computation, or one for each part of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.looporder import loop_order
from tracejit.lower.program import Computation, Kind

#: The memory order of what is read, by node; None where the computation is in C order.
Memory = Mapping[Node, str] | None
#: The computations of a node, from the stored ones.
Maker = Callable[[Node, set[Node], Memory], list[Computation]]


def mapped(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """Element by element."""
    return [_computation(Kind.MAP, node, node, node.shape, stored, memory)]


def assigned(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """The second operand, element by element, where the first one is."""
    y = node.args[1]
    return [_computation(Kind.MAP, node, y, y.shape, stored, memory)]


def started(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """The operand, element by element, into memory that a loop goes on with."""
    x = node.args[0]
    return [_computation(Kind.MAP, node, x, x.shape, stored, memory)]


def joined(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """The operands one after the other, each where it belongs."""
    return _parts(node, node, stored, memory)


def is_filled(node: Node) -> bool:
    """Whether a stored reshape needs no operand in memory: its own is filled by position."""
    return node.op is ops.RESHAPE and bool(node.ndim and node.args[0].ndim)


def filled(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """The elements of a reshape by position, unless its operand is in memory."""
    [x] = node.args
    if not is_filled(node) or x in stored or x.op is ops.INPUT:
        return mapped(node, stored, memory)
    return _parts(node, x, stored, None)


def reduced(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """Combined over the reduced axes, or the place of an extreme there."""
    kind = Kind.ARG if node.op in ops.ARG_REDUCTIONS else Kind.REDUCE
    x = node.args[0]
    return [_computation(kind, node, x, x.shape, stored, memory, reduced=node.attr)]


def scanned(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """Combined with what comes before along an axis."""
    x, axis = node.args[0], node.attr[1]
    return [_computation(Kind.SCAN, node, x, node.shape, stored, memory, axis=axis)]


def scattered(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """A copy of the first operand, and the elements of the second into it, in their order."""
    x, y, *positions = node.args
    axes = tuple(range(y.ndim))
    c = Computation(
        Kind.SCATTER, node, y, y.shape, axes, axes, partial=True, positions=tuple(positions)
    )
    c.reads = read_to_scatter(y, positions, stored)
    return [_copied(node, x, stored, memory), c]


def read_to_scatter(
    y: Node, positions: Sequence[Node], stored: Container[Node]
) -> list[access.Access]:
    """What is read where elements of `y` are put where `positions` say."""
    found: list[access.Access] = []
    for value in (y, *positions):
        at = access.identity(value.ndim)
        found += [(value, at)] if value in stored else access.reads(value, at, stored)
    return found


def placed(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """A copy of the second operand, and a call that writes into it."""
    mask, x, y = node.args
    return [_copied(node, x, stored, memory), _call(Kind.LIBRARY, node, (mask, y), stored)]


def called(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """A call of compiled code over whole arrays."""
    return [_call(Kind.LIBRARY, node, node.args, stored)]


def hosted(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """A result of a call, which that call has left."""
    return [_call(Kind.LIBRARY, node, node.args[:1], stored)]


def multiplied(node: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """A call of a library's product of matrices."""
    return [_call(Kind.MATMUL, node, node.args, stored)]


def _call(kind: Kind, node: Node, args: tuple[Node, ...], stored: set[Node]) -> Computation:
    c = Computation(kind, node, node, (), ())
    c.reads = access.read_for((*args, *node.dims), stored)
    return c


def _copied(node: Node, x: Node, stored: set[Node], memory: Memory) -> Computation:
    return _computation(Kind.MAP, node, x, x.shape, stored, memory, partial=True)


def _parts(node: Node, whole: Node, stored: set[Node], memory: Memory) -> list[Computation]:
    """The parts of `whole`, each where it belongs in the memory of `node`."""
    parts = whole.args if whole.op is ops.CONCATENATE else (whole,)
    axis = whole.attr[0] if whole.op is ops.CONCATENATE else 0
    offset: Dim = 0
    found = []
    for part in parts:
        c = _computation(
            Kind.MAP, node, part, part.shape, stored, memory, (), axis, offset, partial=True
        )
        found.append(c)
        offset = dims.add(offset, part.shape[axis])
    return found


def _computation(
    kind: Kind,
    target: Node,
    value: Node,
    domain: tuple[Dim, ...],
    stored: set[Node],
    memory: Memory,
    reduced: tuple[int, ...] = (),
    axis: int = 0,
    offset: Dim = 0,
    partial: bool = False,
) -> Computation:
    # The value of a stored node that copies or reduces another one reads it from memory.
    inner = stored - {value} if value is target else stored
    if value is not target and value in stored:
        reads = [(value, access.identity(len(domain)))]
    else:
        reads = access.reads(value, access.identity(len(domain)), inner)
    if target.op in ops.ORDERED.values():
        order = tuple(range(len(domain)))
        order = order[::-1] if target.op is ops.ORDERED["F"] else order
    else:
        order = loop_order(kind, domain, reduced, reads, memory, axis)
    if kind is Kind.REDUCE and reduced and order[-1] not in reduced:
        kind = Kind.SWEEP
    c = Computation(kind, target, value, domain, order, reduced, axis, offset, partial)
    c.reads = reads
    return c
