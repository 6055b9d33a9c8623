"""What Python calls an entry by: it takes arguments of one signature, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from handwritten import kernel, wrapped

from tracejit.native import abi, newarray, symbols
from tracejit.native.machinecode import Compiled
from tracejit.native.parameters import Array, Number

SCALARS = [np.dtype(c) for c in "?bhilBHILfdFD"]
MISS = 1
INT = Number(np.dtype(np.int64))


@pytest.fixture(autouse=True, params=["machine code", "Python"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What takes the arguments: Python does where NumPy keeps them otherwise."""
    if request.param == "Python":
        monkeypatch.setattr(abi.Array, "flags", abi.Array.rank)
    monkeypatch.setattr(symbols, "_given", {})
    for found in (abi.arrays, newarray.new_array):
        found.cache_clear()
    yield request.param
    for found in (abi.arrays, newarray.new_array):
        found.cache_clear()


def taking(*signature: Any) -> Any:
    """An entry that does nothing with arguments of these types."""
    names = ", ".join(f"a{k}" for k in range(len(signature)))
    return kernel(f"def entry({names}):\n    return 0\n", *signature)


def unaligned(x: np.ndarray) -> np.ndarray:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    return memory[1:].view(x.dtype).reshape(x.shape)


def test_who_reads_them(reader: str) -> None:
    assert (type(taking(INT)) is type(len)) == (reader == "machine code")


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy(order="K")
    x.flags.writeable = False
    return x


class Mine(np.ndarray):
    pass


C = np.arange(12.0).reshape(3, 4)
F, A = np.asfortranarray(C), np.arange(24.0).reshape(3, 8)[:, ::2]
LINE = np.arange(6.0)
#: Arrays, each with the layout it has for Numba where it is a writeable array of two axes.
ARRAYS: list[tuple[str, Any, str | None]] = [
    ("C", C, "C"),
    ("F", F, "F"),
    ("gaps", A, "A"),
    ("backwards", C[::-1], "A"),
    ("one row", C[:1], "C"),
    ("one column", C[:, :1], "A"),
    ("contiguous both ways", np.ones((1, 4)), "C"),
    ("nothing in it", np.ones((0, 4)), "C"),
    ("long long is int64", C.astype("q"), None),
    ("one axis", LINE, None),
    ("three axes", C[None], None),
    ("no axes", np.array(1.0), None),
    ("float32", C.astype("f"), None),
    ("other bytes", C.astype(">f8" if sys.byteorder == "little" else "<f8"), None),
    ("unaligned", unaligned(C), None),
    ("a subclass", C.view(Mine), None),
    ("masked", np.ma.array(C), None),
    ("a record", np.zeros((3, 4), [("a", "f8")]), None),
    ("objects", C.astype(object), None),
    ("dates", C.astype("M8[s]"), None),
    ("a list", C.tolist(), None),
    ("a number", 1.0, None),
    ("None", None, None),
]


@pytest.mark.parametrize("layout", "CFA")
@pytest.mark.parametrize("mutable", [True, False])
def test_arrays_of_its_type_alone(layout: str, mutable: bool) -> None:
    entry = taking(Array(np.dtype(float), 2, layout, not mutable))
    for name, x, kind in ARRAYS:
        assert entry(x) == (0 if mutable and kind == layout else MISS), name
        if kind is not None:
            fits = not mutable and kind == layout
            assert entry(read_only(x) if kind != "A" else frozen(x)) == (0 if fits else MISS), name


def frozen(x: np.ndarray) -> np.ndarray:
    x = x[...]
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("dtype", SCALARS, ids=str)
def test_every_type_of_number(dtype: np.dtype[Any]) -> None:
    array, scalar = taking(Array(dtype, 1, "C")), taking(Number(dtype))
    for char in np.typecodes["All"]:
        x = np.zeros(3, char)
        assert array(x) == (0 if x.dtype.num == dtype.num else MISS), char
        if char not in "SUVOMm":
            assert scalar(x.dtype.type(1)) == (0 if x.dtype.num == dtype.num else MISS), char
    swapped = np.zeros(3, dtype.newbyteorder("S"))
    assert array(swapped) == (MISS if dtype.itemsize > 1 else 0)
    for value in (True, 1, 1.0, 1j, "1", None, [1], C):
        fits = isinstance(value, (bool, int, float, complex)) and np.dtype(type(value)) == dtype
        assert scalar(value) == (0 if fits else MISS), value


def test_values_arrive() -> None:
    def body(x, k, z, b, out):  # type: ignore[no-untyped-def]
        out[0], out[1], out[2] = x[1, 2], k, z.real
        out[3], out[4], out[5] = z.imag, b, x.shape[0] * 10 + x.shape[1]
        out[6], out[7] = x.size, x.strides[0] * 1000 + x.strides[1]
        return 0

    f8 = np.dtype(float)
    for layout, x in (("C", C), ("F", F), ("A", A), ("A", C[::-1, ::-2])):
        entry = wrapped(
            body, Array(f8, 2, layout), INT, Number(np.dtype(complex)), Number(np.dtype(bool)),
            Array(f8, 1, "C"),
        )  # fmt: skip
        out = np.zeros(8)
        if x.shape[1] > 2:
            assert entry(x, -7, 2 + 3j, True, out) == 0
            strides = x.strides[0] * 1000 + x.strides[1]
            assert out.tolist() == [x[1, 2], -7, 2, 3, 1, 34, 12, strides]
        else:
            assert entry(x[:, :1], 0, 0j, False, out) == 0


@pytest.mark.parametrize("dtype", SCALARS, ids=str)
def test_numbers_arrive(dtype: np.dtype[Any]) -> None:
    def body(v, out):  # type: ignore[no-untyped-def]
        out[0] = v
        return 0

    entry = wrapped(body, Number(dtype), Array(dtype, 1, "C"))
    out = np.zeros(1, dtype)
    info: Any = np.iinfo(dtype) if dtype.kind in "iu" else None
    if dtype.kind == "b":
        values = [False, True]
    elif info is not None:
        values = [info.min, info.max, 3]
    elif dtype.kind == "f":
        values = [-0.0, np.inf, np.nan, np.finfo(dtype).tiny, np.finfo(dtype).max, 1 / 3]
    else:
        values = [complex(-0.0, 0.5), complex(np.nan, -np.inf), 1 / 3 + 2j]
    python = {"?": bool, "l": int, "d": float, "D": complex}.get(dtype.char)
    for value in values:
        for given in (dtype.type(value), *([python(value)] if python else [])):
            assert entry(given, out) == 0
            assert out.tobytes() == dtype.type(value).tobytes(), given


def test_a_number_that_does_not_fit_is_pythons_error() -> None:
    with pytest.raises(OverflowError):
        taking(INT)(1 << 70)


def test_the_wrong_number_of_arguments() -> None:
    entry = taking(INT, INT)
    for args in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError, match="other arguments"):
            entry(*args)
    with pytest.raises(TypeError):
        entry(1, a1=2)


CELLS = Array(np.dtype(np.int64), 1, "C")
ZERO = 0


def making(body: str, count: int, *signature: Any) -> Any:
    """An entry that makes arrays in its last argument."""
    head = """
from numba import uint16
from tracejit.cpu.runtime import new_array
vector, matrix = new_array("d", 1), new_array("e", 2)
"""
    return kernel(head + body, *signature, CELLS, late=count)


def test_what_is_made_inside_is_numpys() -> None:
    body = """
def entry(n, late):
    x = vector(late, 1, n)
    y = matrix(late, 2, n, 3)
    for i in range(n):
        x[i] = 2.5
        for k in range(3):
            y[i, k] = uint16(15360)
    if n == 0:
        return 2
    return 0
"""
    entry = making(body, 2, INT)
    x, y = entry(4)
    np.testing.assert_array_equal(x, np.full(4, 2.5))
    np.testing.assert_array_equal(y, np.ones((4, 3)))
    assert (x.dtype, y.dtype) == (np.float64, np.float16)
    for made in (x, y):
        assert type(made) is np.ndarray and made.base is None
        assert made.flags.owndata and made.flags.writeable and made.flags.c_contiguous
        assert sys.getrefcount(made) == 4  # the name, the tuple, the loop, the argument
    assert entry("4") is entry(ZERO) is None
    # More than there can be: the second fails, and the first goes.
    assert entry(1 << 61) is entry(-1) is None
    before = sys.getrefcount(None)
    for _ in range(100):
        assert entry(ZERO) is None
    assert abs(sys.getrefcount(None) - before) < 10


def test_what_is_made_is_let_go() -> None:
    body = """
def entry(n, late):
    x = vector(late, 1, 1 << 20)
    for i in range(1 << 20):
        x[i] = 0.0
    if n != 0:
        return 2
    return 0
"""
    entry = making(body, 1, INT)
    tracemalloc.start()
    try:
        for n in (1, 0) * 20:
            entry(n)
        assert tracemalloc.get_traced_memory()[0] < 1 << 22
        assert tracemalloc.get_traced_memory()[1] >= 1 << 23
    finally:
        tracemalloc.stop()


def test_what_fails_inside_is_a_code() -> None:
    def body(n):  # type: ignore[no-untyped-def]
        return np.empty(n).size

    entry = wrapped(body, INT)
    assert [entry(5), entry(1 << 56), entry(-1), entry(4)] == [5, 2, 2, 4]


def test_references_are_as_before() -> None:
    entry = taking(Array(np.dtype(float), 1, "C"), Number(np.dtype(float)), INT)
    x, v, n = np.ones(3), np.float64(2.5), 10**15
    before = [sys.getrefcount(o) for o in (x, v, n, np.ndarray, np.float64)]
    for args in ((x, v, n), (x, v, v), (v, v, n), (x, x, x)):
        for _ in range(100):
            entry(*args)
    del args
    assert [sys.getrefcount(o) for o in (x, v, n, np.ndarray, np.float64)] == before


def test_other_threads_run_meanwhile() -> None:
    def body(x):  # type: ignore[no-untyped-def]
        total = 0.0
        for k in range(x.size):
            total += np.sin(x[k])
        return 0 if total < 1e300 else 1

    entry = wrapped(body, Array(np.dtype(float), 1, "C"))
    x = np.random.default_rng(0).random(20_000_000)
    busy = threading.Thread(target=entry, args=(x,))
    busy.start()
    turns = 0
    while busy.is_alive():
        turns += 1
        time.sleep(0.001)
    assert turns > 10


def test_it_lives_as_long_as_it_is_held() -> None:
    entry = taking(INT)
    function = entry.__self__.compiled
    assert isinstance(function, Compiled)
    del function
    assert entry(1) == 0


@pytest.mark.parametrize(
    "program",
    [
        "f(np.ones(100_000)); f(np.ones(1_000_000))",  # a large result: the pool's function
        "compile._MOST = 1; f(np.ones(3)); g(np.ones(3)); del f; gc.collect()",
    ],
)
def test_python_may_read_its_definition_when_it_goes(program: str) -> None:
    """CPython reads it when the function is freed, so it must not be freed before."""
    made = "tracejit.function(lambda x: x * 2.5 + 1.0, on_unsupported='error')"
    program = (
        "import gc, numpy as np, tracejit\nfrom tracejit.cpu.compiling import compile\n"
        f"f = {made}\ng = {made.replace('2.5', '3.5')}\n{program}"
    )
    # Memory is overwritten when it is freed.
    overwritten = {
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0", "PYTHONMALLOC": "malloc",
        "MALLOC_PERTURB_": "2",
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, **overwritten})
