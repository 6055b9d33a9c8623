"""Ctrl-C in a program that takes long: signals are looked for between steps of its loops.

A program runs without the interpreter's lock, and signal handlers wait until it has ended. So a
loop asks, after so many steps as take a hundredth of a second or so, whether one is to run; the
main thread then takes the lock, and runs it. What it raises ends the loop at the end of that step.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading

from tracejit.native import llvm

#: What a program returns that has been ended so: an exception has been set.
INTERRUPTED = 3

_TEXT = """
declare i32 @clock_gettime(i32, ptr)

; For a loop that has done so many steps since it asked last: after how many more it is to ask
; again, or -1 where an exception has been set. %state: the main thread, when somebody asked last,
; and when signals were looked for.
define i64 @pause(i64 %steps) {{
  %main = load i64, ptr {state}
  %here = call i64 {PyThread_get_thread_ident}()
  %is_main = icmp eq i64 %main, %here
  br i1 %is_main, label %ask, label %never
never:
  ret i64 9223372036854775807
ask:
  %last_at = getelementptr i64, ptr {state}, i64 1
  %looked_at = getelementptr i64, ptr {state}, i64 2
  %time = alloca [2 x i64]
  %ignored = call i32 @clock_gettime(i32 {clock}, ptr %time)
  %seconds = load i64, ptr %time
  %part_at = getelementptr i64, ptr %time, i64 1
  %part = load i64, ptr %part_at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %part
  %last = load i64, ptr %last_at
  %looked = load i64, ptr %looked_at
  store i64 %now, ptr %last_at
  %taken = sub i64 %now, %last
  %since = sub i64 %now, %looked
  %short = icmp ult i64 %taken, {short}
  %long = icmp ugt i64 %taken, {long}
  %twice = shl i64 %steps, 1
  %half = lshr i64 %steps, 1
  %some = or i64 %half, 1
  %fewer = select i1 %long, i64 %some, i64 %steps
  %next = select i1 %short, i64 %twice, i64 %fewer
  %wait = icmp ult i64 %since, {short}
  br i1 %wait, label %go, label %look
look:
  store i64 %now, ptr %looked_at
  %lock = call i32 {PyGILState_Ensure}()
  %raised = call i32 {PyErr_CheckSignals}()
  call void {PyGILState_Release}(i32 %lock)
  %fine = icmp eq i32 %raised, 0
  br i1 %fine, label %go, label %end
go:
  ret i64 %next
end:
  ret i64 -1
}}
"""
_PYTHON = (
    "PyThread_get_thread_ident", "PyGILState_Ensure", "PyErr_CheckSignals", "PyGILState_Release",
)  # fmt: skip
#: Nanoseconds after which it is looked for signals, and after which that was long ago.
_SHORT, _LONG = 10_000_000, 30_000_000


@functools.cache
def pause() -> int:
    """The address of ``i64 pause(i64 steps)``."""
    state = (ctypes.c_int64 * 3)()
    llvm.keep(state)

    def is_main() -> None:
        state[0] = threading.main_thread().ident or 0

    is_main()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=is_main)
    text = _TEXT.format(
        state=llvm.pointer(ctypes.addressof(state)),
        clock=_clock(),
        short=_SHORT,
        long=_LONG,
        **{name: llvm.python(name) for name in _PYTHON},
    )
    return llvm.compiled(text, 0)("pause")


def _clock() -> int:
    import time

    return int(time.CLOCK_MONOTONIC)
