"""Kernels for a GPU, compiled, and run on the processor as their PTX says: the CPU's bits."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake import FakeDriver, downloaded, held
from test_random_programs import function_of, random_program

import tracejit
from tracejit.cuda.target import CUDA
from tracejit.errors import UnsupportedError
from tracejit.ir import ops
from tracejit.lower.registry import register
from tracejit.theano.flags import change_flags

pytest.importorskip("cuda.bindings.nvvm")
DRIVER = FakeDriver()
register("fake", lambda: CUDA(DRIVER, "fake"))


def on_device(f: Callable[..., Any], *args: Any, device: str = "fake") -> Any:
    """What `f` gives there, downloaded; None where it does not compile for that."""
    with change_flags(device=device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return downloaded(tracejit.function(f, on_unsupported="error")(*args))
        except UnsupportedError:
            return None


def bits(x: Any) -> Any:
    """The bits of numbers, but for those of what is none."""
    x = np.atleast_1d(np.asarray(x))
    if x.dtype.kind == "c":
        x = x.view(x.real.dtype)
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), np.nan, x).astype(x.dtype)
        return np.ascontiguousarray(x).view(f"u{x.itemsize}")
    return x


def same(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_array_equal(bits(got), bits(want))


def sample(char: str, rng: np.random.Generator, n: int = 300) -> Any:
    dtype = np.dtype(char)
    if dtype.kind == "b":
        return rng.random(n) < 0.5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True)
        x[:100] = rng.integers(0, 9, 100)
        return x
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            x = (rng.normal(size=n) * np.exp(3 * rng.normal(size=n))).astype(dtype)
        x[:8] = [0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2]
        return x
    z = np.empty(n, dtype)
    z.real, z.imag = sample(z.real.dtype.char, rng, n), sample(z.real.dtype.char, rng, n)
    return z


def rows() -> Iterator[tuple[str, np.ufunc, int]]:
    """The ops that are computed by an expression."""
    for name, row in ops.ELEMENTWISE.items():
        if row.plain or row.cpu is None:
            continue
        try:
            yield name, row.ufunc, row.output
        except (AttributeError, AssertionError):  # no ufunc's
            continue


#: Types of operands; all of them would take a quarter of an hour.
CHARS = ("d", "f", "e", "i", "D", "?")
ROWS = list(rows())


@pytest.mark.parametrize(("name", "ufunc", "output"), ROWS, ids=[r[0] for r in ROWS])
def test_elementwise(name: str, ufunc: np.ufunc, output: int) -> None:
    rng = np.random.default_rng(len(name))
    compiled = 0
    for kinds in dict.fromkeys(t.partition("->")[0] for t in ufunc.types):
        if len(set(kinds)) > 1 or len(kinds) != ufunc.nin or kinds[0] not in CHARS:
            continue
        args = [sample(c, rng) for c in kinds]
        if "shift" in name or (name == "power" and kinds[0] in "iB"):
            args[1] %= 5

        def f(*xs: Any) -> Any:
            found = ufunc(*xs)
            return found[output] if ufunc.nout > 1 else found

        want = on_device(f, *args, device="cpu")
        got = on_device(f, *args)
        if want is None or got is None:
            continue
        compiled += 1
        same(got, want)
    assert compiled, "nothing was compiled"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_extremes_of_zeros(dtype: str) -> None:
    """Which of two zeros it is, and which NaN, a processor's instruction tells, not a GPU's."""
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid(*[[0.0, -0.0, np.nan, 1, -1]] * 2))

    def f(x: Any, y: Any) -> Any:
        first = np.fmin(x, y), np.fmax(x, y), np.minimum(x, y), np.maximum(x, y)
        chosen = np.where(x < 0, x, 0.0), np.where(x < 0.0, 0.0, x), np.where(x > y, x, y)
        return (
            *first,
            *chosen,
            np.fmin(0.0, x),
            np.fmax(-0.0, x),
            np.fmax(x, 0.0),
            np.clip(x, 0.0, 1.0),
        )

    for got, want in zip(on_device(f, x, y), on_device(f, x, y, device="cpu"), strict=True):
        same(got, want)


@pytest.mark.parametrize(
    "shape, layout",
    [((1000,), "C"), ((30, 40), "C"), ((30, 40), "F"), ((3, 5, 70), "C"), ((0, 4), "C"), ((), "C")],
)
def test_layouts(shape: tuple[int, ...], layout: Any) -> None:
    x = np.asarray(np.random.default_rng(0).normal(size=shape), order=layout)

    def f(x: Any) -> Any:
        return np.exp(-x) + 1, x.T * 2

    before = DRIVER.launches
    for got, want in zip(on_device(f, x), on_device(f, x, device="cpu"), strict=True):
        same(got, want)
    assert DRIVER.launches > before or not x.size
    assert held("fake") == 0


def test_strided_and_broadcast_operands() -> None:
    x = np.random.default_rng(1).normal(size=(20, 30))

    def f(x: Any, y: Any) -> Any:
        return x * y[:, None] - y[0]

    args = x[::2, ::-3], np.arange(10.0)
    same(on_device(f, *args), on_device(f, *args, device="cpu"))


def largest_error(u, v):
    return np.abs(u - v).max(), (u > v).sum(), np.argmax(u), u.cumsum()


def moved(x, places, values):
    y = x.copy()
    y[places] = values
    return y, x[places]


def written(x):
    x[1:-1] *= 2
    x[x < 0] = 0


def settled(u, limit):
    v, steps = u.copy(), 0
    while True:
        v[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
        error = np.abs(v - u).max()
        u[:] = v
        steps += 1
        if error < limit or steps == 20:
            return steps, error


R = np.random.default_rng(2)
PROGRAMS: list[tuple[Any, Callable[[], tuple[Any, ...]]]] = [
    (largest_error, lambda: (np.arange(40.0) % 7, np.arange(40.0) % 5)),
    (moved, lambda: (np.arange(9.0), np.array([1, 3, -1, 3]), np.arange(4.0))),
    (written, lambda: (np.linspace(-1, 1, 50),)),
    (settled, lambda: (np.arange(60.0).reshape(6, 10) % 7, 1e-3)),
]


@pytest.mark.parametrize("f, arguments", PROGRAMS, ids=lambda v: getattr(v, "__name__", ""))
def test_programs(f: Any, arguments: Callable[[], tuple[Any, ...]]) -> None:
    args, others = arguments(), arguments()
    launches = DRIVER.launches
    got, want = on_device(f, *args), f(*others)
    assert DRIVER.launches > launches
    for a, b in zip(args, others, strict=True):
        same(a, b)
    if want is not None:
        for a, b in zip(got, want, strict=True):
            same(a, b)
    assert held("fake") == 0


def test_what_numpy_raises() -> None:
    x, places = np.arange(5.0), np.array([0, 9])

    def f(x: Any, places: Any) -> Any:
        return x[places] * 2

    with pytest.raises(IndexError, match="out of bounds"):
        on_device(f, x, places)
    assert held("fake") == 0


@pytest.mark.parametrize("size", [1, 3, 6])
def test_no_memory(size: int) -> None:
    """Wherever memory ends, nothing has been changed, and nothing is kept."""
    x = np.ones(1000)
    driver = FakeDriver(memory=size * 2000)
    register("small", lambda: CUDA(driver, "small"))
    with change_flags(device="small"), pytest.raises(MemoryError):
        tracejit.function(written)(x)
    assert (x == 1).all() and held("small") == 0


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int) -> None:
    _run_random_program(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 400, 10))
def test_many_random_programs(first: int) -> None:
    compiled = [_run_random_program(seed) for seed in range(first, first + 10)]
    assert sum(compiled) >= 7


def _run_random_program(seed: int) -> bool:
    """Compare a program's results; whether it compiles for a GPU."""
    p = random_program(random.Random(seed))
    f, args = function_of(p), list(p.arrays.values())
    with np.errstate(all="ignore"):
        want, got = on_device(f, *args, device="cpu"), on_device(f, *args)
    if got is not None:
        for a, b in zip(got, want, strict=True):
            same(a, b)
    return got is not None


def shifted_up(u: Any, n: Any) -> Any:
    for _ in range(n):
        u[1:] = u[:-1] * 0.5
    return u.sum()


def shifted_down(u: Any, n: Any) -> Any:
    for _ in range(n):
        u[:-1] = u[1:] * 0.5
    return u.sum()


def evens(u: Any, n: Any) -> Any:
    for _ in range(n):
        u[: 2 * (len(u) // 2) : 2] = u[1::2] - u[: 2 * (len(u) // 2) : 2]
    return u.sum()


def heat(u: Any, n: Any) -> Any:
    for _ in range(n):
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u.sum()


@pytest.mark.parametrize("f", [shifted_up, shifted_down, evens, heat], ids=lambda f: f.__name__)
@pytest.mark.parametrize("size", [2, 3, 40, 601])
def test_parts_written_in_a_loop(f: Callable[..., Any], size: int) -> None:
    """Threads share what is written where none reads what another one writes."""
    x = np.linspace(0, 1, size) ** 2
    got, want = x.copy(), x.copy()
    same(on_device(f, got, 20), on_device(f, want, 20, device="cpu"))
    same(got, want)


def test_elements_in_a_loop_are_put_by_many_threads() -> None:
    f = tracejit.function(heat, device="fake", on_unsupported="error")
    kernels, _, host = f.source(np.ones(601), 20).partition("def entry")
    loops = [line for line in kernels.splitlines() if "in range(" in line]
    assert "over_x(" in kernels and "for i" in host
    assert not loops


def steps_back(u: Any, n: Any) -> Any:
    def steps(u: Any) -> Any:
        for _ in range(n):
            u = np.sin(u) * u[::-1] + u.sum(0) * 0.1
        return u.sum()

    return tracejit.grad(steps)(u)


def test_rows_of_stacks_have_no_gaps() -> None:
    """What is kept of each step is an array in a stack: a row of it is an array in C order."""
    u = np.random.default_rng(0).normal(size=(3, 4))
    got = on_device(steps_back, u, 30)
    assert got is not None
    same(got, on_device(steps_back, u, 30, device="cpu"))
