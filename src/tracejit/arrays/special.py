"""Functions of ``scipy.special`` that are no ufuncs, over traced values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.shaping import squeeze
from tracejit.errors import NotTraceable
from tracejit.trace.tracer import as_array

#: By name: SciPy is not imported for them.
SPECIAL: dict[str, Callable[..., Any]] = {}


def _special(function: Callable[..., Any]) -> Callable[..., Any]:
    SPECIAL[function.__name__] = function
    return function


def _shift(x: Any, axis: Any) -> Any:
    """The maxima along `axis`, which do no harm where they are infinite."""
    largest = np.max(x, axis=axis, keepdims=True)
    return np.where(np.isfinite(largest), largest, 0)


@_special
def softmax(x: Any, axis: Any = None) -> Any:
    """``scipy.special.softmax``."""
    x = as_array(x)
    shifted = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


@_special
def log_softmax(x: Any, axis: Any = None) -> Any:
    """``scipy.special.log_softmax``."""
    x = as_array(x)
    shifted = x - _shift(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@_special
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """``scipy.special.logsumexp`` of real numbers, without signs."""
    a = as_array(a)
    if return_sign or a.node.dtype.kind == "c":
        raise NotTraceable("logsumexp of complex numbers, or with signs, is not compiled")
    largest = _shift(a, axis)
    terms = np.exp(a - largest)
    if b is not None:
        terms = b * terms
    result = np.log(np.sum(terms, axis=axis, keepdims=True)) + largest
    if keepdims:
        return result
    axes = tuple(range(a.node.ndim)) if axis is None else axis
    return squeeze(result, axes)[()]
