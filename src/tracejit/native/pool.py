"""Large arrays over memory that is kept when they go: ``empty(shape, dtype)``.

The system clears every page that it hands out, which takes longer than to fill it with results. An
array made here is like any other, and owns its memory: NumPy lets an allocator be chosen for an
array (NEP 49), and asks it to free what it gave. Ours keeps some of that for the next array of
about the same size. NumPy calls it with the interpreter's lock held, so it needs none of its own.
To choose it, make an array and choose NumPy's again is a function of Python's that is compiled
here, too: by two foreign calls it took a microsecond more.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

import numpy as np

from tracejit.native import abi, llvm

#: Bytes from which on arrays are made here: the C library asks the system for each such array, or
#: gives the end of its memory back between two of them.
LEAST = 1 << 17
#: Seconds without a large array after which what is kept is given back.
SECONDS = 20.0
_SLOTS = 32
#: Functions of Python's that the compiled code calls.
_PYTHON = ("PyObject_Vectorcall", "PyErr_Fetch", "PyErr_Restore", "Py_DecRef")

_TEXT = """
{declare}
declare ptr @calloc(i64, i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
{madvise}

@blocks = internal global [{slots} x ptr] zeroinitializer
@sizes = internal global [{slots} x i64] zeroinitializer
@stamps = internal global [{slots} x i64] zeroinitializer
@held = internal global i64 0
@clock = internal global i64 0

; The slot of the block that was kept longest, or -1.
define internal i64 @oldest() {{
start:
  br label %scan
scan:
  %k = phi i64 [0, %start], [%next, %scan]
  %best = phi i64 [-1, %start], [%better, %scan]
  %least = phi i64 [-1, %start], [%lesser, %scan]
  %size_at = getelementptr [{slots} x i64], ptr @sizes, i64 0, i64 %k
  %size = load i64, ptr %size_at
  %stamp_at = getelementptr [{slots} x i64], ptr @stamps, i64 0, i64 %k
  %stamp = load i64, ptr %stamp_at
  %used = icmp ne i64 %size, 0
  %earlier = icmp ult i64 %stamp, %least
  %take = and i1 %used, %earlier
  %better = select i1 %take, i64 %k, i64 %best
  %lesser = select i1 %take, i64 %stamp, i64 %least
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, {slots}
  br i1 %more, label %scan, label %done
done:
  ret i64 %better
}}

; The newest slot whose size is from %low to %high, or -1.
define internal i64 @fitting(i64 %low, i64 %high) {{
start:
  br label %scan
scan:
  %k = phi i64 [0, %start], [%next, %scan]
  %best = phi i64 [-1, %start], [%better, %scan]
  %most = phi i64 [0, %start], [%later, %scan]
  %size_at = getelementptr [{slots} x i64], ptr @sizes, i64 0, i64 %k
  %size = load i64, ptr %size_at
  %stamp_at = getelementptr [{slots} x i64], ptr @stamps, i64 0, i64 %k
  %stamp = load i64, ptr %stamp_at
  %enough = icmp uge i64 %size, %low
  %close = icmp ule i64 %size, %high
  %newer = icmp uge i64 %stamp, %most
  %fits = and i1 %enough, %close
  %take = and i1 %fits, %newer
  %better = select i1 %take, i64 %k, i64 %best
  %later = select i1 %take, i64 %stamp, i64 %most
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, {slots}
  br i1 %more, label %scan, label %done
done:
  ret i64 %better
}}

; Take the block out of a slot.
define internal ptr @taken(i64 %k) {{
  %block_at = getelementptr [{slots} x ptr], ptr @blocks, i64 0, i64 %k
  %block = load ptr, ptr %block_at
  %size_at = getelementptr [{slots} x i64], ptr @sizes, i64 0, i64 %k
  %size = load i64, ptr %size_at
  store i64 0, ptr %size_at
  %held = load i64, ptr @held
  %left = sub i64 %held, %size
  store i64 %left, ptr @held
  ret ptr %block
}}

define ptr @pool_malloc(ptr %context, i64 %size) {{
  %slack = lshr i64 %size, 3
  %high = add i64 %size, %slack
  %k = call i64 @fitting(i64 %size, i64 %high)
  %found = icmp sge i64 %k, 0
  br i1 %found, label %kept, label %fresh
kept:
  %block = call ptr @taken(i64 %k)
  ret ptr %block
fresh:
  %new = call ptr {malloc}i64 %size)
{advise}
  ret ptr %new
}}

define ptr @pool_calloc(ptr %context, i64 %count, i64 %size) {{
  %new = call ptr @calloc(i64 %count, i64 %size)
  ret ptr %new
}}

define ptr @pool_realloc(ptr %context, ptr %old, i64 %size) {{
  %new = call ptr @realloc(ptr %old, i64 %size)
  ret ptr %new
}}

define void @pool_free(ptr %context, ptr %block, i64 %size) {{
start:
  %small = icmp ult i64 %size, {least}
  %large = icmp ugt i64 %size, {limit}
  %odd = or i1 %small, %large
  br i1 %odd, label %release, label %room
release:
  call void @free(ptr %block)
  ret void
room:
  %k = call i64 @fitting(i64 0, i64 0)
  %held = load i64, ptr @held
  %total = add i64 %held, %size
  %over = icmp ugt i64 %total, {limit}
  %full = icmp slt i64 %k, 0
  %crowded = or i1 %over, %full
  br i1 %crowded, label %evict, label %keep
evict:
  %old = call i64 @oldest()
  %victim = call ptr @taken(i64 %old)
  call void @free(ptr %victim)
  br label %room
keep:
  %block_at = getelementptr [{slots} x ptr], ptr @blocks, i64 0, i64 %k
  store ptr %block, ptr %block_at
  %size_at = getelementptr [{slots} x i64], ptr @sizes, i64 0, i64 %k
  store i64 %size, ptr %size_at
  %stamp_at = getelementptr [{slots} x i64], ptr @stamps, i64 0, i64 %k
  %clock = load i64, ptr @clock
  %tick = add i64 %clock, 1
  store i64 %tick, ptr @clock
  store i64 %tick, ptr %stamp_at
  store i64 %total, ptr @held
  ret void
}}

; np.empty of the arguments, with this allocator in place of the one that is in use.
define ptr @pool_empty(ptr %self, ptr %arguments, i64 %count) {{
start:
  %kind = alloca ptr
  %value = alloca ptr
  %trace = alloca ptr
  %before = call ptr {set_handler}(ptr {capsule})
  %chosen = icmp ne ptr %before, null
  br i1 %chosen, label %make, label %failed
make:
  %made = call ptr {PyObject_Vectorcall}(ptr {numpy_empty}, ptr %arguments, i64 %count, ptr null)
  call void {PyErr_Fetch}(ptr %kind, ptr %value, ptr %trace)
  %ours = call ptr {set_handler}(ptr %before)
  call void {Py_DecRef}(ptr %before)
  call void {Py_DecRef}(ptr %ours)
  %kind_of = load ptr, ptr %kind
  %value_of = load ptr, ptr %value
  %trace_of = load ptr, ptr %trace
  call void {PyErr_Restore}(ptr %kind_of, ptr %value_of, ptr %trace_of)
  ret ptr %made
failed:
  ret ptr null
}}

define i64 @pool_held() {{
  %held = load i64, ptr @held
  ret i64 %held
}}

define void @pool_trim() {{
start:
  br label %look
look:
  %k = call i64 @oldest()
  %any = icmp sge i64 %k, 0
  br i1 %any, label %drop, label %done
drop:
  %block = call ptr @taken(i64 %k)
  call void @free(ptr %block)
  br label %look
done:
  ret void
}}
"""
#: Ask for large pages, as NumPy does for its own large arrays.
_ADVISE = """
  %address = ptrtoint ptr %new to i64
  %above = add i64 %address, 4095
  %aligned = and i64 %above, -4096
  %skipped = sub i64 %aligned, %address
  %length = sub i64 %size, %skipped
  %page = inttoptr i64 %aligned to ptr
  %ignored = call i32 @madvise(ptr %page, i64 %length, i32 14)
"""


def limit() -> int:
    """Bytes that are kept at most: a thirty-second of the machine's memory, or 256 MB."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        memory = 0
    return max(256 << 20, memory // 32)


class Pool:
    """The allocator, compiled."""

    def __init__(self) -> None:
        python: Any = ctypes.pythonapi
        python.PyCapsule_New.restype = ctypes.py_object
        python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        handler = abi.Handler(b"tracejit", 1)
        capsule = python.PyCapsule_New(ctypes.addressof(handler), b"mem_handler", None)
        linux = sys.platform.startswith("linux")
        text = _TEXT.format(
            slots=_SLOTS,
            least=LEAST,
            limit=limit(),
            # From a line of the cache on, so that results may be streamed.
            declare=f"declare ptr @{'aligned_alloc(i64, ' if linux else 'malloc('}i64)",
            malloc="@aligned_alloc(i64 64, " if linux else "@malloc(",
            madvise="declare i32 @madvise(ptr, i64, i32)" if linux else "",
            advise=_ADVISE if linux else "",
            set_handler=llvm.pointer(abi.numpy("PyDataMem_SetHandler")),
            capsule=llvm.pointer(id(capsule)),
            numpy_empty=llvm.pointer(id(_EMPTY)),
            **{name: llvm.python(name) for name in _PYTHON},
        )
        address = llvm.compiled(text)
        for name in ("malloc", "calloc", "realloc", "free"):
            setattr(handler, name, address(f"pool_{name}"))
        self.make: Any = llvm.function("empty", address("pool_empty"), self)
        whole: Any = ctypes.PYFUNCTYPE(ctypes.c_int64)
        self.held: Any = whole(address("pool_held"))
        self.trim: Any = ctypes.PYFUNCTYPE(None)(address("pool_trim"))
        self.last = time.monotonic()
        # Arrays may live until the process ends, later than anything of Python's.
        llvm.keep(handler, capsule, _EMPTY)

    def empty(self, shape: Any, dtype: np.dtype[Any]) -> np.ndarray:
        """``np.empty`` with this allocator."""
        now = time.monotonic()
        if now - self.last > SECONDS:
            self.trim()
        self.last = now
        made: np.ndarray = self.make(shape, dtype)
        return made


#: NumPy's own, whatever is put into its place later.
_EMPTY = np.empty
_pool: Pool | None = None
_usable = getattr(sys, "_is_gil_enabled", lambda: True)()


def pool() -> Pool | None:
    """The process's pool; None where there can be none."""
    global _pool, _usable
    if _pool is None and _usable:
        try:
            _pool = Pool() if abi.handlers() else None
        except Exception as error:  # an interpreter of another kind
            abi.differs(f"allocators are ({error})", "all arrays are NumPy's own")
        _usable = _pool is not None
    return _pool


def empty(shape: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """``np.empty(shape, dtype)`` over kept memory; worth it from ``LEAST`` bytes on."""
    found = _pool or pool()
    return np.empty(shape, dtype) if found is None else found.empty(shape, dtype)
