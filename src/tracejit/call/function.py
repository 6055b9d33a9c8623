"""Functions of NumPy arrays: the decorator, and the dispatch of calls to compiled paths.

A call goes to the driver of the newest path. That checks its guards and gives MISS where it is not
valid; then the arguments are described, the paths for this description are tried, and where none
fits, the function is traced again. What cannot be traced runs in plain NumPy.
"""

from __future__ import annotations

import functools
import types
from typing import Any

from tracejit.call.compiled import Compiled
from tracejit.errors import MISS
from tracejit.native import floatmodes
from tracejit.native.apart import imported
from tracejit.native.caller import OTHERS
from tracejit.theano.flags import require


class Function(Compiled):
    """A compiled function: call it as the plain one. Made by ``tracejit.function``."""

    __tracejit_function__ = True

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
        return imported("tracejit.call.slow").call(self, args, kwargs)

    def _part(self, f: types.FunctionType) -> Part:
        """A segment of this function, with its options."""
        part = Part(
            f, self.__name__, self.on_unsupported, self.stabilise, self.convert_arrays, self.device
        )
        part.inner, part.depth = True, self.depth + 1
        part._paths.told = self._paths.told  # one warning a line
        return part

    def _called(self, f: types.FunctionType) -> Function:
        """A function that this one calls from Python."""
        called = Function(f, None, self.on_unsupported, device=self.device)
        called.inner = True
        return called

    def explain(self) -> str:
        """Every compiled path with its guards, what made it trace again, and what falls back."""
        from tracejit.call.retrace import explain

        return explain(self)

    def graph(self, /, *args: Any, **kwargs: Any) -> Any:
        """The traced graph for these arguments; ``print`` shows it.

        Traces, and compiles what a call would run. UnsupportedError where that is not possible.
        """
        from tracejit.call import slow as call

        return call.path_for(self, args, kwargs).graph

    def source(self, /, *args: Any, **kwargs: Any) -> str:
        """The emitted Numba source for these arguments, with the user's line of each statement.

        As `graph`; empty under ``config(compile=False)``.
        """
        from tracejit.call import slow as call

        source: str = call.path_for(self, args, kwargs).executable.source
        return source

    def low_level(self, signature: str = "double (double)", *, size: int | None = None) -> Any:
        """This function of float64 numbers as a C function, for libraries that call by pointer.

        `signature` is one that SciPy takes: ``double (double)``, ``double (int, double *)``, for
        as many numbers as the function has arguments, both also with ``void *`` at the end, which
        is not looked at; or ``int (double *, npy_intp, double *, void *)``, for one array of
        `size` elements, a window of `scipy.ndimage.generic_filter`. The result has the attributes
        `address`, `signature`, `ctypes` and `callable`, a `scipy.LowLevelCallable`. ValueError for
        another signature; `UnsupportedError` where the function is not compiled as a whole, gives
        something else than one float64, or needs arrays on the way.

        >>> import tracejit
        >>> from scipy import integrate
        >>> square = tracejit.function(lambda x: x * x)
        >>> round(integrate.quad(square.low_level().callable, 0, 3)[0], 12)
        9.0
        """
        return imported("tracejit.call.lowlevel").low_level(self, signature, size)


class Part(Function):
    """A segment of a function, which stays Python's where each call would be compiled anew."""

    #: Traces after which it does.
    MOST = 6

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.stats.traces < self.MOST or floatmodes.acting():
            return super()._slow(args, kwargs)
        for path in self._paths:
            try:
                result = path.driver(*args)
            except OTHERS:
                continue
            if result is not MISS:
                return result
        return self._plain(*args)


def function(
    f: Any,
    *,
    name: str | None = None,
    on_unsupported: str | None = None,
    stabilise: bool = False,
    convert_arrays: bool = False,
    device: str | None = None,
) -> Any:
    """`f` as a `Function`, or a decorator with these options; see `tracejit.function`."""
    if on_unsupported not in (None, "warn", "error"):
        raise ValueError(f'on_unsupported must be "warn" or "error", not {on_unsupported!r}')
    if device is not None:
        require("device", device)
    if f is None:
        return functools.partial(
            function, name=name, on_unsupported=on_unsupported, stabilise=stabilise,
            convert_arrays=convert_arrays, device=device,
        )  # fmt: skip
    if isinstance(f, Function):
        f = f.__wrapped__
    if isinstance(f, (staticmethod, classmethod)):
        kind = type(f).__name__
        raise TypeError(f"function() goes below @{kind}: write @{kind} above @tracejit.function")
    if isinstance(f, types.MethodType) and isinstance(f.__func__, (types.FunctionType, Function)):
        made = function(
            f.__func__, name=name, on_unsupported=on_unsupported, stabilise=stabilise,
            convert_arrays=convert_arrays, device=device,
        )  # fmt: skip
        return types.MethodType(made, f.__self__)
    if not isinstance(f, (type, types.FunctionType)) and _is_code(f):
        f = _caller_of(f)
    if not isinstance(f, types.FunctionType):
        raise TypeError(
            f"function() takes a Python function, not {type(f).__name__!r}; wrap it: "
            "tracejit.function(lambda *args: f(*args))"
        )
    return Function(f, name, on_unsupported, stabilise, convert_arrays, device)


def _is_code(f: Any) -> bool:
    """Whether `f` is called by code in Python: an object's ``__call__``, or a partial call."""
    while isinstance(f, (functools.partial, types.MethodType)):
        f = f.func if isinstance(f, functools.partial) else f.__func__
    called = next((vars(c)["__call__"] for c in type(f).__mro__ if "__call__" in vars(c)), None)
    return isinstance(f, (types.FunctionType, Function)) or isinstance(
        called, (types.FunctionType, Function)
    )


def _caller_of(f: Any) -> Any:
    """A function that calls `f`, which it reads at each call."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    inner = f
    while isinstance(inner, functools.partial):
        inner = inner.func
    kind = type(inner) if not hasattr(inner, "__name__") else inner
    call.__name__, call.__qualname__ = kind.__name__, kind.__qualname__
    call.__module__, call.__doc__ = kind.__module__, inner.__doc__
    return call


__all__ = ["Function", "function"]
