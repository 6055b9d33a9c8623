"""Traced copies of the user's classes answer as the classes do, and read them at each call."""

from __future__ import annotations

import abc
import dataclasses
import enum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import pytest
from test_function import V
from test_stand_ins import agrees, refuses, same

import tracejit

SHIFT = 1.0
MADE: list[str] = []
T = TypeVar("T")


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


class Layer:
    """What all layers share."""

    trainable = True

    def __init_subclass__(cls, **options):
        MADE.append(cls.__name__)

    def apply(self, x):
        return x + SHIFT

    @property
    def size(self):
        return self.w.size


@runtime_checkable
class Applies(Protocol):
    def apply(self, x): ...


class Registered(abc.ABC):
    """Knows its classes by name."""

    @abc.abstractmethod
    def apply(self, x): ...


class Sized(abc.ABC):
    @abc.abstractmethod
    def apply(self, x): ...


@dataclasses.dataclass
class Dense(Layer):
    """A matrix."""

    w: np.ndarray
    units = 3

    def apply(self, x):
        return super().apply(x) * self.w

    @classmethod
    def label(cls):
        return cls.__name__, cls.units, cls is Dense

    @staticmethod
    def twice(x):
        return 2 * x


@dataclasses.dataclass
class Wide(Dense, Sized):
    k: float = 2.0

    def apply(self, x):
        return super().apply(x) + self.k


@dataclasses.dataclass(frozen=True, slots=True)
class Slots(Generic[T]):
    w: np.ndarray

    def apply(self, x):
        return x - self.w


class Pair(NamedTuple):
    """Two."""

    a: Any
    b: Any


class Mode(enum.Enum):
    ADD = 1
    MULTIPLY = 2

    def shown(self):
        return self.name.lower()


class Reading(enum.Enum):
    ADD = 1

    def apply(self, x):
        return x + SHIFT


Registered.register(Dense)


@pytest.mark.parametrize("layer", [Dense(2 * V), Wide(2 * V), Slots(2 * V), Pair(V, V)])
def test_instances_are_of_their_classes(layer):
    classes = (Layer, Dense, Wide, Slots, Pair, Applies, Registered, Sized, Generic, tuple, object)

    def f(p, x):
        kind = type(p)
        return (
            [isinstance(p, c) for c in classes], [issubclass(kind, c) for c in classes],
            [kind is Dense, kind is Wide, kind is Slots, kind is Pair, type(p) is type(p)],
            [kind == c for c in classes], [c == kind for c in classes], kind in (Dense, Pair),
            kind in {Wide, Slots}, {Dense: 1, Pair: 2}.get(kind), isinstance(p, classes),
            isinstance(p, (int, (Layer, str))), kind.__name__, kind.__qualname__, kind.__doc__,
            kind.__module__, kind.__mro__, kind.__bases__, repr(kind), type(kind) is type,
            isinstance(kind, type), kind, Layer, hasattr(p, "apply"), hasattr(p, "nothing"),
            callable(p), dataclasses.is_dataclass(p), hash(kind) == hash(Dense),
        )  # fmt: skip

    made = list(MADE)
    g = agrees(f, layer, V)
    g(layer, V)
    assert made == MADE and g.stats.traces == 1


def test_methods_of_bases_are_traced_by_super(monkeypatch):
    g = agrees(lambda p, x: (p.apply(x), p.trainable, p.size, p.twice(x)), Wide(2 * V), V)
    monkeypatch.setitem(globals(), "SHIFT", 5.0)
    same(g(Wide(2 * V), V), (Wide(2 * V).apply(V), True, 3, 2 * V))
    monkeypatch.setattr(Layer, "apply", lambda self, x: x - 7)
    same(g(Wide(2 * V), V)[0], Wide(2 * V).apply(V))
    monkeypatch.setattr(Layer, "trainable", False)
    same(g(Wide(2 * V), V)[1], False)
    monkeypatch.setattr(Dense, "trainable", "sometimes", raising=False)
    same(g(Wide(2 * V), V)[1], "sometimes")
    monkeypatch.setattr(Wide, "trainable", None, raising=False)
    same(g(Wide(2 * V), V)[1], None)


def test_attributes_of_classes(monkeypatch):
    class Settings:
        scale = 2.0
        depth = 3

    def f(x):
        return x * Settings.scale + Dense.units, Dense.label(), Wide.label(), Wide.twice(x)

    g = agrees(f, V)
    monkeypatch.setattr(Settings, "scale", 5.0)
    same(g(V), f(V))
    monkeypatch.setattr(Dense, "units", 4)
    same(g(V), f(V))
    refuses("could change unseen", lambda x: x * getattr(Settings, "more", 1), V)


def test_a_models_layers_are_told_apart():
    def forward(model, x):
        for layer in model:
            if isinstance(layer, Layer):
                x = layer.apply(x)
            elif type(layer) is Pair:
                x = x * layer.a + layer.b
            elif layer is Mode.ADD:
                x = x + 1
        return x, [type(layer) for layer in model]

    agrees(forward, [Dense(2 * V), Pair(V, 1.0), Mode.ADD, Wide(V), Mode.MULTIPLY], V)


def test_instances_made_inside():
    def f(x):
        made = Wide(x), Dense(x), Pair(x, 2), Slots(x)
        return [isinstance(m, Dense) for m in made], [
            m.apply(x) for m in made if type(m) is not Pair
        ]

    agrees(f, V)
    result = tracejit.function(lambda x: (Wide(x), Pair(x, 1)))(V)
    assert [type(r) for r in result] == [Wide, Pair]


def test_dataclass_functions():
    def f(p, x):
        q = dataclasses.replace(p, w=x)
        return [field.name for field in dataclasses.fields(p)], type(q) is type(p), q.apply(x)

    agrees(f, Wide(2 * V), V)


def test_enumerations(monkeypatch):
    def f(x):
        return (
            Mode.ADD.value * x, Mode["ADD"].name, Mode(2) is Mode.MULTIPLY, list(Mode), len(Mode),
            isinstance(Mode.ADD, Mode), Mode.ADD in Mode, type(Mode.ADD) is Mode, {Mode.ADD: 1},
            type(Mode) is enum.EnumMeta, Mode.ADD.shown(),
        )  # fmt: skip

    agrees(f, V)
    refuses("reads what could change unseen", lambda x: Reading.ADD.apply(x), V)
    refuses("reads what could change unseen", lambda mode, x: mode.apply(x), Reading.ADD, V)


def test_copies_are_no_subclasses_of_the_users_classes():
    before = [cls.__subclasses__() for cls in (Layer, Dense, Wide)]
    agrees(lambda p, x: p.apply(x) + Layer.trainable, Wide(2 * V), V)
    assert [cls.__subclasses__() for cls in (Layer, Dense, Wide)] == before
    refuses("asks for the subclasses", lambda x: len(Layer.__subclasses__()) * x, V)
    agrees(lambda x: (Wide.mro(), Wide.__mro__, Wide.__bases__, x), V)


def test_metaclasses_and_checks_of_the_users_own():
    class Meta(type):
        def __instancecheck__(cls, instance):
            return True

    class Anything(metaclass=Meta):
        pass

    refuses("could change unseen", lambda x: isinstance(x, Anything), V)


def test_containers():
    def f(values, named, pair, x):
        mine = list(values)
        mine.append(x)
        copied = {**named, "b": x}
        return (
            isinstance(values, list), isinstance(named, dict), isinstance(pair, tuple), len(values),
            type(values) is list, type(named) is dict, type(pair) is tuple, mine, copied,
            "a" in named, named.get("c"), list(named), pair[::-1], [*values, x], values == values,
        )  # fmt: skip

    agrees(f, [V, 2.0], {"a": V}, (1, V), V)
    for change in (lambda v, x: v.append(x), lambda v, x: v.clear()):

        def g(values, x, change=change):
            change(values, x)
            return values[0] if values else x

        given = [V, 2.0]
        with pytest.warns(tracejit.UnsupportedWarning):
            tracejit.function(g, on_unsupported="warn")(given, V + 1)
        expected = [V, 2.0]
        g(expected, V + 1)
        same(given, expected)
