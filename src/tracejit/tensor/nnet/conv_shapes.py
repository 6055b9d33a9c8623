"""The lengths of what convolutions take and give, of ints or symbolic ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.errors import ShapeError
from tracejit.symbolic.graph import Constant


def get_conv_output_shape(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any,
    filter_dilation: Any = None,
) -> tuple[Any, ...]:  # fmt: skip
    """The shape of a convolution's result, of ints or symbolic lengths, None where one is unknown.

    >>> import tracejit.tensor as T
    >>> T.nnet.abstract_conv.get_conv_output_shape((8, 3, 28, None), (20, 3, 5, 5), "half", (2, 1))
    (8, 20, 14, None)
    """
    count = len(image_shape) - 2
    return (image_shape[0], kernel_shape[0], *_each(
        get_conv_shape_1axis, image_shape[2:], tuple(kernel_shape)[-count:], border_mode, subsample,
        filter_dilation,
    ))  # fmt: skip


def _each(
    function: Any, first: Sequence[Any], second: Sequence[Any], border_mode: Any, subsample: Any,
    dilation: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """What a function gives for each axis."""
    count = len(subsample)
    modes = border_mode if isinstance(border_mode, tuple) else (border_mode,) * count
    spreads = (1,) * count if dilation is None else dilation
    return tuple(
        function(*each) for each in zip(first, second, modes, subsample, spreads, strict=True)
    )


def _margins(mode: Any, reach: Any) -> Any:
    """How many zeros there are at both ends together."""
    if mode == "half":
        return 2 * (reach // 2)
    if mode == "full":
        return 2 * (reach - 1)
    if mode == "valid":
        return 0
    pair = mode if isinstance(mode, tuple) else (mode, mode)
    if min(pair) < 0:
        raise ValueError("border_mode must be >= 0")
    return sum(pair)


def get_conv_shape_1axis(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any, dilation: Any = 1
) -> Any:
    """The length of a convolution's result along one axis; None where something is unknown."""
    if any(n is None for n in (image_shape, kernel_shape, border_mode, subsample, dilation)):
        return None
    reach = (kernel_shape - 1) * dilation + 1
    return (image_shape + _margins(border_mode, reach) - reach) // subsample + 1


def get_conv_gradweights_shape(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None
) -> tuple[Any, ...]:
    """The shape of the filters, of an image and a result; None where these do not tell."""
    lengths = _each(
        get_conv_gradweights_shape_1axis, image_shape[2:], top_shape[2:], border_mode, subsample,
        filter_dilation,
    )  # fmt: skip
    return (top_shape[1], image_shape[1], *lengths)


def get_conv_gradweights_shape_1axis(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any
) -> Any:
    """The length of filters along one axis; None where it is not told."""
    if any(n is None for n in (image_shape, top_shape, border_mode, subsample, dilation)):
        return None
    if subsample != 1 or border_mode == "half":
        return None
    if border_mode == "full":
        return (top_shape - image_shape) // dilation + 1
    return (image_shape + _margins(border_mode, 1) - top_shape) // dilation + 1


def get_conv_gradinputs_shape(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None
) -> tuple[Any, ...]:
    """The shape of the images, of filters and a result; None where these do not tell."""
    lengths = _each(
        get_conv_gradinputs_shape_1axis, kernel_shape[2:], top_shape[2:], border_mode, subsample,
        filter_dilation,
    )  # fmt: skip
    return (top_shape[0], kernel_shape[1], *lengths)


def get_conv_gradinputs_shape_1axis(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any
) -> Any:
    """The length of images along one axis; None where it is not told."""
    if any(n is None for n in (kernel_shape, top_shape, border_mode, subsample, dilation)):
        return None
    if subsample != 1:
        return None
    reach = (kernel_shape - 1) * dilation + 1
    return top_shape - _margins(border_mode, reach) + reach - 1


def check_conv_gradinputs_shape(
    image_shape: Any, kernel_shape: Any, output_shape: Any, border_mode: Any, subsample: Any,
    filter_dilation: Any = None,
) -> bool:  # fmt: skip
    """Whether the shapes of an image, filters and a result may belong together."""
    found = get_conv_output_shape(
        image_shape, kernel_shape, border_mode, subsample, filter_dilation
    )
    constant = [
        (n.data if isinstance(n, Constant) else n, m.data if isinstance(m, Constant) else m)
        for n, m in zip(found, output_shape, strict=True)
    ]
    ints = [(n, m) for n, m in constant if all(isinstance(k, (int, np.integer)) for k in (n, m))]
    return all(n == m for n, m in ints)


def assert_conv_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """`shape`, whose lengths must not be negative; those of places must be at least 1."""
    for k, n in enumerate(shape):
        if isinstance(n, (int, np.integer)) and n < (0 if k < 2 else 1):
            raise ShapeError(f"The convolution would produce an invalid shape (dim[{k}]: {n})")
    return tuple(shape)


__all__ = [
    "assert_conv_shape",
    "check_conv_gradinputs_shape",
    "get_conv_gradinputs_shape",
    "get_conv_gradinputs_shape_1axis",
    "get_conv_gradweights_shape",
    "get_conv_gradweights_shape_1axis",
    "get_conv_output_shape",
    "get_conv_shape_1axis",
]
