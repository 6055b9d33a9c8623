"""What stands for callables that hold others: methods, partial functions, objects of libraries."""

from __future__ import annotations

import functools
import types
from typing import Any

import numpy as np

from tracejit.capture import distributions, interpolators, numpys
from tracejit.capture.generators import is_generator
from tracejit.capture.standin import StandIn


def made(capture: Any, value: Any, expression: str, path: str) -> Any:
    """What stands for such a callable, whose parts are read; None for another value."""
    if isinstance(value, types.MethodType):
        return _method(capture, value, expression, path)
    if type(value) is np.vectorize:
        return numpys.outside(capture, value, expression, path)
    if distributions.is_frozen(value):
        return distributions.outside(capture, value, expression, path)
    if isinstance(value, functools.partial):
        return functools.partial(
            capture.read(value.func, f"{expression}.func", path),
            *(
                capture.read(a, f"{expression}.args[{k}]", f"argument {k} of {path}")
                for k, a in enumerate(value.args)
            ),
            **{
                k: capture.read(a, f"{expression}.keywords[{k!r}]", f"argument {k} of {path}")
                for k, a in value.keywords.items()
            },
        )
    return interpolators.outside(capture, value, expression, path)


def _method(capture: Any, value: types.MethodType, expression: str, path: str) -> Any:
    if isinstance(value.__self__, type):
        return value
    if is_generator(value.__self__):
        owner = capture.read(value.__self__, f"{expression}.__self__", path)
        return getattr(owner, value.__name__)
    owner = capture.read(value.__self__, f"{expression}.__self__", f"the object of {path}")
    if isinstance(owner, (StandIn, distributions.Frozen)):
        return getattr(owner, value.__name__)
    function = capture.stand_in(value.__func__, f"{expression}.__func__", path)
    return types.MethodType(function, owner)
