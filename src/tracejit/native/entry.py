"""How Python enters a compiled program: what takes its arguments out of Python's objects.

Numba makes a wrapper for each function, which costs 22 of the 70 ms that a small program takes to
compile, and at each call 0.4 µs for three arrays: it counts references to an array and makes a
record of it. An entry is for one signature, and its caller holds the arguments. So one function
serves all entries: it reads a table that says what they take, looks at the objects, and puts what
the entry needs of them into memory, slot by slot. What is not of the signature is a miss.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.native import abi, llvm, portable
from tracejit.native.interrupts import INTERRUPTED
from tracejit.native.parameters import (
    OTHER_ARGUMENTS,
    PYTHONS,
    Array,
    Parameter,
    Signature,
    classes,
    total,
)

_TEXT = """
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
@message = internal constant [{message_size} x i8] c"{message}\\00"

define ptr @enter(ptr %self, ptr %arguments, i64 %count) {{
start:
  %table_at = getelementptr i8, ptr %self, i64 {table_at}
  %table = load ptr, ptr %table_at
  %program = load ptr, ptr %table
  %wanted_at = getelementptr i64, ptr %table, i64 1
  %wanted = load i64, ptr %wanted_at
  %right = icmp eq i64 %count, %wanted
  br i1 %right, label %begin, label %wrong
begin:
  %slots_at = getelementptr i64, ptr %table, i64 2
  %slots = load i64, ptr %slots_at
  %memory = alloca i64, i64 %slots, align 16
  %rows = getelementptr i64, ptr %table, i64 4
  %late_at = getelementptr i64, ptr %table, i64 3
  %late = load i64, ptr %late_at
  %makes = icmp ne i64 %late, 0
  br label %next
next:
  %k = phi i64 [0, %begin], [%k1, %axis], [%k1, %scalar_done]
  %row = phi ptr [%rows, %begin], [%row1, %axis], [%row1, %scalar_done]
  %slot = phi ptr [%memory, %begin], [%array_end, %axis], [%scalar_end, %scalar_done]
  %k1 = add i64 %k, 1
  %row1 = getelementptr i64, ptr %row, i64 8
  %more = icmp ult i64 %k, %count
  br i1 %more, label %look, label %ready
look:
  %object_at = getelementptr ptr, ptr %arguments, i64 %k
  %object = load ptr, ptr %object_at
  %class_at = getelementptr i8, ptr %object, i64 {class_at}
  %class = load ptr, ptr %class_at
  %c1 = getelementptr i64, ptr %row, i64 1
  %c2 = getelementptr i64, ptr %row, i64 2
  %c3 = getelementptr i64, ptr %row, i64 3
  %c4 = getelementptr i64, ptr %row, i64 4
  %c5 = getelementptr i64, ptr %row, i64 5
  %c6 = getelementptr i64, ptr %row, i64 6
  %kind = load i64, ptr %row
  %known = load ptr, ptr %c1
  %same = icmp eq ptr %class, %known
  %is_array = icmp eq i64 %kind, 0
  br i1 %is_array, label %array, label %scalar

; PyArrayObject: data, rank, lengths, strides, base, dtype, flags.
array:
  br i1 %same, label %fields, label %miss
fields:
  %rank_at = getelementptr i8, ptr %object, i64 {rank_at}
  %rank = load i32, ptr %rank_at
  %ndim = zext i32 %rank to i64
  %ndim_wanted = load i64, ptr %c2
  %ndim_fits = icmp eq i64 %ndim, %ndim_wanted
  %flags_at = getelementptr i8, ptr %object, i64 {flags_at}
  %flags = load i32, ptr %flags_at
  %wide = zext i32 %flags to i64
  %mask = load i64, ptr %c3
  %told = and i64 %wide, %mask
  %flags_wanted = load i64, ptr %c4
  %flags_fit = icmp eq i64 %told, %flags_wanted
  %dtype_at = getelementptr i8, ptr %object, i64 {dtype_at}
  %dtype = load ptr, ptr %dtype_at
  %number_at = getelementptr i8, ptr %dtype, i64 {number_at}
  %number = load i32, ptr %number_at
  %which = zext i32 %number to i64
  %one = load i64, ptr %c5
  %other = load i64, ptr %c6
  %is_one = icmp eq i64 %which, %one
  %is_other = icmp eq i64 %which, %other
  %number_fits = or i1 %is_one, %is_other
  %order_at = getelementptr i8, ptr %dtype, i64 {order_at}
  %order = load i8, ptr %order_at
  %native = icmp ne i8 %order, {swapped}
  %f1 = and i1 %ndim_fits, %flags_fit
  %f2 = and i1 %number_fits, %native
  %fits = and i1 %f1, %f2
  br i1 %fits, label %take, label %miss
take:
  %data_at = getelementptr i8, ptr %object, i64 {data_at}
  %data = load ptr, ptr %data_at
  store ptr %data, ptr %slot
  %lengths_at = getelementptr i8, ptr %object, i64 {lengths_at}
  %lengths = load ptr, ptr %lengths_at
  %strides_at = getelementptr i8, ptr %object, i64 {strides_at}
  %strides = load ptr, ptr %strides_at
  %to_lengths = getelementptr i64, ptr %slot, i64 1
  %to_strides = getelementptr i64, ptr %to_lengths, i64 %ndim
  %array_end = getelementptr i64, ptr %to_strides, i64 %ndim
  br label %axis
axis:
  %j = phi i64 [0, %take], [%j1, %copy]
  %left = icmp ult i64 %j, %ndim
  br i1 %left, label %copy, label %next
copy:
  %length_at = getelementptr i64, ptr %lengths, i64 %j
  %length = load i64, ptr %length_at
  %to_length = getelementptr i64, ptr %to_lengths, i64 %j
  store i64 %length, ptr %to_length
  %stride_at = getelementptr i64, ptr %strides, i64 %j
  %stride = load i64, ptr %stride_at
  %to_stride = getelementptr i64, ptr %to_strides, i64 %j
  store i64 %stride, ptr %to_stride
  %j1 = add i64 %j, 1
  br label %axis

scalar:
  br i1 %same, label %pythons, label %numpys
numpys:
  %first = load ptr, ptr %c2
  %second = load ptr, ptr %c3
  %is_first = icmp eq ptr %class, %first
  %is_second = icmp eq ptr %class, %second
  %is_numpys = or i1 %is_first, %is_second
  br i1 %is_numpys, label %raw, label %miss
raw:
  call void {scalar_as_ctype}(ptr %object, ptr %slot)
  br label %scalar_done
pythons:
  switch i64 %kind, label %bool [i64 1, label %int i64 2, label %float i64 3, label %complex]
int:
  %integer = call i64 {PyLong_AsLongLong}(ptr %object)
  store i64 %integer, ptr %slot
  %suspect = icmp eq i64 %integer, -1
  br i1 %suspect, label %ask, label %scalar_done
ask:
  %error = call ptr {PyErr_Occurred}()
  %fine = icmp eq ptr %error, null
  br i1 %fine, label %scalar_done, label %raise
float:
  %double = call double {PyFloat_AsDouble}(ptr %object)
  store double %double, ptr %slot
  br label %scalar_done
complex:
  %real = call double {PyComplex_RealAsDouble}(ptr %object)
  store double %real, ptr %slot
  %imaginary = call double {PyComplex_ImagAsDouble}(ptr %object)
  %to_imaginary = getelementptr i64, ptr %slot, i64 1
  store double %imaginary, ptr %to_imaginary
  br label %scalar_done
bool:
  %is_true = icmp eq ptr %object, {true}
  %truth = zext i1 %is_true to i8
  store i8 %truth, ptr %slot
  br label %scalar_done
scalar_done:
  %length_of_scalar = load i64, ptr %c4
  %scalar_end = getelementptr i64, ptr %slot, i64 %length_of_scalar
  br label %next

ready:
  br i1 %makes, label %cells, label %run
run:
  %thread = call ptr {PyEval_SaveThread}()
  %code = call i64 %program(ptr %memory)
  call void {PyEval_RestoreThread}(ptr %thread)
  %ended = icmp eq i64 %code, {interrupted}
  br i1 %ended, label %raise, label %asked
asked:
  %raised = call ptr {PyErr_Occurred}()
  %quiet = icmp eq ptr %raised, null
  br i1 %quiet, label %return, label %raise
return:
  %answer = call ptr {PyLong_FromLongLong}(i64 %code)
  ret ptr %answer

; Cells for the arrays that the program makes; the first is for the thread.
cells:
  %cells_at = getelementptr i64, ptr %slot, i64 3
  %cell_count = add i64 %late, 1
  %cell_bytes = shl i64 %cell_count, 3
  call void @llvm.memset.p0.i64(ptr %cells_at, i8 0, i64 %cell_bytes, i1 false)
  store ptr %cells_at, ptr %slot
  %cells_length = getelementptr i64, ptr %slot, i64 1
  store i64 %cell_count, ptr %cells_length
  %cells_stride = getelementptr i64, ptr %slot, i64 2
  store i64 8, ptr %cells_stride
  %caller = call ptr {PyEval_SaveThread}()
  store ptr %caller, ptr %cells_at
  %outcome = call i64 %program(ptr %memory)
  call void {PyEval_RestoreThread}(ptr %caller)
  %raised_late = call ptr {PyErr_Occurred}()
  %raises = icmp ne ptr %raised_late, null
  %is_quiet = xor i1 %raises, true
  %interrupted = icmp eq i64 %outcome, {interrupted}
  %stopped = or i1 %interrupted, %raises
  %nothing_made = select i1 %stopped, ptr null, ptr {none}
  %works = icmp eq i64 %outcome, 0
  %succeeded = and i1 %works, %is_quiet
  br i1 %succeeded, label %give, label %drop
give:
  %tuple = call ptr {PyTuple_New}(i64 %late)
  %given = icmp ne ptr %tuple, null
  br i1 %given, label %fill, label %drop
fill:
  %place = phi i64 [0, %give], [%place1, %fill]
  %place1 = add i64 %place, 1
  %made_at = getelementptr ptr, ptr %cells_at, i64 %place1
  %made = load ptr, ptr %made_at
  %ignored = call i32 {PyTuple_SetItem}(ptr %tuple, i64 %place, ptr %made)
  %unfilled = icmp ult i64 %place1, %late
  br i1 %unfilled, label %fill, label %filled
filled:
  ret ptr %tuple
drop:
  %result = phi ptr [%nothing_made, %cells], [null, %give]
  br label %forget
forget:
  %g = phi i64 [0, %drop], [%g1, %forget]
  %g1 = add i64 %g, 1
  %unused_at = getelementptr ptr, ptr %cells_at, i64 %g1
  %unused = load ptr, ptr %unused_at
  call void {Py_DecRef}(ptr %unused)
  %unforgotten = icmp ult i64 %g1, %late
  br i1 %unforgotten, label %forget, label %forgotten
forgotten:
  call void {Py_IncRef}(ptr %result)
  ret ptr %result

miss:
  br i1 %makes, label %nothing, label %code_of_miss
nothing:
  call void {Py_IncRef}(ptr {none})
  ret ptr {none}
code_of_miss:
  %missed = call ptr {PyLong_FromLongLong}(i64 1)
  ret ptr %missed
wrong:
  call void {PyErr_SetString}(ptr {type_error}, ptr @message)
  ret ptr null
raise:
  ret ptr null
}}
"""
_PYTHON = (
    "PyLong_AsLongLong", "PyLong_FromLongLong", "PyFloat_AsDouble", "PyComplex_RealAsDouble",
    "PyComplex_ImagAsDouble", "PyErr_Occurred", "PyErr_SetString", "PyEval_SaveThread",
    "PyEval_RestoreThread", "PyTuple_New", "PyTuple_SetItem", "Py_IncRef", "Py_DecRef",
)  # fmt: skip


@functools.cache
def _enter(effort: int) -> int:
    """The address of the function, compiled with this effort."""
    probe = (ctypes.c_int64 * 1)()
    places = {
        "data_at": abi.Array.data,
        "rank_at": abi.Array.rank,
        "lengths_at": abi.Array.lengths,
        "strides_at": abi.Array.strides,
        "dtype_at": abi.Array.dtype,
        "flags_at": abi.Array.flags,
        "order_at": abi.Dtype.order,
        "number_at": abi.Dtype.number,
    }
    text = _TEXT.format(
        table_at=abi.offset(probe, ctypes.addressof(probe)),
        class_at=abi.CLASS,
        **{name: abi.HEAD + field.offset for name, field in places.items()},
        swapped=ord(np.dtype(np.float64).newbyteorder("S").byteorder),
        interrupted=INTERRUPTED,
        message=OTHER_ARGUMENTS,
        message_size=len(OTHER_ARGUMENTS) + 1,
        scalar_as_ctype=llvm.pointer(abi.numpy("PyArray_ScalarAsCtype")),
        true=llvm.pointer(id(True)),
        none=llvm.pointer(id(None)),
        type_error=llvm.pointer(id(TypeError)),
        **{name: llvm.python(name) for name in _PYTHON},
    )
    return llvm.compiled(text, effort)("enter")


def _row(parameter: Parameter) -> list[int]:
    """What the table says of an argument."""
    known = classes(parameter.dtype)
    if isinstance(parameter, Array):
        numbers = [np.dtype(cls).num for cls in (known[0], known[-1])]
        return [0, id(np.ndarray), parameter.ndim, *parameter.flags(), *numbers, 0]
    read = {cls: kind for cls, kind in PYTHONS.items() if np.dtype(cls) == parameter.dtype}
    python, kind = next(((id(cls), kind) for cls, kind in read.items()), (0, 1))
    return [kind, python, id(known[0]), id(known[-1]), parameter.slots, 0, 0, 0]


def make_entry(
    name: str,
    program: int,
    signature: Signature,
    owner: Any,
    effort: int,
    late: int = 0,
) -> Callable[..., Any]:
    """A function of Python's that calls ``i64 program(i64 *slots)``, and returns what that does.

    It returns 1 where its arguments are not of `signature`, and raises what a signal handler did
    that has ended it, or a loop of SciPy's that it has called. A program that makes `late` arrays
    takes the cells for them last, which are no argument of the function: it returns a tuple of
    the arrays, or None where the program does not return 0. Its ``__self__.compiled`` is
    `owner`, which keeps the machine code alive. With `effort` 2 what all entries share takes 9
    ms once, 35 where LLVM has compiled nothing yet; with 0 it takes 3, and 0.02 µs more at each
    call.
    """
    if not abi.arrays():
        return portable.PortableEntry(name, program, signature, owner, late).call
    given = signature[:-1] if late else signature
    numbers = [program, len(given), total(signature) + (1 + late if late else 0), late]
    for parameter in given:
        numbers += _row(parameter)
    table: Any = (ctypes.c_int64 * len(numbers))(*numbers)
    table.compiled = owner
    return llvm.function(name, _enter(effort), table)
