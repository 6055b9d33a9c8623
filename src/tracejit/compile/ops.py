"""Small ops, under the names of ``theano.compile.ops``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply
from tracejit.symbolic.op import FromFunctionOp, Op, as_op
from tracejit.symbolic.performing import Template
from tracejit.tensor.basic import shape, shape_i, specify_shape
from tracejit.tensor.opviews import Rebroadcast, Shape_i, SpecifyShape


class ViewOp(Op):
    """Its input: ``ViewOp()(x)`` is another variable of the same value.

    >>> import tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> tracejit.function([x], view_op(x) + 1)([1.0])
    array([2.])
    """

    __props__ = ()
    view_map = {0: [0]}  # noqa: RUF012

    def make_node(self, x: Any) -> Apply:
        """The application to a variable of any type."""
        return Apply(self, [x], [x.type()])

    def traced(self, template: Template, values: Sequence[Any]) -> list[Any]:
        """The value."""
        return list(values)

    def infer_shape(self, node: Any, shapes: Sequence[Any]) -> Sequence[Any]:
        """The input's."""
        return shapes

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Sequence[Any]:
        """The output's cotangent."""
        return output_grads


class DeepCopyOp(ViewOp):
    """Its input, copied: results never share memory with inputs."""

    __props__ = ()
    view_map = {}  # noqa: RUF012


class OutputGuard(ViewOp):
    """Its input; Theano keeps it from being overwritten."""

    __props__ = ()


view_op, deep_copy_op = ViewOp(), DeepCopyOp()


class Shape(Op):
    """``Shape()(x)`` is the shape of `x`."""

    __props__ = ()

    def __call__(self, x: Any, **kwargs: Any) -> Any:
        """The shape, as a vector."""
        return shape(as_tensor_variable(x))


def register_view_op_c_code(*args: Any, **kwargs: Any) -> None:
    """Nothing: there is no C code."""


register_deep_copy_op_c_code = register_shape_c_code = register_view_op_c_code
register_rebroadcast_c_code = register_specify_shape_c_code = register_view_op_c_code

__all__ = [
    "DeepCopyOp",
    "FromFunctionOp",
    "OutputGuard",
    "Rebroadcast",
    "Shape",
    "Shape_i",
    "SpecifyShape",
    "ViewOp",
    "as_op",
    "deep_copy_op",
    "register_deep_copy_op_c_code",
    "register_rebroadcast_c_code",
    "register_shape_c_code",
    "register_specify_shape_c_code",
    "register_view_op_c_code",
    "shape_i",
    "specify_shape",
    "view_op",
]
