"""What kernels call, in NumPy: functions of scalars by the tables of ops, and of memory."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.lower.emit.expressions import storage
from tracejit.lower.kernel.formula import read
from tracejit.lower.kernel.statements import Call


def half_load(bits: Any) -> Any:
    return np.float32(np.uint16(bits).view(np.float16))


def half_store(value: Any) -> Any:
    return np.float16(value).view(np.uint16)


def half_round(value: Any) -> Any:
    return np.float32(np.float16(value))


def wrap(position: Any, length: int) -> Any:
    return position + length if position < 0 else position


def outside(position: Any, length: int) -> bool:
    return not -length <= position < length


def flat(array: np.ndarray) -> np.ndarray:
    """The elements of an array as they lie in memory."""
    return (array if array.flags.c_contiguous else array.T).reshape(-1)


def rows(array: np.ndarray) -> bool:
    """Whether the rows of an array have no gaps between their elements."""
    return bool(array.strides[-1] == array.itemsize or array.shape[-1] < 2 or not array.size)


def distinct(array: np.ndarray) -> bool:
    """Whether no two elements of an array have the same memory."""
    return all(step or length < 2 for step, length in zip(array.strides, array.shape, strict=True))


def pause() -> Callable[[int], int]:
    """What asks for signals now and then, which Python does by itself."""
    return lambda steps: 2 * steps


def fetch(ndim: int) -> Callable[..., bool]:
    """What fetches memory ahead, which changes nothing."""
    return lambda *operands: False


def pack(ndim: int) -> Callable[..., None]:
    """What fills rows of a panel, from one on."""

    def move(panel: np.ndarray, array: np.ndarray, *numbers: int) -> None:
        rows, part = _packed(panel, array, *numbers[: ndim + 3])
        rows[...] = part
        row, count, lines = numbers[ndim + 1], numbers[ndim + 2], numbers[ndim - 1]
        panel[row : row + count, lines:] = part[:, -1:]

    return move


def unpack(ndim: int) -> Callable[..., None]:
    """What puts rows of a panel back."""

    def move(panel: np.ndarray, array: np.ndarray, *numbers: int) -> None:
        rows, part = _packed(panel, array, *numbers[: ndim + 3])
        part[...] = rows

    return move


def _packed(panel: np.ndarray, array: np.ndarray, *numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a panel, and the part of an array that belongs there."""
    *outer, line, lines, place, row, count = numbers
    assert 0 <= row <= row + count <= len(panel) and place + row >= 0
    assert line + lines <= array.shape[-2] and place + row + count <= array.shape[-1]
    part = array[(*outer, slice(line, line + lines), slice(place + row, place + row + count))]
    return panel[row : row + count, :lines], part.T


def new_array(char: str, ndim: int) -> Callable[..., np.ndarray]:
    """What makes a result of the kernel's, which goes into a cell."""

    def make(late: dict[int, np.ndarray], cell: int, *shape: int) -> np.ndarray:
        late[cell] = np.empty(shape, char)
        return late[cell].view(storage(np.dtype(char)))

    return make


def temporary(char: str, ndim: int) -> Callable[..., np.ndarray]:
    return lambda *shape: np.empty(shape, storage(np.dtype(char)))


def shaped(ndim: int) -> Callable[..., np.ndarray]:
    """What makes an array at the start of a room for larger ones."""
    return lambda room, *shape: room[: math.prod(shape)].reshape(shape)


def undo_note(ndim: int) -> Callable[..., None]:
    """What takes note of an element: of its memory, as arrays may be views of each other."""

    def note(log: list[Any], array: np.ndarray, view: np.ndarray, *index: int) -> None:
        element = view[tuple(slice(i, i + 1) for i in index)]
        log.append((element, element.copy()))

    return note


def undo(log: list[Any], array: np.ndarray) -> None:
    """Put back what an array had."""
    for element, value in reversed(log):
        element[...] = value


def ufunc_loop(module: str, name: str, types: str) -> Callable[..., Any]:
    """A ufunc's own loop, for one element; float16 is computed with as float32."""
    ufunc = getattr(importlib.import_module(module), name)
    given, made = types.split("->")

    def call(*values: Any) -> Any:
        operands = [np.dtype(c).type(v) for c, v in zip(given, values, strict=True)]
        found = ufunc(*operands, signature=types)
        found = found if len(made) > 1 else (found,)
        results = [half_round(v) if c == "e" else v for c, v in zip(made, found, strict=True)]
        return results if len(made) > 1 else results[0]

    return call


def _cast(dtype: np.dtype[Any]) -> Callable[[Any], Any]:
    return lambda value: np.asarray(value).astype(dtype)[()]


def _row(row: ops.Elementwise, *values: Any) -> Any:
    """The value of a row's function for scalars."""
    found = (row.function if row.plain else row.ufunc)(*values)
    if not row.plain and row.ufunc.nout > 1:
        found = found[row.output]
    return np.asarray(found)[()]


def _rows() -> dict[str, Callable[..., Any]]:
    """The functions by which rows of the table of elementwise ops are computed."""
    found = {}
    for row in ops.ELEMENTWISE.values():
        formula = read(row.cpu) if row.cpu else None
        operands = tuple(f"{{{k}}}" for k in range(row.nin))
        if isinstance(formula, Call) and formula.operands == operands:
            found[formula.function] = functools.partial(_row, row)
    return found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_rows(),
    **{f"to_{np.dtype(c).name}": _cast(np.dtype(c)) for c in "?bBhHiIlLfdFD"},
    "to_half": half_round,
    "select": lambda condition, a, b: a if condition else b,
    "real": np.real,
    "imag": np.imag,
    "checked": lambda value, good: value,
    "radd": np.add,
    "rmul": np.multiply,
    "rmax": np.maximum,
    "rmin": np.minimum,
    "imax": max,
    "imin": min,
    "idiv": lambda a, b: a // b,
    "larger_complex": lambda value, best: bool(np.argmax([best, value])),
    "smaller_complex": lambda value, best: bool(np.argmin([best, value])),
    "told": bool,
    "undo": undo,
    "undo_log": lambda array, count: [],
    "undo_notes": lambda log: True,
    "apart": lambda x, y: not np.shares_memory(x, y),
    **{
        f.__name__: f
        for f in (half_load, half_store, half_round, wrap, outside, flat, rows, distinct)
    },
    **{
        f.__name__: f
        for f in (fetch, new_array, pack, pause, shaped, temporary, ufunc_loop, undo_note, unpack)
    },
}
