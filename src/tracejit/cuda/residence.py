"""Where a GPU's programs have their arrays: what the drivers of calls ask for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.cuda.array import DeviceArray
from tracejit.cuda.device.driver import Driver
from tracejit.cuda.device.memory import Lent, address_of, brought, fetched, owner_of, placed, span
from tracejit.cuda.device.mirror import Mirrors, stepped
from tracejit.cuda.device.pool import Pool
from tracejit.cuda.plain import plainly
from tracejit.errors import DeviceError
from tracejit.ir.types import canonical_dtype

#: The default stream, after which those write who name none.
_DEFAULT_STREAM = 1


class Home:
    """The arrays of one device; `name` is the device's."""

    def __init__(self, name: str, driver: Driver) -> None:
        self.name, self.driver = name, driver
        self.pool = Pool(driver)
        self.empty = self.pool.empty
        self.array_class: type = DeviceArray
        #: The same in one call, of what is known to be a shadow.
        self.made: Callable[[np.ndarray], Any] = functools.partial(DeviceArray, home=self)
        #: Flags that are 0, by which kernels tell that NumPy would have raised.
        self.flags: list[np.ndarray] = []

    def flag(self) -> np.ndarray:
        """A flag that is 0."""
        try:
            return self.flags.pop()
        except IndexError:
            flag = self.empty(1, np.dtype(np.int32))
            self.driver.upload(span(flag).start, np.zeros(1, np.int32))
            return flag

    def array(self, value: Any) -> np.ndarray | None:
        """The shadow of an array on this device, ours or another library's.

        None for what is no array on a GPU; DeviceError where it is on another device.
        """
        if isinstance(value, DeviceArray):
            if value.home is not self:
                self._elsewhere(value.device)
            return value.array
        described = getattr(value, "__cuda_array_interface__", None)
        if described is None or described.get("mask") is not None:
            return None
        return self._lent(value, described)

    def _lent(self, owner: Any, described: dict[str, Any]) -> np.ndarray | None:
        shape, dtype = described["shape"], np.dtype(described["typestr"])
        if canonical_dtype(dtype) is None:
            return None
        if 0 in shape:
            return self.empty(shape, dtype)
        number = self.driver.device_of(described["data"][0])
        if number != self.driver.device.number:
            self._elsewhere("the host" if number is None else f"cuda:{number}")
        # Version 3 says in which stream it is written, if it may not be read at once.
        stream = described.get("stream") if described["version"] >= 3 else _DEFAULT_STREAM
        if stream == 0:
            raise ValueError("__cuda_array_interface__ names 0 as the stream, which is none")
        fields = ("shape", "typestr", "data")
        own = {name: described[name] for name in fields}
        own |= {"version": 3, "strides": described.get("strides")}
        return np.asarray(Lent(owner, own, stream or 0))

    def _elsewhere(self, place: str) -> None:
        raise DeviceError(
            f"an array lies on {place}, and is used on {self.name}: copy it there, "
            f"tracejit.to_device(x.get(), device={self.name!r})"
        )

    def taken(self, value: Any) -> DeviceArray:
        """An array of another library's by DLPack, without a copy. DeviceError if it is elsewhere.

        That library's stream is waited for.
        """
        from tracejit.cuda.dlpack import Taken

        stream = self.driver.stream
        try:
            given = value.__dlpack__(stream=stream, max_version=(1, 0))
        except TypeError:  # from before version 1
            given = value.__dlpack__(stream=stream)
        capsule = Taken(given)
        if capsule.device != (2, self.driver.device.number):
            self._elsewhere("the host" if capsule.device[0] != 2 else f"cuda:{capsule.device[1]}")
        shadow = self._lent(capsule, {**capsule.described(), "stream": None})
        assert shadow is not None
        return DeviceArray(shadow, self)

    def wrap(self, array: Any) -> Any:
        """A result as a user gets it: what is on the device as a device array."""
        if type(array) is np.ndarray and owner_of(array) is not None:
            return DeviceArray(array, self)
        return array

    def scalar(self, array: np.ndarray) -> DeviceArray:
        """A result without axes, out of an array of one element."""
        return DeviceArray(array.reshape(()), self)

    def put(self, value: Any) -> DeviceArray:
        """A new array on the device with the elements of another.

        DeviceError for one on another device, TypeError for a dtype that programs do not have.
        """
        self.driver.current()
        shadow = None if isinstance(value, np.ndarray) else self.array(value)
        if shadow is not None:
            return self.copied(DeviceArray(shadow, self))
        array = np.asarray(value)
        if canonical_dtype(array.dtype) is None:
            raise TypeError(f"a GPU has no arrays of dtype {array.dtype}")
        if not array.flags.c_contiguous:
            array = array.copy(order="C")  # without its gaps
        shadow = brought(array, self.pool)
        shadow.flags.writeable = True
        return DeviceArray(shadow, self)

    def host(self, value: Any) -> Any:
        """A device array as one of NumPy's; all else as it is."""
        return value.get() if isinstance(value, DeviceArray) else value

    def copied(self, x: DeviceArray) -> DeviceArray:
        """A copy that lies in memory as `x` does."""
        return DeviceArray(self.copy(x.array), self)

    def copy(self, shadow: np.ndarray) -> np.ndarray:
        """The same of a shadow."""
        where = span(shadow)
        memory = self.pool.take(where.size)
        if where.size:
            self.driver.copy(address_of(memory), where.start, where.size)
        found = placed(shadow, memory, where.start)
        found.flags.writeable = True
        return found

    def stepped(self, base: np.ndarray, take: Callable[..., np.ndarray], *lengths: Any) -> Any:
        """What NumPy's `take` makes of a base: a view, or a copy."""
        return stepped(base, take, lengths, self.pool)

    def reshaped(self, base: np.ndarray, shape: Any) -> Any:
        """``base.reshape(shape)``: a view, or a copy."""
        if base.flags.c_contiguous:
            return base.reshape(shape)
        return stepped(base, np.reshape, (shape,), self.pool)

    def number(self, array: np.ndarray) -> Any:
        """The element of an array of one, as a number of Python's."""
        return (array if owner_of(array) is None else fetched(array, self.driver)).item()

    def mirrors(self) -> Mirrors:
        """Stand-ins on the host, for one trace."""
        return Mirrors(self.pool, self.array)

    def plainly(self, f: Callable[..., Any], args: Any, kwargs: Any, keep: bool = True) -> Any:
        """`f` called in NumPy, on downloaded values; arrays in its result are uploaded."""
        return plainly(self, f, args, kwargs, keep)
