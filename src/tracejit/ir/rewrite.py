"""Nodes over other operands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tracejit.ir import dims, ops
from tracejit.ir.node import ArrayType, Node, TupleType, make, map_nodes, postorder


def with_operands(node: Node, new: Mapping[Node, Node]) -> Node:
    """`node` over the replacements of its operands and dimensions."""
    args = tuple(new.get(a, a) for a in node.args)
    attr = node.attr
    if node.dims:
        attr = map_nodes(attr, lambda d: dims.from_node(new.get(d, d)))
    several = node.several
    if several is None:
        type: ArrayType | TupleType = _over(node.type, new)
        same = type is node.type
    else:
        items = tuple(_over(each, new) for each in several)
        type, same = TupleType(items), items == several
    if args == node.args and attr is node.attr and same:
        return node
    if node.op is ops.POLY:
        total: dims.Dim = 0
        for monomial, factor in node.attr:
            term = dims.product([factor, *(dims.from_node(args[i]) for i in monomial)])
            total = dims.add(total, term)
        return dims.as_node(total)
    return make(node.op, args, attr, type, node.origin)


def _over(type: ArrayType, new: Mapping[Node, Node]) -> ArrayType:
    """`type` over the replacements of dimensions."""
    shape = tuple(length_over(d, new) if isinstance(d, Node) else d for d in type.shape)
    return type if shape == type.shape else ArrayType(type.dtype, shape, type.weak)


def length_over(d: Node, new: Mapping[Node, Node]) -> dims.Dim:
    """A length over replacements: of itself, or of what it is a polynomial of."""
    if d in new:
        return dims.from_node(new[d])
    return dims.from_node(with_operands(d, new)) if d.op is ops.POLY else d


def replaced(
    roots: Iterable[Node],
    table: Mapping[Node, Node],
    rule: Callable[[Node], Node] = lambda node: node,
) -> list[Node]:
    """`roots` with the nodes in `table` replaced, and `rule` applied to what reaches them."""
    roots = list(roots)
    new = dict(table)
    for node in postorder(roots, leaves=new):
        if node not in new:
            changed = with_operands(node, new)
            new[node] = node if changed is node else rule(changed)
    return [new[root] for root in roots]


def joined(roots: Iterable[Node], table: Mapping[Node, Node]) -> list[Node]:
    """`roots` with the nodes in `table` replaced, and those in what takes their place."""
    roots = list(roots)
    if not table:
        return roots
    new: dict[Node, Node] = {}
    stack = [(root, False) for root in roots]
    while stack:
        node, expanded = stack.pop()
        if node in new:
            continue
        below = (table[node],) if node in table else (*node.args, *node.dims)
        if not expanded:
            stack.append((node, True))
            stack += [(each, False) for each in below if each not in new]
        elif node in table:
            new[node] = new[below[0]]
        else:
            made = with_operands(node, new)
            of_several = made.op is ops.ITEM and made.args[0].op is ops.TUPLE
            new[node] = made.args[0].args[made.attr] if of_several else made
    return [new[root] for root in roots]
