"""Poisson's equation by successive over-relaxation, point by point, until it converges.

Run: python examples/poisson.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def relax(u: Array, f: Array, h: float, omega: float, tolerance: float, most: int) -> int:
    """Solve ``laplacian(u) = f`` on a square grid (n, n) of distance `h`, in the memory of `u`.

    The iterations that it took, `most` at most (Young 1954).
    """
    for iteration in range(most):
        change = 0.0
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
                step = omega * (0.25 * (around - h * h * f[i, j]) - u[i, j])
                u[i, j] += step
                change = max(change, abs(step))
        if change < tolerance:
            return iteration + 1
    return most


def main() -> None:
    n = 80
    x = np.linspace(0.0, 1.0, n)
    exact = np.sin(np.pi * x)[:, None] * np.sin(2 * np.pi * x)
    f, h = -5 * np.pi**2 * exact, x[1] - x[0]
    omega = 2 / (1 + np.sin(np.pi * h))
    compiled = tracejit.function(relax, on_unsupported="error")
    u, other = np.zeros((n, n)), np.zeros((n, n))
    assert compiled(u, f, h, omega, 1e-10, 3) == relax(other, f, h, omega, 1e-10, 3)
    np.testing.assert_array_equal(u, other)
    iterations = compiled(u, f, h, omega, 1e-10, 10_000)
    error = np.abs(u - exact).max()
    assert error < 4 * h * h
    print(f"{iterations} iterations on {n} × {n} points; {error:.1e} off the exact solution")


if __name__ == "__main__":
    main()
