"""Functions of SciPy's as loops, in Python code that a trace can follow: copies are traced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracejit.arrays.common import is_empty, same
from tracejit.arrays.distances import DISTANCES, metric_of, rows_of
from tracejit.arrays.scipylinalg import LINALG
from tracejit.capture.namespace import replacement
from tracejit.capture.numpys import copy_of
from tracejit.errors import NotTraceable
from tracejit.ir.types import COMPLEX128, FLOAT64
from tracejit.trace.tracer import as_array

#: NumPy, whose functions take traced values.
_np: Any = replacement(np)
#: The norm up to which the approximation is one to rounding (Higham 2005, table 2.3).
LIMIT = 5.371920351148152
#: Coefficients of the diagonal Padé approximant of degree 13.
COEFFICIENTS = tuple(
    math.factorial(26 - k) * math.factorial(13)
    / (math.factorial(26) * math.factorial(k) * math.factorial(13 - k))
    for k in range(14)
)  # fmt: skip


def exponential(a: Any, unit: Any) -> Any:
    """The exponential of a matrix, scaled to a norm that the approximation is for, and squared."""
    norm = _np.max(_np.sum(_np.abs(a), axis=0))
    times = _np.maximum(_np.ceil(_np.log2(_np.maximum(norm, 1e-300) / LIMIT)), 0.0)
    a = a * _np.exp2(-times)
    b = COEFFICIENTS
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    odd = a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2)
    odd = a @ (odd + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * unit)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2)
    even = even + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * unit
    found = _np.linalg.solve(even - odd, even + odd)
    done = 0.0
    while done < times:
        found = found @ found
        done += 1.0
    return found


def expm(A: Any) -> Any:
    """``scipy.linalg.expm`` of a matrix."""
    x = as_array(A)
    if x.node.ndim != 2 or not same(*x.node.shape) or is_empty(x.node.shape):
        raise NotTraceable("scipy.linalg.expm of other than a matrix is not compiled")
    if x.node.dtype.char == "e" or same(x.node.shape[0], 1):
        raise NotTraceable("scipy.linalg.expm of one element, or of float16, is not compiled")
    own = x.node.dtype if x.node.dtype.char in "fdFD" else np.dtype(float)
    wide = x.astype(COMPLEX128 if own.kind == "c" else FLOAT64)
    found = copy_of(exponential)(wide, _np.eye(x.shape[0]))
    return found.astype(own)


LINALG["expm"] = expm


def pairs(x: Any, n: Any, distance: Any) -> Any:
    """The distances of each row to those after it, one after the other."""
    out = _np.zeros(n * (n - 1) // 2)
    at = 0
    for i in range(n - 1):
        out[at : at + n - 1 - i] = distance(x[i], x[i + 1 :])
        at += n - 1 - i
    return out


def pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> Any:
    """``scipy.spatial.distance.pdist``."""
    x = rows_of(X)
    if is_empty(x.node.shape[:1]):
        raise NotTraceable("distances of no rows are not compiled")
    return copy_of(pairs)(x, x.shape[0], metric_of(metric, {**kwargs, "out": out}))


DISTANCES["pdist"] = pdist
