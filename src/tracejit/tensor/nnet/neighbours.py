"""Windows of images as the rows of a matrix, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import length_of, opcode
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic

_MODES = ("valid", "half", "full", "wrap_centered", "ignore_borders")


@opcode("images2neibs")
def _images2neibs(attr: Any, x: Any, *numbers: Any) -> Any:
    """attr: the mode; operands: images, rows and columns of windows, their steps."""
    sizes, steps = (tuple(map(length_of, n)) for n in (numbers[:2], numbers[2:]))
    batch, channels, *lengths = np.shape(x)
    places = []
    for n, (length, size, step) in enumerate(zip(lengths, sizes, steps, strict=True)):
        first, count = _along(attr, length, size, step)
        at = _range(x, 0, count)[:, None] * step + _range(x, 0, size) + first
        if attr == "wrap_centered":
            at = np.remainder(at, length)
        elif attr in ("half", "full"):
            x, at = _around(x, 2 + n, -first), at - first
        places.append(at)
    rows, columns = places
    found = x[:, :, rows[:, None, :, None], columns[None, :, None, :]]
    count = batch * channels * np.shape(rows)[0] * np.shape(columns)[0]
    return np.reshape(found, (count, sizes[0] * sizes[1]))


def _range(x: Any, first: Any, last: Any) -> Any:
    from tracejit.symbolic.opcodes import xp

    return xp.arange(first, last)


def _around(x: Any, axis: int, margin: Any) -> Any:
    from tracejit.symbolic.opcodes import xp

    shape = list(np.shape(x))
    shape[axis] = margin
    edge = xp.zeros(tuple(shape), x.dtype)
    return np.concatenate([edge, x, edge], axis)


def _along(mode: str, length: Any, size: Any, step: Any) -> tuple[Any, Any]:
    """Where the first window begins along an axis, and how many there are."""
    if mode == "wrap_centered":
        if size % 2 != 1:
            raise TypeError("Images2Neibs: in mode wrap_centered need patch with odd shapes")
        if length < size:
            raise TypeError(
                "Images2Neibs: in wrap_centered mode, don't support image shapes smaller than the "
                "patch shapes"
            )
        return -(size // 2), (length + step - 1) // step
    margin = size // 2 if mode == "half" else size - 1 if mode == "full" else 0
    whole = length + 2 * margin
    if mode != "ignore_borders" and (whole < size or (whole - size) % step != 0):
        raise TypeError("neib_shape and neib_step are not consistent with the shape of the images")
    return -margin, (whole - size) // step + 1


class Images2Neibs:
    """``Images2Neibs(mode)(images, neib_shape, neib_step)``: see `images2neibs`."""

    def __init__(self, mode: str = "valid") -> None:
        if mode not in _MODES:
            raise NotImplementedError(
                "Only the mode valid, half, full, ignore_borders and wrap_centered have been "
                "implemented for Images2Neibs"
            )
        self.mode = mode

    def __call__(self, ten4: Any, neib_shape: Any, neib_step: Any = None) -> Any:
        x = as_tensor_variable(ten4)
        shape = as_tensor_variable(neib_shape)
        step = shape if neib_step is None else as_tensor_variable(neib_step)
        if x.ndim != 4 or shape.ndim != 1 or step.ndim != 1:
            raise TypeError("images2neibs() takes images of four axes, a shape and steps")
        numbers = [v[k] for v in (shape, step) for k in range(2)]
        kind = TensorType(x.dtype, (False, False))
        return apply("images2neibs", [x, *numbers], self.mode, [kind])[0]


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """A matrix whose rows are the windows of each image of (batch, channels, rows, columns).

    Windows have `neib_shape`, and are `neib_step` apart, or else side by side. The `mode` is
    "valid" (they must fit), "ignore_borders", "wrap_centered", "half" or "full". TypeError where
    windows do not fit.
    """
    return Images2Neibs(mode)(ten4, neib_shape, neib_step)


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """The images of `original_shape` that `images2neibs` has made `neibs` of, side by side.

    In mode "ignore_borders" what no window has is 0.
    """
    if mode not in ("valid", "ignore_borders"):
        raise NotImplementedError(f"neibs2images() does not support the mode {mode}")
    x, shape, whole = map(as_tensor_variable, (neibs, neib_shape, original_shape))
    batch, channels, *lengths = (whole[k] for k in range(4))
    sizes = [shape[k] for k in range(2)]
    counts = [n // size for n, size in zip(lengths, sizes, strict=True)]
    parts = basic.reshape(x, (batch, channels, *counts, *sizes))
    inner = [n * size for n, size in zip(counts, sizes, strict=True)]
    found = basic.reshape(basic.dimshuffle(parts, (0, 1, 2, 4, 3, 5)), (batch, channels, *inner))
    if mode == "valid":
        return basic.specify_shape(found, [batch, channels, *lengths])
    from tracejit.tensor import creation, subtensor

    empty = creation.zeros((batch, channels, *lengths), x.dtype)
    return subtensor.set_subtensor(empty[:, :, : inner[0], : inner[1]], found)


__all__ = ["Images2Neibs", "images2neibs", "neibs2images"]
