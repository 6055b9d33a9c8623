"""Gradients that are stopped, scaled or limited on their way back, by Theano's names."""

from __future__ import annotations

from typing import Any

from tracejit.ir.marks import marked
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.trace.tracer import Tracer


@opcode("disconnected", types=lambda attr, inputs: [inputs[0].type])
def _cut_here(attr: Any, x: Any) -> Any:
    """The operand, through which no gradient flows."""
    return _marked(x, "stop_gradient")


def _marked(x: Any, mark: str, attr: Any = None) -> Any:
    return Tracer(marked(x.node, mark, attr), x.kind) if isinstance(x, Tracer) else x


@opcode("undefined", types=lambda attr, inputs: [inputs[0].type])
def _undefined_here(attr: Any, x: Any) -> Any:
    """attr: why. The operand, whose gradient is not defined."""
    return _marked(x, "stop_gradient")


def undefined_grad(x: Any) -> Any:
    """`x`, whose gradient is not defined: to ask for one through it is an error."""
    return apply("undefined", [as_tensor_variable(x)])[0]


#: Why a random variable that is no formula of its parameters has no such derivative.
PARAMETER = "a random variable has no derivative with respect to its parameters"


def fixed_parameter(x: Any) -> Any:
    """`x`, a parameter of a random variable."""
    return apply("undefined", [as_tensor_variable(x)], PARAMETER)[0]


def disconnected_grad(x: Any) -> Any:
    """`x`, through which no gradient flows: it counts as disconnected."""
    return apply("disconnected", [as_tensor_variable(x)])[0]


@opcode("scale_gradient", types=lambda attr, inputs: [inputs[0].type])
def _scale_here(attr: Any, x: Any) -> Any:
    """attr: the factor."""
    return _marked(x, "scale_gradient", attr)


@opcode("clip_gradient", types=lambda attr, inputs: [inputs[0].type])
def _clip_here(attr: Any, x: Any) -> Any:
    """attr: (lower, upper)."""
    return _marked(x, "clip_gradient", attr)


def zero_grad(x: Any) -> Any:
    """`x`, whose gradient is zero."""
    return apply("scale_gradient", [as_tensor_variable(x)], 0.0)[0]


consider_constant = zero_grad


def grad_scale(x: Any, multiplier: float) -> Any:
    """`x`, whose gradient is multiplied on the way back."""
    return apply("scale_gradient", [as_tensor_variable(x)], float(multiplier))[0]


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> Any:
    """`x`, whose gradient is limited to an interval on the way back."""
    if lower_bound > upper_bound:
        raise ValueError(f"the interval from {lower_bound} to {upper_bound} is empty")
    bounds = float(lower_bound), float(upper_bound)
    return apply("clip_gradient", [as_tensor_variable(x)], bounds)[0]


__all__ = [
    "consider_constant",
    "disconnected_grad",
    "grad_clip",
    "grad_scale",
    "undefined_grad",
    "zero_grad",
]
