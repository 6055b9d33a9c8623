"""Which arrays lie in memory as NumPy's would: those that code of Python's gets from segments.

A program's arrays are in C order. NumPy keeps the order of operands, and puts axes of positions
first: what Python's code then reshapes or reads in the order of memory may be another array. So a
segment that may give such an array is left to Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tracejit.errors import ByLayout
from tracejit.ir import ops
from tracejit.ir.node import Node, postorder

#: What gives an array in C order, whatever it reads.
_C_ORDER = (ops.MATMUL, ops.GUFUNC, ops.RESHAPE)


class OtherOrder(ByLayout):
    """What a segment gives may lie in memory otherwise than NumPy's."""

    #: What is around it is as it was.
    here = True


def require_order(given: Iterable[Node], values: Mapping[str, Any]) -> None:
    """OtherOrder where an array of `given` may lie otherwise than NumPy's, for these inputs."""
    arrays = [node for node in given if node.ndim >= 2]
    if arrays and any(map(_is_in_other_order, values.values())):  # np.zeros_like(x) is as x
        raise OtherOrder("an array that NumPy lays out as an argument goes to code of Python's")
    for node in postorder(arrays):
        if node.op is ops.GATHER:
            turned = node.ndim >= 2 and node.attr[1][0][0] != "index"
        elif node.op is ops.CONCATENATE:
            turned = node.attr[0] > 0 and any(a.shape[-1] == 1 for a in node.args)
        elif node.op in _C_ORDER or node.ndim < 2:
            turned = False
        else:
            turned = any(map(_is_turned, node.args))
        if turned:
            raise OtherOrder("an array that NumPy may lay out otherwise goes to code of Python's")


def _is_in_other_order(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim >= 2 and not value.flags.c_contiguous


def _is_turned(x: Node) -> bool:
    """Whether a view has axes in another order."""
    if x.op is not ops.VIEW:
        return False
    axes = [axis for _, step, axis in x.attr[1] if axis is not None and step]
    return axes != sorted(axes) or any(step < 0 for _, step, _ in x.attr[1])
