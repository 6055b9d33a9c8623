"""Kernels that tests write themselves: as emitted source, or as functions that Numba compiles."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numba

from tracejit.cpu.compiling.compile import built

_numbers = itertools.count()
#: What the source that calls it finds a function by.
FUNCTIONS: list[Any] = []


def kernel(text: str, *signature: Any, late: int = 0) -> Any:
    """The entry of a source, for one signature."""
    return built(f"test_{next(_numbers)}", text, signature).callable(late=late)


def wrapped(function: Callable[..., Any], *signature: Any) -> Any:
    """An entry that calls a function, which returns its code."""
    FUNCTIONS.append(numba.njit(nogil=True, error_model="numpy")(function))
    names = ", ".join(f"a{k}" for k in range(len(signature)))
    head = f"from handwritten import FUNCTIONS\nbody = FUNCTIONS[{len(FUNCTIONS) - 1}]\n"
    return kernel(f"{head}def entry({names}):\n    return body({names})\n", *signature)
