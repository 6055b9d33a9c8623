"""``tracejit.function``: the decorator, and the dispatch of calls to compiled paths.

A call goes to the driver of the newest path. That checks its guards and gives MISS where it is not
valid; then the arguments are described, the paths for this description are tried, and where none
fits, the function is traced again. What cannot be traced runs in plain NumPy.
"""

from __future__ import annotations

import functools
import types
from typing import Any

from tracejit import floatmodes
from tracejit.apart import imported
from tracejit.caller import Caller
from tracejit.errors import MISS


class Stats:
    """What a function has cost so far: ``f.stats``.

    `traces`      how often the Python code was traced; a trace that failed does not count
    `compiles`    how often machine code was made; equal programs are compiled once in a process
    `loops`       of the newest path: outermost loops
    `passes`      of the newest path: innermost loops, so passes over memory
    `temporaries` of the newest path: arrays that are neither arguments nor results
    `fallbacks`   calls that ran in plain NumPy
    `seconds`     by phase: "trace", "schedule", "emit", "compile"
    """

    def __init__(self) -> None:
        self.traces = 0
        self.compiles = 0
        self.loops = 0
        self.passes = 0
        self.temporaries = 0
        self.fallbacks = 0
        self.seconds: dict[str, float] = {
            "trace": 0.0, "schedule": 0.0, "emit": 0.0, "compile": 0.0
        }  # fmt: skip

    def __repr__(self) -> str:
        seconds = ", ".join(f"{k} {v:.3f}" for k, v in self.seconds.items())
        return (
            f"Stats(traces={self.traces}, compiles={self.compiles}, loops={self.loops}, "
            f"passes={self.passes}, temporaries={self.temporaries}, fallbacks={self.fallbacks}, "
            f"seconds: {seconds})"
        )


class Function(Caller):
    """A compiled function: call it as the plain one. Made by ``tracejit.function``."""

    __tracejit_function__ = True

    def __init__(
        self,
        f: types.FunctionType,
        name: str | None = None,
        on_unsupported: str | None = None,
        stabilise: bool = False,
        convert_arrays: bool = False,
    ) -> None:
        super().__init__(f)
        self.__wrapped__ = f
        self.__name__ = name or f.__name__
        self.__qualname__ = f.__qualname__
        self.__module__ = f.__module__
        self.__doc__ = f.__doc__
        self.stats = Stats()
        self.on_unsupported = on_unsupported
        self.stabilise = stabilise
        self.convert_arrays = convert_arrays
        self._paths: dict[Any, list[Any]] = {}
        self._records: list[Any] = []
        self._recent: tuple[Any, ...] = ()
        self._refused: dict[Any, Any] = {}
        self._warned: set[Any] = set()
        #: Calls that are known to run plainly, and what runs them: see `shortcut`.
        self._shortcuts: tuple[Any, ...] = ()
        self._shortcut: Any = None
        self._dynamic: set[str] = set()
        self._signature: Any = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<tracejit function {self.__qualname__}>"

    def __reduce__(self) -> str:
        return self.__qualname__  # like a plain function: by name

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._shortcuts and not floatmodes.acting():
            result = self._shortcut(self, args, kwargs)
            if result is not MISS:
                return result
        return imported("tracejit.call").call(self, args, kwargs)

    def explain(self) -> str:
        """Every compiled path with its guards, what made it trace again, and what falls back."""
        from tracejit.retrace import explain

        return explain(self)

    def graph(self, /, *args: Any, **kwargs: Any) -> Any:
        """The traced graph for these arguments; ``print`` shows it.

        Traces, and compiles what a call would run. UnsupportedError where that is not possible.
        """
        from tracejit import call

        return call.path_for(self, args, kwargs).graph

    def source(self, /, *args: Any, **kwargs: Any) -> str:
        """The emitted Numba source for these arguments, with the user's line of each statement.

        As `graph`; empty under ``config(compile=False)``.
        """
        from tracejit import call

        source: str = call.path_for(self, args, kwargs).executable.source
        return source


def function(f: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Compile a function of NumPy arrays, or the outputs of a symbolic graph.

    **Of a Python function**, ``function(f, *, name=None, on_unsupported=None, stabilise=False,
    convert_arrays=False)``, also as decorator, with or without options. `name` is shown in
    messages; `on_unsupported` ("warn" or "error") overrides the setting of ``tracejit.config`` for
    this function; `stabilise` computes formulas that overflow or cancel in a better form, and not
    as NumPy would. `convert_arrays` takes ``np.asarray(a)`` in place of an argument `a`, or a part
    of one, that is no array but converts to one (a Series of pandas, a tensor of another library).
    It changes what the function computes: the operators and methods are those of arrays, so that
    ``s.std()`` divides by n and not n - 1, NaN is not skipped, labels are not aligned, and results
    are arrays. Without it, a call with such an argument runs in plain Python.

    Arguments may be arrays of any shape and layout, of bool, integer, float or complex dtype up to
    128 bits, NumPy scalars, Python numbers, and tuples, lists, dicts, named tuples and dataclasses
    of them. Other values (strings, None, flags, functions) select a compiled version by equality.
    Results have the structure that the function returned, and the types NumPy would have given.

    What cannot be compiled runs in plain NumPy with an `UnsupportedWarning`, or raises
    `UnsupportedError`. Errors of shapes, axes and dtypes are `ShapeError`, `AxisError` and
    `DTypeError`, subclasses of what NumPy raises. TypeError for what is no Python function,
    ValueError for another `on_unsupported`.

    >>> import numpy as np
    >>> import tracejit
    >>> @tracejit.function
    ... def norm(x):
    ...     return np.sqrt((x * x).sum())
    >>> norm(np.array([3.0, 4.0]))
    np.float64(5.0)

    **Of symbolic variables**, ``function(inputs, outputs=None, mode=None, updates=None,
    givens=None, no_default_updates=False, name=None, allow_input_downcast=None, profile=None,
    on_unused_input="raise")`` with a list of inputs, as Theano has it. `updates` pairs shared
    variables with their new values, which are all computed from the old ones; `givens` replaces
    variables. Returns a `SymbolicFunction`.

    >>> import tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> total = tracejit.shared(0.0)
    >>> add = tracejit.function([x], total, updates=[(total, total + x)])
    >>> add(2), add(3), total.get_value()
    (array(0.), array(2.), array(5.))
    """
    if isinstance(f, types.FunctionType) and not args and not kwargs:
        return Function(f)
    if args or "outputs" in kwargs or "inputs" in kwargs or isinstance(f, (list, tuple)):
        from tracejit.symbolic import symbolic_function

        inputs = kwargs.pop("inputs") if "inputs" in kwargs else f
        return symbolic_function(inputs, *args, **kwargs)
    return _decorated(f, **kwargs)


def _decorated(
    f: Any,
    *,
    name: str | None = None,
    on_unsupported: str | None = None,
    stabilise: bool = False,
    convert_arrays: bool = False,
) -> Any:
    if on_unsupported not in (None, "warn", "error"):
        raise ValueError(f'on_unsupported must be "warn" or "error", not {on_unsupported!r}')
    if f is None:
        return functools.partial(
            _decorated, name=name, on_unsupported=on_unsupported, stabilise=stabilise,
            convert_arrays=convert_arrays,
        )  # fmt: skip
    if isinstance(f, Function):
        f = f.__wrapped__
    if isinstance(f, (staticmethod, classmethod)):
        kind = type(f).__name__
        raise TypeError(f"function() goes below @{kind}: write @{kind} above @tracejit.function")
    if not isinstance(f, types.FunctionType):
        raise TypeError(
            f"function() takes a Python function, not {type(f).__name__!r}; wrap it: "
            "tracejit.function(lambda *args: f(*args))"
        )
    return Function(f, name, on_unsupported, stabilise, convert_arrays)


__all__ = ["Function", "Stats", "function"]
