"""Launches that come again are replayed as one CUDA graph: the same results, whatever fails."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake import FakeDriver, downloaded, held
from stub import Stub, real

import tracejit
from tracejit.cuda.device import graphs
from tracejit.cuda.device.nvidia import Nvidia
from tracejit.cuda.target import CUDA
from tracejit.errors import DeviceError
from tracejit.lower.registry import register, target
from tracejit.theano.flags import change_flags

pytest.importorskip("cuda.bindings.nvvm")
DRIVER = FakeDriver()
register("gpu9", lambda: CUDA(DRIVER, "gpu9"))
X = np.linspace(-1, 1, 100)


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    yield
    DRIVER.failing.clear()
    assert held("gpu9") == 0


def on(x: Any) -> Any:
    return tracejit.to_device(x, device="gpu9")


def compiled(f: Callable[..., Any]) -> Any:
    return tracejit.function(f, device="gpu9", on_unsupported="error")


def heat(u: Any, n: Any) -> Any:
    for _ in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u * 2


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max())
    return e / e.sum()


def in_place(x: Any, y: Any) -> Any:
    x -= x.max()
    y += x * x.sum()
    return y.max() - y


def same(got: Any, want: Any) -> None:
    got, want = (x if isinstance(x, tuple) else (x,) for x in (downloaded(got), want))
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def on_cpu(f: Callable[..., Any], *args: Any) -> Any:
    return tracejit.function(f, device="cpu", on_unsupported="error")(*args)


# What is replayed --------------------------------------------------------------------------------


def test_a_loop_of_launches_is_one() -> None:
    f, x, n = compiled(heat), on(X), 20
    want, cpu = X.copy(), tracejit.function(heat, device="cpu")
    counts = []
    for _ in range(6):
        launches, replays = DRIVER.launches, DRIVER.replays
        same(f(x, n), cpu(want, n))
        counts.append((DRIVER.launches - launches, DRIVER.replays - replays))
    same(x, want)
    assert {launches for launches, _ in counts} == {counts[0][0]} and counts[0][0] > n
    assert [replays for _, replays in counts][:1] == [0] and counts[-1][1] == 1
    assert sum(replays for _, replays in counts) >= 4


@pytest.mark.parametrize("use", ["dropped", "held", "next"])
def test_addresses_come_again(use: str) -> None:
    """What the pool gives for results and temporaries repeats after a few calls."""
    f, x, y = compiled(softmax), on(X), None
    for k in range(30):
        if k == 10:
            replays = DRIVER.replays
        if use != "held":
            y = None
        y = f(x)
        same(y, on_cpu(softmax, x.get()))
        x = y if use == "next" else x
    assert DRIVER.replays == replays + 20


def test_other_lengths_and_numbers() -> None:
    """Each has a graph of its own; none is used for another."""
    f, rng = compiled(heat), np.random.default_rng(1)
    sizes = [(100, 5), (101, 5), (100, 6), (3, 5), (64, 9)]
    cpu = tracejit.function(heat, device="cpu")
    for _ in range(5):
        for size, n in sizes:
            for _ in range(3):
                x = rng.normal(size=size)
                same(f(on(x), n), cpu(x.copy(), n))


def of_many(x: Any, y: Any) -> Any:
    for _ in range(9):
        x = x * 0.5 - x.sum()
    return np.cumsum(y) + x[0]


def test_few_launches_with_other_parameters() -> None:
    """A graph is changed where a call differs from it in few launches."""
    f, x = compiled(of_many), on(X)
    ys = [on(np.arange(50.0) + k) for k in range(12)]
    results = []
    for y in [ys[0]] * 6 + ys:
        f(x, y)
    updates = DRIVER.updates
    for y in reversed(ys):
        results.append(f(x, y))
    assert DRIVER.updates > updates
    for y, result in zip(reversed(ys), results, strict=True):
        same(result, on_cpu(of_many, X, y.get()))


def test_what_is_never_the_same_is_not_noted() -> None:
    f, x = compiled(softmax), on(X)
    kept: list[Any] = []
    replays = DRIVER.replays
    for _ in range(70):  # each result has memory of its own
        kept.append(f(x))
    assert DRIVER.replays == replays
    entry = entry_of(f)
    assert entry._replays._rest > 0 and entry._replays.begin() is None
    for result in kept:
        same(result, on_cpu(softmax, X))


def entry_of(f: Any) -> Any:
    return f._paths[-1].executable.entry


def parts_of_records(x: Any, n: Any) -> Any:
    return heat(x, n)


def test_more_than_a_record_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is launched before, in parts; those come again, too."""
    monkeypatch.setattr(graphs.Replays.__init__, "__defaults__", (128,))
    f, replays = compiled(parts_of_records), DRIVER.replays
    for _ in range(4):
        same(f(on(X), 20), on_cpu(heat, X.copy(), 20))
    assert DRIVER.replays >= replays + 4


# What is not -------------------------------------------------------------------------------------


def one(x: Any) -> Any:
    return x * 2


def reads_back(x: Any) -> Any:
    k = 0
    while x.sum() > 1 and k < 20:
        x = x * 0.5 - x.max()
        k += 1
    return x, k


def late(x: Any) -> Any:
    y = x - x.sum()
    return y[y > y.max() * 0.5] * x.max()


@pytest.mark.parametrize("f", [one, reads_back, late], ids=lambda f: f.__name__)
def test_what_is_launched_by_itself(f: Callable[..., Any]) -> None:
    g, x, replays = compiled(f), on(np.abs(X)), DRIVER.replays
    for _ in range(5):
        got = g(x)
    want = on_cpu(f, np.abs(X))
    if isinstance(want, tuple):
        assert got[1] == want[1]
        got, want = got[0], want[0]
    same(got, want)
    assert DRIVER.replays == replays
    assert "one CUDA graph" not in g.explain()


def test_it_is_told_and_can_be_left_out() -> None:
    f = compiled(softmax)
    same(f(on(X)), on_cpu(softmax, X))
    assert "launches that repeat from call to call are replayed as one CUDA graph" in f.explain()
    replays, link = DRIVER.replays, target("gpu9").link
    link.replays = False
    try:
        for _ in range(4):
            same(f(on(X)), on_cpu(softmax, X))
    finally:
        link.replays = True
    assert DRIVER.replays == replays


# What fails --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["graph", "update", "replay"])
@pytest.mark.parametrize("after", range(3))
def test_a_graph_that_fails(kind: str, after: int) -> None:
    """Then each launch is made alone, and nothing is to be seen of it."""
    f, x = compiled(of_many), on(X)
    ys = [on(np.arange(50.0) + k) for k in range(5)]
    DRIVER.failing[kind] = after
    for y in ys[:1] * 6 + ys * 2:
        same(f(x, y), on_cpu(of_many, X, y.get()))
    assert DRIVER.failing.get(kind, 0) < after + 1


@pytest.mark.parametrize("put", [np.copy, on], ids=["host", "device"])
@pytest.mark.parametrize("calls", range(5))
def test_a_launch_that_fails_after_a_graph(put: Any, calls: int) -> None:
    """Where neither succeeds, arguments are as they were."""
    f = compiled(in_place)
    start = X + 2, np.arange(100.0)
    want = [a.copy() for a in start]
    result = on_cpu(in_place, *want)
    for _ in range(calls):
        same(f(*map(put, start)), result)
    for k in range(20):
        given = [put(a) for a in start]
        DRIVER.failing |= {"graph": 0, "replay": 0}
        DRIVER.failing["launch"] = k
        try:
            got = f(*given)
        except DeviceError:
            for array, before in zip(given, start, strict=True):
                np.testing.assert_array_equal(np.asarray(array), before)
            continue
        finally:
            DRIVER.failing.clear()
        break
    assert 0 < k < 19
    same(got, result)
    for array, after in zip(given, want, strict=True):
        np.testing.assert_array_equal(np.asarray(array), after)


def with_places(x: Any, y: Any) -> Any:
    x += x.max()
    y -= x.sum()
    return x[y.astype(np.int64) % 4 + (y > 0) * 200]


@pytest.mark.parametrize("put", [np.copy, on], ids=["host", "device"])
def test_what_numpy_raises(put: Any) -> None:
    """The flag is read when all is done, of a graph as of launches."""
    f, replays = compiled(with_places), DRIVER.replays
    for _ in range(30):
        x, y = put(X + 2), put(np.zeros(100))
        same(f(x, y), on_cpu(with_places, X + 2, np.zeros(100)))
    for _ in range(3):
        x, y = put(X - 30), put(np.zeros(100))
        with pytest.raises(IndexError, match="out of bounds"):  # of NumPy's run, which begins anew
            f(x, y)
        np.testing.assert_array_equal(np.asarray(x), X - 30 + (X - 30).max())
    assert DRIVER.replays > replays + 15


def test_threads() -> None:
    f, xs = compiled(softmax), [on(X * k) for k in range(4)]
    wants = [on_cpu(softmax, X * k) for k in range(4)]
    wrong: list[Any] = []

    def work(k: int) -> None:
        for _ in range(30):
            try:
                same(f(xs[k]), wants[k])
            except BaseException as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_graphs_are_given_back() -> None:
    """Those of a program that is no more go when the next one is made."""
    driver = FakeDriver()
    register("gpu9b", lambda: CUDA(driver, "gpu9b"))
    link: Any = target("gpu9b").link
    f = tracejit.function(softmax, device="gpu9b", on_unsupported="error")
    for k in range(2, 20):  # more than a program keeps
        for _ in range(6):
            f(X[:k])
    assert len(entry_of(f)._replays._graphs) == graphs._GRAPHS
    assert graphs._GRAPHS <= driver.graphs - len(link.dropped) <= graphs._GRAPHS + 1
    del f
    gc.collect()
    assert len(link.dropped) == driver.graphs > 0
    g = tracejit.function(in_place, device="gpu9b", on_unsupported="error")
    while driver.graphs == len(link.dropped):
        g(X.copy(), X.copy())
    assert not link.dropped and driver.graphs == 1


# NVIDIA's driver ---------------------------------------------------------------------------------


class Graphs(Stub):
    """Keeps what graphs are made of."""

    CUDA_KERNEL_NODE_PARAMS = real.CUDA_KERNEL_NODE_PARAMS

    def __init__(self, **fail: str) -> None:
        super().__init__(**fail)
        self.nodes: list[tuple[int, int, int]] = []

    def _cuModuleGetFunction(self, module: Any, name: bytes) -> tuple[int]:
        return (4321,)

    def _cuGraphAddKernelNode(self, graph: Any, before: Any, count: int, node: Any) -> tuple[int]:
        assert list(before) == [len(self.nodes)][:count] and count <= 1
        places = ctypes.cast(node.kernelParams, ctypes.POINTER(ctypes.c_void_p))
        assert places[0] and int(node.func) == 4321 and node.gridDimY == 1
        self.nodes.append((node.gridDimX, node.blockDimX, node.sharedMemBytes))
        return (len(self.nodes),)

    def _cuGraphExecDestroy(self, *given: Any) -> tuple[()]:
        return ()

    _cuGraphDestroy = _cuGraphLaunch = _cuGraphExecKernelNodeSetParams = _cuGraphExecDestroy


STEPS = ["cuGraphCreate", "cuGraphAddKernelNode", "cuGraphInstantiate", "cuGraphLaunch"]


def _with(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", stub)
    register("stub", lambda: CUDA(Nvidia()))
    with change_flags(device="stub"):
        f = tracejit.function(softmax, on_unsupported="error")
        for _ in range(6):
            f(X)
    return f


def test_the_drivers_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = Graphs()
    _with(stub, monkeypatch)
    made = stub.calls["cuGraphInstantiate"]
    launches = len(stub.nodes) // made
    assert made >= 1 and launches >= 4 and all(n[2] == 0 for n in stub.nodes)
    assert stub.calls["cuGraphLaunch"] + stub.calls["cuLaunchKernel"] // launches == 6
    assert stub.calls["cuGraphLaunch"] >= 3


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("code", ["OUT_OF_MEMORY", "NOT_SUPPORTED", "INVALID_VALUE"])
def test_the_driver_makes_no_graph(monkeypatch: pytest.MonkeyPatch, step: str, code: str) -> None:
    """All calls are made by launches, and no graph is left."""
    stub = Graphs(**{step: code})
    _with(stub, monkeypatch)
    assert stub.calls["cuLaunchKernel"] % 6 == 0 and stub.calls[step] == 1
    if step in STEPS[1:3]:
        assert stub.calls["cuGraphDestroy"] == stub.calls["cuGraphCreate"]
    if step != "cuGraphLaunch":
        assert stub.calls["cuGraphLaunch"] == 0
