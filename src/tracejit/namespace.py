"""What a traced function finds under the names of modules and builtins.

NumPy's protocols do not reach functions without an array argument (``np.zeros(n)``), ``math`` or
``isinstance``. A traced copy of a function therefore sees proxies of the modules; NumPy itself is
never patched.
"""

from __future__ import annotations

import builtins
import math
import os
import sys
import sysconfig
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays import CREATORS
from tracejit.arrays.special import special
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.types import DTYPES, FLOAT64
from tracejit.variable import Variable, wrap

RANDOM_HINT = "pass a generator (np.random.default_rng()) as an argument, and draw from that"
#: Modules of the standard library whose answers change from call to call.
_CHANGING = (
    "time random secrets uuid os io socket subprocess datetime tempfile pathlib glob shutil select "
    "signal gc logging threading multiprocessing asyncio queue getpass platform resource"
)
#: NumPy functions that read or write files.
_FILES = "load loadtxt genfromtxt fromfile memmap save savez savetxt open_memmap"
#: Builtins that look at the program or the world.
_REFUSED = "eval exec compile globals locals vars input open breakpoint id"
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


def is_library_module(name: str, own_package: str = "") -> bool:
    """Whether module `name` is the standard library's or an installed package's.

    `own_package` is the top-level package of the traced function, which counts as the user's.
    """
    top = name.partition(".")[0]
    if top == own_package and top:
        return False
    if top in sys.stdlib_module_names:
        return top != "__main__"
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    return module is None or file is None or is_library_file(file)


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
    """A module of NumPy or SciPy whose functions take traced values."""

    def __init__(self, module: types.ModuleType) -> None:
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        module = self.__dict__["_module"]
        if module.__name__ == "numpy" and name in _FILES.split():
            raise NotTraceable(f"np.{name} works on files", "call it outside the function")
        value = replacement(getattr(module, name))
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotTraceable(f"the function sets an attribute of {self.__dict__['_module'].__name__}")

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_module"])

    def __repr__(self) -> str:
        return repr(self.__dict__["_module"])


class RandomProxy(ModuleProxy):
    """``np.random``: its functions share a global state, so that a draw would be frozen."""

    def __getattr__(self, name: str) -> Any:
        if name in ("Generator", "RandomState", "BitGenerator"):
            return getattr(np.random, name)
        raise NotTraceable(f"np.random.{name} draws inside the traced function", RANDOM_HINT)


class MathProxy(ModuleProxy):
    """``math``: functions of traced numbers stay symbolic where a ufunc computes them."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(math, name)
        if name in _MATH:
            value = _math_function(name, value)
        self.__dict__[name] = value
        return value


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
    from tracejit.trace import current

    def call(*args: Any) -> Any:
        trace = current()
        if trace is None or not any(isinstance(a, Variable) for a in args):
            return real(*args)
        nodes = [wrap(a).node for a in args]
        if any(n.shape for n in nodes):
            raise NotTraceable(f"math.{name} of an array", f"use np.{_MATH[name]}")
        try:
            values = [trace.evaluate(n) for n in nodes]
        except NotTraceable as refusal:
            refusal.forget()
            raise NotTraceable(
                f"math.{name} of a computed value raises for some values, which Python must see",
                f"use np.{_MATH[name]}",
            ) from None
        result = real(*values)  # raises what Python raises
        arity = 2 if name in ("hypot", "copysign", "fmod", "atan2", "pow") else 1
        simple = len(nodes) == arity and all(n.dtype.kind in "if" for n in nodes)
        if not simple or not math.isfinite(result):
            return real(*(wrap(a).concrete() for a in args))
        strong = [build.cast(n, FLOAT64) for n in nodes]
        node = build.elementwise(_MATH[name], *strong)
        trace.truth(build.elementwise("isfinite", node))
        return Variable(build.weak(node), "number")

    call.__name__ = name
    return call


# NumPy's scalar types -----------------------------------------------------------------------------


class ScalarType:
    """``np.float32`` and its like: a dtype wherever NumPy takes one, and a cast when called."""

    def __init__(self, real: type[np.generic]) -> None:
        self.real_type = real
        self.dtype = np.dtype(real)
        self.__name__ = real.__name__

    def __call__(self, *args: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], Variable):
            x = args[0]
            node = build.cast(x.node, self.dtype)
            return Variable(node, "array" if node.shape else "scalar")
        return self.real_type(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real_type, name)

    def __eq__(self, other: object) -> bool:
        return other is self or bool(self.real_type == other)

    def __hash__(self) -> int:
        return hash(self.real_type)

    def __repr__(self) -> str:
        return repr(self.real_type)


_scalar_types: dict[type[np.generic], ScalarType] = {}


def _scalar_type(real: type[np.generic]) -> ScalarType:
    """One stand-in for each type, so that ``is`` finds it equal to itself."""
    return _scalar_types.setdefault(real, ScalarType(real))


# Builtins ---------------------------------------------------------------------------------------


def python_type(x: Any) -> type:
    """The class that `x`, or the value it stands for, has."""
    if not isinstance(x, Variable):
        return type(x)
    if x.kind == "array":
        return np.ndarray
    if x.kind == "scalar":
        return x.node.dtype.type
    return {"b": bool, "i": int, "f": float, "c": complex}[x.node.dtype.kind]


def _real_class(info: Any) -> Any:
    if isinstance(info, tuple):
        return tuple(map(_real_class, info))
    if isinstance(info, ScalarType):
        return info.real_type
    return type if info is traced_type else info


def traced_isinstance(x: Any, info: Any) -> bool:
    """``isinstance`` that takes a traced value for what it stands for."""
    info = _real_class(info)
    return issubclass(python_type(x), info) if isinstance(x, Variable) else isinstance(x, info)


def traced_type(*args: Any) -> Any:
    """``type``; NumPy's scalar types are the ones that the traced function sees by name."""
    if len(args) != 1:
        return type(*args)
    found = python_type(args[0])
    return _scalar_type(found) if issubclass(found, np.generic) else found


def traced_len(x: Any) -> Any:
    """``len``; of a traced array it stays symbolic."""
    if isinstance(x, Variable) and x.kind == "array" and x.node.shape:
        return x.shape[0]
    return len(x)


def _refused_builtin(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise NotTraceable(f"{name}() looks at what a trace cannot see")

    return call


def _import(name: str, *args: Any, **kwargs: Any) -> Any:
    module = builtins.__import__(name, *args, **kwargs)
    if not is_library_module(name):
        raise NotTraceable(f"module {name} is imported in the function", "import it outside")
    return replacement(module)


def traced_hasattr(x: Any, name: str) -> bool:
    """``hasattr`` of what a traced value stands for."""
    return hasattr(python_type(x) if isinstance(x, Variable) else x, name)


def traced_builtins() -> dict[str, Any]:
    """The builtins of a traced function."""
    found = dict(vars(builtins))
    found.update({name: _refused_builtin(name) for name in _REFUSED.split()})
    found.update(isinstance=traced_isinstance, type=traced_type, len=traced_len)
    found.update(hasattr=traced_hasattr, __import__=_import)
    return found


BUILTINS = traced_builtins()
_SCALARS = frozenset(d.type for d in DTYPES)


# Values ----------------------------------------------------------------------------------------


def replacement(value: Any) -> Any:
    """What stands for a module, function or type of a library inside a trace; else `value`."""
    if isinstance(value, types.ModuleType):
        return _module(value)
    if isinstance(value, type):
        if value in _SCALARS:
            return _scalar_type(value)
        refuse_changing(value.__module__, value.__name__)
        return value
    random = sys.modules.get("numpy.random")  # importing it would take ten milliseconds
    if random and isinstance(getattr(value, "__self__", None), random.RandomState):
        name = getattr(value, "__name__", "function")
        raise NotTraceable(f"np.random.{name} draws inside the traced function", RANDOM_HINT)
    try:
        found = CREATORS.get(value) or special(value)
    except TypeError:  # unhashable
        return value
    if found is not None:
        return found
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
    elif name.partition(".")[0] in ("numpy", "scipy"):
        proxy = ModuleProxy(module)
    elif name.partition(".")[0] in _CHANGING.split():
        proxy = _Changing(module)
    else:
        return module
    _proxies[name] = proxy
    return proxy


class _Changing(ModuleProxy):
    """A module whose functions may not be called in a trace."""

    def __getattr__(self, name: str) -> Any:
        refuse_changing(self.__dict__["_module"].__name__, name)
        raise AttributeError(name)


__all__ = ["BUILTINS", "ModuleProxy", "ScalarType", "replacement"]
