"""A device's memory, and steps on it: what is used again, and that failing ones change nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake import FakeDriver, downloaded, held

import tracejit
import tracejit.tensor as T
from tracejit.cuda.device.pool import Pool, size_class
from tracejit.cuda.device.staging import LEAST, Staging
from tracejit.cuda.target import CUDA
from tracejit.errors import DeviceError
from tracejit.lower.registry import register, target
from tracejit.tensor.shared_randomstreams import RandomStreams

pytest.importorskip("cuda.bindings.nvvm")
DRIVER = FakeDriver()
register("gpu4", lambda: CUDA(DRIVER, "gpu4"))


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Any:
    yield
    DRIVER.failing.clear()
    assert held("gpu4") == 0


def on(x: Any) -> Any:
    return tracejit.to_device(x, device="gpu4")


# The pool ----------------------------------------------------------------------------------------


def test_size_classes() -> None:
    sizes = [*range(1, 9000, 37), *(3**k for k in range(8, 25))]
    classes = [size_class(n) for n in sizes]
    assert [size_class(n) for n in sorted(sizes)] == sorted(classes)
    for n, c in zip(sizes, classes, strict=True):
        assert c >= n and c % 512 == 0 and size_class(c) == c
        assert c <= max(512, n + max(n // 8, 511))


def test_blocks_are_used_again() -> None:
    driver = FakeDriver()
    pool = Pool(driver)
    a = pool.empty((10, 10), np.dtype(float))
    address = a.ctypes.data
    view = a[2:].T
    del a
    assert pool.kept == 0  # a view keeps it
    del view
    assert pool.kept == 1024 and len(driver.memory) == 1
    assert pool.empty(100, np.dtype(float)).ctypes.data == address
    pool.release()
    assert pool.kept == 0 and not driver.memory


def test_pressure() -> None:
    """What is kept goes before memory ends; the message says what was asked for, and is free."""
    driver = FakeDriver(memory=10_000)
    pool = Pool(driver)
    for n in (1000, 2000, 4000):
        pool.empty(n, np.dtype(np.uint8))
    big = pool.empty(9000, np.dtype(np.uint8))
    assert pool.kept == 0 and driver.allocated == 9216
    with pytest.raises(MemoryError, match=r"^1,000 bytes are needed .* 784 of 10,000 are free"):
        pool.empty(1000, np.dtype(np.uint8))
    del big


def test_temporaries_are_used_again() -> None:
    f = tracejit.function(lambda x: np.exp(x - x.max()) / (x.max() + x), device="gpu4")
    x = on(np.arange(1000.0))
    for _ in range(3):
        f(x)
    blocks = set(DRIVER.memory)
    for _ in range(5):
        f(x)
    assert set(DRIVER.memory) == blocks


def test_constants_are_uploaded_once() -> None:
    table = np.arange(300.0)
    f = tracejit.function(lambda x: x + np.arange(300.0) ** 2 + table, device="gpu4")
    g = tracejit.function(lambda x: x[np.array([2, 0, 1])], device="gpu4")
    x, y = on(np.ones(300)), on(np.arange(3.0))
    for _ in range(2):
        f(x), g(y)
    uploads = DRIVER.uploads
    np.testing.assert_array_equal(g(y).get(), [2, 0, 1])
    assert DRIVER.uploads == uploads
    table[:] = 7  # is read at each call
    np.testing.assert_array_equal(f(x).get(), 1 + np.arange(300.0) ** 2 + 7)
    assert DRIVER.uploads == uploads + 1


class Late(FakeDriver):
    """What is sent arrives when it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[tuple[int, int, int]] = []

    def send(self, address: int, start: int, size: int) -> Any:
        self.under_way.append((address, start, size))
        return len(self.under_way)

    def wait(self, sent: Any) -> None:
        for one in self.under_way[:sent]:
            if one is not None:
                super().send(*one)
        self.under_way[:sent] = [None] * sent  # type: ignore[list-item]


@pytest.mark.parametrize("size", [1, LEAST, LEAST + 1, 3 * LEAST + 5, 4 * LEAST])
def test_staging(size: int) -> None:
    """Nothing is written into pinned memory from which something is still under way."""
    driver, rng = Late(), np.random.default_rng(size)
    staging = Staging(driver, part=LEAST)
    address = driver.allocate(size)
    for _ in range(3):
        x = rng.integers(0, 256, size, dtype=np.uint8)
        kept = x.copy()
        staging.upload(address, x)
        x[:] = 0  # the caller's again
        driver.wait(len(driver.under_way))
        found = np.empty_like(x)
        driver.download(found, address)
        np.testing.assert_array_equal(found, kept)
    assert len(driver.pins) == (0 if size < LEAST else 2)


# Launches ----------------------------------------------------------------------------------------


def shape_of(x: int, y: int) -> tuple[int, ...]:
    width = min(256, 1 << max(x - 1, 0).bit_length())
    height = min(256 // width, 1 << max(y - 1, 0).bit_length())
    return min(-(-x // width), 1 << 16), min(-(-y // height), 1 << 12), 1, width, height, 1


@pytest.mark.parametrize(
    "shape", [(1,), (2,), (255,), (256,), (257,), (100_000,), (3, 5), (300, 2), (7, 400), (1, 9)]
)
def test_grids(shape: tuple[int, ...]) -> None:
    f = tracejit.function(lambda x: x.T * 2 if x.ndim > 1 else x * 2, device="gpu4")
    x = np.arange(float(np.prod(shape))).reshape(shape)
    strided = np.zeros((shape[0], 2 * shape[-1]))[:, ::2] if len(shape) > 1 else x
    launches = DRIVER.launches
    got = f(strided)
    assert DRIVER.launches == launches + 1
    np.testing.assert_array_equal(got.get(), strided.T * 2)
    x, y, *_ = *strided.shape, 1
    shapes = {shape_of(-(-m // w), n) for w in (1, 2, 4) for m, n in ((x, y), (y, x))}
    assert DRIVER.grid in shapes  # a thread takes so many neighbours


def test_nothing_is_launched_for_nothing() -> None:
    f = tracejit.function(lambda x: x * 2, device="gpu4")
    f(np.ones(3))
    launches = DRIVER.launches
    assert f(np.ones(0)).shape == (0,)
    assert DRIVER.launches == launches


def test_lengths_that_none_has() -> None:
    """NumPy would take -1 for as many as there is room for."""
    n = T.lscalar("n")
    with tracejit.config(device="gpu4"):
        f = tracejit.function([n], RandomStreams(1).uniform((n,)))
        with pytest.raises(ValueError, match="negative dimensions"):
            f(-1)
        assert f(2).shape == (2,) and f(0).shape == (0,)
    del f
    home: Any = target("gpu4").residence
    for shape in (-1, (-1,), (2, -1), (-2, -1), (0, -1)):
        with pytest.raises(ValueError, match="negative dimensions"):
            home.empty(shape, np.dtype(float))


def test_threads() -> None:
    """Several threads may call at once: the device does one thing after the other."""
    f = tracejit.function(lambda x, k: np.sqrt(x * x) + k, device="gpu4")
    x = on(np.arange(500.0))
    f(x, 1)
    wrong = []

    def work(k: int) -> None:
        y = x
        for _ in range(40):
            y = f(y, k)
        if not (y.get() == np.arange(500.0) + 40 * k).all():
            wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# Steps that fail ---------------------------------------------------------------------------------


def in_place(x: Any, y: Any) -> Any:
    x[1:-1] += y[2:]
    y *= x.max()
    return x + y, int(x.shape[0])


def in_a_loop(x: Any, y: Any) -> Any:
    k = 0
    while x.max() > 1 and k < 5:
        x *= 0.5
        y += x
        k += 1
    return k, y - x


def with_places(x: Any, y: Any) -> Any:
    x += 1
    y[y.astype(np.int64) % 4] = 3
    return x[y.astype(np.int64) % 8]


def of_late_size(x: Any, y: Any) -> Any:
    x *= 2
    return x[x > 3], y[np.nonzero(y)[0]]


PROGRAMS = [in_place, in_a_loop, with_places, of_late_size]


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("put", [np.copy, on], ids=["host", "device"])
@pytest.mark.parametrize("kind", ["launch", "upload", "download", "allocate", "copy"])
def test_a_step_that_fails(f: Callable[..., Any], put: Any, kind: str) -> None:
    """Whichever it is, arguments are as they were; the call after it does all."""
    g = tracejit.function(f, device="gpu4", on_unsupported="error")
    start = np.arange(8.0), np.arange(8.0)[::-1] + 2
    wanted = [a.copy() for a in start]
    want = f(*wanted)
    x, y = map(put, start)
    g(put(start[0]), put(start[1]))
    for k in range(60):
        target("gpu4").residence.pool.release()
        DRIVER.failing[kind] = k
        try:
            got = g(x, y)
        except (DeviceError, MemoryError):
            DRIVER.failing.clear()
            for a, b in zip((x, y), start, strict=True):
                np.testing.assert_array_equal(np.asarray(a), b)
            continue
        DRIVER.failing.clear()
        break
    assert k < 59 and (k > 0 or kind in ("upload", "download", "copy"))
    for a, b in zip((x, y), wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(a), b)
    results, expected = (r if isinstance(r, tuple) else (r,) for r in (downloaded(got), want))
    for a, b in zip(results, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("put", [np.copy, on], ids=["host", "device"])
def test_what_numpy_raises(put: Any) -> None:
    """The flag is read with the results: what was written till then is taken back."""

    def f(x: Any, y: Any) -> Any:
        x += 1
        y[:] = x[y.astype(np.int64)]

    g = tracejit.function(f, device="gpu4", on_unsupported="error")
    x, y = put(np.arange(4.0)), put(np.array([0.0, 3, 2, 1]))
    g(x, y)
    np.testing.assert_array_equal(np.asarray(y), [1, 4, 3, 2])
    with pytest.raises(IndexError, match="out of bounds"):  # of NumPy's run, which begins anew
        g(x, y)
    np.testing.assert_array_equal(np.asarray(x), np.arange(4.0) + 2)
    np.testing.assert_array_equal(np.asarray(y), [1, 4, 3, 2])
