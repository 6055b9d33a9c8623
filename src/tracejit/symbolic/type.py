"""Types of symbolic variables: a dtype and a broadcast pattern, and what values they accept."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.variables import TensorVariable

_NAMES = {
    (): "scalar",
    (False,): "vector",
    (False, False): "matrix",
    (True, False): "row",
    (False, True): "col",
}
_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128".split()
)


def dtype_name(dtype: Any) -> str:
    """The name of a dtype; "floatX" is ``config.floatX``. TypeError for unsupported ones."""
    if isinstance(dtype, str) and dtype == "floatX":
        return str(config.floatX)
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in _DTYPES:
        raise TypeError(f"Unsupported dtype for TensorType: {dtype}")
    return name


class TensorType:
    """Arrays of `dtype` (a name) with one axis an entry of `broadcastable`.

    An axis whose entry is true has length 1 and broadcasts; one whose entry is false never does,
    whatever its length (Theano's rule). ``TensorType(...)("name")`` makes a variable.

    >>> TensorType("float64", (False, True))
    TensorType(float64, col)
    """

    __slots__ = ("broadcastable", "dtype", "name", "numpy_dtype")

    def __init__(self, dtype: Any, broadcastable: Any, name: str | None = None) -> None:
        self.dtype = dtype_name(dtype)
        self.numpy_dtype: np.dtype[Any] = np.dtype(self.dtype)
        self.broadcastable = tuple(bool(b) for b in broadcastable)
        self.name = name

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.broadcastable)

    def __call__(self, name: str | None = None) -> TensorVariable:
        return self.make_variable(name)

    def make_variable(self, name: str | None = None) -> TensorVariable:
        """A new variable of this type."""
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a variable's name is a string, not {name!r}")
        return TensorVariable(self, name=name)

    def clone(self, dtype: Any = None, broadcastable: Any = None) -> TensorType:
        """This type with another dtype or pattern."""
        if broadcastable is None:
            broadcastable = self.broadcastable
        return TensorType(self.dtype if dtype is None else dtype, broadcastable, self.name)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorType)
            and self.dtype == other.dtype
            and self.broadcastable == other.broadcastable
        )

    def __hash__(self) -> int:
        return hash((self.dtype, self.broadcastable))

    def __repr__(self) -> str:
        kind = _NAMES.get(self.broadcastable)
        if kind is None:
            some = any(self.broadcastable)
            kind = str(self.broadcastable) if some else f"{self.ndim}D"
        return f"TensorType({self.dtype}, {kind})"

    def __reduce__(self) -> Any:
        return TensorType, (self.dtype, self.broadcastable, self.name)

    def __setstate__(self, state: Any) -> None:
        """Take what Theano has pickled of a type."""
        state = state if isinstance(state, dict) else state[1]
        self.__init__(  # type: ignore[misc]
            state["dtype"], state["broadcastable"], state.get("name")
        )

    # Values ----------------------------------------------------------------------------------

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """`value` as an array of this type: itself where it fits already.

        `strict` takes nothing but an array that fits. `allow_downcast` converts anything; without
        it a conversion must keep every value, and None lets a Python float become a floatX. Raises
        TypeError.
        """
        if isinstance(value, Variable):
            raise TypeError(
                "Expected an array-like object, but found a Variable: maybe you are trying to call "
                "a function on a (possibly shared) variable instead of a numeric array?"
            )
        if type(value) is np.memmap:
            value = value.view(np.ndarray)
        arrays = type(value) is np.ndarray or hasattr(type(value), "__tracejit_device__")
        if not (arrays and value.dtype == self.numpy_dtype):
            value = self._converted(value, strict, allow_downcast)
        if value.ndim != self.ndim:
            raise TypeError(
                f"Wrong number of dimensions: expected {self.ndim}, got {value.ndim} with shape "
                f"{value.shape}."
            )
        if not value.flags.aligned:
            raise TypeError("The numpy.ndarray object is not aligned: copy it first.")
        for axis, (b, n) in enumerate(zip(self.broadcastable, value.shape, strict=True)):
            if b and n != 1:
                raise TypeError(
                    "Non-unit value on shape on a broadcastable dimension: axis "
                    f"{axis} of shape {value.shape} against the pattern {self.broadcastable}."
                )
        return value

    def _converted(self, value: Any, strict: bool, allow_downcast: bool | None) -> np.ndarray:
        if strict:
            raise TypeError(
                f"{self} expected an array of dtype={self.dtype}: got {_shown(value)}; strict=True "
                "converts nothing."
            )
        if type(value) is float and self.dtype == config.floatX and allow_downcast is None:
            return np.asarray(value, self.numpy_dtype)
        try:
            array = np.asarray(value)
            if allow_downcast:
                return array.astype(self.numpy_dtype, copy=False)
        except (ValueError, TypeError, OverflowError) as error:
            raise TypeError(f"{self} cannot store {_shown(value)}: {error}") from None
        if isinstance(value, np.ndarray):
            if np.can_cast(array.dtype, self.numpy_dtype, "safe"):
                return np.asarray(array, self.numpy_dtype)
            raise TypeError(
                f"{self} cannot store a value of dtype {array.dtype} without risking loss of "
                "precision. If you do not mind this loss, you can: 1) explicitly cast your data to "
                f"{self.dtype}, or 2) set allow_input_downcast=True when calling function. "
                f"Value: {_shown(value)}"
            )
        converted = _without_loss(array, self.numpy_dtype)
        if converted is None:
            raise TypeError(
                f"{self} cannot store accurately value {_shown(value)}. If you do not mind this "
                "precision loss, you can: 1) explicitly convert your data to a numpy array of "
                f"dtype {self.dtype}, or 2) set allow_input_downcast=True when calling function."
            )
        return converted


def _without_loss(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray | None:
    """`array` as `dtype`, or None where a value would change."""
    if array.dtype.kind not in "biufc":
        return None
    if array.dtype.kind == "c" and dtype.kind != "c":
        if array.imag.any():
            return None
        array = array.real
    with np.errstate(all="ignore"):
        converted = array.astype(dtype)
        # Compared in both dtypes: each may round the values of the other.
        real = converted.real if array.dtype.kind != "c" else converted
        same = (converted == array) & (real.astype(array.dtype) == array)
        nan = (converted != converted) & (array != array)
    return converted if (same | nan).all() else None


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class GenericType:
    """The type of values that are no arrays: they are kept, and not computed with."""

    __slots__ = ()
    ndim = 0

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """`value`."""
        return value

    def __call__(self, name: str | None = None) -> Variable:
        return self.make_variable(name)

    def make_variable(self, name: str | None = None) -> Variable:
        """A new variable of this type."""
        return Variable(self, name=name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GenericType)

    def __hash__(self) -> int:
        return hash(GenericType)

    def __repr__(self) -> str:
        return "<generic>"


generic = GenericType()
