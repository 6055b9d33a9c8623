"""What machine code does with objects of NumPy, done by Python, for another NumPy than is known.

It asks NumPy for what `entry` and `intrinsics.late` read where it lies, and is slower by far.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from tracejit.native.parameters import (
    OTHER_ARGUMENTS,
    PYTHONS,
    Array,
    Number,
    Signature,
    classes,
    total,
)

_WORD = 8
_program: Any = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
_release: Any = ctypes.pythonapi.Py_DecRef
_hold: Any = ctypes.pythonapi.Py_IncRef


class PortableEntry:
    """Calls a program with arguments of a signature; see `entry.make_entry`."""

    def __init__(
        self, name: str, program: int, signature: Signature, owner: Any, late: int
    ) -> None:
        self.__name__ = name
        self.compiled = owner
        self._run = _program(program)
        self._given = signature[:-1] if late else signature
        self._slots = total(signature)
        self._late = late

    def call(self, /, *arguments: Any) -> Any:
        """What the program returns, or the arrays that it has made."""
        if len(arguments) != len(self._given):
            raise TypeError(OTHER_ARGUMENTS)
        memory = (ctypes.c_int64 * (self._slots + 1 + self._late))()
        place = ctypes.addressof(memory)
        for parameter, value in zip(self._given, arguments, strict=True):
            data = (
                _array(parameter, value)
                if isinstance(parameter, Array)
                else _number(parameter, value)
            )
            if data is None:
                return None if self._late else 1
            ctypes.memmove(place, data, len(data))
            place += parameter.slots * _WORD
        if not self._late:
            return self._code(memory)
        return self._made(memory, place)

    def _code(self, memory: Any) -> Any:
        """What the program returns; raises what a signal handler did that has ended it."""
        try:
            return self._run(ctypes.addressof(memory))
        except SystemError as error:  # there is a result, and an exception
            raise error.__cause__ or error from None

    def _made(self, memory: Any, place: int) -> Any:
        """The arrays that a program makes; None where it fails."""
        count = self._late + 1
        cells = (ctypes.c_int64 * count).from_address(place + 3 * _WORD)
        head = (ctypes.c_int64 * 3)(ctypes.addressof(cells), count, _WORD)
        ctypes.memmove(place, head, 3 * _WORD)
        code = self._code(memory)
        found = [ctypes.cast(cell, ctypes.py_object) for cell in cells[1:] if cell]
        made = tuple(cell.value for cell in found)
        for cell in found:
            _release(cell)
        return made if code == 0 else None


def _array(parameter: Array, x: Any) -> bytes | None:
    """What the slots of an array hold; None where `x` is none of this type."""
    if type(x) is not np.ndarray or x.ndim != parameter.ndim or not x.dtype.isnative:
        return None
    mask, wanted = parameter.flags()
    numbers = [np.dtype(cls).num for cls in classes(parameter.dtype)]
    if x.flags.num & mask != wanted or x.dtype.num not in numbers:
        return None
    return np.array([x.ctypes.data, *x.shape, *x.strides], np.int64).tobytes()


def _number(parameter: Number, x: Any) -> bytes | None:
    """What the slots of a number hold; None where `x` is none of this type."""
    dtype = parameter.dtype
    if type(x) in PYTHONS and np.dtype(type(x)) == dtype:
        return np.array(x, dtype).tobytes()
    return x.tobytes() if type(x) in classes(dtype) else None


@ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64), ctypes.c_int64, ctypes.c_int32,
    ctypes.POINTER(ctypes.c_int64), ctypes.c_int32,
)  # fmt: skip
def new_array(cells: Any, cell: int, rank: int, lengths: Any, number: int) -> int | None:
    """An array of NumPy's for a program, held by its cell: where its data is, or nothing."""
    dtype = next(np.dtype(c) for c in np.typecodes["All"] if np.dtype(c).num == number)
    try:
        array = np.empty(lengths[:rank], dtype)
    except (ValueError, MemoryError):
        return None
    _hold(ctypes.py_object(array))
    cells[cell] = id(array)
    return array.ctypes.data
