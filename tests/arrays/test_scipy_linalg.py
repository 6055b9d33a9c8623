"""``scipy.linalg`` and ``scipy.fft``: LAPACK's routines and NumPy's loops in compiled programs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft as sf
import scipy.linalg as sl
from library_calls import check, flat, function, listed, outcome

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(2)
A = RNG.normal(size=(5, 5)) + 4 * np.eye(5)
Z = A + 1j * RNG.normal(size=(5, 5))
T = RNG.normal(size=(6, 3))
B = RNG.normal(size=5)


EXPRESSIONS = """
sl.inv(a)  sl.inv(z)  sl.det(a)  sl.det(z * 2)  sl.solve(a, b)  sl.solve(a, z)
sl.solve(z, a[:, :2])  sl.solve(a, b, assume_a='gen')
sl.solve_triangular(a, b)  sl.solve_triangular(a, z, lower=True)
sl.solve_triangular(z, b, trans=1)  sl.solve_triangular(z, a, trans='C', lower=True)
sl.solve_triangular(a, b, trans='T', unit_diagonal=True)
sl.solve_triangular(z, b, 2, True, True)  sl.solve_triangular(a.astype(int) + np.eye(5), b)
sl.cholesky(a @ a.T)  sl.cholesky(z @ z.conj().T, lower=True)  sl.cho_factor(a @ a.T)
sl.cho_factor(z @ z.conj().T, lower=True)  sl.cho_solve(sl.cho_factor(a @ a.T), b)
sl.cho_solve(sl.cho_factor(z @ z.conj().T, True), a)  sl.cho_solve((a, False), b)
sl.lu_factor(a)  sl.lu_factor(t)  sl.lu_factor(t.T)  sl.lu_factor(z)
sl.lu_solve(sl.lu_factor(a), b)  sl.lu_solve(sl.lu_factor(z), a, trans=1)
sl.svd(a)  sl.svd(t, full_matrices=False)  sl.svdvals(z)  sl.qr(a)  sl.qr(t)
sl.qr(t.T, mode='economic')  sl.pinv(t)  sl.pinv(z)  sl.eig(z)  sl.eigvals(z)
sl.norm(a)  sl.norm(t, 1)  sl.norm(b, 3)
sl.block_diag(a, t, b)  sl.block_diag(b, z)  sl.toeplitz(b)  sl.toeplitz(b, t[:, 0])
sl.toeplitz(z[0])  sl.toeplitz(b[:1])
sl.eigh(a + a.T)  sl.eigh(z + z.conj().T)  sl.eigh(a + a.T, lower=False)
sl.eigh(a + a.T, eigvals_only=True)  sl.eigvalsh(z + z.conj().T)  sl.lu(a)  sl.lu(t)  sl.lu(t.T)
sl.lu(z)  sl.lu(a, permute_l=True)  sl.lu(t, p_indices=True)  sl.lu(a * 0)
sl.solve_banded((1, 1), t.T[:, :5], b)  sl.solve_banded((1, 1), z[:3], a)
sl.solve_banded((1, 2), a[:4] + 3, b)  sl.solve_banded((0, 0), a[:1], b)
sl.solve_banded((2, 0), a[:3] + 1, z)  sl.solveh_banded(abs(a[:2]) + np.array([[0], [9]]), b)
sl.solveh_banded(abs(a[:3]) + np.array([[0], [0], [9]]), a)
sl.solveh_banded(abs(a[:2]) + np.array([[9], [0]]), z, lower=True)
sl.lstsq(t.T, t.T[:, 0])
sl.hankel(b)  sl.hankel(b, t[:, 0])  sl.hankel(b[:1])  sl.circulant(b)  sl.circulant(z[0])
sl.circulant(b[:1])  sl.null_space(t.T)  sl.null_space(a)  sl.orth(t)  sl.orth(t * 0)
sl.pinv(t, rtol=0.5)
sf.fft(b)  sf.fft(a, axis=0, norm='ortho')  sf.ifft(z, 7)  sf.rfft(a, 4)  sf.irfft(z)  sf.hfft(z)
sf.ihfft(a)  sf.fft2(a)  sf.ifftn(z)  sf.rfftn(a, (3,))  sf.irfft2(z)  sf.fftn(t, axes=(1, 0))
sf.fftshift(a)  sf.ifftshift(b)  sf.fftfreq(len(b)) * b  sf.rfftfreq(8, 2) * b
"""
WRONG = """
sl.inv(a * 0)  sl.inv(a * np.nan)  sl.inv(t)  sl.solve(a * 0, b)  sl.solve(a, t)
sl.solve_triangular(a * 0, b)  sl.solve_triangular(a, b * np.inf)  sl.solve_triangular(t, b)
sl.cholesky(-a)  sl.cho_factor(-a @ a.T)  sl.lu_factor(a * np.nan)  sl.svd(t * np.nan)
sf.rfft(z)  sf.fft(a, 0)  sl.eigh(t)  sl.lu(a * np.nan)  sl.solve_banded((1, 1), a * 0, b)
sl.solve_banded((1, 1), a[:3], b[:4])  sl.solve_banded((1, 2), a[:3], b)
sl.solveh_banded(-abs(a[:2]), b)  sl.lstsq(t, b)  sf.dct(a, 5)  sf.dct(a, 1, 1)  sf.dct(a, norm='n')
"""
SINGLE = """
sl.inv(a)  sl.inv(z)  sl.solve(a, b)  sl.solve(z, a)  sl.solve_triangular(a, b)  sl.det(a)
sl.cholesky(a @ a.T)
sl.cho_solve(sl.cho_factor(a @ a.T), b)  sl.lu_factor(a)  sl.lu_solve(sl.lu_factor(a), b)
sl.svd(t)  sl.svd(z)  sl.svdvals(t)  sl.qr(t)  sl.pinv(t)  sl.eig(z)  sl.norm(a)  sl.eigh(a + a.T)
sl.eigh(z + z.conj().T)  sl.eigvalsh(a + a.T)  sl.lu(a)  sl.lu(z, permute_l=True)
sl.solve_banded((1, 1), a[:3], b)  sl.solveh_banded(abs(a[:2]) + np.array([[0], [9]], 'f'), b)
sl.lstsq(a, b)  sl.orth(t)  sl.null_space(t.T)  sl.solve(a, b.astype(int))
sl.solve(a, b.astype(float))
sf.dct(a)  sf.idst(t, 3, axis=0)
"""


@pytest.mark.parametrize("expression", [*listed(EXPRESSIONS), *listed(WRONG)])
def test_every_function(expression):
    f = function(expression, "a, z, t, b", sl=sl, sf=sf)
    assert isinstance(outcome(f, A, Z, T, B), type) == (expression in WRONG)
    check(f, A, Z, T, B, near=1e-11)


@pytest.mark.parametrize("expression", [
    "sl.solve(a, b)", "sl.solve_triangular(z, a, 'C', True)", "sl.toeplitz(b)",
    "sl.cho_solve(sl.cho_factor(a @ a.T), b)", "sl.lu_solve(sl.lu_factor(a), t[:5])",
    "sl.eigh(a + a.T)", "sl.eigh(z + z.conj().T)", "sl.lu(t)", "sl.solve_banded((1, 1), a[:3], b)",
    "sl.solveh_banded(abs(a[:2]) + np.array([[0], [9]]), b)",
    "sl.null_space(t.T)", "sl.solve_banded((1, 1), a * 0, b)", "sf.dct(a)", "sf.idstn(t)",
    "sl.eigh((a + a.T).astype('f'))[0].astype(float) // 1", "sl.svdvals(t.astype('f')) // 1",
    "sl.solve_triangular(a * 0, b)", "sl.block_diag(a, t, b)", "sf.rfftn(a, (3,))",
])  # fmt: skip
def test_compiled(expression):
    check(function(expression, "a, z, t, b", sl=sl, sf=sf), A, Z, T, B, compile=True, near=1e-11)


@pytest.mark.parametrize("expression", listed(SINGLE))
def test_single_precision(expression):
    f = function(expression, "a, z, t, b", sl=sl, sf=sf)
    args = [x.astype("F" if x.dtype.kind == "c" else "f") for x in (A, Z, T, B)]
    with tracejit.config(compile=False):
        got, want = tracejit.function(f, on_unsupported="error")(*args), f(*args)
    for x, y in zip(flat(got), flat(want), strict=True):
        assert (type(x), np.asarray(x).dtype) == (type(y), np.asarray(y).dtype)
        np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst", "dctn", "idstn"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_cosines_and_sines(name, kind):
    for norm in (None, "ortho", "forward", "backward"):
        for more in ("", "axis=0", "n=4", "n=9", "orthogonalize=False", "orthogonalize=True"):
            if not (name[-1] == "n" and more[:1] in ("a", "n")):
                text = f"sf.{name}(t, {kind}, norm={norm!r}, {more})"
                call = function(text, "a, z, t, b", sf=sf)
                check(call, A, Z, T, B, near=1e-11)
                check(call, A, Z, (9 * T).astype(int), B, near=1e-11)


def least_squares(a, z, t, b):
    return sl.lstsq(t, t[:, 0]), sl.lstsq(t, t[:, :2], lapack_driver="gelsd"), sl.lstsq(z, b, 0.1)


@pytest.mark.parametrize("compile", [False, True])
def test_least_squares(compile):
    """Whether the rank is full decides the shape of the residuals."""
    for t in (T, T * [1.0, 2.0, 0.0]):
        check(least_squares, A, Z, t, B, compile=compile)


def exponentials(a, z):
    return sl.expm(a), sl.expm(z * 9), sl.expm(a * 1e-3), sl.expm(a * 0)


@pytest.mark.parametrize("compile", [False, True])
def test_exponentials(compile):
    got = exponentials(A, Z)
    with tracejit.config(compile=compile):
        found = tracejit.function(exponentials, on_unsupported="error")(A, Z)
    for x, y in zip(found, got, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12 * np.abs(y).max())


@pytest.mark.parametrize("f", [sl.sqrtm, sl.logm, sl.ldl, sl.schur])
def test_what_is_a_host_call(f):
    def around(a):
        return f(a + a.T)[0] + 1

    with pytest.warns(tracejit.UnsupportedWarning):
        got = tracejit.function(around, on_unsupported="warn")(A)
    np.testing.assert_array_equal(got, around(A))


def test_what_is_nearly_singular_is_scipys():
    """SciPy warns of it, in words that depend on the values."""
    f = tracejit.function(lambda a: sl.solve(a, a[0]), on_unsupported="warn")
    f(A)
    with pytest.warns() as told:
        f(np.array([[1.0, 1.0], [1.0, 1.0 + 1e-16 * 3]]))
    assert {w.category for w in told} == {sl.LinAlgWarning, tracejit.UnsupportedWarning}


def eigen(a):
    return sl.eig(a), sl.eigvals(a)


@pytest.mark.parametrize("compile", [False, True])
def test_eigenvectors_are_real_if_all_eigenvalues_are(compile):
    for a in (np.diag([1.0, 2.0, 4.0]), np.array([[0.0, 1.0], [-1.0, 0.0]]), Z):
        check(eigen, a, compile=compile, near=1e-11)


CASES = {
    "solve": (lambda a, b: sl.solve(a, b), A, B),
    "solve_triangular": (lambda a, b: sl.solve_triangular(a, b), A, B),
    "solve_triangular, lower": (
        lambda a, b: sl.solve_triangular(a, b, 1, True, True),
        A,
        T[:5].copy(),
    ),
    "cho_solve": (lambda a, b: sl.cho_solve(sl.cho_factor(a @ a.T), b), A, B),
    "cho_solve, lower": (lambda a: sl.cho_solve((a, True), a[0]), A),
    "inv": (lambda a: sl.inv(a) * sl.det(a), A),
    "eigh": (lambda a: sl.eigh(a + a.T)[1] ** 2 * sl.eigvalsh(a @ a.T)[0], A),
    "eigh, complex": (lambda a: np.real(sl.eigh(a + a.T + 1j * (a - a.T))[0]), A),
    "dct": (lambda b: sf.dct(b) * sf.idst(b, 3), B),
    "fft": (lambda b: np.abs(sf.fft(b)) + sf.irfft(sf.rfft(b), 5), B),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    f, *args = CASES[name]
    with tracejit.config(compile=False):
        check_grads(f, args, rtol=1e-5, atol=1e-5)
