"""From a graph to a tree of loops: the passes, from first to last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tracejit.errors import NotTraceable
from tracejit.ir import ops
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import Region, regions_of
from tracejit.ir.rules import roles
from tracejit.ir.rules.record import Roles
from tracejit.lower.antidependence import reads_first
from tracejit.lower.buffers import assign_buffers, late_dims, name_memory
from tracejit.lower.collapse import collapse
from tracejit.lower.control import (
    body,
    carried_memory,
    flattened,
    is_run,
    original,
    outside,
    places_of,
    ranges_in,
    refusal,
    room,
)
from tracejit.lower.fusion import fuse
from tracejit.lower.inplace import write_in_place
from tracejit.lower.interchange import lines_of
from tracejit.lower.materialise import contiguous, materialise
from tracejit.lower.order import products_early
from tracejit.lower.panels import packed
from tracejit.lower.placement import placement
from tracejit.lower.program import Computation, Control, Kind, Program
from tracejit.lower.results import taken_apart
from tracejit.lower.strips import strips_of
from tracejit.lower.target import Costs, Target


def schedule(
    graph: Graph,
    layouts: Mapping[str, str],
    target: Target,
    aliases: frozenset[int] = frozenset(),
    states: int = 0,
) -> Program:
    """The loop program of `graph`, with what the passes of the `target` make of it.

    Needs: a simplified graph and the layout of each input ("C", "F", "R", "A", "" for a scalar).
    The outputs at the positions `aliases` are not computed, the last `states` ones are in C order.
    Guarantees: every stored node is computed once, before it is read.
    """
    graph = taken_apart(flattened(graph))
    for prepare in target.passes.graph:
        graph = prepare(graph, layouts)
    program = unplaced(graph, layouts, target.costs, aliases, states)
    write_in_place(program)
    fuse(program, target.costs.largest_body)
    collapse(program)
    for change in target.passes.placed:
        change(program)
    assign_buffers(program)
    for change in target.passes.stored:
        change(program)
    for node in filter(is_run, program.stored):
        program.controls[node] = _control(node, program, target)
    program.strips = strips_of(program)
    return program


def _control(run: Node, program: Program, target: Target) -> Control:
    """What a branch or a loop runs, and the memory that this takes."""
    node = original(run)
    parts = roles(node)
    programs, memory, own = [], [], []
    late = late_dims(program)
    for k, region in enumerate(regions_of(node)):
        graph = body(region, places_of(run), decides=k < parts.tests)
        graph = replace(graph, ranges=ranges_in(region, parts))
        if target.residence is not None and any(n.op is ops.DRAW for n in graph.nodes()):
            raise _refused(node, "random numbers are drawn")
        layouts = _layouts(region, parts, program)
        inner = schedule(graph, layouts, target)
        for output in inner.outputs:
            if not output.ndim:
                inner.buffers[output] = [b for b in inner.buffers.get(output, ()) if not b.output]
        given, unknown, _ = name_memory(inner)
        for buffer in (*given, *unknown):
            if buffer.output:
                continue
            shape = outside(buffer.shape, region, parts) if not buffer.late else None
            layout = buffer.layout
            if shape is None:
                buffer.late = True
                size = room(buffer.shape, region, parts)
                if size is None:
                    own.append(buffer)
                    continue
                shape, layout = (size,), "C"
            lengths = postorder(d for d in shape if isinstance(d, Node))
            is_late = any(n in late or n in program.stored for n in lengths)
            axes = tuple(range(len(shape)))
            around = replace(buffer, shape=shape, late=is_late, axes=axes, layout=layout)
            if buffer.late:
                buffer.room = around
            memory.append((buffer, around))
        programs.append(inner)
    control = Control(node, tuple(programs), memory, own)
    control.lines = lines_of(control)
    control.lines = packed(control, target.costs)
    return control


def _refused(node: Node, what: str) -> NotTraceable:
    return refusal(node, f"{what} inside of a {node.op.name}", "do that before it")


def _layouts(region: Region, parts: Roles, program: Program) -> dict[str, str]:
    """The layouts of parameters: as around, but for a row of a sequence, which may have gaps."""
    own = [*parts.carried, *([None] if parts.steps is not None else [])]
    operands = [*own, *parts.sequences, *parts.captures]
    sequences = set(range(len(own), len(own) + len(parts.sequences)))
    found = {}
    for k, (param, operand) in enumerate(zip(region.params, operands, strict=True)):
        layout = ""
        if operand is not None and param.ndim:
            layout = program.memory[operand]
            layout = "A" if k in sequences and layout != "C" else layout
        found[param.attr[0]] = layout
    return found


def unplaced(
    graph: Graph,
    layouts: Mapping[str, str],
    costs: Costs,
    aliases: frozenset[int] = frozenset(),
    states: int = 0,
) -> Program:
    """The program of `graph` with what is computed, and in which order, and no loops yet."""
    graph = contiguous(graph, layouts)
    computed = tuple(o for k, o in enumerate(graph.outputs) if k not in aliases)
    nodes = products_early(materialise(replace(graph, outputs=computed), costs))
    nodes.sort(key=lambda node: node.op is ops.ASSIGN)  # what was there has been read then
    stored: dict[Node, list[Computation]] = {}
    keep = set(nodes)
    flat = set(graph.outputs[len(graph.outputs) - states :])
    for node in graph.nodes():
        placed = placement(node)
        flat.update(placed.flat(node), placed.memory(node) if placed.in_order else ())
    memory = {node: layouts[node.attr[0]] for node in graph.inputs}
    for node in nodes:
        # What is read by position in memory must be in C order, and what is made of an array that
        # was put into an order is in that: its inputs have no say.
        order = "C" if node in flat else _order_of_copies(node, keep)
        stored[node] = placement(node).computations(node, keep, None if order == "C" else memory)
        if order == "F":
            for c in stored[node]:
                c.order = c.order if c.partial else tuple(range(len(c.domain)))[::-1]
        memory[node] = _storage_order(stored[node], keep)
        if node.op is ops.ASSIGN:
            memory[node] = memory[node.args[0]]
    stored = reads_first(stored, graph)
    carried = {node: start for node in stored if (start := carried_memory(node)) is not None}
    outputs = frozenset(computed)
    return Program(graph, [], stored, {}, dict(layouts), memory, carried, outputs=outputs)


def _order_of_copies(node: Node, stored: set[Node]) -> str:
    """The order of the copies, in no memory, of which `node` is computed element by element.

    Of several it is C; "" where there are none. Of parts that are joined all are to be in C order.
    """
    if node.op is ops.CONCATENATE:
        return "C" if all(part.op is ops.ORDERED["C"] for part in node.args) else ""
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
