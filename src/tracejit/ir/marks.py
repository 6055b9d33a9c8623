"""Values that derivatives know by a mark: see `ops.MARKS`. A program computes the value itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.ir import ops
from tracejit.ir.node import Node, make


def reference(name: str) -> Callable[..., Any]:
    """The function of such an op, over arrays."""
    return lambda x: x


def marked(x: Node, name: str, attr: Any = None) -> Node:
    """`x` with the mark `name`."""
    return make(ops.MARKS[name], (x,), attr, x.type, x.origin)
