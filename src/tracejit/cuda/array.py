"""Arrays that stay on a GPU: what its functions return, and take without a copy."""

from __future__ import annotations

import operator
from types import EllipsisType
from typing import Any

import numpy as np

from tracejit.cuda.device.memory import fetched, owner_of


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array in the memory of a GPU. Made by ``tracejit.to_device`` and by compiled functions.

    It has a dtype, shape and strides like an array of NumPy's. Slices of it are views of the same
    memory, which lives until the last array over it is gone. ``y.get()`` and ``np.asarray(y)``
    download it; functions of NumPy's and operators outside compiled functions do so too, and give
    arrays of NumPy's. CuPy, PyTorch, JAX and Numba take it as it is, by
    ``__cuda_array_interface__`` or DLPack.

    >>> import numpy as np
    >>> import tracejit
    >>> y = tracejit.to_device(np.arange(6.0), device="cuda")  # doctest: +SKIP
    >>> y.shape, y.dtype, float(y[2])  # doctest: +SKIP
    ((6,), dtype('float64'), 2.0)
    """

    __slots__ = ("__weakref__", "array", "home")
    __array_priority__ = 100.0
    __hash__ = object.__hash__

    def __init__(self, array: np.ndarray, home: Any) -> None:
        #: Its shadow: see `device.memory`.
        self.array = array
        #: Where it is: a `residence.Home`.
        self.home = home

    @property
    def __tracejit_device__(self) -> str:
        return self.home.name

    @property
    def device(self) -> str:
        """The name of its device, as ``"cuda"`` or ``"cuda:1"``."""
        return self.home.name

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths."""
        return self.array.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """The bytes from one element to the next along each axis."""
        return self.array.strides

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of its elements."""
        return self.array.size

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.array.nbytes

    @property
    def flags(self) -> Any:
        """How it lies in memory."""
        return self.array.flags

    @property
    def T(self) -> DeviceArray:
        """Its transpose, a view."""
        return DeviceArray(self.array.T, self.home)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, key: Any) -> DeviceArray:
        """A view, by whole numbers, slices, None and ``...``. TypeError for other indices."""
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if isinstance(part, bool) or not isinstance(
                part, (int, np.integer, slice, EllipsisType, type(None))
            ):
                raise TypeError(
                    f"a device array is sliced by numbers and slices, not by {type(part).__name__}:"
                    " index it in a compiled function, or index y.get()"
                )
        if ... not in parts:
            parts = (*parts, ...)  # so that NumPy reads no element
        return DeviceArray(self.array[parts], self.home)

    def transpose(self, *axes: int) -> DeviceArray:
        """A view with its axes in another order, reversed if none is given."""
        return DeviceArray(self.array.transpose(*axes), self.home)

    # Downloads -------------------------------------------------------------------------------

    def get(self) -> np.ndarray:
        """Its elements as a new array of NumPy's, when all that was launched before is done."""
        self.home.driver.current()
        return fetched(self.array, self.home.driver)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("an array on a GPU cannot become one of NumPy's without a copy")
        found = self.get()
        return found if dtype is None else found.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, DeviceArray) for x in kwargs.get("out", ())):
            raise TypeError("an array on a GPU is written by compiled functions only")
        host = [x.get() if isinstance(x, DeviceArray) else x for x in inputs]
        return getattr(ufunc, method)(*host, **kwargs)

    def item(self, *place: Any) -> Any:
        """The element at a place, or the only one, as a number of Python's."""
        return self.get().item(*place)

    def tolist(self) -> Any:
        """Its elements as nested lists."""
        return self.get().tolist()

    def __float__(self) -> float:
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

    def __complex__(self) -> complex:
        return complex(self._only())

    def __bool__(self) -> bool:
        return bool(self._only())

    def __index__(self) -> int:
        return operator.index(self._only())

    def _only(self) -> Any:
        """Its only element; what NumPy raises for others."""
        return self.get()[()]

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(self.get(), separator=", ", prefix="DeviceArray(")
        return f"DeviceArray({text}, dtype={self.dtype}, device={self.device!r})"

    def __format__(self, form: str) -> str:
        return format(self._only() if not self.ndim else self.get(), form)

    # Copies ----------------------------------------------------------------------------------

    def copy(self) -> DeviceArray:
        """A new array of its own on the same device, whose axes lie in memory as here."""
        return self.home.copied(self)

    def __copy__(self) -> DeviceArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> DeviceArray:
        return self.copy()

    def __reduce__(self) -> Any:
        return _restored, (self.get(), self.device)

    # For others ------------------------------------------------------------------------------

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3: where it lies, and the stream after whose work it may be read."""
        array, start = self.array, self.array.__array_interface__["data"][0]
        return {
            "version": 3,
            "typestr": array.dtype.str,
            "shape": array.shape,
            "strides": None if array.flags.c_contiguous else array.strides,
            "data": (start if array.size else 0, not array.flags.writeable),
            "stream": self.home.driver.stream,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        """CUDA, and the number of the device."""
        return 2, self.home.driver.device.number

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule of DLPack's, of version 1 where `max_version` allows.

        Work that is put into `stream` later waits for what has been launched here; -1 asks for no
        such order. BufferError for another device, for a read-only array in a capsule of version 0,
        and for a dtype that DLPack does not have.
        """
        from tracejit.cuda.dlpack import capsule

        if dl_device is not None and tuple(dl_device) != self.__dlpack_device__():
            raise BufferError(f"the array lies on {self.device}, and is asked for elsewhere")
        shown = self.copy() if copy else self
        if stream != -1:
            # None is the default stream of the process.
            self.home.driver.order(self.home.driver.stream, 1 if stream is None else stream)
        number = self.home.driver.device.number
        return capsule(shown.array, shown, number, max_version is not None and max_version >= (1,))


def _restored(x: np.ndarray, device: str) -> Any:
    from tracejit.lower.registry import target

    home = target(device).residence
    return x if home is None else home.put(x)


def is_on_device(array: np.ndarray) -> bool:
    """Whether an array of NumPy's is a shadow."""
    return owner_of(array) is not None
