"""Objects of ordinary classes: read, changed and made as NumPy's run of the code does it."""

from __future__ import annotations

import argparse
import copy
import enum
import functools
import threading
import types
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import tracejit

COMPILED = ("advanced", "stepped", "grown", "counted", "world_moves", "swapped")


def same(found: Any, expected: Any, path: str = "", known: Any = None) -> None:
    """Equal through attributes and containers, class by class, with objects that are one."""
    known = {} if known is None else known
    if id(expected) in known:
        assert known[id(expected)] is found, path
        return
    assert type(found) is type(expected), (path, type(found), type(expected))
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype, path
        np.testing.assert_array_equal(found, expected, path)
        return
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), path
        if isinstance(expected, list):
            known[id(expected)] = found
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            same(a, b, f"{path}[{k}]", known)
    elif isinstance(expected, dict):
        known[id(expected)] = found
        assert list(found) == list(expected), path
        for key in expected:
            same(found[key], expected[key], f"{path}[{key!r}]", known)
    elif type(expected).__module__ in (__name__, "types", "argparse") and not isinstance(
        expected, (enum.Enum, type, types.FunctionType)
    ):
        known[id(expected)] = found
        slots = [s for c in type(expected).__mro__ for s in vars(c).get("__slots__", ())]
        assert sorted(getattr(found, "__dict__", ())) == sorted(getattr(expected, "__dict__", ()))
        for name in (*slots, *getattr(expected, "__dict__", ())):
            missing = object()
            a, b = (getattr(x, name, missing) for x in (found, expected))
            assert (a is missing) == (b is missing), (path, name)
            if b is not missing and not isinstance(getattr(type(expected), name, None), property):
                same(a, b, f"{path}.{name}", known)
    else:
        assert found == expected or (found != found and expected != expected), path


def agrees(make: Any, f: Any, *args: Any, calls: int = 3) -> Any:
    """`f` of what is made, decorated and plain, a few times: results and objects agree."""
    modes = (False, True) if f.__name__ in COMPILED else (False,)
    for compiled in modes:
        with tracejit.config(compile=compiled, check=True):
            g = tracejit.function(f)
            a, b = make(), make()
            for _ in range(calls):
                same(g(a, *args), f(b, *args))
                same(a, b)
            assert g.stats.fallbacks == 0
    return g


class Base:
    scale = 2.0

    def __init__(self, n=3):
        self.x = np.arange(float(n))
        self.v = np.ones(n)
        self.n = 0
        self.t = 0.0
        self.label, self.none = "a", None
        self.history = []
        self.table = {"a": 1.0}
        self.pair = (1, 2.0)

    @property
    def energy(self):
        return (self.x * self.x).max() * self.scale

    @property
    def half(self):
        return self._half

    @half.setter
    def half(self, value):
        self._half = value * 0.5

    @staticmethod
    def twice(x):
        return 2 * x

    @classmethod
    def named(cls, n):
        return cls(n)

    @functools.cached_property
    def cached(self):
        return self.x.max() + 1

    def __len__(self):
        return len(self.x)

    def __getitem__(self, k):
        return self.x[k]

    def __add__(self, other):
        return self.x + other

    __radd__ = __add__

    def __call__(self, y):
        return self.x * y

    def __iter__(self):
        for k in range(3):
            yield self.x[k] * k

    def __contains__(self, k):
        return k < self.n


class Sub(Base):
    def __init__(self, n=3):
        super().__init__(n)
        self.k = 5

    def step(self, dt):
        self.x = self.x + self.v * dt
        self.t += dt
        self.n += 1
        return self.energy


class Slotted:
    __slots__ = ("a", "b", "unset")

    def __init__(self):
        self.a, self.b = np.ones(3), 2.0


class Hooked:
    """Has attributes that are made when they are missing, and counts those that are set."""

    def __init__(self):
        self.w = np.ones(2)

    def __getattr__(self, name):
        if name == "more":
            return self.w + 1
        raise AttributeError(name)

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        object.__setattr__(self, "count", self.__dict__.get("count", 0) + 1)


class Doubling:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, instance, owner):
        return self if instance is None else getattr(instance, self.name)

    def __set__(self, instance, value):
        setattr(instance, self.name, value * 2)


class Described:
    kind = Doubling()

    def __init__(self):
        self.kind = np.ones(2)


@dataclass
class Data:
    x: np.ndarray
    n: int = 0

    def __post_init__(self):
        self.largest = self.x.max()

    def step(self):
        self.x = self.x * 2
        self.n += 1
        self.extra = self.x.max()
        return self


@dataclass(frozen=True)
class Frozen:
    x: np.ndarray


class Mode(enum.Enum):
    FAST = 1
    SLOW = 2


class Particle:
    def __init__(self, x):
        self.x, self.v = x, np.zeros(2)

    def pull(self, other, dt):
        self.v = self.v + (other.x - self.x) * dt


class World:
    def __init__(self):
        self.particles = [Particle(np.array([k, 2.0 * k])) for k in range(4)]
        self.t = 0.0


# Functions of one object, by what they do --------------------------------------------------------


def advanced(o):
    return o.step(0.1)


def by_property(o):
    o.half = o.x
    return o.half, o.twice(o.x), len(o), o[1], o + 1, 2.0 + o, o(3.0), 0 in o


def cached(o):
    return o.cached, o.cached


def iterated(o):
    return sum(o), list(o), [v * 2 for v in o]


def made_inside(o):
    child = Sub.named(4)
    child.x = child.x + o.x.max()
    child.parent, o.child = o, child
    return child, [child, o]


def appended(o):
    o.history.append(o.x.max())
    o.x = o.x + 1
    return o.n


def last_and_length(o):
    before = o.history[-1] if len(o.history) > 0 else 0.0
    o.history.append(before + o.x.max())
    return len(o.history)


def tabled(o):
    o.table["a"] += o.x.max()
    o.table["b"] = o.x * 2


def stepped(o):
    for _ in range(60):
        o.step(0.01)
    return o.t


def stepped_to_arrays(o, n):
    for k in range(n):
        o.x[k % 3] += k
        o.last = o.x[0]


def branched(o):
    if o.x.max() > 3:
        o.n += 1
    else:
        o.t = o.t + 1.0
    o.x = o.x + 1


def grown(o):
    for _ in range(60):
        o.history.append(o.x.max())
        o.x += o.v


def counted(o):
    for v in o.x:
        if v > 0.5:
            o.table["a"] += v
            o.n += 1


def until(o):
    k = 0
    while o.x.max() < 100:
        o.x = o.x * 1.5
        o.x[0] += 1
        k += 1
        o.n = k


def swapped(o):
    o.x, o.v = o.v, o.x
    o.history, o.table = o.table, o.history


def viewed(o):
    o.x[1] = 7.0
    o.v = o.x[1:]
    return o.v


def copied(o):
    other = copy.copy(o)
    other.x = other.x + 1
    return other


def copied_deeply(o):
    other = copy.deepcopy(Sub(3))
    other.x += 1
    o.other = other


def by_dict(o):
    o.__dict__["more"] = o.x * 2
    vars(o)["most"] = 1
    return o.more, o.__dict__.get("nothing")


def with_mode(o):
    o.mode = Mode.SLOW
    o.label = "b" if o.label == "a" else "a"
    o.shape, o.path, o.kind = o.x.shape, None, True
    return o.mode is Mode.SLOW, hasattr(o, "nothing"), getattr(o, "nothing", 4)


def generator_inside(o):
    def multiples(n):
        for k in range(n):
            yield k * o.x

    total = 0
    for value in multiples(3):
        total = total + value
    return total


def added_to(o):
    o.n += 1
    o.n *= 2
    o.history += [o.n]
    history = o.history
    history.extend([1.0, 2.0])


@pytest.mark.parametrize(
    "f",
    [
        advanced, by_property, cached, iterated, made_inside, appended, last_and_length, tabled,
        stepped, branched, grown, counted, until, swapped, viewed, copied, copied_deeply, by_dict,
        with_mode, generator_inside, added_to,
    ],
)  # fmt: skip
def test_an_object_of_an_ordinary_class(f):
    agrees(Sub, f)


@pytest.mark.parametrize("n", [0, 1, 2, 90])
def test_loops_of_any_number_of_steps(n):
    def make():
        o = Sub()
        o.last = 0.0
        return o

    agrees(make, stepped_to_arrays, n)


def test_slots():
    def outside(o):
        o.a = o.a * o.b
        o.b += 1
        return o.a, hasattr(o, "unset")

    def loop(o):
        for _ in range(70):
            o.a = o.a * 0.9
            o.b += 1

    def setting(o):
        o.unset = o.a
        return o

    agrees(Slotted, outside)
    agrees(Slotted, loop)
    agrees(Slotted, setting)


@pytest.mark.parametrize("holder", [types.SimpleNamespace, argparse.Namespace])
def test_namespaces(holder):
    def f(o):
        new = types.SimpleNamespace(a=o.a * 2, b=3)
        new.c = new.a + o.b
        o.b += 1
        o.inner.k = new
        return new

    agrees(lambda: holder(a=np.arange(3.0), b=1, inner=holder(k=0)), f)


def test_hooks_and_descriptors_run_as_code():
    def hooked(o):
        o.w = o.more
        return hasattr(o, "less"), o.count

    def described(o):
        o.kind = o.kind + 1
        return o.kind

    agrees(Hooked, hooked)
    agrees(Described, described)


def test_dataclasses_change_too():
    def f(o):
        return o.step().n

    def loop(o):
        for _ in range(80):
            o.step()

    def made(o):
        return Data(o.x + 1, 4), Frozen(o.x)

    for g in (f, loop, made):
        agrees(lambda: Data(np.ones(3)), g)


@dataclass(slots=True)
class SlottedData:
    x: np.ndarray
    n: int = 0


@pytest.mark.parametrize("steps", [3, 80])
def test_a_dataclass_with_slots(steps):
    def f(o, other):
        for _ in range(steps):
            o.x = o.x * 0.5
            o.n += 1
        return SlottedData(o.x + 1, n=o.n), Frozen(other.x).x

    agrees(lambda: SlottedData(np.ones(3)), f, Frozen(np.ones(2)))


@dataclass
class Logged:
    x: np.ndarray
    seen: list = field(default_factory=list)

    def step(self):
        self.seen.append(self.x.max())
        self.x = self.x + 1


def test_a_list_in_a_dataclass_grows():
    def f(o):
        o.step()
        return Logged(o.x)

    agrees(lambda: Logged(np.ones(3)), f)


def pushed(o):
    o.history.append(1.0)
    o.history.append(o.x.max())
    last = o.history.pop()
    o.history[-1] += last
    return last


def test_what_was_appended_is_popped():
    agrees(Sub, pushed)


def test_a_frozen_dataclass_is_not_set():
    @tracejit.function
    def f(o):
        o.x = 1.0

    with pytest.raises(AttributeError, match="cannot assign to field 'x'"):
        f(Frozen(np.ones(2)))


def world_moves(w):
    for p in w.particles:
        for other in w.particles:
            if other is not p:
                p.pull(other, 0.1)
    for p in w.particles:
        p.x = p.x + p.v * 0.1
    w.t += 0.1
    return w.particles[0].x


def world_grows(w):
    w.particles.append(Particle(w.particles[-1].x + 1))
    return len(w.particles)


def world_changes(w):
    w.particles[1] = Particle(w.particles[1].x + 1)
    w.first = w.particles[0]
    w.first.x += 1
    return w.first is w.particles[0], w.first is w.particles[1], w.first


@pytest.mark.parametrize("f", [world_moves, world_grows, world_changes])
def test_objects_in_lists(f):
    agrees(World, f)


# One object by two names -------------------------------------------------------------------------


def both(a, b):
    a.x = a.x + 1
    b.x = b.x * 2
    a.x += b.x
    return a.x, b.x


def in_place(a, b):
    a.x += 1
    b.x *= 2


def test_two_names_of_one_object():
    f = tracejit.function(both)
    for first, second in ((0, 1), (0, 0), (1, 0), (1, 1)):
        here, there = [Sub(), Sub()], [Sub(), Sub()]
        same(f(here[first], here[second]), both(there[first], there[second]))
        same(here, there)
    assert f.stats.traces == 2


def found(a, b, c):
    known = {a: 1}
    return a == b, b in (a, c), known.get(c), [a, b].index(b)


def test_whether_objects_are_one():
    f = tracejit.function(found)
    o, p, q = Sub(), Sub(), Sub()
    for args in ((o, p, q), (o, o, q), (o, p, p), (o, p, o), (o, o, o), (p, q, o)):
        assert f(*args) == found(*args)
    assert f.stats.fallbacks == 0


def test_attributes_that_share_memory():
    f = tracejit.function(in_place)
    x = np.arange(5.0)
    for y, z in ((x, x), (x[:-1], x[1:]), (x[1:], x[:-1]), (x, np.ones(3)), (x, x[::2])):
        here, there = [Sub(), Sub()], [Sub(), Sub()]
        here[0].x, here[1].x = y, z
        both = np.concatenate([x, x])
        base = both[:5]
        there[0].x, there[1].x = (
            v if not np.may_share_memory(v, x) else np.lib.stride_tricks.as_strided(
                base[(v.__array_interface__["data"][0] - x.__array_interface__["data"][0]) // 8:],
                v.shape, v.strides)
            for v in (y, z)
        )  # fmt: skip
        in_place(*there)
        f(*here)
        for a, b in zip(here, there, strict=True):
            np.testing.assert_array_equal(a.x, b.x)
    assert f.stats.fallbacks == 0


def test_an_argument_that_is_kept_is_that_array():
    @tracejit.function
    def f(o, x):
        o.x, o.view = x, x[1:]
        return o

    o, x = Sub(), np.arange(3.0)
    assert f(o, x) is o and o.x is x and o.view.base is x


def test_what_is_made_is_made_at_each_call():
    @tracejit.function
    def f(x):
        return Particle(x + 1)

    one, two = f(np.ones(2)), f(np.ones(2))
    assert type(one) is Particle and one is not two and one.x is not two.x
    assert f.stats.traces == 1


# What changes between calls ----------------------------------------------------------------------


def test_objects_that_change_between_calls():
    @tracejit.function
    def f(o):
        return o.x * o.n, o.label, getattr(o, "extra", 0), o.scale

    o = Sub()
    changes = [
        lambda: None,
        lambda: setattr(o, "n", 3),
        lambda: setattr(o, "n", 2.5),
        lambda: setattr(o, "x", np.arange(4, dtype=np.float32)),
        lambda: setattr(o, "x", np.ones((2, 2))),
        lambda: setattr(o, "label", "other"),
        lambda: setattr(o, "extra", 5),
        lambda: delattr(o, "extra"),
        lambda: setattr(o, "scale", 7.0),
        lambda: setattr(o, "x", 3),
        lambda: setattr(o, "none", 3),
    ]
    for change in changes:
        change()
        same(f(o), f.__wrapped__(o))
    traces = f.stats.traces
    o.none, o.history = "not read", 5
    f(o)
    assert f.stats.traces == traces


def test_methods_that_change_between_calls(monkeypatch):
    f = tracejit.function(lambda o: (o.step(0.5), o.x))
    same(f(Sub()), f.__wrapped__(Sub()))
    monkeypatch.setattr(Sub, "step", lambda self, dt: self.x + dt)
    same(f(Sub()), f.__wrapped__(Sub()))
    o = Sub()
    o.step = np.sin
    same(f(o), f.__wrapped__(o))


def test_classes_are_told_apart():
    class Other(Base):
        def step(self, dt):
            return dt

    f = tracejit.function(lambda o: o.step(0.5))
    for cls in (Sub, Other, Sub, Other):
        same(f(cls()), f.__wrapped__(cls()))
    assert f.stats.traces == 2


# Decorated methods, and objects that are called --------------------------------------------------


class Model:
    def __init__(self):
        self.w, self.n = np.full((2, 2), 3.0), 0

    @tracejit.function
    def forward(self, x):
        self.n += 1
        return self.inner(x) @ self.w

    @tracejit.function
    def inner(self, x):
        return x + self.shift(1.0)

    @staticmethod
    @tracejit.function
    def shift(x):
        return x * 2

    @tracejit.function
    def __call__(self, x):
        return self.forward(x)

    def plain(self, x, k=1):
        self.n += k
        return x * self.w


MODEL = Model()


def test_decorated_methods():
    m, x = Model(), np.arange(2.0)
    for _ in range(2):
        np.testing.assert_array_equal(m(x), (x + 2) @ m.w)
    assert m.n == 2 and Model.__call__.stats.fallbacks == 0
    assert Model.shift(x)[1] == 2


def test_bound_methods_partial_calls_and_objects():
    m, x = Model(), np.arange(2.0)
    f = tracejit.function(m.plain)
    same(f(x, k=2), x * m.w)
    assert m.n == 2 and f.__self__ is m and f.stats.traces == 1
    g = tracejit.function(functools.partial(m.plain, x))
    same(g(), x * m.w)
    m.w = m.w * 2
    same(g(k=3), x * m.w)
    assert m.n == 6 and g.__name__ == "plain"
    h = tracejit.function(m)
    same(h(x), (x + 2) @ m.w)
    with pytest.raises(TypeError, match="takes a Python function"):
        tracejit.function(3)


def test_captured_objects(monkeypatch):
    m = Model()

    @tracejit.function
    def f(x):
        MODEL.n += 1
        m.n -= 1
        return x @ MODEL.w + m.w

    x = np.arange(2.0)
    for k in range(1, 3):
        same(f(x), x @ MODEL.w + m.w)
        assert (MODEL.n, m.n) == (k, -k)
    monkeypatch.setitem(globals(), "MODEL", m)
    same(f(x), x @ m.w + m.w)
    assert m.n == -2


# Exceptions, and what is refused -----------------------------------------------------------------


def test_what_was_assigned_before_an_exception():
    def stated(o):
        o.t = 5.0
        raise ValueError("no")

    def indexed(o, k):
        o.t = o.t + 5.0
        o.x[0] = 3
        return o.x[k]

    o = Sub()
    with pytest.raises(ValueError, match="no"):
        tracejit.function(stated)(o)
    assert o.t == 5.0
    f, k = tracejit.function(indexed), np.array([1])
    assert f(o, k) == 1 and o.t == 10.0
    with pytest.raises(IndexError):
        f(o, np.array([7]))
    assert o.t == 15.0


def test_other_objects_are_compiled_where_some_are_refused():
    def f(o):
        return (o.x * 2, o.label) if o.n == 0 else (repr(o.x), o.label)

    g = tracejit.function(f, on_unsupported="warn")
    good, bad = Sub(), Sub()
    bad.n = 1
    with pytest.warns(tracejit.UnsupportedWarning):
        same(g(bad), f(bad))
    for _ in range(2):
        same(g(good), f(good))
        same(g(bad), f(bad))
    assert g.stats.traces == 1 and g.stats.fallbacks == 3
    for k in range(20):
        bad.label = str(k)
        same(g(bad), f(bad))
    seconds = g.stats.seconds["trace"]
    bad.label = "more"
    same(g(bad), f(bad))
    assert g.stats.seconds["trace"] == seconds
    same(g(good), f(good))
    assert g.stats.fallbacks == 24


def test_what_is_another_text_each_time_is_not_compiled_each_time():
    def f(o):
        return o.x, o.label

    g = tracejit.function(f, on_unsupported="warn")
    o = Sub()
    with pytest.warns(tracejit.UnsupportedWarning, match="o.label is another one again"):
        for k in range(15):
            o.label = str(k)
            same(g(o), f(o))
    assert g.stats.traces == 10
    assert "traced again because of o.label: '0' → '1'" in g.explain()


class Table(dict):
    pass


class Watching:
    def __getattribute__(self, name):
        return object.__getattribute__(self, name)


def refuses(match, f, *args):
    with pytest.raises(tracejit.UnsupportedError, match=match):
        tracejit.function(f)(*args)


def test_what_is_refused():
    x = np.ones(2)
    refuses("is an instance of .*Table", lambda t, x: t["k"] * x, Table(k=1), x)
    refuses("Table is derived from dict, a class in C", lambda x: (Table(), x)[1], x)
    refuses("has its own __getattribute__", lambda w: w.x, Watching())
    refuses("assigns the attribute shape", lambda x: setattr_shape(x), x)
    refuses("sets an attribute of setattr_shape", lambda x: named(x), x)
    refuses("deletes the attribute x", delete, Sub())
    refuses("text of an object", lambda o: f"{o}", Particle(x))


def setattr_shape(x):
    x.shape = (2, 1)
    return x


def named(x):
    setattr_shape.calls = 1
    return x


def delete(o):
    del o.x


def test_a_call_that_is_refused_leaves_objects_as_they_were():
    def f(o):
        o.n += 1
        o.history.append(1)
        o.x += 1
        return o.x.tobytes().nothing if o.n > 5 else o.x.ctypes

    g, o = tracejit.function(f), Sub()
    with pytest.raises(tracejit.UnsupportedError):
        g(o)
    same(o, Sub())


def test_threads_with_objects_of_their_own():
    f = tracejit.function(Sub.step)
    with tracejit.config(compile=False):
        f(Sub(), 0.5)

        def work(o, out):
            for _ in range(50):
                out.append(f(o, 0.5))

        pairs = [(Sub(3 + k), []) for k in range(3)]
        threads = [threading.Thread(target=work, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for k, (o, out) in enumerate(pairs):
            plain = Sub(3 + k)
            same(out, [plain.step(0.5) for _ in range(50)])
            same(o, plain)


class Recursive:
    def __init__(self):
        self.depth = 0

    @tracejit.function
    def down(self, x, n):
        self.depth += 1
        return x if n == 0 else self.down(x * 2, n - 1) + 1


def test_methods_that_call_themselves():
    o, p = Recursive(), Recursive()
    with tracejit.config(compile=False):
        for n in (3, 5, 3):
            same(o.down(np.ones(2), n), Recursive.down.__wrapped__(p, np.ones(2), n))
    assert o.depth == p.depth == 14 and Recursive.down.stats.fallbacks == 0
