"""What a function names of its outside, and which values of it are its own to keep."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from tracejit.capture.builtins import BUILTINS
from tracejit.capture.bytecode import CALLED, Refusal, scan
from tracejit.capture.namespace import called


def outside(f: types.FunctionType, name: str) -> Any:
    """The variable `name` of the function around `f`, or the global one; None where it is unset."""
    cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
    try:
        return cells[name].cell_contents if name in cells else f.__globals__.get(name)
    except ValueError:  # an empty cell
        return None


def is_value(f: types.FunctionType, names: tuple[str, ...]) -> bool:
    """Whether a name of the outside, or an attribute of one, is a number or an array."""
    value = outside(f, names[0])
    for name in names[1:]:
        value = getattr(value, name, None)
    return isinstance(value, (int, float, complex, np.generic, np.ndarray))


def undecided(
    code: types.CodeType, source: types.CodeType
) -> tuple[tuple[tuple[str, ...], Refusal], ...]:
    """What a function compares by identity, as ``Scan.compared`` has it, where no calls tell.

    That is what also stands in the `source`, the code that is traced.
    """
    found = scan(code).compared
    if not found or source is code:
        return found
    left = scan(source)
    lines = {refused[2] for _, refused in left.compared}
    return tuple(one for one in found if left.reason or one[1][2] in lines)


def is_constant(value: Any) -> bool:
    """Whether `value` is a tuple, nested or not, of numbers, strings and the like."""
    return type(value) is tuple and all(
        isinstance(v, (bool, int, float, complex, str, bytes, type(None))) or is_constant(v)
        for v in value
    )


class Namespace(dict[str, Any]):
    """Globals of a traced copy: a name is captured when it is first looked up."""

    def __init__(self, capture: Any, real: dict[str, Any]) -> None:
        super().__init__(__builtins__=BUILTINS, __name__=real.get("__name__"))
        self._capture = capture
        self._real = real

    def __missing__(self, name: str) -> Any:
        if name.endswith(CALLED):
            self[name] = value = called(self[name.removesuffix(CALLED)])
            return value
        globals_ = self._capture.prologue.symbol(self._real, "g")
        if name in self._real:
            value = self._capture.read(self._real[name], f"{globals_}[{name!r}]", name)
        else:
            self._capture.guard(False, f"({name!r} in {globals_})", f"a global {name}")
            value = BUILTINS[name]  # KeyError becomes Python's NameError
        self[name] = value
        return value
