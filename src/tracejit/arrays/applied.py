"""Functions of NumPy's as a traced function calls them: of lists of traced values, of constants.

NumPy dispatches on arrays, and on some lists of arrays. What it makes without any is known.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import numpy as np

from tracejit.arrays.common import dim_node
from tracejit.arrays.creation import traced
from tracejit.arrays.lists import OF_LISTS, stacked
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.types import INT64, canonical_dtype
from tracejit.trace.explain import class_text
from tracejit.trace.lists import TracedList
from tracejit.trace.tables import FUNCTIONS, SEVERAL, UFUNC_METHODS, creates
from tracejit.trace.tracer import Tracer, is_number, value, wrap

#: Modules whose functions give the same for the same arguments.
_MODULES = ("numpy", "numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks", "numpy.polynomial")
#: Modules whose functions in Python are traced as they are written.
_WRITTEN = {
    *(f"numpy.polynomial.{name}" for name in
      "polynomial chebyshev legendre hermite hermite_e laguerre polyutils".split()),
    "scipy.special._basic", "scipy.special._spfun_stats", "scipy.ndimage._filters",
    *(f"scipy.signal.{name}" for name in
      "_signaltools _savitzky_golay windows._windows _fir_filter_design _filter_design".split()),
}  # fmt: skip
_OTHERS = "load loadtxt genfromtxt fromfile memmap save savez savez_compressed savetxt".split()
DISPATCHED = type(np.cov)


def is_applied(function: Any) -> bool:
    """Whether `function` is one of NumPy's of arrays."""
    if isinstance(function, np.ufunc):
        return True
    if isinstance(function, type) or not callable(function):
        return False
    module = getattr(function, "__module__", None)
    known = module in _MODULES
    if isinstance(function, DISPATCHED):
        return function.__name__ not in _OTHERS
    return known and getattr(function, "__name__", "_").isidentifier() and _makes_arrays(function)


class AppliedUfunc:
    """A ufunc as the traced function sees it, with its methods."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self.ufunc = ufunc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return applied(self.ufunc, *args, **kwargs)

    def attribute(self, name: str) -> Any:
        """An attribute: of a method what takes lists of traced values."""
        found = getattr(self.ufunc, name)
        return functools.partial(applied, found) if name in UFUNC_METHODS else found


def is_written(function: Any) -> bool:
    """Whether `function` is a Python function of a module whose functions are traced as written."""
    if not isinstance(function, types.FunctionType) or function.__name__.startswith("_"):
        return False
    return function.__module__ in _WRITTEN


def _makes_arrays(function: Any) -> bool:
    """Whether a function that does not dispatch is one that the user's NumPy has, and no file's."""
    name = function.__name__
    return name not in _OTHERS and not name.startswith(("_", "get", "set", "show", "print"))


def applied(function: Any, *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)``; what NumPy makes of constants alone is a constant."""
    solver = build.solver()
    if solver is build.IDLE:
        return function(*args, **kwargs)
    rows = function in OF_LISTS and args and isinstance(args[0], TracedList)
    if rows and args[0].store is not None:
        return OF_LISTS[function](*args, **kwargs)
    values = [*args, *kwargs.values()]
    several = next((v for v in values if type(v) in SEVERAL), None)
    if several is not None and isinstance(function, types.FunctionType):  # which does not dispatch
        raise NotTraceable(f"np.{function.__name__} of {class_text(several)} is not compiled")
    if several is None and traced(values):
        if isinstance(getattr(function, "__self__", function), np.ufunc):
            args = tuple(_as_array(a) for a in args)
            if kwargs.get("out") is ...:  # which NumPy does not hand on
                del kwargs["out"]
                result = function(*args, **kwargs)
                return Tracer(result.node) if isinstance(result, Tracer) else result
        elif function in FUNCTIONS:
            return FUNCTIONS[function](*map(_listed, args), **kwargs)
    return _constants(function(*args, **kwargs))


def _as_array(x: Any) -> Any:
    return wrap(_listed(x)) if isinstance(x, (list, tuple)) and traced(x) else x


def _listed(x: Any) -> Any:
    return stacked(x) if isinstance(x, TracedList) and x.store is not None else x


def _constants(result: Any) -> Any:
    """`result`, with variables for the arrays in it."""
    if type(result) is np.ndarray and canonical_dtype(result.dtype) is not None:
        known: Tracer = build.solver().array_input(result)
        return Tracer(known.node)
    if isinstance(result, tuple):
        made = [_constants(r) for r in result]
        return type(result)(*made) if hasattr(result, "_fields") else tuple(made)
    return [_constants(r) for r in result] if type(result) is list else result


@creates(np.prod)
def prod(a: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.prod``: of lengths it is one."""
    plain = isinstance(a, (list, tuple)) and not args and not kwargs and traced(a)
    if plain and all(map(is_number, a)):
        whole = [wrap(v).node for v in a]
        if all(n.dtype == INT64 for n in whole):
            return value(dim_node(dims.product(map(dims.from_node, whole))))
    return applied(np.prod, a, *args, **kwargs)
