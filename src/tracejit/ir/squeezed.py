"""Views that have all elements of an array in their order."""

from __future__ import annotations

from tracejit.ir import ops
from tracejit.ir.node import Node


def is_same(x: Node) -> bool:
    """Whether a view is all of an array in its order, where axes of length 1 come or go."""
    if x.op is not ops.VIEW or not x.args[0].ndim:
        return False
    base = x.args[0].shape
    of, kept = ([k for k, d in enumerate(s) if d != 1] for s in (base, x.shape))
    return [base[k] for k in of] == [x.shape[k] for k in kept] and all(
        x.attr[1][k] == (0, 1, axis) for k, axis in zip(of, kept, strict=True)
    )
