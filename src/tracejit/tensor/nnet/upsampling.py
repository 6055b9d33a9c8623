"""Larger images by linear interpolation: transposed convolutions with pyramids."""

from __future__ import annotations

import math
from typing import Any

from tracejit.config import config
from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.tensor import basic, creation, elementwise, joining
from tracejit.tensor.nnet.convolutions import conv2d, conv2d_grad_wrt_inputs


def bilinear_kernel_1D(ratio: Any, normalize: bool = True) -> Any:
    """``1, 2, …, ratio, …, 2, 1``, divided by `ratio` unless `normalize` is False, as floatX."""
    up = creation.arange(1, ratio + 1, dtype=config.floatX)
    kernel = joining.concatenate([up, up[-2::-1]])
    if normalize:
        kernel = elementwise.true_div(kernel, cast(as_tensor_variable(ratio), config.floatX))
    return kernel


def bilinear_kernel_2D(ratio: Any, normalize: bool = True) -> Any:
    """The products of the elements of `bilinear_kernel_1D`, a matrix."""
    line = bilinear_kernel_1D(ratio, normalize)
    return elementwise.mul(basic.dimshuffle(line, ("x", 0)), basic.dimshuffle(line, (0, "x")))


def bilinear_upsampling(
    input: Any, ratio: int | None = None, frac_ratio: Any = None, batch_size: Any = None,
    num_input_channels: Any = None, use_1D_kernel: bool = True,
) -> Any:  # fmt: skip
    """Images (batch, channels, rows, columns) with `ratio` times as many rows and columns.

    Or with a `frac_ratio`, ``(p, q)`` or one for rows and one for columns: see
    `frac_bilinear_upsampling`. With `use_1D_kernel`, rows and columns are done in turn: the same
    values in less time. ShapeError where `batch_size` or `num_input_channels` is another.
    """
    if ratio and frac_ratio:
        raise ValueError("can't use ratio and frac_ratio together")
    if not (ratio or frac_ratio):
        raise ValueError("No ratio (or frac_ratio) provided")
    x = as_tensor_variable(input)
    given = [batch_size, num_input_channels]
    if any(n is not None for n in given):
        told = [basic.shape_i(x, k) if n is None else n for k, n in enumerate(given)]
        x = basic.specify_shape(x, [*told, basic.shape_i(x, 2), basic.shape_i(x, 3)])
    if frac_ratio:
        if use_1D_kernel:
            raise ValueError(
                "For fractional ratios 1D kernel method not implemented. You may want to pass "
                "use_1D_kernel as False"
            )
        return frac_bilinear_upsampling(x, frac_ratio)
    assert ratio is not None
    batch, channels, rows, columns = (basic.shape_i(x, k) for k in range(4))
    wide = _with_edges(basic.reshape(x, (batch * channels, 1, rows, columns)))
    pad = 2 * ratio - (ratio - 1) // 2 - 1
    down, across = rows * ratio, columns * ratio
    if use_1D_kernel:
        line = bilinear_kernel_1D(ratio)
        kernel = basic.dimshuffle(line, ("x", "x", 0, "x"))
        shape = (None, 1, down, columns + 2)
        wide = conv2d_grad_wrt_inputs(wide, kernel, shape, None, (pad, 0), (ratio, 1))
        kernel = basic.dimshuffle(line, ("x", "x", "x", 0))
        shape = (None, 1, down, across)
        wide = conv2d_grad_wrt_inputs(wide, kernel, shape, None, (0, pad), (1, ratio))
    else:
        kernel = basic.dimshuffle(bilinear_kernel_2D(ratio), ("x", "x", 0, 1))
        shape = (None, 1, down, across)
        wide = conv2d_grad_wrt_inputs(wide, kernel, shape, None, (pad, pad), (ratio, ratio))
    return basic.reshape(wide, (batch, channels, down, across))


def _with_edges(x: Any) -> Any:
    """Images whose first and last rows and columns are there twice."""
    x = joining.concatenate([x[:, :, :1], x, x[:, :, -1:]], axis=2)
    return joining.concatenate([x[:, :, :, :1], x, x[:, :, :, -1:]], axis=3)


def frac_bilinear_upsampling(input: Any, frac_ratio: Any) -> Any:
    """Images with ``p / q`` times as many rows and columns: `frac_ratio` is ``(p, q)``, or one pair

    for rows and one for columns.
    """
    if not isinstance(frac_ratio, tuple):
        raise ValueError("frac_ratio must be a tuple")
    pairs = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio, frac_ratio)
    if len(pairs) != 2 or any(len(pair) != 2 for pair in pairs):
        raise ValueError("frac_ratio is a pair, or a pair of pairs")
    reduced = [(p // math.gcd(p, q), q // math.gcd(p, q)) for p, q in pairs]
    (up, by), (along, over) = reduced
    x = as_tensor_variable(input)
    batch, channels, rows, columns = (basic.shape_i(x, k) for k in range(4))
    wide = _with_edges(basic.reshape(x, (batch * channels, 1, rows, columns)))
    lines = [bilinear_kernel_1D(n) for n in (up, along)]
    kernel = elementwise.mul(
        basic.dimshuffle(lines[0], (0, "x")), basic.dimshuffle(lines[1], ("x", 0))
    )
    kernel = basic.dimshuffle(cast(kernel, x.dtype), ("x", "x", 0, 1))
    for axis, (length, n) in enumerate(((rows, up), (columns, along)), 2):
        margin = (2 * length - 1) * n + 1
        shape = [basic.shape_i(kernel, k) for k in range(4)]
        ends = []
        for count in (margin // 2, margin - margin // 2):
            shape[axis] = count
            ends.append(creation.zeros(tuple(shape), kernel.dtype))
        kernel = joining.concatenate([ends[0], kernel, ends[1]], axis=axis)
    # The images are what the padded pyramid is convolved with.
    found = conv2d(kernel, wide, filter_dilation=(up, along), subsample=(by, over))
    shape = [basic.shape_i(found, k) for k in (2, 3)]
    return basic.reshape(found, (batch, channels, *shape))


__all__ = [
    "bilinear_kernel_1D",
    "bilinear_kernel_2D",
    "bilinear_upsampling",
    "frac_bilinear_upsampling",
]
