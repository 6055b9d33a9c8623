"""Runs of statements become one intrinsic each, but for what Numba itself must see."""

from __future__ import annotations

import ast

import numba
import numpy as np
import pytest
from test_flatten import compiled

import tracejit
from tracejit.cpu.compiling import flatten

A1, A2 = numba.float64[::1], numba.float64[:, ::1]


def shape_of(text):
    """The statements that Numba gets for a source, runs shown by their calls."""
    module = ast.parse(text)
    function = module.body.pop()
    namespace = {}
    exec(compile(module, "<test>", "exec"), namespace)
    flatten._Flattener(function, namespace).run()
    body = flatten.grouped(function.body, flatten.reads(function), namespace, [0])
    return [ast.unparse(ast.fix_missing_locations(s)).splitlines()[0] for s in body]


def test_a_kernel_is_one_call_between_its_checks_and_its_return():
    text = """
def entry(x0, b0):
    v0 = x0.shape[0]
    if v0 == 1:
        return 1
    for i0 in range(v0):
        v1 = x0[i0]
        v2 = v1 * 2.0
        b0[i0] = v2
    return 0
"""
    assert shape_of(text) == [
        "v0 = length_0(x0)",
        "if v0 == 1:",
        "body_1(v0, x0, b0)",
        "return 0",
    ]
    out = np.zeros(3)
    assert compiled(text, A1, A1)(np.arange(3.0), out) == 0
    assert out.tolist() == [0, 2, 4]


def test_a_loop_around_a_statement_of_numbas_is_opened_and_closed_alone():
    """A run that left a loop open could not give what it has computed before the loop."""
    text = """
from tracejit.cpu.runtime import add
def entry(x0, b0):
    v0 = x0.shape[0]
    v1 = v0 + 1
    for i0 in range(v0):
        v2 = x0[i0, 0]
        v3 = v2 + 1.0
        b0[i0, :] = v3
    v4 = v1 * 2
    v5 = v4 + v1
    return v5
"""
    assert shape_of(text) == [
        "body_1_out = body_1(x0)",
        "v0 = body_1_out[0]",
        "v1 = body_1_out[1]",
        "i0 = loop_range(v0)",
        "v3 = body_2(x0, i0)",
        "b0[i0, :] = v3",
        "loop_end()",
        "v5 = body_3(v1, x0, b0)",
        "return v5",
    ]
    out = np.zeros((3, 2))
    assert compiled(text, A2, A2)(np.arange(6.0).reshape(3, 2), out) == 12
    assert out.tolist() == [[1, 1], [3, 3], [5, 5]]


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
    compiled(text, A1, A1)(np.arange(3.0), out)
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
        compiled(text, A1, A1)


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
