"""Small functions of Theano's ``tensor.basic`` that make one kind of variable of another."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from tracejit.symbolic.convert import (
    NotScalarConstantError,
    as_tensor_variable,
    get_scalar_constant_value,
    scalars_of,
)
from tracejit.symbolic.graph import Constant
from tracejit.symbolic.type import GenericType, generic
from tracejit.tensor.creation import arange
from tracejit.tensor.opview import OpView


class EmptyConstantError(NotScalarConstantError):
    """A constant without elements, where a scalar is asked for."""


class TensorFromScalar(OpView):
    """A scalar as an array without axes: scalars are such arrays."""

    def built(self, x: Any) -> Any:
        """The scalar."""
        return as_tensor_variable(x)


class ScalarFromTensor(OpView):
    """An array without axes as a scalar: it is one."""

    def built(self, x: Any) -> Any:
        """The array. AssertionError where it has axes."""
        x = as_tensor_variable(x)
        assert x.ndim == 0, f"{x} has {x.ndim} axes"
        return x


tensor_from_scalar, scalar_from_tensor = TensorFromScalar(), ScalarFromTensor()


class NoneTypeT(GenericType):
    """The type of None."""

    __slots__ = ()

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> Any:
        """None. TypeError for anything else."""
        if value is not None:
            raise TypeError("Expected None!")
        return None


none_type_t = NoneTypeT()
NoneConst: Any = Constant(none_type_t, None, name="NoneConst")


def get_vector_length(v: Any) -> int:
    """The length of a vector, where its graph tells it. ValueError where not."""
    v = as_tensor_variable(v)
    if v.ndim != 1:
        raise TypeError(f"argument must be symbolic vector, got '{v}'")
    if v.broadcastable[0]:
        return 1
    if isinstance(v, Constant):
        return len(v.data)
    scalars = scalars_of(v)
    if scalars is not None:
        return len(scalars)
    owner = v.owner
    if owner is not None and owner.opcode == "make_vector":
        return len(owner.inputs)
    raise ValueError(f"length not known: {v}")


def extract_constant(x: Any, elemwise: bool = True, only_process_constants: bool = False) -> Any:
    """The value of a scalar that is constant; any other variable is itself."""
    try:
        return get_scalar_constant_value(x)
    except NotScalarConstantError:
        return x


def default(x: Any, default: Any) -> Any:
    """`x`, or `default` where that is None."""
    return default if x is None or x is NoneConst else x


def transfer(var: Any, target: str) -> Any:
    """`var`: a program lies on one device."""
    return var


def numpy_scalar(data: Any) -> Any:
    """The element of an array of one. NotScalarConstantError for others."""
    array = np.asarray(data)
    if array.size != 1:
        raise NotScalarConstantError(f"{data!r} is no scalar")
    return array.reshape(())[()]


class _Grid:
    """``mgrid`` and ``ogrid``: coordinates of the points of slices."""

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        ndim = len(parts)
        axes = []
        for k, part in enumerate(parts):
            step = 1 if part.step is None else part.step
            points = arange(part.start or 0, part.stop, step)
            axes.append(points.dimshuffle(["x"] * k + [0] + ["x"] * (ndim - k - 1)))
        if ndim == 1:
            return axes[0]
        if self.sparse:
            return axes
        total = builtins.sum(a * 0 for a in axes)
        return [a + total for a in axes]


mgrid, ogrid = _Grid(sparse=False), _Grid(sparse=True)


def check_equal_numpy(x: Any, y: Any) -> bool:
    """Whether two values are equal, with dtype and shape where they are arrays."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x.dtype == y.dtype and x.shape == y.shape and bool(np.array_equal(x, y))
    return bool(x == y)


__all__ = [
    "EmptyConstantError",
    "NoneConst",
    "NoneTypeT",
    "ScalarFromTensor",
    "TensorFromScalar",
    "check_equal_numpy",
    "default",
    "extract_constant",
    "generic",
    "get_vector_length",
    "mgrid",
    "none_type_t",
    "numpy_scalar",
    "ogrid",
    "scalar_from_tensor",
    "tensor_from_scalar",
    "transfer",
]
