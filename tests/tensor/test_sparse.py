"""Sparse matrices: every function beside SciPy's, derivatives, functions, shared variables."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import tracejit
import tracejit.tensor as T
from tracejit import sparse

RNG = np.random.RandomState(3)
FORMATS = ("csr", "csc")


def sample(rows: int = 4, columns: int = 5, density: float = 0.4, dtype: str = "float64") -> Any:
    a = RNG.uniform(1, 2, (rows, columns)) * (RNG.uniform(size=(rows, columns)) < density)
    return a.astype(dtype)


def made(format: str, a: Any) -> Any:
    return getattr(scipy.sparse, f"{format}_matrix")(a)


def full(x: Any) -> Any:
    return x.toarray() if scipy.sparse.issparse(x) else np.asarray(x)


UNARY = [
    ("dense_from_sparse", lambda a: a),
    ("transpose", lambda a: a.T),
    ("neg", lambda a: -a),
    ("sqrt", np.sqrt),
    ("sqr", np.square),
    ("tanh", np.tanh),
    ("ceil", np.ceil),
    ("structured_exp", lambda a: np.where(a != 0, np.exp(a), 0)),
    ("structured_log", lambda a: np.where(a != 0, np.log(np.where(a == 0, 1, a)), 0)),
    ("structured_sigmoid", lambda a: np.where(a != 0, 1 / (1 + np.exp(-a)), 0)),
    ("sp_sum", lambda a: a.sum()),
    ("sp_ones_like", lambda a: np.where(a != 0, 1.0, 0)),
    ("sp_zeros_like", lambda a: a * 0),
    ("ensure_sorted_indices", lambda a: a),
    ("remove0", lambda a: a),
    ("clean", lambda a: a),
    ("diag", np.diag),
]


@pytest.mark.parametrize("name, want", UNARY)
def test_functions_of_a_matrix(name: str, want: Any) -> None:
    for format in FORMATS:
        x = sparse.matrix(format, "x", "float64")
        f = tracejit.function([x], getattr(sparse, name)(x))
        for a in (sample(), sample(3, 3), np.zeros((2, 3)), np.ones((1, 1)), np.zeros((0, 3))):
            np.testing.assert_allclose(full(f(made(format, a))), want(a), rtol=1e-12)
        assert f.stats.fallbacks == 0


BINARY = [
    ("add", np.add),
    ("sub", np.subtract),
    ("mul", np.multiply),
    ("dot", lambda a, b: a @ b.T),
    ("true_dot", lambda a, b: a @ b.T),
]


@pytest.mark.parametrize("name, want", BINARY)
@pytest.mark.parametrize("formats", [("csr", "csr"), ("csc", "csr"), ("csr", None), (None, "csc")])
def test_functions_of_two(name: str, want: Any, formats: Any) -> None:
    x, y = (T.dmatrix() if f is None else sparse.matrix(f, None, "float64") for f in formats)
    other = y.T if "dot" in name else y
    f = tracejit.function([x, y], getattr(sparse, name)(x, other))
    for a, b in ((sample(), sample()), (np.zeros((2, 3)), sample(2, 3)), (sample(1, 1),) * 2):
        args = [v if g is None else made(g, v) for v, g in zip((a, b), formats, strict=True)]
        np.testing.assert_allclose(full(f(*args)), want(a, b), rtol=1e-12)
    assert f.stats.fallbacks == 0
    warned = warnings.catch_warnings()
    with warned, tracejit.config(on_unsupported="warn"), pytest.raises((ValueError, IndexError)):
        warnings.simplefilter("ignore")
        f(*(v if g is None else made(g, v) for v, g in zip(
            (sample(2, 3), sample(3, 2)), formats, strict=True
        )))  # fmt: skip


def test_products_with_arrays_in_float32_and_vectors() -> None:
    x, y, v = sparse.csr_matrix("x", "float32"), T.fmatrix("y"), T.fvector("v")
    f = tracejit.function([x, y, v], [T.dot(x, y), T.dot(y.T, x.T), T.dot(x, v)])
    a, b = sample(dtype="float32"), sample(5, 3, 1.0, "float32")
    for got, want in zip(f(made("csr", a), b, b[:, 0]), (a @ b, (a @ b).T, a @ b[:, 0]),
                         strict=True):  # fmt: skip
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=1e-5)
    assert f.stats.fallbacks == 0


def test_scaling_and_sums() -> None:
    for format in FORMATS:
        x, v, w = sparse.matrix(format, "x", "float64"), T.dvector("v"), T.dvector("w")
        outputs = [
            sparse.col_scale(x, v), sparse.row_scale(x, w), sparse.mul_s_v(x, v),
            sparse.sp_sum(x, 0), sparse.sp_sum(x, 1), x * 2.0, sparse.structured_add_s_v(x, v),
            sparse.sampling_dot(T.outer(w, w), T.outer(v, w), x), x.sum(axis=1),
        ]  # fmt: skip
        f = tracejit.function([x, v, w], outputs)
        a, s, t = sample(), np.arange(5.0) + 1, np.arange(4.0) + 2
        want = [
            a * s, a * t[:, None], a * s, a.sum(0), a.sum(1), a * 2, np.where(a != 0, a + s, 0),
            np.outer(t, t) @ np.outer(s, t).T * a, a.sum(1),
        ]  # fmt: skip
        for got, value in zip(f(made(format, a), s, t), want, strict=True):
            np.testing.assert_allclose(full(got), value, rtol=1e-12)
        assert f.stats.fallbacks == 0


def test_from_arrays_and_parts() -> None:
    y = T.dmatrix("y")
    f = tracejit.function([y], [sparse.csr_from_dense(y), sparse.csc_from_dense(y)])
    a = sample()
    r, c = f(a)
    assert (r.format, c.format) == ("csr", "csc") and r.nnz == np.count_nonzero(a)
    np.testing.assert_array_equal(full(r), a)
    np.testing.assert_array_equal(full(c), a)
    data, indices, indptr, shape = T.dvector(), T.ivector(), T.ivector(), T.lvector()
    m = sparse.CSR(data, indices, indptr, shape)
    g = tracejit.function([data, indices, indptr, shape], [m, sparse.csm_data(m * 3.0)])
    x = made("csr", a)
    whole, tripled = g(x.data, x.indices, x.indptr, np.array(x.shape))
    np.testing.assert_array_equal(full(whole), a)
    np.testing.assert_array_equal(tripled, x.data * 3)
    assert isinstance(m.owner.op, sparse.CSM) and m.owner.op.format == "csr"
    d = tracejit.function([data], sparse.square_diagonal(data))([1.0, 2.0])
    np.testing.assert_array_equal(full(d), np.diag([1.0, 2.0]))


def test_parts_of_a_matrix() -> None:
    for format in FORMATS:
        x, k = sparse.matrix(format, "x", "float64"), T.lvector("k")
        outputs = [x[1], x[1:3], x[:, ::2], x[k], x[0, 1], x[k, k], x[1:, 2], x[-1]]
        f = tracejit.function([x, k], outputs)
        a, i = sample(4, 5, 0.7), np.array([2, 0])
        want = [a[1:2], a[1:3], a[:, ::2], a[i], a[0, 1], a[i, i], a[1:, 2:3], a[-1:]]
        for got, value in zip(f(made(format, a), i), want, strict=True):
            np.testing.assert_array_equal(full(got), value)
        g = tracejit.function([x], [sparse.hstack([x, x * 2.0], "csr"), sparse.vstack([x, x])])
        beside, below = g(made(format, a))
        np.testing.assert_array_equal(full(beside), np.hstack([a, 2 * a]))
        np.testing.assert_array_equal(full(below), np.vstack([a, a]))
        assert f.stats.fallbacks == g.stats.fallbacks == 0


@pytest.mark.parametrize("format", FORMATS)
def test_derivatives(format: str) -> None:
    a = made(format, sample(3, 4, 0.6))
    other = made(format, sample(4, 3, 0.6))
    v = RNG.uniform(size=(4, 2))

    def over(fn: Any) -> Any:
        def cost(data: Any) -> Any:
            x = getattr(sparse, format.upper())(data, a.indices, a.indptr, np.array(a.shape))
            return fn(x)

        return cost

    for fn in (
        lambda x: sparse.dot(x, v),
        lambda x: sparse.sp_sum(x, 1),
        lambda x: sparse.dense_from_sparse(sparse.true_dot(x, other)),
        lambda x: sparse.dense_from_sparse(x * x + x),
        lambda x: sparse.dense_from_sparse(sparse.structured_exp(x[1:])),
    ):
        T.verify_grad(over(fn), [a.data], rng=np.random.RandomState(1))
    T.verify_grad(lambda y: sparse.dot(a, y), [v], rng=np.random.RandomState(1))


def test_the_gradient_by_a_matrix_is_one() -> None:
    x, y = sparse.csr_matrix("x"), T.dmatrix("y")
    cost = (sparse.dot(x, y) ** 2).sum()
    f = tracejit.function([x, y], [*T.grad(cost, [x, y]), cost])
    a, b = sample(), sample(5, 2, 1.0)
    gx, gy, _ = f(made("csr", a), b)
    product = 2 * a @ b
    assert scipy.sparse.issparse(gx)
    np.testing.assert_allclose(full(gx), np.where(a != 0, product @ b.T, 0), rtol=1e-12)
    np.testing.assert_allclose(gy, a.T @ product, rtol=1e-12)
    assert f.stats.fallbacks == 0


def test_shared_matrices_and_training() -> None:
    a, target = sample(30, 6, 0.3), RNG.uniform(size=30)
    data = tracejit.shared(made("csr", a), name="data")
    w = tracejit.shared(np.zeros(6), name="w")
    error = sparse.dot(data, w) - target
    cost = (error**2).mean()
    step = tracejit.function([], cost, updates=[(w, w - 0.1 * T.grad(cost, w))])
    have = np.zeros(6)
    for _ in range(3):
        e = a @ have - target
        np.testing.assert_allclose(step(), (e**2).mean(), rtol=1e-12)
        have = have - 0.1 * 2 / 30 * a.T @ e
    np.testing.assert_allclose(w.get_value(), have, rtol=1e-10)
    assert isinstance(data, sparse.SparseVariable) and data.get_value().nnz == np.count_nonzero(a)
    data.set_value(made("csc", a[:3]))
    assert data.get_value().shape == (3, 6) and data.get_value().format == "csr"
    double = tracejit.function([], [], updates=[(data, data * 2.0)])
    double()
    np.testing.assert_array_equal(full(data.get_value()), 2 * a[:3])


def test_functions_of_matrices() -> None:
    x, y = sparse.csr_matrix("x"), T.dscalar("y")
    f = tracejit.function([x, tracejit.In(y, value=2.0)], {"b": x * y, "a": y})
    a = sample()
    found = f(made("csr", a))
    assert list(found) == ["a", "b"] and found["a"] == 2
    np.testing.assert_array_equal(full(f(y=3.0, x=made("csc", a))["b"]), 3 * a)
    given = tracejit.function([y], sparse.sp_sum(x) * y, givens={x: made("csr", a)})
    np.testing.assert_allclose(given(2.0), 2 * a.sum())
    for args in ((), (3.0,), (made("csr", a), 1.0, 2.0), (made("csr", a + 1j),)):
        with pytest.raises(TypeError):
            f(*args)
    c = sparse.as_sparse_variable(made("csr", a))
    np.testing.assert_allclose(tracejit.function([], sparse.sp_sum(c))(), a.sum())
    assert pickle.loads(pickle.dumps(x.type)) == x.type == sparse.csr_dmatrix
    with pytest.raises(TypeError):
        sparse.as_sparse_variable(T.dmatrix())
    with pytest.raises(ValueError, match="bsr"):
        sparse.matrix("bsr")
