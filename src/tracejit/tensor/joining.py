"""Joining, splitting and repeating, under Theano's names and by its rules."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, constant, join, stack
from tracejit.symbolic.elementwise import apply_row
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic
from tracejit.tensor.nparray import numpy_op


def concatenate(tensor_list: Any, axis: int = 0) -> Any:
    """A list of tensors, one after the other along `axis`."""
    if not isinstance(tensor_list, (tuple, list)):
        raise TypeError(
            "The 'tensors' argument must be either a tuple or a list, make sure you did not forget "
            "() or [] around arguments of concatenate.",
            tensor_list,
        )
    return join(axis, *tensor_list)


def stacklists(arg: Any) -> Any:
    """Nested lists of tensors as one tensor."""
    if isinstance(arg, (tuple, list)):
        return stack([stacklists(a) for a in arg])
    return as_tensor_variable(arg)


def horizontal_stack(*args: Any) -> Any:
    """Matrices side by side."""
    return concatenate(args, axis=1)


def vertical_stack(*args: Any) -> Any:
    """Matrices one below the other."""
    return concatenate(args, axis=0)


def split(x: Any, splits_size: Any, n_splits: int, axis: int = 0) -> list[Any]:
    """`n_splits` parts of the given lengths along `axis`.

    ValueError where there are not as many lengths, or at run time, where they do not add up.
    """
    x, sizes = as_tensor_variable(x), basic.lengths(splits_size, n_splits)
    if len(sizes) != n_splits:
        raise ValueError(f"{len(sizes)} lengths for {n_splits} parts")
    axis %= x.ndim
    stops = [constant(np.int64(0))]
    for n in sizes:
        stops.append(apply_row("add", stops[-1], n))
    whole = [basic.shape_i(x, k) for k in range(x.ndim)]
    whole[axis] = stops[-1]
    x = basic.specify_shape(x, whole)
    lead = (slice(None),) * axis
    return [x[(*lead, slice(a, b))] for a, b in itertools.pairwise(stops)]


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """`x` repeated as a whole, `reps` times along each axis."""
    x = as_tensor_variable(x)
    counts = basic.lengths(reps if isinstance(reps, (list, tuple)) or ndim else [reps], ndim)
    return numpy_op("tile", (x, tuple(counts)), lengths=True)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """The elements of `x`, each `repeats` times, along `axis` or of its ravel."""
    x, count = as_tensor_variable(x), as_tensor_variable(repeats)
    if count.ndim:
        return numpy_op("repeat", (x, count, axis))
    return numpy_op("repeat", (x, count, axis), lengths=True)


def roll(x: Any, shift: Any, axis: int | None = None) -> Any:
    """Elements moved by `shift` places along `axis`, those beyond the end to the start."""
    x = as_tensor_variable(x)
    kinds = [TensorType(x.dtype, (False,) * x.ndim)]
    return numpy_op("roll", (x, as_tensor_variable(shift), axis), lengths=True, types=kinds)


__all__ = [
    "concatenate",
    "horizontal_stack",
    "join",
    "repeat",
    "roll",
    "split",
    "stack",
    "stacklists",
    "tile",
    "vertical_stack",
]
