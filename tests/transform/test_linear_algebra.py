"""Derivatives of linear algebra and of Fourier transforms, against differences of values."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=200)
A = RNG.normal(size=(4, 4)) + 3 * np.eye(4)
T = RNG.normal(size=(5, 3))
S = RNG.normal(size=(2, 3, 3)) + 2 * np.eye(3)
B = RNG.normal(size=4)


def w(x):
    """A number that tells all elements apart."""
    weights = WEIGHTS[: 2 * x.size].reshape(2, *x.shape)
    return (x.real * weights[0]).sum() + (x.imag * weights[1]).sum()


def c(a):
    """A complex matrix."""
    return a + 1j * a[::-1] @ (a.T @ a) / 5


def sums(result):
    return sum((k + 1) * w(x) for k, x in enumerate(result))


CASES = {
    "solve": (lambda a, b: w(np.linalg.solve(a, b)), A, B),
    "solve for columns": (lambda a, b: w(np.linalg.solve(a, b)), A, A[:, :2].copy()),
    "solve for a stack": (lambda a, b: w(np.linalg.solve(a, b)), A, RNG.normal(size=(2, 4, 1))),
    "solve of a stack": (lambda a, b: w(np.linalg.solve(a, b)), S, B[:3].copy()),
    "solve, complex": (lambda a: w(np.linalg.solve(c(a), a + 2j)), A),
    "inv": (lambda a: w(np.linalg.inv(a)), S),
    "inv, complex": (lambda a: w(np.linalg.inv(c(a))), A),
    "det": (lambda a: np.linalg.det(a), A),
    "dets": (lambda a: w(np.linalg.det(a)), S),
    "det of what is singular": (lambda a: np.linalg.det(a), np.diag([1.0, 2.0, 0.0, 3.0])),
    "det, complex": (lambda a: w(np.linalg.det(c(a))), A),
    "slogdet": (lambda a: w(np.linalg.slogdet(a)[1]), S),
    "slogdet, complex": (lambda a: sums(np.linalg.slogdet(c(a))), A),
    "cholesky": (lambda a: w(np.linalg.cholesky(a)), A @ A.T),
    "cholesky, upper": (lambda a: w(np.linalg.cholesky(a, upper=True)), A @ A.T),
    "cholesky, complex": (lambda a: w(np.linalg.cholesky(20 * np.eye(4) + c(a))), A),
    "qr": (lambda a: sums(np.linalg.qr(a)), T),
    "qr, wide": (lambda a: sums(np.linalg.qr(a)), T.T.copy()),
    "qr of a stack": (lambda a: sums(np.linalg.qr(a)), S),
    "qr, R": (lambda a: w(np.linalg.qr(a, mode="r")), T),
    "svd": (lambda a: sums(np.linalg.svd(a)), A),
    "svd of a stack": (lambda a: sums(np.linalg.svd(a)), S),
    "svd, tall": (lambda a: sums(np.linalg.svd(a, full_matrices=False)), T),
    "svd, wide": (lambda a: sums(np.linalg.svd(a, full_matrices=False)), T.T.copy()),
    "svd, all vectors": (lambda a: sums(np.linalg.svd(a)[1:]), T),
    "svd, projection": (lambda a: w((u := np.linalg.svd(a)[0][:, 3:]) @ u.T), T),
    "svd, complex": (lambda a: sums(np.abs(x) for x in np.linalg.svd(c(a))), A),
    "svdvals": (lambda a: w(np.linalg.svdvals(a)), S),
    "eigh": (lambda a: sums(np.linalg.eigh(a)), A + A.T),
    "eigh, upper": (lambda a: sums(np.linalg.eigh(a, "U")), S),
    "eigh, complex": (lambda a: sums(np.abs(x) for x in np.linalg.eigh(c(a))), A),
    "eigvalsh": (lambda a: w(np.linalg.eigvalsh(a)), S),
    "eig": (lambda a: w(np.linalg.eig(a + 0j)[0]) + w(np.abs(np.linalg.eig(a + 0j)[1])), A),
    "eigvals": (lambda a: w(np.linalg.eigvals(c(a))), A),
    "pinv": (lambda a: w(np.linalg.pinv(a)), T),
    "pinv, wide": (lambda a: w(np.linalg.pinv(a)), T.T.copy()),
    "pinv, complex": (lambda a: w(np.linalg.pinv(a + 1j * a[::-1])), T),
    "lstsq": (lambda a, b: sums(np.linalg.lstsq(a, b)[::3]), T.T.copy(), B[:3].copy()),
    "norms": (lambda a: np.linalg.norm(a, 2) + np.linalg.norm(a, -2) * np.linalg.norm(a, "nuc"), A),
    "cond": (lambda a: np.linalg.cond(a) + np.linalg.cond(a, 1), A),
    "matrix_power": (lambda a: w(np.linalg.matrix_power(a, -5)), A),
    "multi_dot": (lambda a: w(np.linalg.multi_dot([a, a, a, a])), A),
    "tensorinv": (lambda a: w(np.linalg.tensorinv(a.reshape(2, 2, 4))), A),
    "fft": (lambda a: w(np.fft.fft(a, axis=0)) + w(np.fft.ifft(c(a), 3, norm="ortho")), A),
    "fft, more points": (lambda a: w(np.fft.fft(a, 7)), A),
    "rfft": (lambda a: w(np.fft.rfft(a)) + w(np.fft.rfft(a, 3)) + w(np.fft.rfft(a, 9, axis=0)), A),
    "irfft": (
        lambda a: w(np.fft.irfft(c(a))) + w(np.fft.irfft(a, 5)) + w(np.fft.irfft(c(a), 10)),
        A,
    ),
    "hfft": (lambda a: w(np.fft.hfft(c(a))) + w(np.fft.ihfft(a, norm="forward")), A),
    "fftn": (lambda a: w(np.fft.ifftn(c(a))) + w(np.fft.irfftn(np.fft.rfft2(a) ** 2)), A),
    "fftshift": (lambda a: w(np.fft.fftshift(a)) + w(np.fft.fftfreq(4, a[0, 0]) * a), A),
}


@pytest.mark.parametrize("name", CASES)
def test_against_differences(name):
    """Backwards and forwards, and of the way back again."""
    f, *args = CASES[name]
    with tracejit.config(compile=False, check=True):
        order = 1 if "singular" in name else 2
        check_grads(f, args, order, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["solve", "det of what is singular", "svd, tall", "irfft", "qr"])
def test_compiled(name):
    f, *args = CASES[name]
    with tracejit.config(compile=False):
        want = tracejit.grad(f)(*args)
    np.testing.assert_allclose(tracejit.grad(f)(*args), want, rtol=1e-9, atol=1e-12)


def full_rank(a, b):
    x, residuals, _, s = np.linalg.lstsq(a, b)
    return w(x) + w(residuals) + w(s)


def all_real(a):
    values, vectors = np.linalg.eig(a)
    return w(values) + w(np.abs(vectors))


@pytest.mark.parametrize(("f", "args"), [
    (full_rank, (T, RNG.normal(size=5))), (all_real, (np.diag([1.0, 2.0, 4.0]) + 0.1,)),
    (all_real, (np.array([[0.0, 2.0], [-1.0, 0.5]]),)),
])  # fmt: skip
def test_what_values_decide(f, args):
    with tracejit.config(compile=False):
        check_grads(f, args, rtol=1e-5, atol=1e-5)


def test_jacobians_are_batched():
    jacobian = tracejit.jacobian(lambda a: np.linalg.solve(a, a[0]))
    hessian = tracejit.hessian(lambda b: b @ np.linalg.solve(A, b) + np.linalg.det(A * b[0]))
    with tracejit.config(compile=False):
        found, step = jacobian(A), 1e-6
        for at in np.ndindex(4, 4):
            moved = [A.copy(), A.copy()]
            moved[0][at] += step
            moved[1][at] -= step
            up, down = (np.linalg.solve(m, m[0]) for m in moved)
            np.testing.assert_allclose(found[:, *at], (up - down) / 2 / step, rtol=1e-6, atol=1e-8)
        inverse, first = np.linalg.inv(A), np.zeros((4, 4))
        first[0, 0] = 12 * np.linalg.det(A) * B[0] ** 2
        np.testing.assert_allclose(hessian(B), inverse + inverse.T + first, rtol=1e-10)


def in_a_loop(s):
    total = 0.0
    for k in range(len(s)):
        total = total + w(np.linalg.pinv(s[k])) + w(np.linalg.qr(s[k])[1]) * np.linalg.det(s[k])
    return total


def test_in_a_loop():
    equal = np.linalg.qr(S)[0]  # all singular values are the same
    stack = np.concatenate([S, S[::-1] + np.eye(3), 2 * S, equal] * 4)
    with tracejit.config(compile=False):
        found = tracejit.grad(in_a_loop)(stack)
    for k in (0, 3, 6):
        one = stack[k : k + 1]
        np.testing.assert_allclose(found[k], tracejit.grad(in_a_loop)(one)[0], rtol=1e-9)
        check_grads(in_a_loop, (one,), order=1, rtol=1e-5, atol=1e-5)


def test_equal_values_have_no_infinite_slopes():
    with tracejit.config(compile=False):
        for f in (lambda a: w(np.linalg.svdvals(a)), lambda a: sums(np.linalg.eigh(a)),
                  lambda a: sums(np.linalg.svd(a))):  # fmt: skip
            assert np.isfinite(tracejit.grad(f)(2 * np.eye(3))).all()


def test_what_numpy_does_not_read_has_no_slope():
    with tracejit.config(compile=False):
        for f in (lambda a: w(np.linalg.cholesky(a)), lambda a: w(np.linalg.eigvalsh(a))):
            assert not np.triu(tracejit.grad(f)(A @ A.T), 1).any()


def test_integers_of_factors_have_no_derivative():
    with pytest.raises(tracejit.UnsupportedError, match="no derivative"):
        tracejit.grad(lambda a: w(np.linalg.qr(a, mode="complete")[0]))(T)
