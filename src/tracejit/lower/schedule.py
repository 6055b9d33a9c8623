"""From stored nodes to a tree of loops: fuse what shares an index space.

Computations are placed in order. Each joins the deepest existing loops of its own extents in
which everything it reads is complete, or complete at this very iteration; where none fits, it
gets new loops at the end. So siblings share a pass, and a reduction's consumer over the reduced
axis starts the next pass inside the same outer loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from tracejit.errors import NotTraceable
from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node, postorder
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.backend import Passes
from tracejit.lower.buffers import assign_buffers
from tracejit.lower.chunks import mark_chunks
from tracejit.lower.inplace import write_in_place
from tracejit.lower.looporder import loop_order
from tracejit.lower.masks import through_masks
from tracejit.lower.materialise import (
    LARGEST_BODY,
    contiguous,
    is_filled,
    is_library,
    materialise,
    own_cost,
    reads_flat,
)
from tracejit.lower.order import products_early
from tracejit.lower.program import Computation, Kind, Loop, Program
from tracejit.lower.windows import draw_in_loops

#: What no back end adds to.
PLAIN = Passes()


def schedule(
    graph: Graph,
    layouts: Mapping[str, str],
    aliases: frozenset[int] = frozenset(),
    states: int = 0,
    passes: Passes = PLAIN,
) -> Program:
    """The loop program of `graph`, with what a back end's `passes` make of it.

    Needs: a simplified graph and the layout of each input ("C", "F", "R", "A", "" for a scalar).
    The outputs at the positions `aliases` are not computed, the last `states` ones are in C order.
    Guarantees: every stored node is computed once, before it is read.
    """
    refuse_regions(graph)
    for prepare in passes.graph:
        graph = prepare(graph, layouts)
    graph = contiguous(through_masks(graph, layouts), layouts)
    computed = tuple(o for k, o in enumerate(graph.outputs) if k not in aliases)
    nodes = products_early(materialise(Graph(graph.inputs, computed, graph.checks)))
    stored: dict[Node, list[Computation]] = {}
    keep = set(nodes)
    flat = {a for n in graph.nodes() for a in reads_flat(n)}
    flat.update(n.args[0] for n in graph.nodes() if n.op is ops.GATHER)
    flat.update(graph.outputs[len(graph.outputs) - states :])
    memory = {node: layouts[node.attr[0]] for node in graph.inputs}
    for node in nodes:
        # What is read by position in memory must be in C order, and what is made of an array that
        # was put into an order is in that: its inputs have no say.
        order = "C" if node in flat else _order_of_copies(node, keep)
        stored[node] = _computations(node, keep, None if order == "C" else memory)
        if order == "F":
            for c in stored[node]:
                c.order = c.order if c.partial else tuple(range(len(c.domain)))[::-1]
        memory[node] = _storage_order(stored[node], keep)
    program = Program(graph, [], stored, {}, dict(layouts), memory)
    write_in_place(program, set(computed))
    for node in nodes:
        for computation in stored[node]:
            _Placer(program, computation).place()
    _collapse(program)
    for change in passes.program:
        change(program)
    draw_in_loops(program, set(computed))
    assign_buffers(program, set(computed))
    mark_chunks(program)
    return program


def refuse_regions(graph: Graph) -> None:
    """Raise NotTraceable for a loop or a branch: there are no loops of a program for it."""
    found = next((node for node in graph.nodes() if node.op.regions), None)
    if found is not None:
        refusal = NotTraceable(f"{found.op.name} is not compiled", "use whole-array operations")
        refusal.place = found.origin
        raise refusal


def _order_of_copies(node: Node, stored: set[Node]) -> str:
    """The order of the copies, in no memory, of which `node` is computed element by element.

    Of several it is C; "" where there are none.
    """
    if node.ndim < 2 or not isinstance(node.op, ops.Elementwise):
        return ""
    found, seen, stack = "", {node}, [node]
    while stack:
        at = stack.pop()
        if at.op is ops.ORDERED["C"]:
            return "C"
        if at.op is ops.ORDERED["F"]:
            found = "F"
        if isinstance(at.op, ops.Elementwise):
            inner = [a for a in at.args if a.ndim and a not in seen and a not in stored]
            seen.update(inner)
            stack += inner
    return found


def _storage_order(computations: list[Computation], stored: set[Node]) -> str:
    """Fortran order for what is computed in that order, as NumPy's results keep it."""
    axes = tuple(range(len(computations[0].domain)))
    extents = [d for c in computations for d in c.domain if isinstance(d, Node)]
    if stored & set(postorder(extents)):  # its size is known late
        return "C"
    reverse = all(c.kind is Kind.MAP and c.order == axes[::-1] != axes for c in computations)
    return "F" if reverse else "C"


# Computations --------------------------------------------------------------------------------


def _computations(
    node: Node, stored: set[Node], memory: Mapping[Node, str] | None
) -> list[Computation]:
    """What computes `node`: one computation, or one a part of a concatenation."""
    if node.op is ops.CONCATENATE:
        return _parts(node, node, stored, memory)
    if is_filled(node) and node.args[0] not in stored and node.args[0].op is not ops.INPUT:
        return _parts(node, node.args[0], stored, None)
    if isinstance(node.op, ops.Reduction):
        x = node.args[0]
        kind = Kind.ARG if node.op in ops.ARG_REDUCTIONS else Kind.REDUCE
        return [_computation(kind, node, x, x.shape, stored, memory, reduced=node.attr)]
    if node.op is ops.ACCUMULATE:
        x, axis = node.args[0], node.attr[1]
        return [_computation(Kind.SCAN, node, x, node.shape, stored, memory, axis=axis)]
    if node.op is ops.SCATTER:
        x, y, *positions = node.args
        copy = _computation(Kind.MAP, node, x, x.shape, stored, memory, partial=True)
        return [copy, _scatter(node, y, tuple(positions), stored)]
    if node.op is ops.PLACE:
        x = node.args[1]
        copy = _computation(Kind.MAP, node, x, x.shape, stored, memory, partial=True)
        return [copy, Computation(Kind.LIBRARY, node, node, (), ())]
    if node.op is ops.MATMUL:
        return [Computation(Kind.MATMUL, node, node, (), ())]
    if is_library(node):
        return [Computation(Kind.LIBRARY, node, node, (), ())]
    return [_computation(Kind.MAP, node, node, node.shape, stored, memory)]


def _parts(
    node: Node, whole: Node, stored: set[Node], memory: Mapping[Node, str] | None
) -> list[Computation]:
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


def _scatter(node: Node, y: Node, positions: tuple[Node, ...], stored: set[Node]) -> Computation:
    """Elements of `y` into the copy of a scatter's first operand, in the order of `y`."""
    axes = tuple(range(y.ndim))
    c = Computation(Kind.SCATTER, node, y, y.shape, axes, axes, partial=True, positions=positions)
    for value in (y, *positions):
        at = access.identity(value.ndim)
        c.reads += [(value, at)] if value in stored else access.reads(value, at, stored)
    return c


def _computation(
    kind: Kind,
    target: Node,
    value: Node,
    domain: tuple[Dim, ...],
    stored: set[Node],
    memory: Mapping[Node, str] | None,
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


# Placement -----------------------------------------------------------------------------------


class _Placer:
    """Places one computation into a program's tree."""

    def __init__(self, program: Program, computation: Computation) -> None:
        self.program, self.c = program, computation
        self.cost = self._cost()
        self.inputs: set[Computation] = {
            d for node in self._producers() for d in program.stored.get(node, ())
        }

    def _producers(self) -> set[Node]:
        """The stored nodes that must be complete, or complete enough, before ours is computed."""
        found = {
            access.memory_of(node, self.c.target, self.program.stored) for node, _ in self.c.reads
        }
        found.update(self.scalars)
        return found

    @cached_property
    def scalars(self) -> set[Node]:
        """Stored nodes read through extents, starts and library operands."""
        c = self.c
        roots: list[Node] = [d for d in (*c.domain, *c.target.shape) if isinstance(d, Node)]
        if isinstance(c.offset, Node):
            roots.append(c.offset)
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            roots.extend(c.value.args)
            return self._stored_below(roots)
        stored = self.program.stored
        points = access.walk(c.value, access.identity(len(c.domain)), stored)
        for p in c.positions:
            points += access.walk(p, access.identity(p.ndim), stored)
        for node, index in points:
            roots.extend(node.dims)
            if not isinstance(index, access._Flat):
                roots.extend(
                    e.start for e in index if isinstance(e, Entry) and isinstance(e.start, Node)
                )
        return self._stored_below(roots)

    def _stored_below(self, roots: list[Node]) -> set[Node]:
        """The stored nodes that `roots` reach first."""
        c = self.c
        found: set[Node] = set()
        stack, seen = list(roots), set(roots)
        while stack:
            node = stack.pop()
            if node in self.program.stored and node is not c.target:
                found.add(node)
                continue
            for arg in node.args:
                if arg not in seen:
                    seen.add(arg)
                    stack.append(arg)
        return found

    def place(self) -> None:
        """Join existing loops as deep as legal, then open new ones."""
        c = self.c
        items = self.program.items
        joined: list[Loop] = []
        for axis in c.order if c.kind is not Kind.SCATTER else ():
            loop = self._join(items, axis)
            if loop is None:
                break
            joined.append(loop)
            items = loop.items
        if joined and not self._worth_joining(joined):
            joined, items = [], self.program.items
        c.loops = joined
        for axis in c.order[len(joined) :]:
            loop = Loop(c.domain[axis])
            items.append(loop)
            items = loop.items
            c.loops.append(loop)
        items.append(c)
        if c.loops:
            c.loops[-1].cost += self.cost

    def _worth_joining(self, joined: list[Loop]) -> bool:
        """Sharing only outer loops pays where something computed there is used."""
        if joined and joined[-1].cost and joined[-1].cost + self.cost > 2 * LARGEST_BODY:
            return False
        complete = len(joined) == len(self.c.order)
        if complete and not any(isinstance(i, Loop) for i in joined[-1].items):
            return True
        return any(joined[0] in d.loops for d in self.inputs)

    def _cost(self) -> int:
        """What our computation costs at each point."""
        found, stack = {self.c.value}, [self.c.value]
        while stack:
            for arg in stack.pop().args:
                if arg not in found and arg not in self.program.stored:
                    found.add(arg)
                    stack.append(arg)
        return sum(map(own_cost, found))

    def _join(self, items: list[Loop | Computation], axis: int) -> Loop | None:
        """The last of `items` that can hold our loop over `axis`."""
        after = -1
        for position, item in enumerate(items):
            if any(item is d or (isinstance(item, Loop) and item in d.loops) for d in self.inputs):
                after = position
        extent = self.c.domain[axis]
        if axis in self.c.reduced and self._searches_memory(self.c):
            return None
        for position in range(len(items) - 1, -1, -1):
            item = items[position]
            if not isinstance(item, Loop) or item.flat:
                continue
            if item.extent is not extent and item.extent != extent:
                continue
            if position < after or not self._same_style(item):
                continue
            if position == after and not self._complete_at(item, axis):
                continue
            return item
        return None

    def _same_style(self, loop: Loop) -> bool:
        """Serial computations stay out of loops that vectorise."""
        serial = (Kind.ARG, Kind.SCAN, Kind.SCATTER)
        others = [i for i in loop.items if isinstance(i, Computation)]
        return all(
            (o.kind in serial) == (self.c.kind in serial) and not self._searches_memory(o)
            for o in others
        )

    def _searches_memory(self, c: Computation) -> bool:
        """Whether `c` looks for a position in what lies in memory, by a loop that it has alone."""
        node = c.value
        while node.op in (ops.VIEW, ops.CAST) and node not in self.program.stored:
            node = node.args[0]
        known = node in self.program.stored or node.op in (ops.INPUT, ops.RESHAPE)
        return c.kind is Kind.ARG and known

    def _complete_at(self, loop: Loop, axis: int) -> bool:
        """Whether all we read of what `loop` computes is complete at the same iteration."""
        for d in self.inputs:
            if loop not in d.loops:
                continue
            where = d.order[d.loops.index(loop)]
            if d.partial or d.kind is Kind.SCATTER or where in d.reduced:
                return False
            place = d.kept.index(where)
            if d.target in self.scalars:
                return False
            for node, index in self.c.reads:
                if access.memory_of(node, self.c.target, self.program.stored) is not d.target:
                    continue
                if node is not d.target:  # another shape of it
                    return False
                if isinstance(index, access._Flat) or index[place] != Entry(0, 1, axis):
                    return False
        return True


# Collapsing ----------------------------------------------------------------------------------


def _collapse(program: Program) -> None:
    """Make one flat loop of a perfect nest whose arrays are all contiguous and of its shape."""
    for position, item in enumerate(program.items):
        if not isinstance(item, Loop):
            continue
        chain = [item]
        while len(chain[-1].items) == 1 and isinstance(chain[-1].items[0], Loop):
            chain.append(chain[-1].items[0])
        computations = chain[-1].items
        if len(chain) < 2 or not all(
            isinstance(c, Computation) and _flat(c, chain, program) for c in computations
        ):
            continue
        flat = Loop(dims.product(loop.extent for loop in chain), list(computations), flat=True)
        program.items[position] = flat
        for c in computations:
            assert isinstance(c, Computation)
            c.loops = [flat]


def _flat(c: Computation, chain: list[Loop], program: Program) -> bool:
    axes = tuple(range(len(c.domain)))
    if len(axes) != len(chain) or c.partial or c.order not in (axes, axes[::-1]):
        return False
    layout = "C" if c.order == axes else "F"
    if c.kind is not Kind.MAP and not (c.kind is Kind.REDUCE and c.reduced == axes):
        return False
    if c.kind is Kind.MAP and program.memory[c.target] != layout:
        return False
    full = access.identity(len(axes))
    keep = set(program.stored) - ({c.value} if c.value is c.target else set())
    for node, index in access.walk(c.value, full, keep):
        if index not in (full, ()):
            return False
        in_memory = node in keep or node.op is ops.INPUT
        if in_memory and node.ndim and program.memory[node] != layout:
            return False
        if node in keep:
            continue
        if node.ndim and node.op in (ops.IOTA, ops.GATHER, ops.RESHAPE):
            return False
        if node.op is ops.VIEW and node.args[0].ndim:
            return False
    return True
