"""Filters of ``scipy.ndimage``: SciPy's bits, in its dtypes, modes and layouts, and exceptions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.ndimage as nd
from library_calls import met, outcome

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(0)
K = RNG.normal(size=(3, 4))
W = RNG.normal(size=4)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
MODES = "reflect constant nearest mirror wrap grid-wrap grid-constant grid-mirror".split()
SHAPES = ((9, 11), (2, 3), (1, 1), (0, 4))
DTYPES = ("f8", "f4", "i4", "u1", "i8", "u8")

FILTERS = """
nd.correlate1d(x, [1.0, 2, 3, 4], 0, mode=m)
nd.correlate1d(x, [1.0, 2, 3], 0, origin=1, mode=m, cval=2)
nd.convolve1d(x, w, 1, mode=m)
nd.correlate1d(x.astype(int), w[:3] + w[2::-1], 1, mode=m)
nd.gaussian_filter(x, 1.0, mode=m)
nd.gaussian_filter1d(x, 1.3, 0, order=1, mode=m)
nd.sobel(x, mode=m)
nd.laplace(x, mode=m)
nd.uniform_filter(x, 3, mode=m)
nd.uniform_filter1d(x, 4, 0, origin=-1, mode=m)
nd.minimum_filter(x, 3, mode=m)
nd.maximum_filter(x, (2, 5), mode=m)
nd.minimum_filter(x, footprint=[[0, 1, 0], [1, 1, 1], [0, 1, 0]], mode=m)
nd.median_filter(x, 3, mode=m)
nd.convolve(x, k, mode=m, cval=1.5)
nd.convolve(x, CROSS - 5 * (CROSS == 0), mode=m)
nd.median_filter(x[:, 0], 5, mode=m, cval=3)
"""
OPTIONS = """
nd.gaussian_filter(x, [1, 2], order=(0, 1), truncate=2)
nd.gaussian_filter(x, 1, axes=0)
nd.gaussian_filter(x, 2, radius=3, output=np.float32)
nd.gaussian_filter(x, 0)
nd.gaussian_filter(x, 1, mode=['wrap', 'nearest'])
nd.gaussian_laplace(x, 1.5)
nd.gaussian_gradient_magnitude(x, 1.5)
nd.prewitt(x, 0)
nd.correlate(x, k, origin=(1, -1))
nd.correlate(x, [[2.0]])
nd.convolve(x, w, axes=1)
nd.maximum_filter1d(x, 7, 0, origin=2)
nd.maximum_filter(x, 1)
nd.minimum_filter(x, footprint=np.ones((2, 2)))
nd.median_filter(x, (2, 3), origin=(0, 1))
nd.percentile_filter(x, 20, 3)
nd.percentile_filter(x, -1, (5, 1))
nd.rank_filter(x, 2, footprint=np.array([[0, 1], [1, 1]]))
nd.rank_filter(x, -1, size=2)
nd.uniform_filter(x, (1, 4), output='float64')
nd.uniform_filter(x, 3, axes=(1,))
nd.convolve1d(x, w + 1j)
nd.correlate1d(x * 1j + x, [1, 2, 1], 0)
nd.uniform_filter(x + 2j * x, 2)
"""
WRONG = """
nd.gaussian_filter(x, 1, mode='none')
nd.gaussian_filter(x, 1, order=-1)
nd.gaussian_filter(x, 1, axes=3)
nd.gaussian_filter(x, (1, 2, 3))
nd.correlate1d(x, [])
nd.correlate1d(x, [1, 2, 3], 4)
nd.correlate1d(x, [1, 2, 3], origin=2)
nd.uniform_filter1d(x, 0)
nd.uniform_filter1d(x, 3, origin=3)
nd.minimum_filter(x)
nd.minimum_filter(x * 1j, 3)
nd.median_filter(x, 3, output=np.zeros((1, 2)))
nd.convolve(x, np.ones(3))
nd.rank_filter(x, 9, 3)
"""


def listed(text):
    return text.strip().split("\n")


def function(expression, mode="reflect"):
    scope = {"nd": nd, "np": np, "m": mode, "CROSS": CROSS}
    exec(f"def f(x, w=None, k=None): return {expression.replace('=m', f'={mode!r}')}", scope)
    return scope["f"]


def check(f, *args, compile=False):
    found = met(f, *args, compile=compile)
    if found is None:
        return
    got, want = found
    assert (got.dtype, got.shape, got.flags.c_contiguous) == (
        want.dtype, want.shape, want.flags.c_contiguous,
    )  # fmt: skip
    np.testing.assert_array_equal(got, want)


def image(shape, dtype):
    if dtype[0] == "u":
        return RNG.integers(0, 200, shape).astype(dtype)
    return (RNG.normal(size=shape) * 50).astype(dtype)


def is_written_for(expression, x):
    """Whether the filter is compiled: ranks of vectors that are longer than their windows."""
    return "x[:, 0]" not in expression or len(x) >= 5


@pytest.mark.parametrize("expression", listed(FILTERS))
def test_modes_and_shapes(expression):
    for mode in MODES:
        f = function(expression, mode)
        for shape, dtype in zip(SHAPES, DTYPES[:4], strict=True):
            x = image(shape, dtype)
            if is_written_for(expression, x):
                check(f, x, W, K)


@pytest.mark.parametrize("expression", [*listed(FILTERS), *listed(OPTIONS)])
def test_dtypes(expression):
    f = function(expression)
    for dtype in DTYPES:
        check(f, image((7, 6), dtype), W, K)


@pytest.mark.parametrize("expression", listed(OPTIONS))
def test_options_of_few_elements(expression):
    for shape in SHAPES[1:]:
        check(function(expression), image(shape, "f8"), W, K)


@pytest.mark.parametrize("expression", listed(WRONG))
def test_what_scipy_raises(expression):
    f = function(expression)
    assert isinstance(outcome(f, image((5, 4), "f8"), W, K), type)
    check(f, image((5, 4), "f8"), W, K)


@pytest.mark.parametrize("expression", [
    "nd.gaussian_filter(x, 1.0)", "nd.uniform_filter(x, 3, mode='mirror')",
    "nd.median_filter(x, 3)", "nd.maximum_filter(x, 4)", "nd.convolve(x, k)",
    "nd.sobel(x, mode='wrap')",
])  # fmt: skip
@pytest.mark.parametrize("layout", [
    lambda x: x, np.asfortranarray, lambda x: x[::-1, ::2], lambda x: x.astype("i2"),
])  # fmt: skip
def test_compiled(expression, layout):
    check(function(expression), layout(image((12, 10), "f8")), W, K, compile=True)


def test_many_axes():
    x = image((4, 5, 3, 6), "f8")
    check(lambda x: nd.gaussian_filter(x, 0.7) + nd.uniform_filter(x, 2), x)
    check(lambda x: nd.median_filter(x, (1, 3, 1, 3)) + nd.laplace(x, axes=(0, 3)), x)
    check(lambda x: nd.gaussian_filter(x, 1), image((), "f8"))


def test_results_are_written_into_an_array():
    def f(x, y):
        z = nd.gaussian_filter(x, 1.0, output=y)
        nd.maximum_filter(x, 3, output=x)
        y += x
        return z

    x, y = image((6, 7), "f8"), np.zeros((6, 7), "f4")
    own = x.copy(), y.copy()
    want = f(*own)
    with tracejit.config(compile=False):
        got = tracejit.function(f, on_unsupported="error")(x, y)
    assert got is y
    for a, b in zip((got, x, y), (want, *own), strict=True):
        np.testing.assert_array_equal(a, b)


def test_widths_that_are_arguments():
    """Sums are rounded otherwise: whether weights are alike from either end is not known."""
    f = tracejit.function(lambda x, s: nd.gaussian_filter(x, s), on_unsupported="error")
    x = image((8, 9), "f8")
    with tracejit.config(compile=False):
        for s in (1.0, 1.2, 2.5):
            np.testing.assert_allclose(f(x, s), nd.gaussian_filter(x, s), rtol=1e-14, atol=1e-13)


def test_infinite_values():
    x = image((8, 9), "f8")
    x[2, 3], x[5, 1], x[7, 7] = np.inf, -np.inf, np.nan
    with np.errstate(invalid="ignore"):
        check(lambda x: nd.gaussian_filter(x, 1.0), x)
        check(lambda x: nd.uniform_filter(x, 3), x)
        check(lambda x, k: nd.convolve(x, k), x, K)
        check(lambda x: nd.minimum_filter(x, footprint=[[0, 1, 0], [1, 1, 1], [0, 1, 0]]), x)


@pytest.mark.parametrize("compile", [False, True])
def test_the_order_of_nan_is_scipys(compile):
    x = image((8, 9), "f8")
    f = tracejit.function(lambda x: nd.median_filter(x, 3), on_unsupported="warn")
    with tracejit.config(compile=compile):
        np.testing.assert_array_equal(f(x), nd.median_filter(x, 3))
        x[4, 4] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(f(x), nd.median_filter(x, 3))


@pytest.mark.parametrize("f", [
    lambda x: nd.zoom(x, 2) + 1, lambda x: nd.rotate(x, 30) + 1, lambda x: nd.label(x > 0)[0] + 1,
    lambda x: nd.map_coordinates(x, [[0.5], [1.5]]) + 1, lambda x: nd.median_filter(x, 9) + 1,
    lambda x: nd.generic_filter(x, np.ptp, 3) + 1, lambda x: nd.gaussian_filter(x > 0, 1) + 1,
    lambda x: nd.distance_transform_edt(x > 0) + 1,
    lambda x: nd.median_filter(x, footprint=CROSS) + 1, lambda x: nd.grey_dilation(x, 3) + 1,
])  # fmt: skip
def test_what_is_a_host_call(f):
    x = image((6, 7), "f8")
    with pytest.warns(tracejit.UnsupportedWarning):
        got = tracejit.function(f, on_unsupported="warn")(x)
    np.testing.assert_array_equal(got, f(x))


def test_derivatives():
    x = RNG.permutation(30).reshape(5, 6) / 10
    with tracejit.config(compile=False):
        check_grads(lambda x: nd.gaussian_filter(x, 1.0, mode="wrap"), [x], rtol=1e-5, atol=1e-5)
        check_grads(lambda x, k: nd.convolve(x, k), [x, K], rtol=1e-5, atol=1e-5)
        check_grads(lambda x: nd.median_filter(x, 3), [x], rtol=1e-5, atol=1e-5)
