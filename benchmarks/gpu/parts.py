"""What is measured, part by part; each checks its results, against the CPU's bits or NumPy.

A part gives rows: one for tracejit, whose figure is compared with what is required, and one for
each of the others that were measured beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.special

import tracejit
from benchmarks.gpu import by_hand, programs
from benchmarks.gpu.machine import Array, Machine, bandwidth, download, seconds
from benchmarks.gpu.peers import Peer, peers
from benchmarks.gpu.programs import Program

#: What programs call, of NumPy and SciPy.
XP = SimpleNamespace(
    exp=np.exp, log=np.log, sqrt=np.sqrt, tanh=np.tanh, erf=scipy.special.erf, amax=np.amax,
    argmax=np.argmax, cumsum=np.cumsum,
    sum=np.sum, where=np.where, zeros=np.zeros, int32=np.int32,
)  # fmt: skip


@dataclass
class Row:
    """One measurement: seconds of a call, and where it is about memory, the bytes that it moves."""

    what: str
    by: str
    seconds: float = 0.0
    bytes: float = 0.0
    #: Of what is possible: a share of the bandwidth, or of the time of the best of others.
    share: float | None = None
    required: float | None = None
    check: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the share is what is required; empty where nothing is."""
        if self.required is None or self.share is None:
            return ""
        return "pass" if self.share >= self.required else "fail"


@dataclass
class Bench:
    """A machine, its bandwidths, and how large arrays are."""

    machine: Machine
    scale: float
    speed: dict[str, float] = field(default_factory=dict)

    @classmethod
    def on(cls, machine: Machine, scale: float) -> Bench:
        """With the bandwidths measured."""
        return cls(machine, scale, bandwidth(machine, int((2 << 30) * scale)))

    def count(self, most: int) -> int:
        """How many elements, where there are `most` at full size."""
        return max(int(most * self.scale), 500)

    def side(self, most: int) -> int:
        """How many along each of two axes."""
        return max(int(most * self.scale**0.5), 12)

    def time(self, call: Callable[[], Any]) -> float:
        """Seconds of a call on the machine, which has run before."""
        return seconds(call, self.machine.synchronize, self.machine.least)


Part = Callable[[Bench], Iterable[Row]]
PARTS: dict[str, Part] = {}


def part(f: Part) -> Part:
    """Let `f` be measured, under its name."""
    PARTS[f.__name__.replace("_", "-")] = f
    return f


def same_bits(got: Any, want: Any) -> str:
    """Whether two results have the same bits, but for those of what is no number."""
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (got, want)), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f"WRONG: {a.dtype}{a.shape} is not {b.dtype}{b.shape}"
        integer = f"u{a.itemsize}" if a.itemsize in (1, 2, 4, 8) and a.dtype.kind == "f" else None
        equal = a.view(integer) == b.view(integer) if integer and a.ndim else a == b
        wrong = np.count_nonzero(~(equal | ((a != a) & (b != b))))
        if wrong:
            return f"WRONG: {wrong:,} of {a.size:,} differ from the CPU's"
    return "the CPU's bits"


def near(got: Any, want: Any, rtol: float) -> str:
    """Whether two results are nearly equal: others round otherwise."""
    a, b = np.asarray(got, np.float64), np.asarray(want, np.float64)
    most = np.abs(a - b).max(initial=0) / max(np.abs(b).max(initial=0), 1e-30)
    return "close" if most <= rtol else f"WRONG: differs by {most:.1e}"


def compared(
    bench: Bench,
    what: str,
    program: Callable[[Any], Program],
    arrays: tuple[Array, ...],
    moved: float,
    required: float,
    others: bool = True,
    rtol: float = 1e-5,
) -> Iterable[Row]:
    """A program by tracejit, by its share of the copy bandwidth, and by others."""
    machine, f = bench.machine, program(XP)
    given = [machine.upload(x) for x in arrays]
    ours = tracejit.function(f, on_unsupported="error")
    got = download(ours(*given))
    with tracejit.change_flags(device="cpu"):
        want = tracejit.function(f, on_unsupported="error")(*arrays)
    row = Row(what, "tracejit", bench.time(lambda: ours(*given)), moved, required=required)
    row.share = moved / row.seconds / bench.speed["copy"]
    row.check = same_bits(got, want)
    yield row
    if others:
        del given
        best = yield from _by_others(bench, what, program, arrays, moved, want, rtol)
        if best:
            yield Row(what, "best of others / tracejit", share=best / row.seconds, required=1.0)


def _by_others(
    bench: Bench,
    what: str,
    program: Callable[[Any], Program],
    arrays: tuple[Array, ...],
    moved: float,
    want: Any,
    rtol: float,
) -> Any:
    """Rows of others, and the least of their seconds."""
    best = 0.0
    for peer in peers():
        if not isinstance(peer, Peer):
            yield Row(what, peer[0], note=f"not measured: {peer[1]}")
            continue
        try:
            row = _by_other(bench, what, peer, program, arrays, moved, want, rtol)
        except Exception as error:  # theirs, and no reason not to go on
            yield Row(what, peer.name, note=f"failed: {type(error).__name__}: {error}"[:200])
            continue
        best = min(best or row.seconds, row.seconds)
        yield row
    return best


def _by_other(
    bench: Bench,
    what: str,
    peer: Peer,
    program: Callable[[Any], Program],
    arrays: tuple[Array, ...],
    moved: float,
    want: Any,
    rtol: float,
) -> Row:
    given = [peer.upload(x) for x in arrays]
    f = peer.compiled(program)
    check = near(peer.download(f(*given)), want, rtol)
    time = seconds(lambda: f(*given), peer.wait, bench.machine.least)
    share = moved / time / bench.speed["copy"] if moved else None
    return Row(what, peer.name, time, moved, share, check=check)


# Parts ------------------------------------------------------------------------------------------


def random(dtype: Any, *shape: int, low: float = 0.5, high: float = 1.5) -> Array:
    """Numbers between two, the same ones each time."""
    found = np.random.default_rng(0).random(shape, np.float32)
    return (low + (high - low) * found).astype(dtype)


@part
def copies(bench: Bench) -> Iterable[Row]:
    """The bandwidths that the others are shares of."""
    size = (2 << 30) * bench.scale
    yield Row("copy", "the driver", 2 * size / bench.speed["copy"], 2 * size, 1.0)
    yield Row("write", "the driver", size / bench.speed["write"], size)


def _elementwise(bench: Bench, dtype: Any) -> Iterable[Row]:
    n, name = bench.count(100_000_000), np.dtype(dtype).name
    arrays = tuple(random(dtype, n) + dtype(k) for k in range(4))
    moved = 5 * n * np.dtype(dtype).itemsize
    what = f"(a*b + c) / (d - a), {n:,} {name}"
    yield from compared(bench, what, programs.elementwise, arrays, moved, 0.9)


@part
def elementwise_float32(bench: Bench) -> Iterable[Row]:
    """Four arrays read, one written."""
    yield from _elementwise(bench, np.float32)


@part
def elementwise_float64(bench: Bench) -> Iterable[Row]:
    """The same, with twice the bytes."""
    yield from _elementwise(bench, np.float64)


@part
def functions_float32(bench: Bench) -> Iterable[Row]:
    """Three elementary functions, read and written once."""
    n = bench.count(100_000_000)
    what = f"exp(-a) * tanh(a) + log(a + 1), {n:,} float32"
    yield from compared(bench, what, programs.functions, (random(np.float32, n),), 8 * n, 0.9)


@part
def softmax(bench: Bench) -> Iterable[Row]:
    """Rows that are read once."""
    n, m = bench.count(100_000_000) // 500 + 1, 1024
    x = random(np.float32, n, m, low=-3, high=3)
    what = f"softmax by rows, {n:,} × {m:,} float32"
    yield from compared(bench, what, programs.softmax, (x,), 8 * n * m, 0.85)


@part
def row_sums(bench: Bench) -> Iterable[Row]:
    """A sum for each row."""
    n = bench.side(10_000)
    x = random(np.float32, n, n)
    what = f"sums of rows, {n:,} × {n:,} float32"
    yield from compared(bench, what, programs.row_sums, (x,), 4 * n * n, 0.9)


@part
def full_sum(bench: Bench) -> Iterable[Row]:
    """One sum; the CPU's bits, in the same order."""
    for dtype in (np.float32, np.float64):
        n, size = bench.count(100_000_000), np.dtype(dtype).itemsize
        what = f"sum, {n:,} {np.dtype(dtype).name}"
        yield from compared(bench, what, programs.total, (random(dtype, n),), size * n, 0.9)


@part
def row_places(bench: Bench) -> Iterable[Row]:
    """The place of the largest of each row, which a team goes through twice."""
    n = bench.side(10_000)
    x = random(np.float32, n, n)
    what = f"places of the largest of rows, {n:,} × {n:,} float32"
    yield from compared(bench, what, programs.row_places, (x,), 4 * n * n, 0.5, others=False)


@part
def running_sum(bench: Bench) -> Iterable[Row]:
    """A running sum that rounds: one thread adds, in NumPy's order, what others have read."""
    n = bench.count(10_000_000)
    what = f"running sum, {n:,} float64"
    x = random(np.float64, n)
    yield from compared(bench, what, programs.running_sum, (x,), 16 * n, 0.0, others=False)


@part
def philox_normals(bench: Bench) -> Iterable[Row]:
    """Draws inside of the loop that uses them: nothing is read."""
    n = bench.count(100_000_000)

    def made(device: str) -> Any:
        with tracejit.change_flags(device=device, floatX="float32"):
            z = tracejit.PhiloxRandomStreams(1).normal((n,))
            return tracejit.function([], tracejit.tensor.exp(0.2 * z - 0.02))

    ours = made(bench.machine.device)
    got = download(ours())
    row = Row(f"exp(0.2 * normals - 0.02), {n:,} Philox float32", "tracejit", required=0.8)
    row.check = same_bits(got, np.asarray(made("cpu")()))
    row.seconds, row.bytes = bench.time(ours), 4 * n
    row.share = row.bytes / row.seconds / bench.speed["write"]
    yield row


@part
def small_call(bench: Bench) -> Iterable[Row]:
    """What a call costs that has next to nothing to do."""
    x = np.arange(8.0)
    given, f = bench.machine.upload(x), tracejit.function(lambda x: x * 2 + 1)
    check = same_bits(download(f(given)), x * 2 + 1)
    time = bench.time(lambda: f(given))
    yield Row("8 numbers, x * 2 + 1: one call", "tracejit", time, share=1e-5 / time,
              required=1.0, check=check, note="share: of 10 µs")  # fmt: skip
    for peer in peers():
        if isinstance(peer, Peer):
            program = peer.compiled(lambda xp: lambda x: x * 2 + 1)
            theirs = peer.upload(x)
            program(theirs)
            yield Row("8 numbers, x * 2 + 1: one call", peer.name,
                      seconds(lambda p=program, y=theirs: p(y), peer.wait, bench.machine.least))  # type: ignore[misc]  # fmt: skip


@part
def replayed_launches(bench: Bench) -> Iterable[Row]:
    """A loop of launches that have next to nothing to do: as one graph, and each alone."""
    from tracejit.lower.registry import target

    n, steps = bench.side(256), 100
    x, f = random(np.float32, n, n), programs.diffusion(XP, steps)
    given, what = bench.machine.upload(x), f"diffusion, {n} × {n} float32, {steps} steps"
    with tracejit.change_flags(device="cpu"):
        want = tracejit.function(f, on_unsupported="error")(x)
    ours = tracejit.function(f, on_unsupported="error")
    link: Any = target(bench.machine.device)
    rows = []
    for by in ("a graph", "launches"):
        link.link.replays = by == "a graph"
        for _ in range(4):  # records that come again are a graph
            check = same_bits(download(ours(given)), want)
        rows.append(Row(what, f"tracejit, {by}", bench.time(lambda: ours(given)), check=check))
    link.link.replays = True
    yield from rows
    share = rows[1].seconds / rows[0].seconds
    yield Row(what, "launches / a graph", share=share, required=1.0)


@part
def logistic_regression(bench: Bench) -> Iterable[Row]:
    """A step of gradient descent; `x` is read twice."""
    n, m = bench.count(100_000), 784
    x = random(np.float32, n, m, low=-1, high=1)
    y = (random(np.float32, n) > 1).astype(np.float32)
    w = np.zeros(m, np.float32)
    machine, f = bench.machine, programs.logistic(XP)
    given = [machine.upload(a) for a in (w, x, y)]
    ours = tracejit.function(f, on_unsupported="error")
    check = near(download(ours(*given)), f(w.astype("d"), x.astype("d"), y), 1e-4)
    moved = 2 * x.nbytes
    time, what = bench.time(lambda: ours(*given)), f"logistic regression, a step of {n:,} × {m}"
    share = moved / time / bench.speed["copy"]
    yield Row(what, "tracejit", time, moved, share, 0.8, check)
    want = download(ours(*given))
    yield from _by_others(bench, what, programs.logistic, (w, x, y), moved, want, 1e-4)


def _by_hand(
    bench: Bench, what: str, ours: float, arguments: tuple[Any, ...], out: Array, want: Any,
    tolerance: Callable[[Any, Any], str],
) -> Iterable[Row]:  # fmt: skip
    """The row of the CUDA C, and that of its time by ours."""
    how, launch = by_hand.compiled(bench.machine)
    name, *given = arguments
    place = bench.machine.upload(out)
    values = [place if a is None else a for a in given]
    launch(name, values, out.size)
    bench.machine.synchronize()
    check = tolerance(download(place), want)
    time = bench.time(lambda: launch(name, values, out.size))
    yield Row(what, how, time, check=check)
    yield Row(what, f"{how} / tracejit", share=time / ours, required=1 / 1.1)


@part
def black_scholes(bench: Bench) -> Iterable[Row]:
    """Much arithmetic for each element, against CUDA C."""
    n = bench.count(100_000_000)
    arrays = tuple(
        random(np.float64, n, low=a, high=b) for a, b in ((50, 150), (60, 140), (0.1, 2))
    )
    what = f"Black-Scholes, {n:,} float64"
    rows = list(compared(bench, what, programs.black_scholes, arrays, 32 * n, 0.0, rtol=1e-9))
    rows[0].required = None
    yield from rows
    want = download(tracejit.function(programs.black_scholes(XP))(*arrays))
    given = [bench.machine.upload(x) for x in arrays]
    size = np.int64(n)
    yield from _by_hand(
        bench, what, rows[0].seconds, ("black_scholes", *given, None, size), np.empty(n), want,
        lambda got, want: near(got, want, 1e-9),
    )  # fmt: skip


@part
def mandelbrot(bench: Bench) -> Iterable[Row]:
    """A loop whose steps each element counts for itself, against CUDA C."""
    n, most = bench.side(4096), 200
    line = np.linspace(-1.5, 1.5, n)
    re, im = (np.ascontiguousarray(a) for a in np.meshgrid(line - 0.5, line))
    what, machine = f"escape times, {n:,} × {n:,}, {most} steps at most", bench.machine
    f = programs.mandelbrot(XP, most)
    ours = tracejit.function(f, on_unsupported="error")
    given = [machine.upload(a) for a in (re, im)]
    want = download(ours(*given))
    with tracejit.change_flags(device="cpu"):
        check = same_bits(want, tracejit.function(f, on_unsupported="error")(re, im))
    time = bench.time(lambda: ours(*given))
    yield Row(what, "tracejit", time, check=check)

    def few(got: Any, want: Any) -> str:
        """CUDA C fuses products with sums, which moves points at the edge."""
        wrong = np.count_nonzero(got.reshape(n, n) != want)
        return "close" if wrong <= 1e-2 * want.size else f"WRONG: {wrong:,} of {want.size:,} differ"

    yield from _by_hand(
        bench, what, time, ("mandelbrot", *given, None, np.int64(n * n), np.int32(most)),
        np.empty(n * n, np.int32), want, few,
    )  # fmt: skip


@part
def bits_of_functions(bench: Bench) -> Iterable[Row]:
    """Every function of the table by its own expression, with the CPU's bits."""
    from tracejit.ir import ops

    n = bench.count(1_000_000)
    rng = np.random.default_rng(3)
    for name in [*ops.ELEMENTWISE][:: 1 if n > 1000 else 16]:
        op = ops.ELEMENTWISE[name]
        if op.plain or op.cpu is None:
            continue
        try:
            ufunc, output = op.ufunc, op.output
        except (AttributeError, AssertionError):  # of no ufunc's
            continue
        for char in "fd":
            if not any(t.startswith(char * ufunc.nin + "->") for t in ufunc.types):
                continue
            args = [
                (rng.normal(size=n) * np.exp(2 * rng.normal(size=n))).astype(char)
                for _ in range(ufunc.nin)
            ]
            yield _bits(bench, f"{name} {np.dtype(char).name}", ufunc, output, args)


def _bits(bench: Bench, what: str, ufunc: np.ufunc, output: int, args: list[Array]) -> Row:
    def f(*xs: Any) -> Any:
        found = ufunc(*xs)
        return found[output] if ufunc.nout > 1 else found

    row = Row(what, "tracejit")
    try:
        ours = tracejit.function(f, on_unsupported="error")
        got = download(ours(*(bench.machine.upload(x) for x in args)))
        with tracejit.change_flags(device="cpu"):
            want = tracejit.function(f, on_unsupported="error")(*args)
        row.check = same_bits(got, want)
    except Exception as error:
        row.note = f"{type(error).__name__}: {error}".partition("\n")[0]
    return row
