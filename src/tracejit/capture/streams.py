"""Draws in loops and branches: the state of a generator is an array, into which each draw writes.

So it is carried, and is one or the other after a branch, as any array is. The driver reads the
state from NumPy's generator after all that NumPy has drawn, and puts it back when all is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64
from tracejit.rng import words
from tracejit.rng.table import DISTRIBUTIONS, KINDS
from tracejit.trace.memory import input_name
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap


@dataclass(frozen=True)
class Kind:
    """How the state of a class of generators becomes an array, and goes back.

    `rows` has the distributions of methods, with the parameters that the rows have, and the names
    of those that are applied to the numbers.
    """

    read: Callable[[Any], np.ndarray]
    put: Callable[[Any, None, np.ndarray], None]
    rows: Mapping[str, tuple[str, tuple[str, ...]]]
    strict: bool = False


def _put_generator(target: Any, key: None, state: np.ndarray) -> None:
    words.put_into_generator(target, state)


def _put_random_state(target: Any, key: None, state: np.ndarray) -> None:
    words.put_into_random_state(target, state)


_PCG64 = Kind(
    words.from_generator,
    _put_generator,
    {
        "random": ("pcg64_random", ()),
        "uniform": ("pcg64_random", ("low", "high")),
        "standard_normal": ("pcg64_normal", ()),
        "normal": ("pcg64_normal", ("loc", "scale")),
        "standard_exponential": ("pcg64_exponential", ()),
        "exponential": ("pcg64_exponential", ("scale",)),
        "integers": ("pcg64_integers", ()),
    },
    strict=True,
)
_MT19937 = Kind(
    words.to_words,
    _put_random_state,
    {
        "random_sample": ("uniform", ()),
        "random": ("uniform", ()),
        "rand": ("uniform", ()),
        "uniform": ("uniform", ("low", "high")),
        "standard_normal": ("standard_normal", ()),
        "randn": ("standard_normal", ()),
        "normal": ("standard_normal", ("loc", "scale")),
        "standard_exponential": ("exponential", ()),
        "exponential": ("exponential", ("scale",)),
        "randint": ("randint", ()),
    },
)
#: The parameters of rows that have some, by which they are the standard ones. (No loop draws what
#: has a row ``random_sample`` by blocks.)
_STANDARD = {"uniform": (0.0, 1.0), "exponential": (1.0,)}
_DEFAULTS = {"low": 0.0, "high": 1.0, "loc": 0.0, "scale": 1.0}


def kind_of(generator: Any) -> Kind | None:
    """How draws of a generator are compiled; None where they are not."""
    if isinstance(generator, np.random.RandomState):
        own = generator.get_state(legacy=False)["bit_generator"] == "MT19937"
        return _MT19937 if own else None
    return _PCG64 if type(generator.bit_generator) is np.random.PCG64 else None


class Stream:
    """The state of a generator of a kind, in the program."""

    def __init__(self, trace: Trace, generator: Any, kind: Kind, path: str) -> None:
        self.kind = kind
        self.state = trace.input(kind.read(generator), f"{path}_state", fixed=True)
        self.name = input_name(self.state)
        trace.drawn_inputs.add(self.name)
        trace.capture.handles[id(self.state)] = self.state, self.name

    @property
    def moved(self) -> bool:
        """Whether something has been drawn."""
        memory = self.state.memory
        return memory is not None and memory.node is not memory.start

    def draw(
        self, method: str, named: dict[str, Any], shape: tuple[Dim, ...] | None
    ) -> Tracer | None:
        """What a method gives, of `shape`, or a number; None where that is not compiled."""
        row, own = self.kind.rows.get(method, ("", ()))
        whole = method in ("integers", "randint")
        allowed = {"low", "high", "endpoint"} if whole else {*own}
        others = {k for k, v in named.items() if v is not None} - allowed
        given = {k: v for k, v in named.items() if k in allowed}
        if not row or others or any(np.ndim(v) and not _is_scalar(v) for v in given.values()):
            return None
        if any(isinstance(v, Tracer) and not _is_scalar(v) for v in given.values()):
            return None
        if whole:
            return self._integers(row, given, shape)
        numbers = {k: _float(given.get(k, _DEFAULTS[k])) for k in own}
        parameters = [build.constant(p, FLOAT64) for p in _STANDARD.get(row, ())]
        drawn = self._drawn(row, shape, parameters, number=True)
        if "low" in numbers:
            low, width = numbers["low"], numbers["high"] - numbers["low"]
            self._require(build.elementwise("isfinite", width.node))
            if self.kind.strict:
                self._require_positive(width)
            return _number(low + width * drawn, shape)
        if "scale" in numbers:
            self._require_positive(numbers["scale"])
            drawn = numbers["scale"] * drawn
        return _number(numbers["loc"] + drawn if "loc" in numbers else drawn, shape)

    def _integers(
        self, row: str, given: dict[str, Any], shape: tuple[Dim, ...] | None
    ) -> Tracer | None:
        low, high = given["low"], given.get("high")
        endpoint = given.get("endpoint", False)
        if isinstance(endpoint, Tracer):
            return None
        if high is None:
            low, high = 0, low
        ends = [wrap(low), wrap(high)]
        if any(end.node.dtype.kind not in "iu" for end in ends):
            return None
        first, last = (build.cast(end.node, np.dtype(np.int64)) for end in ends)
        if self.kind.strict and not endpoint:
            one = build.constant(1, np.dtype(np.int64))
            last = build.elementwise("subtract", last, one)
        return self._drawn(row, shape, [first, last], number=not self.kind.strict)

    def _drawn(
        self, row: str, shape: tuple[Dim, ...] | None, parameters: list[Node], number: bool
    ) -> Tracer:
        dtype = KINDS[DISTRIBUTIONS[row].result]
        values, after = build.draw(row, self.state.node, shape or (), parameters, dtype)
        memory = self.state.memory
        assert memory is not None
        memory.write(self.state, after)
        if shape is not None:
            return Tracer(values)
        return Tracer(build.weak(values) if number else values, "number" if number else "scalar")

    def _require_positive(self, value: Tracer) -> None:
        """As NumPy has it: not NaN, and no -0.0."""
        number, sign = (build.elementwise(n, value.node) for n in ("isnan", "signbit"))
        self._require(
            build.elementwise("logical_or", number, build.elementwise("logical_not", sign))
        )

    def _require(self, holds: Node) -> None:
        build.solver().require(holds, holds, holds)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, Tracer):
        return not value.node.ndim and value.node.dtype.kind in "biuf"
    return isinstance(value, (bool, int, float, np.generic))


def _float(value: Any) -> Tracer:
    return Tracer(build.weak(build.cast(wrap(value).node, FLOAT64)), "number")


def _number(value: Any, shape: tuple[Dim, ...] | None) -> Tracer:
    """The numbers of a draw: an array of `shape`, or Python's."""
    found: Tracer = value if shape is not None else Tracer(build.weak(value.node), "number")
    return found


def not_in_order(path: str, method: str) -> NotTraceable:
    """Why a draw can be none of the program's, where others of the generator are."""
    return NotTraceable(
        f"{path}.{method} draws after, or in, a loop or a branch that draws, and is not compiled "
        "there",
        "draw before it, all at once, or by random, normal, uniform, exponential or integers",
    )
