"""The distributions of ``scipy.stats``, whose methods are traced as SciPy has written them."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

from tracejit.arrays.applied import applied
from tracejit.arrays.creation import traced
from tracejit.capture.numpys import copy_of
from tracejit.capture.standin import StandIn, real_of, stand_in_for
from tracejit.errors import NotTraceable
from tracejit.trace.tables import method

#: Methods that compute a formula, which is all that is traced.
FORMULAS = frozenset("pdf logpdf pmf logpmf cdf logcdf sf logsf ppf isf".split())
_MODULES = ("scipy.stats._continuous_distns", "scipy.stats._discrete_distns")
_FROZEN = ("rv_continuous_frozen", "rv_discrete_frozen")


def is_distribution(value: Any) -> bool:
    """Whether `value` is a distribution of SciPy's own, or another one of its class."""
    cls = type(value)
    if cls.__module__ not in _MODULES:
        return False
    known = getattr(sys.modules["scipy.stats"], str(getattr(value, "name", "")), None)
    return type(known) is cls


def is_frozen(value: Any) -> bool:
    """Whether `value` is such a distribution with parameters."""
    cls = type(value)
    infrastructure = cls.__module__ == "scipy.stats._distn_infrastructure"
    return infrastructure and cls.__name__ in _FROZEN and is_distribution(value.dist)


class Distribution:
    """A distribution: called, one with parameters; else its attributes."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.real._parse_args(*args, **kwargs)  # which raises what SciPy raises
        return Frozen(stand_in_for(self.real, self), args, kwargs)

    def attribute(self, name: str) -> Any:
        """A number, or a method: the copy of what SciPy has written."""
        found = getattr(self.real, name)
        if not isinstance(found, types.MethodType) or name == "_parse_args":
            return found
        if name in FORMULAS:
            return functools.partial(self.run, name)
        if name.startswith("_"):
            return functools.partial(copy_of(found.__func__), stand_in_for(self.real, self))
        raise NotTraceable(
            f"{self.real.name}.{name} is not compiled", "call it outside and pass the result"
        )

    def run(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A formula's values."""
        found = getattr(self.real, name)
        if not traced([*args, *kwargs.values()]):
            return applied(found, *args, **kwargs)
        return copy_of(found.__func__)(stand_in_for(self.real, self), *args, **kwargs)


class Frozen:
    """A distribution with parameters."""

    def __init__(self, dist: StandIn, args: tuple[Any, ...], kwds: dict[str, Any]) -> None:
        self.dist = dist
        self.args = args
        self.kwds = kwds

    def __getattr__(self, name: str) -> Any:
        if name not in FORMULAS or not hasattr(real_of(self.dist), name):
            raise NotTraceable(
                f"{name} of a distribution with parameters is not compiled",
                "call it outside and pass the result",
            )
        return lambda x: getattr(self.dist, name)(x, *self.args, **self.kwds)


@method("distribution")
def distribution(value: Any) -> StandIn | None:
    """What stands for a distribution."""
    return stand_in_for(value, Distribution(value)) if is_distribution(value) else None


def outside(capture: Any, frozen: Any, expression: str, path: str) -> Frozen:
    """What stands for one with parameters that was made outside, which are read at each call."""
    for name in ("__class__", "name"):
        told = f"{expression}.dist.{name}"
        capture.guard(getattr(frozen.dist, name), told, f"{path}.dist.{name}")
    args = capture.read(frozen.args, f"{expression}.args", f"{path}.args")
    kwds = capture.read(frozen.kwds, f"{expression}.kwds", f"{path}.kwds")
    return Frozen(stand_in_for(frozen.dist, Distribution(frozen.dist)), args, kwds)
