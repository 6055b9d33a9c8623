"""What a traced function reads besides its arguments: globals, closures, modules, builtins."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
import types
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_function import V, X, agrees, same

import tracejit
from tracejit import UnsupportedError

SCALE = 2.0
OFFSET = np.arange(3.0)
PARAMETERS = {"w": np.ones(3), "k": 2.0, "name": "relu"}
AXES = (0, 1)


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


# Captures ----------------------------------------------------------------------------------------


def test_arrays_in_globals_are_read_at_each_call(monkeypatch):
    g = agrees(lambda x: x + OFFSET, V)
    OFFSET[0] += 1
    agrees(g, V)
    assert g.stats.traces == 1
    monkeypatch.setitem(globals(), "OFFSET", np.full(3, 7.0))
    agrees(g, V)
    assert g.stats.traces == 1
    monkeypatch.setitem(globals(), "OFFSET", np.full(3, 7, np.int32))
    agrees(g, V)
    monkeypatch.setitem(globals(), "OFFSET", 2.5)
    agrees(g, V)
    monkeypatch.delitem(globals(), "OFFSET")
    with pytest.raises(NameError):
        g(V)


def test_a_rebound_number_is_noticed_and_then_an_input(monkeypatch):
    g = agrees(lambda x: x * SCALE, V)
    for value in (3.0, 4.0, 5.0):
        monkeypatch.setitem(globals(), "SCALE", value)
        agrees(g, V)
    assert g.stats.traces == 2
    assert "SCALE: 2.0 → 3.0" in g.explain()
    monkeypatch.setitem(globals(), "SCALE", 3)
    agrees(g, V)
    assert g.stats.traces == 3


def test_containers_in_globals():
    def f(x):
        return x * PARAMETERS["w"] * PARAMETERS["k"] if PARAMETERS["name"] == "relu" else x

    g = agrees(f, V)
    PARAMETERS["k"] = 3.0
    agrees(g, V)
    assert g.stats.traces == 1
    PARAMETERS["name"] = "tanh"
    agrees(g, V)
    PARAMETERS["new"] = 1.0
    agrees(g, V)
    assert g.stats.traces == 3


def test_constant_tuples_are_static():
    agrees(lambda x: x.sum(axis=AXES), X)


def helper(x, scale=None):
    return x * SCALE if scale is None else x * scale


def double(x):
    return 2 * x


def test_helpers_are_traced_and_noticed(monkeypatch):
    g = agrees(lambda x: helper(double(x)) + helper(x, OFFSET), V)
    monkeypatch.setitem(globals(), "double", lambda x: 3 * x)
    agrees(g, V)
    monkeypatch.setitem(globals(), "SCALE", 11.0)
    agrees(g, V)
    assert g.stats.traces == 3


def test_closures_defaults_partials_and_recursion():
    table, k, inner = np.ones(3), 2, functools.partial(helper, scale=np.full(3, 5.0))

    def power(x, n, base=OFFSET):
        return base if n == 0 else x * power(x, n - 1)

    def f(x):
        return power(x + table, k) + inner(x)

    g = agrees(f, V)
    table[:] = 4
    agrees(g, V)
    table = np.zeros(3)
    agrees(g, V)
    assert g.stats.traces == 1
    k = 3
    agrees(g, V)
    assert g.stats.traces == 2


def test_user_modules(monkeypatch):
    module = types.ModuleType("user_module_for_test")
    exec("import numpy as np\nrate = 2.0\ndef f(x): return np.zeros(x.shape[0]) + x * rate",
         module.__dict__)  # fmt: skip
    module.__file__ = "/nowhere/user_module_for_test.py"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(globals(), "module", module)
    g = agrees(lambda x: module.f(x) + module.rate, V)
    module.rate = 3.0
    agrees(g, V)
    assert g.stats.traces == 2


def test_decorated_functions_are_inlined():
    inner = tracejit.function(lambda x: x * 2 + np.zeros(x.shape[0]))
    g = tracejit.function(lambda x, f: inner(x) + f(x))
    same(g(V, inner), V * 4)
    assert g.stats.traces == 1 and inner.stats.traces == 0


def test_cached_functions_see_no_traced_values():
    @functools.lru_cache
    def cached(n):
        return n * 2

    with pytest.raises(UnsupportedError, match="keeps its results in a cache"):
        tracejit.function(lambda x, k: x * cached(k), on_unsupported="error")(V, 3)
    assert cached.cache_info().misses == 0


def test_methods():
    class Holder:
        @tracejit.function
        def scaled(self, x):
            return x * self.k

        def __init__(self):
            self.k = 2

    np.testing.assert_array_equal(Holder().scaled(V), 2 * V)

    @dataclasses.dataclass
    class Record:
        k: float

        @tracejit.function
        def scaled(self, x):
            return x * self.k

    np.testing.assert_array_equal(Record(3.0).scaled(V), 3 * V)
    assert Record.scaled.stats.traces == 1


# The namespace -----------------------------------------------------------------------------------


def test_builtins_see_what_values_stand_for():
    def f(x, k):
        return (
            isinstance(x, np.ndarray), isinstance(k, float), isinstance(k, (int, np.generic)),
            type(x) is np.ndarray, type(k) is float, len(x), abs(x), max(k, 1.0), sum([x, x]),
            isinstance(x.sum(), np.floating), isinstance(x.shape[0], int),
        )  # fmt: skip

    agrees(f, V, 2.5)


def test_math_of_numbers_stays_symbolic():
    g = agrees(lambda x, k: x * math.sqrt(k) + math.pi + math.atan2(k, 2), V, 4.0)
    agrees(g, V, 9.0)
    assert g.stats.traces == 1
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        g(V, -1.0)
    agrees(g, V, 16)


def test_scalar_types_cast_and_name_dtypes():
    def f(x, k):
        return np.float32(k) * x, np.float32(3) * x, x.astype(np.int32), np.zeros(2, np.int8)

    agrees(f, V, 2.5)


def test_imports_inside():
    def f(x):
        import numpy as xp
        from numpy import zeros

        return xp.ones(x.shape[0]) + zeros(x.shape[0]) + x

    g = agrees(f, V)
    agrees(g, np.ones(5))
    assert g.stats.traces == 1


# What may be replaced in place -------------------------------------------------------------------


def test_a_helper_whose_code_or_defaults_are_replaced_is_noticed():
    def helper(x, k=2.0):
        return x * k

    def other(x, k=2.0):
        return x + k

    g = agrees(lambda x: helper(x), V)
    helper.__defaults__ = (7.0,)
    agrees(g, V)
    helper.__code__ = other.__code__
    agrees(g, V)
    assert g.stats.traces == 3


def test_the_function_itself_may_be_replaced_in_place():
    def f(x, k=2.0):
        return x * k

    def g(x, k, extra=1.0):
        return x - k - extra

    compiled = tracejit.function(f, on_unsupported="error")
    same(compiled(V), f(V))
    f.__code__, f.__defaults__ = g.__code__, (3.0, 4.0)
    same(compiled(V), f(V))
    same(compiled(V, extra=1.0), f(V, extra=1.0))


@dataclasses.dataclass
class Affine:
    w: np.ndarray
    scale = 2.0

    def __call__(self, x):
        return self.w * x * self.scale

    @property
    def doubled(self):
        return self.w * 2

    @classmethod
    def name(cls):
        return cls.__name__

    @staticmethod
    def half(x):
        return x / 2


class Pair(NamedTuple):
    a: np.ndarray
    b: np.ndarray

    def total(self):
        return self.a + self.b * Pair.factor


Pair.factor = 3.0


def test_attributes_of_an_arguments_class_are_read_at_each_call(monkeypatch):
    g = agrees(lambda p, x: (p(x), p.doubled, p.half(x), p.name()), Affine(V), V)
    assert g.stats.traces == 1
    monkeypatch.setattr(Affine, "scale", 5.0)
    agrees(g, Affine(V), V)
    monkeypatch.setattr(Affine, "__call__", lambda self, x: self.w - x)
    agrees(g, Affine(V), V)
    monkeypatch.setattr(Affine, "doubled", property(lambda self: self.w * 4))
    agrees(g, Affine(V), V)
    monkeypatch.setattr(Affine, "half", staticmethod(lambda x: x / 4))
    agrees(g, Affine(V), V)
    assert g.stats.traces == 5


def test_attributes_of_a_named_tuples_class_are_read_at_each_call(monkeypatch):
    g = agrees(lambda q: (q.total(), q), Pair(V, V))
    monkeypatch.setattr(Pair, "factor", 4.0)
    agrees(g, Pair(V, V))
    monkeypatch.setattr(Pair, "total", lambda self: self.a)
    agrees(g, Pair(V, V))


def test_attributes_that_are_not_read_are_not_guarded(monkeypatch):
    g = agrees(lambda p: p.w * 2, Affine(V))
    monkeypatch.setattr(Affine, "scale", 9.0)
    agrees(g, Affine(V))
    assert g.stats.traces == 1


def test_the_class_attribute_of_a_value_is_refused():
    with pytest.raises(UnsupportedError, match=r"looks at x\.__class__"):
        tracejit.function(lambda x: x if x.__class__ is np.ndarray else -x)(V)


@pytest.mark.parametrize("compiling", [False, True])
def test_a_global_variable_comes_before_a_builtin_function(compiling: bool) -> None:
    """In a notebook, ``sum = 3`` may come at any time, and go."""
    scope: dict[str, Any] = {"np": np}
    exec(
        "def helper(x): return x + abs(len(x))\n"
        "def f(x):\n"
        "    try:\n        k = later\n"
        "    except NameError:\n        k = 1.0\n"
        "    return helper(x) * sum([1, 2]) * k\n",
        scope,
    )
    f, x = scope["f"], np.ones(2)
    with tracejit.config(compile=compiling):
        g = tracejit.function(f)
        changes: list[tuple[str, Any]] = [
            ("sum", max), ("abs", lambda n: -n), ("sum", None), ("len", lambda x: 5), ("len", None),
            ("abs", None), ("later", 3.0), ("later", None),
        ]  # fmt: skip
        np.testing.assert_array_equal(g(x), f(x))
        for name, value in changes:
            if value is None:
                del scope[name]
            else:
                scope[name] = value
            np.testing.assert_array_equal(g(x), f(x))
        assert "guard a global" not in g.explain()
        assert g.stats.fallbacks == 0
