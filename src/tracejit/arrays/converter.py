"""What NumPy's own Python code does by functions and classes that know nothing of traced values."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from tracejit.arrays.common import common_dtype, numbers
from tracejit.arrays.creation import zeros
from tracejit.ir import build, dims
from tracejit.trace.tables import creates
from tracejit.trace.tracer import Tracer, as_array, is_number, number, operand, supported, value

_umath: Any = sys.modules["numpy._core._multiarray_umath"]
_padding: Any = sys.modules["numpy.lib._arraypad_impl"]


class _Unordered(Tracer):
    """An array of which it does not matter how it lies in memory: what is made of it is in C order.

    NumPy makes what it pads, or inserts into, in Fortran order where that is the array's.
    """

    __slots__ = ()

    flags = SimpleNamespace(fnc=False)


@creates(_umath._array_converter)
class Converter:
    """NumPy's ``_array_converter``: array-likes as arrays, and results as what those were."""

    def __init__(self, *values: Any) -> None:
        self._values = values
        self._arrays = [as_array(v) for v in values]

    @property
    def scalar_input(self) -> tuple[bool, ...]:
        """Which values were no arrays."""
        return tuple(is_number(v) or getattr(v, "kind", "array") != "array" for v in self._values)

    def as_arrays(self, subok: bool = True, pyscalars: str = "convert_if_no_array") -> Any:
        """The values as arrays; numbers of Python's stay what they are beside arrays."""
        numbers = [is_number(v) for v in self._values]
        kept = pyscalars == "preserve" or (pyscalars == "convert_if_no_array" and not all(numbers))
        pairs = zip(self._values, self._arrays, numbers, strict=True)
        return tuple(v if is_one and kept else _Unordered(x.node) for v, x, is_one in pairs)

    def __getitem__(self, k: int) -> Any:
        return self._arrays[k]

    def __iter__(self) -> Any:
        return iter(self._arrays)

    def result_type(self, extra_dtype: Any = None, ensure_inexact: bool = False) -> np.dtype[Any]:
        """The common dtype."""
        operands = [operand(v) for v in self._values]
        dtype = common_dtype(*operands)
        if extra_dtype is not None:
            dtype = np.result_type(dtype, extra_dtype)
        if ensure_inexact and dtype.kind not in "fc":
            dtype = common_dtype(*operands, 1.0)
        return supported(dtype)

    def wrap(self, arr: Any, /, to_scalar: bool | None = None) -> Any:
        """A result: a scalar where no value was an array, if not told otherwise."""
        scalars = all(self.scalar_input) if to_scalar is None else to_scalar
        if scalars and isinstance(arr, Tracer) and not arr.node.shape:
            return value(arr.node)
        return arr


@creates(np.broadcast)
class Broadcast:
    """``np.broadcast``: the shape that arrays have together."""

    def __init__(self, *arrays: Any) -> None:
        shapes = [as_array(a).node.shape for a in arrays]
        self.shape = numbers(build.broadcast_shapes(shapes))
        self.ndim = self.nd = len(self.shape)
        self.numiter = len(arrays)

    @property
    def size(self) -> Any:
        """How many elements there are."""
        return number(dims.product(d.node if isinstance(d, Tracer) else d for d in self.shape))


@creates(_padding._pad_simple)
def padded(array: Tracer, pad_width: Any, fill_value: Any = None) -> Any:
    """What ``np.pad`` begins with: the array amid elements of one value, and where it is."""
    sides = [(s, left, right) for s, (left, right) in zip(array.shape, pad_width, strict=False)]
    result = zeros(tuple(left + s + right for s, left, right in sides), array.dtype)
    if fill_value is not None:
        result.fill(fill_value)
    inside = tuple(slice(left, left + s) for s, left, _ in sides)
    result[inside] = array
    return result, inside
