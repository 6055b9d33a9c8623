"""Gradients of symbolic graphs: ``T.grad`` and what goes with it, by Theano's rules."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.errors import NotTraceable
from tracejit.ir import derivatives
from tracejit.ir.node import Node
from tracejit.symbolic.composite import by_elements
from tracejit.symbolic.convert import as_tensor_variable, constant
from tracejit.symbolic.graph import Apply, Constant, Variable, toposort
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import OPS, node_of, opcode
from tracejit.symbolic.performing import Template, connection, terms
from tracejit.symbolic.rebuild import clone
from tracejit.symbolic.type import TensorType
from tracejit.tensor import creation
from tracejit.tensor.gradient_kinds import (
    DisconnectedInputError,
    DisconnectedType,
    NullType,
    NullTypeGradError,
    grad_not_implemented,
    grad_undefined,
)
from tracejit.tensor.gradient_marks import (
    PARAMETER,
    consider_constant,
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)
from tracejit.trace.tracer import Tracer
from tracejit.transform.walk import pulled, pushed, rows, value_of

# Evaluation ------------------------------------------------------------------------------------


def _need_trace(values: Sequence[Any]) -> list[Node]:
    if not any(isinstance(v, Tracer) for v in values):
        raise NotTraceable("a gradient is taken of what is not compiled")
    return [node_of(v) for v in values]


@opcode(
    "grad",
    types=lambda attr, inputs: [_type_of(v) for v in inputs[: attr[0]]],
    targets=lambda attr: range(attr[0]),
)
def _grad(attr: Any, *values: Any) -> Any:
    """attr: (how many are wrt, constants, outputs, the gradients' dtypes, how many are known).

    The operands are these, then the outputs' cotangents.
    """
    wrt, constants, outputs, dtypes, known = attr
    nodes = _need_trace(values)
    targets, rest = nodes[:wrt], nodes[wrt:]
    stopped, rest = rest[:constants], rest[constants:]
    given = pulled(
        rest[:outputs], rest[outputs:], targets, stopped, known, config.stabilise, checkpoint=False
    )
    dtypes = map(np.dtype, dtypes)
    return tuple(value_of(g, x, d) for g, x, d in zip(given, targets, dtypes, strict=True))


@opcode(
    "rop",
    types=lambda attr, inputs: [_type_of(v) for v in inputs[: attr[0]]],
    targets=lambda attr: range(attr[0], sum(attr)),
)
def _rop(attr: Any, *values: Any) -> Any:
    """attr: (how many are outputs, wrt); operands: outputs, wrt, points."""
    outputs, wrt = attr
    nodes = _need_trace(values)
    ys, xs, points = nodes[:outputs], nodes[outputs : outputs + wrt], nodes[outputs + wrt :]
    found = pushed(ys, xs, points, config.stabilise)
    # Of what has no derivative, as integers, it is zero in floatX.
    kinds = [y.dtype if y.dtype.kind in "fc" else np.dtype(config.floatX) for y in ys]
    return tuple(map(value_of, found, ys, kinds))


@opcode(
    "jacobian",
    types=lambda attr, inputs: _jacobian_types(attr, inputs),
    targets=lambda attr: range(attr[0]),
)
def _jacobian(attr: Any, *values: Any) -> Any:
    """attr: (how many are wrt, constants); operands: these, then the expression."""
    wrt, _ = attr
    nodes = _need_trace(values)
    targets, stopped, y = nodes[:wrt], nodes[wrt:-1], nodes[-1]
    [found] = rows([y], targets, stopped, config.stabilise, checkpoint=False)
    return tuple(value_of(j, j, y.dtype) for j in found)


def _jacobian_types(attr: Any, inputs: Sequence[Any]) -> list[TensorType]:
    y: TensorType = inputs[-1].type
    return [
        y.clone(broadcastable=y.broadcastable + v.type.broadcastable) for v in inputs[: attr[0]]
    ]


def _type_of(v: Any) -> TensorType:
    """The type of a gradient: the variable's, or floatX for integers."""
    kind: TensorType = v.type
    return kind if kind.numpy_dtype.kind in "fc" else kind.clone(dtype=config.floatX)


# Connection ------------------------------------------------------------------------------------

#: Ops whose operands from the given place on do not carry a gradient.
_CUT = {
    "shape_i": 0,
    "disconnected": 0,
    "subtensor": 1,
    "set_subtensor": 2,
    "reshape": 1,
    "alloc": 1,
}


def connected(outputs: Iterable[Variable], stopped: Iterable[Variable] = ()) -> dict[Variable, str]:
    """Where a gradient of `outputs` may come from, and why it is not defined there, or "".

    `outputs` may be a mapping, too, of those of which it may not be defined.
    """
    cut = set(stopped)
    reached = dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(outputs, "")
    for node in reversed(toposort(list(reached))):
        through = [v for v in node.outputs if v in reached and v not in cut]
        if not through:
            continue
        if node.opcode == "numpy" and node.attr[0] in ("argmax", "argmin", "nonzero", "argsort"):
            continue
        if (through_op := OPS[node.opcode].connection) is not None:
            given = {v.index: reached[v] for v in through}
            for k, why in through_op(node.attr, given).items():
                reached[node.inputs[k]] = reached.get(node.inputs[k]) or why
            continue
        inherited = next((reached[v] for v in through if reached[v]), "")
        for k, v in enumerate(node.inputs[: _CUT.get(node.opcode, len(node.inputs))]):
            why = inherited or _undefined(node, k)
            reached[v] = reached.get(v) or why
    return reached


def _through_op(attr: Template, given: Mapping[int, str]) -> dict[int, str]:
    """What a user's op says of the gradients of its inputs."""
    pattern = connection(attr)
    inherited = next((why for why in given.values() if why), "")
    found: dict[int, str] = {}
    said = None
    for k, row in enumerate(pattern):
        if not any(row[j] for j in given):
            continue
        if said is None:
            said = terms(attr, [creation.zeros_like(y) for y in attr.outputs])
        if not isinstance(said[k], DisconnectedType):
            null = said[k].why_null if isinstance(said[k], NullType) else ""
            found[k] = inherited or null
    return found


OPS["op"] = replace(OPS["op"], connection=_through_op)


def _undefined(node: Apply, operand: int) -> str:
    """Why there is no derivative with respect to an operand; "" where there is one."""
    if node.opcode == "undefined":
        return f"{node.attr or 'undefined_grad was asked for'}{_place(node)}"
    if node.opcode == "random":
        return f"{PARAMETER}{_place(node)}"
    if node.opcode == "elemwise" and not derivatives.known(node.attr[0], operand):
        return (
            f"{node.attr[0]} has no derivative with respect to its operand {operand}{_place(node)}"
        )
    return ""


def _place(made: Any) -> str:
    return f', in "{made.origin.file}", line {made.origin.line}' if made.origin else ""


# Interface -------------------------------------------------------------------------------------


def grad(
    cost: Any,
    wrt: Any,
    consider_constant: Any = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Any = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """The gradient of the scalar `cost` with respect to a variable, or to each of a list of them.

    `wrt` may hold any variables of the graph. Nothing flows through those in `consider_constant`.
    `known_grads` gives the gradients of some variables, and `cost` may be None then.
    `disconnected_inputs` ("raise", "warn", "ignore") says what to do about a variable that the cost
    does not depend on, `return_disconnected` ("zero", "None", "Disconnected") what it gets. A
    gradient that is not defined is an error, or with ``null_gradients="return"`` a `NullType`.

    Gradients have the dtype of their variable; of integers floatX. Where arguments of a maximum
    tie, the first has the derivative; every element that ties for the maximum over an axis has it.

    Raises TypeError for a cost that is no scalar, DisconnectedInputError (a ValueError),
    NullTypeGradError (a TypeError).

    >>> import tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> T.grad(x**3, x).eval({x: 2.0})
    array(12.)
    """
    if cost is None and known_grads is None:
        raise AssertionError("cost and known_grads can't both be None")
    if cost is not None and not isinstance(cost, Variable):
        raise TypeError(f"cost must be a symbolic scalar, not {cost!r}")
    if cost is not None and cost.type.ndim != 0:
        raise TypeError("cost must be a scalar.", cost)
    if isinstance(wrt, (set, frozenset)):
        raise TypeError("wrt must not be a set: sets have no order")
    variables = list(wrt) if isinstance(wrt, (list, tuple)) else [wrt]
    for v in variables:
        if not isinstance(v, Variable):
            raise TypeError(f"Expected Variable, got {v} of type {type(v)}")
    options = (consider_constant, disconnected_inputs, add_names, known_grads,
               return_disconnected, null_gradients)  # fmt: skip
    if any(hasattr(v, "with_data") for v in variables):
        return by_elements(grad, cost, wrt, *options)
    if cost is not None and any(isinstance(v, Constant) for v in variables):
        return _of_constants(cost, wrt, variables, *options)
    for value, allowed in (
        (disconnected_inputs, ("raise", "warn", "ignore")),
        (return_disconnected, ("zero", "None", "Disconnected")),
        (null_gradients, ("raise", "return")),
    ):
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(map(repr, allowed))}")
    constants = _constants(consider_constant)
    known = _known(known_grads)
    outputs = [*([cost] if cost is not None else []), *known]
    seeds = [*([constant(1.0)] if cost is not None else []), *known.values()]
    reached = connected(outputs, constants)
    lost = [v for v in variables if v not in reached]
    for v in lost:
        _disconnected(v, cost, disconnected_inputs)
    null = {v: reached[v] for v in variables if reached.get(v)}
    if null and null_gradients == "raise":
        v, why = next(iter(null.items()))
        raise NullTypeGradError(
            f"the gradient with respect to {v} is not defined: {why}\n"
            f"  {v} was made{_place(v)}. disconnected_grad stops a gradient where it is not wanted."
        )
    attr = (
        len(variables), len(constants), len(outputs),
        tuple(_type_of(v).dtype for v in variables), len(known),
    )  # fmt: skip
    operands = [*variables, *constants, *outputs, *map(as_tensor_variable, seeds)]
    found = apply("grad", operands, attr) if not null else _defined(operands, attr, null)
    for k, v in enumerate(variables):
        if add_names and cost is not None and cost.name and v.name:
            found[k].name = f"(d{cost.name}/d{v.name})"
        if v in lost:
            found[k] = _without(v, return_disconnected)
    if isinstance(wrt, (list, tuple)):
        return tuple(found) if isinstance(wrt, tuple) else found
    return found[0]


def _of_constants(cost: Any, wrt: Any, variables: list[Any], *options: Any) -> Any:
    """`grad` where some variables are constants: they are variables until it is taken."""
    free: dict[Variable, Any] = {v: v.type(v.name) for v in variables if isinstance(v, Constant)}
    [open_cost] = clone([cost], free)
    found = grad(open_cost, [free.get(v, v) for v in variables], *options)
    back = {new: old for old, new in free.items()}
    closed = [clone([g], back)[0] if isinstance(g, Variable) else g for g in found]
    if isinstance(wrt, (list, tuple)):
        return tuple(closed) if isinstance(wrt, tuple) else closed
    return closed[0]


def _defined(operands: list[Any], attr: Any, null: Mapping[Any, str]) -> list[Any]:
    """The gradients that are defined, and what stands for the others."""
    wrt, rest = operands[: attr[0]], operands[attr[0] :]
    kept = [k for k, v in enumerate(wrt) if v not in null]
    dtypes = tuple(attr[3][k] for k in kept)
    some = [*(wrt[k] for k in kept), *rest]
    found = iter(apply("grad", some, (len(kept), *attr[1:3], dtypes, attr[4])) if kept else ())
    return [NullType(null[v]) if v in null else next(found) for v in wrt]


def _without(v: Any, how: str) -> Any:
    if how == "None":
        return None
    if how == "Disconnected":
        return DisconnectedType()
    return creation.zeros_like(v, _type_of(v).dtype)


def _constants(given: Any) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, (list, tuple, set, frozenset)) and not hasattr(given, "__next__"):
        raise TypeError("consider_constant must be an iterable collection, got a single value")
    found = list(given)
    for v in found:
        if not isinstance(v, Variable):
            raise TypeError(f"Elements of consider_constant must be variables, but got {type(v)}")
    return found


def _known(given: Any) -> dict[Any, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"known_grads is a dict of variables and their gradients, not {given!r}")
    found = {}
    for v, g in given.items():
        if not isinstance(v, Variable):
            raise TypeError(f"known_grads: the keys are symbolic variables, not {v!r}")
        g = as_tensor_variable(g)
        if g.type.ndim != v.type.ndim:
            raise TypeError(
                f"known_grads: the gradient of {v} has {g.type.ndim} axes, not {v.type.ndim}"
            )
        found[v] = g
    return found


def _disconnected(v: Any, cost: Any, action: str) -> None:
    place = f"\n  it was made{_place(v)}" if v.origin else ""
    text = (
        "grad method was asked to compute the gradient with respect to a variable that is not part "
        "of the computational graph of the cost, or is used only by a non-differentiable "
        f"operator: {v}{place}\n  the cost is {cost}. To have zeros instead, pass "
        "disconnected_inputs='ignore'."
    )
    if action == "raise":
        raise DisconnectedInputError(text)
    if action == "warn":
        warnings.warn(text, UserWarning, stacklevel=3)


def Lop(
    f: Any, wrt: Any, eval_points: Any, consider_constant: Any = None,
    disconnected_inputs: str = "raise",
) -> Any:  # fmt: skip
    """The product of `eval_points` and the Jacobian of `f` with respect to `wrt`."""
    outputs = list(f) if isinstance(f, (list, tuple)) else [f]
    points = list(eval_points) if isinstance(eval_points, (list, tuple)) else [eval_points]
    known = dict(zip(outputs, points, strict=True))
    return grad(None, wrt, consider_constant, disconnected_inputs, known_grads=known)


def Rop(f: Any, wrt: Any, eval_points: Any) -> Any:
    """The product of the Jacobian of `f` with respect to `wrt` and `eval_points`."""
    outputs = list(f) if isinstance(f, (list, tuple)) else [f]
    variables = list(wrt) if isinstance(wrt, (list, tuple)) else [wrt]
    points = list(eval_points) if isinstance(eval_points, (list, tuple)) else [eval_points]
    if len(points) != len(variables):
        raise ValueError(f"{len(variables)} variables need as many points, not {len(points)}")
    pairs = [
        (v, as_tensor_variable(p)) for v, p in zip(variables, points, strict=True) if p is not None
    ]
    for v, p in pairs:
        if v.type.ndim != p.type.ndim:
            raise ValueError(f"the point for {v} has {p.type.ndim} axes, not {v.type.ndim}")
    attr = len(outputs), len(pairs)
    found = apply("rop", [*outputs, *(v for v, _ in pairs), *(p for _, p in pairs)], attr)
    if isinstance(f, (list, tuple)):
        return tuple(found) if isinstance(f, tuple) else found
    return found[0]


def jacobian(
    expression: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: str = "raise"
) -> Any:
    """The derivatives of a vector (or scalar) with respect to a variable, or a list of them.

    Of one axis for the vector and then those of the variable. Raises TypeError for an expression of
    more axes.
    """
    expression = as_tensor_variable(expression)
    if expression.type.ndim > 1:
        raise TypeError("jacobian expects a 1 dimensional variable as `expression`; flatten it")
    variables = list(wrt) if isinstance(wrt, (list, tuple)) else [wrt]
    for v in variables:
        if not isinstance(v, Variable):
            raise TypeError(f"Expected Variable, got {v} of type {type(v)}")
    if expression.type.ndim == 0:
        return grad(expression, wrt, consider_constant, disconnected_inputs)
    constants = _constants(consider_constant)
    reached = connected([expression], constants)
    for v in variables:
        if v not in reached:
            _disconnected(v, expression, disconnected_inputs)
    operands = [*variables, *constants, expression]
    found = apply("jacobian", operands, (len(variables), len(constants)))
    if isinstance(wrt, (list, tuple)):
        return tuple(found) if isinstance(wrt, tuple) else found
    return found[0]


def hessian(
    cost: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: str = "raise"
) -> Any:
    """The second derivatives of a scalar with respect to a vector, or each of a list of vectors."""
    variables = list(wrt) if isinstance(wrt, (list, tuple)) else [wrt]
    if cost.type.ndim != 0:
        raise TypeError("cost must be a scalar.", cost)
    found = []
    for v in variables:
        if v.type.ndim != 1:
            raise TypeError(f"hessian expects vectors; {v} has {v.type.ndim} axes")
        first = grad(cost, v, consider_constant, disconnected_inputs)
        found.append(jacobian(first, v, consider_constant, "ignore"))
    if isinstance(wrt, (list, tuple)):
        return tuple(found) if isinstance(wrt, tuple) else found
    return found[0]


__all__ = [
    "DisconnectedInputError",
    "DisconnectedType",
    "Lop",
    "NullType",
    "NullTypeGradError",
    "Rop",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_not_implemented",
    "grad_scale",
    "grad_undefined",
    "hessian",
    "jacobian",
    "undefined_grad",
    "zero_grad",
]
