"""What copies of SciPy's functions see in place of helpers that ask for values.

SciPy computes a formula only where it holds, which is of a number of elements that values tell.
Compiled code computes it everywhere, and takes it where it holds.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.common import broadcast, select
from tracejit.capture.namespace import replacement
from tracejit.ir import build
from tracejit.trace.tables import F
from tracejit.trace.tracer import Tracer, as_array, is_number, wrap

#: Functions of SciPy's own, by name, with the packages that they are of.
REPLACED: dict[str, tuple[str, Callable[..., Any]]] = {}


def replaces(package: str, name: str = "") -> Callable[[F], F]:
    """Declare what copies see in place of a package's function of this name."""

    def declare(function: F) -> F:
        REPLACED[name or function.__name__] = package, function
        return function

    return declare


def replaced(function: Any) -> Callable[..., Any] | None:
    """What copies see in place of a function; None where that is its copy."""
    found = REPLACED.get(getattr(function, "__name__", ""))
    if found is None:
        return None
    package, other = found
    return other if str(function.__module__).startswith(package + ".") else None


@replaces("scipy._lib")
def apply_where(
    cond: Any, args: Any, f1: Any, f2: Any = None, /, *, fill_value: Any = None, xp: Any = None
) -> Any:
    """Of two functions' values those that a condition chooses."""
    given = args if isinstance(args, (tuple, list)) else (args,)
    other = fill_value if f2 is None else f2(*given)
    return np.where(as_array(cond), f1(*given), other)


@replaces("scipy.stats")
def argsreduce(cond: Any, *args: Any) -> list[Any]:
    """Arguments of a formula that counts where `cond` holds."""
    return [_harmless(as_array(cond), as_array(a)) for a in args]


def _harmless(cond: Tracer, x: Tracer) -> Tracer:
    """`x`, and where `cond` fails what formulas take: they may raise, or be of no derivative."""
    node = x.node
    if node.ndim != cond.node.ndim:
        return x
    one = build.constant(0.5 if node.dtype.kind == "f" else 1, node.dtype)
    return Tracer(select(*broadcast(cond.node, node, one)), x.kind)


@replaces("scipy._lib")
def array_namespace(*arrays: Any) -> Any:
    """NumPy: arrays are its own."""
    return replacement(np)


@replaces("scipy._lib")
def is_numpy(xp: Any) -> bool:
    """They are."""
    return True


@replaces("scipy._lib")
def is_torch(xp: Any) -> bool:
    """They are not."""
    return False


@replaces("scipy._lib")
def xp_copy(x: Any, *, xp: Any = None) -> Any:
    """A copy."""
    return as_array(x).copy()


@replaces("scipy._lib")
def _asarray(array: Any, dtype: Any = None, order: Any = None, copy: Any = None, **_: Any) -> Any:
    """An array."""
    found = as_array(array)
    return found if dtype is None else found.astype(dtype)


@replaces("scipy._lib")
def xp_result_type(*args: Any, force_floating: bool = False, xp: Any = None) -> np.dtype[Any]:
    """The common dtype, of floats where that is asked for."""
    dtypes = [wrap(a).node.dtype if is_number(a) else as_array(a).node.dtype for a in args]
    found = np.result_type(*dtypes)
    return np.dtype(float) if force_floating and found.kind in "biu" else found


@replaces("scipy._lib")
def xp_promote(*args: Any, force_floating: bool = False, xp: Any = None, **_: Any) -> Any:
    """Arrays of the common dtype."""
    dtype = xp_result_type(*args, force_floating=force_floating)
    found = tuple(as_array(a).astype(dtype) for a in args)
    return found[0] if len(found) == 1 else found


def _place(output: Any, mask: Any, values: Any) -> None:
    """Write `values` that are as many as `output` where `mask` holds."""
    output[...] = np.where(as_array(mask).astype(bool), values, output)


class _Numpy:
    """NumPy, whose ``any`` says that a formula is wanted."""

    def __init__(self, seen: Any) -> None:
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._seen, name)

    @staticmethod
    def any(cond: Any) -> bool:
        """Whether a formula is computed."""
        return True


def names_for(module: str, seen: Callable[[Any], Any]) -> dict[str, Any]:
    """The names that copies of a module's functions see something else under."""
    if module != "scipy.stats._distn_infrastructure":
        return {}
    return {"place": _place, "putmask": _place, "np": _Numpy(seen(np))}


def without_flags(module: str, code: types.CodeType) -> types.CodeType:
    """The code of a copy, where a module asks if arrays are contiguous, and copies others."""
    if module not in ("scipy.ndimage._filters", "scipy.signal._signaltools"):
        return code
    return code.replace(
        co_names=tuple("flags_of_copies" if n == "flags" else n for n in code.co_names),
        co_consts=tuple(
            without_flags(module, c) if isinstance(c, types.CodeType) else c for c in code.co_consts
        ),
    )
