"""Programs divided at host calls, as strangers write them."""

from __future__ import annotations

import linecache
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedWarning
from tracejit.call import slow

X = np.random.default_rng(1).random((4, 3))


def both(f: Callable[..., Any], *args: Any, calls: int = 2) -> tuple[Any, Any]:
    """What the plain function gives, and what the compiled one gives at its last call."""
    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        want = f(*args)
        for _ in range(calls):
            got = g(*args)
    return got, want


def halves(x: Any, n: int) -> Iterator[Any]:
    for k in range(n):
        x = x * 0.5 + k
        print(end="")
        yield x


def over_generator(x: Any) -> Any:
    t = 0
    for a in halves(x, 4):
        t = t + a.sum()
        print(end=f"{float(t):.0f}"[:0])
    return t


def test_the_last_statement_of_a_segment_is_a_host_call() -> None:
    got, want = both(over_generator, X)
    np.testing.assert_allclose(got, want)


def rows(x: Any, n: int) -> Any:
    print(end="")
    return x.reshape(n, -1)


def caught(x: Any) -> Any:
    y = x * 2
    found = []
    try:
        print(end="")
        y = y.reshape(7, -1)
    except ValueError as error:
        found.append((type(error), str(error)))
    try:
        rows(y, 5)
    except ValueError as error:
        found.append((type(error), str(error)))
    return y, found


def test_a_handler_around_a_segment_sees_what_numpy_raises() -> None:
    got, want = both(caught, X)
    np.testing.assert_allclose(got[0], want[0])
    assert got[1] == want[1]


def test_what_a_segment_raises_names_the_line() -> None:
    g = tracejit.function(rows, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        g(X, 4)
        for _ in range(2):
            with pytest.raises(ValueError, match="into shape") as raised:
                g(X, 5)
    assert type(raised.value) is ValueError
    assert "operands: x float64[4, 3]" in raised.value.__notes__[0]


def appended(x: Any, seen: list[Any]) -> Any:
    for k in range(3):
        y = np.sin(x) * k
        seen.append(y.sum())
        y += 1
    return y, list(seen)


def test_a_list_of_the_caller_that_grows_costs_the_statements_about_it() -> None:
    g = tracejit.function(appended, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(2):
            mine: list[Any] = [0.0]
            plain: list[Any] = [0.0]
            got, want = g(X, mine), appended(X, plain)
            np.testing.assert_allclose(got[0], want[0])
            np.testing.assert_allclose(mine, plain)
            np.testing.assert_allclose(got[1], want[1])
    assert "compiled, 1 traces" in g.explain()


def many(name: str, line: str, n: int) -> Any:
    """A function of `n` host calls."""
    lines = [f"def {name}(x):", "    r = []"]
    for k in range(n):
        lines += [f"    y{k} = x + {k}", line.format(k=k), f"    r.append(y{k}.sum())"]
    text = "\n".join([*lines, "    return r", ""])
    file = f"<{name}>"
    linecache.cache[file] = len(text), None, text.splitlines(True), file
    names: dict[str, Any] = {}
    exec(compile(text, file, "exec"), names)
    return names[name]


@pytest.mark.parametrize(
    ("line", "n"), [("    print(end='')", 90), ("    q{k} = bytes(y{k}.data)", 30)]
)
def test_host_calls_may_be_many(line: str, n: int) -> None:
    with tracejit.config(compile=False):
        got, want = both(many("f", line, n), X)
    np.testing.assert_allclose(got, want)


def logged(state: dict[str, Any], x: Any) -> Any:
    y = np.sin(x) + state["steps"]
    state["steps"] += 1
    state["log"].append(y.sum())
    return y * state["steps"]


def test_a_structure_that_grows_from_call_to_call_is_not_traced_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = []
    new_path = slow._new_path
    monkeypatch.setattr(slow, "_new_path", lambda *args: traced.append(args) or new_path(*args))
    g = tracejit.function(logged, on_unsupported="warn")
    mine: dict[str, Any] = {"steps": 0, "log": []}
    plain: dict[str, Any] = {"steps": 0, "log": []}
    with warnings.catch_warnings(), tracejit.config(compile=False):
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(60):
            np.testing.assert_allclose(g(mine, X), logged(plain, X))
    assert mine["steps"] == plain["steps"]
    np.testing.assert_allclose(mine["log"], plain["log"])
    assert len(traced) < 40
    assert "divided" in g.explain() or "compiled, 1 traces" in g.explain()


class Kept:
    def __init__(self) -> None:
        self.x, self.lists = np.arange(4.0), {"sums": [0.0]}

    def step(self, by: float) -> Any:
        self.lists["sums"].append(self.x.sum())
        self.shift(by)
        return self.x * 2

    def shift(self, by: float) -> None:
        self.x -= by
        self.lists["sums"].append(by)


def test_a_method_of_what_is_inside_is_of_that_object() -> None:
    g = tracejit.function(Kept.step, on_unsupported="warn")
    mine, plain = Kept(), Kept()
    with warnings.catch_warnings(), tracejit.config(compile=False):
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(3):
            np.testing.assert_allclose(g(mine, 0.5), plain.step(0.5))
            np.testing.assert_allclose(mine.lists["sums"], plain.lists["sums"])


NOTED: list[str] = []


def noted(v: Any) -> int:
    NOTED.append(f"{v:.2f}")
    return len(NOTED)


def several_in_one(x: Any) -> Any:
    a = noted(x[0, 0] * 1.5) * noted(x[1, 1]) + noted(x[2, 2] + x[0, 1]) * x[0]
    return noted(x[0, 0]), noted(x[0, 1] * 2), a - noted(x[0, 2])


def test_host_calls_of_one_statement_have_names_apart() -> None:
    """What a part of a part names is no name of the part's."""
    g = tracejit.function(several_in_one, on_unsupported="warn")
    with warnings.catch_warnings(), tracejit.config(compile=False):
        warnings.simplefilter("ignore", UnsupportedWarning)
        for _ in range(3):
            NOTED.clear()
            want, texts = several_in_one(X), [*NOTED]
            NOTED.clear()
            got = g(X)
            assert texts == NOTED
            assert got[:2] == want[:2]
            assert [type(v) for v in got] == [type(v) for v in want]
            np.testing.assert_allclose(got[2], want[2])
