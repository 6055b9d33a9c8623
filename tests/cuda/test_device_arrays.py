"""Arrays on a device: what a user sees of them, and how functions take and give them."""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from fake import FakeDriver, held

import tracejit
from tracejit.cuda import DeviceArray
from tracejit.cuda.target import CUDA
from tracejit.errors import DeviceError, UnsupportedError, UnsupportedWarning
from tracejit.lower.registry import register

pytest.importorskip("cuda.bindings.nvvm")
DRIVER, OTHER = FakeDriver(), FakeDriver()
register("gpu", lambda: CUDA(DRIVER, "gpu"))
register("gpu:1", lambda: CUDA(OTHER, "gpu:1"))


def on(x: Any) -> DeviceArray:
    return tracejit.to_device(x, device="gpu")


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Any:
    yield
    assert held("gpu") == 0


class Foreign:
    """Another library's array: it has memory of the device, and tells where."""

    def __init__(self, x: np.ndarray, stream: int | None = None, version: int = 3) -> None:
        self.address = DRIVER.allocate(max(x.nbytes, 1))
        self.like = np.ascontiguousarray(x)
        DRIVER.upload(self.address, self.like)
        self.stream, self.version = stream, version

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        found = {
            "version": self.version,
            "typestr": self.like.dtype.str,
            "shape": self.like.shape,
            "data": (self.address, False),
        }
        return {**found, "stream": self.stream} if self.version == 3 else found

    def get(self) -> np.ndarray:
        found = np.empty_like(self.like)
        ctypes.memmove(found.ctypes.data, self.address, found.nbytes)
        return found

    def __del__(self) -> None:
        DRIVER.free(self.address)


# The arrays themselves ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "b", "H", "i", "l", "e", "f", "d", "F", "D"])
def test_there_and_back(dtype: str) -> None:
    x = np.arange(12).reshape(3, 4).astype(dtype)
    for given in (x, x.T, x[::2, ::-1], x[:0], x[1, 2]):
        y = on(given)
        assert (y.dtype, y.shape, y.ndim, y.size) == (
            given.dtype, given.shape, given.ndim, given.size,
        )  # fmt: skip
        assert y.nbytes == given.nbytes and y.device == "gpu" and y.itemsize == given.itemsize
        np.testing.assert_array_equal(y.get(), given)
        np.testing.assert_array_equal(np.asarray(y), given)


def test_views_share_memory() -> None:
    x = np.arange(24.0).reshape(4, 6)
    y = on(x)
    for key in (1, -1, slice(1, 3), (slice(None), 2), (..., slice(None, None, -2)), (2, 3), None):
        np.testing.assert_array_equal(y[key].get(), x[key])
        assert isinstance(y[key], DeviceArray)
    np.testing.assert_array_equal(y.T.get(), x.T)
    np.testing.assert_array_equal(y[1:].transpose(1, 0)[::-1].get(), x[1:].T[::-1])
    double = tracejit.function(doubled, device="gpu")
    double(y[1:, ::2])
    x[1:, ::2] *= 2
    np.testing.assert_array_equal(y.get(), x)
    row = y[3]
    del y
    np.testing.assert_array_equal(row.get(), x[3])
    for key in ([0, 1], True, np.array([0]), 1.5):
        with pytest.raises(TypeError, match="sliced by numbers"):
            row[key]
    with pytest.raises(IndexError):
        row[9]


def test_numbers() -> None:
    y = on(np.float64(2.5))
    assert (float(y), int(y), bool(y), complex(y), y.item(), f"{y:.2f}") == (
        2.5, 2, True, 2.5, 2.5, "2.50",
    )  # fmt: skip
    assert range(5)[on(np.int64(3))] == 3
    with pytest.raises(TypeError):
        len(y)
    with pytest.raises(TypeError):
        iter(y)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(on(np.arange(3)))
    x = on(np.arange(3))
    assert len(x) == 3 and x.tolist() == [0, 1, 2] and [int(v) for v in x] == [0, 1, 2]
    assert repr(x) == "DeviceArray([0, 1, 2], dtype=int64, device='gpu')"


def test_numpy_works_on_downloads() -> None:
    x = np.arange(3.0)
    y = on(x)
    assert type(y + 1) is np.ndarray and (y + 1 == x + 1).all() and (1 - y == 1 - x).all()
    assert y[2] > 1.5 and not (y == x + 1).any() and np.sum(y) == 3
    assert np.concatenate([y, y]).shape == (6,)
    assert np.asarray(y, np.float32).dtype == np.float32
    with pytest.raises(TypeError, match="compiled functions only"):
        y += 1
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(y, copy=False)


def test_copies() -> None:
    y = on(np.arange(8.0).reshape(2, 4))[:, ::2]
    z = y.copy()
    tracejit.function(doubled, device="gpu")(z)
    np.testing.assert_array_equal(y.get(), [[0, 2], [4, 6]])
    np.testing.assert_array_equal(z.get(), [[0, 4], [8, 12]])
    again = pickle.loads(pickle.dumps(z))
    assert again.device == "gpu" and (again.get() == z.get()).all()


def test_what_cannot_be_uploaded() -> None:
    with pytest.raises(TypeError, match="dtype"):
        on(np.array(["a"]))
    with pytest.raises(DeviceError, match="no GPU"):
        tracejit.to_device(np.ones(2), device="cpu")
    with pytest.raises(ValueError, match=r"may be .*, not .tpu."):
        tracejit.to_device(np.ones(2), device="tpu")
    with pytest.raises(DeviceError, match=r"lies on gpu, and is used on gpu:1"):
        tracejit.to_device(on(np.ones(2)), device="gpu:1")


def test_info() -> None:
    tracejit.synchronize(device="gpu")
    info = tracejit.device_info(device="gpu")
    assert info.name == DRIVER.device.name and info.memory == 1 << 30 and info.cc == (9, 0)
    assert 0 < info.free <= info.memory - info.kept


# Other libraries ---------------------------------------------------------------------------------


def test_interface() -> None:
    x = np.arange(6.0).reshape(2, 3)
    y = on(x)
    shown = y[:, ::2].__cuda_array_interface__
    assert (shown["shape"], shown["strides"], shown["typestr"]) == ((2, 2), (24, 16), "<f8")
    assert shown["version"] == 3 and shown["stream"] == DRIVER.stream
    assert shown["data"] == (y.__cuda_array_interface__["data"][0], False)
    assert y.__cuda_array_interface__["strides"] is None
    assert on(x[:0]).__cuda_array_interface__["data"][0] == 0


@pytest.mark.parametrize("version", [None, (1, 1)])
def test_dlpack(version: Any) -> None:
    """Out and in again: NumPy reads host memory, so the fake device's is called the host's."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    y = on(x)[:, 1:]
    assert y.__dlpack_device__() == (2, 0)
    DRIVER.ordered.clear()
    capsule = y.__dlpack__(stream=5, max_version=version)
    assert DRIVER.ordered == [(DRIVER.stream, 5)]

    class Given:
        def __dlpack__(self, **how: Any) -> Any:
            self.how = how
            return capsule

    given = Given()
    z = tracejit.cuda.from_dlpack(given, device="gpu")
    assert given.how == {"stream": DRIVER.stream, "max_version": (1, 0)}
    assert z.strides == y.strides and z.array.ctypes.data == y.array.ctypes.data
    del y
    np.testing.assert_array_equal(z.get(), x[:, 1:])
    with pytest.raises(BufferError, match="taken before"):
        tracejit.cuda.from_dlpack(given, device="gpu")
    unused = z.__dlpack__(stream=-1)
    del unused  # nobody took it


def test_dlpack_refusals() -> None:
    y = on(np.arange(3.0))
    with pytest.raises(BufferError, match="elsewhere"):
        y.__dlpack__(dl_device=(1, 0))
    y.array.flags.writeable = False
    with pytest.raises(BufferError, match="read-only"):
        y.__dlpack__()

    class Host:
        def __dlpack__(self, stream: Any = None, max_version: Any = None) -> Any:
            return np.arange(3).__dlpack__(max_version=max_version)

    with pytest.raises(DeviceError, match="lies on the host"):
        tracejit.cuda.from_dlpack(Host(), device="gpu")


def test_arrays_of_others_are_used_where_they_lie() -> None:
    f = tracejit.function(lambda x, y: (x * y, x), device="gpu")
    a, b = Foreign(np.arange(5.0), stream=9), Foreign(np.ones(5), version=2)
    for _ in range(2):
        DRIVER.ordered.clear()
        uploads = DRIVER.uploads
        got, same = f(a, b)
        assert same is a and DRIVER.uploads == uploads
        np.testing.assert_array_equal(got.get(), np.arange(5.0))
        # It waits for what they have in their streams, and they wait for it.
        ours = DRIVER.stream
        assert DRIVER.ordered == [(9, ours), (1, ours), (ours, 9), (ours, 1)]
    assert f.stats.traces == 1
    double = tracejit.function(doubled, device="gpu")
    double(a)
    np.testing.assert_array_equal(a.get(), 2 * np.arange(5.0))


def test_elsewhere() -> None:
    f = tracejit.function(lambda x: x + 1, device="gpu:1")
    y = on(np.arange(3.0))
    for given in (y, [y]):
        with pytest.raises(DeviceError, match="lies on gpu, and is used on gpu:1"):
            f(given) if given is y else tracejit.function(lambda x: x[0] + 1, device="gpu:1")(given)
    with pytest.raises(DeviceError, match=r"x lies on gpu, .* runs on cpu: pass x.get\(\)"):
        tracejit.function(lambda x: x + 1, device="cpu")(y)
    with pytest.raises(DeviceError, match="w lies on gpu"):
        w = y
        tracejit.function(lambda x: x + w)(np.arange(3.0))
    f(np.arange(3.0))
    with pytest.raises(DeviceError, match="lies on gpu"):  # also where a driver is there
        f(y)
    stray = Foreign(np.arange(3.0))
    owned, stray.address = stray.address, np.arange(3.0).ctypes.data
    with pytest.raises(DeviceError, match="lies on the host"):
        tracejit.function(lambda x: x + 1, device="gpu")(stray)
    stray.address = owned


# Calls -------------------------------------------------------------------------------------------


def doubled(x: Any) -> None:
    x *= 2


def test_results_stay_there() -> None:
    f = tracejit.function(lambda x: np.exp(-x) + 1, device="gpu")
    x = np.linspace(0, 1, 50)
    y = f(f(x))
    uploads, downloads = DRIVER.uploads, DRIVER.downloads
    z = f(f(y))
    assert (DRIVER.uploads, DRIVER.downloads) == (uploads, downloads)
    want = x
    for _ in range(4):
        want = np.exp(-want) + 1
    np.testing.assert_allclose(z.get(), want)
    assert f.stats.traces == 2  # for arrays of NumPy's, and for those


@pytest.mark.parametrize("put", [np.copy, on])
def test_results(put: Any) -> None:
    def f(x: Any, k: Any) -> Any:
        y = x * 2
        return x, x.T, y, y[1:], y.sum() if k > 5 else y.max(), k + 1, x.shape[0], {"y": [y > 3]}

    x = put(np.arange(6).reshape(2, 3))
    a, b, y, c, d, e, n, g = tracejit.function(f, device="gpu")(x, 4)
    want = np.arange(6).reshape(2, 3)
    assert a is x and type(b) is type(x) and (np.asarray(b) == want.T).all()
    assert type(y) is DeviceArray and (y.get() == 2 * want).all()
    assert c.array.base is y.array and (c.get() == 2 * want[1:]).all()
    assert type(d) is DeviceArray and d.shape == () and int(d) == 10
    assert (e, n) == (5, 2) and type(e) is int
    assert (g["y"][0].get() == (2 * want > 3)).all()


def test_views_that_copy() -> None:
    """Whether a reshape copies is NumPy's to say; a device's memory is not read for it."""

    def f(x: Any) -> Any:
        return x.reshape(-1), x.T.reshape(2, 6), x.ravel(), np.broadcast_to(x, (2, *x.shape))

    x, y = np.arange(12.0).reshape(3, 4), on(np.arange(12.0).reshape(3, 4))
    g = tracejit.function(f, device="gpu")
    for host, there in ((x, y), (x.T, y.T)):
        for a, b in zip(g(there), f(host), strict=True):
            np.testing.assert_array_equal(a.get(), b)
            assert np.may_share_memory(a.array, y.array) == np.may_share_memory(b, x)


@pytest.mark.parametrize("put", [np.copy, on])
def test_writes_reach_arguments(put: Any) -> None:
    def f(x: Any, y: Any) -> Any:
        x[1:-1] += y[:-2]
        y[:] = 0
        return x

    x, y = put(np.arange(6.0)), put(np.ones(6))
    a, b = np.arange(6.0), np.ones(6)
    g = tracejit.function(f, device="gpu")
    for _ in range(2):
        f(a, b)
        assert g(x, y) is x
        np.testing.assert_array_equal(np.asarray(x), a)
        np.testing.assert_array_equal(np.asarray(y), b)
    assert g.stats.fallbacks == 0


def test_writes_into_what_has_gaps() -> None:
    """Between the elements lies what another argument has."""
    x = np.arange(10.0)

    def f(a: Any, b: Any) -> None:
        a += 1
        b *= 2

    want = x.copy()
    f(want[::2], want[1::2])
    g = tracejit.function(f, device="gpu", on_unsupported="warn")
    g(np.zeros(5), np.zeros(5))  # compiled for arrays that are apart
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        g(x[::2], x[1::2])
    np.testing.assert_array_equal(x, want)


def test_overlapping_arguments() -> None:
    """What was compiled for arrays that are apart does not take others, wherever they lie."""

    def f(x: Any, y: Any) -> None:
        x[:] = y[::-1]
        x += 1

    g = tracejit.function(f, device="gpu", on_unsupported="warn")
    for put in (np.copy, on):
        g(put(np.arange(5.0)), put(np.arange(5.0)))
        x, want = put(np.arange(8.0)), np.arange(8.0)
        f(want[1:6], want[2:7])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnsupportedWarning)
            g(x[1:6], x[2:7])
        np.testing.assert_array_equal(np.asarray(x), want)


def test_captured_arrays() -> None:
    w, b = on(np.arange(3.0)), np.ones(3)
    f = tracejit.function(lambda x: (x * w + b, w), device="gpu")
    for k in range(2):
        b[:] = k
        got, same = f(np.full(3, 2.0))
        assert same is w
        np.testing.assert_array_equal(got.get(), 2 * np.arange(3.0) + k)
    w = on(np.ones(3))
    np.testing.assert_array_equal(f(np.full(3, 2.0))[0].get(), np.full(3, 3.0))


def test_where_a_function_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    f = tracejit.function(lambda x: x + 1)
    x = np.arange(3.0)
    assert type(f(x)) is np.ndarray
    with tracejit.config(device="gpu"):
        assert tracejit.config.device == "gpu"
        assert type(f(x)) is DeviceArray and type(f(x)) is DeviceArray
        assert type(tracejit.function(lambda x: x + 1, device="cpu")(x)) is np.ndarray
        assert tracejit.to_device(x).device == "gpu"
    assert type(f(x)) is np.ndarray
    with tracejit.change_flags(device="gpu1"):  # as Theano named them
        assert tracejit.config.device == "cuda:1"
    assert type(f(x)) is np.ndarray and tracejit.config.device == "cpu"
    with pytest.raises(ValueError, match=r"may be .*, not .tpu."):
        tracejit.config(device="tpu")
    with pytest.raises(ValueError, match=r"may be .*, not .tpu."):
        tracejit.function(lambda x: x, device="tpu")


@pytest.mark.parametrize("device, error", [("cuda", "DeviceError"), ("tpu", "ValueError")])
def test_the_device_of_a_process(device: str, error: str) -> None:
    """One that is not there, or is none, is an error at the first call, and no run on a CPU."""
    program = (
        "import numpy as np, tracejit\n"
        "try:\n"
        "    tracejit.function(lambda x: x + 1)(np.ones(3))\n"
        "except Exception as error:\n"
        "    print(tracejit.config.device, type(error).__name__)\n"
    )
    environment = os.environ | {"TRACEJIT_DEVICE": device, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [device, error], done.stderr


def test_derivatives() -> None:
    f = tracejit.function(lambda x: (np.exp(x) * x).max(), device="gpu")
    x = np.array([1.0, 2.0])
    value, slope = tracejit.value_and_grad(f)(on(x))
    assert type(value) is DeviceArray and type(slope) is DeviceArray
    np.testing.assert_allclose(slope.get(), [0, 3 * np.exp(2)])


def test_what_numpy_raises_changes_nothing() -> None:
    def f(x: Any, places: Any) -> Any:
        x += 1
        return x[places]

    x, places = on(np.arange(4.0)), np.array([0, 9])
    g = tracejit.function(f, device="gpu")
    with pytest.raises(IndexError, match="out of bounds"):
        g(x, places)
    # As NumPy: the statement before it has been done, once.
    np.testing.assert_array_equal(x.get(), np.arange(4.0) + 1)
    g(x, np.array([0, 1]))
    np.testing.assert_array_equal(x.get(), np.arange(4.0) + 2)


def test_plain_numpy() -> None:
    """What has no kernel runs in NumPy on downloads, and says so; results are on the device."""

    def f(x: Any, y: Any, many: Any) -> Any:
        x[0] = 7
        many.append(x)
        return np.linalg.qr(y)[1], x, y[1:], float(y[0, 0]), many

    x, y, many = on(np.zeros(3)), on(np.eye(3) * 4), [on(np.ones(2))]
    g = tracejit.function(f, device="gpu", on_unsupported="warn")
    with pytest.warns(UnsupportedWarning, match="runs in plain NumPy"):
        r, same, part, number, listed = g(x, y, many)
    assert same is x and number == 4 and listed is many and many[1] is x
    np.testing.assert_array_equal(x.get(), [7, 0, 0])
    np.testing.assert_allclose(abs(r.get()), np.eye(3) * 4)
    assert np.may_share_memory(part.array, y.array)
    with pytest.raises(UnsupportedError):
        tracejit.function(f, device="gpu", on_unsupported="error")(x, y, [])
    np.testing.assert_array_equal(x.get(), [7, 0, 0])


@pytest.mark.parametrize("dtype", [np.longlong, "U3", "M8[s]", object])
def test_plain_numpy_of_dtypes_that_a_gpu_has_not(dtype: Any) -> None:
    """Such results stay on the host, as NumPy gives them."""
    g = tracejit.function(lambda x: (x.astype(dtype), x), device="gpu", on_unsupported="warn")
    x = np.arange(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        got, same = g(on(x))
    assert type(got) is np.ndarray and got.dtype == x.astype(dtype).dtype
    np.testing.assert_array_equal(got, x.astype(dtype))
    np.testing.assert_array_equal(same.get(), x)


def test_nothing_interprets_there() -> None:
    f = tracejit.function(lambda x: x + 1, device="gpu", on_unsupported="warn")
    warned = pytest.warns(UnsupportedWarning, match="nothing interprets")
    with tracejit.config(compile=False), warned:
        y = f(on(np.arange(3.0)))
    np.testing.assert_array_equal(y.get(), [1, 2, 3])
