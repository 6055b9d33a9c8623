"""Special functions, permutations, covariances, places and rows against NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special as sp
from test_tensor_functions import check

import tracejit
import tracejit.tensor as T
from tracejit.tensor import extra_ops, inplace, nnet, xlogx

RNG = np.random.default_rng(2)
X = np.abs(RNG.standard_normal((3, 4))) + 0.3
Z = RNG.standard_normal((2, 3))
ORDERS = np.array([[2, 0, 1], [0, 2, 1]])

SPECIAL: dict[str, tuple[Any, Any, Any]] = {
    "jv": (lambda x: T.jv(2.5, x), lambda x: sp.jv(2.5, x), X),
    "iv": (lambda x: T.iv(2, x), lambda x: sp.iv(2, x), X),
    "j0": (T.j0, sp.j0, X),
    "j1": (T.j1, sp.j1, X),
    "i0": (T.i0, sp.i0, X),
    "i1": (T.i1, sp.i1, X),
    "tri_gamma": (T.tri_gamma, lambda x: sp.polygamma(1, x), X),
    "psi": (lambda x: T.polygamma(0, x), sp.psi, X),
    "polygamma": (lambda x: T.polygamma(3, x), lambda x: sp.polygamma(3, x), X),
    "chi2sf": (lambda x: T.chi2sf(x, 3.0), lambda x: sp.chdtrc(3.0, x), X),
    "gammal": (lambda x: T.gammal(2.5, x), lambda x: sp.gammainc(2.5, x) * sp.gamma(2.5), X),
    "gammau": (lambda x: T.gammau(2.5, x), lambda x: sp.gammaincc(2.5, x) * sp.gamma(2.5), X),
    "xlogx": (xlogx.xlogx, lambda x: sp.xlogy(x, x), X),
    "xlogy0": (lambda x: xlogx.xlogy0(x, 2.0 * x), lambda x: sp.xlogy(x, 2 * x), X),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name: str) -> None:
    function, want, x = SPECIAL[name]
    check(function, want, x)
    with tracejit.config(compile=False):
        T.verify_grad(function, [x], rng=np.random.RandomState(1))


def test_zeros_of_products_with_logarithms() -> None:
    zero = np.array([0.0, 1.0, 2.0])
    check(xlogx.xlogx, sp.xlogy(zero, zero), zero)
    check(xlogx.xlogy0, sp.xlogy(zero, zero[::-1]), zero, zero[::-1].copy())


def test_halves() -> None:
    x = np.array([0.5, 1.5, -0.5, -2.5, 2.4, np.nan, np.inf])
    check(T.round_half_to_even, np.rint(x), x)
    check(T.round_half_away_from_zero, np.array([1.0, 2, -1, -3, 2, np.nan, np.inf]), x)


def test_permutations() -> None:
    check(T.inverse_permutation, np.argsort(ORDERS, 1), ORDERS)
    check(T.inverse_permutation, np.argsort(ORDERS[0]).astype("int8"), ORDERS[0].astype("int8"))
    check(T.permute_row_elements, np.take_along_axis(Z, ORDERS, 1), Z, ORDERS)
    check(T.permute_row_elements, Z[:, ORDERS[0]], Z, ORDERS[0])
    check(T.permute_row_elements, Z[0][ORDERS], Z[0], ORDERS)
    back = np.take_along_axis(Z, np.argsort(ORDERS, 1), 1)
    check(lambda x, y: T.permute_row_elements(x, y, True), back, Z, ORDERS)
    with tracejit.config(compile=False):
        for inverse in (False, True):
            T.verify_grad(
                lambda x, i=inverse: T.permute_row_elements(x, ORDERS, i), [Z],
                rng=np.random.RandomState(1),
            )  # fmt: skip
    with pytest.raises(TypeError, match="integers"):
        T.permute_row_elements(Z, Z)


def test_covariances() -> None:
    check(T.cov, np.cov(X), X)
    check(T.cov, np.cov(X[0]), X[0])
    check(lambda x, y: T.cov(x, y), np.cov(X, 2 * X), X, 2 * X)
    check(lambda x: T.cov(x, rowvar=False, bias=True), np.cov(X, rowvar=False, bias=True), X)
    check(lambda x: T.cov(x, ddof=0), np.cov(X, ddof=0), X)
    with pytest.raises(NotImplementedError):
        T.cov(X, fweights=[1])
    with pytest.raises(ValueError, match="integer"):
        T.cov(X, ddof=0.5)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_bartlett(count: int) -> None:
    check(T.bartlett, np.bartlett(count), np.int64(count))
    with pytest.raises(TypeError):
        T.bartlett(T.dscalar())
    with pytest.raises(TypeError):
        extra_ops.Bartlett()(T.lvector())


def test_places_by_number() -> None:
    numbers = np.array([0, 5, 11])
    for order in "CF":
        want = list(np.unravel_index(numbers, (3, 4), order))
        check(lambda i, o=order: list(T.unravel_index(i, (3, 4), o)), want, numbers)
        check(lambda i, x, o=order: list(T.unravel_index(i, x.shape, o)), want, numbers, X)
        places = (np.array([0, 2, 1]), np.array([3, 0, 1]))
        want = np.ravel_multi_index(places, (3, 4), order=order)
        check(lambda i, j, o=order: T.ravel_multi_index((i, j), (3, 4), order=o), want, *places)
    beyond = (np.array([-1, 5, 1]), np.array([4, 0, -9]))
    for mode in ("wrap", "clip"):
        want = np.ravel_multi_index(beyond, (3, 4), mode)
        check(lambda i, j, m=mode: T.ravel_multi_index((i, j), (3, 4), m), want, *beyond)


def test_places_beyond() -> None:
    i = T.lvector()
    for outputs in (T.unravel_index(i, (3, 4))[0], T.ravel_multi_index((i, i), (3, 4))):
        for compiled in (False, True):
            with tracejit.config(compile=compiled), pytest.raises(ValueError):
                tracejit.function([i], outputs)(np.array([1, 12]))
    state = tracejit.shared(np.zeros(2, "int64"))
    f = tracejit.function([i], [], updates=[(state, T.unravel_index(i, (3, 4))[1])])
    with pytest.raises(ValueError):
        f(np.array([1, -1]))
    assert state.get_value().tolist() == [0, 0]
    f(np.array([1, 6]))
    assert state.get_value().tolist() == [1, 2]
    for wrong in (lambda: T.unravel_index(i, (3, 4), "K"), lambda: T.unravel_index(i, T.lvector())):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(TypeError):
        T.unravel_index(T.dvector(), (3, 4))


def test_classes_of_ops() -> None:
    check(extra_ops.CumOp(1, "mul"), np.cumprod(X, 1), X)
    check(extra_ops.RepeatOp(0), lambda x, n: np.repeat(x, n, 0), X, np.int64(2))
    check(extra_ops.DiffOp(2), np.diff(X, 2), X)
    line = np.arange(5.0)
    check(extra_ops.SearchsortedOp("right"), np.searchsorted(line, X, "right"), line, X)
    filled = X.copy()
    np.fill_diagonal(filled, 7.0)
    check(lambda x: extra_ops.FillDiagonal()(x, 7.0), filled, X)
    check(inplace.exp_inplace, np.exp(X), X)
    check(inplace.sqrt_inplace, np.sqrt(X), X)
    with pytest.raises(AttributeError):
        inplace.wish_inplace  # noqa: B018
    with pytest.raises(ValueError, match="mode"):
        extra_ops.CumOp(mode="max")


# Rows ---------------------------------------------------------------------------------------------


def test_columns_before_rows() -> None:
    check(lambda x: nnet.prepend_scalar_to_each_row(2.5, x), np.insert(Z, 0, 2.5, 1), Z)
    check(nnet.prepend_1_to_each_row, np.insert(Z, 0, 1, 1), Z)
    check(nnet.prepend_0_to_each_row, np.insert(Z, 0, 0, 1), Z)
    check(nnet.Prepend_scalar_constant_to_each_row(4.0), np.insert(Z, 0, 4, 1), Z)
    check(nnet.Prepend_scalar_to_each_row(), np.insert(Z, 0, 3, 1), np.float64(3), Z)
    with tracejit.config(compile=False):
        T.verify_grad(
            lambda v, x: nnet.prepend_scalar_to_each_row(v, x), [np.float64(3), Z],
            rng=np.random.RandomState(1),
        )  # fmt: skip
    with pytest.raises(TypeError):
        nnet.prepend_0_to_each_row(T.dvector())


def test_softmax_by_its_names() -> None:
    p = sp.softmax(Z, 1)
    labels, b = np.array([2, 0]), RNG.standard_normal(3)
    check(nnet.softmax_op, p, Z)
    check(nnet.Softmax(), p, Z)
    check(nnet.softmax_graph, p, Z)
    check(nnet.LogSoftmax(), np.log(p), Z)
    check(nnet.SoftmaxWithBias(), sp.softmax(Z + b, 1), Z, b)
    g = RNG.standard_normal(Z.shape)
    check(nnet.SoftmaxGrad(), (g - (g * p).sum(1, keepdims=True)) * p, g, p)
    check(nnet.CrossentropyCategorical1Hot(), -np.log(p[[0, 1], labels]), p, labels)
    hot = np.eye(3)[labels]
    cost = np.array([1.0, 2.0])
    check(nnet.CrossentropyCategorical1HotGrad(), -cost[:, None] * hot / p, cost, p, labels)
    want = cost[:, None] * (p - hot)
    check(nnet.CrossentropySoftmax1HotWithBiasDx(), want, cost, p, labels)
    shifted = sp.softmax(Z + b, 1)
    check(
        nnet.CrossentropySoftmaxArgmax1HotWithBias(),
        [-np.log(shifted[[0, 1], labels]), shifted, shifted.argmax(1)], Z, b, labels,
    )  # fmt: skip
