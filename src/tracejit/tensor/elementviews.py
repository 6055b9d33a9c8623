"""Elementwise ops and reductions by Theano's classes."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.convert import cast
from tracejit.symbolic.elementwise import apply_row
from tracejit.symbolic.graph import Apply
from tracejit.tensor.opview import OpView, as_variable
from tracejit.tensor.scalarops import NAMES, Cast, Composite, Known, ScalarOp, function_named, known
from tracejit.tensor.userscalars import ElementwiseOp, ReductionOp


class Elemwise(OpView):
    """A function of elements; `scalar_op` is which. ``T.Elemwise(scalar_op)`` makes one.

    A scalar op of one's own is called by `impl`, element by element, or, where `nfunc_spec` names a
    function of NumPy's, by that.
    """

    def seen(self, node: Apply) -> None:
        """Take the function."""
        row, dtype = node.attr[:2]
        self.scalar_op: Any = Cast(dtype) if row == "cast" else known(row)
        self.function = NAMES.get(row, row)
        self.inplace_pattern: dict[int, int] = {}

    def made(
        self, scalar_op: Any, inplace_pattern: Any = None, name: str | None = None,
        nfunc_spec: Any = None, openmp: Any = None,
    ) -> None:  # fmt: skip
        """Take a scalar op."""
        if not isinstance(scalar_op, ScalarOp):
            raise TypeError(f"Elemwise takes a scalar op, not {scalar_op!r}")
        self.scalar_op, self.inplace_pattern = scalar_op, dict(inplace_pattern or {})
        self.function = str(scalar_op) if isinstance(scalar_op, Known) else ""
        self.nfunc_spec = nfunc_spec or scalar_op.nfunc_spec
        self._name = name

    def built(self, *inputs: Any) -> Any:
        """The function of arrays."""
        if isinstance(self.scalar_op, (Known, Composite)):
            return self.scalar_op(*inputs)
        return ElementwiseOp(self.scalar_op, self.nfunc_spec)(*inputs)

    def make_node(self, *inputs: Any) -> Apply:
        """An application to other inputs, of whatever types: it broadcasts anew."""
        if not self.opcode:
            return super().make_node(*inputs)
        row, dtype = self.attr[:2]
        made = [as_variable(v) for v in inputs]
        found = cast(made[0], dtype) if row == "cast" else apply_row(row, *made)
        node = found.owner
        assert isinstance(node, Apply)
        return node

    @property
    def name(self) -> str:
        """As Theano prints it."""
        return str(self)

    def __str__(self) -> str:
        if not self.opcode and self._name:
            return self._name
        return f"Elemwise{{{self.scalar_op},no_inplace}}"


class CAReduce(OpView):
    """A reduction over `axis`, axes or None for all; `scalar_op` is what combines two elements."""

    combines = ""

    def seen(self, node: Apply) -> None:
        """Take the axes and the function."""
        name, axes = node.attr[:2]
        every = tuple(axes) == tuple(range(node.inputs[0].type.ndim))
        self.axis: Any = None if every else tuple(axes)
        self.function = name
        self.scalar_op: Any = known(_COMBINES.get(name, name))

    def made(self, *args: Any, **kwargs: Any) -> None:
        """Take a scalar op (where the class has none itself), the axes, and dtypes."""
        given = list(args)
        own = self.combines
        if own:
            self.scalar_op = known(_COMBINES[own])
        else:
            self.scalar_op = given.pop(0) if given else kwargs.pop("scalar_op")
        names = ("axis", "dtype", "acc_dtype")
        options = dict(zip(names, given, strict=False)) | kwargs
        axis = options.pop("axis", None)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.options = {k: v for k, v in options.items() if v is not None}
        self.function = own or _REDUCES.get(str(self.scalar_op), "")

    def built(self, x: Any) -> Any:
        """The reduction of an array."""
        if not self.function:
            return ReductionOp(self.scalar_op, self.axis)(x)
        return function_named(self.function)(x, axis=self.axis, **self.options)

    def __str__(self) -> str:
        axes = "" if self.axis is None else f"{{axis={list(self.axis)}}}"
        return f"{type(self).__name__}{axes}"


class CAReduceDtype(CAReduce):
    """A reduction whose accumulator has a dtype of its own."""


class Sum(CAReduceDtype):
    """The sum."""

    combines = "sum"


class Prod(CAReduceDtype):
    """The product."""

    combines = "prod"


class All(CAReduce):
    """Whether all are true."""

    combines = "all"


class Any_(CAReduce):
    """Whether one is true."""

    combines = "any"

    def __str__(self) -> str:
        return super().__str__().replace("Any_", "Any")


class MaxAndArgmax(CAReduce):
    """The largest element."""

    combines = "max"


class Min(CAReduce):
    """The smallest element."""

    combines = "min"


_COMBINES = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum",
             "all": "and_", "any": "or_"}  # fmt: skip
REDUCTIONS = {
    "sum": Sum, "prod": Prod, "all": All, "any": Any_, "max": MaxAndArgmax, "min": Min,
}  # fmt: skip
_REDUCES = {name: function for function, name in _COMBINES.items()}

__all__ = [
    "REDUCTIONS",
    "CAReduce",
    "CAReduceDtype",
    "Elemwise",
    "MaxAndArgmax",
    "Prod",
    "Sum",
]
