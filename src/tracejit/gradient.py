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
    grad_not_implemented,
    grad_scale,
    grad_undefined,
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


def format_as(use_list: bool, use_tuple: bool, outputs: Any) -> Any:
    """Outputs as a list, a tuple, or the only one by itself."""
    assert not (use_list and use_tuple), "Both flags cannot be simultaneously True"
    if not (use_list or use_tuple):
        if isinstance(outputs, (list, tuple)):
            [outputs] = outputs
        return outputs
    items = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return list(items) if use_list else tuple(items)


def subgraph_grad(
    wrt: Any, end: Any, start: Any = None, cost: Any = None, details: bool = False
) -> Any:
    """Gradients of `wrt`, and of `end`, of a part of a graph: nothing flows beyond `end`.

    `start` gives the gradients of some variables, `cost` is a scalar that counts besides; at least
    one of both is given. Returns the gradients of `wrt` and of `end`; with `details` those by
    `start` and by `cost` alone, too.

    >>> import tracejit, tracejit.tensor as T
    >>> x, w = T.dscalars("x", "w")
    >>> h = x * w
    >>> [g], [above] = subgraph_grad([w], [x], cost=h**2)
    >>> tracejit.function([x, w], [g, above])(2.0, 3.0)
    [array(24.), array(36.)]
    """
    if start is None and cost is None:
        raise ValueError("`cost` or `start` must be specified.")
    wrt, end = list(wrt), list(end)
    options = {
        "consider_constant": end, "disconnected_inputs": "ignore", "return_disconnected": "zero",
        "null_gradients": "return",
    }  # fmt: skip
    parts = []
    if start is not None:
        parts.append(symbolic.grad(None, [*wrt, *end], known_grads=start, **options))
    if cost is not None:
        parts.append(symbolic.grad(cost, [*wrt, *end], **options))
    found = [_added(terms) for terms in zip(*parts, strict=True)]
    result = found[: len(wrt)], found[len(wrt) :]
    if not details:
        return result
    by_start = parts[0] if start is not None else None
    return (*result, by_start, parts[-1] if cost is not None else None)


def _added(terms: Any) -> Any:
    """The sum of gradients, of which some are None."""
    some = [term for term in terms if term is not None]
    return None if not some else some[0] if len(some) == 1 else some[0] + some[1]


def sparse_grad(var: Any) -> Any:
    """`var`, whose gradient may be sparse where rows are chosen: gradients are dense here."""
    return var


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
    "format_as",
    "grad",
    "grad_clip",
    "grad_not_implemented",
    "grad_scale",
    "grad_undefined",
    "hessian",
    "jacobian",
    "jvp",
    "numeric_grad",
    "sparse_grad",
    "subgraph_grad",
    "undefined_grad",
    "value_and_grad",
    "verify_grad",
    "vjp",
    "zero_grad",
]
