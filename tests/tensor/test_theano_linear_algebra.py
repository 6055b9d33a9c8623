"""``T.nlinalg``, ``T.slinalg``, ``T.fft`` against NumPy and SciPy, derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import tracejit
import tracejit.tensor as T
from tracejit.tensor import fft, nlinalg, slinalg

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 4))
P, S = A @ A.T + 4 * np.eye(4), A + A.T
B, V, L = RNG.standard_normal((4, 3)), RNG.standard_normal(4), RNG.standard_normal((6, 3))
Y, Q = RNG.standard_normal((6, 2)), RNG.standard_normal((2, 3, 3, 2))
DEFICIENT = L[:, [0, 1, 1]]
_eye = np.eye(4)


def of(function: Callable[..., Any], which: int = 0) -> Callable[..., Any]:
    return lambda *args: function(*args)[which]


def positive(x: Any) -> Any:
    return x.dot(x.T) + _eye


#: What is computed, of what, NumPy's result, and what of it is differentiated.
CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "inverse": (nlinalg.matrix_inverse, [P], np.linalg.inv(P), nlinalg.matrix_inverse),
    "inverse by class": (nlinalg.MatrixInverse(), [P], np.linalg.inv(P), None),
    "pinv": (nlinalg.pinv, [L], np.linalg.pinv(L), nlinalg.pinv),
    "det": (nlinalg.det, [P], np.linalg.det(P), nlinalg.det),
    "slogdet": (nlinalg.slogdet, [P], np.linalg.slogdet(P), of(nlinalg.slogdet, 1)),
    "eigh": (nlinalg.eigh, [S], np.linalg.eigh(S), of(nlinalg.eigh)),
    "eigh above": (lambda x: nlinalg.eigh(x, "U"), [A], np.linalg.eigh(A, "U"), None),
    "eig": (nlinalg.eig, [P], np.linalg.eig(P), of(nlinalg.eig)),
    "svd": (nlinalg.svd, [L], np.linalg.svd(L), None),
    "thin svd": (lambda x: nlinalg.svd(x, 0), [L], np.linalg.svd(L, False), of(
        lambda x: nlinalg.svd(x, 0), 1)),
    "singular values": (nlinalg.SVD(compute_uv=False), [L], np.linalg.svd(L, True, False), None),
    "qr": (nlinalg.qr, [L], np.linalg.qr(L), of(nlinalg.qr, 1)),
    "qr, complete": (lambda x: nlinalg.qr(x, "complete"), [L], np.linalg.qr(L, "complete"), None),
    "r": (lambda x: nlinalg.qr(x, "r"), [L], np.linalg.qr(L, "r"), None),
    "power": (lambda x: nlinalg.matrix_power(x, 3), [A], A @ A @ A, lambda x: nlinalg.matrix_power(
        x, 3)),
    "power back": (lambda x: nlinalg.matrix_power(x, -2), [P], np.linalg.matrix_power(P, -2), None),
    "product": (nlinalg.matrix_dot, [A, P, B], A @ P @ B, None),
    "tensorinv": (nlinalg.tensorinv, [Q], np.linalg.tensorinv(Q), nlinalg.tensorinv),
    "tensorsolve": (nlinalg.tensorsolve, [Q, B[:2]], np.linalg.tensorsolve(Q, B[:2]),
                    nlinalg.tensorsolve),
    "trace": (nlinalg.trace, [A], np.trace(A), nlinalg.trace),
    "alloc_diag": (nlinalg.AllocDiag(1), [V], np.diag(V, 1), nlinalg.alloc_diag),
    "extract_diag": (nlinalg.ExtractDiag(-1), [A], np.diag(A, -1), nlinalg.extract_diag),
    "diag": (nlinalg.diag, [V], np.diag(V), None),
    "least squares": (lambda x, y: nlinalg.lstsq()(x, y, 1e-10), [L, Y],
                      np.linalg.lstsq(L, Y, 1e-10), of(lambda x, y: nlinalg.lstsq()(x, y, 1e-10))),
    "least squares of a vector": (lambda x, y: nlinalg.lstsq()(x, y, 1e-10), [L, Y[:, 0].copy()],
                                  np.linalg.lstsq(L, Y[:, 0], 1e-10), None),
    "least squares, wide": (lambda x, y: nlinalg.lstsq()(x, y, 1e-10), [L.T.copy(), B[:3].copy()],
                            np.linalg.lstsq(L.T, B[:3], 1e-10), None),
    "least squares, deficient": (lambda x, y: nlinalg.lstsq()(x, y, 1e-10), [DEFICIENT, Y],
                                 np.linalg.lstsq(DEFICIENT, Y, 1e-10), None),
    "cholesky": (slinalg.cholesky, [P], np.linalg.cholesky(P), lambda x: slinalg.cholesky(
        positive(x))),
    "cholesky above": (slinalg.Cholesky(lower=False), [P], scipy.linalg.cholesky(P),
                       lambda x: slinalg.Cholesky(lower=False)(positive(x))),
    "no cholesky": (slinalg.Cholesky(on_error="nan"), [-P], np.full((4, 4), np.nan), None),
    "solve": (slinalg.solve, [A, B], scipy.linalg.solve(A, B), slinalg.solve),
    "solve for a vector": (slinalg.solve, [A, V], scipy.linalg.solve(A, V), slinalg.solve),
    "solve below": (slinalg.solve_lower_triangular, [A, B],
                    scipy.linalg.solve_triangular(A, B, lower=True),
                    slinalg.solve_lower_triangular),
    "solve above": (slinalg.Solve("upper_triangular"), [A, V], scipy.linalg.solve_triangular(A, V),
                    slinalg.solve_upper_triangular),
    "solve symmetric": (slinalg.solve_symmetric, [A, B],
                        scipy.linalg.solve(np.triu(A) + np.triu(A, 1).T, B),
                        slinalg.solve_symmetric),
    "eigvalsh": (slinalg.eigvalsh, [A], scipy.linalg.eigvalsh(A), slinalg.eigvalsh),
    "eigvalsh of two": (slinalg.eigvalsh, [A, P], scipy.linalg.eigvalsh(A, P),
                        lambda x, y: slinalg.eigvalsh(x, positive(y))),
    "eigvalsh above": (lambda x, y: slinalg.eigvalsh(x, y, False), [A, P],
                       scipy.linalg.eigvalsh(A, P, lower=False), None),
    "kron": (slinalg.kron, [A, B], np.kron(A, B), slinalg.kron),
    "expm": (slinalg.expm, [A], scipy.linalg.expm(A), slinalg.expm),
    "expm, squared": (slinalg.Expm(), [9 * A], scipy.linalg.expm(9 * A), slinalg.expm),
    "expm of one": (slinalg.expm, [A[:1, :1]], np.exp(A[:1, :1]), slinalg.expm),
    "expm of none": (slinalg.expm, [A[:0, :0]], A[:0, :0], None),
}  # fmt: skip
COMPILED = ("eig", "least squares", "least squares, deficient", "no cholesky", "eigvalsh of two",
            "tensorsolve", "expm, squared", "solve symmetric")  # fmt: skip


def compared(found: Any, want: Any, rtol: float = 1e-8) -> None:
    found = found if isinstance(found, list) else [found]
    want = list(want) if isinstance(want, tuple) else [want]
    for one, other in zip(found, want, strict=True):
        np.testing.assert_allclose(one, other, rtol, 1e-10)


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name: str) -> None:
    function, args, want, derived = CASES[name]
    variables = [T.TensorType(a.dtype, (False,) * a.ndim)() for a in args]
    y = function(*variables)
    with tracejit.config(compile=False):
        compared(tracejit.function(variables, y)(*args), want)
        if derived is not None:
            T.verify_grad(derived, args, rng=np.random.RandomState(1))
    if name in COMPILED:
        compared(tracejit.function(variables, y)(*args), want)
        if derived is not None:
            T.verify_grad(derived, args, rng=np.random.RandomState(1))
    single = [a.astype("float32") for a in args]
    variables = [T.TensorType(a.dtype, (False,) * a.ndim)() for a in single]
    results = function(*variables)
    results = results if isinstance(results, list) else [results]
    assert {r.dtype for r in results} <= {"float32", "int64"}
    with tracejit.config(compile=False):
        for r, got in zip(results, tracejit.function(variables, results)(*single), strict=True):
            assert got.dtype == r.dtype and got.ndim == r.ndim


@pytest.mark.parametrize("ord", [None, "fro", "inf", "-inf", 1, -1])
def test_norms(ord: Any) -> None:
    x, v = T.dmatrix(), T.dvector()
    known = {"inf": np.inf, "-inf": -np.inf}.get(ord, ord)
    with tracejit.config(compile=False):
        f = tracejit.function([x], nlinalg.norm(x, ord))
        np.testing.assert_allclose(f(A), np.linalg.norm(A, known))
        for other in (ord, 0, 2, 3) if ord != "fro" else ():
            f = tracejit.function([v], nlinalg.norm(v, other))
            by = {"inf": np.inf, "-inf": -np.inf}.get(other, other)
            np.testing.assert_allclose(f(V), np.linalg.norm(V, by))
    for wrong, kind in ((T.dscalar(), ValueError), (T.dtensor3(), NotImplementedError)):
        with pytest.raises(kind):
            nlinalg.norm(wrong, ord)


def test_what_has_no_solution() -> None:
    x, b = T.dmatrix(), T.dmatrix()
    zero = np.zeros((2, 2))
    failing = (
        (nlinalg.matrix_inverse(x), zero), (slinalg.solve(x, x), zero),
        (slinalg.cholesky(x), -np.eye(2)), (nlinalg.matrix_inverse(x), np.ones((2, 3))),
    )  # fmt: skip
    for compiled in (False, True):
        with tracejit.config(compile=compiled):
            for y, value in failing[: 4 if compiled else 3]:
                with pytest.raises(np.linalg.LinAlgError):
                    tracejit.function([x], y)(value)
            turned = np.array([[0.0, 1.0], [-1.0, 0.0]])
            for y in (nlinalg.eig(x), nlinalg.eig(x)[1]):
                with pytest.raises(ValueError, match="no real numbers"):
                    tracejit.function([x], y)(turned)
    with pytest.raises(ValueError, match="structure"):
        slinalg.Solve("banded")
    with pytest.raises(AssertionError):
        nlinalg.matrix_inverse(T.dvector())
    with pytest.raises(TypeError, match="kron"):
        slinalg.kron(T.dvector(), T.dvector())
    with pytest.raises(ValueError, match="on_error"):
        slinalg.Cholesky(on_error="ignore")
    with pytest.raises(AssertionError):
        slinalg.solve(x, T.dtensor3())
    assert slinalg.kron(T.dvector(), b).ndim == 1  # as in Theano


# Fourier transforms -------------------------------------------------------------------------------

X = RNG.standard_normal((2, 5, 6))


def pair(z: Any) -> Any:
    return np.stack([z.real, z.imag], -1)


@pytest.mark.parametrize("norm", [None, "ortho", "no_norm"])
def test_transforms_and_back(norm: Any) -> None:
    x, z = T.dtensor3(), T.dtensor4()
    scale = 30**0.5 if norm == "ortho" else 1
    want = pair(np.fft.rfftn(X, axes=(1, 2))) / scale
    np.testing.assert_allclose(tracejit.function([x], fft.rfft(x, norm))(X), want, atol=1e-12)
    back = tracejit.function([z], fft.irfft(z, norm))(want)
    np.testing.assert_allclose(back, X * (30 if norm == "no_norm" else 1), atol=1e-12)
    odd = X[:, :, :5].copy()
    there = fft.irfft(fft.rfft(x, norm), norm, is_odd=True)
    found = tracejit.function([x], there)(odd)
    np.testing.assert_allclose(found, odd * (25 if norm == "no_norm" else 1), atol=1e-12)
    with tracejit.config(compile=False):
        T.verify_grad(lambda v: fft.rfft(v, norm), [X], rng=np.random.RandomState(1))
        T.verify_grad(lambda v: fft.irfft(v, norm), [want], rng=np.random.RandomState(1))


def test_what_no_transform_takes() -> None:
    with pytest.raises(ValueError, match="norm"):
        fft.rfft(T.dmatrix(), "forward")
    with pytest.raises(ValueError, match="id_odd"):
        fft.irfft(T.dtensor3(), is_odd=2)
    with pytest.raises(TypeError):
        fft.rfft(T.zmatrix())
    assert fft.rfft(T.fmatrix()).dtype == "float32"
