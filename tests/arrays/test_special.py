"""Functions of ``scipy.special`` that are no ufuncs: SciPy's values, compiled, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from scipy.special import logsumexp

import tracejit

X = np.random.default_rng(0).normal(size=(4, 5))
X[0, 0] = -np.inf


@pytest.mark.parametrize("f", [
    lambda x: scipy.special.softmax(x, axis=1),
    lambda x: scipy.special.softmax(x),
    lambda x: scipy.special.log_softmax(x, axis=1),
    lambda x: logsumexp(x),
    lambda x: scipy.special.logsumexp(x, axis=0, b=np.arange(1.0, 6.0)),
    lambda x: scipy.special.logsumexp(x, 1, keepdims=True),
    lambda x: scipy.special.logsumexp(np.full(3, -np.inf) + 0 * x[1, :3]),
])  # fmt: skip
def test_values(f):
    g = tracejit.function(f, on_unsupported="error")
    got, want = g(X), f(X)
    assert type(got) is type(want)
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_gradients():
    x = np.array([1000.0, 999.0, -1000.0])
    with tracejit.config(compile=False):
        np.testing.assert_allclose(
            tracejit.grad(lambda x: logsumexp(x))(x), scipy.special.softmax(x), atol=1e-15
        )
        slope = tracejit.grad(lambda x: scipy.special.log_softmax(x)[1])(x)
    want = -scipy.special.softmax(x)
    want[1] += 1
    np.testing.assert_allclose(slope, want, atol=1e-15)


def test_what_is_refused():
    with pytest.raises(tracejit.UnsupportedError, match="signs"):
        tracejit.function(lambda x: logsumexp(x, return_sign=True), on_unsupported="error")(X)
