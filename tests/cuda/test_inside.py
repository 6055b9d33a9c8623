"""Loops of steps that a kernel holds whole: one launch, in registers, with the CPU's bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same

import tracejit
from tracejit.theano.flags import change_flags

R = np.random.default_rng(3)
Z = R.normal(size=(20, 30)) + 1j * R.normal(size=(20, 30))


def escape_times(c, n):
    z, count = np.zeros_like(c), np.zeros(c.shape, np.int64)
    for _ in range(n):
        inside = z.real * z.real + z.imag * z.imag <= 4
        z = np.where(inside, z * z + c, z)
        count += inside
    return count


def in_parts(x, y, n):
    a, b, t = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for _ in range(n):
        aa, bb = a * a, b * b
        go = aa + bb <= 4
        b = np.where(go, 2 * a * b + y, b)
        a = np.where(go, aa - bb + x, a)
        t += go
    return t


def recurrence(x, n):
    y = x.copy()
    for k in range(n):
        y = 0.5 * y + np.sin(x * k)
    return y


def eliminated(d, w):
    for k in range(1, d.shape[-1]):
        d[..., k] -= w[..., k] * d[..., k - 1]


def halves(x, n):
    for _ in range(n):
        x[:] = x * np.float16(0.5) + 1
    return x


def diffused(u, n):
    for _ in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


def with_a_sum(x, n):
    for _ in range(n):
        x[:] = x / x.sum()
    return x


#: A function, its arguments, and how many launches it takes: what is zero at the start is one.
PROGRAMS: list[tuple[Callable[..., Any], tuple[Any, ...], int]] = [
    (escape_times, (Z, 30), 2),
    (in_parts, (Z.real, Z.imag, 30), 2),
    (recurrence, (R.normal(size=100), 7), 1),
    (recurrence, (R.normal(size=(10, 9))[:, ::2], 7), 1),
    (eliminated, (R.normal(size=(20, 30)), R.normal(size=(20, 30))), 1),
    (eliminated, (R.normal(size=(30, 20)).T, R.normal(size=(20, 30))), 3),
    (eliminated, (R.normal(size=(4, 5, 30)), R.normal(size=(4, 5, 30))), 1),
    (halves, (np.arange(50, dtype=np.float16), 5), 1),
    (diffused, (R.normal(size=100), 6), 12),
    (with_a_sum, (R.random(100), 4), 12),
]


@pytest.mark.parametrize("f, args, launches", PROGRAMS, ids=lambda v: getattr(v, "__name__", ""))
def test_steps(f: Callable[..., Any], args: tuple[Any, ...], launches: int) -> None:
    ours, theirs = ([np.array(a) if np.ndim(a) else a for a in args] for _ in range(2))
    want = on_device(f, *ours, device="cpu")
    before = DRIVER.launches
    with change_flags(device="fake"):
        got = tracejit.function(f, on_unsupported="error")(*theirs)
    assert DRIVER.launches - before == launches
    for a, b in zip([got, *theirs], [want, *ours], strict=True):
        if a is not None:
            same(a, b)


def test_what_a_thread_carries_is_in_registers() -> None:
    with change_flags(device="fake"):
        source = tracejit.function(in_parts).source(abs(Z), abs(Z), 30)
    kernel = source[source.index("def kernel1") :].split("\n\n")[0].splitlines()
    [steps] = [k for k, line in enumerate(kernel) if "in range(" in line]
    deep = kernel[steps].index("for") + 1
    inside = [line for line in kernel[steps + 1 :] if line[:deep].isspace()]
    assert len(inside) > 10 and not any("] = " in line for line in inside)
    stores = kernel[steps + 1 + len(inside) :]
    assert [line.split()[0] for line in stores] == ["b1_flat[i2]", "b2_flat[i2]", "b0_flat[i2]"]


def test_no_step_at_all() -> None:
    x = R.normal(size=10)
    with change_flags(device="fake"):
        same(tracejit.function(recurrence)(x, 0), x)


def windows(x, n):
    for k in range(n):
        x[..., k : k + 9] = x[..., k : k + 9] * 0.5 + k
    return x


@pytest.mark.parametrize("shape", [(40,), (6, 30)])
def test_steps_whose_places_move(shape: tuple[int, ...]) -> None:
    """A point of one step is another one's of the next: threads do not share these."""
    x = R.normal(size=shape)
    got, want = (on_device(windows, x.copy(), 8, device=d) for d in ("fake", "cpu"))
    same(got, want)
    same(want, windows(x.copy(), 8))
