"""Elements side by side are loaded and stored by vectors, where memory lies so that they may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import translated
from fake import FakeDriver
from test_kernels import on_device, same, sample

import tracejit
from tracejit.cuda.passes.vectors import by_vectors
from tracejit.cuda.source import ParameterKind
from tracejit.cuda.target import CUDA
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    For,
    If,
    Length,
    Part,
    Store,
)
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
        translated.counts.clear()
        got = on_device(fused, x[:n], y[:n], device="shifted")
        same(got[0], (want := on_device(fused, x[:n], y[:n], device="cpu"))[0])
        same(got[1], want[1])
        assert bool(translated.counts["vectors"]) == (
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
        translated.counts.clear()
        same(on_device(f, x, y), on_device(f, x, y, device="cpu"))
        assert translated.counts["vectors"] == (6 * 64 if n == 64 else 3 * 64)


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


# The pass alone ---------------------------------------------------------------------------------

DOUBLE = np.dtype(np.float64)
KINDS = {
    "x": ParameterKind(DOUBLE, 1, "C"),
    "y": ParameterKind(DOUBLE, 1, "C", True),
    "z": ParameterKind(np.dtype(np.float32), 1, "C", True),
    "m": ParameterKind(DOUBLE, 2, "C", True),
    "s": ParameterKind(DOUBLE, 1, "A", True),
    "p": ParameterKind(np.dtype(np.int64), 1, "C"),
    "n": ParameterKind(np.dtype(np.int64)),
}
X, Y, Z, S = (Element(name, ("i",)) for name in "xyzs")
ADDED = Binary("+", "v", "v")


def width(*body: Any, before: Any = ()) -> int:
    """How many elements a loop of these statements takes at a time."""
    loop = For([*body], index="i", kind="over_x", operands=("n",))
    found = by_vectors(Block([*before, loop]), KINDS)
    assert loop.kind == ("over_x" if found == 1 else f"over_x{found}")
    return found


TAKEN = {
    "copies": ([Assign("v", X), Store(Y, "v")], 2),
    "narrower ones": ([Assign("v", Z), Store(Z, "v")], 4),
    "of two widths": ([Assign("v", X), Store(Y, "v"), Store(Z, "v")], 2),
    "in place": ([Assign("v", Y), Store(Y, ADDED)], 2),
    "nothing read": ([Store(Y, Constant(1.0, DOUBLE))], 2),
    "gathers": ([Assign("v", Element("x", (Element("p", ("i",)),))), Store(Y, "v")], 2),
    "conditions": ([If([Assign("v", X)], test="c"), Store(Y, "v")], 2),
    "rows": ([Assign("v", X), Store(Element("m", ("j", "i")), "v")], 2),
    "rows by a sum": ([Store(Element("m", (Binary("+", "j", 1), "i")), "v")], 2),
    "columns": ([Assign("v", X), Store(Element("m", ("i", "j")), "v")], 1),
    "gaps": ([Assign("v", X), Store(S, "v")], 1),
    "a load with gaps": ([Assign("v", S), Store(Y, "v")], 2),
    "no store": ([Assign("v", X)], 1),
    "beside": ([Store(Element("y", (Binary("+", "i", 1),)), "v")], 1),
    "a condition's store": ([Assign("v", X), If([Store(Y, "v")], test="c")], 1),
    "one of both sides": (
        [Store(Z, "v"), If([], test="c", otherwise=Block([Store(Y, "v")]))], 1),
    "stored twice": ([Store(Y, "v"), Store(Y, ADDED)], 1),
    "read after": ([Store(Y, "v"), Assign("w", Y), Store(Z, "w")], 1),
    "read elsewhere": ([Assign("v", Element("y", (Binary("+", "i", 1),))), Store(Y, "v")], 1),
    "read elsewhere under a condition": (
        [If([Assign("v", Element("y", ("j",)))], test="c"), Store(Y, "v")], 1),
    "read in another row": (
        [Assign("v", Element("m", ("j", "i"))), Store(Element("m", ("k", "i")), "v")], 1),
    "read by a part": (
        [Assign("v", Element(Part("m", ("j",), 1), ("k",))), Store(Element("m", ("j", "i")), "v")],
        1),
    "an index that changes": ([Assign("j", X), Store(Element("m", ("j", "i")), "v")], 1),
    "an index that is loaded": ([Store(Element("m", (Element("p", (0,)), "i")), "v")], 1),
    "given whole": ([Assign("v", Call("outside", ("y", "i"))), Store(Y, "v")], 1),
    "a length": ([Assign("v", Length("y", 0)), Store(Y, X)], 2),
    "a loop inside": ([For([], index="k", kind="range", operands=(3,)), Store(Y, "v")], 2),
    "a loop that does something": (
        [For([Assign("w", "v")], index="k", kind="range", operands=(3,)), Store(Y, "v")], 1),
    "a call for what it does": ([Do(Call("raise_flag", ("n",))), Store(Y, "v")], 1),
    "long": ([*(Assign(f"v{k}", Call("exp", ("v",))) for k in range(11)), Store(Y, "v")], 1),
    "not so long": ([*(Assign(f"v{k}", Call("exp", ("v",))) for k in range(9)), Store(Y, "v")], 2),
    "many draws": (
        [*(Assign(f"v{k}", Call("philox_normal", ("v",))) for k in range(11)), Store(Y, "v")], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_which_loops(name: str) -> None:
    body, wanted = TAKEN[name]
    assert width(*body) == wanted


def test_flat_views() -> None:
    """They are the arrays that they are views of."""
    flat = [Assign("f", Call("flat", ("m",))), Assign("g", Call("flat", ("f",)))]
    here, next_one = (Element("f", (e,)) for e in ("i", Binary("+", "i", 1)))
    assert width(Assign("v", X), Store(here, "v"), before=flat) == 2
    assert width(Assign("v", next_one), Store(here, "v"), before=flat) == 1
    row = Element("m", ("j", "i"))
    assert width(Assign("v", row), Store(here, "v"), before=flat) == 1
    assert width(Store(here, "v"), Assign("v", row), before=flat) == 1
    assert width(Assign("v", Element("g", ("j",))), Store(here, "v"), before=flat) == 1


def test_pairs() -> None:
    """A complex number of 16 bytes is a vector itself."""
    kinds = {"x": ParameterKind(np.dtype(complex), 1, "C", True)}
    loop = For([Store(X, "v")], index="i", kind="over_x", operands=("n",))
    assert by_vectors(Block([loop]), kinds) == 1 and loop.kind == "over_x1"


@pytest.mark.parametrize("kind", ["over_y", "range"])
def test_other_loops(kind: str) -> None:
    loop = For([Store(Y, "v")], index="i", kind=kind, operands=("n",))
    assert by_vectors(Block([loop]), KINDS) == 1 and loop.kind == kind
