"""Functions of one element: those that the table has, by their names, and users' own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.elementwise import upgrade_to_float as float_of
from tracejit.symbolic.graph import Apply, Variable
from tracejit.symbolic.op import Op
from tracejit.symbolic.type import TensorType, dtype_name


def Scalar(dtype: Any) -> TensorType:
    """The type of scalars of a dtype: arrays without axes."""
    return TensorType(dtype, ())


def upcast(*dtypes: Any) -> str:
    """The smallest dtype that those given can be converted to without a loss."""
    return str(np.result_type(*(np.dtype(dtype_name(d)) for d in dtypes)).name)


def upcast_out(*types: TensorType) -> tuple[TensorType, ...]:
    """The result has the smallest dtype that holds all operands."""
    return (Scalar(upcast(*(t.dtype for t in types))),)


def upgrade_to_float(*types: TensorType) -> tuple[TensorType, ...]:
    """As `upcast_out`, of floats: integers become those that hold them."""
    kinds = [t.dtype if t.dtype[0] in "fc" else float_of(t.dtype) for t in types]
    return (Scalar(upcast(*kinds)),)


def upgrade_to_float64(*types: TensorType) -> tuple[TensorType, ...]:
    """The result is complex where an operand is, else float64."""
    return (Scalar("complex128" if any("complex" in t.dtype for t in types) else "float64"),)


def upgrade_to_float_no_complex(*types: TensorType) -> tuple[TensorType, ...]:
    """As `upgrade_to_float`. TypeError for complex operands."""
    if any("complex" in t.dtype for t in types):
        raise TypeError("complex argument not supported")
    return upgrade_to_float(*types)


def same_out(kind: TensorType) -> tuple[TensorType, ...]:
    """The result has the operand's dtype."""
    return (kind,)


def same_out_nocomplex(kind: TensorType) -> tuple[TensorType, ...]:
    """As `same_out`. TypeError for a complex operand."""
    if "complex" in kind.dtype:
        raise TypeError("complex argument not supported")
    return (kind,)


def int_out(*types: TensorType) -> tuple[TensorType, ...]:
    """An int64."""
    return (Scalar("int64"),)


def float_out(*types: TensorType) -> tuple[TensorType, ...]:
    """A float64."""
    return (Scalar("float64"),)


def float32_out(*types: TensorType) -> tuple[TensorType, ...]:
    """A float32."""
    return (Scalar("float32"),)


def upcast_out_no_complex(*types: TensorType) -> tuple[TensorType, ...]:
    """As `upcast_out`. TypeError for complex operands."""
    if any("complex" in t.dtype for t in types):
        raise TypeError("complex type are not supported")
    return upcast_out(*types)


class specific_out:
    """Results of given types."""

    def __init__(self, *spec: TensorType) -> None:
        self.spec = spec

    def __call__(self, *types: TensorType) -> tuple[TensorType, ...]:
        return self.spec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, specific_out) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)


class transfer_type:
    """Results of the types of operands: ``transfer_type(1)`` of the second's."""

    def __init__(self, *transfer: Any) -> None:
        self.transfer = transfer

    def __call__(self, *types: TensorType) -> tuple[TensorType, ...]:
        upcasted = upcast_out(*types)[0]
        return tuple(
            upcasted if i is None else types[i] if isinstance(i, int) else i for i in self.transfer
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, transfer_type) and self.transfer == other.transfer

    def __hash__(self) -> int:
        return hash(self.transfer)


class ScalarOp(Op):
    """A function of one element: `impl` computes it, `grad` is its derivative, as an expression.

    `output_types_preference` is a function of the operands' types that gives those of the results.

    >>> import tracejit, tracejit.tensor as T
    >>> class Above(tracejit.scalar.BinaryScalarOp):
    ...     def impl(self, x, y):
    ...         return x - y if x > y else 0.0
    ...     def grad(self, inputs, output_gradients):
    ...         x, y = inputs
    ...         [g] = output_gradients
    ...         return [T.switch(T.gt(x, y), g, 0), T.switch(T.gt(x, y), -g, 0)]
    >>> above = T.Elemwise(Above(tracejit.scalar.upgrade_to_float, name="above"))
    >>> x = T.dvector("x")
    >>> y = above(x, 1.0)
    >>> tracejit.function([x], [y, T.grad(y.sum(), x)])([0.5, 3.0])
    [array([0., 2.]), array([0., 1.])]
    """

    nin = -1
    nout = 1
    nfunc_spec: Any = None
    #: What a class's own preference is, where an instance is given none.
    preference: ClassVar[Callable[..., Any] | None] = None

    def __init__(self, output_types_preference: Any = None, name: str | None = None) -> None:
        self.name = name
        if output_types_preference is not None:
            if not callable(output_types_preference):
                raise TypeError(
                    "Expected a callable for the 'output_types_preference' argument to "
                    f"{type(self)}. (got: {output_types_preference})"
                )
            self.output_types_preference = output_types_preference

    def output_types(self, types: Sequence[TensorType]) -> list[TensorType]:
        """The types of the results."""
        if hasattr(self, "output_types_preference"):
            found = self.output_types_preference(*types)
            if not isinstance(found, (list, tuple)):
                raise TypeError(f"output_types_preference gives a list of types, not {found!r}")
            return list(found)
        preference = type(self).preference or upcast_out
        return list(preference(*types))

    def make_node(self, *inputs: Any) -> Apply:
        """The application to scalars."""
        made = [as_tensor_variable(v, ndim=0) for v in inputs]
        self.check_count(len(made))
        return Apply(self, made, [t() for t in self.output_types([v.type for v in made])])

    def check_count(self, count: int) -> None:
        """TypeError where there is another number of inputs."""
        if self.nin >= 0 and count != self.nin:
            raise TypeError(
                f"Wrong number of inputs for {self}.make_node (got {count}, expected {self.nin})"
            )

    def impl(self, *inputs: Any) -> Any:
        """The value for numbers."""
        raise NotImplementedError(f"{self} has no impl")

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """By `impl`."""
        found = self.impl(*(np.asarray(v)[()] for v in inputs))
        for cell, v, value in zip(
            output_storage, node.outputs, found if self.nout > 1 else [found], strict=True
        ):
            cell[0] = np.asarray(value, v.type.numpy_dtype)

    def _own(self) -> Any:
        own = vars(self).items()
        return type(self), tuple(sorted((k, repr(v)) for k, v in own if k != "name"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScalarOp) and self._own() == other._own()

    def __hash__(self) -> int:
        return hash(self._own())

    def __str__(self) -> str:
        return self.name or type(self).__name__

    __repr__ = __str__


class UnaryScalarOp(ScalarOp):
    """A function of one number."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """A function of two numbers."""

    nin = 2


#: Theano's names of rows of the table; others have NumPy's.
ROWS = {
    "mul": "multiply", "sub": "subtract", "true_div": "divide", "int_div": "floor_divide",
    "mod": "remainder", "pow": "power", "neg": "negative", "sqr": "square", "abs_": "absolute",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "neq": "not_equal", "switch": "where", "sgn": "sign", "conj": "conjugate",
    "inv": "reciprocal", "and_": "bitwise_and", "or_": "bitwise_or", "xor": "bitwise_xor",
    "invert": "logical_not", "sigmoid": "expit", "round_half_to_even": "rint",
}  # fmt: skip
#: Rows whose names Theano has once for booleans and integers.
NAMES = {row: name for name, row in ROWS.items()} | {"logical_and": "and_", "logical_or": "or_"}
_CLASSES = {
    "lt": "LT", "le": "LE", "gt": "GT", "ge": "GE", "eq": "EQ", "neq": "NEQ", "and_": "AND",
    "or_": "OR", "xor": "XOR", "isnan": "IsNan", "isinf": "IsInf", "arctan2": "ArcTan2",
    "sigmoid": "ScalarSigmoid", "softplus": "ScalarSoftplus",
    **{f"arc{f}": f"Arc{f.title()}" for f in ("cos", "sin", "tan", "cosh", "sinh", "tanh")},
}  # fmt: skip


class Known(ScalarOp):
    """A function of the table, by its name in ``T``: equal to others of that name."""

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        found = function_named(str(self.name))(*inputs)
        if kwargs.get("name") is not None:
            found.name = kwargs["name"]
        return found

    def make_node(self, *inputs: Any) -> Apply:
        """The application to scalars."""
        node = self(*inputs).owner
        assert isinstance(node, Apply)
        return node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def function_named(name: str) -> Callable[..., Any]:
    """The function of symbolic arrays of that name."""
    name = {"identity": "tensor_copy"}.get(name, name)
    for module in ("tracejit.tensor", "tracejit.tensor.nnet"):
        found = getattr(importlib.import_module(module), name, None)
        if callable(found):
            return found
    from tracejit.symbolic.elementwise import apply_row

    return lambda *args: apply_row(ROWS.get(name, name), *args)


_made: dict[str, type[Known]] = {}


def class_named(name: str) -> type[Known]:
    """Theano's class of a function of the table."""
    if name not in _made:
        shown = _CLASSES.get(name) or "".join(p.title() for p in name.rstrip("_").split("_"))
        _made[name] = type(shown, (Known,), {"__module__": "tracejit.scalar"})
    return _made[name]


def known(name: str) -> Known:
    """A function of the table, by Theano's name or NumPy's."""
    name = NAMES.get(name, name)
    return class_named(name)(name=name)


class Cast(Known):
    """A cast to a dtype."""

    def __init__(self, o_type: Any, name: str | None = None) -> None:
        dtype = getattr(o_type, "dtype", o_type)
        super().__init__(name=name or f"Cast{{{dtype}}}")
        self.o_type = Scalar(dtype)

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        [x] = inputs
        return importlib.import_module("tracejit.tensor").cast(x, self.o_type.dtype)


class Composite(ScalarOp):
    """The function of one element that a graph of scalars is."""

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        super().__init__(name="Composite")
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.nin, self.nout = len(self.inputs), len(self.outputs)

    def over(self, *inputs: Any) -> list[Any]:
        """The outputs for other inputs, which may have axes."""
        from tracejit.symbolic.rebuild import clone

        made = map(as_tensor_variable, inputs)
        return clone(self.outputs, dict(zip(self.inputs, made, strict=True)), strict=False)

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        found = self.over(*inputs)
        return found[0] if len(found) == 1 and not kwargs.get("return_list") else found

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


__all__ = [
    "NAMES",
    "ROWS",
    "BinaryScalarOp",
    "Cast",
    "Composite",
    "Known",
    "Scalar",
    "ScalarOp",
    "UnaryScalarOp",
    "class_named",
    "float32_out",
    "float_out",
    "int_out",
    "known",
    "same_out",
    "same_out_nocomplex",
    "specific_out",
    "transfer_type",
    "upcast",
    "upcast_out",
    "upcast_out_no_complex",
    "upgrade_to_float",
    "upgrade_to_float64",
    "upgrade_to_float_no_complex",
]
