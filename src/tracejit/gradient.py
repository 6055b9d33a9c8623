"""Derivatives: ``tracejit.grad`` of functions and symbolic costs, and what goes with it."""

from __future__ import annotations

from typing import Any

from tracejit.tensor.gradient import (
    DisconnectedInputError,
    DisconnectedType,
    Lop,
    NullTypeGradError,
    Rop,
    consider_constant,
    disconnected_grad,
    grad_clip,
    grad_scale,
    zero_grad,
)
from tracejit.tensor.gradient import grad as symbolic_grad
from tracejit.tensor.graph import Variable
from tracejit.transform import grad as function_grad
from tracejit.transform import jvp, value_and_grad, vjp


def grad(*args: Any, **kwargs: Any) -> Any:
    """The gradient of a function, as a function; or of a symbolic cost, as a variable.

    ``grad(f, argnums=0, has_aux=False)`` is `tracejit.transform.grad`, and
    ``grad(cost, wrt, …)`` is `tracejit.tensor.grad`.
    """
    first = args[0] if args else kwargs.get("cost", kwargs.get("f"))
    if first is None or isinstance(first, Variable):
        return symbolic_grad(*args, **kwargs)
    return function_grad(*args, **kwargs)


__all__ = [
    "DisconnectedInputError",
    "DisconnectedType",
    "Lop",
    "NullTypeGradError",
    "Rop",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_scale",
    "jvp",
    "value_and_grad",
    "vjp",
    "zero_grad",
]
