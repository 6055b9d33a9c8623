"""The exponential of a matrix: scaled down, approximated, and squared as often.

N. J. Higham, *The scaling and squaring method for the matrix exponential revisited*, 2005.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracejit.arrays import late
from tracejit.arrays.common import is_empty, same
from tracejit.arrays.creation import eye
from tracejit.arrays.scipylinalg import LINALG
from tracejit.errors import NotTraceable
from tracejit.ir import build, control, dims
from tracejit.ir.closing import Body
from tracejit.ir.types import COMPLEX128, FLOAT64
from tracejit.trace.tracer import Tracer, as_array

#: The norm up to which the approximation is one to rounding (table 2.3).
_LARGEST = 5.371920351148152
#: Coefficients of the diagonal Padé approximant of degree 13.
_PADE = [
    math.factorial(26 - k) * math.factorial(13)
    / (math.factorial(26) * math.factorial(k) * math.factorial(13 - k))
    for k in range(14)
]  # fmt: skip


def exponential(x: Tracer) -> Any:
    """Of a square matrix with elements, computed in double precision."""
    a: Any = x.astype(COMPLEX128 if x.node.dtype.kind == "c" else FLOAT64)
    norm = np.max(np.sum(np.abs(a), axis=0))
    times: Any = np.maximum(np.ceil(np.log2(np.maximum(norm, 1e-300) / _LARGEST)), 0.0)
    # Of what is not finite nothing is squared: the loop has an end.
    times = np.where(np.isfinite(times), times, 0.0)
    a = a * np.exp2(-times)
    unit = eye(x.shape[0])
    two = a @ a
    four = two @ two
    six = two @ four
    b = _PADE
    odd = six @ (b[13] * six + b[11] * four + b[9] * two)
    odd = a @ (odd + b[7] * six + b[5] * four + b[3] * two + b[1] * unit)
    even = six @ (b[12] * six + b[10] * four + b[8] * two)
    even = even + b[6] * six + b[4] * four + b[2] * two + b[0] * unit
    start: Any = np.linalg.solve(even - odd, even + odd)

    def squared(index: Any, carried: Any, elements: Any) -> Body:
        return Body((build.matmul(carried[0], carried[0]),))

    count = dims.from_node(late.of_integer(times.astype(np.int64).node))
    [found] = control.scan(count, [start.node], [], squared)
    return Tracer(found).astype(x.node.dtype)


def expm(A: Any) -> Any:
    """``scipy.linalg.expm`` of a matrix."""
    x = as_array(A)
    if x.node.ndim != 2 or not same(*x.node.shape) or is_empty(x.node.shape):
        raise NotTraceable("scipy.linalg.expm of other than a matrix is not compiled")
    if x.node.dtype.char == "e" or same(x.node.shape[0], 1):
        raise NotTraceable("scipy.linalg.expm of one element, or of float16, is not compiled")
    own = x.node.dtype if x.node.dtype.char in "fdFD" else np.dtype(float)
    return exponential(x.astype(own))


LINALG["expm"] = expm
