"""The work as loops that a user of Numba would write, for one thread or several.

Each function allocates its result, as NumPy does. Iterations over rows are ``prange``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import prange

from benchmarks.peers.expressions import Expression

# Untyped: Numba infers the types from the arguments.
# mypy: disable-error-code="no-untyped-def"


def logistic(x, y):
    out = np.empty_like(x)
    for i in prange(x.size):
        out[i] = 1 / (1 + math.exp(-x[i])) + y[i]
    return out


def black_scholes(s, k, t):
    out = np.empty_like(s)
    for i in prange(s.size):
        root = 0.3 * math.sqrt(t[i])
        d1 = (math.log(s[i] / k[i]) + 0.065 * t[i]) / root
        d2 = d1 - root
        n1 = 0.5 * (1 + math.tanh(0.7978845608 * (d1 + 0.044715 * d1 * d1 * d1)))
        n2 = 0.5 * (1 + math.tanh(0.7978845608 * (d2 + 0.044715 * d2 * d2 * d2)))
        out[i] = s[i] * n1 - k[i] * math.exp(-0.02 * t[i]) * n2
    return out


def distance(x, y):
    total = x.dtype.type(0)
    for i in prange(x.size):
        total += (x[i] - y[i]) ** 2
    return math.sqrt(total)


def exp_sum(x):
    top = x[0]
    for i in prange(x.size):
        top = max(top, x[i])
    total = x.dtype.type(0)
    for i in prange(x.size):
        total += math.exp(x[i] - top)
    return total


def triad(a, b, c):
    out = np.empty_like(a)
    for i in prange(a.size):
        out[i] = a[i] * b[i] + c[i]
    return out


def trigonometry(x, y):
    out = np.empty_like(x)
    for i in prange(x.size):
        out[i] = math.sin(x[i]) * math.cos(y[i]) + math.sin(y[i])
    return out


def softmax_rows(x):
    out = np.empty_like(x)
    for i in prange(x.shape[0]):
        top = x[i, 0]
        for j in range(x.shape[1]):
            top = max(top, x[i, j])
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            out[i, j] = math.exp(x[i, j] - top)
            total += out[i, j]
        for j in range(x.shape[1]):
            out[i, j] /= total
    return out


def layer_norm(x, g, b):
    out = np.empty_like(x)
    n = x.shape[1]
    for i in prange(x.shape[0]):
        mean = x.dtype.type(0)
        for j in range(n):
            mean += x[i, j]
        mean /= n
        variance = x.dtype.type(0)
        for j in range(n):
            variance += (x[i, j] - mean) ** 2
        scale = 1 / math.sqrt(variance / n + 1e-5)
        for j in range(n):
            out[i, j] = (x[i, j] - mean) * scale * g[j] + b[j]
    return out


def pairwise(x, y):
    out = np.empty((x.shape[0], y.shape[0]), x.dtype)
    for i in prange(x.shape[0]):
        for j in range(y.shape[0]):
            total = x.dtype.type(0)
            for k in range(x.shape[1]):
                total += (x[i, k] - y[j, k]) ** 2
            out[i, j] = math.sqrt(total)
    return out


def stencil(a):
    n, m = a.shape
    out = np.empty((n - 2, m - 2), a.dtype)
    for i in prange(1, n - 1):
        for j in range(1, m - 1):
            near = a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1]
            out[i - 1, j - 1] = 0.25 * near - a[i, j]
    return out


def column_moments(x):
    n, m = x.shape
    mean, variance = np.zeros(m, x.dtype), np.zeros(m, x.dtype)
    for i in range(n):
        for j in range(m):
            mean[j] += x[i, j]
    mean /= n
    for i in range(n):
        for j in range(m):
            variance[j] += (x[i, j] - mean[j]) ** 2
    variance /= n
    return mean, variance


def mandelbrot(z, c):
    out = np.empty_like(z)
    for i in prange(z.size):
        v = z[i]
        out[i] = v * v + c[i] if v.real * v.real + v.imag * v.imag < 4 else v
    return out


def masks(x):
    counts = np.zeros(8, np.int64)
    for i in range(x.size):
        k = x[i] // 16
        if 0 <= k < 8:
            counts[k] += 1
    return counts


def training(x, y, w, b):
    n, m = x.shape
    right, loss, step = np.empty(n, np.bool_), np.empty(n, x.dtype), np.zeros(m, x.dtype)
    rest = x.dtype.type(0)
    for i in range(n):
        z = b[()]
        for j in range(m):
            z += x[i, j] * w[j]
        p = 1 / (1 + math.exp(-z))
        right[i] = p > 0.5
        loss[i] = -y[i] * math.log(p) - (1 - y[i]) * math.log(1 - p)
        error = (p - y[i]) / n
        for j in range(m):
            step[j] += error * x[i, j]
        rest += error
    return right, loss, w - 0.1 * (step + 0.02 * w), b - 0.1 * rest


def price():
    total = 0.0
    for _ in prange(10_000_000):
        total += max(100 * math.exp(0.2 * np.random.standard_normal() - 0.02) - 100, 0)
    return total / 10_000_000


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "logistic": logistic,
    "black-scholes": black_scholes,
    "distance": distance,
    "exp-sum": exp_sum,
    "triad": triad,
    "trigonometry": trigonometry,
    "softmax-rows": softmax_rows,
    "layer-norm": layer_norm,
    "pairwise": pairwise,
    "stencil": stencil,
    "column-moments": column_moments,
    "mandelbrot": mandelbrot,
    "masks": masks,
    "training": training,
    "price": price,
}


class ByHand:
    """``numba.njit`` of loops written by hand, parallel where there is enough to do."""

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Callable[[], Any]:
        from benchmarks.peers.frameworks import Unable

        function = _FUNCTIONS.get(e.name)
        if function is None:
            raise Unable(f"no loops for {e.name}")
        several = not arrays or max(a.size for a in arrays) >= 100_000
        several = several and "prange" in function.__code__.co_names
        return functools.partial(
            numba.njit(parallel=several, error_model="numpy")(function), *arrays
        )
