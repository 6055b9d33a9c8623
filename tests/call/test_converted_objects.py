"""Objects that only convert to arrays have operators and methods of their own, which are kept."""

from __future__ import annotations

import dataclasses
import warnings
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedError, UnsupportedWarning


class Series:
    """As those of pandas: NaN is skipped, std() divides by n - 1, and `+` is another operation."""

    def __init__(self, data: Any) -> None:
        self.data = np.asarray(data, float)

    def std(self) -> float:
        return float(np.nanstd(self.data, ddof=1))

    def __add__(self, other: Any) -> Series:
        return Series(self.data + 100 * other)

    def __len__(self) -> int:
        return len(self.data)


class ByArray(Series):
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.data if dtype is None else self.data.astype(dtype)


class ByInterface(Series):
    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.data.__array_interface__


class ByStruct(Series):
    @property
    def __array_struct__(self) -> Any:
        return self.data.__array_struct__


class ByDLPack(Series):
    def __dlpack__(self, **options: Any) -> Any:
        return self.data.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()


@dataclasses.dataclass
class Held:
    data: Any
    scale: float = 2.0


@dataclasses.dataclass
class HeldArray:
    """A dataclass that converts: its own operators count, too."""

    data: Any

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.data)

    def __mul__(self, other: Any) -> str:
        return "its own product"


Pair = namedtuple("Pair", "first second")
KINDS = pytest.mark.parametrize("kind", [ByArray, ByInterface, ByStruct, ByDLPack])
VALUES = [1.0, 2.0, float("nan"), 4.0]


def test_operators_and_methods_are_the_objects_own() -> None:
    g = tracejit.function(lambda s: (s.std(), (s + 1).data), on_unsupported="warn")
    s = ByArray(VALUES)
    with pytest.warns(UnsupportedWarning, match="operators and methods of its own") as caught:
        std, data = g(s)
    assert std == s.std() != np.std(s.data)
    np.testing.assert_equal(data, s.data + 100)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "np.asarray(s)" in text and "convert_arrays=True" in text and "ByArray" in text
    assert len(text.splitlines()) <= 12
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert g(s)[0] == std
    assert g.stats.fallbacks == 2 and g.stats.traces == 0


@KINDS
def test_every_kind_of_conversion(kind: Callable[[Any], Any]) -> None:
    def f(s: Any) -> Any:
        return s + 1

    s = kind(VALUES)
    with pytest.raises(UnsupportedError, match=r"np\.asarray\(s\)"):
        tracejit.function(f)(s)
    with pytest.warns(UnsupportedWarning):
        got = tracejit.function(f, on_unsupported="warn")(s)
    np.testing.assert_equal(got.data, s.data + 100)
    g = tracejit.function(f, convert_arrays=True)
    np.testing.assert_equal(g(s), s.data + 1)
    np.testing.assert_equal(g(s.data), s.data + 1)
    assert g.stats.traces == (2 if kind is ByDLPack else 1)  # what DLPack gives is read-only


@pytest.mark.parametrize(
    "make",
    [
        lambda s: (s, 2.0),
        lambda s: [1.0, [s]],
        lambda s: {"a": s},
        lambda s: Pair(1.0, s),
        Held,
    ],
)
def test_inside_containers(make: Callable[[Any], Any]) -> None:
    s = ByArray(VALUES)

    def leaf(value: Any) -> Any:
        if isinstance(value, Held):
            return value.data
        if isinstance(value, dict):
            return value["a"]
        if isinstance(value, Pair):
            return value.second
        return value[0] if isinstance(value, tuple) else value[1][0]

    g = tracejit.function(lambda value: leaf(value) + 1, on_unsupported="warn")
    value = make(s)
    with pytest.warns(UnsupportedWarning, match="np.asarray"):
        got = g(value)
    np.testing.assert_equal(got.data, s.data + 100)
    strict = tracejit.function(leaf if make is Held else lambda value: value)
    with pytest.raises(UnsupportedError):
        strict(value)
    converted = tracejit.function(lambda value: leaf(value) + 1, convert_arrays=True)
    np.testing.assert_equal(converted(value), s.data + 1)


def test_a_dataclass_with_a_conversion_keeps_its_operators() -> None:
    g = tracejit.function(lambda v: v * 2, on_unsupported="warn")
    with pytest.warns(UnsupportedWarning):
        assert g(HeldArray(np.ones(2))) == "its own product"
    np.testing.assert_equal(
        tracejit.function(lambda v: v * 2, convert_arrays=True)(HeldArray(np.ones(2))),
        [2.0, 2.0],
    )


OUTSIDE = ByArray(VALUES)


def test_captured_ones() -> None:
    inner, held = ByInterface(VALUES), Held(ByArray(VALUES))
    functions = [
        lambda x: OUTSIDE.std() * x,
        lambda x: inner.std() * x,
        lambda x: held.data.std() * x,
        lambda x, s=inner: s.std() * x,
    ]
    for f in functions:
        for options in ({}, {"convert_arrays": True}):
            g = tracejit.function(f, on_unsupported="warn", **options)
            with pytest.warns(UnsupportedWarning, match="of its own"):
                assert g(2.0) == f(2.0) == inner.std() * 2


def test_other_calls_compile() -> None:
    """One with such an object does not keep others from being compiled."""
    g = tracejit.function(lambda s: s + 1, on_unsupported="warn")
    s = ByArray(VALUES)
    with pytest.warns(UnsupportedWarning):
        g(s)
    for _ in range(3):
        np.testing.assert_equal(g(s.data), s.data + 1)
        np.testing.assert_equal(g(s).data, s.data + 100)
    assert g.stats.traces == 1 and g.stats.fallbacks == 4


def test_what_cannot_be_converted() -> None:
    class Broken:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise ValueError("no array today")

    with pytest.raises(UnsupportedError, match="no array today"):
        tracejit.function(lambda s: s, convert_arrays=True)(Broken())


def test_options_of_the_decorator() -> None:
    @tracejit.function(convert_arrays=True, name="f")
    def f(s: Any) -> Any:
        return s + 1

    np.testing.assert_equal(f(ByArray(VALUES)), np.asarray(VALUES) + 1)
    with pytest.raises(UnsupportedError, match="is a derivative"):
        tracejit.grad(lambda s: s.std())(ByArray(VALUES))


def test_memory_maps_are_arrays(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(3,))
    mapped[:] = [1.0, 2.0, 3.0]
    g = tracejit.function(lambda x: x * 2)
    np.testing.assert_equal(g(mapped), [2.0, 4.0, 6.0])
    assert g.stats.fallbacks == 0


_table: Any = None


def test_what_has_the_memory_of_a_memory_map_is_one(tmp_path: Any) -> None:
    global _table
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(3,))
    for f in (lambda x: x, lambda x: x[1:], lambda x: [x + 1, x.T]):
        g = tracejit.function(f, on_unsupported="warn")
        with pytest.warns(UnsupportedWarning, match="memory of x, which is a memory map"):
            result = g(mapped)
        last = result[-1] if isinstance(result, list) else result
        assert type(last) is np.memmap and np.shares_memory(last, mapped)
    _table = mapped
    g = tracejit.function(lambda x: (x, _table[1:]), on_unsupported="warn")
    with pytest.warns(UnsupportedWarning, match="memory of _table, which is a memory map"):
        assert type(g(np.ones(3))[1]) is np.memmap
    _table = None


def test_a_list_in_place_of_a_captured_memory_map(tmp_path: Any) -> None:
    global _table
    _table = np.memmap(tmp_path / "x", np.float64, "w+", shape=(3,))
    g = tracejit.function(lambda x: (x + 1, _table * 2))
    np.testing.assert_array_equal(g(np.ones(3))[1], np.zeros(3))
    _table = [1.0, 2.0, 3.0]
    assert g(np.ones(3))[1] == [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    _table = None


def test_symbolic_functions_convert_as_theano_does() -> None:
    x = tracejit.tensor.dvector("x")
    np.testing.assert_equal(tracejit.function([x], x + 1)(ByArray(VALUES)), np.add(VALUES, 1.0))


def test_a_series_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")

    def scaled(s: Any) -> Any:
        return (s - s.mean()) / s.std()

    s = pandas.Series(VALUES, index=[3, 1, 2, 0])
    with pytest.warns(UnsupportedWarning, match=r"np\.asarray\(s\)"):
        got = tracejit.function(scaled, on_unsupported="warn")(s)
    pandas.testing.assert_series_equal(got, scaled(s))
    converted = tracejit.function(scaled, convert_arrays=True)(pandas.Series([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(converted, scaled(np.array([1.0, 2.0, 4.0])))
