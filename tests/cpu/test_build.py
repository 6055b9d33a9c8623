"""Instructions of emitted source: loops, places, memory, branches, operators and constants."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from handwritten import kernel

import tracejit
from tracejit.intrinsics import elements
from tracejit.native.parameters import Array

A1, A2 = (Array(np.dtype(float), ndim, "C") for ndim in (1, 2))


@pytest.mark.parametrize("rows, columns", [(0, 3), (3, 0), (1, 1), (2, 5), (7, 3)])
def test_branches_inside_loops(rows, columns):
    entry = kernel(
        """
def entry(x0, b0):
    v0 = x0.shape[0]
    v1 = x0.shape[1]
    if v0 == 99:
        return 1
    for i0 in range(v0):
        v2 = 0.0
        for i1 in range(v1):
            v3 = x0[i0, i1]
            if v3 > 0.0:
                v2 = v2 + v3
            if v3 < -1.0:
                v2 = v2 - 10.0
        b0[i0] = v2
    return 0
""",
        A2,
        A1,
    )
    x = np.random.default_rng(rows).normal(size=(rows, columns))
    out = np.zeros(rows)
    for _ in range(3):  # references are counted right: nothing is freed
        assert entry(x, out) == 0
    want = np.where(x > 0, x, 0).sum(axis=1) - 10.0 * (x < -1).sum(axis=1)
    np.testing.assert_allclose(out, want, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 1024, 1500])
def test_blocks_cover_each_index_once(n):
    entry = kernel(
        """
def entry(b0):
    v0 = b0.shape[0]
    for i0 in blocks(v0):
        for i1 in block(i0, v0):
            b0[i1] = b0[i1] + 1.0
    return 0
""",
        A1,
    )
    out = np.zeros(n)
    assert entry(out) == 0
    assert (out == 1).all()


def test_layouts_other_than_c_go_by_strides():
    entry = kernel(
        """
def entry(x0, b0):
    for i0 in range(x0.shape[0]):
        for i1 in range(x0.shape[1]):
            b0[i0, i1] = x0[i0, i1]
    return 0
""",
        Array(np.dtype(float), 2, "A", readonly=True),
        A2,
    )
    x = np.arange(60.0).reshape(5, 12)[::-2, ::3]
    x.flags.writeable = False
    out = np.zeros(x.shape)
    entry(x, out)
    np.testing.assert_array_equal(out, x)


def test_rows_with_gaps_between_them_are_read_without_strides():
    f = tracejit.function(lambda x: (x * 2).sum(axis=1))
    wide = np.arange(60.0).reshape(5, 12)
    for x in (wide[:, 2:9], wide[::2, :5]):
        np.testing.assert_array_equal(f(x), (x * 2).sum(axis=1))
    assert f.stats.traces == 1 and "rows(x0)" in f.source(wide[:, 2:9])
    for x in (wide[:, ::2], wide[::-1, ::-1], wide):
        np.testing.assert_array_equal(f(x), (x * 2).sum(axis=1))
    assert "rows(x0)" not in f.source(wide[:, ::2])


def test_more_arrays_than_scopes():
    count = elements.SCOPES + 3
    names = [f"b{k}" for k in range(count)]
    body = "\n".join(f"        {b}[i0] = x0[i0] + {k}.0" for k, b in enumerate(names))
    head = f"def entry(x0, {', '.join(names)}):\n    for i0 in range(x0.shape[0]):\n"
    entry = kernel(f"{head}{body}\n    return 0\n", *[A1] * (count + 1))
    x, outs = np.arange(20.0), [np.zeros(20) for _ in names]
    entry(x, *outs)
    for k, out in enumerate(outs):
        np.testing.assert_array_equal(out, x + k)


def test_loops_are_compiled_without_tests_for_overlap():
    @tracejit.function
    def f(x, y):
        return x + y, x * y, x - 2 * y

    with tracejit.config(cache=False):
        x = np.arange(50.0)
        path = f.graph(x, x) and f._paths[-1]
    llvm = path.executable.entry.__self__.compiled.llvm()
    assert "vector.body" in llvm and "memcheck" not in llvm


def test_debug_5_prints_assembly_of_what_is_cached_too(capsys):
    for _ in range(2):
        f = tracejit.function(lambda x: x * 3 - 1)
        with tracejit.config(debug=5):
            f(np.ones(3))
        assert "\tret" in capsys.readouterr().err


@pytest.mark.parametrize("expression, want", [
    ("-v1", [-0.0, -1, -2]),
    ("v1 * (-2.5) + 1.0", [1, -1.5, -4]),
    ("select(v1 > 0.5, v1, 7.0)", [7, 1, 2]),
    ("select(logical_not(v1 == 1.0), inf, (-inf))", [np.inf, -np.inf, np.inf]),
    ("to_float64(float32(0.1))", [np.float64(np.float32(0.1))] * 3),
    ("to_float64((i0 << 2) + 1)", [1, 5, 9]),
    ("select(to_int8(v1) < 1, v1, 9.0)", [0, 9, 9]),
])  # fmt: skip
def test_expressions(expression, want):
    text = f"""
from math import inf
from numba import float32
from tracejit.cpu.runtime import logical_not, select, to_float64, to_int8
def entry(x0, b0):
    for i0 in range(x0.shape[0]):
        v1 = x0[i0]
        b0[i0] = {expression}
    return 0
"""
    out = np.zeros(3)
    kernel(text, A1, A1)(np.arange(3.0), out)
    assert out.tolist() == want


def test_a_mistake_in_a_run_is_a_compile_error():
    text = """
from tracejit.cpu.runtime import add
def entry(x0, b0):
    v0 = x0[0]
    v1 = add(v0, 1)
    b0[0] = v1
    return 0
"""
    with pytest.raises(numba.core.errors.TypingError, match="add is not defined"):
        kernel(text, A1, A1)


def test_programs_compile_in_few_statements():
    @tracejit.function
    def f(x):
        for k in range(60):
            x = np.sqrt(x * x + k)
        return x

    x = np.arange(4.0)
    want = x
    for k in range(60):
        want = np.sqrt(want * want + k)
    np.testing.assert_allclose(f(x), want, rtol=1e-13)
    assert f.stats.loops == 1


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint64"])
@pytest.mark.parametrize("exponent", [0, 3, 5])
def test_a_typed_constant_beside_a_plain_number(dtype: str, exponent: int) -> None:
    """The exponent has the array's dtype; the test whether it is negative compares it with 0."""
    x = np.arange(6).astype(dtype)
    f = tracejit.function(lambda x: x**exponent, on_unsupported="error")
    result, expected = f(x), x**exponent
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)
