"""Classic NumPy programs, written from the published equations, and as one writes them.

Each row of `KERNELS` has the function, and what makes its arguments for a size; `small` sizes are
for tests, `large` ones for measurements. ``sums`` tells that floating sums may be reordered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Kernel:
    """A program: ``function(*arguments(size))``."""

    function: Callable[..., Any]
    arguments: Callable[[int], tuple[Any, ...]]
    small: int
    large: int
    sums: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


# Partial differential equations -------------------------------------------------------------------


def jacobi(u, f, tol, most):
    """Poisson's equation: each point becomes the mean of its neighbours."""
    v, it = u.copy(), 0
    while True:
        v[1:-1, 1:-1] = 0.25 * (
            u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - f[1:-1, 1:-1]
        )
        err = np.abs(v - u).max()
        u[:] = v
        it += 1
        if err < tol or it == most:
            return it, err


def heat(u, steps, r):
    """The heat equation in two dimensions, explicit steps."""
    for _ in range(steps):
        u[1:-1, 1:-1] += r * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )


def stencil(u, c, solid, out):
    """A seven-point stencil with a coefficient for each neighbour, sources and a limit."""
    i = slice(1, -1)
    w, e, s, n, b, t, here, source, loss, limit = (k[i, i, i] for k in c)
    out[:] = u
    out[i, i, i] = (
        here * u[i, i, i] + w * u[:-2, i, i] + e * u[2:, i, i] + s * u[i, :-2, i]
        + n * u[i, 2:, i] + b * u[i, i, :-2] + t * u[i, i, 2:]
    )  # fmt: skip
    new = out[i, i, i]
    new += np.where(new > limit, source - loss * new, source)
    out[solid] = 0.0


def thomas(a, b, c, d):
    """Tridiagonal systems along the last axis, in the memory of `c` and `d`."""
    n = d.shape[-1]
    c[:, :, 0] = c[:, :, 0] / b[:, :, 0]
    d[:, :, 0] = d[:, :, 0] / b[:, :, 0]
    for k in range(1, n):
        m = 1.0 / (b[:, :, k] - a[:, :, k] * c[:, :, k - 1])
        c[:, :, k] = c[:, :, k] * m
        d[:, :, k] = (d[:, :, k] - a[:, :, k] * d[:, :, k - 1]) * m
    for k in range(n - 2, -1, -1):
        d[:, :, k] -= c[:, :, k] * d[:, :, k + 1]
    return d


def cavity(u, v, p, steps, dx, dt, rho, nu):
    """Navier and Stokes' equations in a cavity with a moving lid."""
    b = np.zeros_like(p)
    for _ in range(steps):
        du = (u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx)
        dv = (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dx)
        across = (u[2:, 1:-1] - u[:-2, 1:-1]) * (v[1:-1, 2:] - v[1:-1, :-2]) / (2 * dx * dx)
        b[1:-1, 1:-1] = rho * ((du + dv) / dt - du**2 - across - dv**2)
        for _ in range(10):
            q = p.copy()
            p[1:-1, 1:-1] = 0.25 * (
                q[1:-1, 2:] + q[1:-1, :-2] + q[2:, 1:-1] + q[:-2, 1:-1] - dx * dx * b[1:-1, 1:-1]
            )
            p[:, -1] = p[:, -2]
            p[0, :] = p[1, :]
            p[:, 0] = p[:, 1]
            p[-1, :] = 0
        s, t = u.copy(), v.copy()
        inner, west, south = (slice(1, -1),) * 2, np.s_[1:-1, :-2], np.s_[:-2, 1:-1]
        for w, old, grad in (
            (u, s, p[1:-1, 2:] - p[1:-1, :-2]),
            (v, t, p[2:, 1:-1] - p[:-2, 1:-1]),
        ):
            w[inner] = (
                old[inner]
                - s[inner] * dt / dx * (old[inner] - old[west])
                - t[inner] * dt / dx * (old[inner] - old[south])
                - dt / (2 * rho * dx) * grad
                + nu * dt / dx**2 * (
                    old[1:-1, 2:] + old[west] + old[2:, 1:-1] + old[south] - 4 * old[inner]
                )
            )  # fmt: skip
        u[0, :] = u[:, 0] = u[:, -1] = 0
        u[-1, :] = 1
        v[0, :] = v[-1, :] = v[:, 0] = v[:, -1] = 0
    return u, v, p


def gauss_seidel_rows(u, sweeps):
    """Rows in turn, each from its new upper and its old lower neighbour."""
    for _ in range(sweeps):
        for i in range(1, u.shape[0] - 1):
            u[i, 1:-1] += (
                u[i - 1, 1:-1] + u[i + 1, 1:-1] + u[i, :-2] + u[i, 2:] - 4 * u[i, 1:-1]
            ) / 4


def gauss_seidel_elements(u, sweeps):
    for _ in range(sweeps):
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                u[i, j] = (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]) / 4


def crank_nicolson(u, r, steps):
    """The heat equation in one dimension; each step solves a tridiagonal system."""
    n = len(u)
    c, d = np.empty(n), np.empty(n)
    for _ in range(steps):
        d[0], d[-1] = u[0], u[-1]
        d[1:-1] = r / 2 * (u[:-2] + u[2:]) + (1 - r) * u[1:-1]
        c[0] = 0.0
        for i in range(1, n - 1):
            m = 1 + r + r / 2 * c[i - 1]
            c[i] = -r / 2 / m
            d[i] = (d[i] + r / 2 * d[i - 1]) / m
        u[-1] = d[-1]
        for i in range(n - 2, -1, -1):
            u[i] = d[i] - c[i] * u[i + 1]
    return u


def nbody(x, v, m, steps, dt):
    """Newton's law of gravitation; positions and velocities change in place."""
    for _ in range(steps):
        for i in range(len(x)):
            d = x - x[i]
            r2 = (d * d).sum(axis=1) + 1e-3
            v[i] += dt * ((m / (r2 * np.sqrt(r2)))[:, None] * d).sum(axis=0)
        x += dt * v


# Matrices -----------------------------------------------------------------------------------------


def floyd_warshall(d):
    """The shortest ways between all pairs."""
    n = len(d)
    for k in range(n):
        for i in range(n):
            d[i] = np.minimum(d[i], d[i, k] + d[k])


def lu(a):
    """Gauss' elimination in place; the lower part holds the factors."""
    n = len(a)
    for k in range(n - 1):
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= a[k + 1 :, k, None] * a[k, k + 1 :]


def cholesky(a):
    n = len(a)
    lower = np.zeros_like(a)
    for j in range(n):
        s = a[j, j] - lower[j, :j] @ lower[j, :j]
        if s <= 0:
            raise ValueError("not positive definite")
        lower[j, j] = np.sqrt(s)
        lower[j + 1 :, j] = (a[j + 1 :, j] - lower[j + 1 :, :j] @ lower[j, :j]) / lower[j, j]
    return lower


def gram_schmidt(a):
    q = a.copy()
    for j in range(a.shape[1]):
        for i in range(j):
            q[:, j] -= (q[:, i] @ q[:, j]) * q[:, i]
        q[:, j] /= np.sqrt(q[:, j] @ q[:, j])
    return q


def triangular_solve(a, b):
    x = np.zeros_like(b)
    for i in range(len(b)):
        x[i] = (b[i] - a[i, :i] @ x[:i]) / a[i, i]
    return x


def matrix_product(a, b):
    n, m = a.shape[0], b.shape[1]
    c = np.zeros((n, m))
    for i in range(n):
        for j in range(m):
            for k in range(a.shape[1]):
                c[i, j] += a[i, k] * b[k, j]
    return c


def csr_product(indptr, indices, data, x):
    y = np.empty(len(indptr) - 1)
    for i in range(len(y)):
        s = slice(indptr[i], indptr[i + 1])
        y[i] = data[s] @ x[indices[s]]
    return y


# Numbers ------------------------------------------------------------------------------------------


def mandelbrot_masks(c, limit):
    """All points at once; those that escaped are left out."""
    z = np.zeros_like(c)
    n = np.zeros(c.shape, np.int64)
    for _ in range(limit):
        inside = np.abs(z) <= 2
        z[inside] = z[inside] * z[inside] + c[inside]
        n[inside] += 1
    return n


def escape(width, height, limit):
    """One point after the other."""
    out = np.zeros((height, width), np.int64)
    for y in range(height):
        for x in range(width):
            c = complex(-2 + 3 * x / width, -1.5 + 3 * y / height)
            z, n = 0j, 0
            while abs(z) <= 2 and n < limit:
                z, n = z * z + c, n + 1
            out[y, x] = n
    return out


def insertion_sort(x):
    for i in range(1, len(x)):
        value, j = x[i], i - 1
        while j >= 0 and x[j] > value:
            x[j + 1] = x[j]
            j -= 1
        x[j + 1] = value


def common_subsequence(a, b):
    """The length of the longest common subsequence."""
    table = np.zeros((len(a) + 1, len(b) + 1), np.int64)
    for i in range(len(a)):
        for j in range(len(b)):
            if a[i] == b[j]:
                table[i + 1, j + 1] = table[i, j] + 1
            else:
                table[i + 1, j + 1] = max(table[i, j + 1], table[i + 1, j])
    return table[-1, -1]


def collatz(limit):
    """The start below `limit` with the longest way to 1."""
    best, longest = 0, 0
    for start in range(1, limit):
        n, steps = start, 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        if steps > longest:
            best, longest = start, steps
    return best, longest


def sieve(n):
    """The primes below `n`."""
    prime = np.ones(n, np.bool_)
    prime[:2] = False
    i = 2
    while i * i < n:
        if prime[i]:
            prime[i * i :: i] = False
        i += 1
    return np.nonzero(prime)[0]


def queens(n):
    """In how many ways `n` queens stand on a board, and none attacks another."""
    columns = np.full(n, -1)
    row, found = 0, 0
    while row >= 0:
        columns[row] += 1
        if columns[row] == n:
            row -= 1
            continue
        free = True
        for k in range(row):
            if columns[k] == columns[row] or abs(columns[k] - columns[row]) == row - k:
                free = False
                break
        if free:
            if row == n - 1:
                found += 1
            else:
                row += 1
                columns[row] = -1
    return found


def histogram(x, low, high, bins):
    counts = np.zeros(bins, np.int64)
    for value in x:
        k = int((value - low) / (high - low) * bins)
        if 0 <= k < bins:
            counts[k] += 1
    return counts


# Arguments ----------------------------------------------------------------------------------------


def field(n: int) -> Any:
    return _rng().uniform(size=(n, n))


def line(n: int) -> Any:
    return _rng().uniform(size=n)


def tridiagonal(n: int) -> tuple[Any, ...]:
    a, c, d = _rng().uniform(size=(3, n, n, n))
    return a, 2.5 + a + c, c, d


def ten_coefficients(n: int) -> tuple[Any, ...]:
    shape = n, n, n
    c = [_rng().uniform(0, 0.1, shape) for _ in range(10)]
    return _rng().uniform(size=shape), c, _rng().uniform(size=shape) < 0.1, np.empty(shape)


def bodies(n: int) -> tuple[Any, ...]:
    return _rng().standard_normal((n, 3)), np.zeros((n, 3)), np.full(n, 1.0 / n), 10 * n, 1e-3


def positive(n: int) -> Any:
    a = field(n)
    return a @ a.T + n * np.eye(n)


def sparse(n: int) -> tuple[Any, ...]:
    counts = _rng().integers(0, 9, n)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return indptr, _rng().integers(0, n, indptr[-1]), line(indptr[-1]), line(n)


def plane(n: int) -> Any:
    return np.linspace(-2, 1, n) + 1j * np.linspace(-1.5, 1.5, n)[:, None]


def letters(n: int) -> tuple[Any, ...]:
    return tuple(_rng().integers(0, 4, (2, n)))


KERNELS = {
    k.name: k
    for k in [
        Kernel(jacobi, lambda n: (field(n), field(n), 1e-9, 2 * n), 8, 500),
        Kernel(heat, lambda n: (field(n), 2 * n, 0.2), 8, 500),
        Kernel(stencil, ten_coefficients, 5, 100),
        Kernel(thomas, tridiagonal, 5, 100),
        Kernel(cavity, lambda n: (*np.zeros((3, n, n)), n, 2 / (n - 1), 1e-3, 1.0, 0.1), 6, 60),
        Kernel(gauss_seidel_rows, lambda n: (field(n), 10), 7, 500),
        Kernel(gauss_seidel_elements, lambda n: (field(n), 3), 7, 200),
        Kernel(crank_nicolson, lambda n: (line(n), 0.4, 10 * n), 7, 1000),
        Kernel(nbody, bodies, 4, 100, sums=True),
        Kernel(floyd_warshall, lambda n: (field(n),), 7, 200),
        Kernel(lu, lambda n: (positive(n),), 7, 200),
        Kernel(cholesky, lambda n: (positive(n),), 7, 200, sums=True),
        Kernel(gram_schmidt, lambda n: (positive(n),), 4, 200, sums=True),
        Kernel(triangular_solve, lambda n: (positive(n), line(n)), 7, 200, sums=True),
        Kernel(matrix_product, lambda n: (field(n), field(n)), 3, 120),
        Kernel(csr_product, sparse, 9, 20_000, sums=True),
        Kernel(mandelbrot_masks, lambda n: (plane(n), 20), 9, 500),
        Kernel(escape, lambda n: (n, n, 30), 5, 200),
        Kernel(insertion_sort, lambda n: (line(n),), 9, 2000),
        Kernel(common_subsequence, letters, 7, 1000),
        Kernel(collatz, lambda n: (n,), 12, 20_000),
        Kernel(sieve, lambda n: (n,), 60, 1_000_000),
        Kernel(queens, lambda n: (n,), 4, 8),
        Kernel(histogram, lambda n: (field(n).ravel(), 0.1, 0.9, 10), 6, 500),
    ]
}
