"""Types of what an op gives: it is run once over operands of which only the types are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, Origin
from tracejit.symbolic.graph import Apply, Constant, Variable
from tracejit.symbolic.opcodes import OPS
from tracejit.symbolic.type import TensorType
from tracejit.symbolic.variables import TensorVariable
from tracejit.trace.origin import user_origin
from tracejit.trace.tracer import Tracer, number

#: What gives each new application its test values: `test_values`, which runs functions.
observers: list[Callable[[Apply], None]] = []


class Abstract(build.Solver):
    """Answers for arrays of any length: unknown lengths agree, are not 1, and are long enough."""

    token = -1

    def __init__(self) -> None:
        self.count = 0

    def origin(self) -> Origin | None:
        """None: nothing that is made here is kept."""
        return None

    def equal(self, a: Dim, b: Dim) -> bool:
        """Whether two lengths may be equal."""
        return not (isinstance(a, int) and isinstance(b, int)) or a == b

    def truth(self, condition: Node) -> bool:
        """Comparisons hold, but for equality."""
        return condition.op.name != "equal"

    def operand(self, variable: Variable) -> Any:
        """A value of the variable's type, of which nothing else is known."""
        self.count += 1
        name = f"v{self.count}"
        kind: TensorType = variable.type
        shape = tuple(
            1 if b else dims.dim(name, axis, self.token)
            for axis, b in enumerate(kind.broadcastable)
        )
        if isinstance(variable, Constant) and not variable.data.ndim:
            return Tracer(build.constant(variable.data[()], kind.numpy_dtype), "scalar")
        if isinstance(variable, Constant):
            shape = tuple(variable.data.shape)
        owner = variable.owner
        if owner is not None and owner.opcode == "shape_i":
            return number(dims.dim(name, 0, self.token))
        node = build.input(name, kind.numpy_dtype, shape)
        return Tracer(node, "array" if shape else "scalar")

    def array_input(self, value: np.ndarray) -> Any:
        """A constant array."""
        self.count += 1
        return Tracer(build.input(f"v{self.count}", value.dtype, tuple(value.shape)), "array")

    def known_array(self, value: np.ndarray) -> Any:
        """As `array_input`."""
        return self.array_input(value)


def result_types(op: str, attr: Any, inputs: Sequence[Variable]) -> list[Any]:
    """The types of the outputs of ``op`` applied to `inputs`.

    Raises what NumPy raises where dtypes, ranks or axes do not fit.
    """
    opcode = OPS[op]
    if opcode.types is not None:
        return opcode.types(attr, inputs)
    solver = Abstract()
    with build.use_solver(solver):
        values = [solver.operand(v) for v in inputs]
        try:
            result = opcode.evaluate(attr, *values)
        except NotTraceable as refusal:
            refusal.forget()
            return _types_of_sample(op, attr, inputs)
    results = result if isinstance(result, (tuple, list)) else (result,)
    return [_type_of(r) for r in results]


def _type_of(value: Any) -> TensorType:
    if not isinstance(value, Tracer):
        array = np.asarray(value)
        return TensorType(array.dtype, [n == 1 for n in array.shape])
    node = value.node
    pattern = [isinstance(d, int) and d == 1 for d in node.shape]
    return TensorType(node.dtype, pattern)


def _types_of_sample(op: str, attr: Any, inputs: Sequence[Variable]) -> list[TensorType]:
    """Types of what an op that is not traced gives, by running it in NumPy on small arrays."""
    values = [
        v.data
        if isinstance(v, Constant)
        else np.ones([1 if b else 2 for b in v.type.broadcastable], v.type.numpy_dtype)
        for v in inputs
    ]
    result = OPS[op].evaluate(attr, *values)
    results = result if isinstance(result, (tuple, list)) else (result,)
    patterns = [[False] * np.ndim(r) for r in results]
    return [TensorType(np.asarray(r).dtype, p) for r, p in zip(results, patterns, strict=True)]


def apply(
    op: str, inputs: Sequence[Variable], attr: Any = None, types: Sequence[Any] | None = None
) -> list[Any]:
    """The outputs of ``op`` applied to `inputs`, as new variables; `types` where they are known."""
    node = Apply(op, inputs, attr, user_origin())
    found = result_types(op, attr, inputs) if types is None else types
    node.outputs = tuple(TensorVariable(t, node, k) for k, t in enumerate(found))
    if config.compute_test_value != "off":
        for observe in observers:
            observe(node)
    return list(node.outputs)
