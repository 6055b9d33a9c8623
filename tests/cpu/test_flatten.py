"""Emitted source as Numba gets it: loops, places and memory are calls, and nothing dies early."""

from __future__ import annotations

import ast

import numba
import numpy as np
import pytest

import tracejit
from tracejit.cpu.compiling import flatten
from tracejit.cpu.compiling.callwrapper import njit, python_callable
from tracejit.intrinsics import structure

A1, A2 = numba.float64[::1], numba.float64[:, ::1]


def flattened(text):
    """The body of a function, flattened, as text."""
    module = ast.parse(text)
    function = module.body[-1]
    namespace = {"radd": __import__("tracejit.cpu.runtime", fromlist=["radd"]).radd}
    flatten._Flattener(function, namespace).run()
    return ast.unparse(ast.fix_missing_locations(module)).splitlines()[1:]


def compiled(text, *signature):
    namespace = {}
    flatten.execute(text, "<test>", namespace)
    entry = njit(namespace["entry"])
    entry.compile(signature)
    return python_callable(entry)


def test_loops_subscripts_and_assignments_become_calls():
    text = """
def entry(x0, b0):
    v0 = x0.shape[0]
    v2 = 0.0
    for i0 in range(v0):
        v1 = x0[i0]
        v2 = radd(v2, v1)
        b0[i0] = v1
    v2 = v2 + 1.0
    return 0
"""
    assert flattened(text) == [
        "    v0 = length_0(x0)",
        "    v2 = place(0.0)",
        "    i0 = loop_range(v0)",
        "    v1 = load_1_0(x0, i0)",
        "    update_radd(v2, v1)",
        "    store_1_1(b0, v1, i0)",
        "    loop_end()",
        "    put(v2, get(v2) + 1.0)",
        "    keep_2(x0, b0)",
        "    return 0",
    ]


def test_a_name_that_another_of_numbas_blocks_needs_is_kept_to_its_own_end():
    text = """
def entry(x0):
    v0 = x0.shape[0]
    if v0 == 1:
        return 1
    for i0 in range(v0):
        v1 = x0[i0]
        if v1 > 0.0:
            for i1 in range(v0):
                x0[i1] = v1
    return 0
"""
    lines = flattened(text)
    assert lines[-2:] == ["    keep_2(x0, v0)", "    return 0"]
    inner = lines.index("    loop_end()", lines.index("        loop_end()"))
    assert lines[inner - 1] == "    keep_1(v1)"


@pytest.mark.parametrize("rows, columns", [(0, 3), (3, 0), (1, 1), (2, 5), (7, 3)])
def test_branches_inside_loops(rows, columns):
    entry = compiled(
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
    entry = compiled(
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
    entry = compiled(
        """
def entry(x0, b0):
    for i0 in range(x0.shape[0]):
        for i1 in range(x0.shape[1]):
            b0[i0, i1] = x0[i0, i1]
    return 0
""",
        numba.types.Array(numba.float64, 2, "A", readonly=True),
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
    count = structure.SCOPES + 3
    names = [f"b{k}" for k in range(count)]
    body = "\n".join(f"        {b}[i0] = x0[i0] + {k}.0" for k, b in enumerate(names))
    head = f"def entry(x0, {', '.join(names)}):\n    for i0 in range(x0.shape[0]):\n"
    entry = compiled(f"{head}{body}\n    return 0\n", *[A1] * (count + 1))
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
    entry = path.executable.entry.__self__.dispatcher
    (llvm,) = entry.inspect_llvm().values()
    assert "vector.body" in llvm and "memcheck" not in llvm


def test_debug_5_prints_assembly_of_what_is_cached_too(capsys):
    for _ in range(2):
        f = tracejit.function(lambda x: x * 3 - 1)
        with tracejit.config(debug=5):
            f(np.ones(3))
        assert "\tret" in capsys.readouterr().err
