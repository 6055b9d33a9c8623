"""Results that are views: the steps that lead to them, taken by NumPy on the arrays at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracejit.ir import build, dims, interpret, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, postorder
from tracejit.ir.rewrite import length_over


class Step:
    """From an array to a view of it, as a function of nodes.

    `take`     NumPy's own way, from the array and the values of `lengths`, where it is neither
               slicing nor ``reshape``
    `order`    "C" or "F" if the array is copied where it is not contiguous so
    `distinct` whether it shows that the result is a view: elements overlap, or it is read-only
    """

    __slots__ = ("distinct", "lengths", "nodes", "order", "take")

    def __init__(
        self,
        nodes: Callable[[Node], Node],
        take: Callable[..., np.ndarray] | None = None,
        lengths: Sequence[Dim] = (),
        order: str = "",
        distinct: bool = False,
    ) -> None:
        self.nodes = nodes
        self.take = take
        self.lengths = lengths
        self.order = order
        self.distinct = distinct

    def __call__(self, node: Node) -> Node:
        return self.nodes(node)


class Link(NamedTuple):
    """One thing that NumPy does to an array: `node` of a graph, or what its `step` takes.

    `key` is the same where it is the same thing, and so gives the same array.
    """

    key: tuple[int, int]
    node: Node | None
    step: Step


class View(NamedTuple):
    """A result that is a view of an input (by name) or of another output (by position)."""

    base: str | int
    links: tuple[Link, ...]


def links(base: Node, path: Sequence[Step]) -> tuple[Link, ...]:
    """The steps of `path` from `base`, none of them merged with the one before."""
    found: list[Link] = []
    for step in path:
        start = build.input("base", base.dtype, base.shape)
        base = step(start)
        if step.take is not None:
            found.append(Link((id(step), 0), None, step))
            continue
        nodes = [base]
        while nodes[-1] is not start:
            nodes.append(nodes[-1].args[0])
        found += [Link((id(step), k), node, step) for k, node in enumerate(nodes[-2::-1])]
        if len(nodes) == 1:
            found.append(Link((id(step), 0), None, step))
    return tuple(found)


#: What the numbers of a view may be made of that is known before the program runs.
_BEFORE = (ops.INPUT, ops.DIM, ops.CONST, ops.POLY, ops.CAST)


def computed(views: Iterable[View]) -> list[Node]:
    """The numbers in `views` that the program tells, as they are before arrays are written."""
    found: dict[Node, None] = {}
    waiting = [d for view in views for link in view.links for d in _numbers(link)]
    while waiting:
        node = waiting.pop()
        if all(_is_before(n) for n in postorder([node])):
            continue
        if node.op is ops.POLY:
            waiting += node.args
        else:
            found[node] = None
    return list(found)


def _is_before(node: Node) -> bool:
    return (node.op in _BEFORE or isinstance(node.op, ops.Elementwise)) and not node.ndim


def _numbers(link: Link) -> Iterator[Node]:
    """The numbers by which a link is taken."""
    node, found = link.node, list[Any](link.step.lengths)
    if node is not None:
        found = list(node.shape)
        found += slicing(node)[0] if node.op is ops.VIEW else []
    for part in found:
        each = part if isinstance(part, tuple) else (part,)
        yield from (d for d in each if isinstance(d, Node))


def evaluate(
    view: View, env: Mapping[str, Any], made: dict[Any, np.ndarray], numbers: Mapping[Node, int]
) -> np.ndarray:
    """The value of `view`, where the inputs are `env`.

    `made` holds the outputs, by position, and what has been made of them and of inputs; those at
    `numbers` are numbers of views (see `computed`).
    """
    told = {node: build.input(f".{k}", node.dtype, ()) for node, k in numbers.items()}
    env = {**env, **{f".{k}": made[k] for k in numbers.values()}}

    def known(d: Dim) -> int:
        if not isinstance(d, Node):
            return d
        return int(interpret.evaluate([dims.as_node(length_over(d, told))], env)[0])

    key: Any = view.base
    value = env[key] if isinstance(key, str) else made[key]
    for link in view.links:
        key = key, link.key
        if key not in made:
            made[key] = _taken(value, link, known)
        value = made[key]
    return value


def _taken(x: Any, link: Link, known: Callable[[Dim], int]) -> Any:
    node = link.node
    if node is None:
        take = link.step.take
        return x[...] if take is None else take(x, *map(known, link.step.lengths))
    if node.op is ops.RESHAPE:
        return x.reshape(tuple(map(known, node.shape)))
    if node.op is not ops.VIEW:
        return getattr(x, node.op.name)
    parts, order = slicing(node)
    index: list[Any] = []
    for part in parts:
        if isinstance(part, tuple):
            start, stop, by = known(part[0]), known(part[1]), part[2]
            part = slice(start, None if by < 0 and stop < 0 and start != stop else stop, by)
        index.append(known(part) if isinstance(part, Node) else part)
    if index:
        x = x[tuple(index)]
    return x.transpose(order) if order else x


def slicing(view: Node) -> tuple[list[Any], list[int]]:
    """The index and then the order of axes (empty if as they are) that make the node `view`.

    An entry of the index is an int or a scalar node, ``(start, stop, step)``, a slice of the whole
    axis, None or an Ellipsis. A stop before the first element of a reversed axis is -1.
    """
    index = view.attr[1]
    order = [axis for _, by, axis in index if axis is not None and by]
    added = [k for k, d in enumerate(view.shape) if d == 1 and k not in order]
    order += added
    assert sorted(order) == list(range(view.ndim)), "only slicing"
    parts: list[Any] = []
    for k, (start, by, axis) in enumerate(index):
        if axis is None or not by:
            parts.append(start)
        elif start == 0 and by == 1 and view.shape[axis] == view.args[0].shape[k]:
            parts.append(slice(None))
        elif by == -1 and view.shape[axis] == view.args[0].shape[k]:  # it starts at the last
            parts.append(slice(None, None, -1))
        else:
            parts.append((start, dims.add(start, dims.mul(view.shape[axis], by)), by))
    # Without the Ellipsis NumPy would give a scalar.
    parts += [None] * len(added) if view.ndim else [Ellipsis]
    while parts and parts[-1] == slice(None):  # NumPy takes what is left as it is
        parts.pop()
    places = [order.index(k) for k in range(view.ndim)]
    return parts, [] if order == sorted(order) else places
