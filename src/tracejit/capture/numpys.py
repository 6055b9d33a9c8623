"""NumPy's own Python functions, traced as they are written.

What NumPy defines by other functions is traced by running a copy of its Python code, whose globals
are seen as those of the user's functions are. So the steps, their order, the dtypes and the errors
are NumPy's own.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tracejit.arrays.applied import DISPATCHED, applied, is_written
from tracejit.arrays.creation import traced
from tracejit.arrays.libraries import library_function
from tracejit.arrays.quantiles import quantile, without_nan
from tracejit.capture import written
from tracejit.capture.builtins import BUILTINS
from tracejit.capture.bytecode import CALLED, mark_calls
from tracejit.capture.modules import is_of_class
from tracejit.capture.namespace import called, replacement
from tracejit.capture.otherwise import names_for, replaced, without_flags
from tracejit.capture.rewrite.calls import CONTROL
from tracejit.capture.rewrite.function import rewritten
from tracejit.capture.rewrite.traced import TracedControl
from tracejit.errors import NotTraceable
from tracejit.trace.tables import CREATORS, FUNCTIONS, METHODS, creates, method
from tracejit.trace.trace import current
from tracejit.trace.tracer import Tracer, as_array

#: Functions of NumPy's that are traced as they are written.
NAMES = (
    "apply_over_axes array_equiv block common_type convolve corrcoef correlate cov "
    "cross cumulative_prod cumulative_sum delete diag_indices diag_indices_from diagflat "
    "ediff1d fromfunction geomspace histogram2d i0 indices insert interp "
    "intersect1d isneginf isposinf logspace mask_indices nan_to_num nanpercentile nanquantile "
    "pad percentile piecewise poly polyadd polyder polyfit polyint polysub polyval "
    "put_along_axis quantile real_if_close resize setdiff1d setxor1d sort_complex "
    "trapezoid tril_indices tril_indices_from trim_zeros triu_indices triu_indices_from "
    "union1d unique_all unique_counts unique_inverse unique_values unwrap vander"
).split()


_base: Any = sys.modules["numpy.lib._function_base_impl"]
#: What is computed otherwise than NumPy does, by NumPy's methods for quantiles.
_WITH_METHODS: dict[Any, Callable[..., Any]] = {
    _base._quantile: quantile,
    sys.modules["numpy.lib._nanfunctions_impl"]._nanquantile_ureduce_func: without_nan,
}


class _Globals(dict[str, Any]):
    """The globals of copies of a module's functions: a name is looked up when it is first met."""

    def __init__(self, real: dict[str, Any], copies: _Copies) -> None:
        super().__init__(__builtins__=BUILTINS, __name__=real.get("__name__"))
        self._real = real
        self._copies = copies
        self._others = names_for(real.get("__name__", ""), copies.seen)

    def __missing__(self, name: str) -> Any:
        if name in self._others:
            value = self._others[name]
        elif name.endswith(CALLED):
            value = called(self[name.removesuffix(CALLED)])
        elif name in self._real:
            value = self._copies.seen(self._real[name])
        else:
            value = BUILTINS[name]  # KeyError becomes Python's NameError
        self[name] = value
        return value


class _Copies:
    """Copies of NumPy's functions, whose control flow is that of `control`, if there is one."""

    def __init__(self, control: TracedControl | None = None) -> None:
        self._control = control
        self._functions: dict[Any, Callable[..., Any]] = {}
        self._globals: dict[int, _Globals] = {}

    def of(self, f: types.FunctionType) -> Callable[..., Any]:
        """The copy of a function."""
        known = self._functions.get(f)
        if known is not None:
            return known
        source = f.__code__ if self._control is None else rewritten(f.__code__).code
        code = mark_calls(source, lambda call: is_of_class(f, call))
        code = without_flags(f.__module__, code)
        real = f.__globals__
        namespace = self._globals.setdefault(id(real), _Globals(real, self))
        cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        cells[CONTROL] = types.CellType(self._control)
        closure = tuple(cells[name] for name in code.co_freevars)
        copy = types.FunctionType(code, namespace, f.__name__, f.__defaults__, closure)
        copy.__kwdefaults__ = f.__kwdefaults__
        self._functions[f] = copy
        return copy

    def seen(self, value: Any) -> Any:
        """What a copy sees in place of `value`, a global of NumPy's."""
        if isinstance(value, types.FunctionType) and value in _WITH_METHODS:
            return functools.partial(_WITH_METHODS[value], self.seen(_base._QuantileMethods))
        if isinstance(value, types.FunctionType) and value not in CREATORS:
            return replaced(value) or library_function(value) or self.of(value)
        if (other := replaced(value)) is not None:
            return other
        if isinstance(value, types.ModuleType):
            return _Module(self, value)
        if isinstance(value, dict):  # of functions
            return {key: self.seen(v) for key, v in value.items()}
        return replacement(_implementing(value))


class _Module:
    """A module that copies see, whose functions in Python are copies too."""

    __slots__ = ("_of",)

    def __init__(self, copies: _Copies, module: types.ModuleType) -> None:
        object.__setattr__(self, "_of", (copies, module))

    def __getattribute__(self, name: str) -> Any:
        copies, module = object.__getattribute__(self, "_of")
        value = getattr(module, name.removesuffix(CALLED))
        if isinstance(value, types.FunctionType) or replaced(value) is not None:
            return copies.seen(value)
        return getattr(replacement(module), name)


#: What dispatches, by what it does where nothing does: NumPy calls that at times.
_DISPATCHING = {
    getattr(f, "_implementation", None): f for f in FUNCTIONS if isinstance(f, DISPATCHED)
}


def _implementing(value: Any) -> Any:
    try:
        return _DISPATCHING.get(value, value)
    except TypeError:  # unhashable
        return value


_plain = _Copies()
_controlled: MutableMapping[TracedControl, _Copies] = WeakKeyDictionary()


def copy_of(f: Any) -> Callable[..., Any]:
    """The copy of a function of NumPy's for the trace at hand."""
    trace = current()
    control = None if trace is None or trace.capture is None else trace.capture.control
    if control is None:
        return _plain.of(f)
    if control not in _controlled:
        _controlled[control] = _Copies(control)
    return _controlled[control].of(f)


def _traced_as_written(function: Any, code: Any = None) -> None:
    """Let a trace find `function` of NumPy's, as it is written or by other `code`."""
    dispatched = isinstance(function, DISPATCHED)
    code = code or getattr(function, "_implementation", function)

    def run(*args: Any, **kwargs: Any) -> Any:
        return copy_of(code)(*args, **kwargs)

    def created(*args: Any, **kwargs: Any) -> Any:
        if traced([*args, *kwargs.values()]) or any(map(callable, args)):
            return run(*args, **kwargs)
        return applied(function, *args, **kwargs)

    run.__name__ = created.__name__ = function.__name__
    if dispatched:
        FUNCTIONS.setdefault(function, run)
    else:
        CREATORS.setdefault(function, created)


for _name in NAMES:
    _traced_as_written(getattr(np, _name))
for _name in "apply_along_axis average gradient histogramdd polydiv polymul roots".split():
    _traced_as_written(getattr(np, _name), getattr(written, _name))


@method("at_each")
def _at_each(*args: Any) -> None:
    copy_of(written.at_each)(*args)


@method("written")
def _written(function: Any) -> Callable[..., Any] | None:
    """What traces a dispatched function of a module whose functions are traced as written."""
    code = getattr(function, "_implementation", None)
    return _as_written(code) if is_written(code) else None


@method("as_written")
def _as_written(function: Any) -> Callable[..., Any]:
    """What stands for a function of NumPy's or SciPy's that is traced as it is written."""
    other = replaced(function)

    def run(*args: Any, **kwargs: Any) -> Any:
        if traced([*args, *kwargs.values()]):
            return (other or copy_of(function))(*args, **kwargs)
        return applied(function, *args, **kwargs)

    return run


def _indexed(maker: Any) -> None:
    """Let a trace find one of NumPy's objects that join what they are indexed by."""
    code = type(maker).__getitem__ if "__getitem__" in vars(type(maker)) else None
    for cls in type(maker).__mro__:
        code = code or vars(cls).get("__getitem__")

    @creates(maker)
    def run(key: Any) -> Any:
        return copy_of(code)(maker, key)


_indexed(np.r_)
_indexed(np.c_)


@creates(np.vectorize)
class Vectorized:
    """``np.vectorize``: a function of Python's numbers, for each element of arrays."""

    def __init__(
        self,
        pyfunc: Any,
        otypes: Any = None,
        doc: Any = None,
        excluded: Any = None,
        cache: bool = False,
        signature: Any = None,
    ) -> None:
        if signature is not None:
            raise NotTraceable("np.vectorize with a signature is not compiled")
        self.pyfunc = pyfunc
        self._otypes = None if otypes is None else [np.dtype(otype) for otype in otypes]
        self._excluded = set(excluded or ())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise NotTraceable("np.vectorize with named arguments is not compiled")
        places = [k for k in range(len(args)) if k not in self._excluded]
        if not places:
            return self.pyfunc(*args)

        def fill(values: Any) -> list[Any]:
            found = list(args)
            for k, v in zip(places, values, strict=True):
                found[k] = METHODS["item"](v) if isinstance(v, Tracer) else v
            return found

        arrays = [as_array(args[k]) for k in places]
        return copy_of(written.vectorized)(self.pyfunc, self._otypes, arrays, fill)


def outside(capture: Any, made: Any, expression: str, path: str) -> Vectorized:
    """What stands for one that was made outside, whose function is read and traced."""
    for name in ("otypes", "signature"):
        text = repr(getattr(made, name))
        capture.guard(text, f"repr({expression}.{name})", f"{path}.{name}")
    capture.guard(True, f"(not {expression}.excluded)", f"{path}.excluded")
    function = capture.read(made.pyfunc, f"{expression}.pyfunc", f"{path}.pyfunc")
    if made.signature is not None or made.excluded:
        raise NotTraceable(
            "np.vectorize with a signature, or without some arguments, is not compiled"
        )
    return Vectorized(function, made.otypes)
