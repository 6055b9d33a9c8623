"""Checks of symbolic gradients: they pass where the gradient is right, and fail where it is not."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.gradient import GradientError, grad_scale, numeric_grad, verify_grad


def rng():
    return np.random.RandomState(7)


def points(*shapes, dtype="float64"):
    return [np.asarray(rng().random_sample(shape) + 0.5, dtype) for shape in shapes]


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False):
        yield


CASES = {
    "elementwise": (lambda x, y: T.tanh(x) * y, [(3, 2), (3, 2)]),
    "broadcast": (lambda x, y: x / y, [(3, 1), (1, 4)]),
    "dot": (T.dot, [(2, 3), (3, 4)]),
    "scalar": (lambda x: x**3, [()]),
    "softmax": (T.nnet.softmax, [(3, 4)]),
    "subtensor": (lambda x: T.set_subtensor(x[1:], x[0] ** 2), [(3, 2)]),
    "disconnected": (lambda x, y: T.exp(x), [(3,), (2,)]),
    "empty": (lambda x: T.exp(x), [(0, 3)]),
}


@pytest.mark.parametrize("name", CASES)
def test_right_gradients_pass(name):
    fun, shapes = CASES[name]
    T.verify_grad(fun, points(*shapes), rng=rng())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_tolerances_go_by_dtype(dtype):
    verify_grad(lambda x: T.sqr(x).sum(axis=0), points((3, 2), dtype=dtype), rng=rng())


def test_output_of_another_dtype():
    verify_grad(
        lambda x: T.cast(T.exp(x), "float32"),
        points((3,)),
        rng=rng(),
        out_type="float32",
        cast_to_output_type=True,
    )


def test_a_wrong_gradient_says_where():
    x = np.array([0.5, 2.0])
    with pytest.raises(GradientError, match="argument 1 differs at flat position 1") as caught:
        verify_grad(lambda a, b: T.exp(a) + grad_scale(b**2, 2.0), [x, x], rng=rng())
    error = caught.value
    assert (error.arg, error.err_pos) == (1, 1)
    assert error.rel_err == pytest.approx(1 / 3, rel=1e-3)
    assert error.abs_tol == error.rel_tol == 1e-4
    verify_grad(lambda a: grad_scale(a, 2.0), [x], rng=rng(), rel_tol=0.5)


def test_a_gradient_of_nan_is_wrong():
    nan = lambda x: T.switch(x > 0, x, T.sqrt(x))  # noqa: E731
    with pytest.raises(GradientError):
        verify_grad(lambda x: nan(x - 1) * 1.0, [np.array([3.0, 0.5])], rng=rng(), abs_tol=1e-3)


def test_numeric_grad():
    f = lambda x, y: (x**2).sum() + y.prod()  # noqa: E731
    x, y = np.array([1.0, -2.0]), np.array([3.0, 4.0])
    found = numeric_grad(f, [x, y])
    np.testing.assert_allclose(found.gf[0], 2 * x, rtol=1e-8)
    np.testing.assert_allclose(found.gf[1], [4, 3], rtol=1e-8)
    assert (x == [1.0, -2.0]).all()
    np.testing.assert_allclose(numeric_grad(np.sum, x).gf, [1, 1], rtol=1e-8)
    assert found.max_err([2 * x, np.array([4.0, 5.0])], 1e-4, 1e-4)[:2] == (1, 1)
    assert found.max_err([2 * x + [0, 1], y[::-1]], 0.0, 0.0)[:2] == (0, 1)
    with pytest.raises(ValueError, match="argument 0 has shape"):
        found.max_err([np.zeros(3), y], 1e-4, 1e-4)


def test_refusals():
    with pytest.raises(ValueError, match="rng"):
        verify_grad(T.exp, points((2,)))
    with pytest.raises(TypeError, match="point 0 is int64"):
        verify_grad(T.exp, [np.arange(3)], rng=rng())
    with pytest.raises(NotImplementedError, match="multiple outputs"):
        verify_grad(lambda x: [x, x], points((2,)), rng=rng())
