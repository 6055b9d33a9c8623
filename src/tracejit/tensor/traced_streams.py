"""Families of random variables in decorated functions: a draw is a new variable of the function.

Where a traced function calls ``streams.normal(size)``, that call has a generator of its own, which
is a shared variable: it is made when the function is traced first, and the same one serves later
traces. The draw itself is the family's symbolic one, evaluated with the values of the trace.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.symbolic.replay import replay
from tracejit.symbolic.type import TensorType
from tracejit.trace.tracer import Tracer

#: Of each traced function, and each family in it, the generators of its calls, in order.
_known: WeakKeyDictionary[FunctionType, dict[int, tuple[Any, list[list[Any]]]]] = (
    WeakKeyDictionary()
)
_NO_DRAWS = frozenset("gen seed updates set_rstate inc_rstate get_substream_rstates".split())


class TracedStreams:
    """What stands for a family during a trace of `owner`; `state` gives a generator's stand-in."""

    def __init__(
        self, family: Any, owner: FunctionType, trace: Any, state: Callable[[Any], Any]
    ) -> None:
        self._family = family
        self._trace = trace
        self._state = state
        self._calls = 0
        known = _known.setdefault(owner, {})
        self._generators = known.setdefault(id(family), (family, []))[1]

    def __getattr__(self, name: str) -> Any:
        method = getattr(type(self._family), name)
        if name.startswith("_") or name in _NO_DRAWS or not callable(method):
            kind = type(self._family).__name__
            raise NotTraceable(f"{kind}.{name} inside a traced function", "use it outside")
        return functools.partial(self._draw, name)

    def _draw(self, name: str, *args: Any, **kwargs: Any) -> Any:
        values: dict[Any, Any] = {}

        def symbolic(x: Any) -> Any:
            if isinstance(x, (tuple, list)):
                return type(x)(map(symbolic, x))
            if not isinstance(x, Tracer):
                return x
            pattern = tuple(isinstance(n, int) and n == 1 for n in x.node.shape)
            variable = TensorType(x.node.dtype.name, pattern)()
            values[variable] = x
            return variable

        first = self._calls == len(self._generators)
        family = self._family if first else _shadow(self._family)
        before = len(family.state_updates)
        result = getattr(family, name)(
            *map(symbolic, args), **{k: symbolic(v) for k, v in kwargs.items()}
        )
        made = family.state_updates[before:]
        if first:
            self._generators.append([update[0] for update in made])
            # They are seeded with all others, but no symbolic function is to move them.
            family.state_updates[before:] = [(g, g, *rest) for g, _, *rest in made]
        states = [self._state(g) for g in self._generators[self._calls]]
        self._calls += 1
        for (variable, *_), state in zip(made, states, strict=True):
            values[variable] = state.get_value()
        drawn, *after = replay([result, *(update[1] for update in made)], values, self._trace)
        for state, value in zip(states, after, strict=True):
            state.node = value.node
        return drawn


def _shadow(family: Any) -> Any:
    """A copy of `family` whose draws leave no trace in it."""
    shadow = copy.copy(family)
    shadow.state_updates = []
    for name, value in vars(family).items():
        if isinstance(value, (np.ndarray, np.random.RandomState)):
            setattr(shadow, name, copy.deepcopy(value))
    return shadow


class DrawsInTraces:
    """A family whose draws traced functions may make."""

    def __tracejit_draws__(
        self, owner: FunctionType, trace: Any, state: Callable[[Any], Any]
    ) -> TracedStreams:
        return TracedStreams(self, owner, trace, state)
