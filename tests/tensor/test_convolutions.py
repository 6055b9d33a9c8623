"""Convolutions against sums of products in NumPy, their derivatives against differences."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.symbolic.type import TensorType
from tracejit.tensor.nnet import abstract_conv, conv

RNG = np.random.default_rng(3)


def numbers(*shape: int, dtype: str = "float64") -> Any:
    return (RNG.integers(-4, 5, shape) / 2).astype(dtype)


def variable(a: Any) -> Any:
    return TensorType(a.dtype, (False,) * a.ndim)()


def margins(mode: Any, reach: int) -> tuple[int, int]:
    if isinstance(mode, tuple):
        return mode
    size = {"valid": 0, "full": reach - 1, "half": reach // 2}.get(mode, mode)
    return size, size


def convolved(
    x: Any, w: Any, border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """By loops over places, filters and groups."""
    count = len(subsample)
    if filter_flip:
        w = np.flip(w, tuple(range(w.ndim - count, w.ndim)))
    modes = border_mode if isinstance(border_mode, tuple) else (border_mode,) * count
    reach = [(n - 1) * d + 1 for n, d in zip(w.shape[-count:], filter_dilation, strict=True)]
    pads = [margins(m, r) for m, r in zip(modes, reach, strict=True)]
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    places = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, subsample, strict=True)]
    out = np.zeros((len(x), len(w), *places), np.result_type(x, w))
    channels, filters = x.shape[1] // num_groups, len(w) // num_groups
    for o, place in itertools.product(range(len(w)), np.ndindex(*places)):
        group = o // filters
        at = tuple(
            slice(p * s, p * s + r, d)
            for p, s, r, d in zip(place, subsample, reach, filter_dilation, strict=True)
        )
        window = x[(slice(None), slice(group * channels, (group + 1) * channels), *at)]
        own = w[(o, *place)] if unshared else w[o]
        out[(slice(None), o, *place)] = (window * own).sum(tuple(range(1, window.ndim)))
    return out


#: Images, filters, options.
CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "valid": ((2, 3, 6, 7), (4, 3, 3, 2), {}),
    "full": ((2, 3, 6, 7), (4, 3, 3, 2), {"border_mode": "full"}),
    "half": ((1, 2, 6, 7), (5, 2, 3, 4), {"border_mode": "half"}),
    "numbers": ((1, 2, 5, 4), (2, 2, 3, 3), {"border_mode": 2}),
    "pairs": ((1, 2, 5, 4), (2, 2, 3, 3), {"border_mode": ((1, 2), (0, 3))}),
    "each": ((1, 2, 5, 4), (2, 2, 3, 3), {"border_mode": (1, 0), "filter_flip": False}),
    "steps": ((2, 2, 9, 8), (3, 2, 3, 2), {"subsample": (2, 3)}),
    "steps beyond": ((1, 1, 9, 10), (3, 1, 2, 2), {"subsample": (3, 4), "border_mode": 1}),
    "dilated": ((2, 2, 9, 8), (3, 2, 3, 2), {"filter_dilation": (2, 3)}),
    "dilated steps": (
        (2, 2, 9, 12), (3, 2, 3, 2),
        {"filter_dilation": (2, 3), "subsample": (2, 2), "border_mode": "half"},
    ),
    "groups": ((2, 6, 5, 5), (4, 3, 2, 2), {"num_groups": 2}),
    "channels apart": ((2, 4, 5, 5), (8, 1, 3, 3), {"num_groups": 4, "border_mode": "half"}),
    "one place": ((2, 3, 5, 4), (2, 3, 5, 4), {}),
    "one element": ((2, 3, 5, 4), (2, 3, 1, 1), {}),
    "wide": ((1, 2, 3, 37), (5, 2, 2, 3), {"border_mode": "half"}),
    "many filters": ((1, 1, 4, 4), (9, 1, 2, 2), {}),
    "no image": ((0, 3, 6, 7), (4, 3, 3, 2), {}),
    "no filter": ((2, 3, 6, 7), (0, 3, 3, 2), {}),
    "no channel": ((2, 0, 6, 7), (4, 0, 3, 2), {}),
    "unshared": ((2, 3, 4, 5), (4, 3, 4, 3, 2, 2), {"unshared": True}),
    "unshared groups": (
        (2, 4, 5, 5), (4, 2, 2, 2, 2, 3),
        {"unshared": True, "num_groups": 2, "subsample": (2, 2)},
    ),
}  # fmt: skip
COMPILED = ("valid", "full", "dilated steps", "groups", "wide", "no channel", "unshared groups")


@pytest.mark.parametrize("name", CASES)
def test_values(name: str) -> None:
    images, filters, options = CASES[name]
    for dtype in ("float64", "float32", "int32"):
        x, w = numbers(*images, dtype=dtype), numbers(*filters, dtype=dtype)
        a, b = variable(x), variable(w)
        y = T.nnet.conv2d(a, b, **options)
        assert y.dtype == dtype
        want = convolved(x, w, **options)
        with tracejit.config(compile=False):
            np.testing.assert_array_equal(tracejit.function([a, b], y)(x, w), want)
        plain = tracejit.function([a, b], y, mode="FAST_COMPILE")
        np.testing.assert_array_equal(plain(x, w), want)
        if name in COMPILED and dtype != "int32":
            f = tracejit.function([a, b], y)
            np.testing.assert_array_equal(f(x, w), want)
            if "unshared" not in name and 0 not in images:
                assert f"convolve_{x.dtype.char}_places" in f.source()


def test_other_numbers_are_products_of_matrices() -> None:
    for dtype in ("int64", "complex128", "float16"):
        x, w = numbers(2, 3, 5, 5, dtype=dtype), numbers(4, 3, 2, 2, dtype=dtype)
        a, b = variable(x), variable(w)
        f = tracejit.function([a, b], T.nnet.conv2d(a, b, border_mode="half"))
        np.testing.assert_array_equal(f(x, w), convolved(x, w, "half"))
        assert "convolve" not in f.source()


def test_layouts() -> None:
    x, w = numbers(2, 3, 6, 7), numbers(4, 3, 3, 2)
    a, b = variable(x), variable(w)
    f = tracejit.function([a, b], T.nnet.conv2d(a, b))
    want = convolved(x, w)
    wide = np.zeros((2, 3, 12, 14))
    wide[:, :, ::2, ::2] = x
    for image in (np.asfortranarray(x), wide[:, :, ::2, ::2], x[::-1, ::-1][::-1, ::-1]):
        for kernel in (w, np.asfortranarray(w)):
            np.testing.assert_array_equal(f(image, kernel), want)


def test_what_is_not_a_number_stays_where_it_is() -> None:
    x, w = numbers(1, 1, 5, 19), numbers(2, 1, 2, 2)
    x[0, 0, 1, 3], x[0, 0, 3, 17] = np.nan, np.inf
    a, b = variable(x), variable(w)
    f = tracejit.function([a, b], T.nnet.conv2d(a, b))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(f(x, w), convolved(x, w))


def test_biases_and_activations_are_one_loop() -> None:
    x, w = numbers(2, 3, 6, 7), numbers(4, 3, 3, 2)
    a, b, c = variable(x), variable(w), T.dvector()
    y = T.maximum(T.nnet.conv2d(a, b) + c.dimshuffle("x", 0, "x", "x"), 0)
    f = tracejit.function([a, b, c], y)
    bias = numbers(4)
    want = np.maximum(convolved(x, w) + bias[:, None, None], 0)
    np.testing.assert_array_equal(f(x, w, bias), want)
    assert f.source().count(" = maximum(") == 1


DERIVED = ("valid", "pairs", "steps beyond", "dilated steps", "groups", "unshared groups")


@pytest.mark.parametrize("name", DERIVED)
def test_derivatives(name: str) -> None:
    images, filters, options = CASES[name]
    points = [numbers(*images), numbers(*filters)]
    rng = np.random.RandomState(1)
    T.verify_grad(lambda x, w: T.nnet.conv2d(x, w, **options), points, rng=rng)


def test_both_ways_of_vectors_have_derivatives() -> None:
    """The derivative by filters goes along these; it has derivatives by both operands."""
    x, w = numbers(2, 2, 5, 6), numbers(3, 2, 2, 2)
    a, b = variable(x), variable(w)
    y = T.nnet.conv2d(a, b, subsample=(1, 2))
    first = T.grad((y**2).sum(), [a, b])
    f = tracejit.function([a, b], first)
    f(x, w)
    assert "convolve_d_filter" in f.source() and "convolve_d_places" in f.source()

    def derivative(u: Any, v: Any) -> Any:
        z = T.nnet.conv2d(u, v, subsample=(1, 2))
        gu, gv = T.grad((z**2).sum(), [u, v])
        return (gu**2).sum() + (gv**2).sum()

    T.verify_grad(derivative, [x, w], rng=np.random.RandomState(1))


def test_forward_derivatives() -> None:
    x, w = numbers(2, 2, 5, 6), numbers(3, 2, 2, 2)
    a, b, u, v = map(variable, (x, w, x, w))
    y = T.nnet.conv2d(a, b)
    f = tracejit.function([a, b, u, v], T.Rop(y, [a, b], [u, v]))
    dx, dw = numbers(*x.shape), numbers(*w.shape)
    np.testing.assert_allclose(f(x, w, dx, dw), convolved(dx, w) + convolved(x, dw), atol=1e-12)


def test_a_jacobian_is_more_groups() -> None:
    x, w = numbers(1, 1, 3, 4), numbers(1, 1, 2, 2)
    a, b = variable(x), variable(w)
    j = T.jacobian(T.nnet.conv2d(a, b).flatten(), b)
    found = tracejit.function([a, b], j)(x, w)
    for k in range(found.shape[0]):
        one = np.zeros(found.shape[0])
        one[k] = 1
        by = T.grad((T.nnet.conv2d(a, b).flatten() * one).sum(), b)
        np.testing.assert_allclose(found[k], tracejit.function([a, b], by)(x, w))


@pytest.mark.parametrize("options", [{}, {"border_mode": (1, 0), "subsample": (2, 1)}, {
    "border_mode": "half", "filter_dilation": (1, 2), "num_groups": 2}])  # fmt: skip
def test_derivatives_as_functions(options: dict[str, Any]) -> None:
    x, w = numbers(2, 4, 6, 7), numbers(6, 4 // options.get("num_groups", 1), 3, 2)
    a, b = variable(x), variable(w)
    y = T.nnet.conv2d(a, b, **options)
    g = numbers(*tracejit.function([a, b], y, mode="FAST_COMPILE")(x, w).shape)
    c = variable(g)
    want = tracejit.function([a, b, c], [T.Lop(y, a, c), T.Lop(y, b, c)])(x, w, g)
    by_inputs = abstract_conv.conv2d_grad_wrt_inputs(c, b, x.shape, **options)
    by_weights = abstract_conv.conv2d_grad_wrt_weights(a, c, w.shape, **options)
    found = tracejit.function([a, b, c], [by_inputs, by_weights])(x, w, g)
    for one, other in zip(found, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    renamed = {k.replace("subsample", "input_dilation"): v for k, v in options.items()}
    back = T.nnet.conv2d_transpose(c, b, (None, None, *x.shape[2:]), **renamed)
    np.testing.assert_allclose(tracejit.function([b, c], back)(w, g), want[0], atol=1e-12)
    T.verify_grad(
        lambda u, v: abstract_conv.conv2d_grad_wrt_inputs(u, v, x.shape, **options), [g, w],
        rng=np.random.RandomState(1),
    )  # fmt: skip


def test_three_axes() -> None:
    x, w = numbers(2, 3, 4, 5, 6), numbers(4, 3, 2, 2, 3)
    a, b = variable(x), variable(w)
    options = {"border_mode": (1, 0, 2), "subsample": (1, 2, 2), "filter_dilation": (2, 1, 1)}
    f = tracejit.function([a, b], T.nnet.conv3d(a, b, **options))
    np.testing.assert_array_equal(f(x, w), convolved(x, w, **options))
    T.verify_grad(lambda u, v: T.nnet.conv3d(u, v, **options), [x, w], rng=np.random.RandomState(1))


def test_one_axis_that_looks_back() -> None:
    x, w = numbers(2, 3, 9), numbers(4, 3, 3)
    a, b = variable(x), variable(w)
    y = abstract_conv.causal_conv1d(a, b, w.shape, filter_dilation=2)
    want = convolved(x, w, ((4, 0),), (1,), filter_dilation=(2,))
    np.testing.assert_array_equal(tracejit.function([a, b], y)(x, w), want)
    assert want.shape == (2, 4, 9)


def test_separable() -> None:
    x, d, p = numbers(2, 3, 6, 5), numbers(6, 1, 3, 3), numbers(4, 6, 1, 1)
    a, b, c = map(variable, (x, d, p))
    y = abstract_conv.separable_conv2d(a, b, c, 3, border_mode="half")
    want = convolved(convolved(x, d, "half", num_groups=3), p)
    np.testing.assert_array_equal(tracejit.function([a, b, c], y)(x, d, p), want)
    with pytest.raises(ValueError, match="lengths 1"):
        abstract_conv.separable_conv2d(a, b, c, 3, pointwise_filter_shape=(4, 6, 2, 1))


def test_older_names() -> None:
    x, w = numbers(2, 3, 6, 5), numbers(4, 3, 3, 3)
    a, b = variable(x), variable(w)
    y = conv.conv2d(a, b, (2, 3, 6, 5), (4, 3, 3, 3), "full", unroll_batch=2)
    z = conv.ConvOp((3, 6, 5), (3, 3), 4, 2, 1, 2, "valid")(a, b)
    found = tracejit.function([a, b], [y, z])(x, w)
    np.testing.assert_array_equal(found[0], convolved(x, w, "full"))
    np.testing.assert_array_equal(found[1], convolved(x, w, subsample=(1, 2)))
    assert conv.ConvOp.getOutputShape((6, 5), (3, 3), (1, 2), "full") == (8, 4)
    with pytest.raises(TypeError, match="unexpected"):
        conv.conv2d(a, b, colour=1)


def test_images_without_channels() -> None:
    x, w = numbers(3, 6, 5), numbers(2, 3, 2)
    for image, kernel in itertools.product((x, x[0]), (w, w[0])):
        a, b = variable(image), variable(kernel)
        y = T.signal.conv.conv2d(a, b, border_mode="full")
        want = convolved(image.reshape(-1, 1, 6, 5), kernel.reshape(-1, 1, 3, 2), "full")
        want = want.reshape(*image.shape[:-2], *kernel.shape[:-2], *want.shape[-2:])
        np.testing.assert_array_equal(tracejit.function([a, b], y)(image, kernel), want)


def test_larger_images() -> None:
    x = numbers(2, 1, 3, 4)
    a = variable(x)
    double = [
        abstract_conv.bilinear_upsampling(a, 2),
        abstract_conv.bilinear_upsampling(a, 2, use_1D_kernel=False),
        abstract_conv.bilinear_upsampling(a, frac_ratio=(2, 1), use_1D_kernel=False),
        abstract_conv.bilinear_upsampling(a, frac_ratio=((4, 2), (2, 1)), use_1D_kernel=False),
    ]
    found = tracejit.function([a], double)(x)

    def along(y: Any, axis: int) -> Any:
        y = np.moveaxis(y, axis, 0)
        after = np.concatenate([y[1:], y[-1:]])
        return np.moveaxis(np.stack([y, (y + after) / 2], 1).reshape(-1, *y.shape[1:]), 0, axis)

    for each in found:
        np.testing.assert_allclose(each, along(along(x, 2), 3), atol=1e-12)
    kernel = tracejit.function([], abstract_conv.bilinear_kernel_2D(3, normalize=False))()
    np.testing.assert_array_equal(kernel, np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]))
    for wrong in ({"ratio": 2, "frac_ratio": (1, 2)}, {}, {"frac_ratio": (3, 2)}):
        with pytest.raises(ValueError):
            abstract_conv.bilinear_upsampling(a, **wrong)


def test_lengths() -> None:
    shape = abstract_conv.get_conv_output_shape((8, 3, 28, 9), (20, 3, 5, 3), "full", (2, 1))
    assert shape == (8, 20, 16, 11)
    modes = (("valid", 6), ("half", 10), ("full", 14), (1, 8), ((1, 2), 9))
    for mode, length in modes:
        assert abstract_conv.get_conv_shape_1axis(10, 5, mode, 1) == length
        if mode != "half":
            back = abstract_conv.get_conv_gradweights_shape_1axis(10, length, mode, 1, 1)
            assert back == 5
        assert abstract_conv.get_conv_gradinputs_shape_1axis(5, length, mode, 1, 1) == 10
    assert abstract_conv.get_conv_shape_1axis(None, 5, "valid", 1) is None
    assert abstract_conv.get_conv_gradinputs_shape_1axis(5, 3, "valid", 2, 1) is None
    with pytest.raises(ValueError, match=">= 0"):
        abstract_conv.get_conv_shape_1axis(10, 5, -1, 1)
    fits = abstract_conv.check_conv_gradinputs_shape
    assert fits((1, 2, 9, 9), (3, 2, 3, 3), (1, 3, 7, None), "valid", (1, 1))
    assert not fits((1, 2, 9, 9), (3, 2, 3, 3), (1, 3, 8, 7), "valid", (1, 1))


def test_what_is_wrong() -> None:
    a, b, m = T.dtensor4(), T.dtensor4(), T.dmatrix()
    for wrong in ("same", -1, (1,), ((1, 2, 3), (0, 0)), (1.5, 0)):
        with pytest.raises((ValueError, TypeError)):
            T.nnet.conv2d(a, b, border_mode=wrong)
    for name, value in (("subsample", (1,)), ("subsample", (0, 1)), ("filter_dilation", (1, 1, 1))):
        with pytest.raises(ValueError, match=name):
            T.nnet.conv2d(a, b, **{name: value})
    with pytest.raises(TypeError, match="4D"):
        T.nnet.conv2d(m, b)
    with pytest.raises(ValueError, match="num_groups"):
        T.nnet.conv2d(a, b, num_groups=0)
    with pytest.raises(ValueError, match="same time"):
        T.nnet.conv2d(a, b, input_shape=(1, 1, 1, 1), image_shape=(1, 1, 1, 1))
    f = tracejit.function([a, b], T.nnet.conv2d(a, b))
    for images, filters in (((1, 2, 4, 4), (3, 3, 2, 2)), ((1, 2, 4, 4), (3, 2, 5, 2))):
        with pytest.raises(ValueError):
            f(numbers(*images), numbers(*filters))
    said = tracejit.function([a, b], T.nnet.conv2d(a, b, (None, 2, 4, 4), (3, None, 2, 2)))
    assert said(numbers(1, 2, 4, 4), numbers(3, 2, 2, 2)).shape == (1, 3, 3, 3)
    with pytest.raises(ValueError):
        said(numbers(1, 2, 5, 4), numbers(3, 2, 2, 2))
    with pytest.raises(NotImplementedError, match="temporal"):
        T.nnet.ctc()
