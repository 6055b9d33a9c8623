"""Stores come last in a loop where nothing after them reads what they write."""

from __future__ import annotations

import platform
import re

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest
from handwritten import kernel, parsed

from tracejit.cpu.compiling.order import stores_last
from tracejit.lower.kernel.statements import Assign, Store

A1 = numba.float64[::1]


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
