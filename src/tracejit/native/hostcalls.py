"""Calls of Python's functions from machine code, which takes the interpreter's lock for them.

Where a function raises, or gives what is not expected, the program gives up, and nothing has been
written. A Ctrl-C ends it as what a signal handler raises does (`interrupts`).
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from tracejit.native import llvm

__all__ = ["Callee", "frame", "framed", "host_call", "keep_next", "kept"]

#: The type of an operand or a result: its dtype, and how many axes it has.
Form = tuple[np.dtype[Any], int]
#: The record of a result; and bytes up to which it is copied twice, which is less work.
_HEAD, _SMALL = ctypes.c_int64 * 5, 4096
#: What calls give the address of a record: numbers of 64 bits, which `_answer` reads.
_TEXT = """
define i64 @host_call(ptr %record) {{
  %lock = call i32 {PyGILState_Ensure}()
  %number = call ptr {PyLong_FromVoidPtr}(ptr %record)
  %made = call ptr {PyObject_CallOneArg}(ptr {answer}, ptr %number)
  call void {Py_DecRef}(ptr %number)
  %raised = icmp eq ptr %made, null
  br i1 %raised, label %end, label %given
given:
  %code = call i64 {PyLong_AsLongLong}(ptr %made)
  call void {Py_DecRef}(ptr %made)
  br label %end
end:
  %result = phi i64 [-1, %0], [%code, %given]
  call void {PyGILState_Release}(i32 %lock)
  ret i64 %result
}}
"""
_PYTHON = (
    "PyGILState_Ensure", "PyLong_FromVoidPtr", "PyObject_CallOneArg", "Py_DecRef",
    "PyLong_AsLongLong", "PyGILState_Release",
)  # fmt: skip


class Callee:
    """A function of arrays, with a `name`, that programs call, which gives arrays of these forms.

    Or None, where it cannot.

    It gets copies, which it may keep and change; and copies of what it gives go into the program.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Sequence[np.ndarray] | None],
        operands: Sequence[Form],
        results: Sequence[Form],
    ) -> None:
        self.name = name
        self.function = function
        self.operands = tuple(operands)
        self.results = tuple(results)
        ranks = [sum(ndim for _, ndim in forms) for forms in (operands, results)]
        self.count = 1 + ranks[1]
        #: What a call's record is, and what it gives, these numbers.
        self.record = ctypes.c_int64 * (3 + len(operands) + ranks[0])
        self.told = ctypes.c_int64 * self.count
        #: Programs know it by this number.
        self.number = next(_numbers)
        _callees[self.number] = self

    def run(self, args: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        """The results, in C order; None where they have other forms."""
        given = self.function(*args)
        if given is None:
            return None
        found = list(map(np.asarray, given))
        if len(found) != len(self.results):
            return None
        for r, (dtype, ndim) in zip(found, self.results, strict=True):
            if r.dtype != dtype or r.ndim != ndim:
                return None
        return [r if r.flags.c_contiguous else np.ascontiguousarray(r) for r in found]


_callees: WeakValueDictionary[int, Callee] = WeakValueDictionary()
#: Of callees: no two threads get one, and 0 is for results.
_numbers = itertools.count(1)


class _Frames(threading.local):
    """What calls of each running program of a thread have given, by the place of the call."""

    def __init__(self) -> None:
        self.open: list[dict[int, list[np.ndarray]]] = []


_frames = _Frames()


@contextmanager
def frame() -> Iterator[None]:
    """Keep what calls give until the end."""
    _frames.open.append({})
    try:
        yield
    finally:
        _frames.open.pop()


def framed(entry: Callable[..., Any]) -> Callable[..., Any]:
    """A program's entry that keeps what its calls give until it ends."""

    @functools.wraps(entry)
    def call(*args: Any) -> Any:
        _frames.open.append({})
        try:
            return entry(*args)
        finally:
            _frames.open.pop()

    return call


def keep_next(results: list[np.ndarray]) -> int:
    """Keep what a call has given, and return the place: the number of calls before it."""
    held = _frames.open[-1]
    place = len(held)
    held[place] = results
    return place


def kept(place: int, which: int) -> np.ndarray:
    """One of the results that are kept for a place."""
    return _frames.open[-1][place][which]


def _answer(address: int) -> int:
    """Call a function, or put a result into a program's memory. Not 0 where there is none.

    A call's record: the callee's number, the place, where that and the results' lengths are to go
    (-1 and none where there are none as expected), where each operand is, and the lengths of all. A
    result's: 0, the place, which one, where it is to go, and how many bytes of it are expected.
    """
    number, *record = _HEAD.from_address(address)
    if not number:
        _give(*record)
        return 0
    callee = _callees[number]
    place, out, *numbers = callee.record.from_address(address)[1:]
    at, args = len(callee.operands), []
    for (dtype, ndim), source in zip(callee.operands, numbers, strict=False):
        shape = tuple(numbers[at : at + ndim])
        at += ndim
        memory = bytearray(ctypes.string_at(source, math.prod(shape) * dtype.itemsize))
        args.append(np.ndarray(shape, dtype, memory))
    try:
        results = callee.run(args)
    except (Exception, SystemExit, GeneratorExit):
        results = None  # who begins the call anew meets it again
    if results is None:
        callee.told.from_address(out)[:] = [-1, *[0] * (callee.count - 1)]
        return 1
    _frames.open[-1][place] = results
    callee.told.from_address(out)[:] = [place, *(n for r in results for n in r.shape)]
    return 0


def _give(place: int, which: int, out: int, size: int) -> None:
    """Put a result into memory for as many bytes; of another size it is not what is required."""
    if place < 0:
        return
    result = _frames.open[-1][place][which]
    if result.nbytes == size:
        source = result.tobytes() if size <= _SMALL else result.ctypes.data
        ctypes.memmove(out, source, size)


@functools.cache
def host_call() -> int:
    """The address of ``i64 host_call(i64 *record)``."""
    llvm.keep(_answer)
    text = _TEXT.format(
        answer=llvm.pointer(id(_answer)), **{name: llvm.python(name) for name in _PYTHON}
    )
    return llvm.compiled(text, 0)("host_call")
