"""Ops that do something with a value whenever it is computed: `Print`, `PdbBreakpoint`."""

from __future__ import annotations

import pdb
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply
from tracejit.symbolic.op import Op
from tracejit.tensor.gradient_kinds import DisconnectedType


def _print_value(op: Print, value: Any) -> None:
    for name in op.attrs:
        found = getattr(value, name)
        print(op.message, name, "=", found() if callable(found) else found)


class Print(Op):
    """``Print("message")(x)`` is `x`, whose value is printed whenever it is computed.

    Of it, `attrs` are printed, attributes or methods; or ``global_fn(op, value)`` does it.

    >>> import tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> f = tracejit.function([x], Print("x has", attrs=("shape", "min"))(x) * 2)
    >>> f([1.0, 2.0])
    x has shape = (2,)
    x has min = 1.0
    array([2., 4.])
    """

    __props__ = ("message", "attrs", "global_fn")

    def __init__(
        self,
        message: str = "",
        attrs: Sequence[str] = ("__str__",),
        global_fn: Callable[[Print, Any], None] = _print_value,
    ) -> None:
        self.message, self.attrs, self.global_fn = message, tuple(attrs), global_fn

    def make_node(self, x: Any) -> Apply:
        """The value, which is printed."""
        x = as_tensor_variable(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Print the value."""
        self.global_fn(self, inputs[0])
        output_storage[0][0] = inputs[0]

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        """That of the value."""
        return input_shapes

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Sequence[Any]:
        """As if it were not there."""
        return output_grads

    def __str__(self) -> str:
        return f"Print{{message={self.message!r}, attrs={self.attrs}}}"


class PdbBreakpoint(Op):
    """``PdbBreakpoint("name")(condition, x, …)`` are the variables; where it holds, pdb starts.

    There `monitored` are their values.
    """

    __props__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def make_node(self, condition: Any, *monitored: Any) -> Apply:
        """The variables; the condition is a scalar."""
        condition = as_tensor_variable(condition)
        if condition.ndim:
            raise AssertionError("the condition of a breakpoint is a scalar")
        variables = [as_tensor_variable(v) for v in monitored]
        return Apply(self, [condition, *variables], [v.type() for v in variables])

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Stop where the condition holds."""
        condition, *monitored = inputs
        if np.any(condition):
            print(f"'PdbBreakpoint' {self.name!r}: monitored[k] are the values; c goes on")
            pdb.set_trace()
        for cell, value in zip(output_storage, monitored, strict=True):
            cell[0] = value

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        """Those of the variables."""
        return input_shapes[1:]

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Sequence[Any]:
        """As if it were not there."""
        return [DisconnectedType(), *output_grads]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Each output is its own variable."""
        count = len(node.outputs)
        return [[k == j + 1 for j in range(count)] for k in range(count + 1)]


__all__ = ["PdbBreakpoint", "Print"]
