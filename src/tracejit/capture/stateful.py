"""Shared variables in traced functions: read by use, written by assignment."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.errors import DTypeError, ShapeError
from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.trace.tracer import Tracer, as_array


class StateVariable(Tracer):
    """What stands for a shared variable during a trace.

    Its node is the value at this point of the function; what it is in the end becomes the new value
    of the `container`, after everything else has succeeded.
    """

    __slots__ = ("before", "container")

    def __init__(self, node: Node, container: Any) -> None:
        super().__init__(node)
        self.before = node
        self.container = container

    @property
    def changed(self) -> bool:
        """Whether the function gives the state a new value."""
        return self.node is not self.before

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Tracer:
        """The value at this point."""
        return Tracer(self.node)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Give the state a new value of its dtype and rank.

        TypeError for a dtype that does not fit it without loss, ValueError for another rank.
        """
        node = as_array(new_value).node
        dtype = self.before.dtype
        if not (_is_number(new_value) or np.can_cast(node.dtype, dtype, "safe")):
            raise DTypeError(f"a shared variable of dtype {dtype} cannot hold {node.dtype}")
        if node.ndim != self.before.ndim:
            raise ShapeError(
                f"a shared variable of {self.before.ndim} axes cannot hold an array of {node.ndim}"
            )
        self.node = build.cast(node, dtype)

    @property
    def value(self) -> Tracer:
        """The value at this point; assigning to it is `set_value`."""
        return self.get_value()

    @value.setter
    def value(self, new_value: Any) -> None:
        self.set_value(new_value)


def _is_number(x: Any) -> bool:
    if isinstance(x, Tracer):
        return x.kind == "number"
    return isinstance(x, (int, float, complex)) and not isinstance(x, np.generic)
