"""The programs that are measured, in terms that NumPy, CuPy, JAX and torch share.

Each takes the functions of one of them, `xp`, of which it names what it calls, and is a function of
arrays. `erf` is SciPy's, or theirs like it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Program = Callable[..., Any]


def elementwise(xp: Any) -> Program:
    """Four arrays read, one written."""

    def elementwise(a: Any, b: Any, c: Any, d: Any) -> Any:
        return (a * b + c) / (d - a)

    return elementwise


def functions(xp: Any) -> Program:
    """Elementary functions of one array."""
    exp, log, tanh = xp.exp, xp.log, xp.tanh

    def functions(a: Any) -> Any:
        return exp(-a) * tanh(a) + log(a + 1)

    return functions


def softmax(xp: Any) -> Program:
    """By rows: read once, written once."""
    exp, most, total = xp.exp, xp.amax, xp.sum

    def softmax(x: Any) -> Any:
        e = exp(x - most(x, 1, keepdims=True))
        return e / total(e, 1, keepdims=True)

    return softmax


def total(xp: Any) -> Program:
    """The sum of all."""
    add = xp.sum

    def total(x: Any) -> Any:
        return add(x)

    return total


def row_sums(xp: Any) -> Program:
    """The sum of each row."""
    add = xp.sum

    def row_sums(x: Any) -> Any:
        return add(x, 1)

    return row_sums


def row_places(xp: Any) -> Program:
    """Where the largest of each row is."""
    most = xp.argmax

    def row_places(x: Any) -> Any:
        return most(x, 1)

    return row_places


def running_sum(xp: Any) -> Program:
    """Running sums of all."""
    add = xp.cumsum

    def running_sum(x: Any) -> Any:
        return add(x)

    return running_sum


def black_scholes(xp: Any) -> Program:
    """Prices of European calls."""
    erf, exp, log, sqrt = xp.erf, xp.exp, xp.log, xp.sqrt

    def black_scholes(s: Any, k: Any, t: Any) -> Any:
        root = sqrt(t) * 0.3
        d1 = (log(s / k) + 0.065 * t) / root
        d2 = d1 - root
        in_the_money = 0.5 + 0.5 * erf(d1 * 0.7071067811865476)
        exercised = 0.5 + 0.5 * erf(d2 * 0.7071067811865476)
        return s * in_the_money - k * exp(-0.02 * t) * exercised

    return black_scholes


def logistic(xp: Any) -> Program:
    """A step of gradient descent, and what the weights are then."""
    exp = xp.exp

    def logistic(w: Any, x: Any, y: Any) -> Any:
        p = 1 / (1 + exp(-(x @ w)))
        return w - (0.1 / x.shape[0]) * (x.T @ (p - y))

    return logistic


def diffusion(xp: Any, steps: int) -> Program:
    """So many steps of diffusion in a square, whose edges stay: a few launches each."""

    def diffusion(u: Any) -> Any:
        for _ in range(steps):
            new = u.copy()
            around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
            new[1:-1, 1:-1] += 0.1 * (around - 4 * u[1:-1, 1:-1])
            u = new
        return u

    return diffusion


def mandelbrot(xp: Any, most: int) -> Program:
    """How many steps each point of a plane takes to leave a circle, `most` at most."""
    zeros, where, int32 = xp.zeros, xp.where, xp.int32

    def mandelbrot(re: Any, im: Any) -> Any:
        x, y = re * 0, im * 0
        steps = zeros(re.shape, int32)
        for _ in range(most):
            inside = x * x + y * y <= 4
            steps = steps + inside
            x, y = where(inside, x * x - y * y + re, x), where(inside, 2 * x * y + im, y)
        return steps

    return mandelbrot
