"""Shared variables on a device: states stay there, and are as before where a call fails."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake import FakeDriver, held

import tracejit
import tracejit.tensor as T
from tracejit.cuda import DeviceArray
from tracejit.cuda.target import CUDA
from tracejit.errors import DeviceError, NotTraceable, UnsupportedError, UnsupportedWarning
from tracejit.lower.registry import register

pytest.importorskip("cuda.bindings.nvvm")
DRIVER = FakeDriver()
register("gpu2", lambda: CUDA(DRIVER, "gpu2"))
register("gpu3", lambda: CUDA(FakeDriver(), "gpu3"))


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Any:
    yield
    DRIVER.failing.clear()
    assert held("gpu2") == 0


def trained() -> Any:
    """A step of gradient descent, its states and its variables."""
    w = tracejit.shared(np.arange(4.0), "w", device="gpu2")
    n = tracejit.shared(0, "n", device="gpu2")
    x = T.dvector("x")
    return tracejit.function([x], [w * x, n], updates=[(w, w - 0.5 * x), (n, n + 1)]), w, n


def test_updates_stay_there() -> None:
    f, w, n = trained()
    want = np.arange(4.0)
    x = tracejit.to_device(np.ones(4), device="gpu2")
    f(x)
    f(x)
    uploads, downloads, launches = DRIVER.uploads, DRIVER.downloads, DRIVER.launches
    product, count = f(x)
    assert (DRIVER.uploads, DRIVER.downloads) == (uploads, downloads)
    assert DRIVER.launches > launches
    assert type(product) is DeviceArray and type(count) is DeviceArray and count.shape == ()
    np.testing.assert_array_equal(product.get(), want - 1)
    assert int(count) == 2 and n.get_value() == 3 and n.get_value().shape == ()
    np.testing.assert_array_equal(w.get_value(), want - 1.5)
    assert type(w.get_value()) is type(w.get_value(borrow=True)) is np.ndarray
    assert f.stats.traces == 1 and f.stats.fallbacks == 0


def test_values() -> None:
    w = tracejit.shared(np.arange(4.0), device="gpu2")
    kept = w.get_value(return_internal_type=True)
    assert type(kept) is DeviceArray and kept.device == "gpu2"
    w.set_value(np.ones(3))
    np.testing.assert_array_equal(w.get_value(), np.ones(3))
    np.testing.assert_array_equal(kept.get(), np.arange(4.0))
    w.set_value(kept)
    assert w.get_value(return_internal_type=True, borrow=True) is not kept
    w.set_value(kept, borrow=True)
    assert w.get_value(return_internal_type=True, borrow=True) is kept
    w.zero()
    np.testing.assert_array_equal(w.get_value(), np.zeros(4))
    np.testing.assert_array_equal(kept.get(), np.arange(4.0))
    for wrong in (np.ones((2, 2)), "text"):
        with pytest.raises(TypeError):
            w.set_value(wrong)
    assert w.clone().container is w.container
    with pytest.raises(TypeError):
        tracejit.shared("text", device="gpu2")
    with pytest.raises(ValueError, match=r"may be .*, not .tpu."):
        tracejit.shared(1.0, device="tpu")
    with tracejit.config(device="gpu2"):
        assert tracejit.shared(np.ones(2)).container.device == "gpu2"
        assert tracejit.shared(np.ones(2), device="cpu").container.device == ""
        assert tracejit.shared("text").get_value() == "text"


def test_copies_and_files(tmp_path: Path) -> None:
    w = tracejit.shared(np.arange(4.0), "w", device="gpu2")
    for other in (copy.deepcopy(w.container), pickle.loads(pickle.dumps(w.container))):
        assert other.device == "gpu2" and other.value is not w.container.value
        np.testing.assert_array_equal(other.value.get(), np.arange(4.0))
    tracejit.save(tmp_path / "state.npz", {"w": w})
    w.set_value(np.zeros(2))
    tracejit.load(tmp_path / "state.npz", {"w": w})
    np.testing.assert_array_equal(w.get_value(), np.arange(4.0))


def test_of_decorated_functions() -> None:
    state = tracejit.shared(np.zeros(3), device="gpu2")
    host = tracejit.shared(np.zeros(3))

    def step(g: Any) -> Any:
        state.set_value(state.get_value() + g)
        host.set_value(host.get_value() + 2 * g)
        return state.get_value() * 2

    f = tracejit.function(step, device="gpu2")
    for k in range(1, 4):
        y = f(np.ones(3))
        assert type(y) is DeviceArray and type(host.get_value()) is np.ndarray
        np.testing.assert_array_equal(y.get(), np.full(3, 2.0 * k))
        np.testing.assert_array_equal(state.get_value(), np.full(3, 1.0 * k))
        np.testing.assert_array_equal(host.get_value(), np.full(3, 2.0 * k))
    assert f.stats.traces == 1
    with pytest.raises(DeviceError, match=r"lies on gpu2, and the function runs on cpu"):
        tracejit.function(step)(np.ones(3))


def test_states_of_the_host_with_a_device() -> None:
    """They are uploaded for a call, and new values are downloaded."""
    x = T.dvector("x")
    w, v = tracejit.shared(np.zeros(3), device="gpu2"), tracejit.shared(np.zeros(3))
    f = tracejit.function([x], v, updates=[(w, w + v), (v, v + x)])
    for k in range(3):
        got = f(np.ones(3))
        assert type(got) is DeviceArray and type(v.container.value) is np.ndarray
        np.testing.assert_array_equal(got.get(), np.full(3, k))
    np.testing.assert_array_equal(v.get_value(), np.full(3, 3))
    np.testing.assert_array_equal(w.get_value(), np.full(3, 3))
    g = tracejit.function([x], [v, v], updates=[(v, x), (w, x)])  # a state is a result too
    a, b = g(np.ones(3))
    assert a is not b and not np.may_share_memory(a.array, b.array)
    np.testing.assert_array_equal(v.get_value(), np.ones(3))


def test_inputs() -> None:
    f, w, _ = trained()
    there = tracejit.to_device(np.ones(4), device="gpu2")
    for x in (np.ones(4), there, np.ones(8)[::2], [1.0, 1.0, 1.0, 1.0]):
        before = w.get_value()
        np.testing.assert_array_equal(f(x)[0].get(), before)
    with pytest.raises(TypeError):
        f(np.ones((2, 2)))
    with pytest.raises(DeviceError, match="lies on gpu3, and is used on gpu2"):
        f(tracejit.to_device(np.ones(4), device="gpu3"))
    x = T.dvector()
    with pytest.raises(DeviceError, match="lies on gpu2, and the function runs on cpu"):
        tracejit.function([x], x + 1)(there)
    with tracejit.config(device="gpu2"):
        g = tracejit.function([x], x + 1)
        assert type(g(there)) is DeviceArray and type(g(np.ones(4))) is DeviceArray
    assert type(g(np.ones(4))) is np.ndarray


def test_states_on_two_devices() -> None:
    a = tracejit.shared(np.ones(2), "a", device="gpu2")
    b = tracejit.shared(np.ones(2), "b", device="gpu3")
    with pytest.raises(DeviceError, match="lie on one device, not a on gpu2 and b on gpu3"):
        tracejit.function([], a + b)()


def test_random_streams() -> None:
    """Their states are arrays of the host's; a program that draws says what it cannot do."""
    streams = tracejit.RandomStreams(seed=3)
    with tracejit.config(device="gpu2", on_unsupported="warn"):
        f = tracejit.function([], streams.uniform((4,)))
        other = tracejit.function([], tracejit.RandomStreams(seed=3).uniform((4,)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnsupportedWarning)
            got = f(), f()
    want = other(), other()
    for a, b in zip(got, want, strict=True):
        assert type(a) is DeviceArray
        np.testing.assert_array_equal(a.get(), b)


def test_what_has_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(program: Any) -> Any:
        raise NotTraceable("there is no kernel for that on a GPU yet")

    monkeypatch.setattr("tracejit.cuda.target.emit", refuse)
    w = tracejit.shared(np.arange(3.0), "w", device="gpu2")
    x = T.dvector("x")
    f = tracejit.function([x], w * x, updates=[(w, w + x)])
    with pytest.raises(UnsupportedError, match="no kernel for that on a GPU"):
        f(np.ones(3))
    np.testing.assert_array_equal(w.get_value(), np.arange(3.0))
    warned = pytest.warns(UnsupportedWarning, match="runs in plain NumPy")
    with tracejit.config(on_unsupported="warn"), warned:
        product = f(np.ones(3))
    assert type(product) is DeviceArray and (product.get() == np.arange(3.0)).all()
    np.testing.assert_array_equal(w.get_value(), np.arange(3.0) + 1)

    def step(g: Any) -> Any:
        w.set_value(w.get_value() + g)

    with pytest.raises(UnsupportedError, match="uses shared variables and cannot be compiled"):
        tracejit.function(step, device="gpu2", on_unsupported="warn")(np.ones(3))
    np.testing.assert_array_equal(w.get_value(), np.arange(3.0) + 1)


@pytest.mark.parametrize("kind", ["launch", "upload", "download", "allocate", "copy"])
def test_a_step_that_fails(kind: str) -> None:
    """Whichever it is, all states are as they were, and the next call goes on from there."""
    x = T.dvector("x")
    w = tracejit.shared(np.arange(4.0), "w", device="gpu2")
    n = tracejit.shared(0, "n", device="gpu2")
    h = tracejit.shared(np.ones(4), "h")
    states = (w, n, h)
    updates = [(w, w - x), (n, n + 1), (h, h * T.exp(x))]
    f = tracejit.function([x], [w * x, T.max(w)], updates=updates)
    f(np.ones(4))
    failed = 0
    for k in range(20):
        before = [s.get_value() for s in states]
        values = [s.container.value for s in states]
        tracejit.lower.registry.target("gpu2").residence.pool.release()
        DRIVER.failing[kind] = k
        try:
            f(np.ones(4))
        except (DeviceError, MemoryError):
            failed += 1
            DRIVER.failing.clear()
            for s, value, content in zip(states, values, before, strict=True):
                assert s.container.value is value
                np.testing.assert_array_equal(s.get_value(), content)
        else:
            DRIVER.failing.clear()
            break
    assert failed >= (0 if kind == "copy" else 1) and k < 19
    np.testing.assert_array_equal(w.get_value(), before[0] - 1)
    assert n.get_value() == before[1] + 1
