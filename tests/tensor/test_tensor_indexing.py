"""Indexing of symbolic variables, and new arrays with a part set or increased."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_tensor_functions import check, variables_of

import tracejit
import tracejit.tensor as T

X = np.arange(24.0).reshape(4, 6)
V = np.arange(6.0)
C = np.arange(24.0).reshape(2, 3, 4)

#: Static keys, for a matrix.
KEYS: Any = (
    0, -1, np.int64(2), (1, 2), (-1, -2), slice(None), slice(1, 3), slice(None, None, -1),
    slice(-3, None, 2), (slice(None), 1), (slice(None), slice(1, 4)), (0, slice(None)), None,
    (slice(None), None), (None, 1, None), Ellipsis, (Ellipsis, 0), (0, Ellipsis), (Ellipsis, None),
    [0, 2], ([0, 2], [1, 3]), (slice(None), [3, 0, 3]), ([[0, 1], [2, 3]],), np.array([1, -1]),
    (np.array([[0], [1]]), np.array([2, 3])), [], ([0, 1], slice(1, 3)), slice(5, 2), slice(9, 99),
    np.arange(24).reshape(4, 6) % 5 == 0, np.array([True, False, True, True]),
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_static_keys(key: Any) -> None:
    want = X[np.array(key, int)] if isinstance(key, list) else X[key]
    check(lambda x: x[key], want, X)


@pytest.mark.parametrize(
    "pick",
    [
        lambda x, i: x[i],
        lambda x, i: x[-i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, i + 1],
        lambda x, i: x[i:],
        lambda x, i: x[:-i],
        lambda x, i: x[i : i + 2],
        lambda x, i: x[::i],
        lambda x, i: x[:, i::-1],
        lambda x, i: x[i, None, 1:],
    ],
)
@pytest.mark.parametrize("dtype", ["int64", "int8"])
def test_symbolic_bounds(pick: Any, dtype: str) -> None:
    i = np.array(2, dtype)
    check(pick, lambda x, i: pick(x, int(i)), X, i)


def test_symbolic_arrays() -> None:
    check(lambda x, i: x[i, i:], lambda x, i: x[2, 2:], X, np.array(2, "uint8"))
    i, j = np.array([3, 0, 3]), np.array([[1, 2], [0, 5]], "int32")
    m, n = X[:, 0] > 5, X > 7
    check(lambda x, i: x[i], lambda x, i: x[i], X, i)
    check(lambda x, i: x[:, i], lambda x, i: x[:, i], X, i)
    check(lambda x, j: x.T[j], lambda x, j: x.T[j], X, j)
    check(lambda x, m: x[m], lambda x, m: x[m], X, m)
    check(lambda x, n: x[n], lambda x, n: x[n], X, n)
    check(lambda x, n: x[T.nonzero(n)], lambda x, n: x[n], X, n)
    y = np.array([5, 0, 1, 2])
    check(lambda x, y: x[T.arange(y.shape[0]), y], lambda x, y: x[np.arange(4), y], X, y)
    check(lambda x, y: x[T.arange(x.shape[0]), y], lambda x, y: x[np.arange(4), y], X, y)
    check(lambda x: x[x > 7], lambda x: x[x > 7], X)
    check(lambda x: x[[0, T.constant(2)]], lambda x: x[[0, 2]], X)
    check(lambda v, i: v[i + 1], lambda v, i: v[i + 1], V, i)


def test_types_of_parts() -> None:
    x, row = T.matrix(), T.row()
    assert x[:, None].broadcastable == (False, True, False)
    assert row[:, 0].broadcastable == (True,) and row[0].broadcastable == (False,)
    assert row[0:1].broadcastable == (True, False)
    assert x[0].dtype == x.dtype and x[T.imatrix()].ndim == 3
    assert T.fvector()[T.lscalar()].dtype == "float32"


def test_refusals() -> None:
    x = T.matrix()
    for key in (True, (0, False), [True, False], ([0, True],), np.True_):
        with pytest.raises(TypeError):
            x[key]
    with pytest.raises(IndexError):
        x[0, 0, 0]
    with pytest.raises(IndexError):
        x[T.vector()]
    with pytest.raises(IndexError):
        x.shape[2]
    with pytest.raises(TypeError, match="set_subtensor"):
        x[0] = 1
    for build in (lambda x, i: x[i], lambda x, i: x[:, i], lambda x, i: x[T.stack([i, 0])]):
        v = variables_of([X, np.int64(0)])
        f = tracejit.function(v, build(*v), mode="FAST_COMPILE")
        with pytest.raises(IndexError):
            f(X, 9)


def test_lengths_stay_lengths() -> None:
    x = T.tensor3()
    _, *rest = x.shape
    assert len(rest) == 2 and x.shape[1:].shape[0].eval() == 2
    check(lambda v: T.zeros(v.shape[:2]), np.zeros((2, 3)), C)
    check(lambda v: T.alloc(1.0, v.shape[0], v.shape[2]), np.ones((2, 4), "float32"), C)
    check(lambda a, b: T.set_subtensor(T.stack([a, b])[0], 5), [5, 2.0], *map(np.float64, (1, 2)))


# Setting -------------------------------------------------------------------------------------


def changed(x: Any, key: Any, y: Any, add: bool) -> Any:
    """What NumPy makes of it."""
    x = np.array(x)
    if add:
        np.add.at(x, key, y)
    else:
        x[key] = y
    return x


@pytest.mark.parametrize("add", [False, True], ids=["set", "inc"])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_setting(key: Any, add: bool) -> None:
    index = np.array(key, int) if isinstance(key, list) else key
    part = X[index]
    values = [np.asarray(7.0), np.ones(part.shape)]
    places = np.arange(X.size).reshape(X.shape)[index]
    if add or np.unique(places).size == places.size:
        values.append(np.arange(part.size, dtype="float64").reshape(part.shape))
    function = T.inc_subtensor if add else T.set_subtensor
    for y in values:
        want = changed(X, index, y, add)
        check(lambda x, v: function(x[key], v), want, X, y)


def test_repeated_indices_add_up() -> None:
    i, y = np.array([1, 1, 3, 1]), np.arange(4.0)
    want = changed(V, i, y, True)
    assert want[1] == 1 + 0 + 1 + 3
    check(lambda v, i, y: T.inc_subtensor(v[i], y), want, V, i, y)
    check(lambda v, i: T.inc_subtensor(v[i], 1), changed(V, i, 1, True), V, i)
    check(lambda x, i: T.inc_subtensor(x[:, i], 1), changed(X, (slice(None), i), 1, True), X, i)
    pairs = (np.array([0, 0, 3, 0]), i)
    check(lambda x, i: T.inc_subtensor(x[pairs[0], i], 2), changed(X, pairs, 2, True), X, i)
    check(lambda x, m: T.inc_subtensor(x[m], 1), changed(X, X > 3, 1, True), X, X > 3)
    check(
        lambda x, i: T.inc_subtensor(x[i], 1, set_instead_of_inc=True),
        changed(X, i, 1, False),
        X,
        i,
    )


def test_setting_through_other_views() -> None:
    y = np.arange(8.0).reshape(4, 2)
    want = X.copy()
    want[:, [1, 3]] = y
    check(lambda x, y: T.set_subtensor(x[:, [1, 3]], y), want, X, y)
    check(lambda x, y: T.set_subtensor(x[:, [1, 3]].T, y.T), want, X, y)
    check(lambda x, y: T.set_subtensor(x[:, [1, 3]].flatten(), y.flatten()), want, X, y)
    check(lambda x, y: T.set_subtensor(x[:, [1, 3]].dimshuffle(0, "x", 1), y[:, None]), want, X, y)
    check(lambda x: T.set_subtensor(x[1:3].T, 0), changed(X, slice(1, 3), 0, False), X)
    check(lambda x: T.inc_subtensor(x[1:3].reshape((12,)), 2), changed(X, slice(1, 3), 2, True), X)
    check(lambda x: T.set_subtensor(x.T[1], 0), changed(X.T, 1, 0, False), X)


def test_setting_keeps_types() -> None:
    x = T.fmatrix()
    new = T.set_subtensor(x[0], 1)
    assert new.type == x.type and new is not x
    assert T.set_subtensor(T.imatrix()[0], T.bscalar()).dtype == "int32"
    check(
        lambda x: T.set_subtensor(x[0], 0.5), changed(X, 0, 0.5, False).astype("f4"), X.astype("f4")
    )
    with pytest.raises(TypeError):
        T.set_subtensor(x[0], T.dvector())
    with pytest.raises(TypeError):
        T.set_subtensor(T.imatrix()[0], 0.5)
    for whole in (x, x + 1, x.T, x.flatten()):
        with pytest.raises(TypeError, match="result of a subtensor"):
            T.set_subtensor(whole, 0)
    with pytest.raises(TypeError, match="dimension"):
        T.inc_subtensor(x[0], T.fmatrix())


def test_setting_does_not_change_the_operand() -> None:
    x = T.dvector()
    f = tracejit.function([x], [T.set_subtensor(x[0], 9.0), x * 1], mode="FAST_COMPILE")
    value = V.copy()
    changed, same = f(value)
    assert changed[0] == 9 and same[0] == value[0] == 0


def test_setting_with_lengths_that_do_not_fit() -> None:
    v = variables_of([X, V])
    f = tracejit.function(v, T.set_subtensor(v[0][:, 0], v[1]), mode="FAST_COMPILE")
    with pytest.raises(ValueError):
        f(X, V)


# Picking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take(mode: Any, axis: int | None) -> None:
    inside = np.array([[0, 3], [2, 2]], "int32")
    outside = inside if mode == "raise" else np.array([[-7, 3], [25, 2]], "int32")
    for at in (inside, outside, inside[0], inside[0, 0]):
        check(
            lambda x, i: x.take(i, axis, mode), lambda x, i: x.take(i, axis, mode=mode), X,
            np.asarray(at),
        )  # fmt: skip
    check(lambda x: T.take(x, [1, 0], axis, mode), lambda x: x.take([1, 0], axis), X)


def test_take_refuses() -> None:
    x = T.vector()
    with pytest.raises(ValueError):
        T.take(x, 0, mode="around")
    f = tracejit.function([x], T.take(x, [9]), mode="FAST_COMPILE")
    with pytest.raises(IndexError):
        f(V)


def test_nonzero() -> None:
    x = np.array([[0, 2, 0], [3, 0, 4]])
    check(lambda v: T.nonzero(v), lambda a: list(a.nonzero()), x)
    check(lambda v: v.nonzero(return_matrix=True), lambda a: np.stack(a.nonzero()), x)
    check(lambda v: v.nonzero_values(), lambda a: a[a != 0], x)
    check(lambda v: T.flatnonzero(v), np.flatnonzero, x)
    check(lambda v: v.nonzero()[0], lambda a: a.nonzero()[0], x[1])
    assert isinstance(T.nonzero(T.vector()), tuple) and len(T.nonzero(T.vector())) == 1
    with pytest.raises(ValueError):
        T.nonzero(T.scalar())


def test_compiled() -> None:
    i, y = np.array([1, 1, 3, 1]), np.arange(4.0)

    def build(x: Any, i: Any, y: Any) -> list[Any]:
        return [
            x[T.arange(x.shape[0]), i] * 2,
            T.inc_subtensor(x[0, i], y),
            T.set_subtensor(x[:, 1:3], y[:, None]),
            x[i][:, ::-1],
            x.take(i, axis=1, mode="wrap"),
            x[y > 1].sum(),
        ]

    def want(x: Any, i: Any, y: Any) -> list[Any]:
        return [
            x[np.arange(4), i] * 2,
            changed(x, (0, i), y, True),
            changed(x, (slice(None), slice(1, 3)), y[:, None], False),
            x[i][:, ::-1],
            x.take(i, 1),
            x[y > 1].sum(),
        ]

    check(build, want, X, i, y, mode="FAST_RUN")
