"""``variable.owner.op``: what an application's op is, as the objects that Theano's programs ask.

A graph is data, whose ops are names in a table. Here they are seen by Theano's classes and names:
``isinstance(v.owner.op, T.Elemwise)``, ``v.owner.op == T.tanh``, ``str(v.owner.op)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.symbolic import graph
from tracejit.symbolic.graph import Apply
from tracejit.symbolic.op import Op

#: Theano's names of elementwise functions, where ours are NumPy's.
SCALAR_NAMES = {
    "multiply": "mul", "subtract": "sub", "divide": "true_div", "floor_divide": "int_div",
    "remainder": "mod", "power": "pow", "negative": "neg", "square": "sqr", "absolute": "abs_",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "neq", "where": "switch", "sign": "sgn", "conjugate": "conj",
    "reciprocal": "inv", "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor",
    "logical_and": "and_", "logical_or": "or_", "logical_not": "invert", "expit": "sigmoid",
    "rint": "round_half_to_even",
}  # fmt: skip


class OpView(Op):
    """An op of the table: equal to others of its name and data, and to the function of its name."""

    #: What `T` calls the function that makes it.
    function = ""

    def __init__(self, node: Apply) -> None:
        self.opcode, self.attr = node.opcode, node.attr

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OpView):
            return (self.opcode, self.attr) == (other.opcode, other.attr)
        name = getattr(other, "__name__", None)
        return name is not None and name == self.function

    def __hash__(self) -> int:
        return hash((self.opcode, str(self.attr)))

    def __str__(self) -> str:
        return type(self).__name__

    def make_node(self, *inputs: Any) -> Apply:
        """An application of the same op with the same data to other inputs."""
        from tracejit.symbolic.infer import apply

        made = apply(self.opcode, inputs, self.attr)
        node = made[0].owner
        assert isinstance(node, Apply)
        return node


class ScalarOp:
    """The function of one element that an elementwise op applies to all."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScalarOp) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


class Elemwise(OpView):
    """A function of elements; `scalar_op` is which."""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        row, dtype = node.attr[:2]
        name = SCALAR_NAMES.get(row, row)
        self.scalar_op = ScalarOp(f"Cast{{{dtype}}}" if row == "cast" else name)
        self.function = name
        self.inplace_pattern: dict[int, int] = {}

    @property
    def name(self) -> str:
        """As Theano prints it."""
        return str(self)

    def __str__(self) -> str:
        return f"Elemwise{{{self.scalar_op},no_inplace}}"


class DimShuffle(OpView):
    """Axes in another order, dropped, or put in."""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        self.new_order = tuple(node.attr)
        self.input_broadcastable = node.inputs[0].type.broadcastable

    def __str__(self) -> str:
        return f"DimShuffle{{{','.join(map(str, self.new_order))}}}"


class CAReduce(OpView):
    """A reduction over `axis`, axes or None for all; `scalar_op` is what combines two elements."""

    combines = ""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        name, axes = node.attr[:2]
        every = tuple(axes) == tuple(range(node.inputs[0].type.ndim))
        self.axis = None if every else tuple(axes)
        self.function = name
        self.scalar_op = ScalarOp(_COMBINES.get(name, name))

    def __str__(self) -> str:
        axes = "" if self.axis is None else f"{{axis={list(self.axis)}}}"
        return f"{type(self).__name__}{axes}"


class CAReduceDtype(CAReduce):
    """A reduction whose accumulator has a dtype of its own."""


class Sum(CAReduceDtype):
    """The sum."""


class Prod(CAReduceDtype):
    """The product."""


class All(CAReduce):
    """Whether all are true."""


class Any_(CAReduce):
    """Whether one is true."""

    def __str__(self) -> str:
        return super().__str__().replace("Any_", "Any")


class MaxAndArgmax(CAReduce):
    """The largest element."""


class Min(CAReduce):
    """The smallest element."""


class Join(OpView):
    """Arrays one after the other."""

    function = "join"


class MakeVector(OpView):
    """A vector of scalars."""

    def __str__(self) -> str:
        return f"MakeVector{{dtype={self.attr!r}}}"


class Reshape(OpView):
    """Another shape."""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        self.ndim = len(node.attr)

    def __str__(self) -> str:
        return f"Reshape{{{self.ndim}}}"


class Rebroadcast(OpView):
    """Other axes that broadcast."""


class Shape_i(OpView):
    """The length of an axis."""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        self.i = node.attr

    def __str__(self) -> str:
        return f"Shape_i{{{self.i}}}"


class SpecifyShape(OpView):
    """What has a given shape."""


class Alloc(OpView):
    """An array of a shape, filled with a value."""

    function = "alloc"


class Subtensor(OpView):
    """A part, by integers and slices."""


class AdvancedSubtensor(OpView):
    """Elements at arrays of positions."""


class AdvancedSubtensor1(AdvancedSubtensor):
    """Rows at a vector of positions."""


class IncSubtensor(OpView):
    """An array a part of which is set, or added to."""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        self.set_instead_of_inc = node.attr[0] == "set"
        self.inplace = False

    def __str__(self) -> str:
        return f"IncSubtensor{{{'Set' if self.set_instead_of_inc else 'Inc'}}}"


class Dot(OpView):
    """A product of matrices, or of vectors."""

    function = "dot"

    def __str__(self) -> str:
        return "dot"


class SortOp(OpView):
    """Elements in order."""

    function = "sort"


class ArgSortOp(OpView):
    """The positions that sort."""

    function = "argsort"


class NumPyOp(OpView):
    """A function or method of NumPy's."""

    def __init__(self, node: Apply) -> None:
        super().__init__(node)
        self.function = node.attr[0]

    def __str__(self) -> str:
        return str(self.attr[0])


class TableOp(OpView):
    """What Theano has no class for, or one of another name."""

    def __str__(self) -> str:
        return self.opcode


_COMBINES = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum",
             "all": "and_", "any": "or_"}  # fmt: skip
_REDUCTIONS = {
    "sum": Sum, "prod": Prod, "all": All, "any": Any_, "max": MaxAndArgmax, "min": Min,
}  # fmt: skip
_FUNCTIONS = {"dot": Dot, "matmul": Dot, "sort": SortOp, "argsort": ArgSortOp}
_CLASSES: dict[str, type[OpView]] = {
    "elemwise": Elemwise, "dimshuffle": DimShuffle, "shape_i": Shape_i,
    "make_vector": MakeVector, "reshape": Reshape, "rebroadcast": Rebroadcast,
    "specify_shape": SpecifyShape, "join": Join, "alloc": Alloc, "set_subtensor": IncSubtensor,
}  # fmt: skip


def _subtensor(node: Apply) -> OpView:
    arrays = [v for v in node.inputs[1:] if v.type.ndim]
    if not arrays:
        return Subtensor(node)
    single = len(arrays) == 1 and arrays[0].type.ndim == 1 and node.inputs[0].type.ndim
    return (AdvancedSubtensor1 if single else AdvancedSubtensor)(node)


#: What shows the op of an application, by its opcode.
VIEWS: dict[str, Callable[[Apply], OpView]] = {
    "subtensor": _subtensor,
    "reduce": lambda node: _REDUCTIONS.get(node.attr[0], CAReduce)(node),
    "numpy": lambda node: _FUNCTIONS.get(node.attr[0], NumPyOp)(node),
    "method": NumPyOp,
    **_CLASSES,
}


def op_of(node: Apply) -> Any:
    """The op of an application: a user's own, or a view of one of the table's."""
    if node.opcode == "op":
        return node.attr.op
    return VIEWS.get(node.opcode, TableOp)(node)


graph.op_of = op_of

__all__ = [
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "Alloc",
    "ArgSortOp",
    "CAReduce",
    "CAReduceDtype",
    "DimShuffle",
    "Dot",
    "Elemwise",
    "IncSubtensor",
    "Join",
    "MakeVector",
    "MaxAndArgmax",
    "Prod",
    "Rebroadcast",
    "Reshape",
    "Shape_i",
    "SortOp",
    "SpecifyShape",
    "Subtensor",
    "Sum",
]
