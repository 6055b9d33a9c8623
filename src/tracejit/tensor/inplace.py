"""The functions of ``theano.tensor.inplace``: ``exp_inplace`` and its like, as the plain ones.

A graph is data, whose values nobody writes into; the compiler lets a result take the place of an
operand that nothing reads later, whether or not it is asked to.
"""

from __future__ import annotations

from typing import Any

from tracejit.tensor import basic, elementwise, extra_functions

_HOMES = (elementwise, extra_functions)
_END = "_inplace"
transpose_inplace = basic.transpose


def __getattr__(name: str) -> Any:
    """The function whose name comes before ``_inplace``."""
    plain = name.removesuffix(_END)
    if name.endswith(_END):
        for home in _HOMES:
            if plain in home.__all__:
                return getattr(home, plain)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [f"{name}{_END}" for home in _HOMES for name in home.__all__]
