"""Rewritten functions do what they did: results, effects, exceptions and what names they have."""

import contextlib
import functools
import linecache
import sys
import traceback
import types
import warnings

import numpy as np
import pytest
import runtimes
from functions import (
    CASES,
    COUNTS,
    generator_passed,
    module_of,
    mutable_default,
)
from programs.compare import differences
from programs.compare import outcome as outcome_of
from test_text import Derived

from benchmarks.kernels import KERNELS
from tracejit.capture.rewrite import control
from tracejit.capture.rewrite.function import rewrite, rewritten


def outcome(f, arguments):
    """What a call gives or raises, what it logs, and the user's line where it raised."""
    log = []
    try:
        result = f(log.append, *arguments)
    except Exception as problem:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(problem.__traceback__)
            if frame.filename == f.__code__.co_filename
        ]
        result = type(problem), str(problem), lines[-1:]
    return result, log


CONTROLS = [control.PythonControl, runtimes.Forgetful]


@pytest.mark.parametrize("runtime", CONTROLS)
@pytest.mark.parametrize(("f", "calls"), CASES, ids=[f.__name__ for f, _ in CASES])
def test_behaviour(f, calls, runtime):
    found = rewritten(f.__code__)
    assert found.reason is None and len(found.constructs) == COUNTS[f.__name__], found.constructs
    g = rewrite(f, runtime())
    assert g is not f
    seen = mutable_default.__defaults__[0]
    seen.clear()
    results = [outcome(f, arguments) for arguments in calls]
    seen.clear()
    for arguments, want in zip(calls, results, strict=True):
        assert outcome(g, arguments) == want


def test_iterators_are_taken_from():
    g = rewrite(generator_passed)
    for f in (generator_passed, g):
        assert outcome(f, [iter(range(6))]) == ([4, 5], [0, 1, 2, 3])


@pytest.mark.parametrize("n", range(4))
def test_variables_are_read_and_set(n):
    """The other side of each branch runs first, and leaves no trace in the variables."""

    def f(n, x):
        for k in range(n):
            if k % 2:
                x = x + k
                last = k
            elif k == 2:
                break
            else:
                x, first = -x, x
        if n > 1:
            return x, first, last, k
        return x

    runtime = runtimes.BothSides()
    assert rewrite(f, runtime)(n, 5) == f(n, 5)
    assert runtime.calls["other side"] == [1, 3, 5, 7][n]


def test_names_without_a_value_are_marked():
    def make():
        def f():
            nonlocal x, y
            x = y = 1

        y = 5
        state = control.State(("x", "y", "elsewhere"), f, None)
        before = state.get()
        f()
        after = state.get()
        state.set([control.UNBOUND, 7])
        return before, after, state.get(), y
        x = 0

    assert make() == ([control.UNBOUND, 5], [1, 1], [control.UNBOUND, 7], 7)
    assert repr(control.UNBOUND) == "UNBOUND"


# What a function is besides its code --------------------------------------------------------------


def test_methods_and_private_names():
    g = rewrite(Derived.value)
    assert g is not Derived.value
    assert [g(Derived(), n) for n in (0, 1, 5)] == [0, 1, 10]
    found = rewritten(Derived.value.__code__)
    assert found.code.co_qualname == "Derived.value" and "__class__" in found.code.co_freevars


class _Owner:
    def same(self, other):
        return isinstance(other, _Owner) and other is self

    def total(self, n):
        for __k in range(n):
            if __k:
                __last = __k
            else:
                n = 2 * n
        return __k, __last, n

    def unbound(self, n):
        for k in range(n):
            __last = __last + k  # noqa: F821


def test_private_variables():
    one = _Owner()
    assert [rewrite(_Owner.same)(one, other) for other in (one, _Owner(), 5)] == [
        True,
        False,
        False,
    ]
    assert rewrite(_Owner.same) is not _Owner.same
    f = rewrite(_Owner.total, runtimes.BothSides())
    assert f is not _Owner.total and f(_Owner(), 3) == (2, 2, 6)
    with pytest.raises(UnboundLocalError) as plain:
        _Owner().unbound(1)
    with pytest.raises(UnboundLocalError) as told:
        rewrite(_Owner.unbound)(_Owner(), 1)
    assert str(told.value) == str(plain.value)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels(name):
    kernel = KERNELS[name]
    runtime = runtimes.Forgetful()
    f = rewrite(kernel.function, runtime)
    assert (f is kernel.function) == (name == "stencil")
    want = outcome_of(kernel.function, kernel.arguments(kernel.small))
    assert not differences(want, outcome_of(f, kernel.arguments(kernel.small)), 0)
    assert want.error is None
    assert (runtime.calls["for"] + runtime.calls["while"] > 0) == (name != "stencil")


def test_lambdas_of_one_line():
    f, g = (lambda x: x if x > 1 else -x), (lambda x: x or 7)
    assert [rewrite(h)(0) for h in (f, g)] == [0, 7]
    assert [rewrite(h)(-3) for h in (f, g)] == [3, -3]
    assert [rewritten(h.__code__).constructs[0][0] for h in (f, g)] == [
        "conditional expression",
        "or",
    ]


def test_a_function_keeps_what_it_has():
    def around(scale):
        @functools.lru_cache
        def f(x: int, *, y: float = 2.0) -> "str":
            """Its text."""
            return scale * (x if x else y)

        f.__wrapped__.mark = "mark"
        return f.__wrapped__, lambda value: setattr(cells, "scale", value)

    cells = types.SimpleNamespace()
    f, _ = around(3)
    g = rewrite(f)
    assert g is not f and g(0) == 6 and g(2) == 6 and g(0, y=1) == 3
    for name in (
        "__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__defaults__",
        "__kwdefaults__", "__dict__", "__globals__",
    ):  # fmt: skip
        assert getattr(f, name) == getattr(g, name), name
    assert g.__globals__ is f.__globals__
    assert g.__code__.co_firstlineno == f.__code__.co_firstlineno
    assert g.__code__.co_varnames[:2] == ("x", "y")


def test_cells_are_the_same():
    scale = 1

    def f(x):
        nonlocal scale
        if x:
            scale = x
        return scale

    g = rewrite(f)
    assert g(5) == 5 and scale == 5
    scale = 8
    assert g(0) == 8


def test_rewritten_once():
    def f(x):
        return x or 1

    assert rewritten(f.__code__) is rewritten(f.__code__)
    assert rewrite(f).__code__ is rewrite(f).__code__


# Lines --------------------------------------------------------------------------------------------


def lines_run(f, *arguments):
    """The lines of the file that are run, as a debugger and coverage see them."""
    seen, file = set(), f.__code__.co_filename

    def trace(frame, event, arg):
        if frame.f_code.co_filename != file:
            return None
        if event == "line":
            seen.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with contextlib.suppress(Exception):
            f(*arguments)
    finally:
        sys.settrace(before)
    return seen


@pytest.mark.parametrize(("f", "calls"), CASES, ids=[f.__name__ for f, _ in CASES])
def test_lines(f, calls):
    g = rewrite(f)
    for arguments in calls:
        want, got = (lines_run(h, lambda value: None, *arguments) for h in (f, g))
        if f is not mutable_default:
            assert got == want


def test_tracebacks_and_frames():
    def f(x):
        for k in range(3):
            if k == 2:
                x[k]
        return x

    with pytest.raises(IndexError) as caught:
        rewrite(f)([1])
    first = f.__code__.co_firstlineno
    frames = [e for e in caught.traceback if str(e.path) == __file__][1:]
    assert [e.lineno + 1 - first for e in frames] == [1, 2, 3]
    assert [e.frame.code.name for e in frames] == ["f", "f", "f"]


def test_warnings_have_the_users_line():
    def f(x):
        if x.size:
            x = x / 0
        return x

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        rewrite(f)(np.ones(2))
    (one,) = found
    assert one.filename == __file__ and one.lineno == f.__code__.co_firstlineno + 2


CELL = """\
from __future__ import annotations
import numpy as np

def f(x):
    def inner(y: Unknown) -> Unknown: return y
    if x > 0:
        return np.sqrt(x)
    return inner(x)
"""


def test_cells_of_notebooks():
    f = module_of(CELL, "<ipython-input-1-abc>").f
    g = rewrite(f)
    assert g is not f and g(4.0) == 2.0 and g(-1) == -1


@pytest.mark.parametrize("source", [CELL, CELL.replace("if x", "assert x\n    if x")])
def test_another_source_is_not_taken_for_it(source):
    f = module_of(source, "<changed>").f
    lines = source.replace("x > 0", "x > 1").splitlines(keepends=True)
    linecache.cache["<changed>"] = 1, None, lines, "<changed>"
    assert rewrite(f) is f
    assert rewritten(f.__code__).reason.text == "has no source that it was compiled from"


def test_equal_functions_of_two_files():
    f, g = (module_of(CELL, name).f for name in ("<one>", "<two>"))
    assert f.__code__ == g.__code__
    assert [rewrite(h).__code__.co_filename for h in (f, g)] == ["<one>", "<two>"]
