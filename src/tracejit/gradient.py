"""Derivatives: ``tracejit.grad`` of functions and symbolic costs, and what goes with it."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.graph import Variable
from tracejit.tensor import gradient as symbolic
from tracejit.tensor.gradient import (
    DisconnectedInputError,
    DisconnectedType,
    Lop,
    NullType,
    NullTypeGradError,
    Rop,
    consider_constant,
    disconnected_grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)
from tracejit.tensor.verify import GradientError, numeric_grad, verify_grad
from tracejit.transform import functions as transform
from tracejit.transform.functions import custom_gradient, jvp, value_and_grad, vjp


def _is_symbolic(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    first = args[0] if args else next(iter(kwargs.values()), None)
    return first is None or isinstance(first, Variable)


def grad(*args: Any, **kwargs: Any) -> Any:
    """The gradient of a function, as a function; or of a symbolic cost, as a variable.

    ``grad(f, argnums=0, has_aux=False)`` is `tracejit.transform.grad`, and ``grad(cost, wrt, …)``
    is `tracejit.tensor.grad`.
    """
    return (symbolic if _is_symbolic(args, kwargs) else transform).grad(*args, **kwargs)


def jacobian(*args: Any, **kwargs: Any) -> Any:
    """The Jacobian of a function, as a function; or of a symbolic vector, as a variable.

    ``jacobian(f, argnums=0)`` is `tracejit.transform.jacobian`, and ``jacobian(vector, wrt, …)`` is
    `tracejit.tensor.jacobian`.
    """
    return (symbolic if _is_symbolic(args, kwargs) else transform).jacobian(*args, **kwargs)


def hessian(*args: Any, **kwargs: Any) -> Any:
    """The Hessian of a function, as a function; or of a symbolic cost, as a variable.

    ``hessian(f, argnums=0)`` is `tracejit.transform.hessian`, and ``hessian(cost, wrt, …)`` is
    `tracejit.tensor.hessian`.
    """
    return (symbolic if _is_symbolic(args, kwargs) else transform).hessian(*args, **kwargs)


__all__ = [
    "DisconnectedInputError",
    "DisconnectedType",
    "GradientError",
    "Lop",
    "NullType",
    "NullTypeGradError",
    "Rop",
    "consider_constant",
    "custom_gradient",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_scale",
    "hessian",
    "jacobian",
    "jvp",
    "numeric_grad",
    "undefined_grad",
    "value_and_grad",
    "verify_grad",
    "vjp",
    "zero_grad",
]
