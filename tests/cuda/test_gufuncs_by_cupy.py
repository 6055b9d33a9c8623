"""What CuPy computes of matrices, and transforms: NumPy's values and exceptions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cupy_stand_in
import numpy as np
import pytest
import scipy.linalg
from test_kernels import DRIVER

import tracejit
from tracejit.cuda.library.gufuncs import WAYS
from tracejit.errors import UnsupportedError, UnsupportedWarning
from tracejit.ir.gufuncs import GUFUNCS
from tracejit.lower import registry
from tracejit.theano.flags import change_flags

RNG = np.random.default_rng(0)


def install(monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[str]:
    """Put a stand-in in CuPy's place; what is called of it."""
    calls: list[str] = []
    link: Any = registry.target("fake")
    link.link._kernels.clear()  # which know functions of another stand-in
    for name, module in cupy_stand_in.modules(calls, **options).items():
        monkeypatch.setitem(sys.modules, name, module)
    return calls


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return install(monkeypatch)


def flat(value: Any) -> list[np.ndarray]:
    return [np.asarray(v) for v in value] if isinstance(value, tuple) else [np.asarray(value)]


def given(f: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """What a function gives on the fake device, where nothing runs in NumPy; its explanation."""
    with change_flags(device="fake"):
        own = tracejit.function(f, on_unsupported="error")
        return own(*args), own.explain()


def agrees(f: Callable[..., Any], *args: Any) -> str:
    """The explanation of a function whose values are NumPy's, to rounding."""
    got, told = given(f, *args)
    want = f(*args)
    for a, b in zip(flat(got), flat(want), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=1e-4 if b.dtype.char in "fF" else 1e-9, atol=1e-9)
    assert type(got) is type(want) or not isinstance(want, tuple)
    del got
    assert DRIVER.used == 0
    return told


def square(char: str, *stack: int, n: int = 4) -> np.ndarray:
    """Stacks of matrices that are far from singular."""
    x = RNG.normal(size=(*stack, n, n)) + 1j * RNG.normal(size=(*stack, n, n))
    x = x + 3 * n * np.eye(n)
    return (x if char in "FD" else x.real).astype(char)


def hermitian(char: str, *stack: int) -> np.ndarray:
    x = square(char, *stack)
    return x @ x.swapaxes(-1, -2).conj()


OF_SQUARE: dict[str, Callable[..., Any]] = {
    "inv": lambda x: np.linalg.inv(x),
    "det": lambda x: np.linalg.det(x),
    "slogdet": lambda x: np.linalg.slogdet(x),
    "cond": lambda x: np.linalg.cond(x, 1),
    "norms": lambda x: np.linalg.norm(x, ord="nuc", axis=(-2, -1)),
    "solve": lambda x: np.linalg.solve(x, x + 1),
    "power": lambda x: np.linalg.matrix_power(x, -2) * 1000,
    "cholesky": lambda x: np.linalg.cholesky(x @ x.swapaxes(-1, -2).conj()),
    "upper": lambda x: np.linalg.cholesky(x @ x.swapaxes(-1, -2).conj(), upper=True),
    "eigvalsh": lambda x: (np.linalg.eigvalsh(x), np.linalg.eigvalsh(x, UPLO="U")),
    "svd": lambda x: np.linalg.svd(x, compute_uv=False),
    "pinv": lambda x: np.linalg.pinv(x),
    "qr": lambda x: np.linalg.qr(x, mode="raw"),
    "of no use": lambda x: np.linalg.inv(x)[..., 0] * 2 + x.sum(axis=-1),
}


@pytest.mark.parametrize("name", OF_SQUARE)
def test_of_square_matrices(cupy: list[str], name: str) -> None:
    for char in "dfFDi" if name in ("inv", "slogdet") else "dD":
        told = agrees(OF_SQUARE[name], square(char))
        agrees(OF_SQUARE[name], square(char, 2, 1))
    assert cupy and "is CuPy's: its bits are not the CPU's" in told


def test_layouts_and_lengths(cupy: list[str]) -> None:
    x = square("d", 6, n=5)
    for a in (x.swapaxes(-1, -2), x[::2], x[:, ::-1, ::-1], x[:0], x[:, :1, :1], x[:, :0, :0]):
        agrees(lambda a: (np.linalg.inv(a), np.linalg.det(a), np.linalg.svd(a)[1]), a)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 5, 3), (2, 3, 5), (0, 3), (3, 0)])
def test_factors(cupy: list[str], shape: tuple[int, ...]) -> None:
    for char in "dD" if len(shape) == 2 else "D":
        x = RNG.normal(size=shape) + (1j * RNG.normal(size=shape) if char == "D" else 0)
        agrees(lambda x: np.linalg.qr(x), x)
        agrees(lambda x: (*np.linalg.qr(x, mode="complete"), np.linalg.qr(x, mode="r")), x)
        agrees(lambda x: (*np.linalg.svd(x), *np.linalg.svd(x, full_matrices=False)), x)


def test_factors_of_columns_that_are_done(cupy: list[str]) -> None:
    """Householder's factor is 0 for these."""
    x = np.triu(RNG.normal(size=(5, 4)))
    agrees(lambda x: np.linalg.qr(x), x)
    agrees(lambda x: np.linalg.qr(x, mode="complete"), np.zeros((4, 2)))


def test_solutions(cupy: list[str]) -> None:
    a, b = square("d", 3), RNG.normal(size=(3, 4, 2))
    agrees(lambda a, b: np.linalg.solve(a, b), a, b)
    agrees(lambda a, b: np.linalg.solve(a, b), a[0], b)
    agrees(lambda a, b: np.linalg.solve(a, b), a, b[0])
    agrees(lambda a, b: np.linalg.solve(a, b), a, b[0, :, 0])
    agrees(lambda a, b: np.linalg.solve(a, b), a[0], b[0, :, 0])
    agrees(lambda a, b: np.linalg.solve(a, b), a[0], b[0, :, :0])


def test_eigenvectors(cupy: list[str]) -> None:
    for char in "dD":
        agrees(lambda x: np.linalg.eigh(x), hermitian(char))
        agrees(lambda x: np.linalg.eigh(x, UPLO="U"), hermitian(char, 3))


def test_general_eigenvalues(cupy: list[str]) -> None:
    agrees(lambda x: np.linalg.eigvals(x), square("D", 2))
    agrees(lambda x: tuple(np.linalg.eig(x)), np.triu(square("d")))


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4), (1, 1)])
def test_least_squares(cupy: list[str], shape: tuple[int, int]) -> None:
    for char in "dD":
        a = RNG.normal(size=shape).astype(char) + (1j if char == "D" else 0)
        agrees(lambda a, b: np.linalg.lstsq(a, b, rcond=None), a, np.ones((shape[0], 2)))
        agrees(lambda a, b: np.linalg.lstsq(a, b, rcond=-1), a, np.ones(shape[0]))
    poor = np.ones(shape) + 1e-3
    agrees(lambda a, b: np.linalg.lstsq(a, b, rcond=0.1), poor, np.arange(1.0, shape[0] + 1))


@pytest.mark.parametrize("char", "dfDFi")
def test_transforms(cupy: list[str], char: str) -> None:
    x = RNG.normal(size=(3, 8)) * 4
    x = (x + 1j * x[::-1] if char in "FD" else x).astype(char)
    agrees(lambda x: (np.fft.ifft(np.fft.fft(x)), np.fft.irfft(x, 7, axis=0)), x)
    if char in "dD":
        for norm in ("ortho", "forward"):
            agrees(lambda x, norm=norm: np.fft.ifft(np.fft.fft(x, 5, norm=norm), norm=norm), x)
            agrees(lambda x, norm=norm: np.fft.irfft(x, norm=norm), x)
        agrees(lambda x: (np.fft.fft2(x), np.fft.fft(x, 12, axis=0)), x[:, ::-1])
        agrees(lambda x: np.fft.fft(x), x[:0])
    if char not in "FD":
        agrees(lambda x: (np.fft.rfft(x), np.fft.rfft(x, 7), np.fft.rfftn(x)), x)
    assert {"fft", "ifft", "irfft"} <= set(cupy)


def test_scipys(cupy: list[str]) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = square("d"), RNG.normal(size=(4, 2))
    agrees(lambda a, b: linalg.solve_triangular(a, b), a, b)
    agrees(lambda a, b: linalg.solve_triangular(a, b[:, 0], trans=1, lower=True), a, b)
    agrees(lambda a, b: linalg.solve_triangular(a, b, lower=True, unit_diagonal=True), a / 50, b)
    agrees(lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b), a, b)
    agrees(lambda a, b: linalg.solve(a, b), a, b)
    assert set(cupy) == {"solve_triangular", "lu_factor", "lu_solve"}


SINGULAR: list[tuple[Callable[..., Any], np.ndarray]] = [
    (lambda x: np.linalg.inv(x), np.ones((3, 3))),
    (lambda x: np.linalg.inv(x), np.stack([np.eye(3), np.zeros((3, 3))])),
    (lambda x: np.linalg.solve(x, x[0]), np.zeros((2, 2))),
    (lambda x: np.linalg.solve(x, x), np.stack([np.zeros((2, 2)), np.eye(2)])),
    (lambda x: np.linalg.cholesky(x), -np.eye(3)),
    (lambda x: np.linalg.cholesky(x, upper=True), np.array([[1.0, 2.0], [2.0, 1.0]])),
    (lambda x: np.linalg.svd(x), np.array([[np.nan, 1.0], [1.0, 1.0]])),
]


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("number", range(len(SINGULAR)))
def test_exceptions(monkeypatch: pytest.MonkeyPatch, number: int, silent: bool) -> None:
    """NumPy's, though CuPy says nothing; and nothing has been written."""
    install(monkeypatch, silent=silent)
    f, bad = SINGULAR[number]

    def writes(x, y):
        y += 1
        y[0] = np.sum(f(x)[0])

    good = np.broadcast_to(np.eye(bad.shape[-1]), bad.shape) + 0
    y = np.ones(3)
    with change_flags(device="fake"):
        own = tracejit.function(writes, on_unsupported="error")
        own(good, y)
        before = y.copy()
        with pytest.raises(np.linalg.LinAlgError) as want:
            writes(bad, y.copy())
        with pytest.raises(np.linalg.LinAlgError) as got:
            own(bad, y)
    assert str(got.value) == str(want.value)
    np.testing.assert_array_equal(y, before + 1)  # as NumPy leaves it
    assert DRIVER.used == 0


def test_what_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may raise there is NumPy's, and told to be; the others are CuPy's."""
    install(monkeypatch, silent=True)
    x = np.array([[np.inf, 1.0], [1.0, 2.0]])
    with np.errstate(all="ignore"), change_flags(device="fake"):
        own = tracejit.function(lambda x: np.linalg.inv(x), on_unsupported="warn")
        with pytest.warns(UnsupportedWarning, match="runs in plain NumPy"):
            np.testing.assert_array_equal(np.asarray(own(x)), np.linalg.inv(x))
        agrees(lambda x: np.linalg.det(x), x)


def test_singular_matrices_without_an_exception(cupy: list[str]) -> None:
    x = np.stack([np.ones((3, 3)), square("d", n=3)])
    agrees(lambda x: (np.linalg.det(x), np.linalg.slogdet(x)[0], np.linalg.cond(x, 1)), x)


def test_in_loops_and_derivatives(cupy: list[str]) -> None:
    def steps(x, n):
        total = np.zeros_like(x)
        for _ in range(n):
            x = np.linalg.inv(x) + 0.5
            total = total + x
        return total

    agrees(steps, square("d"), 3)
    agrees(tracejit.grad(lambda x: np.linalg.slogdet(x)[1] + np.linalg.inv(x).sum()), square("d"))


def test_what_cupy_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its version 14 it has no general eigenvalues: NumPy's run where that is asked for."""
    install(monkeypatch, without="eig eigvals")
    x = square("D")
    with pytest.raises(tracejit.UnsupportedError, match=r"no kernel for numpy\.linalg\.eig on a"):
        given(lambda x: np.linalg.eig(x), x)
    with change_flags(device="fake"):
        own = tracejit.function(lambda x: np.linalg.eig(x)[0], on_unsupported="warn")
        with pytest.warns(UnsupportedWarning, match=r"no kernel for numpy\.linalg\.eig"):
            got = own(x)
    np.testing.assert_allclose(np.asarray(got), np.linalg.eig(x)[0])


def test_without_cupy() -> None:
    with pytest.raises(tracejit.UnsupportedError, match=r"numpy\.fft\.fft on a GPU") as raised:
        tracejit.cuda.ptx(lambda x: np.fft.fft(x), np.ones(4))
    assert "tracejit[cuda13]" in str(raised.value)


def test_every_row_has_a_way() -> None:
    """Of LAPACK's routines some have none: bands, and what SciPy calls for itself."""
    assert set(WAYS) <= set(GUFUNCS)
    without = {row.of for name, row in GUFUNCS.items() if name not in WAYS}
    assert without == set("getrf laswp gbtrf gbtrs pbtrf pbtrs syevr heevr".split())
    f = tracejit.function(lambda a, b: scipy.linalg.solve_banded((1, 1), a, b), device="fake")
    with pytest.raises(UnsupportedError, match="no kernel for LAPACK's gbtrf on a GPU"):
        f(np.ones((3, 4)), np.ones(4))
