"""What a traced function finds under the names of modules and builtins.

NumPy's protocols do not reach functions without an array argument (``np.zeros(n)``), ``math`` or
``isinstance``. A traced copy of a function therefore sees proxies of the modules; NumPy itself is
never patched.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import sysconfig
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.arrays import CREATORS
from tracejit.arrays.applied import AppliedUfunc, applied, is_applied, is_written
from tracejit.arrays.libraries import library_function
from tracejit.capture.bytecode import CALLED
from tracejit.capture.generators import RANDOM_HINT, make_generator, of_global_state
from tracejit.capture.standin import known_stand_in, real_of, stand_in_for
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.ir.types import DTYPES, FLOAT64
from tracejit.native.floatmodes import errstate
from tracejit.trace.mixed import Mixed
from tracejit.trace.trace import current
from tracejit.trace.tracer import METHODS, Tracer, wrap

#: Modules of the standard library whose answers change from call to call.
_CHANGING = (
    "time random secrets uuid os io socket subprocess datetime tempfile pathlib glob shutil select "
    "signal gc logging threading multiprocessing asyncio queue getpass platform resource "
    "importlib pkgutil runpy ctypes atexit"
)
#: NumPy functions that read or write files.
_FILES = "load loadtxt genfromtxt fromfile memmap save savez savetxt open_memmap"
#: Packages whose modules are taken as they are.
_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "tracejit")
_LIBRARY = tuple(
    {
        os.path.join(sysconfig.get_paths()[name], "")
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
)


def is_library_file(file: str) -> bool:
    """Whether a source file belongs to the standard library or an installed package."""
    return (
        file.startswith(_LIBRARY)
        or "site-packages" in file
        or "dist-packages" in file
        or file.startswith("<frozen")
    )


def is_library_module(name: Any, own_package: str = "") -> bool:
    """Whether a module `name` belongs to Python or to one of the libraries that are traced.

    Whatever else there is may change, however it was made or installed: its attributes are read at
    each call. `own_package` is the top-level package of the traced function.
    """
    top = name.partition(".")[0] if isinstance(name, str) else ""
    if top == own_package:
        return False
    return top in _LIBRARIES or (top in sys.stdlib_module_names and top != "__main__")


def refuse_changing(module: str, name: str) -> None:
    """Raise NotTraceable where ``module.name`` could give another answer at the next call."""
    top = module.partition(".")[0]
    if top in _CHANGING.split():
        raise NotTraceable(
            f"{module}.{name} could give another answer at the next call",
            "call it outside and pass the result as an argument",
        )


# Modules ---------------------------------------------------------------------------------------


class ModuleProxy:
    """A module of NumPy or SciPy whose functions take traced values. It has nothing of its own."""

    __slots__ = ("_module", "_values")

    def __init__(self, module: types.ModuleType) -> None:
        object.__setattr__(self, "_module", module)
        object.__setattr__(self, "_values", {})

    def __getattribute__(self, name: str) -> Any:
        module = _module_of(self)
        if name.startswith("__"):
            return getattr(module, name)
        real = getattr(module, name.removesuffix(CALLED))
        if module is not sys and _is_foreign(real, name):
            trace = current()
            if trace is not None and trace.capture is not None:
                return trace.capture.attribute(module, name.removesuffix(CALLED), real)
        values = object.__getattribute__(self, "_values")
        if name not in values or values[name][0] is not real:
            values[name] = real, type(self).__tracejit_read__(module, name)
        return values[name][1]

    @staticmethod
    def __tracejit_read__(module: types.ModuleType, name: str) -> Any:
        """What the function sees as attribute `name`."""
        plain = name.removesuffix(CALLED)
        if module.__name__ == "numpy" and plain in _FILES.split():
            raise NotTraceable(f"np.{plain} works on files", "call it outside the function")
        value = getattr(module, plain)
        return replacement(value) if plain is name else called(value)

    def __tracejit_module__(self) -> types.ModuleType:
        return _module_of(self)

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotTraceable(f"the function sets an attribute of {_module_of(self).__name__}")

    def __delattr__(self, name: str) -> None:
        raise NotTraceable(f"the function deletes an attribute of {_module_of(self).__name__}")

    def __dir__(self) -> list[str]:
        return dir(_module_of(self))

    def __repr__(self) -> str:
        return repr(_module_of(self))

    def __eq__(self, other: object) -> bool:
        return _module_of(self) is real_of(other)

    def __hash__(self) -> int:
        return hash(_module_of(self))


_CONSTANTS = frozenset("pi e tau inf nan infj nanj newaxis euler_gamma".split())
_DATA = frozenset((int, float, complex, bool, str, bytes, tuple, list, dict, set, np.ndarray))


def _is_foreign(value: Any, name: str) -> bool:
    """Whether an attribute of a library's module may be somebody else's: data, or a function."""
    if isinstance(value, types.FunctionType):
        return not is_library_module(value.__module__)
    return type(value) in _DATA and name not in _CONSTANTS


def _module_of(proxy: ModuleProxy) -> types.ModuleType:
    module: types.ModuleType = object.__getattribute__(proxy, "_module")
    return module


class RandomProxy(ModuleProxy):
    """``np.random``: its functions draw from a global generator; others make generators."""

    __slots__ = ()

    @staticmethod
    def __tracejit_read__(module: types.ModuleType, name: str) -> Any:
        """The classes, and stand-ins for the functions."""
        plain = name.removesuffix(CALLED)
        value = getattr(module, plain)
        if isinstance(value, type):
            return value if plain is name else called(value)
        return random_function(value) or value


def random_function(value: Any) -> Any:
    """What stands for a function of ``np.random``'s; None for another value."""
    random = sys.modules.get("numpy.random")  # importing it would take ten milliseconds
    if random is None or not callable(value) or isinstance(value, type):
        return None
    name = getattr(value, "__name__", "")
    if getattr(random, name, None) is not value and name not in _ALIASES:
        return None
    if name == "default_rng":
        return stand_in_for(value, functools.partial(make_generator, value))
    if getattr(value, "__self__", None) is random.mtrand._rand or name == "seed":
        return stand_in_for(value, functools.partial(of_global_state, name))
    if name in _ALIASES and getattr(random, name, None) is value:
        return stand_in_for(value, functools.partial(of_global_state, "random_sample"))
    if str(getattr(value, "__module__", "")).startswith("numpy.random"):
        raise NotTraceable(f"np.random.{name} is not compiled", RANDOM_HINT)
    return None


#: Other names of ``random_sample``.
_ALIASES = ("ranf", "sample")


class HolderProxy(ModuleProxy):
    """``types`` and ``argparse``, whose classes that only hold attributes are made in the trace."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        plain = name.removesuffix(CALLED)
        value = getattr(_module_of(self), plain)
        trace = current()
        if isinstance(value, type) and trace is not None and trace.capture is not None:
            return trace.capture.traced_class(value)
        return value


class SystemProxy(ModuleProxy):
    """``sys``: the numbers and texts that describe Python; all else changes."""

    __slots__ = ()

    @staticmethod
    def __tracejit_read__(module: types.ModuleType, name: str) -> Any:
        """The number, text or tuple of such."""
        value = getattr(module, name)
        if isinstance(value, (int, float, str, tuple)):
            return value
        raise NotTraceable(
            f"sys.{name} could change unseen", "read it outside and pass what it gives"
        )


class MathProxy(ModuleProxy):
    """``math``: functions of traced numbers stay symbolic where a ufunc computes them."""

    __slots__ = ()

    @staticmethod
    def __tracejit_read__(module: types.ModuleType, name: str) -> Any:
        """The function over traced numbers, or what there is."""
        value = getattr(module, name)
        return stand_in_for(value, _math_function(name, value)) if name in _MATH else value


_SAME_NAME = (
    "sqrt exp exp2 expm1 log log2 log10 log1p cbrt sin cos tan sinh cosh tanh hypot fabs copysign "
    "fmod degrees radians"
)
_INVERSES = "asin acos atan asinh acosh atanh atan2"
_MATH = {
    **{name: name for name in _SAME_NAME.split()},
    **{name: f"arc{name[1:]}" for name in _INVERSES.split()},
    "pow": "power",
}


def _math_function(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    arity = 2 if name in ("hypot", "copysign", "fmod", "atan2", "pow") else 1

    def call(*args: Any) -> Any:
        mixed = next((k for k, a in enumerate(args) if isinstance(a, Mixed)), None)
        if mixed is not None:
            return args[mixed].each(lambda a: call(*args[:mixed], a, *args[mixed + 1 :]))
        trace = current()
        if trace is None or not any(isinstance(a, Tracer) for a in args):
            return real(*args)
        nodes = [wrap(a).node for a in args]
        if any(n.shape for n in nodes):
            raise NotTraceable(f"math.{name} of an array", f"use np.{_MATH[name]}")
        simple = len(nodes) == arity and all(n.dtype.kind in "if" for n in nodes)
        try:
            values = [trace.evaluate(n) for n in nodes]
        except NotTraceable as refusal:
            if not simple:
                raise
            refusal.forget()
            values = None
        if values is not None and not (math.isfinite(real(*values)) and simple):
            return real(*(wrap(a).concrete() for a in args))
        strong = [build.cast(n, FLOAT64) for n in nodes]
        node = build.elementwise(_MATH[name], *strong)
        if values is None:
            holds = _raises_nothing(node, strong)
            trace.require(holds, holds, holds)
        else:
            trace.truth(build.elementwise("isfinite", node))
        return Tracer(build.weak(node), "number")

    return call


def _raises_nothing(result: Node, args: Sequence[Node]) -> Node:
    """Whether Python gives the result of a function of its ``math``.

    It raises for NaN of numbers, and for what is infinite of what is not.
    """
    number = functools.partial(build.elementwise, "isnan")
    finite = functools.partial(build.elementwise, "isfinite")
    either = functools.partial(build.elementwise, "logical_or")
    of_nan = functools.reduce(either, map(number, args))
    of_infinite = build.elementwise(
        "logical_not",
        functools.reduce(functools.partial(build.elementwise, "logical_and"), map(finite, args)),
    )
    right = build.where(number(result), of_nan, of_infinite)
    return either(finite(result), right)


# NumPy's types ------------------------------------------------------------------------------------


def called(value: Any) -> Any:
    """What is called where the function calls `value`, a class (`is_called_apart`), by its name.

    Everywhere else the function sees the real class.
    """
    if is_scalar_type(value):
        return functools.partial(_cast, value)
    if not is_called_apart(value):
        return replacement(value)
    if _makes_generators(value):
        return functools.partial(make_generator, value)
    return CREATORS[value] if value in CREATORS else functools.partial(answered, value)


def is_called_apart(value: Any) -> bool:
    """Whether `value` is a class that casts traced values, that goes over some, or the arrays'."""
    others = isinstance(value, type) and (value in _OVER or value in CREATORS)
    return others or is_scalar_type(value) or _makes_generators(value)


def _makes_generators(value: Any) -> bool:
    """Whether `value` is a class of ``np.random``'s."""
    return isinstance(value, type) and value.__module__.startswith("numpy.random")


def is_scalar_type(value: Any) -> bool:
    """Whether `value` is a scalar type, of NumPy's or Python's, that traced values are cast to."""
    return isinstance(value, type) and (value in _SCALARS or value in CONVERSIONS)


def _cast(real: Any, *args: Any) -> Any:
    if len(args) == 1 and isinstance(args[0], Mixed):
        return args[0].each(functools.partial(_cast, real))
    if real is complex and len(args) == 2 and any(isinstance(a, Tracer) for a in args):
        return METHODS["complex"](*args)
    if len(args) != 1 or not isinstance(args[0], Tracer):
        return real(*args)
    if real in CONVERSIONS:  # Python's
        return METHODS["convert"](real, args[0])
    x, dtype = args[0], np.dtype(real)
    if x.kind == "number" and not _is_in_range(x, dtype):
        return real(x.concrete())  # raises what NumPy raises
    if x.node.shape and x.node.dtype == dtype:
        return x  # NumPy's constructors take an array for what it is
    node = build.cast(x.node, dtype)
    return Tracer(node, "array" if node.shape else "scalar")


def _is_in_range(x: Tracer, dtype: np.dtype[Any]) -> bool:
    """Whether NumPy makes a scalar of `dtype` of the Python number `x`; remembered as a check."""
    kind = x.node.dtype.kind
    if kind == "c":
        return dtype.kind in "cb"
    if dtype.kind not in "iu" or kind == "b" or (kind == "i" and dtype == np.int64):
        return True
    limits = np.iinfo(dtype)
    if kind == "i":
        return bool(x >= int(limits.min)) and (dtype == np.uint64 or bool(x <= int(limits.max)))
    return bool(x > float(limits.min) - 1) and bool(x < float(int(limits.max) + 1))


def answered(python: Any, *args: Any, **kwargs: Any) -> Any:
    """What a builtin of Python's gives in the trace that runs, if in any."""
    trace = current()
    own = {} if trace is None or trace.capture is None else trace.capture.builtins
    return own.get(python, python)(*args, **kwargs)


def _refused_state(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise NotTraceable(
            f"np.{name} is about a state that another call could find changed",
            "call it outside; np.errstate(...) sets error modes for a while",
        )

    return call


for _name in "seterr geterr seterrcall geterrcall setbufsize getbufsize".split():
    stand_in_for(getattr(np, _name), _refused_state(_name))
stand_in_for(np.errstate, errstate)
_SCALARS = frozenset(d.type for d in DTYPES)
CONVERSIONS: tuple[Any, ...] = (bool, int, float, complex)
_OVER = (range, enumerate, zip, reversed, np.ndindex, np.ndenumerate, np.nditer)


# Values ----------------------------------------------------------------------------------------


def replacement(value: Any) -> Any:
    """What stands for a module, function or type of a library inside a trace; else `value`."""
    if isinstance(value, types.ModuleType):
        return _module(value)
    known = known_stand_in(value)
    if known is not value:
        return known
    if isinstance(value, type):
        refuse_changing(value.__module__, value.__name__)
        return value
    drawing = random_function(value)
    if drawing is not None:
        return drawing
    try:
        found = CREATORS.get(value) or library_function(value)
    except TypeError:  # unhashable
        return value
    if found is None and METHODS["distribution"](value) is not None:
        return METHODS["distribution"](value)
    if found is None and is_written(value):
        found = METHODS["as_written"](value)
    if found is None and is_applied(value):
        is_ufunc = isinstance(value, np.ufunc)
        found = AppliedUfunc(value) if is_ufunc else functools.partial(applied, value)
    if found is not None:
        return stand_in_for(value, found)
    module = getattr(value, "__module__", None)
    if callable(value) and isinstance(module, str):
        refuse_changing(module, getattr(value, "__name__", ""))
        name = getattr(value, "__name__", "")
        if module == "math" and value is getattr(math, name, None):
            return getattr(_module(math), name)
        if module.startswith("numpy.random"):
            raise NotTraceable(f"{name} draws inside the traced function", RANDOM_HINT)
    return value


_proxies: dict[str, Any] = {}


def _module(module: types.ModuleType) -> Any:
    name = module.__name__
    proxy = _proxies.get(name)
    if proxy is not None:
        return proxy
    if name == "numpy.random":
        proxy = RandomProxy(module)
    elif name == "math":
        proxy = MathProxy(module)
    elif name == "sys":
        proxy = SystemProxy(module)
    elif name in ("types", "argparse"):
        proxy = HolderProxy(module)
    elif name.partition(".")[0] in ("numpy", "scipy", "builtins"):
        proxy = ModuleProxy(module)
    elif name.partition(".")[0] in _CHANGING.split():
        proxy = _Changing(module)
    else:
        return module
    _proxies[name] = proxy
    return proxy


class _Changing(ModuleProxy):
    """A module whose functions may not be called in a trace."""

    __slots__ = ()

    @staticmethod
    def __tracejit_read__(module: types.ModuleType, name: str) -> Any:
        """Nothing."""
        refuse_changing(module.__name__, name)
        raise AttributeError(name)


__all__ = ["ModuleProxy", "called", "is_called_apart", "replacement"]
