"""Where NumPy and Python keep what machine code reads of them, and whether they do.

NumPy's headers promise these places to what is compiled with them, which our machine code is not.
So each is compared with what NumPy says of itself, once, at its first use. Where it is another, the
debug log says so, and who asked takes the way that Python takes.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.config import config

_address = ctypes.c_void_p
_length = ctypes.POINTER(ctypes.c_ssize_t)
#: Bytes of an object before what is its own, of which its class comes last.
HEAD = object.__basicsize__
CLASS = HEAD - ctypes.sizeof(_address)


class Array(ctypes.Structure):
    """NumPy's ``PyArrayObject_fields``, after the head."""

    _fields_ = (
        ("data", _address),
        ("rank", ctypes.c_int),
        ("lengths", _length),
        ("strides", _length),
        ("base", _address),
        ("dtype", _address),
        ("flags", ctypes.c_int),
    )


class Dtype(ctypes.Structure):
    """The beginning of NumPy's ``PyArray_Descr``, after the head."""

    _fields_ = (
        ("scalar", _address),
        *((name, ctypes.c_char) for name in ("kind", "char", "order", "former_flags")),
        ("number", ctypes.c_int),
    )


class Handler(ctypes.Structure):
    """NumPy's ``PyDataMem_Handler``, an allocator."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", _address),
        *((name, _address) for name in ("malloc", "calloc", "realloc", "free")),
    )


class Functions(ctypes.Structure):
    """NumPy's ``PyArray_ArrFuncs``, the functions of a dtype."""

    _fields_ = (
        ("cast", _address * 21),
        *((name, _address) for name in "getitem setitem copyswapn copyswap compare".split()),
        *((name, _address) for name in "argmax dotfunc scanfunc fromstr nonzero fill".split()),
        ("fillwithscalar", _address),
        ("sort", _address * 3),
        ("argsort", _address * 3),
        ("castdict", _address),
        ("unused", _address * 6),
        ("argmin", _address),
    )


class CallInfo(ctypes.Structure):
    """``ufunc_call_info`` of NumPy's interface for just-in-time compilers."""

    _fields_ = (
        *((name, _address) for name in ("strided_loop", "context", "auxdata")),
        ("requires_pyapi", ctypes.c_ubyte),
        ("no_floatingpoint_errors", ctypes.c_ubyte),
    )


#: What NumPy calls the capsules of these, for as long as they are as here.
CALL_INFO = b"numpy_1.24_ufunc_call_info"

#: Places in NumPy's table of its functions and types for C.
PLACES = {
    "PyArray_GetNDArrayCVersion": 0,
    "PyArray_Type": 2,
    "PyArrayDescr_Type": 3,
    "PyGenericArrType_Type": 10,
    "PyArray_ScalarAsCtype": 62,
    "PyArray_New": 93,
    "PyDataMem_SetHandler": 304,
    "PyDataMem_GetHandler": 305,
    "_PyDataType_GetArrFuncs": 365,
}
#: The version of that table; with another one, anything may be in another place.
VERSION = 0x2000000

capsule_pointer: Any = ctypes.PYFUNCTYPE(_address, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def numpy(name: str) -> int:
    """The address that NumPy's table for C has of a function or type."""
    module: Any = importlib.import_module("numpy._core._multiarray_umath")
    start = capsule_pointer(module._ARRAY_API, None)
    found: int = ctypes.cast(start, ctypes.POINTER(_address))[PLACES[name]]
    return found


def offset(thing: object, pointed: int) -> int:
    """Where an object has a pointer to `pointed`, in bytes from its beginning."""
    size = ctypes.sizeof(_address)
    for at in range(object.__basicsize__, type(thing).__basicsize__, size):
        if _address.from_address(id(thing) + at).value == pointed:
            return at
    raise LookupError("no field has the pointer")


def differs(what: str, instead: str) -> None:
    """Say in the debug log what is not where it is looked for, and what is done instead."""
    if config.debug >= 1:
        print(f"tracejit: {what} not as this version knows: {instead}", file=sys.stderr)


def _verified(what: str, instead: str) -> Callable[[Callable[[], bool]], Callable[[], bool]]:
    """Ask once; what goes wrong on the way is a difference, too."""

    def asked_once(holds: Callable[[], bool]) -> Callable[[], bool]:
        @functools.cache
        @functools.wraps(holds)
        def verified() -> bool:
            try:
                found = holds()
            except Exception:
                found = False
            if not found:
                differs(what, instead)
            return found

        return verified

    return asked_once


@_verified("NumPy's table for C is", "nothing of it is used")
def table() -> bool:
    """Whether `numpy` finds what it names."""
    types = {
        "PyArray_Type": np.ndarray,
        "PyArrayDescr_Type": np.dtype,
        "PyGenericArrType_Type": np.generic,
    }
    if any(numpy(name) != id(cls) for name, cls in types.items()):
        return False
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(numpy("PyArray_GetNDArrayCVersion"))
    return bool(version() == VERSION)


@_verified("arrays in memory are", "Python reads the arguments of programs")
def arrays() -> bool:
    """Whether objects lie in memory as `CLASS`, `Array` and `Dtype` say, and tables as `offset`."""
    numbers = (ctypes.c_int64 * 1)()
    offset(numbers, ctypes.addressof(numbers))
    grid = np.arange(24.0).reshape(4, 6)
    frozen = grid[:, ::-2]
    frozen.flags.writeable = False
    others = (np.zeros((), "?"), np.ones((1, 2, 3), ">i4"), np.zeros((2, 0), "F"))
    return table() and all(map(_lies_as_known, (grid, grid.T, frozen, *others)))


def _lies_as_known(x: np.ndarray) -> bool:
    array, dtype = Array.from_address(id(x) + HEAD), Dtype.from_address(id(x.dtype) + HEAD)
    known = (
        _address.from_address(id(x) + CLASS).value == id(np.ndarray)
        and (array.data, array.rank, array.flags) == (x.ctypes.data, x.ndim, x.flags.num)
        and array.dtype == id(x.dtype)
        and (dtype.scalar, dtype.number) == (id(x.dtype.type), x.dtype.num)
        and dtype.order.decode() == x.dtype.byteorder
    )
    if not known:
        return False
    # One block has both, so that these are pointers to look at.
    first, second = (ctypes.cast(p, _address).value or 0 for p in (array.lengths, array.strides))
    axes = range(x.ndim)
    return second - first == x.ndim * ctypes.sizeof(ctypes.c_ssize_t) and all(
        (array.lengths[k], array.strides[k]) == (x.shape[k], x.strides[k]) for k in axes
    )


_DATA = HEAD + Array.data.offset


def start_of(x: np.ndarray) -> int:
    """The address of the first element of an array: what NumPy tells in microseconds."""
    if arrays():
        return _address.from_address(id(x) + _DATA).value or 0
    found: int = x.__array_interface__["data"][0]
    return found


@_verified("NumPy's allocators are", "all arrays are NumPy's own")
def handlers() -> bool:
    """Whether an allocator is a `Handler`, as NumPy's own."""
    if not table():
        return False
    get = ctypes.PYFUNCTYPE(ctypes.py_object)(numpy("PyDataMem_GetHandler"))
    found = Handler.from_address(capsule_pointer(get(), b"mem_handler"))
    module: Any = importlib.import_module("numpy._core.multiarray")
    named = found.name.decode(), found.version
    return named == (module.get_handler_name(), module.get_handler_version()) and all(
        (found.malloc, found.calloc, found.realloc, found.free)
    )


def call_info(capsule: Any) -> CallInfo:
    """A ufunc's loop, of which `capsule` tells. LookupError where NumPy tells otherwise."""
    try:
        return CallInfo.from_address(capsule_pointer(capsule, CALL_INFO))
    except ValueError as error:
        raise LookupError("NumPy tells of its loops otherwise") from error


@functools.cache
def functions_of(char: str) -> Functions:
    """The functions of a dtype. LookupError where NumPy keeps them elsewhere."""
    if not _functions():
        raise LookupError("NumPy keeps the functions of dtypes elsewhere")
    return _functions_of(char)


def _functions_of(char: str) -> Functions:
    get = ctypes.PYFUNCTYPE(_address, ctypes.py_object)(numpy("_PyDataType_GetArrFuncs"))
    return Functions.from_address(get(np.dtype(char)))


@_verified("the functions of dtypes are", "NumPy sorts, and looks for extremes")
def _functions() -> bool:
    """Whether they are `Functions`: by what objects have none of, and by what they find."""
    if not table():
        return False
    of_objects, of_floats = _functions_of("O"), _functions_of("d")
    absent = [*of_objects.sort, *of_objects.argsort, *of_objects.unused, *of_floats.unused]
    there = [*of_floats.sort, *of_floats.argsort, of_objects.castdict, of_objects.argmin]
    if any(absent) or not all(there):
        return False
    x, at = np.array([2.0, 3.0, 1.0]), np.zeros(1, np.intp)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, _address, ctypes.c_ssize_t, _address, _address)
    found = []
    for function in (of_floats.argmax, of_floats.argmin):
        kind(function)(x.ctypes.data, 3, at.ctypes.data, None)
        found.append(int(at[0]))
    sort = ctypes.CFUNCTYPE(ctypes.c_int, _address, ctypes.c_ssize_t, _address)
    sort(of_floats.sort[0])(x.ctypes.data, 3, None)
    return found == [1, 2] and x.tolist() == [1.0, 2.0, 3.0]
