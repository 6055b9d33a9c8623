"""What a traced function sees in place of a module of the user's."""

from __future__ import annotations

import builtins
import types
from typing import Any

import numpy as np

from tracejit.capture.bytecode import CALLED, Call
from tracejit.capture.namespace import called, is_called_apart
from tracejit.capture.standin import real_of
from tracejit.errors import NotTraceable


def is_of_class(f: types.FunctionType, call: Call) -> bool:
    """Whether `f` calls such a class there, by a variable or attributes of modules."""
    if call.root == "local":
        found: Any = np
    elif call.root == "cell":
        cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        cell = cells.get(call.names[0], types.CellType())  # the runtime of branches is nobody's
        found = cell.cell_contents if cell != types.CellType() else None
    else:
        name = call.names[0]
        found = f.__globals__.get(name, vars(builtins).get(name))
    for name in call.names[1:]:
        if not isinstance(found, types.ModuleType):
            return False
        found = vars(found).get(name)
    return is_called_apart(found)


class UserModule:
    """A module of the user's: its attributes are read as globals are. It has none of its own."""

    __slots__ = ("_of",)

    def __init__(self, capture: Any, module: types.ModuleType) -> None:
        object.__setattr__(self, "_of", (capture, module))

    def __getattribute__(self, name: str) -> Any:
        capture, module = object.__getattribute__(self, "_of")
        if name == "__class__":
            return type(module)
        if name.endswith(CALLED):
            return called(getattr(self, name.removesuffix(CALLED)))
        if name == "__dict__" or not hasattr(module, name):
            raise NotTraceable(f"{module.__name__}.{name} is asked for, which could change unseen")
        value = getattr(module, name)
        return capture.attribute(module, name, value)

    def __tracejit_module__(self) -> types.ModuleType:
        module: types.ModuleType = object.__getattribute__(self, "_of")[1]
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotTraceable(f"the function sets {self.__name__}.{name}")

    def __delattr__(self, name: str) -> None:
        raise NotTraceable(f"the function deletes {self.__name__}.{name}")

    def __dir__(self) -> list[str]:
        raise NotTraceable(f"the function asks for the names of {self.__name__}")

    def __repr__(self) -> str:
        return repr(real_of(self))

    def __eq__(self, other: object) -> bool:
        return real_of(self) is real_of(other)

    def __hash__(self) -> int:
        return hash(real_of(self))
