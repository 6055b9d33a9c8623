"""DLPack: arrays on a GPU handed to other libraries, and taken from them, without a copy.

The structures are those of dlpack.h. A capsule owns one of them; who takes it renames the capsule,
and calls the deleter when done.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

_CUDA = 2
_KINDS = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}
_CODES = {kind: code for code, kind in _KINDS.items()}
_READ_ONLY = 1


class _Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("number", ctypes.c_int32)]


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("dtype", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    ]


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [
        ("tensor", _Tensor),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    ]


class _Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


#: By whether it is versioned: the structure, and the capsule's name before and after it is taken.
_FORMS: dict[bool, tuple[type[ctypes.Structure], bytes, bytes]] = {
    False: (_Managed, b"dltensor", b"used_dltensor"),
    True: (_Versioned, b"dltensor_versioned", b"used_dltensor_versioned"),
}


def _python(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(ctypes.pythonapi, name)
    address = ctypes.cast(function, ctypes.c_void_p).value
    return ctypes.PYFUNCTYPE(result, *arguments)(address or 0)


_new = _python("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_is_valid = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
_rename = _python("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
#: In a capsule's destructor, which has no reference to it, these take its address.
_is_valid_at = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
_pointer_at = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)

#: What capsules that are still in use need, by the address of their structure.
_alive: dict[int, Any] = {}


@_DELETER
def _forget(address: int) -> None:
    """The deleter of what we hand out; any thread may call it."""
    _alive.pop(address, None)


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _destroyed(capsule: int) -> None:
    """The destructor of a capsule: nobody has taken what is in it, if it has its first name."""
    for _, name, _ in _FORMS.values():
        if _is_valid_at(capsule, name):
            _forget(_pointer_at(capsule, name))


def capsule(array: np.ndarray, owner: Any, device: int, versioned: bool) -> Any:
    """A capsule with the memory of a shadow, which `owner` keeps; see `DeviceArray.__dlpack__`."""
    dtype = array.dtype
    if dtype.kind not in _CODES or dtype.itemsize > 16 or not dtype.isnative:
        raise BufferError(f"DLPack has no dtype {dtype}")
    if not array.flags.writeable and not versioned:
        raise BufferError("a read-only array needs DLPack of version 1 or later")
    form, name, _ = _FORMS[versioned]
    count = max(array.ndim, 1)
    shape = (ctypes.c_int64 * count)(*array.shape)
    steps = (ctypes.c_int64 * count)(*(s // dtype.itemsize for s in array.strides))
    made: Any = form()
    tensor = made.tensor
    tensor.data = array.__array_interface__["data"][0]
    tensor.device = _Device(_CUDA, device)
    tensor.ndim = array.ndim
    tensor.dtype = _Type(_CODES[dtype.kind], 8 * dtype.itemsize, 1)
    tensor.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
    tensor.strides = ctypes.cast(steps, ctypes.POINTER(ctypes.c_int64))
    made.deleter = ctypes.cast(_forget, ctypes.c_void_p)
    if versioned:
        made.major = 1
        made.flags = 0 if array.flags.writeable else _READ_ONLY
    address = ctypes.addressof(made)
    _alive[address] = made, shape, steps, owner
    return _new(address, name, ctypes.cast(_destroyed, ctypes.c_void_p))


class Taken:
    """What another library has handed out: its memory is given back when this goes."""

    def __init__(self, given: Any) -> None:
        for form, name, used in _FORMS.values():
            if _is_valid(given, name):
                self._address = _pointer(given, name)
                _rename(given, used)
                self._managed: Any = form.from_address(self._address)
                return
        raise BufferError("what __dlpack__ gave is no capsule of DLPack's, or was taken before")

    def __del__(self) -> None:
        deleter = getattr(self, "_managed", None) and self._managed.deleter
        if deleter:
            _DELETER(deleter)(self._address)

    @property
    def device(self) -> tuple[int, int]:
        """The kind of its device, and the number."""
        device = self._managed.tensor.device
        return device.type, device.number

    def described(self) -> dict[str, Any]:
        """It as ``__array_interface__`` describes arrays. BufferError for a dtype of others."""
        tensor = self._managed.tensor
        kind, size = _KINDS.get(tensor.dtype.code), tensor.dtype.bits // 8
        if kind is None or tensor.dtype.lanes != 1 or tensor.dtype.bits % 8:
            raise BufferError("the array has a dtype that NumPy does not have")
        shape = tuple(tensor.shape[k] for k in range(tensor.ndim))
        strides = None
        if tensor.strides:
            strides = tuple(size * tensor.strides[k] for k in range(tensor.ndim))
        readonly = bool(getattr(self._managed, "flags", 0) & _READ_ONLY)
        return {
            "version": 3,
            "typestr": np.dtype(f"{kind}{size}" if kind != "b" else "?").str,
            "shape": shape,
            "strides": strides,
            "data": ((tensor.data or 0) + tensor.offset, readonly),
        }
