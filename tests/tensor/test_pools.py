"""Pools and windows of images against loops in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.tensor.nnet import neighbours
from tracejit.tensor.signal import downsample, pool

RNG = np.random.default_rng(4)
MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def pooled(x: Any, ws: Any, ignore: bool, stride: Any, pad: Any, mode: str) -> Any:
    """By a loop over windows of the padded images."""
    count = len(ws)
    stride = ws if stride is None else stride
    lengths = x.shape[-count:]
    places = pool.Pool.out_shape(lengths, ws, ignore, stride, pad, count)
    out = np.zeros((*x.shape[:-count], *places), x.dtype)
    for place in np.ndindex(*places):
        bounds = [
            (p * s - m, min(p * s + n, length + 2 * m) - m)
            for p, n, s, m, length in zip(place, ws, stride, pad, lengths, strict=True)
        ]
        inside = [(max(a, 0), min(b, n)) for (a, b), n in zip(bounds, lengths, strict=True)]
        window = x[(..., *(slice(*b) for b in inside))]
        axes = tuple(range(x.ndim - count, x.ndim))
        value = window.max(axes) if mode == "max" else window.sum(axes)
        if mode.startswith("average"):
            sizes = bounds if mode == "average_inc_pad" else inside
            value = value / np.prod([b - a for a, b in sizes])
        out[(..., *place)] = value
    return out


#: The shape of images, of windows, whether borders are ignored, steps, margins.
CASES: dict[str, tuple[Any, ...]] = {
    "tiles": ((2, 3, 6, 8), (2, 4), True, None, (0, 0)),
    "tiles that leave some out": ((2, 3, 7, 9), (2, 4), True, None, (0, 0)),
    "tiles beyond the border": ((2, 3, 7, 9), (2, 4), False, None, (0, 0)),
    "overlapping": ((1, 2, 7, 8), (3, 3), True, (2, 1), (0, 0)),
    "overlapping beyond the border": ((1, 2, 7, 8), (3, 2), False, (2, 1), (0, 0)),
    "apart": ((1, 2, 7, 8), (2, 2), True, (3, 3), (0, 0)),
    "apart beyond the border": ((1, 2, 7, 8), (2, 2), False, (3, 4), (0, 0)),
    "padded": ((2, 1, 6, 7), (3, 2), True, (2, 2), (1, 1)),
    "large": ((1, 2, 9, 8), (7, 6), True, (1, 2), (0, 0)),
    "all": ((2, 2, 5, 6), (5, 6), True, None, (0, 0)),
    "too large": ((2, 2, 3, 6), (4, 2), True, None, (0, 0)),
    "no images": ((0, 2, 4, 4), (2, 2), True, None, (0, 0)),
    "two axes": ((6, 8), (3, 2), True, None, (0, 0)),
    "five axes": ((2, 1, 2, 6, 8), (3, 2), True, None, (0, 0)),
    "three axes of windows": ((2, 4, 6, 5), (2, 3, 2), False, (2, 2, 2), (0, 0, 0)),
}


def made(name: str, mode: str) -> Any:
    _, ws, ignore, stride, pad = CASES[name]
    function = pool.pool_3d if len(ws) == 3 else pool.pool_2d
    return lambda x: function(x, ws, ignore, stride, pad, mode)


def variable(a: Any) -> Any:
    return T.TensorType(a.dtype, (False,) * a.ndim)()


@pytest.mark.parametrize("name", CASES)
def test_values(name: str) -> None:
    shape, *given = CASES[name]
    for mode in MODES:
        for dtype in ("float64", "float32"):
            x = RNG.standard_normal(shape).astype(dtype)
            a = variable(x)
            y = made(name, mode)(a)
            want = pooled(x, *given, mode)
            rtol = 1e-5 if dtype == "float32" else 1e-12
            with tracejit.config(compile=dtype == "float64" and mode == MODES[len(name) % 4]):
                np.testing.assert_allclose(tracejit.function([a], y)(x), want, rtol, 1e-6)
            plain = tracejit.function([a], y, mode="FAST_COMPILE")(x)
            np.testing.assert_allclose(plain, want, rtol, 1e-6)
            assert plain.dtype == y.dtype == dtype


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("no images", "too large")])
def test_derivatives(name: str) -> None:
    x = RNG.permutation(np.arange(np.prod(CASES[name][0]))).reshape(CASES[name][0]) / 8.0
    mode = MODES[1 + len(name) % 3]
    with tracejit.config(compile=name in ("tiles", "overlapping", "padded", "large")):
        for each in ("max", mode):
            T.verify_grad(made(name, each), [x], rng=np.random.RandomState(1))


def test_ties_have_the_derivative_each() -> None:
    x = np.array([[1.0, 2, 0, 3], [2, 2, 3, 3], [1, 1, 0, 0], [1, 1, 0, 0]])
    a = T.dmatrix()
    y = pool.pool_2d(a, (2, 2), ignore_border=True)
    weight = np.array([[1.0, 10], [100, 1000]])
    want = np.repeat(np.repeat(weight, 2, 0), 2, 1) * (x == np.repeat(np.repeat(
        pooled(x, (2, 2), True, None, (0, 0), "max"), 2, 0), 2, 1))  # fmt: skip
    g = tracejit.function([a], T.grad((y * weight).sum(), a))
    np.testing.assert_array_equal(g(x), want)
    over = pool.pool_2d(a, (2, 2), True, (1, 1))
    g = tracejit.function([a], T.grad(over.sum(), a))
    want = np.zeros((4, 4))
    for i, j in np.ndindex(3, 3):
        part = x[i : i + 2, j : j + 2]
        want[i : i + 2, j : j + 2] += part == part.max()
    np.testing.assert_array_equal(g(x), want)


def test_numbers_that_are_none() -> None:
    x = RNG.standard_normal((1, 1, 4, 6))
    x[0, 0, 1, 1], x[0, 0, 2, 3], x[0, 0, 0, 5] = np.nan, np.inf, -np.inf
    a = T.dtensor4()
    y = pool.pool_2d(a, (3, 2), True, (2, 2), (1, 1))
    with np.errstate(invalid="ignore"):
        want = pooled(x, (3, 2), True, (2, 2), (1, 1), "max")
    np.testing.assert_array_equal(tracejit.function([a], y)(x), want)


def test_integers() -> None:
    x = RNG.integers(-9, 9, (2, 5, 6)).astype("int16")
    a = variable(x)
    for mode in ("max", "sum"):
        y = pool.pool_2d(a, (2, 3), False, mode=mode)
        want = pooled(x, (2, 3), False, None, (0, 0), mode)
        np.testing.assert_array_equal(tracejit.function([a], y)(x), want)


def test_sizes_that_are_lengths() -> None:
    x = RNG.standard_normal((2, 3, 5, 6))
    a = T.dtensor4()
    f = tracejit.function([a], pool.pool_2d(a, a.shape[2:], True, mode="average_exc_pad"))
    for image in (x, x[:, :, :4, :2]):
        np.testing.assert_allclose(f(image)[..., 0, 0], image.mean((2, 3)))
    g = tracejit.function([a], T.grad(pool.pool_2d(a, a.shape[2:], True).sum(), a))
    np.testing.assert_array_equal(g(x), x == x.max((2, 3), keepdims=True))


def test_the_largest_of_each_tile_where_it_is() -> None:
    x = RNG.standard_normal((2, 2, 5, 6))
    a = T.dtensor4()
    found = tracejit.function([a], pool.max_pool_2d_same_size(a, (2, 3)))(x)
    most = np.repeat(np.repeat(pooled(x, (2, 3), True, None, (0, 0), "max"), 2, 2), 3, 3)
    want = np.zeros_like(x)
    want[:, :, :4] = np.where(x[:, :, :4] == most, x[:, :, :4], 0)
    np.testing.assert_array_equal(found, want)


def test_shapes_and_older_names() -> None:
    assert pool.Pool.out_shape((3, 7, 8), (2, 3), True) == [3, 3, 2]
    assert pool.Pool.out_shape((3, 7, 8), (2, 3), False) == [3, 4, 3]
    a = T.dtensor4()
    x = RNG.standard_normal((1, 1, 4, 4))
    lengths = pool.Pool.out_shape(tuple(a.shape[k] for k in range(4)), (3, 2), False, (2, 2))
    assert [int(n) for n in tracejit.function([a], lengths)(x)] == [1, 1, 2, 2]
    y = downsample.max_pool_2d(a, (2, 2), ignore_border=True)
    np.testing.assert_array_equal(
        tracejit.function([a], y)(x), pooled(x, (2, 2), True, None, (0, 0), "max")
    )
    with pytest.warns(DeprecationWarning, match="'ds'"):
        pool.pool_2d(a, ds=(2, 2), ignore_border=True)
    with pytest.warns(UserWarning, match="ignore_border"):
        pool.pool_2d(a, (2, 2))


def test_what_is_wrong_with_pools() -> None:
    a = T.dtensor4()
    with pytest.raises(ValueError, match="window size"):
        pool.pool_2d(a, ignore_border=True)
    with pytest.raises(ValueError, match="mode"):
        pool.pool_2d(a, (2, 2), True, mode="median")
    with pytest.raises(NotImplementedError, match="ignore_border"):
        pool.pool_2d(a, (2, 2), False, pad=(1, 1))
    with pytest.raises(NotImplementedError, match="smaller"):
        pool.pool_2d(a, (2, 2), True, pad=(2, 1))
    with pytest.raises(NotImplementedError, match="dimension"):
        pool.pool_2d(T.dvector(), (2, 2), True)
    with pytest.raises(TypeError, match="ints"):
        pool.pool_2d(a, (2.5, 2), True)
    with pytest.raises(ValueError, match="at least 1"):
        pool.pool_2d(a, (0, 2), True)


# Windows as rows ----------------------------------------------------------------------------------


def rows(x: Any, shape: Any, step: Any, mode: str) -> Any:
    """By loops, as documented."""
    if mode in ("half", "full"):
        pads = [n // 2 if mode == "half" else n - 1 for n in shape]
        x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pads)])
    found = []
    lengths = x.shape[2:]
    wrapped = mode == "wrap_centered"
    counts = [
        -(-n // s) if wrapped else (n - size) // s + 1
        for n, size, s in zip(lengths, shape, step, strict=True)
    ]
    for image in x.reshape(-1, *lengths):
        for place in np.ndindex(*counts):
            at = [
                p * s - (size // 2 if wrapped else 0) + np.arange(size)
                for p, s, size in zip(place, step, shape, strict=True)
            ]
            found.append(image[np.ix_(at[0] % lengths[0], at[1] % lengths[1])].ravel())
    return np.array(found).reshape(-1, shape[0] * shape[1])


WINDOWS = {
    "valid": ((2, 3), (2, 3)),
    "ignore_borders": ((2, 4), (1, 3)),
    "wrap_centered": ((3, 5), (2, 1)),
    "half": ((3, 3), (1, 1)),
    "full": ((2, 2), (1, 1)),
}


@pytest.mark.parametrize("mode", WINDOWS)
def test_windows_are_rows(mode: str) -> None:
    shape, step = WINDOWS[mode]
    x = RNG.standard_normal((2, 3, 4, 6))
    a = T.dtensor4()
    y = T.nnet.neighbours.images2neibs(a, shape, step, mode)
    want = rows(x, shape, step, mode)
    np.testing.assert_array_equal(tracejit.function([a], y)(x), want)
    np.testing.assert_array_equal(tracejit.function([a], y, mode="FAST_COMPILE")(x), want)
    with tracejit.config(compile=False):
        T.verify_grad(
            lambda v: neighbours.images2neibs(v, shape, step, mode), [x],
            rng=np.random.RandomState(1),
        )  # fmt: skip


def test_rows_are_images_again() -> None:
    x = RNG.standard_normal((2, 3, 5, 6))
    a = T.dtensor4()
    there = neighbours.images2neibs(a, (2, 3), mode="ignore_borders")
    back = neighbours.neibs2images(there, (2, 3), a.shape, "ignore_borders")
    want = x.copy()
    want[:, :, 4:] = 0
    np.testing.assert_array_equal(tracejit.function([a], back)(x), want)
    back = neighbours.neibs2images(neighbours.images2neibs(a, (5, 2)), (5, 2), a.shape)
    np.testing.assert_array_equal(tracejit.function([a], back)(x), x)


def test_what_is_wrong_with_windows() -> None:
    a = T.dtensor4()
    x = np.ones((1, 1, 5, 5))
    for shape, mode in (((2, 2), "valid"), ((2, 3), "wrap_centered"), ((7, 7), "wrap_centered")):
        with pytest.raises(TypeError):
            tracejit.function([a], neighbours.images2neibs(a, shape, mode=mode))(x)
    with pytest.raises(NotImplementedError):
        neighbours.images2neibs(a, (2, 2), mode="same")
    with pytest.raises(NotImplementedError):
        neighbours.neibs2images(T.dmatrix(), (2, 2), a.shape, "half")
