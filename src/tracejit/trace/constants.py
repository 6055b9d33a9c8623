"""What is computed of arrays that the function makes of constants alone: it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.ir import build, interpret, ops
from tracejit.ir.node import Node

#: Elements of an array that is computed ahead, at most.
_MOST = 1 << 16


class Constants:
    """The values of nodes over constant inputs, of which `arrays` has those that are, by name."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._values: dict[Node, Any] = {}
        self._others: set[Node] = set()

    def value(self, node: Node) -> Any:
        """The value of `node`; None where something else tells it."""
        if node.op is ops.CONST:
            return build.constant_value(node)
        if node in self._others:
            return None
        stack = [node]
        while stack:
            top = stack[-1]
            if top in self._values or top in self._others:
                stack.pop()
                continue
            operands = (*top.args, *top.dims)
            if self._is_other(top) or any(a in self._others for a in operands):
                self._others.add(top)
                continue
            missing = [a for a in operands if a not in self._values]
            if missing:
                stack += missing
                continue
            with np.errstate(all="ignore"):
                found = interpret._evaluate(top, self._values, self._arrays)
            self._values[top] = interpret._weaken(top, found)
        return self._values.get(node)

    def _is_other(self, node: Node) -> bool:
        if node.op is ops.INPUT:
            return node.attr[0] not in self._arrays
        if node.op in (ops.DIM, ops.HOST, ops.HOSTED, ops.MARKS["mark"]) or not _is_small(node):
            return True
        return bool(node.op.regions)


def _is_small(node: Node) -> bool:
    """Whether it is worth while to compute a value ahead."""
    if node.several is not None:
        return False
    lengths = [d for d in node.shape if isinstance(d, int)]
    return len(lengths) == node.ndim and math.prod(lengths) <= _MOST
