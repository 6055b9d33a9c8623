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


def base_order(step: Node, order: str) -> str | None:
    """The memory order that an array must have for a view of it to be contiguous in `order`.

    None where no order makes it so for all lengths.
    """
    base = step.args[0]
    if step.op is ops.RESHAPE:
        return order if order == "C" else None
    if step.op is not ops.VIEW:
        return None
    index = step.attr[1]
    kept = [axis for _, by, axis in index if axis is not None and by]
    if kept == sorted(kept):
        needed = order
    elif kept == sorted(kept, reverse=True):
        needed = "F" if order == "C" else "C"
    else:
        return None
    entries = list(zip(index, base.shape, strict=True))
    # From the fastest axis on: whole ones, then part of one, then single places.
    whole = True
    for (start, by, axis), length in entries if needed == "F" else entries[::-1]:
        if axis is None:
            whole = whole and length == 1
        elif not whole or by != 1:
            return None
        elif start != 0 or step.shape[axis] != length:
            whole = False
    missing = (d for k, d in enumerate(step.shape) if k not in kept)
    return needed if all(d == 1 for d in missing) else None
