"""Stores come last in a loop, and the test of a loop comes before it and at its end."""

from __future__ import annotations

import platform
import re
from itertools import takewhile

import llvmlite.binding as llvm
import numpy as np
import pytest
from handwritten import kernel, parsed

from tracejit.intrinsics.order import held, left_where_found, one_by_one, reads, stores_last, turned
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Call,
    Forever,
    If,
    Leave,
    Statement,
    Store,
)
from tracejit.native.parameters import Array, Number

A1 = Array(np.dtype(float), 1, "C")


def order(body: str, places: tuple[str, ...] = ()) -> str:
    """The names that statements of a loop assign, and the arrays that they write, in order."""
    lines = body.strip().splitlines()
    text = "def entry(x0, b0, b1):\n" + "".join(f"    {line.strip()}\n" for line in lines)
    statements = list(parsed(text).body.statements())
    found = stores_last(statements, places, lambda name: name.removesuffix("_flat"))
    assert sorted(map(id, found)) == sorted(map(id, statements))
    return " ".join(
        s.name if isinstance(s, Assign) else str(s.element.array)
        for s in found
        if isinstance(s, Assign | Store)
    )


def test_stores_come_last_in_their_order():
    body = """
        v0 = x0[0]
        b0[0] = v0
        v1 = x0[1]
        b1[0] = v1
        v2 = v1 + 1.0
        b0[1] = v2
    """
    assert order(body) == "v0 v1 v2 b0 b1 b0"


@pytest.mark.parametrize("read", ["b0[1]", "b0_flat[1]", "f(b0)", "x0[0] + b0[1]"])
def test_what_reads_the_array_stays_behind(read):
    assert order(f"b0[0] = 1.0\n v1 = {read}\n b1[0] = v1") == "b0 v1 b1"


def test_stores_pass_what_comes_before_a_reader():
    body = """
        b0[0] = 1.0
        v1 = x0[1]
        b1[0] = v1
        v2 = x0[2]
        v3 = b0[1]
        b0[1] = v2
        v4 = x0[3]
        b1[1] = v3
    """
    assert order(body) == "v1 v2 b0 b1 v3 v4 b0 b1"


def test_a_place_that_is_stored_is_not_changed_before():
    body = "b0[0] = v1\n v1 = x0[1]"
    assert order(body, ("v1",)) == "b0 v1"
    assert order(body.replace("= v1", "= x0[v1]"), ("v1",)) == "b0 v1"
    assert order("b0[0] = 1.0\n v1 = x0[1]", ("v1",)) == "v1 b0"


def test_other_statements_keep_their_place():
    assert order("b0[0] = 1.0\n f(x0)\n v1 = x0[1]") == "b0 v1"


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64")
    or not llvm.get_host_cpu_features().get("avx", False),
    reason="reads the assembly of x86-64 with AVX",
)
def test_neighbours_of_two_arrays_are_read_by_vectors():
    entry = kernel(
        """
def entry(x0, x1, b0, b1):
    for i0 in range(b0.shape[0]):
        v0 = x0[i0 + 1]
        v1 = x0[i0]
        v2 = v1 / v0
        v3 = x1[i0]
        v4 = v2 * v3
        b0[i0] = v4
        v5 = x1[i0 + 1]
        v6 = v5 * v2
        b1[i0] = v6
    return 0
""",
        A1,
        A1,
        A1,
        A1,
    )
    assert re.search(r"vdivpd\s.*%[yz]mm", entry.__self__.compiled.assembly())
    x, y = np.random.default_rng(0).uniform(1, 2, (2, 1001))
    found = np.zeros((2, 1000))
    assert entry(x, y, *found) == 0
    ratio = x[:-1] / x[1:]
    np.testing.assert_array_equal(found, [ratio * y[:-1], y[1:] * ratio])


WALK = """
def entry(x0, b0):
    c0 = x0.shape[0] - 1
    while True:
        v0 = c0 >= 0
        if v0:
            v1 = x0[c0]
            c1 = v1 > 0.5
        else:
            c1 = False
        if not c1:
            break
        b0[c0] = 1.0
        c0 = c0 - 1
    return 0
"""


def length_of_test(text: str, places: tuple[str, ...]) -> int:
    """Of how many statements the test is that a loop begins with, if it is to be built twice."""
    body = list(parsed(text).body.statements())
    [loop] = (s for s in body if isinstance(s, Forever))
    return turned(list(loop.statements()), places, reads(body))


def test_a_test_of_several_conditions_is_built_twice():
    assert length_of_test(WALK, ("c0", "c1")) == 3


def test_other_tests_are_built_once():
    one = WALK.replace("v1 > 0.5", "True")
    assert length_of_test(one, ("c0", "c1")) == 0  # of one condition
    assert length_of_test(WALK.replace("b0[c0] = 1.0", "b0[c0] = v1"), ("c0", "c1")) == 0
    assert length_of_test(WALK.replace("return 0", "return v0"), ("c0", "c1")) == 0
    effect = WALK.replace("v0 = c0 >= 0", "f(b0)\n        v0 = c0 >= 0")
    assert length_of_test(effect, ("c0", "c1")) == 0
    long = "".join(f"        w{k} = c0 > {k}\n" for k in range(30))
    text = WALK.replace("        v0 = c0", f"{long}        v0 = c0")
    assert length_of_test(text, ("c0", "c1")) == 0
    assert (
        length_of_test(
            WALK.replace("if not c1:", "if c0 > 9:\n            return 1\n        if not c1:"),
            ("c0", "c1"),
        )
        == 4
    )


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_a_loop_with_its_test_at_the_end_takes_the_same_steps(n):
    entry = kernel(WALK, A1, A1)
    for k in range(n + 1):
        x, found = np.ones(n), np.zeros(n)
        x[:k] = 0.25
        assert entry(x, found) == 0
        want = len(list(takewhile(lambda v: v > 0.5, x[::-1])))
        assert found.tolist() == [0.0] * (n - want) + [1.0] * want


def test_a_test_may_leave_the_function():
    text = WALK.replace(
        "v1 = x0[c0]", "v1 = x0[c0]\n            if v1 < 0.0:\n                return 7"
    )
    entry = kernel(text, A1, A1)
    for x in (np.array([-1.0, 1.0, 1.0]), np.array([1.0, 1.0, -1.0])):
        found = np.zeros(3)
        assert entry(x, found) == 7
        assert found.tolist() == ([0.0, 1.0, 1.0] if x[0] < 0 else [0.0, 0.0, 0.0])


# Loops that a branch leaves ----------------------------------------------------------------------

FIND = """
from tracejit.cpu.runtime import logical_and, logical_not, to_float64
def entry(x0, b0, n):
    v9 = x0.shape[0]
    v8 = n < v9
    if logical_not(v8):
        return 5
    c0 = 0
    c1 = False
    c3 = 0.0
    while True:
        v0 = c0 < n
        v1 = logical_not(c1)
        v2 = logical_and(v0, v1)
        if not v2:
            break
        v3 = c0 < v9
        if logical_not(v3):
            return 7
        v4 = x0[c0]
        v5 = v4 > 0.5
        if v5:
            c2 = True
            c4 = v4
        else:
            c2 = c1
            c4 = c3
        v6 = c0 + 1
        if v4 < 0.0:
            return 6
        c0 = v6
        c1 = c2
        c3 = c4
    b0[0] = c3
    b0[1] = to_float64(c0)
    return 0
"""
PLACES = ("c0", "c1", "c2", "c3", "c4")
COUNT = Number(np.dtype(np.int64))


def loop_of(text: str) -> list[Statement]:
    [loop] = (s for s in parsed(text).body.statements() if isinstance(s, Forever))
    return list(loop.statements())


def test_a_break_is_where_its_branch_is():
    loop = loop_of(FIND)
    assert held(loop[:4], PLACES) == [Binary("<", "c0", "n")]
    left = left_where_found(loop, 4, PLACES)
    [before] = (s for s in loop if isinstance(s, If) and s.otherwise is not None)
    [after] = (s for s in left if isinstance(s, If) and s.otherwise is not None)
    k = loop.index(before)
    assert [*left[:k], *left[k + 1 :]] == [*loop[:k], *loop[k + 1 :]]
    assert after.body[:2] == before.body and isinstance(after.body[-1], Leave)
    assert after.body[2:-1] == loop[k + 1 :]
    assert (after.test, after.otherwise) == (before.test, before.otherwise)


@pytest.mark.parametrize(
    "old, new",
    [
        ("c2 = True", "c2 = v5"),  # it may be false
        ("c2 = True", "c2 = True\n            if v4 > 9.0:\n                c2 = False"),
        ("v1 = logical_not(c1)", "v1 = c1"),  # the loop goes on while it is true
        ("v6 = c0 + 1", "b0[c0] = v4\n        v6 = c0 + 1"),  # an effect comes after it
        ("c1 = c2", "c1 = c2\n        c2 = False"),
        ("v0 = c0 < n", "v0 = c0 < n\n        c3 = 1.0"),  # the test changes what lives on
        ("c1 = c2", "c1 = False"),
    ],
)
def test_other_branches_go_on(old, new):
    loop = loop_of(FIND.replace(old, new))
    count = 1 + next(k for k, s in enumerate(loop) if isinstance(s, If))
    assert left_where_found(loop, count, PLACES) is loop


def test_what_a_test_does_not_say_is_not_assumed():
    assert (
        held(loop_of(FIND.replace("logical_and(v0, v1)", "logical_or(v0, v1)"))[:4], PLACES) == []
    )
    # A name of the test's own has another value where the test is done again.
    assert (
        held(loop_of(FIND.replace("v0 = c0 < n", "v7 = c0 + 1\n        v0 = v7 < n"))[:5], PLACES)
        == []
    )


def test_a_test_that_changes_a_place_is_left_as_it_is():
    text = FIND.replace("v1 = logical_not(c1)", "c0 = c0 + 1\n        v1 = logical_not(c1)")
    test = loop_of(text)[:5]
    assert held(test, PLACES) == []
    assert one_by_one(test, PLACES) is test


def test_conditions_are_tested_one_by_one():
    test = loop_of(FIND)[:4]
    first, second = one_by_one(test, PLACES)[3:]
    assert isinstance(first, If) and isinstance(second, If)
    assert first.test == Call("logical_not", (Binary("<", "c0", "n"),)) and second.test == "c1"
    assert first.body == second.body == test[3].body


def test_loops_that_are_left_give_what_they_gave():
    entry = kernel(FIND, A1, A1, COUNT)
    found = np.zeros(2)
    dice = np.random.default_rng(3)
    for _ in range(200):
        x = dice.uniform(-0.02, 0.55, 20)
        n = int(dice.integers(-1, 22))
        steps = x[: max(n, 0)]
        bad = next((k for k, v in enumerate(steps) if v < 0), 99)
        hit = next((k for k, v in enumerate(steps) if v > 0.5), 99)
        found[:] = -1
        code = entry(x, found, n)
        if n >= 20:
            assert code == 5
        elif bad < hit:
            assert code == 6 and found.tolist() == [-1, -1]
        else:
            want = [x[hit], hit + 1] if hit < 99 else [0.0, len(steps)]
            assert code == 0 and found.tolist() == want


def test_a_bound_that_the_loops_test_implies_is_not_tested():
    llvm = kernel(FIND, A1, A1, COUNT).__self__.compiled.llvm()
    codes = [code for code in (5, 6, 7) if re.search(rf"\bi64 .*\b{code}\b", llvm)]
    assert 5 in codes and 6 in codes and 7 not in codes


def test_an_inner_loop_of_scalars_begins_with_a_line_of_code():
    assert re.search(r"\.p2align\s+6\b", kernel(WALK, A1, A1).__self__.compiled.assembly())
