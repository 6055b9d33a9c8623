"""What a signal handler or a finaliser calls while its thread traces or compiles."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import weakref

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.cpu.compiling import compile as compiler
from tracejit.native import locks
from tracejit.trace.trace import Trace

X = np.array([0.5, 1.0, 2.0])
known = tracejit.function(lambda x: x * 2 + 1)
unknown = tracejit.function(lambda x: np.hypot(x, 3.0))
nested = tracejit.function(lambda x: unknown(x) + known(x))
total = tracejit.shared(1.0)
updating = tracejit.function([], total, updates=[(total, total + 1)])
counted = tracejit.function(lambda x: x * total)
_v = T.dvector("v")
symbolic = tracejit.function([_v], T.exp(_v).sum())


def calls_known():
    np.testing.assert_array_equal(known(X), X * 2 + 1)


def calls_unknown():
    np.testing.assert_array_equal(unknown(X), np.hypot(X, 3.0))


def calls_nested():
    np.testing.assert_array_equal(nested(X), np.hypot(X, 3.0) + (X * 2 + 1))


def calls_symbolic():
    np.testing.assert_allclose(symbolic(X), np.exp(X).sum(), rtol=1e-15)


def makes_symbolic():
    s = T.dscalar()
    assert tracejit.function([s], T.grad(s**3, s))(2.0) == 12


def updates_shared():
    before = total.get_value()
    assert updating() == before
    assert total.get_value() == before + 1
    np.testing.assert_array_equal(counted(X), X * (before + 1))


def takes_gradient():
    np.testing.assert_allclose(tracejit.grad(lambda x: (x**3).sum())(X), 3 * X**2, rtol=1e-15)


def takes_value_and_gradient():
    value, slope = tracejit.value_and_grad(lambda x: x * x * x)(2.0)
    assert (value, slope) == (8, 12)


def takes_vjp():
    y, pull = tracejit.vjp(lambda x: x * x, X)
    np.testing.assert_array_equal(y, X * X)
    np.testing.assert_array_equal(pull(np.ones(3))[0], 2 * X)


def takes_jvp():
    y, moved = tracejit.jvp(lambda x: x * x, (X,), (np.ones(3),))
    np.testing.assert_array_equal(y, X * X)
    np.testing.assert_array_equal(moved, 2 * X)


def meets_an_error():
    with pytest.raises(ValueError, match="broadcast"):
        tracejit.function(lambda x: x + np.ones(7))(X)


HANDLERS = [
    calls_known, calls_unknown, calls_nested, calls_symbolic, makes_symbolic, updates_shared,
    takes_gradient, takes_value_and_gradient, takes_vjp, takes_jvp, meets_an_error,
]  # fmt: skip


class Once:
    """Calls a handler at the first call of what it stands for."""

    def __init__(self, handler, real):
        self.handler, self.real, self.ran = handler, real, 0

    def around(self):
        def call(*args, **kwargs):
            if not self.ran:
                self.ran = 1
                assert locks.busy()
                self.handler()
            return self.real(*args, **kwargs)

        return call


@pytest.mark.parametrize("handler", HANDLERS)
def test_while_this_thread_traces(handler, monkeypatch) -> None:
    """The trace has nothing of what the handler did."""
    f = tracejit.function(lambda x: np.tanh(x) * 2 + known(x))
    with tracejit.config(compile=False):
        text = str(tracejit.function(f.__wrapped__).graph(X))
        once = Once(handler, Trace.origin)
        monkeypatch.setattr(Trace, "origin", once.around())
        np.testing.assert_array_equal(f(X), np.tanh(X) * 2 + (X * 2 + 1))
        assert once.ran
        assert f.stats.traces == 1
        assert len(f._paths) == 1
        assert len(str(f._paths[0].graph)) == len(text)
        assert str(f.graph(X)).count("=") == text.count("=")
    assert not locks.busy()


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals")
def test_while_this_thread_waits_for_the_compiler(handler, monkeypatch) -> None:
    once, ran = Once(handler, lambda: None), threading.Event()
    compile_, here = compiler._build, threading.get_ident()

    def dispatch(*args):
        signal.pthread_kill(here, signal.SIGUSR1)
        assert ran.wait(20)
        return compile_(*args)

    def handle(number, frame):
        monkeypatch.setattr(compiler, "_build", compile_)
        try:
            once.around()()
        finally:
            ran.set()

    previous = signal.signal(signal.SIGUSR1, handle)
    monkeypatch.setattr(compiler, "_build", dispatch)
    k = HANDLERS.index(handler) + 0.5
    scope = {"np": np}
    exec(f"def f(x): return np.sqrt(x) * {k}", scope)
    f = tracejit.function(scope["f"])
    try:
        np.testing.assert_array_equal(f(X), np.sqrt(X) * k)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert once.ran
    assert f.stats.traces == 1


def test_while_a_symbolic_function_is_traced(monkeypatch) -> None:
    from tracejit.symbolic.replay import SymbolicTrace

    def handler():
        for h in HANDLERS:
            h()

    once = Once(handler, SymbolicTrace.origin)
    monkeypatch.setattr(SymbolicTrace, "origin", once.around())
    v = T.dvector()
    with tracejit.config(compile=False):
        assert tracejit.function([v], (v * 3).sum())(X) == (X * 3).sum()
    assert once.ran


def test_a_finalizer_of_the_library(monkeypatch) -> None:
    """``weakref.finalize`` calls from its own file."""
    found = []

    class Owner:
        pass

    def handler():
        owner = Owner()
        weakref.finalize(owner, lambda: found.append(unknown(X)))
        weakref.finalize(owner, unknown, X)
        del owner
        gc.collect()

    once = Once(handler, Trace.origin)
    monkeypatch.setattr(Trace, "origin", once.around())
    with tracejit.config(compile=False):
        f = tracejit.function(lambda x: x - 3)
        np.testing.assert_array_equal(f(X), X - 3)
    assert type(found[0]) is np.ndarray
    assert len(f._paths[0].graph.outputs) == 1


def test_a_trace_that_is_refused_is_refused_after_a_handler(monkeypatch) -> None:
    """What the handler met, or handled, is not the trace's, and the other way round."""
    once = Once(meets_an_error, Trace.origin)
    monkeypatch.setattr(Trace, "origin", once.around())
    f = tracejit.function(lambda x: x * 2 if str(x + 1) else x)
    with pytest.raises(tracejit.UnsupportedError, match="the text of a traced array"):
        f(X)
    assert once.ran


def test_afterwards_the_same_function_is_compiled(monkeypatch) -> None:
    g = tracejit.function(lambda x: x * 7)
    once = Once(lambda: g(X), Trace.origin)
    with monkeypatch.context() as patch, tracejit.config(compile=False):
        patch.setattr(Trace, "origin", once.around())
        tracejit.function(lambda x: x + 9)(X)
        assert g.stats.traces == 0
    np.testing.assert_array_equal(g(X), X * 7)
    assert g.stats.traces == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_signals_while_functions_are_compiled() -> None:
    program = """
        import signal, numpy as np, tracejit
        def make(k):
            scope = {"np": np}
            exec(f"def f(x): return np.sqrt(x * {k}.5) + {k}", scope)
            return tracejit.function(scope["f"])
        count, x = 0, np.linspace(0, 1, 9)
        def handler(number, frame):
            global count
            count += 1
            k = 1000 + count  # a signal may come while another one's handler runs
            assert make(k)(x)[0] == k
        make(0)(x)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.05)
        for k in range(5):
            np.testing.assert_array_equal(make(k)(x), np.sqrt(x * (k + 0.5)) + k)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert count
        print("ok")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
        timeout=60, check=False, env={**os.environ, "TRACEJIT_CACHE": "0"},
    )  # fmt: skip
    assert done.stdout.strip() == "ok", done.stderr
