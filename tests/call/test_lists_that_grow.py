"""Lists that loops make longer, comprehensions with filters, lists by index: compiled."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tracejit

X = np.arange(50.0) - 20
ROWS = np.arange(60.0).reshape(12, 5)


def shown(value: Any) -> Any:
    """A value with the class of each of its parts."""
    if isinstance(value, (list, tuple)):
        return type(value), [shown(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tolist()
    return type(value), value


def every_step(x):
    out = []
    for i in range(len(x)):
        out.append(x[i] * 2)
    return np.array(out) + x, len(out), out


def some_steps(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v * 2)
    return np.array(out), len(out), out[-1], out[2], sum(out)


def filtered(x):
    return [v * 2 for v in x if v > 0], [k for k, v in enumerate(x) if v > 3 if k % 2]


def of_comprehension(x):
    items = [v * 2 for v in x if v > 0]
    return sum(items), max(items), min(items), any(items), items[-1], np.mean(items), items


def whole_numbers(x):
    out = []
    for i in range(len(x)):
        if x[i] > 3:
            out.append(i)
    return out, x[np.array(out)], np.array(out)


def by_condition(x):
    out, k = [], int(x[-1]) + 70
    while k > 1:
        out.append(k)
        k = k // 2 if k % 2 == 0 else 3 * k + 1
    return out, np.array(out), len(out)


def rows(a):
    out = []
    for row in a:
        out.append(row * 2)
    return np.array(out), np.stack(out), np.concatenate(out), np.vstack(out), np.stack(out, 1), out


def history(a):
    u = a[0].copy()
    out = [u.copy()]
    for _ in range(30):
        u = u * 0.5 + 1
        out.append(u)
    return u, np.array(out)


def by_the_last(x):
    out = [0.0]
    for v in x:
        out.append(out[-1] * 0.5 + v)
    return np.array(out), out


def fibonacci(x):
    out = [0, 1]
    for k in range(2, len(x)):
        out.append(out[k - 1] + out[-2])
    return out


def pairs(x):
    out = []
    for i in range(len(x)):
        for j in range(i):
            if x[i] + x[j] == 3:
                out.append((i, j, x[i]))
    return out, len(out)


def triangle(x):
    out = []
    for i in range(len(x)):
        for j in range(i):
            out.append(x[i] * x[j])
    return np.array(out)


def rectangle(x):
    out = []
    for i in range(len(x)):
        for j in range(4):
            out.append(x[i] * j)
    return np.array(out).reshape(len(x), 4), len(out)


def inside(x):
    out = []
    for i in range(len(x)):
        row = []
        for j in range(len(x)):
            if x[j] < x[i]:
                row.append(x[j])
        out.append(len(row))
        if row:
            out.append(sum(row))
    return out


def of_two_classes(x):
    out = []
    for v in x:
        if v > 0:
            out.append(v)
        else:
            out.append(0)
    return out, np.array(out)


def gone_over(x):
    out = [v for v in x if v > 0]
    s = 0.0
    for k, v in enumerate(out):
        s += k * v
    return s, [w + 1 for w in out], np.sum(out), np.sqrt(out)


def generators(x):
    return (
        sum(v for v in x if v > 0),
        any(v > 5 for v in x if v < 0),
        all(v > 5 for v in x if v > 10),
        max(v for v in x if v < 0),
    )


def stack_of_numbers(x):
    stack, n = [0], 0
    while stack and n < 100:
        v = stack[-1]
        n += 1
        if v < x[-1]:
            stack.append(v + 1)
        else:
            break
    return n, stack


def stack_emptied(x):
    stack, steps = [], 0
    for v in x:
        while stack and stack[-1] > v:
            stack.pop()
            steps += 1
        stack.append(v)
    return stack, steps


def table(x):
    ways = [0] * 31
    ways[0] = 1
    for coin in (1, 2, 5):
        for k in range(coin, 31):
            ways[k] += ways[k - coin]
    return ways


def extended(x):
    out = []
    for v in x:
        if v > 0:
            out.extend([v, v * 2])
        out += [v]
    return np.array(out)


def nested(x):
    products = [a * b for a in x for b in (1, 2) if a > b]
    return products, [a for a, b in zip(x, x[1:] * 2, strict=False) if a * b < 9]


def truth_values(x):
    out, other = [], []
    for v in x:
        out.append(v > 0)
        other.append(bool(v > 0))
    return np.array(out), other, out


def nothing_at_all(x):
    out = []
    for v in x:
        if v > 1000:
            out.append(v)
    return out, np.array(out), len(out), sum(out), not out


def push(out, v):
    if v > 0:
        out.append(v)


def by_another_function(x):
    out = []

    def push_double(v):
        out.append(v * 2)

    for v in x:
        push(out, v)
        push_double(v)
    return np.array(out)


def until(x):
    out = []
    for v in x:
        if v > 4:
            break
        if v < -4:
            continue
        out.append(v)
    return out


def two_lists(x):
    up, down = [], []
    for v in x:
        if v > 3:
            up.append(v)
        elif v < -3:
            down.append(-v)
    return np.array(up), np.array(down), len(up) - len(down)


def longer_again(x):
    out = [v for v in x if v > 0]
    for v in x:
        out.append(v)
    out.append(0)
    return out


def parts(x):
    out = [v for v in x if v > 0]
    return out[:3], out[-2:], sum(out[1:]), out[::-1], np.array(out[::2]), max(out, default=0)


PROGRAMS = [
    (every_step, X), (some_steps, X), (filtered, X), (of_comprehension, X), (whole_numbers, X),
    (by_condition, X), (rows, ROWS), (history, ROWS), (by_the_last, X), (fibonacci, X), (pairs, X),
    (triangle, X), (rectangle, X), (inside, X[:20]), (of_two_classes, X), (gone_over, X),
    (generators, X), (stack_of_numbers, X), (stack_emptied, np.sin(X)), (table, X), (extended, X),
    (nested, X), (truth_values, X), (nothing_at_all, X), (by_another_function, X), (until, X),
    (two_lists, X), (longer_again, X), (parts, X),
]  # fmt: skip


@pytest.mark.parametrize(("program", "x"), PROGRAMS, ids=lambda p: getattr(p, "__name__", ""))
def test_compiled(program: Any, x: Any) -> None:
    f = tracejit.function(program)
    for values in (x, x, x[:-1]):
        assert shown(f(values.copy())) == shown(program(values.copy()))
    assert f.stats.fallbacks == 0


def test_a_filtered_sum_keeps_its_start() -> None:
    def total(x):
        return sum(v for v in x if v > 100)

    f = tracejit.function(total)
    assert shown(f(X)) == shown(0)
    assert f.stats.fallbacks == 0


def test_no_loop_of_python_is_left() -> None:
    """What is appended at each step is one loop, into the array that is made of it."""
    source = tracejit.function(every_step).source(X)
    assert source.count("for ") <= 2


# What NumPy does otherwise ------------------------------------------------------------------------


def changed_later(a):
    u, out = a[0].copy(), []
    for k in range(20):
        u[0] = k
        out.append(u)
    return np.array(out)


def changed_at_the_end(a):
    out = []
    for row in a:
        out.append(row)
    a[0] = 9
    return np.array(out)


def one_array_twice(a):
    u, out = a[0], []
    for _ in range(20):
        u = u * 2
        out.append(u)
    return u, out


def grows_as_it_is_gone_over(x):
    out = [v for v in x if v > 0]
    for v in out:
        if len(out) < 60:
            out.append(v)
    return out


def of_several_shapes(x):
    out = []
    for k in range(len(x)):
        out.append(x[:k])
    return out


def of_none(x):
    out = []
    for v in x:
        out.append(None if v > 0 else v)
    return out


def without_any(x):
    return max(v for v in x if v > 1000)


def beyond(x):
    out = [v for v in x if v > 0]
    s = 0.0
    for k in range(len(x)):
        s += out[k]
    return s


def large(x):
    out, n = [], len(x)
    for _ in range(len(x)):
        n = n * 3
        out.append(n)
    return out


NUMPYS = [
    (changed_later, ROWS), (changed_at_the_end, ROWS), (one_array_twice, ROWS),
    (grows_as_it_is_gone_over, X), (of_several_shapes, X), (of_none, X), (without_any, X),
    (beyond, X), (large, X),
]  # fmt: skip


@pytest.mark.parametrize(("program", "x"), NUMPYS, ids=lambda p: getattr(p, "__name__", ""))
@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
def test_what_differs_is_numpys(program: Any, x: Any) -> None:
    f = tracejit.function(program, on_unsupported="warn")
    for _ in range(2):
        given, other = copy.deepcopy(x), copy.deepcopy(x)
        try:
            want = program(given)
        except (IndexError, ValueError) as error:
            with pytest.raises(type(error)):
                f(other)
            continue
        got = f(other)
        assert shown(got) == shown(want)
        assert np.array_equal(given, other)
        if program is one_array_twice:
            assert got[0] is got[1][-1]


def kept_or_new(x, c):
    found, a = [], x.copy()
    for k in range(len(c)):
        if c[k] > 0:
            a = a + c[k]
        found.append(a)
    return found


def new_ones(x, c):
    found, a = [], x.copy()
    for k in range(len(c)):
        found.append(a)
        a = a + c[k]
    return found


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("f, compiles", [(kept_or_new, False), (new_ones, True)])
def test_elements_may_be_one_array(f: Any, compiles: bool) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    x, c = np.arange(4.0), np.array([-1.0, -2, 1, -1, 2, -1, -1, -1, -1, -1])
    got, want = g(x, c), f(x, c)
    np.testing.assert_array_equal(got, want)
    assert [[a is b for a in got] for b in got] == [[a is b for a in want] for b in want]
    assert (g.stats.fallbacks == 0) == compiles


def test_an_element_of_a_list_of_nothing() -> None:
    """Its length is tested in a loop as outside, also where it is traced again."""

    def f(x, y):
        for _ in range(len(x)):
            y[0] += [v for v in x if v > x.max()][0]  # noqa: RUF015

    g = tracejit.function(f, on_unsupported="warn")
    with pytest.raises(IndexError, match="list index out of range"):
        g(np.arange(9.0), np.ones(3))


def grown_under_two_names(x):
    a = b = []
    for v in x:
        a.append(v)
    return a, b


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize(
    "f", [grown_under_two_names, lambda x: [[0] * 2] * 2, lambda x: ({"a": x}, [x]) * 2]
)
def test_one_container_in_two_places_is_pythons(f: Any) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    got = g(np.arange(3.0))
    assert got[0] is got[len(got) // 2] and repr(got) == repr(f(np.arange(3.0)))
    assert g.stats.fallbacks == 1
