"""How users' own ops run: a program calls `perform`, and differentiates by `grad`.

An application's static data is a `Template`: the op, with leaves for what it was made of. So it is
the same whatever graph it stands in, and `perform`, `grad` and the others get the template for
their application.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build, host
from tracejit.ir.derivatives import Missing
from tracejit.ir.dims import Dim, from_node
from tracejit.ir.node import Node
from tracejit.native.hostcalls import Callee
from tracejit.symbolic import graph
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Constant, Scratchpad, Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.op import Op
from tracejit.symbolic.opcodes import length_of, node_of, opcode
from tracejit.symbolic.replay import SymbolicTrace, replay
from tracejit.symbolic.type import TensorType
from tracejit.trace.ruled import ruled
from tracejit.trace.trace import current
from tracejit.trace.tracer import Tracer, view_of

_INT64 = TensorType("int64", ())


class Template:
    """An application of a user's op to leaves, as its methods get it."""

    def __init__(self, op: Any, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.op = op
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.tag = Scratchpad()

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"

    @functools.cached_property
    def is_of_arrays(self) -> bool:
        """Whether all inputs and outputs are arrays, which a program may have."""
        return all(isinstance(v.type, TensorType) for v in (*self.inputs, *self.outputs))

    @functools.cached_property
    def callee(self) -> Callee:
        """What programs call."""
        forms = [
            [(v.type.numpy_dtype, v.type.ndim) for v in vs] for vs in (self.inputs, self.outputs)
        ]
        return Callee(str(self.op), lambda *values: performed(self, values), *forms)

    def __reduce__(self) -> Any:
        return Template, (self.op, self.inputs, self.outputs)


def _adopted(
    op: Any, inputs: Sequence[Variable], outputs: Sequence[Variable]
) -> tuple[str, Template]:
    for v in inputs:
        if not isinstance(v, Variable):
            raise TypeError(f"the inputs of {op} are variables, not {v!r}")
    free = [v if isinstance(v, Constant) else _leaf(v) for v in inputs]
    return "op", Template(op, free, [_leaf(v) for v in outputs])


def _leaf(v: Variable) -> Variable:
    """A variable of the same type that nothing computes."""
    kind = v.type
    made: Variable = kind() if callable(kind) else Variable(kind)
    made.name = v.name
    return made


graph.adopted = _adopted


# Values ------------------------------------------------------------------------------------------


def performed(template: Template, values: Sequence[Any]) -> list[Any]:
    """What `perform` gives for these. TypeError where it is not as the outputs' types say."""
    cells: list[list[Any]] = [[None] for _ in template.outputs]
    _thunk(template)(template, list(values), cells)
    return [
        _filtered(template, k, v.type, cell[0])
        for k, (v, cell) in enumerate(zip(template.outputs, cells, strict=True))
    ]


def _thunk(template: Template) -> Callable[..., Any]:
    """The op's `perform`; of one that has none, the function that it makes."""
    op = template.op
    if not isinstance(op, Op) or type(op).perform is not Op.perform:
        if hasattr(op, "get_params") and hasattr(op, "params_type"):
            return functools.partial(op.perform, params=op.get_params(template))
        perform: Callable[..., Any] = op.perform
        return perform
    make = getattr(op, "make_thunk", None)
    if make is None:
        how = "it has C code alone, which is not compiled here" if hasattr(op, "c_code") else ""
        raise NotImplementedError(f"{op} has no perform: {how or 'nothing computes it'}")

    def run(node: Any, values: list[Any], cells: list[list[Any]]) -> None:
        storage = {v: [x] for v, x in zip(node.inputs, values, strict=True)}
        storage |= dict(zip(node.outputs, cells, strict=True))
        compute = {v: [k < len(values)] for k, v in enumerate((*node.inputs, *node.outputs))}
        make(node, storage, compute, [])()

    return run


def _filtered(template: Template, k: int, kind: Any, value: Any) -> Any:
    """Output `k`, whose dtype may be a smaller one."""
    if value is None and isinstance(kind, TensorType):
        raise TypeError(f"perform of {template.op} has left no value in output_storage[{k}][0]")
    if not isinstance(kind, TensorType):
        return kind.filter(value)
    array = np.asarray(value)
    if array.ndim != kind.ndim or not np.can_cast(array.dtype, kind.numpy_dtype, "safe"):
        raise TypeError(
            f"output {k} of {template.op} is {kind}, and perform has given an array of dtype "
            f"{array.dtype} with {array.ndim} axes"
        )
    return kind.filter(np.asarray(array, kind.numpy_dtype))


@opcode("op", types=lambda attr, inputs: [v.type for v in attr.outputs])
def _evaluate(attr: Template, *values: Any) -> Any:
    """attr: the `Template`."""
    inline = getattr(attr.op, "traced", None)
    if inline is not None:  # it is made of what is traced itself
        return tuple(inline(attr, values))
    if not any(isinstance(v, Tracer) for v in values):
        return tuple(performed(attr, [np.array(v) if _is_array(v) else v for v in values]))
    if not attr.is_of_arrays:
        raise NotTraceable(f"{attr.op} is of values that are no arrays")
    nodes = [node_of(v) for v in values]
    found = host.call(attr.callee, nodes, _shapes(attr, values))
    given = [_tracer(node) for node in found]
    return tuple(with_rule(attr, values, given, k) for k in range(len(given)))


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


def _tracer(node: Node) -> Tracer:
    return Tracer(node, "array" if node.ndim else "scalar")


def _shapes(template: Template, values: Sequence[Any]) -> list[list[Dim | None]]:
    """The lengths of the outputs that are known before they are: by `infer_shape`, and ones."""
    patterns = [v.type.broadcastable for v in template.outputs]
    told: Any = [None] * len(patterns)
    infer_shape = getattr(template.op, "infer_shape", None)
    if infer_shape is not None:
        lengths = [
            tuple(apply("shape_i", [v], k, [_INT64])[0] for k in range(v.type.ndim))
            for v in template.inputs
        ]
        try:
            told = infer_shape(template, lengths)
        except Exception:
            told = [None] * len(patterns)
    env = dict(zip(template.inputs, values, strict=True))
    return [
        [
            1 if one else None if lengths is None else _length(lengths[k], env)
            for k, one in enumerate(pattern)
        ]
        for pattern, lengths in zip(patterns, told, strict=True)
    ]


def _length(length: Any, env: dict[Variable, Any]) -> Dim | None:
    """A length that `infer_shape` has given, if it is known before the call."""
    if length is None:
        return None
    trace = current()
    assert isinstance(trace, SymbolicTrace)
    [value] = replay([as_tensor_variable(length)], env, trace)
    value = length_of(value)
    return value if isinstance(value, int) else from_node(value.node)


# Derivatives -------------------------------------------------------------------------------------


def terms(template: Template, output_grads: Sequence[Any]) -> list[Any]:
    """What the op says that its inputs' cotangents are: a term an input."""
    op = template.op
    if hasattr(op, "L_op"):
        found = op.L_op(template.inputs, template.outputs, output_grads)
    else:
        found = op.grad(template.inputs, output_grads)
    found = list(found) if isinstance(found, (list, tuple)) else [found]
    if len(found) != len(template.inputs):
        raise ValueError(
            f"{op} returned {len(found)} gradient terms for {len(template.inputs)} inputs"
        )
    for k, term in enumerate(found):
        if term is None:
            raise TypeError(
                f"{op}.grad returned None for a gradient term, this is prohibited. Instead of "
                "None, return zeros_like(input), disconnected_type(), or a NullType variable such "
                "as those made with the grad_undefined or grad_unimplemented helper functions "
                f"(input {k})"
            )
    return found


def connection(template: Template) -> list[list[bool]]:
    """Which inputs each output depends on: a row an input."""
    pattern = getattr(template.op, "connection_pattern", None)
    if pattern is None:
        return [[True] * len(template.outputs) for _ in template.inputs]
    return [list(row) for row in pattern(template)]


def with_rule(template: Template, values: Sequence[Any], given: list[Tracer], k: int) -> Tracer:
    """Output `k` of those `given`, with the derivative that the op gives it."""
    kinds = [v.type.numpy_dtype.kind in "fc" for v in template.inputs]
    y = given[k]
    if y.node.dtype.kind not in "fc" or not any(kinds):
        return y

    def pull(g: Node) -> list[Node | Missing | None]:
        trace = current()
        assert isinstance(trace, SymbolicTrace)
        seed = template.outputs[k].type()
        seeds = [
            seed if j == k else apply("zeros_of", [v], None, [v.type])[0]
            for j, v in enumerate(template.outputs)
        ]
        found = terms(template, seeds)
        some = [
            term if wanted and isinstance(term, Variable) else None
            for term, wanted in zip(found, kinds, strict=True)
        ]
        env = dict(zip(template.inputs, values, strict=True))
        env |= dict(zip(template.outputs, given, strict=True))
        env[seed] = _tracer(g)
        made = iter(replay([t for t in some if t is not None], env, trace))
        return [
            None if t is None else _like(next(made), v) for t, v in zip(some, values, strict=True)
        ]

    operands = [node_of(v) for v in values]
    trace = current()
    if trace is None or not trace.may_go_back():
        return view_of(y, lambda node: ruled(node, operands, pull))
    try:  # in a loop the rule is asked at once
        return view_of(y, lambda node: ruled(node, operands, pull))
    except Exception:
        return y


def _like(g: Any, v: Any) -> Node:
    """A cotangent of an operand, of its dtype."""
    return build.cast(node_of(g), node_of(v).dtype)


@opcode("zeros_of", types=lambda attr, inputs: [inputs[0].type])
def _zeros(attr: Any, x: Any) -> Any:
    """Zeros of the operand's shape and dtype."""
    return np.zeros_like(x)


__all__ = ["Template", "connection", "performed", "terms", "with_rule"]
