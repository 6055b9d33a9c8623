"""Convolutions of images without channels."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.tensor import basic
from tracejit.tensor.nnet.abstract_conv import conv2d as of_channels


def conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), **kargs: Any,
) -> Any:  # fmt: skip
    """Each image, a matrix or one of several, with each filter: the last two axes are convolved.

    Several images, or several filters, give an axis each, images first.
    """
    if kargs:
        raise TypeError(f"conv2d() takes no {', '.join(map(repr, kargs))}")
    x, w = as_tensor_variable(input), as_tensor_variable(filters)
    if x.ndim not in (2, 3) or w.ndim not in (2, 3):
        raise TypeError("images and filters are matrices or arrays of three axes")
    images = basic.dimshuffle(x, ("x", "x", 0, 1) if x.ndim == 2 else (0, "x", 1, 2))
    turned = basic.dimshuffle(w, ("x", "x", 0, 1) if w.ndim == 2 else (0, "x", 1, 2))
    of_images, of_filters = (
        None if s is None else (*((1, 1) if v.ndim == 2 else (s[0], 1)), *tuple(s)[-2:])
        for v, s in ((x, image_shape), (w, filter_shape))
    )
    found = of_channels(images, turned, of_images, of_filters, border_mode, subsample)
    if x.ndim == 3 and w.ndim == 3:
        return found
    return found[0] if w.ndim == 3 else found[:, 0] if x.ndim == 3 else found[0, 0]


__all__ = ["conv2d"]
