"""Modes with options, under the names of ``theano.compile``'s modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tracejit.symbolic import debugmode
from tracejit.symbolic.debugmode import BadOptimization
from tracejit.symbolic.modes import (
    FAST_COMPILE,
    FAST_RUN,
    LINKERS,
    OPTIMIZERS,
    Mode,
    get_default_mode,
    get_mode,
    predefined_modes,
    register_mode,
)
from tracejit.symbolic.optdb import optdb
from tracejit.symbolic.program import Profile

OPT_FAST_RUN, OPT_FAST_COMPILE, OPT_NONE = "fast_run", "fast_compile", None
predefined_linkers = {name: name for name in LINKERS}
predefined_optimizers = {name: name for name in OPTIMIZERS}
default_linker, default_optimizer = "cvm", "fast_run"


def register_optimizer(name: str, opt: Any) -> None:
    """Let `name` stand for a rewrite of one's own, as a mode's `optimizer`."""
    if name in predefined_optimizers:
        raise ValueError(f"Optimizer name already taken: {name}")
    predefined_optimizers[name] = opt
    optdb.register(name, opt, 100, name)


class DebugModeError(Exception):
    """What ``DebugMode`` finds wrong."""


class InvalidValueError(DebugModeError):
    """A value that is not finite."""


class StochasticOrder(DebugModeError):
    """Never raised: the order of a graph is always the same."""


class BadThunkOutput(DebugModeError):
    """Never raised: an op is run by one piece of code."""


class BadViewMap(DebugModeError):
    """Never raised: `perform` gets copies."""


class BadDestroyMap(DebugModeError):
    """Never raised: `perform` gets copies."""


class DebugMode(Mode):
    """Every value of the graph is compared with NumPy's at each call.

    With `check_isfinite`, `InvalidValueError` for a value that is not finite. The other options
    are of checks that are always made, or of what is not done here.
    """

    def __init__(
        self, optimizer: Any = "fast_run", stability_patience: Any = None, check_c_code: Any = None,
        check_py_code: Any = None, check_isfinite: bool | None = None,
        check_preallocated_output: Any = None, require_matching_strides: Any = None,
        linker: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(None, optimizer)
        self.check_isfinite = bool(check_isfinite)
        self.stability_patience = stability_patience

    @property
    def name(self) -> str:
        """The name of the mode."""
        return "DebugMode"

    def watch(self, f: Any, values: Any) -> None:
        """Compare, and look for what is not finite."""
        debugmode.check(f, values)
        if self.check_isfinite:
            debugmode.guard(f, values, True, True, False, InvalidValueError)


class NanGuardMode(Mode):
    """AssertionError for a value of the graph that holds nan, infinity, or more than 1e10.

    Where an option is None, ``config.NanGuardMode`` says whether that is an error.

    >>> import tracejit, tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> f = tracejit.function([x], T.log(x), mode=NanGuardMode(inf_is_error=False))
    >>> f(0.0)
    array(-inf)
    """

    def __init__(
        self, nan_is_error: bool | None = None, inf_is_error: bool | None = None,
        big_is_error: bool | None = None, optimizer: Any = "default", linker: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(None, optimizer)
        self.options = nan_is_error, inf_is_error, big_is_error

    @property
    def name(self) -> str:
        """The name of the mode."""
        return "NanGuardMode"

    def watch(self, f: Any, values: Any) -> None:
        """Look for what is not wanted."""
        debugmode.guard(f, values, *self.options)


class MonitorMode(Mode):
    """Calls functions for each application of the graph: `pre_func` and then `post_func`.

    They get its number, itself, and an object with `inputs` and `outputs`, whose values are in
    lists of one: ``fn.outputs[0][0]``.

    >>> import tracejit, tracejit.tensor as T
    >>> def show(i, node, fn):
    ...     print(i, node.op, fn.outputs[0][0])
    >>> x = T.dscalar("x")
    >>> f = tracejit.function([x], T.exp(x) + 1, mode=MonitorMode(post_func=show))
    >>> _ = f(0.0)
    0 Elemwise{exp,no_inplace} 1.0
    1 Elemwise{add,no_inplace} 2.0
    """

    def __init__(
        self, pre_func: Callable[..., Any] | None = None,
        post_func: Callable[..., Any] | None = None, optimizer: Any = "default", linker: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(linker, optimizer)
        self.pre_func, self.post_func = pre_func, post_func
        self.watch = functools.partial(debugmode.monitor, before=pre_func, after=post_func)


def detect_nan(i: int, node: Any, fn: Any) -> None:
    """A function for ``MonitorMode``: it prints an application that gives nan."""
    import numpy as np

    for (output,) in fn.outputs:
        if np.asarray(output).dtype.kind in "fc" and np.isnan(output).any():
            print("*** NaN detected ***")
            print(node)
            print(f"Inputs : {[value for (value,) in fn.inputs]}")
            print(f"Outputs: {[value for (value,) in fn.outputs]}")
            break


class ProfileMode(Mode):
    """Counts and times the calls of all functions that are made in it."""

    def __init__(self, optimizer: Any = "default", linker: Any = None, **kwargs: Any) -> None:
        super().__init__(None, optimizer)
        self.profile = Profile()

    def print_summary(self, **kwargs: Any) -> None:
        """Print what `profile` counts."""
        print(self.profile.summary())


__all__ = [
    "FAST_COMPILE",
    "FAST_RUN",
    "BadDestroyMap",
    "BadOptimization",
    "BadThunkOutput",
    "BadViewMap",
    "DebugMode",
    "DebugModeError",
    "InvalidValueError",
    "Mode",
    "MonitorMode",
    "NanGuardMode",
    "ProfileMode",
    "StochasticOrder",
    "default_linker",
    "default_optimizer",
    "detect_nan",
    "get_default_mode",
    "get_mode",
    "optdb",
    "predefined_linkers",
    "predefined_modes",
    "predefined_optimizers",
    "register_mode",
    "register_optimizer",
]
