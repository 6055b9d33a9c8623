"""Tables from NumPy's function objects to what traces them, filled by the modules beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

#: NumPy functions that dispatch on their arguments.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
#: NumPy functions that do not dispatch: a traced function's own `np` calls these instead.
CREATORS: dict[Any, Callable[..., Any]] = {}
#: Methods of ndarray that are no function of NumPy's, and hooks of `Tracer`, by name.
METHODS: dict[str, Callable[..., Any]] = {}
#: Classes of what is one of several values: NumPy's functions are computed for each.
SEVERAL: set[type] = set()
#: What writes into its first argument, once, whichever the value is.
WRITERS = (np.copyto, np.fill_diagonal, np.put, np.place, np.putmask, np.put_along_axis)
#: Methods of a ufunc, as `__array_ufunc__` names them.
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}


def implements(*functions: Any) -> Callable[[F], F]:
    """Declare what traces NumPy's `functions`."""

    def declare(implementation: F) -> F:
        for function in functions:
            FUNCTIONS[function] = implementation
        return implementation

    return declare


def creates(*functions: Any) -> Callable[[F], F]:
    """Declare what stands for NumPy's `functions` in a traced function's own `np`."""

    def declare(implementation: F) -> F:
        for function in functions:
            CREATORS[function] = implementation
        return implementation

    return declare


def method(*names: str) -> Callable[[F], F]:
    """Declare a method of ndarray, or a hook of Tracer."""

    def declare(implementation: F) -> F:
        for name in names:
            METHODS[name] = implementation
        return implementation

    return declare
