"""Angles far from zero and gammaln below it, which are computed one by one: the CPU's bits."""

from __future__ import annotations

import re
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
from test_kernels import on_device, same
from test_vecmath import evaluate, largest_error, random_patterns

import tracejit
from tracejit.intrinsics.vecmath import below_zero
from tracejit.intrinsics.vecmath.far import TWO_OVER_PI

FUNCTIONS = {"sin": np.sin, "cos": np.cos, "tan": np.tan, "gammaln": scipy.special.gammaln}
#: The float64 that is nearest to a quarter turn, among others.
WORST = (6381956970095103 * 2.0**797, 5319372648326541416707072.0, 2.0**1023, 2.0**20, 2.0**19)


def numbers(name: str, dtype: Any) -> np.ndarray:
    """Numbers of all magnitudes; those that are far or below zero are half of them."""
    rng = np.random.default_rng(len(name))
    patterns = random_patterns(rng, dtype, 3000)
    near = rng.normal(size=500).astype(dtype)
    whole = -np.arange(60.0, dtype=dtype)
    steps = np.spacing(whole)
    with np.errstate(over="ignore"):
        special = np.array([*WORST, np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    below = [-rng.uniform(0, 200, 1000).astype(dtype), whole, whole + steps, whole - steps]
    zeros = np.array([zero for zero, *_ in below_zero.ZEROS], dtype)
    below += [zeros + k * np.spacing(zeros) for k in range(-5, 6)]
    return np.concatenate([patterns, -patterns, near, special, *below])


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits(name: str, dtype: Any) -> None:
    f, x = FUNCTIONS[name], numbers(name, dtype)
    with np.errstate(all="ignore"):
        got, want = (on_device(lambda x: f(x), x, device=d) for d in ("fake", "cpu"))
    same(got, want)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_instructions(name: str) -> None:
    [text] = tracejit.cuda.ptx(lambda x: FUNCTIONS[name](x), np.ones(3)).values()
    assert not re.search(r"\.local|\bcall\b|\.approx|\.ftz", text)


def test_accuracy_of_angles() -> None:
    rng = np.random.default_rng(3)
    patterns = random_patterns(rng, np.float64, 3000)
    x = np.concatenate([WORST, patterns[patterns > 2.0**19]])
    for name, most in (("sin", 0.8), ("cos", 0.8), ("tan", 2.0)):
        with mpmath.workprec(1400):
            exact = [getattr(mpmath, name)(mpmath.mpf(v)) for v in x.tolist()]
        assert largest_error(evaluate(name, x), exact) <= most


def log_gamma(x: Any) -> Any:
    if x > -500:
        return mpmath.log(abs(mpmath.gamma(x)))
    return mpmath.log(mpmath.pi) - mpmath.log(abs(x * mpmath.sinpi(x))) - mpmath.loggamma(-x)


def test_accuracy_below_zero() -> None:
    """Rounded nearly as it should be; to two units next to the first zeros."""
    rng = np.random.default_rng(4)
    whole = -np.arange(1.0, 60.0)
    steps = [k * np.spacing(whole) for k in (-1e6, -3, -1, 1, 3, 1e6)]
    parts = [
        *(whole + s for s in steps),
        -rng.uniform(0, 200, 1500),
        -(10 ** rng.uniform(3, 13, 300)),
    ]
    x = np.concatenate([*parts, -(10 ** rng.uniform(-300, 0, 200))])
    zeros = np.array([zero for zero, *_ in below_zero.ZEROS])
    near = np.concatenate([zeros + k * np.spacing(zeros) for k in (*range(-9, 10), 40, 4e3, 1e5)])
    for places, most in ((x[x != np.round(x)], 0.52), (near, 2.0)):
        with mpmath.workprec(250):
            exact = [log_gamma(mpmath.mpf(v)) for v in places.tolist()]
        assert largest_error(evaluate("gammaln", places), exact) <= most


def test_digits() -> None:
    with mpmath.workprec(1400):
        digits = int(mpmath.floor(2 / mpmath.pi * mpmath.mpf(2) ** 1216))
    assert digits == sum(w << 64 * k for k, w in enumerate(reversed(TWO_OVER_PI)))


def test_coefficients() -> None:
    with mpmath.workprec(400):
        series = [mpmath.mpf(1)]
        for m in range(1, 32):  # of the logarithm's derivative
            terms = ((-1) ** k * mpmath.zeta(k) * series[m - k] for k in range(2, m + 1))
            series.append((mpmath.euler * series[-1] - sum(terms)) / m)
        count = len(below_zero.RECIPROCAL)
        for exact, (high, low) in zip(series, below_zero.RECIPROCAL, strict=False):
            assert high == float(exact) and low == float(exact - high)
        assert tuple(map(float, series[count:])) == below_zero.RECIPROCAL_TAIL
        for high, low, slope, bend in below_zero.ZEROS:
            zero = mpmath.mpf(high) + low
            assert abs(log_gamma(zero) / slope) < 2.0**-100
            assert slope == float(mpmath.digamma(zero))
            assert bend == pytest.approx(float(mpmath.polygamma(1, zero) / 2), rel=1e-14)
