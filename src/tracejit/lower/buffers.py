"""Where stored nodes live: scalars, rows, whole arrays, or the output they feed."""

from __future__ import annotations

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.lower.access import Entry, memory_of
from tracejit.lower.inplace import memory_taken
from tracejit.lower.placement import placement
from tracejit.lower.program import Buffer, Computation, Flat, Kind, Loop, Program, in_order

#: A computation, and the index vector at which it reads (None: it reads the whole array).
Reader = tuple[Computation, tuple[object, ...] | None]


def assign_buffers(program: Program) -> None:
    """Give every stored node its buffer; outputs the caller's.

    Guarantees: a value whose readers are all in its own iteration needs none; one whose readers
    share outer loops keeps only what an iteration of those needs; a temporary read for the last
    time at the element where an output of its type is stored lives in that output; temporaries
    of one type whose lifetimes do not overlap share their memory.
    """
    readers = _readers(program)
    late = late_dims(program)
    for node, computations in program.stored.items():
        axes = tuple(range(node.ndim))
        is_late = any(d in late for d in node.shape)
        layout = program.memory[node]
        buffers = []
        home = _home(node, program)
        if home is not None:
            where = program.layouts[home.attr[0]]
            order = "C" if where == "C" else "A"  # its axes are the input's, whatever its order is
            buffers = [Buffer(node, node.shape, axes, order, home=home.attr[0])]
        elif node in program.windows:
            buffers = [Buffer(node, (program.windows[node].length,), (0,))]
        elif node in program.outputs:
            buffers = [Buffer(node, node.shape, axes, layout, output=True, late=is_late)]
        else:
            shared = _shared_loops(node, computations, readers[node]) if computations else set()
            axes = tuple(k for k in axes if k not in shared)
            if axes or (computations and _needs_memory(computations, readers[node])):
                shape = tuple(node.shape[k] for k in axes)
                buffers = [Buffer(node, shape, axes, layout, late=is_late)]
        program.buffers[node] = buffers
    _share(program, readers)
    for node in reversed(program.stored):
        overwritten = program.inplace.get(node)
        if overwritten is None or overwritten.op is ops.INPUT:
            continue
        if not program.buffers[node][0].home:
            program.buffers[overwritten] = program.buffers[node]
    _reuse(program, readers)


def _home(node: Node, program: Program) -> Node | None:
    """The input whose memory a stored node has."""
    if node.op is ops.ASSIGN:
        return node.args[0]
    taken = memory_taken(node, program)
    return taken if taken.op is ops.INPUT else None


def name_memory(program: Program) -> tuple[list[Buffer], list[Buffer], list[Buffer]]:
    """The memory that an entry takes, results first; what it makes itself; what is kept between
    its calls. Each gets the name that it has in the entry.
    """
    unique = {id(b): b for bs in program.buffers.values() for b in bs if not b.home}.values()
    early = [b for b in unique if not b.late and not b.kept]
    given = [b for b in early if b.output] + [b for b in early if not b.output]
    given += program.parts.values()
    inside = [b for control in program.controls.values() for _, b in control.memory]
    given += [b for b in inside if not b.late]
    late = [b for b in (*unique, *inside) if b.late]
    kept = [b for b in unique if b.kept]
    for k, buffer in enumerate([*given, *late, *kept]):
        buffer.name = f"b{k}"
    return given, late, kept


def late_dims(program: Program) -> set[Node]:
    """The dimensions that are known only when the data has been seen."""
    late: set[Node] = set()
    for node in postorder(d for n in program.stored for d in n.shape if isinstance(d, Node)):
        if node in program.stored or any(a in late for a in node.args):
            late.add(node)
    return late


def _readers(program: Program) -> dict[Node, list[Reader]]:
    """Who reads each stored node, and with which index vector (None: as a whole)."""
    found: dict[Node, list[Reader]]
    found = {node: [] for node in program.stored}
    for computations in program.stored.values():
        for c in computations:
            for node, index in c.reads:
                source = memory_of(node, c.target, found)
                if source in found:
                    part = isinstance(index, tuple) and source is node
                    part = part and program.inplace.get(c.target) is not source
                    found[source].append((c, tuple(index) if part else None))  # type: ignore[arg-type]
            if c.kind in (Kind.MATMUL, Kind.LIBRARY):
                for source in placement(c.value).whole(c.value):
                    if source in found:
                        found[source].append((c, None))
    return found


def _needs_memory(computations: list[Computation], readers: list[Reader]) -> bool:
    c = computations[0]
    return (
        c.partial
        or c.kind in (Kind.SWEEP, Kind.MATMUL)
        or (c.kind is Kind.LIBRARY and not placement(c.value).register)
        or (c.kind is Kind.SCAN and c.axis != len(c.domain) - 1)
    )


def _shared_loops(
    node: Node,
    computations: list[Computation],
    readers: list[Reader],
) -> set[int]:
    """The axes of `node` whose loops it shares with every reader at the same iteration."""
    c = computations[0]
    if len(computations) > 1 or c.partial or c.kind in (Kind.MATMUL, Kind.LIBRARY):
        return set()
    shared: set[int] = set()
    for position, loop in enumerate(c.loops):
        where = c.order[position] if not loop.has(Flat) else None
        if where is not None and where in c.reduced:
            break
        if c.kind is Kind.SCAN and where == c.axis and c.axis != len(c.domain) - 1:
            break
        if not all(
            position < len(r.loops) and r.loops[position] is loop and index is not None
            for r, index in readers
        ):
            break
        if loop.has(Flat):
            return set(range(node.ndim))
        place = c.kept.index(where)
        if not all(
            index is not None and index[place] == Entry(0, 1, r.order[position])
            for r, index in readers
        ):
            break
        shared.add(place)
    return shared


def _share(
    program: Program,
    readers: dict[Node, list[Reader]],
) -> None:
    """Let a temporary and the value computed from it at its last reading use one array."""
    order = {c: k for k, c in enumerate(in_order(program.items, drawing=True))}
    taken: set[Node] = set()
    for node in reversed(list(program.buffers)):
        buffers = program.buffers[node]
        if node in program.windows or not program.stored[node]:
            continue
        if not buffers or buffers[0].is_callers or not buffers[0].axes or not readers[node]:
            continue
        writer = program.stored[node][0]
        last, _ = max(readers[node], key=lambda r: order[r[0]])
        home = program.buffers[last.target]
        identity = tuple(Entry(0, 1, k) for k in range(node.ndim))
        if (
            home
            and not home[0].home
            and last.target not in taken
            and (buffers[0].late or not home[0].late)
            and last.kind is Kind.MAP
            and not last.partial
            and _complete(program.stored[node], last)
            and last.target.type == node.type
            and home[0].layout == buffers[0].layout
            and set(home[0].axes) >= set(buffers[0].axes)
            and all(at == identity for r, at in readers[node] if r is last)
            and _done_before(writer, last, readers[node])
            and not _blocked_with(last, readers[node], program)
        ):
            taken.add(last.target)
            program.buffers[node] = home


def _complete(writers: list[Computation], last: Computation) -> bool:
    """Whether what is computed is there when `last` reads it: by its own element, or all of it."""
    writer = writers[0]
    if not writer.partial and writer.kind in (Kind.MAP, Kind.SWEEP, Kind.MATMUL):
        return True
    return not any(loop in last.loops for w in writers for loop in w.loops)


def _reuse(program: Program, readers: dict[Node, list[Reader]]) -> None:
    """Let whole temporaries that are dead give their memory to later ones of their type."""
    place = {c: k for k, item in enumerate(program.items) for c in _computations_in(item)}
    loops = {id(item): k for k, item in enumerate(program.items)}
    place |= {program.stored[node][0]: loops[id(w.loop)] for node, w in program.windows.items()}
    lives: dict[int, tuple[int, int]] = {}
    for node, buffers in program.buffers.items():
        if buffers and buffers[0].home:
            continue
        used = [place[c] for c in program.stored[node]]
        used += [place[r] for r, _ in readers[node]]
        for writer in placement(node).written_by(node):
            used += [place[c] for c in program.stored[writer]]
        for b in buffers:
            first, last = lives.get(id(b), (used[0], used[0]))
            lives[id(b)] = min(first, *used), max(last, *used)
    free: dict[object, list[tuple[int, Buffer]]] = {}
    given: dict[int, Buffer] = {}
    order = sorted(
        {id(b): b for bs in program.buffers.values() for b in bs if not b.home}.values(),
        key=lambda b: lives[id(b)],
    )
    for b in order:
        whole = b.axes == tuple(range(b.node.ndim)) and b.node.ndim > 0
        if b.is_callers or b.late or not whole:
            continue
        first, last = lives[id(b)]
        kind = (b.shape, b.node.dtype.char, b.layout)
        dead = free.setdefault(kind, [])
        found = next((k for k, (end, _) in enumerate(dead) if end < first), None)
        home = b if found is None else dead.pop(found)[1]
        given[id(b)] = home
        dead.append((last, home))
    for node, buffers in program.buffers.items():
        program.buffers[node] = [given.get(id(b), b) for b in buffers]
    _arenas(program, [(given[id(b)], *lives[id(b)]) for b in order if id(b) in given])


def _arenas(program: Program, used: list[tuple[Buffer, int, int]]) -> None:
    """Group whole temporaries of any shape that are never in use together.

    `used` are their first and last uses, sorted; one that serves several nodes comes up for each.
    """
    spans: dict[int, tuple[Buffer, int, int]] = {}
    for home, first, last in used:
        _, start, end = spans.get(id(home), (home, first, last))
        spans[id(home)] = home, min(first, start), max(last, end)
    ends: list[int] = []
    for home, first, last in spans.values():
        free = next((k for k, end in enumerate(ends) if end < first), len(ends))
        if free == len(ends):
            ends.append(last)
            program.arenas.append([])
        ends[free] = last
        program.arenas[free].append(home)


def _computations_in(item: Loop | Computation) -> list[Computation]:
    """The computations of an item of a program."""
    found: list[Computation] = []
    stack: list[Loop | Computation] = [item]
    while stack:
        top = stack.pop()
        if isinstance(top, Computation):
            found.append(top)
        else:
            stack.extend(top.items)
    return found


def _done_before(
    writer: Computation,
    last: Computation,
    readers: list[Reader],
) -> bool:
    """Whether every other reader is done with an element when `last` overwrites it."""
    common = [a for a, b in zip(writer.loops, last.loops, strict=False) if a is b]
    depth = len(common)
    identity = [Entry(0, 1, last.order[k]) for k in range(depth)]
    for r, index in readers:
        if r is last:
            continue
        if r.loops[:depth] != common or index is None or depth == len(last.loops):
            return False
        if [index[last.order[k]] for k in range(depth)] != identity:
            return False
        if len(r.loops) > depth and r.loops[depth] is last.loops[depth]:
            return False
    return True


def _blocked_with(last: Computation, readers: list[Reader], program: Program) -> bool:
    """Whether another reader comes in turn with `last`, and may read what it has overwritten."""
    for item in program.items:
        if not isinstance(item, Loop) or item.members == [item]:
            continue
        if last.loops[0] in item.members:
            others = [r.loops[0] for r, _ in readers if r is not last and r.loops]
            return any(loop in item.members for loop in others)
    return False
