"""Elements side by side are loaded and stored by vectors, where memory lies so that they may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import translate
from fake import FakeDriver
from test_kernels import on_device, same, sample

import tracejit
from tracejit.cuda.target import CUDA
from tracejit.lower.registry import register, target
from tracejit.theano.flags import change_flags

pytest.importorskip("cuda.bindings.nvvm")


class Shifted(FakeDriver):
    """Memory begins so many bytes behind where a driver would let it begin."""

    shift = 0

    def allocate(self, size: int) -> int:
        address = super().allocate(size + self.shift)
        self.memory[address + self.shift] = self.memory.pop(address)
        return address + self.shift


DRIVER = Shifted()
register("shifted", lambda: CUDA(DRIVER))


def ptx_of(f: Callable[..., Any], *args: Any) -> str:
    return "\n".join(tracejit.cuda.ptx(f, *args).values())


def accesses(text: str) -> set[str]:
    return set(re.findall(r"(?:ld|st)\.global\.\S+", text))


def fused(x: Any, y: Any) -> Any:
    return x + y, x > y


VECTORS = [("d", "v2.f64"), ("f", "v4.f32"), ("l", "v2.u64"), ("i", "v4.u32"), ("?", "v4.u8"),
           ("h", "v2.u32"), ("e", "v2.u32"), ("F", "v4.f32"), ("D", "v2.f64")]  # fmt: skip


@pytest.mark.parametrize("char, vector", VECTORS)
def test_instructions(char: str, vector: str) -> None:
    """Inputs that are only read need no coherence."""
    x = np.ones(8, char)
    found = accesses(ptx_of(lambda x, y: x + y, x, x))
    assert {f"ld.global.nc.{vector}", f"st.global.{vector}"} <= found
    assert not any(a.startswith("ld.global.") and ".nc." not in a for a in found)


@pytest.mark.parametrize("char", [char for char, _ in VECTORS])
@pytest.mark.parametrize("shift", [0, 1])
def test_all_lengths(char: str, shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether memory lies well or not, and whatever is left of whole vectors."""
    rng = np.random.default_rng(shift)
    size = np.dtype(char).itemsize
    width = max(min(16 // size, 4), 1)
    monkeypatch.setattr(DRIVER, "shift", 8 if shift and size > 4 else 4 * shift)
    target("shifted").residence.pool.release()
    x, y = sample(char, rng, 2001), sample(char, rng, 2001)
    for n in (0, 1, 2, 3, 4, 5, 255, 1000, 2001):
        translate.counts.clear()
        got = on_device(fused, x[:n], y[:n], device="shifted")
        same(got[0], (want := on_device(fused, x[:n], y[:n], device="cpu"))[0])
        same(got[1], want[1])
        assert bool(translate.counts["vectors"]) == (
            n >= width and not DRIVER.shift % (width * size)
        )


def test_in_place() -> None:
    """What is written is read before, and not by the way of what nothing writes."""

    def f(x: Any, y: Any) -> None:
        x *= 2
        x += y

    x, y = np.arange(101.0), np.ones(101)
    found = accesses(ptx_of(f, x, y))
    assert {"ld.global.v2.f64", "ld.global.nc.v2.f64", "st.global.v2.f64"} <= found
    on_device(f, x, y)
    same(x, np.arange(101.0) * 2 + 1)


def test_rows() -> None:
    """Rows that begin anywhere: every second one of an odd length does not lie well."""

    def f(x: Any, y: Any) -> Any:
        return x * y[:, None] - y[0]

    for n in (64, 65):
        x, y = np.random.default_rng(n).normal(size=(6, n)), np.arange(6.0)
        translate.counts.clear()
        same(on_device(f, x, y), on_device(f, x, y, device="cpu"))
        assert translate.counts["vectors"] == (6 * 64 if n == 64 else 3 * 64)


def test_types_of_several_widths() -> None:
    def f(x: Any, y: Any, z: Any) -> Any:
        return x.astype(np.float32) + y, (z > y) & (x > 0), np.where(x > 1, z, 1).astype(np.float16)

    rng = np.random.default_rng(5)
    args = sample("d", rng), sample("f", rng), sample("e", rng)
    with np.errstate(over="ignore"):
        got, want = on_device(f, *args), on_device(f, *args, device="cpu")
    for a, b in zip(got, want, strict=True):
        same(a, b)
    assert {"st.global.v2.f32", "st.global.v2.u8"} <= accesses(ptx_of(f, *args))


SCALAR = {
    "strided": (lambda x: x[::2] * 2, "st.global.v2.f64"),
    "reversed": (lambda x: x[::-1] * 2, "st.global.v2.f64"),
    "shifted": (lambda x: x[1:] - x[:-1], "st.global.v2.f64"),
    "gathered": (lambda x: x[np.arange(8)[::-1] % 3], "st.global.v2.f64"),
}


@pytest.mark.parametrize("name", SCALAR)
def test_operands_that_are_not_side_by_side(name: str) -> None:
    """Only they are loaded one by one."""
    f, store = SCALAR[name]
    x = np.random.default_rng(0).normal(size=8)
    assert store in accesses(ptx_of(f, x))
    same(on_device(f, x), on_device(f, x, device="cpu"))


def part_written(x: Any) -> None:
    x[1:] = x[1:] * 2


def branching(x: Any, y: Any) -> None:
    y[::2] = x * 3


@pytest.mark.parametrize("f, sizes", [(part_written, (9,)), (branching, (5, 9))])
def test_results_that_are_not_side_by_side(f: Any, sizes: Any) -> None:
    """Where a store is no vector, nothing is, or each store would write half of what it could."""
    args, others = ([np.arange(1.0, n + 1) for n in sizes] for _ in range(2))
    assert "st.global.v2" not in ptx_of(f, *args)
    on_device(f, *args)
    f(*others)
    for a, b in zip(args, others, strict=True):
        same(a, b)


def test_how_many_threads() -> None:
    """A thread has as many elements as a vector."""
    source = tracejit.function(fused).source
    x = np.ones(8, np.float32)
    with change_flags(device="shifted"):
        text = source(x, x)
    assert "over_x4(v0)" in text and "(v0 + 3) >> 2" in text


def test_loops_are_not_unrolled() -> None:
    """A thread takes a step or two: to find out how many costs more than they do."""
    text = ptx_of(fused, np.ones(8), np.ones(8))
    assert "div" not in text and text.count("ld.global.nc.f64") == 2
