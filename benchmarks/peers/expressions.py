"""The work: expressions over a NumPy-like namespace, their inputs, and their sizes.

A formula is written once; `xp` is NumPy, ``jax.numpy`` or what `frameworks` puts in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZES = (8, 1_000, 100_000, 10_000_000)
#: Where one size says it all: the number of rows, or of elements.
ONE = (0,)


@dataclass(frozen=True)
class Expression:
    """``formula(xp, *inputs(n, dtype))``.

    `flat` formulas are of vectors and their sums alone, which every framework can express.
    `limit` is the figure to reach: time in times of the best peer's, by size.
    """

    name: str
    what: str
    formula: Callable[..., Any]
    inputs: Callable[[int, np.dtype[Any]], tuple[Any, ...]]
    sizes: tuple[int, ...] = SIZES
    dtypes: tuple[str, ...] = ("float64", "float32")
    flat: bool = False
    numexpr: str = ""
    limit: float = 0.9

    def limit_at(self, size: int) -> float:
        """The figure to reach at `size`."""
        return {8: 0.25, 1_000: 0.6}.get(size, self.limit)


def _uniform(count: int, *bounds: tuple[float, float]) -> Callable[..., tuple[Any, ...]]:
    """`count` vectors of uniform numbers."""
    limits = bounds or ((0.1, 1.0),) * count

    def inputs(n: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        rng = np.random.default_rng(0)
        return tuple(rng.uniform(low, high, n).astype(dtype) for low, high in limits)

    return inputs


def _matrices(*shapes: tuple[int, ...]) -> Callable[..., tuple[Any, ...]]:
    def inputs(n: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        rng = np.random.default_rng(0)
        return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)

    return inputs


# The four of every size ---------------------------------------------------------------------------


def logistic(xp: Any, x: Any, y: Any) -> Any:
    return 1 / (1 + xp.exp(-x)) + y


def black_scholes(xp: Any, s: Any, k: Any, t: Any) -> Any:
    root = 0.3 * xp.sqrt(t)
    d1 = (xp.log(s / k) + 0.065 * t) / root
    d2 = d1 - root
    n1 = 0.5 * (1 + xp.tanh(0.7978845608 * (d1 + 0.044715 * d1 * d1 * d1)))
    n2 = 0.5 * (1 + xp.tanh(0.7978845608 * (d2 + 0.044715 * d2 * d2 * d2)))
    return s * n1 - k * xp.exp(-0.02 * t) * n2


BLACK_SCHOLES = (
    "s*(0.5*(1+tanh(0.7978845608*(d1+0.044715*d1*d1*d1))))-k*exp(-0.02*t)*"
    "(0.5*(1+tanh(0.7978845608*(d2+0.044715*d2*d2*d2))))"
).replace("d2", "(d1-0.3*sqrt(t))").replace(
    "d1", "((log(s/k)+0.065*t)/(0.3*sqrt(t)))"
)  # fmt: skip


def distance(xp: Any, x: Any, y: Any) -> Any:
    d = x - y
    return xp.sqrt(xp.sum(d * d))


def exp_sum(xp: Any, x: Any) -> Any:
    return xp.sum(xp.exp(x - xp.max(x)))


# One size -----------------------------------------------------------------------------------------


def triad(xp: Any, a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def trigonometry(xp: Any, x: Any, y: Any) -> Any:
    return xp.sin(x) * xp.cos(y) + xp.sin(y)


def softmax_rows(xp: Any, x: Any) -> Any:
    e = xp.exp(x - xp.amax(x, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


def layer_norm(xp: Any, x: Any, g: Any, b: Any) -> Any:
    mean = xp.mean(x, axis=1, keepdims=True)
    d = x - mean
    variance = xp.mean(d * d, axis=1, keepdims=True)
    return d / xp.sqrt(variance + 1e-5) * g + b


def pairwise(xp: Any, x: Any, y: Any) -> Any:
    d = x[:, None, :] - y[None, :, :]
    return xp.sqrt(xp.sum(d * d, axis=2))


def stencil(xp: Any, a: Any) -> Any:
    return 0.25 * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]) - a[1:-1, 1:-1]


def column_moments(xp: Any, x: Any) -> Any:
    mean = xp.mean(x, axis=0)
    d = x - mean
    return mean, xp.mean(d * d, axis=0)


def mandelbrot(xp: Any, z: Any, c: Any) -> Any:
    return xp.where(xp.abs(z) < 2, z * z + c, z)


def masks(xp: Any, x: Any) -> Any:
    return tuple(xp.sum((x >= 16 * k) & (x < 16 * k + 16)) for k in range(8))


def training(xp: Any, x: Any, y: Any, w: Any, b: Any) -> Any:
    """A step of the tutorial's logistic regression: outputs, and the new states."""
    p = 1 / (1 + xp.exp(-(x @ w) - b))
    loss = -y * xp.log(p) - (1 - y) * xp.log(1 - p)
    error = (p - y) / y.shape[0]
    return p > 0.5, loss, w - 0.1 * (x.T @ error + 0.02 * w), b - 0.1 * xp.sum(error)


def network(xp: Any, x: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    """A step of a network of three layers, by squared error: the loss, and the new weights."""
    h = xp.tanh(x @ a)
    g = xp.tanh(h @ b)
    error = g @ c - y
    dc = g.T @ error
    dg = error @ c.T * (1 - g * g)
    db = h.T @ dg
    da = x.T @ (dg @ b.T * (1 - h * h))
    return xp.mean(error * error), a - 1e-4 * da, b - 1e-4 * db, c - 1e-4 * dc


def price(xp: Any, rng: Any) -> Any:
    """The mean payoff of 10 M paths; every framework draws from its own generator."""
    z = rng.standard_normal(10_000_000)
    return xp.mean(xp.maximum(100 * xp.exp(0.2 * z - 0.02) - 100, 0))


def _training_inputs(n: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((400, 784)), rng.integers(0, 2, 400)
    values = x, y, 0.01 * rng.standard_normal(784), np.array(0.0)
    return tuple(v.astype(dtype) for v in values)


def _complex_inputs(n: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return tuple(
        (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(dtype) for _ in range(2)
    )


def _integer_inputs(n: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    return (np.random.default_rng(0).integers(0, 128, n).astype(dtype),)


_LARGE = (10_000_000,)
EXPRESSIONS = [
    Expression(
        "logistic", "1/(1+exp(-x)) + y", logistic, _uniform(2), flat=True,
        numexpr="1/(1+exp(-x))+y",
    ),
    Expression(
        "black-scholes", "log, exp, two CDFs by tanh", black_scholes,
        _uniform(3, (50.0, 150.0), (50.0, 150.0), (0.5, 2.0)), flat=True, numexpr=BLACK_SCHOLES,
    ),
    Expression("distance", "sqrt(sum((x-y)**2))", distance, _uniform(2), flat=True),
    Expression("exp-sum", "sum(exp(x - max(x)))", exp_sum, _uniform(1), flat=True),
    Expression("triad", "a*b + c", triad, _uniform(3), _LARGE, flat=True, numexpr="a*b+c"),
    Expression(
        "trigonometry", "sin(x)*cos(y) + sin(y)", trigonometry, _uniform(2), _LARGE, flat=True,
        numexpr="sin(x)*cos(y)+sin(y)",
    ),
    Expression(
        "softmax-rows", "softmax over rows, 10,000 × 1,000", softmax_rows,
        _matrices((10_000, 1_000)), ONE,
    ),
    Expression(
        "layer-norm", "layer normalisation, 10,000 × 1,000", layer_norm,
        _matrices((10_000, 1_000), (1_000,), (1_000,)), ONE,
    ),
    Expression(
        "pairwise", "pairwise distances, 1,000 × 1,000 × 64", pairwise,
        _matrices((1_000, 64), (1_000, 64)), ONE,
    ),
    Expression("stencil", "five-point stencil, 3,000 × 3,000", stencil, _matrices((3_000, 3_000)),
               ONE),
    Expression(
        "column-moments", "mean and variance of columns, 100,000 × 100", column_moments,
        _matrices((100_000, 100)), ONE,
    ),
    Expression(
        "mandelbrot", "where(abs(z) < 2, z*z + c, z), 1 M", mandelbrot, _complex_inputs,
        (1_000_000,), ("complex128", "complex64"),
    ),
    Expression(
        "masks", "eight counts of x in a range of int64, 10 M", masks, _integer_inputs, _LARGE,
        ("int64", "int32"),
    ),
    Expression("training", "the tutorial's training step, 400 × 784", training, _training_inputs,
               ONE, limit=0.4),
    Expression(
        "network", "a training step of three layers, 256 × (784, 256, 128, 10)", network,
        _matrices((256, 784), (256, 10), (784, 256), (256, 128), (128, 10)), ONE,
    ),
    Expression("price", "Monte-Carlo option price, 10 M paths", price, lambda n, dtype: (), ONE,
               ("float64",)),
]  # fmt: skip
BY_NAME = {e.name: e for e in EXPRESSIONS}
