"""Convolutions of batches of images, and their derivatives as functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.infer import apply
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, creation, gradient
from tracejit.tensor.nnet import windows  # noqa: F401 — which declares the op


def conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    image_shape: Any = None, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False,
) -> Any:  # fmt: skip
    """The sums of products of `filters` (filters, channels, rows, columns) with all windows of

    `input` (batch, channels, rows, columns). Filters are turned round both ways, unless
    `filter_flip` is False.

    `border_mode` is "valid", "full", "half", or how many zeros are put around: a number, one for
    each axis, or pairs. Windows are `subsample` apart, and their elements `filter_dilation`. With
    `num_groups`, each group of filters sees its own group of channels. `unshared` filters (filters,
    rows and columns of the result, channels, rows, columns) are other ones at each place.
    ShapeError where an array has not the lengths of `input_shape` or `filter_shape`.

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x, w = T.tensor4(dtype="float64"), T.tensor4(dtype="float64")
    >>> f = tracejit.function([x, w], T.nnet.conv2d(x, w))
    >>> f(np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 0.0], [0.0, 0.0]]]]))
    array([[[[4., 5.],
             [7., 8.]]]])
    """
    if image_shape is not None:
        if input_shape is not None:
            raise ValueError("input_shape and image_shape should not be provided at the same time.")
        input_shape = image_shape
    shapes = input_shape, filter_shape
    return _convolution(
        2, input, filters, shapes, border_mode, subsample, filter_flip, filter_dilation, num_groups,
        unshared,
    )  # fmt: skip


def conv3d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Any:  # fmt: skip
    """`conv2d` over three axes."""
    shapes = input_shape, filter_shape
    return _convolution(
        3, input, filters, shapes, border_mode, subsample, filter_flip, filter_dilation, num_groups
    )


def _convolution(
    count: int, x: Any, w: Any, shapes: Any, border_mode: Any, subsample: Any, flip: bool,
    dilation: Any, groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """A convolution over the last `count` axes."""
    x, w = _operands(count, x, w, unshared)
    x, w = (_of_shape(v, s) for v, s in zip((x, w), shapes, strict=True))
    if flip:
        w = w[(Ellipsis, *(slice(None, None, -1),) * count)]
    attr = (
        border_modes(border_mode, count, unshared), _ints("subsample", subsample, count),
        _ints("filter_dilation", dilation, count), _groups(groups), bool(unshared),
    )  # fmt: skip
    pattern = (x.broadcastable[0], w.broadcastable[0], *(False,) * count)
    return apply("convolve", [x, w], attr, [TensorType(x.dtype, pattern)])[0]


def _operands(count: int, x: Any, w: Any, unshared: bool) -> tuple[Any, Any]:
    x, w = as_tensor_variable(x), as_tensor_variable(w)
    if x.ndim != count + 2:
        raise TypeError(f"img must be {count + 2}D tensor")
    rank = 2 * count + 2 if unshared else count + 2
    if w.ndim != rank:
        raise TypeError(f"kern must be {rank}D tensor")
    dtype = np.result_type(np.dtype(x.dtype), np.dtype(w.dtype)).name
    return cast(x, dtype), cast(w, dtype)


def _of_shape(v: Any, shape: Any) -> Any:
    """`v`, whose lengths are as somebody has said."""
    if shape is None:
        return v
    shape = tuple(shape)
    if len(shape) != v.ndim:
        raise ValueError(f"a shape of {len(shape)} lengths is given for {v.ndim} axes")
    known = [
        basic.shape_i(v, k) if n is None else as_tensor_variable(n) for k, n in enumerate(shape)
    ]
    for n in known:
        if np.dtype(n.dtype).kind not in "biu":
            raise ValueError(f"a length is an integer or None, not {n}")
    return basic.specify_shape(v, known)


def border_modes(mode: Any, count: int, unshared: bool = False) -> tuple[Any, ...]:
    """What is put around each axis: "full", "half", or how many zeros before and after."""
    if isinstance(mode, str):
        if mode not in ("valid", "full", "half"):
            raise ValueError(
                f"invalid border_mode {mode}, which must be either 'valid', 'full', 'half', an "
                f"integer or a tuple of length {count}"
            )
        return ((0, 0) if mode == "valid" else mode,) * count
    items = (mode,) * count if isinstance(mode, (int, np.integer)) else tuple(mode)
    if len(items) != count:
        raise ValueError(f"invalid border_mode {mode} which must be a tuple of length {count}")
    found = []
    for item in items:
        pair = (item, item) if isinstance(item, (int, np.integer)) else tuple(item)
        if len(pair) != 2 or not all(isinstance(n, (int, np.integer)) for n in pair):
            raise ValueError(f"invalid border_mode {mode}: a pair of integers is expected")
        if min(pair) < 0:
            raise ValueError(f"invalid border_mode {mode}. The values must be >= 0")
        found.append((int(pair[0]), int(pair[1])))
    return tuple(found)


def _ints(name: str, values: Any, count: int) -> tuple[int, ...]:
    items = (values,) * count if isinstance(values, (int, np.integer)) else tuple(values)
    items = tuple(basic.get_scalar_constant_value(n) for n in items)
    if len(items) != count:
        raise ValueError(f"{name} must have {count} elements")
    if any(int(n) < 1 for n in items):
        raise ValueError(f"{name} must be at least 1, not {values}")
    return tuple(map(int, items))


def _groups(count: Any) -> int:
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise ValueError("num_groups must be at least 1")
    return int(count)


# Derivatives --------------------------------------------------------------------------------------


def conv2d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The derivative by the input of `conv2d`, whose result has the derivative `output_grad`.

    Batch and channels of `input_shape` may be None. ShapeError where it does not fit.
    """
    return _by_inputs(
        2, output_grad, filters, input_shape, filter_shape,
        (border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared),
    )  # fmt: skip


def conv3d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Any:  # fmt: skip
    """`conv2d_grad_wrt_inputs` over three axes."""
    return _by_inputs(
        3, output_grad, filters, input_shape, filter_shape,
        (border_mode, subsample, filter_flip, filter_dilation, num_groups),
    )  # fmt: skip


def _by_inputs(count: int, g: Any, w: Any, shape: Any, filter_shape: Any, options: Any) -> Any:
    g, w = _operands(count, g, w, len(options) > 5 and bool(options[5]))
    if not isinstance(shape, (tuple, list)):
        shape = [as_tensor_variable(shape)[k] for k in range(count + 2)]
    batch, channels, *lengths = shape
    if any(n is None for n in lengths):
        raise ValueError("input_shape must have the lengths of all axes of places")
    own = basic.shape_i(w, w.ndim - count - 1) * options[4]
    whole = [basic.shape_i(g, 0) if batch is None else batch, own if channels is None else channels]
    x = _variable((*whole, *lengths), g.dtype)
    y = _convolution(count, x, w, (None, filter_shape), *options)
    return gradient.Lop(y, x, _as_long(g, y))


def _variable(shape: Any, dtype: str) -> Any:
    """What is differentiated by, and read by nobody: a mark keeps it from being a constant."""
    return gradient.grad_scale(creation.zeros(tuple(shape), dtype), 1.0)


def _as_long(g: Any, y: Any) -> Any:
    """`g`, which must have the lengths of `y`."""
    return basic.specify_shape(g, [basic.shape_i(y, k) for k in range(y.ndim)])


def conv2d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The derivative by the filters of `conv2d`, whose result has the derivative `output_grad`."""
    return _by_weights(
        2, input, output_grad, filter_shape, input_shape,
        (border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared),
    )  # fmt: skip


def conv3d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Any:  # fmt: skip
    """`conv2d_grad_wrt_weights` over three axes."""
    return _by_weights(
        3, input, output_grad, filter_shape, input_shape,
        (border_mode, subsample, filter_flip, filter_dilation, num_groups),
    )  # fmt: skip


def _by_weights(count: int, x: Any, g: Any, shape: Any, input_shape: Any, options: Any) -> Any:
    x, g = _operands(count, x, g, False)
    unshared = len(options) > 5 and bool(options[5])
    rank = 2 * count + 2 if unshared else count + 2
    if not isinstance(shape, (tuple, list)):
        shape = [as_tensor_variable(shape)[k] for k in range(rank)]
    whole = list(shape)
    whole[0] = basic.shape_i(g, 1) if whole[0] is None else whole[0]
    place = rank - count - 1
    if whole[place] is None:
        whole[place] = basic.shape_i(x, 1) // options[4]
    if any(n is None for n in whole):
        raise ValueError("filter_shape must have the lengths of all axes of places")
    w = _variable(whole, x.dtype)
    y = _convolution(count, x, w, (input_shape, None), *options)
    return gradient.Lop(y, w, _as_long(g, y))


def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", input_dilation: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The transpose of `conv2d`: what has `input` as its result is spread over `output_shape`.

    `input_dilation` is the `subsample` of that.
    """
    return conv2d_grad_wrt_inputs(
        input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


# Others made of it --------------------------------------------------------------------------------


def separable_conv2d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
    input_shape: Any = None, depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
) -> Any:  # fmt: skip
    """Filters for each channel, and then a mixture of what they give by filters of one place."""
    return _separable(
        2, input, depthwise_filters, pointwise_filters, num_channels,
        (input_shape, depthwise_filter_shape, pointwise_filter_shape),
        (border_mode, subsample, filter_flip, filter_dilation),
    )  # fmt: skip


def separable_conv3d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
    input_shape: Any = None, depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
) -> Any:  # fmt: skip
    """`separable_conv2d` over three axes."""
    return _separable(
        3, input, depthwise_filters, pointwise_filters, num_channels,
        (input_shape, depthwise_filter_shape, pointwise_filter_shape),
        (border_mode, subsample, filter_flip, filter_dilation),
    )  # fmt: skip


def _separable(
    count: int, x: Any, depthwise: Any, pointwise: Any, channels: int, shapes: Any, options: Any
) -> Any:
    points = shapes[2]
    if points is not None and any(n not in (None, 1) for n in tuple(points)[2:]):
        raise ValueError("the filters of one place have the lengths 1")
    mode, steps, flip, spreads = options
    each = _convolution(count, x, depthwise, shapes[:2], mode, steps, flip, spreads, channels)
    ones = (1,) * count
    return _convolution(count, each, pointwise, (None, points), "valid", ones, flip, ones)


def causal_conv1d(
    input: Any, filters: Any, filter_shape: Any, input_shape: Any = None, subsample: int = 1,
    filter_flip: bool = True, filter_dilation: int = 1, num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """A convolution over the last axis of (batch, channels, length) that looks back alone.

    It has zeros before the first element, and none after the last.
    """
    x, w = as_tensor_variable(input), as_tensor_variable(filters)
    if x.ndim != 3 or w.ndim != (4 if unshared else 3):
        raise TypeError("causal_conv1d() takes arrays of a batch, channels and a length")
    [step], [spread] = (
        _ints(name, n, 1) for name, n in (("subsample", subsample), ("dilation", filter_dilation))
    )
    reach = basic.get_scalar_constant_value(tuple(filter_shape)[-1])
    before = (int(reach) - 1) * spread
    shapes = input_shape, filter_shape
    return _convolution(
        1, x, w, shapes, ((before, 0),), (step,), filter_flip, (spread,), num_groups, unshared
    )


__all__ = [
    "causal_conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "conv3d_grad_wrt_inputs",
    "conv3d_grad_wrt_weights",
    "separable_conv2d",
    "separable_conv3d",
]
