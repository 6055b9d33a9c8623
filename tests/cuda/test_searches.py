"""Searches in sorted arrays, correlations, quantiles and bits, on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_kernels import on_device, same

X = np.random.default_rng(0).normal(size=1000)
A = np.sort(X[:300])


@pytest.mark.parametrize("f, args", [
    (lambda a, v: np.searchsorted(a, v), (A, X)),
    (lambda a, v: np.searchsorted(a, v, "right"), (A, np.where(X > 2, np.nan, X))),
    (lambda a, v: np.interp(v, a, a * a), (A, X)),
    (lambda x: np.histogram(x, 10)[0], (X,)),
    (lambda x: np.quantile(x, [0.2, 0.5]), (X,)),
    (lambda x: x.view(np.int64) + 1, (X,)),
    (lambda x: np.repeat(x, (x > 0) * 2), (X,)),
])  # fmt: skip
def test_as_on_the_cpu(f: Any, args: Any) -> None:
    same(on_device(f, *args), on_device(f, *args, device="cpu"))


def test_correlations() -> None:
    """The sums of a GPU's threads have another order."""

    def f(x, k):
        return np.convolve(x, k), np.correlate(x, k, "same")

    for got, want in zip(on_device(f, X, X[:7]), f(X, X[:7]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
