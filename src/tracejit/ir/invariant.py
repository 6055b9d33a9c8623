"""What of an open body does not change from run to run."""

from __future__ import annotations

from collections.abc import Container, Iterable

from tracejit.ir import gufuncs, ops
from tracejit.ir.closing import Body
from tracejit.ir.node import Node, postorder

#: What is as good inside of a region, from what it reads.
_MOVED = (ops.POLY, ops.DIM, ops.CONST, ops.IOTA, ops.VIEW, ops.RESHAPE)


def around(body: Body, params: Iterable[Node], known: Container[Node] = ()) -> set[Node]:
    """What a body reads that does not depend on `params`: it is computed once, before.

    What may only be computed where it stands is computed there, unless it is `known` before.
    """
    own = frozenset(params)
    found: set[Node] = set()
    inside: dict[Node, bool] = {}
    for node in postorder(body.roots()):
        operands = (*node.args, *node.dims)
        stays = node in own or is_guarded(node) or any(inside[a] for a in operands)
        inside[node] = stays and node not in known
        if inside[node]:
            found.update(a for a in operands if not inside[a])
    found.update(r for r in body.roots() if not inside[r])
    return _computed(found)


def is_guarded(node: Node) -> bool:
    """Whether a node may only be computed where it stands: it raises, or reads at a place."""
    if node.op is ops.VIEW:
        lengths = (ops.DIM, ops.POLY)
        return any(d.op not in lengths for d in postorder(node.dims))
    raises = node.op is ops.GUFUNC and bool(gufuncs.row_of(node).raises)
    return (
        raises
        or node.op in (ops.GATHER, ops.SCATTER, ops.HOST, ops.HOSTED)
        or bool(getattr(node.op, "trap", None))
    )


def read_of(body: Body, known: Container[Node]) -> set[Node]:
    """What a body reads of the nodes that are `known` before it, with all that they are made of."""
    return _computed({n for n in postorder(body.roots(), known) if n in known})


def _has_place(node: Node) -> bool:
    """Whether a value is worth a place: an element is, as its array may change."""
    return node.op not in _MOVED or (node.op is ops.VIEW and not node.ndim)


def _computed(nodes: set[Node]) -> set[Node]:
    """What of `nodes` is worth a place: of what only moves elements, what it reads."""
    result: set[Node] = set()
    stack, seen = list(nodes), set(nodes)
    while stack:
        node = stack.pop()
        if _has_place(node):
            result.add(node)
            continue
        parts = [a for a in (*node.args, *node.dims) if a not in seen]
        seen.update(parts)
        stack += parts
    return result
