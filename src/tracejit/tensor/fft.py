"""Fourier transforms of real arrays: real and imaginary parts lie along a last axis of two."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import length_of, opcode
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, elementwise

_NORMS = (None, "ortho", "no_norm")


def _count_of(x: Any, first: int, last: int, dtype: str) -> Any:
    """How many elements there are over some axes."""
    total: Any = as_tensor_variable(np.int64(1))
    for k in range(first, last):
        total = elementwise.mul(total, basic.shape_i(x, k))
    return cast(total, dtype)


def _real(x: Any, axes: int) -> Any:
    x = as_tensor_variable(x)
    if x.dtype not in ("float32", "float64"):
        raise TypeError(f"fft is for float32 and float64, not {x.dtype}")
    if x.ndim < axes:
        raise TypeError(f"fft needs arrays of {axes} axes or more, not {x.ndim}")
    return x


def _checked(norm: Any) -> Any:
    if norm not in _NORMS:
        raise ValueError(f"Invalid value {norm} for norm, must be None, 'ortho' or 'no_norm'")
    return norm


@opcode("rfft")
def _rfft(attr: Any, x: Any) -> Any:
    """Over all axes but the first."""
    found = np.fft.rfftn(x, axes=tuple(range(1, np.ndim(x))))
    return np.stack([np.real(found), np.imag(found)], axis=-1).astype(x.dtype)


@opcode("irfft")
def _irfft(attr: Any, x: Any, length: Any) -> Any:
    """Of so many elements along the last of its axes."""
    parts = x[..., 0] + 1j * x[..., 1]
    shape = (*np.shape(parts)[1:-1], length_of(length))
    found = np.fft.irfftn(parts, s=shape, axes=tuple(range(1, np.ndim(parts))))
    return found.astype(x.dtype)


def rfft(inp: Any, norm: Any = None) -> Any:
    """The transform over all axes but the first, half of the last one.

    As a sum (`norm` is None, or "no_norm"), or divided by the root of how many elements there are
    ("ortho").

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x = T.dmatrix()
    >>> tracejit.function([x], T.fft.rfft(x))(np.array([[1.0, 0.0, 0.0, 0.0]]))
    array([[[1., 0.],
            [1., 0.],
            [1., 0.]]])
    """
    x, norm = _real(inp, 2), _checked(norm)
    pattern = (*x.broadcastable[:-1], False, False)
    found = apply("rfft", [x], None, [TensorType(x.dtype, pattern)])[0]
    if norm == "ortho":
        found = elementwise.true_div(found, elementwise.sqrt(_count_of(x, 1, x.ndim, x.dtype)))
    return found


def irfft(inp: Any, norm: Any = None, is_odd: bool = False) -> Any:
    """The inverse of `rfft`: divided by how many elements there are (None), by their root

    ("ortho"), or not ("no_norm"). The last axis of the result has an odd length if `is_odd`.
    """
    if is_odd not in (True, False):
        raise ValueError(f"Invalid value {is_odd} for id_odd, must be True or False")
    x, norm = _real(inp, 3), _checked(norm)
    length = (basic.shape_i(x, x.ndim - 2) - 1) * 2 + int(is_odd)
    pattern = (*x.broadcastable[:-2], False)
    found = apply("irfft", [x, length], None, [TensorType(x.dtype, pattern)])[0]
    if norm is None:
        return found
    count = elementwise.mul(_count_of(x, 1, x.ndim - 2, x.dtype), cast(length, x.dtype))
    return elementwise.mul(found, count if norm == "no_norm" else elementwise.sqrt(count))


__all__ = ["irfft", "rfft"]
