"""``variable.owner.op``: what an application's op is, as the objects that Theano's programs ask.

A graph is data, whose ops are names in a table. Here they are seen by Theano's classes and names:
``isinstance(v.owner.op, T.Elemwise)``, ``v.owner.op == T.tanh``, ``str(v.owner.op)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.symbolic import graph
from tracejit.symbolic.convert import (
    as_tensor_variable,
    dimshuffle,
    make_vector,
    patternbroadcast,
)
from tracejit.symbolic.graph import Apply
from tracejit.tensor.elementviews import (
    REDUCTIONS,
    CAReduce,
    CAReduceDtype,
    Elemwise,
    MaxAndArgmax,
    Prod,
    Sum,
)
from tracejit.tensor.opview import OpView
from tracejit.tensor.scalarops import function_named


class DimShuffle(OpView):
    """Axes in another order, dropped, or put in."""

    def seen(self, node: Apply) -> None:
        """Take the order."""
        self.new_order = tuple(node.attr)
        self.input_broadcastable = node.inputs[0].type.broadcastable

    def made(self, input_broadcastable: Any, new_order: Any, inplace: bool = True) -> None:
        """Take the order."""
        self.input_broadcastable = tuple(input_broadcastable)
        self.new_order = tuple(new_order)

    def built(self, x: Any) -> Any:
        """Axes in that order."""
        return dimshuffle(x, self.new_order)

    def __str__(self) -> str:
        return f"DimShuffle{{{','.join(map(str, self.new_order))}}}"


class Join(OpView):
    """Arrays one after the other."""

    function = "join"


class MakeVector(OpView):
    """A vector of scalars."""

    def made(self, dtype: str = "int64") -> None:
        """Take the dtype."""
        self.attr = dtype

    def built(self, *inputs: Any) -> Any:
        """The vector."""
        return make_vector(*inputs, dtype=self.attr)

    def __str__(self) -> str:
        return f"MakeVector{{dtype={self.attr!r}}}"


class Reshape(OpView):
    """Another shape."""

    def seen(self, node: Apply) -> None:
        """Take the number of axes."""
        self.ndim = len(node.attr)

    def made(self, ndim: int, name: str | None = None) -> None:
        """Take the number of axes."""
        self.ndim = ndim

    def built(self, x: Any, shape: Any) -> Any:
        """The array in that shape."""
        return function_named("reshape")(x, shape, self.ndim)

    def __str__(self) -> str:
        return f"Reshape{{{self.ndim}}}"


class Rebroadcast(OpView):
    """Other axes that broadcast: ``Rebroadcast((0, True), (1, False))``."""

    def made(self, *axis: Any) -> None:
        """Take pairs of an axis and whether it broadcasts."""
        self.axis = dict(axis)

    def built(self, x: Any) -> Any:
        """The array with that pattern."""
        x = as_tensor_variable(x)
        return patternbroadcast(x, [self.axis.get(k, b) for k, b in enumerate(x.broadcastable)])


class Shape_i(OpView):
    """The length of an axis."""

    def seen(self, node: Apply) -> None:
        """Take the axis."""
        self.i = node.attr

    def made(self, i: int) -> None:
        """Take the axis."""
        self.i = i

    def built(self, x: Any) -> Any:
        """The length."""
        return as_tensor_variable(x).shape[self.i]

    def __str__(self) -> str:
        return f"Shape_i{{{self.i}}}"


class SpecifyShape(OpView):
    """What has a given shape."""

    function = "specify_shape"


class Alloc(OpView):
    """An array of a shape, filled with a value."""

    function = "alloc"


class Subtensor(OpView):
    """A part, by integers and slices: ``Subtensor([slice(0, 2)])(x)``."""

    def made(self, idx_list: Any) -> None:
        """Take the integers and slices; scalar types in them stand for inputs."""
        self.idx_list = tuple(idx_list)

    def built(self, x: Any, *inputs: Any) -> Any:
        """The part."""
        return x[_index(self.idx_list, inputs)]


class AdvancedSubtensor(OpView):
    """Elements at arrays of positions."""

    def built(self, x: Any, *index: Any) -> Any:
        """The elements."""
        return as_tensor_variable(x)[index if len(index) > 1 else index[0]]


class AdvancedSubtensor1(AdvancedSubtensor):
    """Rows at a vector of positions."""


class IncSubtensor(OpView):
    """An array a part of which is set, or added to."""

    inplace = False
    takes_part = True

    def seen(self, node: Apply) -> None:
        """Take which of both."""
        self.set_instead_of_inc = node.attr[0] == "set"

    def made(self, *args: Any, **options: Any) -> None:
        """Take the part (but for the classes that get it as an input), and which of both."""
        names = ("idx_list", "inplace", "set_instead_of_inc")[0 if self.takes_part else 1 :]
        options |= dict(zip(names, args, strict=False))
        self.idx_list = options.get("idx_list")
        self.set_instead_of_inc = bool(options.get("set_instead_of_inc"))

    def built(self, x: Any, y: Any, *inputs: Any) -> Any:
        """The array, changed."""
        how = "set_subtensor" if self.set_instead_of_inc else "inc_subtensor"
        index = inputs if self.idx_list is None else _index(self.idx_list, inputs)
        return function_named(how)(as_tensor_variable(x)[index], y)

    def __str__(self) -> str:
        return f"IncSubtensor{{{'Set' if self.set_instead_of_inc else 'Inc'}}}"


class AdvancedIncSubtensor(IncSubtensor):
    """Elements at arrays of positions, set or added to."""

    takes_part = False


class AdvancedIncSubtensor1(AdvancedIncSubtensor):
    """Rows at a vector of positions, set or added to."""


def _index(idx_list: Any, inputs: Any) -> tuple[Any, ...]:
    """An index, in which types stand for the inputs that are next."""
    rest = iter(inputs)

    def part(item: Any) -> Any:
        if isinstance(item, slice):
            return slice(*(part(i) for i in (item.start, item.stop, item.step)))
        return next(rest) if hasattr(item, "filter") else item

    return tuple(map(part, idx_list))


class Dot(OpView):
    """A product of matrices, or of vectors."""

    function = "dot"

    def __str__(self) -> str:
        return "dot"


class SortOp(OpView):
    """Elements in order."""

    function = "sort"

    def made(self, kind: str = "quicksort", order: Any = None) -> None:
        """Take how: the results are the same."""
        self.kind, self.order = kind, order


class ArgSortOp(SortOp):
    """The positions that sort."""

    function = "argsort"


class Eye(OpView):
    """Ones on a diagonal."""

    function = "eye"

    def made(self, dtype: Any = None) -> None:
        """Take the dtype."""
        self.dtype = dtype

    def built(self, n: Any, m: Any, k: Any) -> Any:
        """The matrix."""
        return function_named("eye")(n, m, k, self.dtype)


class ARange(OpView):
    """Numbers at even distances."""

    def made(self, dtype: Any) -> None:
        """Take the dtype."""
        self.dtype = dtype

    def built(self, start: Any, stop: Any, step: Any) -> Any:
        """The vector."""
        return function_named("arange")(start, stop, step, self.dtype)


class Split(OpView):
    """Parts along an axis: ``Split(2)(x, axis, lengths)``."""

    def made(self, len_splits: int) -> None:
        """Take how many."""
        self.len_splits = int(len_splits)

    def built(self, x: Any, axis: Any, splits: Any) -> Any:
        """The parts."""
        return function_named("split")(x, splits, self.len_splits, axis)


class Argmax(OpView):
    """The position of the largest element."""

    function = "argmax"

    def seen(self, node: Apply) -> None:
        """Take the axis."""
        self.axis = dict(node.attr[2]).get("axis")

    def made(self, axis: Any = None) -> None:
        """Take the axis."""
        self.axis = axis

    def built(self, x: Any) -> Any:
        """The position."""
        return function_named("argmax")(x, axis=self.axis)


class NumPyOp(OpView):
    """A function or method of NumPy's."""

    def seen(self, node: Apply) -> None:
        """Take the function."""
        self.function = node.attr[0]

    def __str__(self) -> str:
        return str(self.attr[0])


class TableOp(OpView):
    """What Theano has no class for, or one of another name."""

    def __str__(self) -> str:
        return self.opcode


_FUNCTIONS: dict[str, type[OpView]] = {
    "dot": Dot, "matmul": Dot, "sort": SortOp, "argsort": ArgSortOp, "argmax": Argmax,
}  # fmt: skip
_CLASSES: dict[str, type[OpView]] = {
    "elemwise": Elemwise, "dimshuffle": DimShuffle, "shape_i": Shape_i,
    "make_vector": MakeVector, "reshape": Reshape, "rebroadcast": Rebroadcast,
    "specify_shape": SpecifyShape, "join": Join, "alloc": Alloc, 
}  # fmt: skip


def _subtensor(node: Apply) -> OpView:
    arrays = [v for v in node.inputs[1:] if v.type.ndim]
    if not arrays:
        return Subtensor(node)
    single = len(arrays) == 1 and arrays[0].type.ndim == 1 and node.inputs[0].type.ndim
    return (AdvancedSubtensor1 if single else AdvancedSubtensor)(node)


def _inc_subtensor(node: Apply) -> OpView:
    arrays = [v for v in node.inputs[2:] if v.type.ndim]
    if not arrays:
        return IncSubtensor(node)
    single = len(arrays) == 1 and arrays[0].type.ndim == 1
    return (AdvancedIncSubtensor1 if single else AdvancedIncSubtensor)(node)


#: What shows the op of an application, by its opcode.
VIEWS: dict[str, Callable[[Apply], OpView]] = {
    "subtensor": _subtensor,
    "set_subtensor": _inc_subtensor,
    "reduce": lambda node: REDUCTIONS.get(node.attr[0], CAReduce)(node),
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
    "ARange",
    "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1",
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "Alloc",
    "ArgSortOp",
    "Argmax",
    "CAReduce",
    "CAReduceDtype",
    "DimShuffle",
    "Dot",
    "Elemwise",
    "Eye",
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
    "Split",
    "Subtensor",
    "Sum",
]
