"""In which order the loops of a computation go through its axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.program import Kind

#: Vectors that count as much as a matrix, where the order of loops is chosen.
_VECTORS = 64


def loop_order(
    kind: Kind,
    domain: tuple[Dim, ...],
    reduced: tuple[int, ...],
    reads: list[access.Access],
    memory: Mapping[Node, str] | None,
    axis: int,
) -> tuple[int, ...]:
    """The domain's axes from the outermost loop in: memory order, with the accumulator in mind.

    Without `memory` the order is C's.
    """
    axes = tuple(range(len(domain)))
    votes: Counter[int] = Counter()
    for node, index in reads if memory is not None else ():
        if isinstance(index, access._Flat) or not index:
            continue
        entry = index[0 if memory and memory.get(node) == "F" else -1]
        if isinstance(entry, Entry) and entry.axis is not None and domain[entry.axis] != 1:
            full = sum(isinstance(e, Entry) and e.axis is not None for e in index)
            # To go through a matrix the wrong way costs more than any number of vectors.
            votes[entry.axis] += _VECTORS**full
    natural = axes
    if votes and len(axes) > 1:
        fast, count = votes.most_common(1)[0]
        if votes[axes[-1]] < count and fast == 0:
            natural = axes[::-1]
    if kind is Kind.REDUCE:
        kept = tuple(k for k in natural if k not in reduced)
        if natural[-1:] and natural[-1] not in reduced and domain[natural[-1]] != 1:
            return natural
        return kept + tuple(k for k in natural if k in reduced)
    if kind is Kind.ARG:
        return tuple(k for k in axes if k not in reduced) + reduced
    if kind is Kind.SCAN and axis == len(axes) - 1:
        return axes
    return axes if kind is Kind.SCAN else natural
