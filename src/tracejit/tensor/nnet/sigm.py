"""The logistic function, its approximations and its integral."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.symbolic.elementwise import function_of_row, upgrade_to_float
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.tensor import elementwise

sigmoid = function_of_row("expit", "sigmoid", 1, "The logistic function ``1 / (1 + exp(-x))``.")


def as_float(x: Any) -> Any:
    """`x`, or the floats that its integers become."""
    x = as_tensor_variable(x)
    return cast(x, upgrade_to_float(x.dtype)) if np.dtype(x.dtype).kind in "biu" else x


@opcode("softplus", types=lambda attr, inputs: [inputs[0].type])
def _softplus(attr: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.logaddexp(0, x)


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow."""
    x = as_float(x)
    if np.dtype(x.dtype).kind != "f":
        raise TypeError(f"softplus() takes real numbers, not {x.dtype}")
    return apply("softplus", [x])[0]


def hard_sigmoid(x: Any) -> Any:
    """``0.2 * x + 0.5`` limited to 0 and 1: `sigmoid` roughly. Its slope where it is 1 is 0."""
    x = as_float(x)
    slope, shift, zero, one = (constant(v, dtype=x.dtype) for v in (0.2, 0.5, 0, 1))
    line = elementwise.add(elementwise.mul(x, slope), shift)
    return elementwise.minimum(one, elementwise.maximum(line, zero))


def ultra_fast_sigmoid(x: Any) -> Any:
    """`sigmoid` within 0.006: rational near 0, then linear, then constant."""
    x = as_float(x)
    ultra, steep, flat, top = (
        constant(v, dtype=x.dtype)
        for v in (1.5, 0.935409070603099, 0.0458812946797165, 0.99505475368673)
    )
    half = elementwise.mul(x, constant(0.5, dtype=x.dtype))
    size = elementwise.abs_(half)
    near = elementwise.true_div(elementwise.mul(ultra, half), elementwise.add(size, 1))
    far = steep + flat * (size - constant(1.7, dtype=x.dtype))
    bent = elementwise.switch(elementwise.lt(size, 3), far, top)
    signed = elementwise.switch(
        elementwise.lt(size, constant(1.7, dtype=x.dtype)),
        near,
        elementwise.switch(elementwise.lt(half, 0), elementwise.neg(bent), bent),
    )
    return constant(0.5, dtype=x.dtype) * (signed + 1)


__all__ = ["hard_sigmoid", "sigmoid", "softplus", "ultra_fast_sigmoid"]
