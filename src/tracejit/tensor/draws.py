"""Shapes and dtypes of random draws, symbolic or not."""

from __future__ import annotations

from typing import Any

from tracejit.errors import ShapeError
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.symbolic.opcodes import length_of


def shape(lengths: Any, count: int | None, shapes: Any, broadcast: Any) -> Any:
    """What the lengths say, or the parameters' shape."""
    return broadcast((), *shapes) if count is None else tuple(map(length_from, lengths))


def spread(node: Node, shape: Any, name: str) -> Node:
    """A parameter of distribution `name` for each element: a scalar is one for all."""
    try:
        return build.broadcast_to(node, shape) if node.ndim else node
    except ShapeError as error:
        text = f"{name}: size does not match the shape of the parameters: {error}"
        raise ShapeError(text) from None


def row_length(parameter: Any, given: Any) -> Any:
    """How long the rows are: the number of chances, or the parameter itself."""
    return parameter.shape[-1] if parameter.ndim else length_from(given)


def length_from(value: Any) -> Any:
    found = length_of(value)
    return found if isinstance(found, int) else dims.from_node(found.node)
