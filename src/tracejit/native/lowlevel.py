"""C functions over compiled programs, for libraries that call back by pointer.

Each form is a C signature that SciPy takes in a `LowLevelCallable`, and how its parameters fill the
slots of a program, whose result is one number.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from tracejit.native import llvm

_INT, _DOUBLE, _SIZE, _PLACE = ctypes.c_int, ctypes.c_double, ctypes.c_ssize_t, ctypes.c_void_p
_DOUBLES = ctypes.POINTER(ctypes.c_double)


class Form(NamedTuple):
    """A C signature: `takes` says what the function is given, `parameters` are LLVM's."""

    c: str
    result: type
    arguments: tuple[type, ...]
    takes: str
    parameters: str


#: By C's signature as SciPy writes it: of one number, of numbers in memory, of a window of those.
FORMS = {
    form.c: form
    for form in (
        Form("double (double)", _DOUBLE, (_DOUBLE,), "number", "double %x"),
        Form(
            "double (double, void *)", _DOUBLE, (_DOUBLE, _PLACE), "number", "double %x, ptr %data"
        ),
        Form(
            "double (int, double *)", _DOUBLE, (_INT, _DOUBLES), "numbers", "i32 %count, ptr %from"
        ),
        Form(
            "double (int, double *, void *)",
            _DOUBLE, (_INT, _DOUBLES, _PLACE), "numbers", "i32 %count, ptr %from, ptr %data",
        ),
        Form(
            "int (double *, npy_intp, double *, void *)",
            _INT, (_DOUBLES, _SIZE, _DOUBLES, _PLACE), "window",
            "ptr %from, i64 %count, ptr %to, ptr %data",
        ),
    )
}  # fmt: skip


def function_of(form: Form, program: int, count: int) -> int:
    """The address of a function of this form that calls ``i64 program(i64 *slots)``.

    The program takes an array of `count` numbers, and one of one number for its result. Where it
    ends without one, or is given another count, the result is NaN, or 0 for failure.
    """
    window = form.takes == "window"
    result, failed = ("i32", "0") if window else ("double", "0x7FF8000000000000")
    done = "store double %value, ptr %to\n  ret i32 1" if window else "ret double %value"
    one = "store double %x, ptr %one" if form.takes == "number" else ""
    numbers = "%one" if form.takes == "number" else "%from"
    slots: list[str | int] = [numbers, count, 8, "%result", 1, 8]
    text = f"""
define {result} @low({form.parameters}) {{
start:
  %slots = alloca i64, i64 {len(slots)}
  %result = alloca double
  %one = alloca double
  {one}
  {_known(form, count)}
ready:
  {_filled(slots)}
  %code = call i64 {llvm.pointer(program)}(ptr %slots)
  %good = icmp eq i64 %code, 0
  br i1 %good, label %done, label %failed
done:
  %value = load double, ptr %result
  {done}
failed:
  ret {result} {failed}
}}
"""
    return llvm.compiled(text)("low")


def _known(form: Form, count: int) -> str:
    """Goes on where as many numbers are given as the program takes."""
    if form.takes == "number":
        return "br label %ready"
    kind = "i64" if form.takes == "window" else "i32"
    return f"%same = icmp eq {kind} %count, {count}\n  br i1 %same, label %ready, label %failed"


def _filled(slots: list[str | int]) -> str:
    """Puts numbers and pointers into the slots."""
    lines = []
    for k, value in enumerate(slots):
        kind = "ptr" if isinstance(value, str) else "i64"
        lines.append(f"%slot{k} = getelementptr i64, ptr %slots, i64 {k}")
        lines.append(f"store {kind} {value}, ptr %slot{k}")
    return "\n  ".join(lines)


def as_ctypes(form: Form, address: int) -> ctypes._FuncPointer:
    """The function as `ctypes` calls it, without Python's lock."""
    made: ctypes._FuncPointer = ctypes.CFUNCTYPE(form.result, *form.arguments)(address)
    return made
