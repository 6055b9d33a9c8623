"""Programs for a GPU under Numba's simulator: their text, as it is shown, runs as Python.

Run as a process of its own, since Numba asks for its simulator when it is imported:

    NUMBA_ENABLE_CUDASIM=1 python -m simulated

Each program gives what it gives on the CPU, or the process fails. Names that the text has:

    over_x(n), over_y(n), over_z(n)    iterations that the threads of a grid share along an axis
    over_threads(n), over_groups(n)    those that the threads of a block, or the blocks, share
    thread(), together(), shared(…)    see `tracejit.cuda.machine.shared`
    teams(n), team(a, b)               for teams, which here have one thread each
    team_block(k, n), sum_add(…)       the order of a sum is that of `sums.py`, of a block at a time
    kernel(x, y, z, …)                 a launch for so many iterations along each axis
    all others                         our intrinsics, each compiled by Numba for the processor
"""

from __future__ import annotations

import functools
import linecache
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np
import sums
from numba import cuda
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
from numba.np.numpy_support import as_dtype

import tracejit
from tracejit import PhiloxRandomStreams
from tracejit.cuda import runtime
from tracejit.cuda.inspect import Nowhere
from tracejit.cuda.source import CUDASource, GridKernel
from tracejit.cuda.target import CUDA
from tracejit.lower.registry import register
from tracejit.sandbox.rng_mrg import MRG_RandomStreams
from tracejit.tensor.shared_randomstreams import RandomStreams
from tracejit.theano.flags import change_flags

#: What the names of loops and of threads mean, in the namespace of the text, whose `cuda` it is
#: that the simulator exchanges.
MEANINGS = """
def over_x(n): return range(cuda.grid(1), n, cuda.gridsize(1))
def over_y(n): return range(cuda.grid(2)[1], n, cuda.gridsize(2)[1])
def over_z(n): return range(cuda.grid(3)[2], n, cuda.gridsize(3)[2])
def over_pairs(n): return over_x(n)
def over_x1(n): return over_x(n)
def over_x2(n): return over_x(n)
def over_x4(n): return over_x(n)
def over_threads(n): return range(cuda.threadIdx.x, n, cuda.blockDim.x)
def over_groups(n): return range(cuda.blockIdx.x, n, cuda.gridDim.x)
def span(first, end): return range(first, end)
def ahead(n): return range(n)
def blocks(n): return range(0, n, 512)
def block(first, n): return range(first, min(first + 512, n))
def teams(n): return over_x(n)
def team(first, end): return range(first, end)
def team_span(first, end): return range(first + cuda.threadIdx.x, end, cuda.blockDim.x)
def thread_span(first, end): return team_span(first, end)
def team_blocks(n): return blocks(n)
def team_block(first, n): return block(first, n)
def thread(): return cuda.threadIdx.x
def threads(): return cuda.blockDim.x
def group(): return cuda.blockIdx.x
def groups(): return cuda.gridDim.x
def together(): cuda.syncthreads()
def raise_flag(flag): flag[0] = 1
def flat(x): return x.reshape(-1)
def rows(x): pass
def distinct(*arrays): pass
def pause(*of): return lambda steps: steps
def made(char, axes): return lambda number, *extents: np.empty(extents, char)
"""
launches = 0


class Total:
    """A sum under way: the elements of the open block, and what blocks before have given."""

    def __init__(self, zero: Any) -> None:
        self.zero, self.open, self.parts = np.asarray(zero), [], []

    def add(self, value: Any) -> Total:
        self.open.append(value)
        return self

    def carry(self, part: Any) -> Total:
        self.parts.append(part)
        return self

    def block(self, *of_teams: Any) -> Total:
        found = sums.block(np.array(self.open, self.zero.dtype), False)
        self.open = []
        return self.carry(found)

    def close(self) -> Any:
        return sums.carried([self.zero[()], *self.parts])


SUMS = {
    "sum_open": Total,
    "sum_add": Total.add,
    "sum_carry": Total.carry,
    "sum_block": Total.block,
    "sum_close": Total.close,
    "sum_teams": lambda threads: Total.block,
}


class Namespace(dict[str, Any]):
    """What the text of a program may name; intrinsics are compiled when they are first called."""

    def __init__(self, source: CUDASource) -> None:
        numbers = {t: np.dtype(t).type for t in ("int8", "int16", "int32", "uint8", "uint16")}
        numbers |= {t: np.dtype(t).type for t in ("uint32", "uint64", "float32", "complex64")}
        super().__init__(numbers, cuda=cuda, np=np, inf=np.inf, nan=np.nan, **SUMS)
        self["shared"] = self._shared
        exec(MEANINGS, self)
        for name in _names(source.text) - self.keys() - source.kernels.keys():
            made = getattr(runtime, name, None)
            if hasattr(made, "_defn"):
                self[name] = stand_in(name)
        number = len(linecache.cache)
        file = f"<program {number}>"
        linecache.cache[file] = len(source.text), None, source.text.splitlines(True), file
        exec(compile(source.text, file, "exec"), self)
        for name, kernel in source.kernels.items():
            self[name] = functools.partial(launch, self[name], kernel)

    def _shared(self, char: str, count: int) -> Callable[[], Any]:
        """An array that a block shares: the simulator tells them apart by where they are made."""
        places: dict[tuple[str, int], Any] = {}

        def made() -> Any:
            caller = sys._getframe(1)
            key = caller.f_code.co_name, caller.f_lineno
            if key not in places:
                text = f"made = lambda: cuda.shared.array({count}, np.dtype('{char}'))"
                own: dict[str, Any] = {}
                exec(compile(text, f"<shared {id(places)} {key}>", "exec"), self, own)
                places[key] = own["made"]
            return places[key]()

        return made


def _names(text: str) -> set[str]:
    return set(compile(text, "", "exec").co_names) | {
        name
        for code in compile(text, "", "exec").co_consts
        if hasattr(code, "co_names")
        for name in code.co_names
    }


@functools.cache
def stand_in(name: str) -> Callable[..., Any]:
    """A function of Python's that gives what an intrinsic gives, as a number of its dtype."""

    @functools.cache
    def compiled(count: int) -> Any:
        names = ", ".join(f"a{k}" for k in range(count))
        scope: dict[str, Any] = {"f": getattr(runtime, name)}
        return numba.njit(eval(f"lambda {names}: f({names})", scope))

    def call(*operands: Any) -> Any:
        function = compiled(len(operands))
        value = function(*operands)
        kinds = tuple(numba.typeof(o) for o in operands)
        return as_dtype(function.overloads[kinds].signature.return_type).type(value)

    return call


def launch(kernel: Any, of: GridKernel, x: int, y: int, z: int, *arguments: Any) -> None:
    """A launch with few threads, which take turns; of blocks that work together, with all."""
    global launches
    launches += 1
    if min(x, y, z) <= 0:
        return
    given = [FakeCUDAArray(a) if isinstance(a, np.ndarray) and a.ndim else a for a in arguments]
    if of.threads:
        kernel[(x, y, z), (of.threads, 1, 1)](*given)
    else:
        width, height = min(x, 8), min(y, 2)  # one thread where nothing is shared
        blocks = min(-(-x // width), 2), min(-(-y // height), 2), min(z, 2)
        kernel[blocks, (width, height, 1)](*given)


class Simulated(CUDA):
    """A target whose entries are the text of the host's function."""

    def __init__(self) -> None:
        super().__init__(Nowhere((9, 0)))
        self.residence = None  # arrays are the host's

    def compile(self, source: Any, graph: Any, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        entry = Namespace(source)["entry"]

        def call(*arguments: Any) -> int:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return int(entry(*arguments, np.zeros(1, np.int32), None))

        return call, True


def drawn(make: Callable[[], Any], device: str) -> Any:
    """What two calls of a symbolic function give there."""
    with change_flags(device=device), tracejit.config(on_unsupported="error"):
        f = tracejit.function([], make())
        return tuple(np.asarray(f()) for _ in range(2))


def run(f: Callable[..., Any], args: tuple[Any, ...], device: str) -> Any:
    """What a function gives there, and its arguments after it."""
    with change_flags(device=device), tracejit.config(on_unsupported="error"):
        return tracejit.function(f)(*args), args


def same(got: Any, want: Any) -> None:
    """Equal, to the bit."""
    if isinstance(want, tuple):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
        return
    a, b = np.asarray(got), np.asarray(want)
    assert (a.dtype, a.shape) == (b.dtype, b.shape), (a.dtype, b.dtype)
    assert a.tobytes() == b.tobytes(), (a, b)


# Programs ----------------------------------------------------------------------------------------


def elementwise(x: Any, y: Any) -> Any:
    return np.exp(-x) * y + np.sin(x), np.where(x > 0, x, -y), (x > y) & (y > 0), np.arctan2(y, x)


def strided(x: Any, y: Any) -> Any:
    return x[::2, ::-1] * y.T[:, None, 0] + 1, x.T * 2


def integers(x: Any) -> Any:
    return x // 3 + (x << 2), x % 5, x.astype(np.float32) * np.float32(0.1), x.astype(np.int8)


def extremes(x: Any) -> Any:
    return x.max(axis=1), np.argmin(x, axis=0), (x > 0).any(), np.abs(x).max()


def added(x: Any) -> Any:
    return (x + 1).sum(axis=1), (x - 1).sum(), x.sum(axis=0)


def gathered(x: Any, places: Any) -> Any:
    return x[places] * 2, np.take(x, places[::-1])


def scattered(x: Any, places: Any, values: Any) -> Any:
    y = x.copy()
    y[places] = values
    z = np.zeros(9)
    np.add.at(z, places, values)
    return y, z


def written(x: Any) -> None:
    x[1:-1] *= 2
    x[x < 0] = 0


def settled(u: Any, limit: Any) -> Any:
    v, steps = u.copy(), 0
    while True:
        v[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
        error = np.abs(v - u).max()
        u[:] = v
        steps += 1
        if error < limit or steps == 2:
            return steps, error


R = np.random.default_rng(2)
PROGRAMS: dict[Callable[..., Any], Callable[[], tuple[Any, ...]]] = {
    elementwise: lambda: (np.linspace(-3, 3, 150), np.cos(np.arange(150.0))),
    strided: lambda: (np.arange(120.0).reshape(12, 10), np.linspace(0, 1, 36).reshape(6, 6)),
    integers: lambda: (np.arange(-70, 130),),
    extremes: lambda: (np.sin(np.arange(60.0)).reshape(6, 10),),
    added: lambda: (np.sin(np.arange(180.0)).reshape(6, 30),),
    gathered: lambda: (np.arange(30.0), np.array([3, -1, 7, 7, 0])),
    scattered: lambda: (np.arange(9.0), np.array([1, 3, -1, 3]), np.arange(4.0)),
    written: lambda: (np.linspace(-1, 1, 50),),
    settled: lambda: (np.arange(60.0).reshape(6, 10) % 7, 1e-3),
}


#: Of each generator; MT19937's words are made by threads that wait for each other.
DRAWS: dict[str, Callable[[], Any]] = {
    "philox": lambda: 2 * PhiloxRandomStreams(1).normal((40,)) + 1,
    "mrg31k3p": lambda: MRG_RandomStreams(1).uniform((40,)),
    "mt19937": lambda: RandomStreams(1).uniform((150,), low=-1.0),
}


def main() -> None:
    register("simulated", Simulated)
    for name, make in DRAWS.items():
        before = launches
        got, want = (drawn(make, device) for device in ("simulated", "cpu"))
        same(got, want)
        print(name, launches - before, "launches")
    for f, arguments in PROGRAMS.items():
        before = launches
        got, want = (run(f, arguments(), device) for device in ("simulated", "cpu"))
        same(got, want)
        assert launches > before, f"{f.__name__} launched nothing"
        print(f.__name__, launches - before, "launches")


if __name__ == "__main__":
    main()
