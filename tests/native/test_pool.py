"""Large arrays over kept memory: they own it, and nobody else ever does."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import tracejit
from tracejit.native import pool

F64 = np.dtype(np.float64)
COUNT = (1 << 22) // 8
X = np.arange(float(COUNT + 1_000))


@pytest.fixture(autouse=True)
def found():
    """An empty pool, of which nothing is left behind."""
    own = pool.pool()
    assert own is not None
    gc.collect()
    own.trim()
    yield own
    own.trim()


@tracejit.function(on_unsupported="error")
def scaled(x, k):
    return x * k


def test_a_result_owns_its_memory_which_the_next_one_takes_over(found):
    first = scaled(X, 2.0)
    assert first.flags.owndata and first.base is None and first.flags.writeable
    assert found.held() == 0
    address = first.ctypes.data
    del first
    assert found.held() == X.nbytes
    second = scaled(X, 3.0)
    assert second.ctypes.data == address and found.held() == 0
    np.testing.assert_array_equal(second, X * 3)


def test_results_that_take_little_work_are_made_there_if_they_are_large(found):
    """The C library gives the end of its memory back between two calls: it is cleared anew."""
    f = tracejit.function(lambda x: (x * 2, x + 1, np.sort(x)), on_unsupported="error")
    small, large = np.arange(1000.0), np.arange(pool.LEAST / 8)
    name = np._core.multiarray.get_handler_name
    assert [name(a) == "tracejit" for a in f(small)] == [False] * 3
    assert [name(a) == "tracejit" for a in f(large)] == [True] * 3
    assert found.held() == 3 * large.nbytes


def test_what_a_library_gives_is_made_there(found):
    f = tracejit.function(lambda x: np.sort(x), on_unsupported="error")
    f(X)
    assert found.held() == X.nbytes


def test_half_precision(found):
    half = np.ones(4 * COUNT + 9, np.float16)
    del_me = scaled(half, np.float16(3))
    assert del_me.dtype == np.float16 and del_me.flags.owndata and (del_me == 3).all()
    del del_me
    assert found.held() == half.nbytes


def test_a_view_keeps_its_array(found):
    first = scaled(X, 2.0)
    view, address = first[5:9], first.ctypes.data
    del first
    assert found.held() == 0
    second = scaled(X, 3.0)
    assert second.ctypes.data != address
    np.testing.assert_array_equal(view, 2 * X[5:9])


def test_small_arrays_are_numpys():
    name = np._core.multiarray.get_handler_name
    assert name(scaled(X, 2.0)) == "tracejit"
    assert name(scaled(X[:9], 2.0)) != "tracejit"


@pytest.mark.parametrize(
    ("shape", "error"), [((1 << 50,), MemoryError), ((-1,), ValueError), ("x", TypeError)]
)
def test_what_cannot_be_made_raises_numpys_error(shape, error):
    with pytest.raises(error):
        pool.empty(shape, F64)
    assert np._core.multiarray.get_handler_name(np.empty(9)) != "tracejit"
    assert np._core.multiarray.get_handler_name(pool.empty((COUNT,), F64)) == "tracejit"


def test_resizing_pickling_and_copying(found):
    a = scaled(X, 2.0)
    b = pickle.loads(pickle.dumps(a))
    c = a.copy()
    a.resize(2 * len(X), refcheck=False)
    np.testing.assert_array_equal(a[: len(X)], b)
    assert not a[len(X) :].any() and np.array_equal(b, c)
    a.resize(3, refcheck=False)
    del a
    assert found.held() == 0  # a small block is not kept


def test_what_is_kept_is_bounded_and_given_back(found, monkeypatch):
    arrays = [pool.empty(COUNT * (k + 1), F64) for k in range(40)]
    del arrays
    assert 0 < found.held() <= pool.limit()
    huge = pool.limit() // 8 + 1
    if pool.limit() < 2 << 30:
        del_me = pool.empty(huge, F64)
        before = found.held()
        del del_me
        assert found.held() == before
    monkeypatch.setattr(pool, "SECONDS", -1.0)
    kept = pool.empty(COUNT, F64)
    assert found.held() == 0
    del kept


def test_blocks_that_are_much_too_large_are_left(found):
    large = pool.empty(4 * COUNT, F64)
    del large
    small = pool.empty(COUNT, F64)
    assert found.held() == 4 * COUNT * 8
    del small
    assert found.held() == 5 * COUNT * 8


def test_temporaries_come_from_there_too(found):
    @tracejit.function(on_unsupported="error")
    def f(x):
        y = np.exp(x * 1e-9)
        return y[::-1] + y.sum()

    f(X)
    assert f.stats.temporaries == 1
    f(X)
    assert found.held() >= X.nbytes


def test_from_eight_threads():
    wrong = []

    def work(k):
        for _ in range(20):
            a = scaled(X, float(k))
            if a[1] != k or a[-1] != X[-1] * k:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 9)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def run(text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_arrays_that_outlive_the_interpreter():
    run("""
        import builtins, numpy as np
        from tracejit.native import pool
        builtins.kept = [pool.empty(1 << 20, np.dtype(float)) for _ in range(3)]
        class Late:
            def __init__(self): self.a = pool.empty(1 << 20, np.dtype(float)); self.me = self
        Late()
    """)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_forked_child():
    run("""
        import os, numpy as np
        from tracejit.native import pool
        a = pool.empty(1 << 20, np.dtype(float)); a[:] = 1
        del a
        b = pool.empty(1 << 20, np.dtype(float)); b[:] = 2
        child = os.fork()
        if child == 0:
            c = pool.empty(1 << 20, np.dtype(float)); c[:] = 3
            del b
            d = pool.empty(1 << 20, np.dtype(float)); d[:] = 4
            os._exit(0 if (c == 3).all() else 1)
        assert os.waitpid(child, 0)[1] == 0 and (b == 2).all()
    """)


def test_without_a_pool_arrays_are_numpys(monkeypatch):
    def fail():
        raise RuntimeError("another NumPy")

    monkeypatch.setattr(pool, "_pool", None)
    monkeypatch.setattr(pool, "_usable", True)
    monkeypatch.setattr(pool, "Pool", fail)
    assert pool.empty(COUNT, F64).size == COUNT and pool.pool() is None


class Owners(RuleBasedStateMachine):
    """Arrays are made, viewed and dropped; each holds what was written into it, and no other."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[np.ndarray, float]] = []
        self.count = 0

    @rule(extra=st.integers(0, 3))
    def make(self, extra: int) -> None:
        if len(self.held) < 6:
            self.count += 1
            array = pool.empty((COUNT + extra * COUNT // 9,), F64)
            array.fill(self.count)
            self.held.append((array, float(self.count)))

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.held:
            self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))

    @rule(data=st.data())
    def view(self, data: st.DataObject) -> None:
        if self.held:
            k = data.draw(st.integers(0, len(self.held) - 1))
            array, value = self.held[k]
            self.held[k] = array[1:], value

    @rule()
    def compute(self) -> None:
        if self.held:
            array, value = self.held[0]
            result = scaled(array, 2.0)
            assert (result == 2 * value).all()

    @invariant()
    def nobody_writes_into_anothers(self) -> None:
        for array, value in self.held:
            assert array[0] == value and array[-1] == value and array[len(array) // 2] == value


TestOwners = Owners.TestCase
TestOwners.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
