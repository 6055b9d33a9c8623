"""Arrays of NumPy's that machine code makes."""

from __future__ import annotations

import functools

import numpy as np

from tracejit.native import abi, llvm, portable

_TEXT = """
define ptr @new_array(ptr %cells, i64 %cell, i32 %rank, ptr %lengths, i32 %number) {{
  %thread = load ptr, ptr %cells
  call void {PyEval_RestoreThread}(ptr %thread)
  %array = call ptr {new}(ptr {type}, i32 %rank, ptr %lengths, i32 %number, ptr null, ptr null,
    i32 0, i32 0, ptr null)
  %cell_at = getelementptr ptr, ptr %cells, i64 %cell
  store ptr %array, ptr %cell_at
  %made = icmp ne ptr %array, null
  br i1 %made, label %done, label %failed
failed:
  call void {PyErr_Clear}()
  %again = call ptr {PyEval_SaveThread}()
  ret ptr null
done:
  %saved = call ptr {PyEval_SaveThread}()
  %data_at = getelementptr i8, ptr %array, i64 {data_at}
  %data = load ptr, ptr %data_at
  ret ptr %data
}}
"""
_PYTHON = ("PyEval_RestoreThread", "PyEval_SaveThread", "PyErr_Clear")


@functools.cache
def new_array() -> int:
    """The address of ``char *new_array(cells, cell, rank, lengths, number)``.

    It makes an array of the dtype of that number, puts it into its cell, and returns where its data
    is, or NULL. The first cell has the thread's state, by which it takes the interpreter's lock.
    """
    if not abi.arrays():
        return llvm.callback(portable.new_array)
    text = _TEXT.format(
        new=llvm.pointer(abi.numpy("PyArray_New")),
        type=llvm.pointer(id(np.ndarray)),
        data_at=abi.HEAD + abi.Array.data.offset,
        **{name: llvm.python(name) for name in _PYTHON},
    )
    return llvm.compiled(text, 0)("new_array")
