"""``scipy.spatial.distance``: the distances of all pairs of rows, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.applied import applied
from tracejit.arrays.common import is_empty, same
from tracejit.arrays.linalg import numpy
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.trace.tracer import Tracer, as_array

#: By name: SciPy is not imported for them.
DISTANCES: dict[str, Callable[..., Any]] = {}


def _declared(function: Callable[..., Any]) -> Callable[..., Any]:
    DISTANCES[function.__name__] = function
    return function


def _ratio(a: Any, b: Any) -> Any:
    """A ratio; of zeros, 0."""
    nothing = (a == 0) & (b == 0)
    return numpy.where(nothing, 0.0, a / numpy.where(nothing, 1.0, b))


def _cosine(x: Any, y: Any) -> Any:
    products = numpy.sum(x * y, axis=-1)
    lengths = numpy.sqrt(numpy.sum(x * x, axis=-1)) * numpy.sqrt(numpy.sum(y * y, axis=-1))
    cosine = products / lengths
    return 1 - numpy.where(numpy.abs(cosine) > 1, numpy.copysign(1.0, cosine), cosine)


def _centred(x: Any) -> Any:
    return x - numpy.mean(x, axis=-1, keepdims=True)


def _sum(terms: Any) -> Any:
    return numpy.sum(terms, axis=-1)


def _largest(terms: Any) -> Any:
    """The maximum of what is no NaN."""
    return numpy.max(numpy.where(terms >= 0, terms, 0.0), axis=-1)


#: What the distance of two rows is.
_METRICS: dict[str, Callable[[Any, Any], Any]] = {
    "euclidean": lambda x, y: numpy.sqrt(_sum((x - y) ** 2)),
    "sqeuclidean": lambda x, y: _sum((x - y) ** 2),
    "cityblock": lambda x, y: _sum(numpy.abs(x - y)),
    "chebyshev": lambda x, y: _largest(numpy.abs(x - y)),
    "hamming": lambda x, y: numpy.mean((x != y).astype(float), axis=-1),
    "canberra": lambda x, y: _sum(_ratio(numpy.abs(x - y), numpy.abs(x) + numpy.abs(y))),
    "braycurtis": lambda x, y: _sum(numpy.abs(x - y)) / _sum(numpy.abs(x + y)),
    "cosine": _cosine,
    "correlation": lambda x, y: _cosine(_centred(x), _centred(y)),
}
#: Other names, and those whose value for no columns, or for NaN, is not that of the formula.
_ALIASES = {
    "euclid": "euclidean", "eu": "euclidean", "e": "euclidean", "sqe": "sqeuclidean",
    "sqeuclid": "sqeuclidean", "cblock": "cityblock", "cb": "cityblock", "c": "cityblock",
    "chebychev": "chebyshev", "cheby": "chebyshev", "cheb": "chebyshev", "ch": "chebyshev",
    "matching": "hamming", "hamm": "hamming", "ha": "hamming", "h": "hamming", "cos": "cosine",
    "co": "correlation", "mi": "minkowski", "m": "minkowski", "pnorm": "minkowski",
}  # fmt: skip


def metric_of(metric: Any, options: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """The formula of a metric."""
    if not isinstance(metric, str):
        raise NotTraceable("distances by a function are not compiled", "give the name of a metric")
    name = _ALIASES.get(metric.lower(), metric.lower())
    p = options.pop("p", 2) if name == "minkowski" else None
    if any(v is not None for v in options.values()) or isinstance(p, Tracer):
        raise NotTraceable("distances with weights, out= or p= of an argument are not compiled")
    if p is not None and not p > 0:
        raise NotTraceable("distances of this p= are not compiled")
    if p is not None:
        name = {1: "cityblock", 2: "euclidean", math.inf: "chebyshev"}.get(p, name)
    if p is not None and name == "minkowski":
        return lambda x, y: _sum(numpy.abs(x - y) ** p) ** (1.0 / p)
    if name not in _METRICS:
        raise NotTraceable(f"the metric {metric!r} is not compiled")
    return _METRICS[name]


def rows_of(x: Any) -> Any:
    operand = as_array(x)
    if operand.node.ndim != 2:
        raise ValueError("a 2-dimensional array must be passed")
    if operand.node.dtype.kind == "c":
        raise NotTraceable("distances of complex numbers are not compiled")
    if is_empty(operand.node.shape[1:]):
        raise NotTraceable("distances of rows without elements are not compiled")
    return operand.astype(float)


@_declared
def cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> Any:
    """``scipy.spatial.distance.cdist``."""
    x, y = rows_of(XA), rows_of(XB)
    if not same(x.node.shape[1], y.node.shape[1]):
        raise ValueError("XA and XB must have the same number of columns")
    return metric_of(metric, {**kwargs, "out": out})(x[:, None, :], y[None, :, :])


@_declared
def squareform(X: Any, force: Any = "no", checks: Any = True) -> Any:
    """``scipy.spatial.distance.squareform`` of a vector: there is a program for each length."""
    x = as_array(X)
    if x.node.ndim != 1 or force.lower() not in ("no", "tomatrix"):
        raise NotTraceable("squareform of other than a vector is not compiled")
    [length] = x.node.shape
    count = build.solver().value(length)
    if count is None or not build.solver().equal(length, count) or not count:
        raise NotTraceable("squareform of no elements, or of how many values tell, is not compiled")
    n = math.ceil(math.sqrt(2 * count))
    if n * (n - 1) != 2 * count:
        raise ValueError(
            "Incompatible vector size. It must be a binomial coefficient n choose 2 for some "
            "integer n >= 2."
        )
    places = np.zeros((n, n), np.int64)
    places[np.triu_indices(n, 1)] = range(count)
    here = numpy.take(x, applied(np.add, places, places.T))
    return numpy.where(applied(np.eye, n, dtype=bool), numpy.zeros_like(here), here)
