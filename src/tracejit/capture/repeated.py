"""Functions of SciPy's as loops, in Python code that a trace can follow: copies are traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import is_empty
from tracejit.arrays.distances import DISTANCES, metric_of, rows_of
from tracejit.capture.namespace import replacement
from tracejit.capture.numpys import copy_of
from tracejit.errors import NotTraceable

#: NumPy, whose functions take traced values.
_np: Any = replacement(np)


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
