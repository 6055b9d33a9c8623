"""Lists and dicts of the caller's that a compiled function changes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.arange(6.0)


def element(box, x):
    box[0] = box[0] + x
    box[1] += x
    return box[0].sum()


def swapped(box, x):
    box[0], box[1] = box[1], box[0]
    return box


def of_dict(box, x):
    box["u"] = box["u"] * 2
    box["new"] = x.sum()
    box["x"] = x
    return box["u"]


def nested(box, x):
    box["inner"][0] = x * 2
    box["k"] += 1
    return box["inner"]


def appended(box, x):
    box.append(x + 1)
    return len(box)


def grown_in_a_loop(box, x):
    for v in x:
        if v > 1:
            box.append(v)
    return box


def in_a_loop(box, x):
    for k in range(len(x)):
        box["u"] = box["u"] * 0.5 + x[k]
        box["n"] = box["n"] + 1
        box["s"] += x[k]
    return box["u"].sum()


def in_a_branch(box, x):
    for k in range(len(x)):
        if x[k] > 2:
            box[0] = box[0] + x[k]
        else:
            box[1] = k
    return box[1]


def of_its_own(box, x):
    state = {"best": 0.0, "at": -1}
    for k in range(len(x)):
        if x[k] > state["best"]:
            state["best"] = x[k]
            state["at"] = k
    return state, state["at"]


CASES = [
    (element, [X * 2, X.copy()]), (swapped, [X * 2, X.copy()]), (of_dict, {"u": X * 2}),
    (nested, {"inner": [X], "k": 1}),
    (in_a_loop, {"u": X * 2, "n": 0, "s": 0.0}),
    (in_a_branch, [0.0, 1]), (of_its_own, None),
]  # fmt: skip


def held(value: Any) -> Any:
    """What a container holds, with classes."""
    if isinstance(value, dict):
        return dict, [(k, held(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [held(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tolist()
    return type(value), value


@pytest.mark.parametrize(("program", "box"), CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_as_in_python(program: Any, box: Any) -> None:
    f = tracejit.function(program)
    for n in (6, 6, 5):
        ours, theirs = copy.deepcopy(box), copy.deepcopy(box)
        x, y = np.tile(X, 10)[: 10 * n], np.tile(X, 10)[: 10 * n]
        if program in (element, of_dict, in_a_loop):
            x, y = X.copy(), X.copy()
        assert held(f(ours, x)) == held(program(theirs, y))
        assert held(ours) == held(theirs)
        assert np.array_equal(x, y)
    assert f.stats.fallbacks == 0


def test_whose_arrays_they_hold() -> None:
    def f(box, x):
        box[0] = x
        box[1] = box[1] + 1
        return box, box[1]

    g = tracejit.function(f)
    for _ in range(2):
        box, x = [X.copy(), X.copy()], X.copy()
        old = box[0]
        result, second = g(box, x)
        assert result is box and box[0] is x and box[1] is second and box[0] is not old
    assert g.stats.fallbacks == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_what_they_hold_and_a_loop_returns_is_one_array(sign: int) -> None:
    def f(box: dict[str, Any], x: np.ndarray) -> Any:
        y = x * 2
        box["u"] = y
        for k in range(len(x)):
            if x[k] > 0:
                return y
        return None

    box: dict[str, Any] = {"u": 0}
    result = tracejit.function(f, on_unsupported="error")(box, sign * X)
    assert (result is box["u"]) == (sign == 1)
    np.testing.assert_array_equal(box["u"], sign * 2 * X)


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("program", [appended, grown_in_a_loop])
def test_a_list_of_the_callers_that_grows_is_numpys(program: Any) -> None:
    """Each call would find another structure."""
    g = tracejit.function(program, on_unsupported="warn")
    ours, theirs = [1.5], [1.5]
    for _ in range(3):
        assert held(g(ours, X)) == held(program(theirs, X))
        assert held(ours) == held(theirs)
    assert g.stats.fallbacks == 3 and not g.stats.traces


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
def test_one_container_twice() -> None:
    def f(a, b, x):
        a[0] = a[0] + x
        return b[0] * 2

    g = tracejit.function(f, on_unsupported="warn")
    for same in (False, False, True, False):
        ours, theirs = [X.copy()], [X.copy()]
        one, other = (ours if same else [X.copy()]), (theirs if same else [X.copy()])
        assert held(g(ours, one, X)) == held(f(theirs, other, X))
        assert held((ours, one)) == held((theirs, other))
    assert g.stats.fallbacks == 1


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
def test_what_raises_half_way() -> None:
    def f(box, x, k):
        box["a"] = x * 2
        x[k] = 7
        box["b"] = x * 3

    g = tracejit.function(f, on_unsupported="warn")
    for k in (2, 2, 99, 3):
        ours, theirs, x, y = {}, {}, X.copy(), X.copy()
        for function, box, array in ((g, ours, x), (f, theirs, y)):
            try:
                function(box, array, k)
            except IndexError:
                assert k == 99
        assert held(ours) == held(theirs) and np.array_equal(x, y)


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
def test_keys_taken_out_are_pythons() -> None:
    def f(box, x):
        del box["u"]
        box["u"] = x * 2
        return x + 1

    g = tracejit.function(f, on_unsupported="warn")
    for _ in range(2):
        ours, theirs = {"u": X * 1, "v": 1}, {"u": X * 1, "v": 1}
        assert held(g(ours, X)) == held(f(theirs, X))
        assert held(ours) == held(theirs)
