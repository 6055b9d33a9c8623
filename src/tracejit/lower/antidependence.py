"""What is read of an array before it is overwritten in place.

Nodes have no order but that of their operands. Where an array is overwritten, what reads the old
elements must come first, or the array be copied. So a value that is made of old elements, for
something that needs the new ones too, is stored: it is mostly a scalar, or a row. And what reads
the old array comes before what overwrites it, wherever operands allow it.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Mapping, Sequence, Set

from tracejit.ir import ops
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.lower.access import memory_of
from tracejit.lower.program import Computation
from tracejit.lower.writes import OVERWRITING, are_late, overwritten, written

#: Writers of a graph among which circles are looked for, at most.
_MOST = 64


def read_before(graph: Graph, nodes: Sequence[Node], stored: set[Node]) -> set[Node]:
    """What is to be stored, beside what is `stored`, so that arrays may be overwritten.

    `nodes` are all of the graph, operands first.
    """
    writers = _writers(graph, nodes, stored)
    found: set[Node] = set()
    if not writers:
        return found
    after = _reached(nodes, writers)
    while True:
        known = stored | found
        reads = _read(nodes, known, writers)
        wanted = {node: after[node] for node in nodes if node in known}
        for w, k in writers.items():
            wanted[w] &= ~(1 << k)
        new = {a for n, w in wanted.items() for a in _frontier(n, w, after, reads, known)}
        if not new and len(writers) <= _MOST:
            new = _in_a_circle(writers, known, after, reads)
        if not new:
            return found
        found |= new


def _in_a_circle(
    writers: Mapping[Node, int],
    stored: Set[Node],
    after: Mapping[Node, int],
    reads: Mapping[Node, int],
) -> set[Node]:
    """What one writer puts, where each of several would have to be the first."""
    follow = dict.fromkeys(writers.values(), 0)  # what comes after each writer, as bits
    puts = {}
    for node in stored:
        overwrites = overwritten(node) if node in writers else None
        read = 0
        for a in (*node.args, *node.dims):
            read |= reads[a] if a is not overwrites else 0
        for k in follow:
            follow[k] |= read if after[node] >> k & 1 else 0
        if node in writers:
            puts[node] = read & ~(1 << writers[node])
    for w, k in writers.items():
        for j in follow:
            follow[j] |= 1 << k if after[w] >> j & 1 else 0
    for k in follow:  # and what comes after that
        for j in follow:
            follow[j] |= follow[k] if follow[j] >> k & 1 else 0
    for w, k in writers.items():
        wanted = sum(1 << j for j in follow if puts[w] >> j & 1 and follow[j] >> k & 1)
        if new := _frontier(w, wanted, after, reads, stored):
            return new
    return set()


def _writers(graph: Graph, nodes: Iterable[Node], stored: Container[Node]) -> dict[Node, int]:
    """What may overwrite an array, each with a number."""
    inputs: Container[Node] = () if are_late(graph) else written(graph)
    found: dict[Node, int] = {}
    for node in nodes:
        if node.op in OVERWRITING and node in stored:
            x = overwritten(node)
            if (x in stored and x not in graph.outputs) or x in inputs:
                found[node] = len(found)
    return found


def _reached(nodes: Iterable[Node], writers: Mapping[Node, int]) -> dict[Node, int]:
    """The writers that each node depends on, as bits."""
    found: dict[Node, int] = {}
    for node in nodes:
        bits = 1 << writers[node] if node in writers else 0
        for a in (*node.args, *node.dims):
            bits |= found[a]
        found[node] = bits
    return found


def _read(
    nodes: Iterable[Node], stored: Container[Node], writers: Mapping[Node, int]
) -> dict[Node, int]:
    """The writers that overwrite what each node is computed from in memory."""
    memory: dict[Node, int] = {}
    for w, k in writers.items():
        x = overwritten(w)
        memory[x] = memory.get(x, 0) | 1 << k
    found: dict[Node, int] = {}
    for node in nodes:
        bits = memory.get(node, 0)
        if node not in stored and node.op is not ops.INPUT:
            for a in (*node.args, *node.dims):
                bits |= found[a]
        found[node] = bits
    return found


def _frontier(
    node: Node,
    after: int,
    reached: Mapping[Node, int],
    reads: Mapping[Node, int],
    stored: Container[Node],
) -> set[Node]:
    """What a stored node, `after` these writers, is made of that must be known before them."""
    found: set[Node] = set()
    stack, seen = [node], {node}
    while stack:
        top = stack.pop()
        for a in (*top.args, *top.dims):
            if a in seen or a in stored or a.op is ops.INPUT or not reads[a] & after:
                continue
            seen.add(a)
            if reads[a] & after & ~reached[a]:
                found.add(_smallest(a, stored))
            else:
                stack.append(a)
    return found


def _smallest(node: Node, stored: Container[Node]) -> Node:
    """What a node only spreads over more axes, if it does no more."""
    while node.op is ops.VIEW:
        [x] = node.args
        if x in stored or x.op is ops.INPUT or x.ndim >= node.ndim:
            break
        node = x
    return node


def reads_first(
    stored: Mapping[Node, list[Computation]], graph: Graph
) -> dict[Node, list[Computation]]:
    """`stored`, where what reads an array comes before what overwrites it.

    Each still comes after what it is computed from.
    """
    place = {node: k for k, node in enumerate(stored)}
    writers: dict[Node, list[Node]] = {}
    for w in _writers(graph, stored, stored):
        writers.setdefault(overwritten(w), []).append(w)
    before: dict[Node, set[Node]] = {}
    for node, computations in stored.items() if writers else ():
        for c in computations:
            for read, _ in c.reads:
                for w in writers.get(memory_of(read, node, stored), ()):
                    if place[w] < place[node] and node not in writers[overwritten(w)]:
                        before.setdefault(w, set()).add(node)
    return _sorted(stored, before) if before else dict(stored)


def _sorted(
    stored: Mapping[Node, list[Computation]], before: Mapping[Node, set[Node]]
) -> dict[Node, list[Computation]]:
    """In the order of `stored`, but for what is asked to come `before`, if operands allow it."""
    place = {node: k for k, node in enumerate(stored)}
    nodes = list(stored)
    needs = {node: _stored_below(node, stored) for node in nodes}
    asked = {node: needs[node] | before.get(node, set()) for node in nodes}
    for node in nodes:
        if node.op is ops.ASSIGN:  # where all that is there has been read
            others = (n for n in nodes if n.op is not ops.ASSIGN)
            asked[node] |= {n for n in others if node not in before.get(n, ())}
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node, wanted in asked.items():
        for a in wanted:
            users[a].append(node)
    missing = {node: len(wanted) for node, wanted in asked.items()}
    ready = [place[node] for node in nodes if not missing[node]]
    heapq.heapify(ready)
    found: dict[Node, list[Computation]] = {}
    while len(found) < len(nodes):
        if ready:
            node = nodes[heapq.heappop(ready)]
            if node in found:
                continue
        else:  # what reads the old elements needs the new ones: then the array is copied
            node = next(n for n in nodes if n not in found and needs[n] <= found.keys())
        found[node] = stored[node]
        for user in users[node]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, place[user])
    return found


def _stored_below(node: Node, stored: Container[Node]) -> set[Node]:
    """The stored nodes that a node is computed from, or whose computation computes it."""
    found: set[Node] = set()
    stack = [*node.args, *node.dims]
    seen = set(stack)
    while stack:
        top = stack.pop()
        if top in stored:
            found.add(top)
            continue
        more = [a for a in (*top.args, *top.dims) if a not in seen]
        seen.update(more)
        stack += more
    return found
