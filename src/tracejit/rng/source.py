"""What samplers draw from: one name for each need, whatever the generator.

The Numba type of a source says which generator it is; each generator provides its own functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
from numba.extending import overload

#: Compiled into the kernel that calls it, and kept on disk with that.
jit: Any = numba.njit(nogil=True, error_model="numpy")


def begin(state: Any, new: Any) -> Any:
    """The source that starts in `state`; `new` gets the state after the draw."""
    raise NotImplementedError


def move(s: Any, place: Any) -> Any:
    """Go to where element `place` begins, if the generator has such places."""
    raise NotImplementedError


def word(s: Any) -> Any:
    """The next 32 bits."""
    raise NotImplementedError


def double(s: Any) -> Any:
    """The next number in [0, 1), of 53 bits."""
    raise NotImplementedError


def standard_normal(s: Any) -> Any:
    """The next normal number of mean 0 and deviation 1."""
    raise NotImplementedError


def log(s: Any, x: Any) -> Any:
    """The logarithm, as the generator has it."""
    raise NotImplementedError


def exp(s: Any, x: Any) -> Any:
    """The exponential, as the generator has it."""
    raise NotImplementedError


def cosine(s: Any, x: Any) -> Any:
    """The cosine, as the generator has it."""
    raise NotImplementedError


def power(s: Any, x: Any, y: Any) -> Any:
    """x to the power of y, as the generator has it."""
    raise NotImplementedError


def provide(recognised: Callable[[Any], bool], **functions: Callable[..., Any]) -> None:
    """Let sources, or states, of the types that `recognised` accepts use these functions.

    Their parameters are named as those above.
    """
    for name, function in functions.items():
        _provide(globals()[name], recognised, getattr(function, "py_func", function))


def _provide(stub: Any, recognised: Callable[[Any], bool], function: Any) -> None:
    names = list(inspect.signature(stub).parameters)
    scope = {"recognised": recognised, "function": function}
    choose = eval(f"lambda {', '.join(names)}: function if recognised({names[0]}) else None", scope)
    # A source may live in the memory of the function that begins it.
    overload(stub, inline="always" if stub is begin else "never")(choose)
