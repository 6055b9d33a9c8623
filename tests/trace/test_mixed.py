"""Numbers that are Python's or NumPy's by which way a branch went."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tracejit


def largest_step(x):
    err = 0.0
    for i in range(1, len(x)):
        d = x[i] - x[i - 1]
        if d > err:
            err = d
    return err


def largest(x):
    best = 0
    for i in range(len(x)):
        if x[i] > best:
            best = x[i]
    return best


def largest_by_max(x):
    best = 0.0
    for i in range(len(x)):
        best = max(best, abs(x[i]), x[i] * 2)
    return best


def smallest(x):
    return min(x[0], 1, x[1]), min(3.5, x[0])


def conditional(x):
    return (1.5 if x[0] > 0 else x[1]), [2 if x[0] > 1 else x[2]]


def computed(x):
    s = 0.0
    if x[0] > 0:
        s = x[1]
    return s * 2 + 1, 1 - s, -s, s > 0.5, s == x[1], abs(s), np.sqrt(s * s), s + x, np.float64(s)


def whole_computed(x):
    s = 3
    if x[0] > 0:
        s = x[1]
    return s > 2, s >= 2, s == x[1], s


def written(x):
    s = 0.0
    if x[0] > 0:
        s = x[1]
    x[2] = s
    x += s
    x.fill(s)
    x[x > 1] = s
    return s


def truths(x):
    t = x[0] > 0 and x[1] > 0 and len(x) > 2
    u = x[0] > 0 or False
    v = not (x[0] > 1 or len(x) > 5)
    if t or u:
        x[0] = 7
    return t, u, v


def nested(x):
    low, high = 0.0, 0
    for i in range(len(x)):
        for value in (x[i], -x[i]):
            if value > high:
                low = value if value > 2.0 else 0.25
                high = value
    return low, high


def sided(x):
    if x[0] > 0:
        a, b = 1, x[1]
    else:
        a, b = x[2], 2.0
    return a, b


def while_loop(x):
    k, s = 0, 0
    while k < len(x) and s < 4:
        s += x.max()
        k += 1
    return s


def by_functions(x):
    best, k = 0.0, 1
    for value in x:
        if value > best:
            best = value
    if x[1] > 1:
        k = x[2]
    out = np.zeros(len(x), x.dtype)
    np.add(x, best, out=out, casting="unsafe")
    return (
        np.add(x, best), np.maximum(x, best), np.maximum(best, x), np.where(x > best, x, best),
        np.clip(x, -1, best), np.dot(x, best), np.multiply(x, best, dtype=float), out,
        np.full(3, best), np.full((2, 2), best, "f"), np.sqrt(best), np.minimum(best, k),
        np.where(x > 0, best, k),
    )  # fmt: skip


FLOATS, NUMBERS = ("float64", "float32"), ("float64", "float32", "int64")


#: The others may meet an integer that outgrows what is known of it.
def integers(x):
    s = 0
    if x[0] > 0:
        s = x[1]
    return s + 1


PROGRAMS = {
    integers: ("int64", "float64"),
    largest_step: NUMBERS, largest: NUMBERS, largest_by_max: NUMBERS, smallest: NUMBERS,
    conditional: NUMBERS, computed: ("float64",), whole_computed: NUMBERS, written: ("float64",),
    truths: NUMBERS, nested: FLOATS, by_functions: ("float64",), sided: NUMBERS, while_loop: FLOATS,
}  # fmt: skip
CASES = [(program, dtype) for program, dtypes in PROGRAMS.items() for dtype in dtypes]
VALUES = (
    [1, 3, 2, 2**61 + 1], [3, 2, 1, 0], [-3, 1, 1, 0], [-1, -4, -2, 0], [2, 2, 2, 2], [0, 0, 0, 0],
)  # fmt: skip


@pytest.mark.parametrize("compiling", [False, True], ids=["interpreted", "compiled"])
@pytest.mark.parametrize(("program", "dtype"), CASES)
def test_values_and_classes(program: Any, dtype: str, compiling: bool) -> None:
    f = tracejit.function(program)
    with tracejit.config(compile=compiling):
        for values in VALUES:
            mine, own = np.array(values, dtype), np.array(values, dtype)
            assert shown(f(mine)) == shown(program(own))
            np.testing.assert_array_equal(mine, own)
    assert f.stats.traces == 1 and not f.stats.fallbacks


def shown(value: Any) -> Any:
    """A result with the classes of its numbers."""
    if isinstance(value, tuple | list):
        return [type(value), *map(shown, value)]
    return type(value), repr(value)


def into_halves(x):
    s = 0.1
    if x[0] > 0:
        s = x[1]
    return x.astype(np.float32) * s


def asked(x):
    s = 0.1
    if x[0] > 0:
        s = x[1]
    return isinstance(s, np.float64), x


REFUSED = [
    (into_halves, "another type", np.arange(3.0)),
    (asked, "class float or np.float64", np.arange(3.0)),
]


@pytest.mark.parametrize(
    ("program", "reason", "x"), REFUSED, ids=lambda p: getattr(p, "__name__", "")
)
def test_what_depends_on_the_class_is_numpys(
    program: Any, reason: str, x: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("tracejit.call.slow.log", said.append)
    f = tracejit.function(program, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning), tracejit.config(debug=1):
        assert shown(f(x)) == shown(program(x))
    assert re.search(reason, "\n".join(said))


def left_out(x, n):
    s = 1
    for i in range(0, n, 2):
        if x[0] == x[-2]:
            continue
        s -= x[i - 1]
    return s


def test_a_step_by_itself_is_done_once() -> None:
    """The first step, after which the number has parts: the loop begins anew with their places."""
    f = tracejit.function(left_out)
    for n in (6, 6, 7):
        x = np.arange(float(n))
        assert shown(f(x, n)) == shown(left_out(x, n))
    assert f.stats.fallbacks == 0


def test_an_integer_of_either_class_is_an_index():
    """As where a set's representative is followed from a number of Python's on."""

    def root(parent, i):
        while parent[i] != i:
            i = parent[i]
        return i

    def count(parent):
        sets = 0
        for i in range(len(parent)):
            r = i
            while parent[r] != r:
                r = parent[r]
            if r == i:
                sets += 1
        return sets

    parent = np.array([0, 0, 1, 2, 2, 5, 5])
    followed = tracejit.function(root, on_unsupported="error")
    counted = tracejit.function(count, on_unsupported="error")
    for start in (0, 4, 6, 3):
        assert repr(followed(parent, start)) == repr(root(parent, start))
    assert counted(parent) == count(parent) == 2
    with pytest.raises(IndexError):
        followed(parent, 7)
