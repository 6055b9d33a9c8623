"""A GPU that is none: its memory is the host's, and kernels run as C that their PTX is made."""

from __future__ import annotations

import ctypes
import functools
import gc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import translated

from tracejit.cuda.array import DeviceArray
from tracejit.cuda.device.driver import Device
from tracejit.cuda.device.pool import Block
from tracejit.errors import DeviceError
from tracejit.lower import registry
from tracejit.lower.registry import target


def held(device: str) -> int:
    """The bytes of a device's memory that somebody refers to."""
    home: Any = target(device).residence
    return int(home.driver.used)


def downloaded(value: Any) -> Any:
    """A result with arrays of NumPy's in the place of those on a device."""
    if isinstance(value, DeviceArray):
        return value.get()
    if type(value) in (tuple, list):
        return type(value)(map(downloaded, value))
    return {k: downloaded(v) for k, v in value.items()} if type(value) is dict else value


def _given_back(block: Any, before: Callable[[Any], None] = Block.__del__) -> None:
    """A block of the pool's is overwritten, so that nobody goes on reading it.

    (Memory of another driver's may be no longer there, and at the end of the process nothing is.)
    """
    if ctypes is None:
        return
    if isinstance(block.pool.driver, FakeDriver):
        ctypes.memset(ctypes.addressof(block), 0xA5, ctypes.sizeof(block))
    before(block)


setattr(Block, "__del__", _given_back)  # noqa: B010


class _State(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("launches", "failing", "seed")),
        ("grid", ctypes.c_uint32 * 6),
    ]


class _Kernel(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("on", "run", "count", "sizes", "misaligned")]


def _kept(launch: Any) -> tuple[int, Any, list[Any]]:
    """A launch, with its parameters' values as they are now."""
    kernel = _Kernel.from_address(launch.kernel)
    sizes = (ctypes.c_int64 * kernel.count).from_address(kernel.sizes)
    values = [
        (ctypes.c_ubyte * size).from_buffer_copy((ctypes.c_ubyte * size).from_address(place))
        for size, place in zip(sizes, launch.parameters, strict=False)
    ]
    return launch.kernel, launch.shape, values


@functools.cache
def _launcher() -> Any:
    return translated.compiled(Path(__file__).with_name("launcher.c").read_text(encoding="utf-8"))


class Failing(dict[str, int]):
    """By kind of step, how many may succeed before one fails; of allocations, all after."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.state = state

    def __setitem__(self, kind: str, left: int) -> None:
        super().__setitem__(kind, left)
        if kind == "launch":
            self.state.failing = left

    def clear(self) -> None:
        super().clear()
        self.state.failing = -1


class FakeDriver:
    """Counts what is allocated, launched and copied; may be told to fail at the k-th step."""

    stream, context = 77, 1234

    def __init__(self, cc: tuple[int, int] = (9, 0), memory: int = 1 << 30) -> None:
        self.device = Device(0, "a GPU in the host's memory", cc, 4, memory)
        self.memory: dict[int, np.ndarray] = {}
        self.uploads = self.downloads = 0
        #: Graphs that there are, and how often one was changed and launched.
        self.graphs = self.updates = self.replays = 0
        self.state = _State(0, -1, 88172645463325252)
        self.kernels: list[Any] = []
        self.pins: list[np.ndarray] = []
        self.launcher, self.enter = (
            ctypes.cast(function, ctypes.c_void_p).value or 0
            for function in (_launcher().launch_kernel, _launcher().enter)
        )
        #: What each stream waited for: pairs of streams.
        self.ordered: list[tuple[int, int]] = []
        self.failing = Failing(self.state)

    @property
    def launches(self) -> int:
        return int(self.state.launches)

    @property
    def grid(self) -> tuple[int, ...]:
        """The blocks of the last launch along each axis, and the threads of a block."""
        return tuple(self.state.grid)

    @property
    def allocated(self) -> int:
        return sum(block.size - 256 for block in self.memory.values())

    @property
    def used(self) -> int:
        """The bytes that somebody refers to: what the pools keep for later is nobody's."""
        for _ in range(3):  # what a finaliser lets go may be garbage then
            if self._used():
                gc.collect()
        return self._used()

    def _used(self) -> int:
        found = self.allocated
        for made in list(registry._targets.values()):
            home: Any = made.residence
            if home is not None and home.driver is self:
                home.flags.clear()
                found -= home.pool.kept
        return found

    def step(self, kind: str) -> None:
        """Fail, if it is its turn: once."""
        left = self.failing.get(kind)
        if left is not None:
            self.failing[kind] = left - 1
            if left == 0:
                raise DeviceError(f"the GPU could not {kind}")

    def current(self) -> None:
        pass

    def memory_info(self) -> tuple[int, int]:
        return self.device.memory - self.allocated, self.device.memory

    def device_of(self, address: int) -> int | None:
        return 0 if self.block_of(address) is not None else None

    def block_of(self, address: int) -> np.ndarray | None:
        """The memory in which an address lies."""
        found = [b for a, b in self.memory.items() if a <= address < a + b.size - 256]
        return found[0] if found else None

    def copy(self, to: int, address: int, size: int) -> None:
        self.step("copy")
        ctypes.memmove(to, address, size)

    def order(self, before: int, after: int) -> None:
        self.ordered.append((before, after))

    def synchronize(self) -> None:
        pass

    def allocate(self, size: int) -> int:
        left = self.failing.get("allocate", 1)
        if "allocate" in self.failing:
            self.failing["allocate"] = left - 1
        if left <= 0 or self.allocated + size > self.device.memory:
            free = self.device.memory - self.allocated
            raise MemoryError(f"{size:,} bytes asked for, {free:,} free")
        block = np.full(size + 256, 0xA5, np.uint8)
        address = -(-block.ctypes.data // 256) * 256
        self.memory[address] = block
        return address

    def free(self, address: int) -> None:
        del self.memory[address]

    def upload(self, address: int, array: np.ndarray) -> None:
        self.step("upload")
        self.uploads += 1
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def pinned(self, size: int) -> int:
        self.pins.append(np.empty(size, np.uint8))
        return int(self.pins[-1].ctypes.data)

    def send(self, address: int, start: int, size: int) -> Any:
        self.step("upload")
        self.uploads += 1
        ctypes.memmove(address, start, size)
        return object()

    def wait(self, sent: Any) -> None:
        pass

    def download(self, array: np.ndarray, address: int) -> None:
        self.step("download")
        self.downloads += 1
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def load(self, code: bytes, ptx: str, name: str) -> int:
        library = translated.library(ptx)
        run = ctypes.cast(library.launch, ctypes.c_void_p).value
        misaligned = ctypes.addressof(ctypes.c_uint64.in_dll(library, "misaligned"))
        found = re.findall(r"\.param (?:\.align \d+ )?\.\w?(\d+) \w+_param_\d+(\[\d+\])?", ptx)
        sizes = [int(count[1:-1]) if count else int(bits) // 8 for bits, count in found]
        kept = (ctypes.c_int64 * (len(sizes) or 1))(*sizes)
        places = ctypes.addressof(self.state), run, len(sizes), ctypes.addressof(kept), misaligned
        kernel = _Kernel(*places)
        self.kernels.append((kernel, kept))
        return ctypes.addressof(kernel)

    def launch(self, kernel: int, grid: Any, block: Any, pointers: int) -> None:
        """Launch a kernel, as machine code does."""
        words = [ctypes.c_uint32] * 7
        place = ctypes.c_void_p
        # Like machine code, it is one thread at a time that launches.
        call = ctypes.PYFUNCTYPE(ctypes.c_int32, place, *words, place, place, place)(self.launcher)
        code = call(kernel, *grid, *block, 0, None, pointers, None)
        if code:
            self.refused(code)

    def graph(self, launches: Any) -> Any:
        self.step("graph")
        self.graphs += 1
        return list(map(_kept, launches))

    def update(self, graph: Any, number: int, launch: Any) -> None:
        self.step("update")
        self.updates += 1
        assert graph[number][0] == launch.kernel
        graph[number] = _kept(launch)

    def replay(self, graph: Any) -> None:
        self.step("replay")
        self.replays += 1
        left, self.state.failing = self.state.failing, -1  # it is one step, and no launch
        for kernel, shape, values in graph:
            pointers = (ctypes.c_void_p * (len(values) or 1))(*map(ctypes.addressof, values))
            self.launch(kernel, shape[:3], shape[3:], ctypes.addressof(pointers))
        self.state.failing = left

    def forget(self, graph: Any) -> None:
        self.graphs -= 1
        graph.clear()

    def refused(self, code: int) -> None:
        if code in translated.FAULTS:
            raise translated.Fault(translated.FAULTS[code])
        raise DeviceError("the GPU could not launch")
