"""Which nodes are views of an input's memory, as NumPy would return them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.ir import interpret, ops
from tracejit.ir.node import Node


def chain(node: Node) -> list[Node]:
    """The steps from an array input to `node`, both included, if each gives a view; else [].

    A reshape counts: NumPy decides by the layout at hand whether it copies.
    """
    steps = [node]
    while steps[-1].op is not ops.INPUT:
        last = steps[-1]
        if last.op not in (ops.VIEW, ops.RESHAPE) and last.op.name not in ("real", "imag"):
            return []
        steps.append(last.args[0])
    return steps[::-1] if steps[-1].ndim else []


def evaluate(node: Node, env: Mapping[str, Any]) -> np.ndarray:
    """The view `node` of an input in `env`."""
    first, *steps = chain(node)
    value = env[first.attr[0]][...]

    def known(d: Any) -> Any:
        return interpret.evaluate([d], env)[0] if isinstance(d, Node) else d

    for step in steps:
        if step.op is ops.VIEW:
            shape, index = step.attr
            entries = [(known(start), stride, axis) for start, stride, axis in index]
            value = interpret.apply_view(
                value, tuple(map(known, shape)), entries, interpret.may_write(step)
            )
        elif step.op is ops.RESHAPE:
            value = value.reshape(tuple(map(known, step.shape)))
        else:
            value = getattr(value, step.op.name)
    return value
