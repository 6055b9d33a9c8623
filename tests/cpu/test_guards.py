"""Functions whose vector code has limits, by blocks: the same results, whatever is far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from test_vecmath import evaluate

import tracejit
from tracejit.lower import executable
from tracejit.lower.executable import Executable

RNG = np.random.default_rng(11)
PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "map": lambda x: np.sin(x) * 2,
    "two results": lambda x: (np.sin(x), np.cos(x) + x),
    "sum": lambda x: np.sin(x).sum() + np.cos(x).sum(),
    "product and largest": lambda x: ((1 + np.sin(x) / 1e3).prod(), np.tan(x).max()),
    "of each other": lambda x: np.sin(3 * np.cos(x * 2)),
    "branch": lambda x: np.where(np.cos(x) > 0, np.sin(x), 1)[::2],
    "short rows": lambda x: np.sin(x.reshape(-1, 3)).sum(axis=1),
    "columns": lambda x: np.cos(x.reshape(-1, 30)).sum(axis=0),
    "complex exponential": lambda x: np.exp(1j * x + 0.25),
    "row of one": lambda x: np.sin(x.reshape(-1, 30) + x[:30]).sum(axis=1),
}


def listed(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.fixture
def made(monkeypatch: Any) -> list[Any]:
    """The entries that are made."""
    entries: list[Any] = []

    def noting(*arguments: Any) -> Any:
        entries.append(Executable(*arguments))
        return entries[-1]

    monkeypatch.setattr(executable, "Executable", noting)
    return entries


@pytest.mark.parametrize("name", PROGRAMS)
def test_far_angles_anywhere(name: str) -> None:
    f = tracejit.function(PROGRAMS[name], on_unsupported="error")
    for length in (30, 510, 540, 3000):
        near = RNG.normal(size=length) * 3
        for place in (None, 0, length - 1, 511 if length > 511 else 7):
            x = near.copy()
            if place is not None:
                x[place] = 1e22
            for mine, numpys in zip(listed(f(x)), listed(PROGRAMS[name](x)), strict=True):
                np.testing.assert_allclose(mine, numpys, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["sin", "cos", "tan", "gammaln"])
def test_the_bits_are_those_of_the_function_alone(name: str, dtype: Any) -> None:
    function = getattr(np, name, None) or getattr(scipy.special, name)
    f = tracejit.function(lambda x: function(x), on_unsupported="error")
    x = np.abs(RNG.normal(size=2000) * 5).astype(dtype)
    expected = evaluate(name, x)
    np.testing.assert_array_equal(f(x), expected)
    for place in (0, 700, 1999):
        x[place] = -1.5 if name == "gammaln" else 1e25
    result = f(x)
    np.testing.assert_array_equal(result, evaluate(name, x))
    unchanged = np.delete(np.arange(2000), (0, 700, 1999))
    np.testing.assert_array_equal(result[unchanged], expected[unchanged])


def test_a_block_is_tested_once_and_the_rest_seldom_runs(made: list[Any]) -> None:
    f = tracejit.function(lambda x, y: np.sin(x) * np.cos(y) + np.sin(y), on_unsupported="error")
    f(np.ones(9), np.ones(9))
    source = made[-1].source
    assert source.count("near_sin(") == 2 and source.count("near_cos(") == 1
    assert source.count("far_angle(") == 2 and source.count("in again(") == 1


def test_results_of_guarded_functions_alone(made: list[Any]) -> None:
    f = tracejit.function(lambda x: (np.sin(x), np.cos(x)), on_unsupported="error")
    f(np.ones(9))
    assert "near_sin(" in made[-1].source and "near_cos(" in made[-1].source


def changed_in_place(x: Any) -> Any:
    y = x * 2
    total = y.sum()
    y[:] = np.sin(y)
    return y + total


def changed_by_out(x: Any) -> Any:
    y = x * 1.0
    y[0] = 0.25
    np.sin(y, out=y)
    return y


def changed_by_augmented(x: Any) -> Any:
    z = x.copy()
    z[0] = x[-1]
    z *= np.sin(z)
    return z


OVERWRITTEN: dict[str, Callable[[Any], Any]] = {
    "in place": changed_in_place,
    "out": changed_by_out,
    "augmented": changed_by_augmented,
    "sorted": lambda x: np.sin(np.sort(x)),
    "running sum": lambda x: np.cos(np.cumsum(x)),
    "gammaln": lambda x: scipy.special.gammaln(np.cumsum(x / 1e22) - 1.5),
    "reshaped": lambda x: np.sin(np.sort(x).reshape(-1, 1)),
}


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_what_overwrites_its_operand_is_not_done_again(name: str) -> None:
    f = tracejit.function(OVERWRITTEN[name], on_unsupported="error")
    x = np.append(np.linspace(0, 3, 600), 1e22)
    np.testing.assert_allclose(f(x), OVERWRITTEN[name](x), rtol=1e-12)


def arguments_sine(x: Any) -> None:
    x *= np.sin(x)


def in_a_loop(x: Any) -> None:
    for k in range(3000):
        x[:] = np.where(k < 1, x * np.sin(x), x)


@pytest.mark.parametrize("function", [arguments_sine, in_a_loop])
def test_an_argument_that_is_overwritten_is_not_done_again(function: Callable[..., Any]) -> None:
    f = tracejit.function(function, on_unsupported="error")
    mine, plain = (np.append(np.linspace(0, 3, 600), 1e22) for _ in range(2))
    with tracejit.config(budget=0.3):
        f(mine)
    function(plain)
    np.testing.assert_allclose(mine, plain, rtol=1e-12)


def test_a_state_that_overwrites_itself_is_not_done_again() -> None:
    state = tracejit.shared(np.append(np.linspace(0, 3, 600), 1e22))
    expected = np.sin(state.get_value())
    tracejit.function([], [], updates=[(state, tracejit.tensor.sin(state))])()
    np.testing.assert_allclose(state.get_value(), expected, rtol=1e-13)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[(np.abs(np.sin(x)) * (x.shape[0] - 1)).astype(np.int64)],
        lambda x: np.take(np.arange(10.0), (np.abs(np.sin(x)) * 9.3).astype(np.int64)),
        lambda x: (np.arange(x.shape[0]) + 2) ** (np.abs(np.sin(x)) * 3).astype(np.int64),
    ],
    ids=["index", "take", "exponent"],
)
def test_no_refusal_for_what_is_made_of_a_far_argument(function: Callable[[Any], Any]) -> None:
    f = tracejit.function(function, on_unsupported="error")
    x = np.append(np.linspace(0, 3, 50), 1e22)
    np.testing.assert_allclose(f(x), function(x), rtol=1e-12)


def test_what_is_the_same_at_each_step_is_computed_before(made: list[Any]) -> None:
    f = tracejit.function(lambda x, t: x * np.sin(t), on_unsupported="error")
    for t in (0.5, 1e22):
        np.testing.assert_allclose(f(np.ones(700), t), np.full(700, np.sin(t)), rtol=1e-15)
    assert "near_sin" not in made[-1].source
