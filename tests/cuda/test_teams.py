"""Threads of a block that work together: in PTX, and translated; what they must not do is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import translated
from fake import FakeDriver

from tracejit.cuda.compile import kernel_ptx
from tracejit.cuda.source import GridKernel, ParameterKind
from tracejit.lower.kernel.read import read
from tracejit.lower.kernel.statements import Kernel

pytest.importorskip("cuda.bindings.nvvm")
INT = np.dtype(np.int64)
#: Each block adds up its numbers: in one array, each thread those of another one, by halves.
SUMS = """
part = shared("l", 64)

def sums(x, out):
    mine = part()
    t = thread()
    for k in over_groups(out.shape[0]):
        mine[t] = x[k * 64 + t]
        together()
        for by in range(6):
            half = 32 >> by
            if t < half:
                mine[t] = mine[t] + mine[t + half]
            together()
        if t == 0:
            out[k] = mine[0]
        together()
"""


def kernel(text: str, ndims: tuple[int, ...]) -> GridKernel:
    written = read(text)
    kinds = tuple(ParameterKind(INT, n, "C", k == len(ndims) - 1) for k, n in enumerate(ndims))
    body = Kernel(written.parameters, written.factories, written.body)
    return GridKernel(written.name, body, kinds, 1, text)


def run(ptx: str, x: np.ndarray, count: int, threads: int, blocks: int) -> np.ndarray:
    out = np.zeros(count, np.int64)
    words = np.array([x.ctypes.data, x.size, out.ctypes.data, out.size], np.uint64)
    places = words.ctypes.data + 8 * np.arange(4)
    driver = FakeDriver()
    given = np.array(places, np.uint64)
    loaded = driver.load(b"", ptx, "")
    driver.launch(loaded, (blocks, 1, 1), (threads, 1, 1), given.ctypes.data)
    return out


def test_a_block_adds_up() -> None:
    ptx = kernel_ptx(kernel(SUMS, (1, 1)), (9, 0))
    assert "bar.sync" in ptx and "ld.shared" in ptx and "st.shared" in ptx
    x = np.random.default_rng(0).integers(-1000, 1000, (10, 64))
    np.testing.assert_array_equal(run(ptx, x.ravel(), 10, 64, 3), x.sum(1))


RACES: dict[str, Callable[[str], str]] = {
    "what was written is read at once": lambda t: t.replace("together()\n        for by", "for by"),
    "a step does not wait for the one before": lambda t: t.replace(
        "            together()\n        if t == 0", "        if t == 0"
    ),
    "two threads write one element": lambda t: t.replace("mine[t] = x", "mine[t >> 1] = x"),
    "the next work begins too early": lambda t: t.replace("if t == 0:", "if t == 63:").replace(
        "mine[0]\n        together()\n", "mine[0]\n"
    ),
}


@pytest.mark.parametrize("name", RACES)
def test_races_are_found(name: str) -> None:
    text = RACES[name](SUMS)
    assert text != SUMS
    with pytest.raises(translated.Fault, match="at once"):
        run(kernel_ptx(kernel(text, (1, 1)), (9, 0)), np.arange(640), 10, 64, 3)


def test_order_of_threads_is_shuffled() -> None:
    """A missing barrier gives a wrong sum as well, were it not found."""
    ptx = kernel_ptx(kernel(SUMS, (1, 1)), (9, 0))
    start = ptx.index("bar.sync")
    mutated = ptx[:start] + ptx[start:].replace("bar.sync", "// bar.sync", 1)
    with pytest.raises(translated.Fault):
        run(mutated, np.arange(640), 10, 64, 3)


def test_barriers_that_not_all_reach() -> None:
    text = SUMS.replace(
        "        if t == 0:\n            out[k] = mine[0]\n        together()\n",
        "        if t < 7:\n            together()\n            out[k] = mine[t]\n",
    )
    with pytest.raises(translated.Fault, match=r"ended|different|for ever"):
        run(kernel_ptx(kernel(text, (1, 1)), (9, 0)), np.arange(640), 10, 64, 1)


#: Kernels in PTX: what each thread gets of its warp's others.
WARP = """
.visible .entry warp(.param .u64 warp_param_0, .param .u64 warp_param_1,
.param .u64 warp_param_2, .param .u64 warp_param_3)
{
\t.reg .pred \t%p<3>;
\t.reg .b32 \t%r<9>;
\t.reg .b64 \t%rd<9>;
\tld.param.u64 \t%rd1, [warp_param_0];
\tld.param.u64 \t%rd2, [warp_param_2];
\tmov.u32 \t%r1, %tid.x;
\tmul.wide.u32 \t%rd3, %r1, 8;
\tadd.s64 \t%rd4, %rd1, %rd3;
\tadd.s64 \t%rd5, %rd2, %rd3;
\tld.global.u32 \t%r2, [%rd4];
\tINSTRUCTION
\tst.global.u32 \t[%rd5], %r3;
\tret;
}
"""
LANES = np.arange(64)
WARPS: dict[str, tuple[str, Any]] = {
    "shfl.sync.idx.b32 \t%r3|%p1, %r2, 5, 31, -1;": LANES // 32 * 32 + 5,
    "shfl.sync.down.b32 \t%r3|%p1, %r2, 4, 31, -1;": np.where(LANES % 32 < 28, LANES + 4, LANES),
    "shfl.sync.up.b32 \t%r3, %r2, 1, 0, -1;": np.where(LANES % 32 > 0, LANES - 1, LANES),
    "shfl.sync.bfly.b32 \t%r3, %r2, 16, 31, -1;": LANES ^ 16,
    "setp.lt.u32 \t%p1, %r2, 40;\n\tvote.sync.ballot.b32 \t%r3, %p1, -1;": np.where(
        LANES < 32, 0xFFFFFFFF, 0xFF
    ),
}


@pytest.mark.parametrize("instruction", WARPS, ids=lambda i: re.findall(r"\w+\.sync\.\w+", i)[0])
def test_warps(instruction: str) -> None:
    """Twice, so that what the second one gives is not taken for the first one's."""
    twice = f"{instruction}\n\tmov.u32 \t%r4, %r3;\n\t{instruction}"
    got = run(WARP.replace("INSTRUCTION", twice), LANES, 64, 64, 1)
    np.testing.assert_array_equal(got, WARPS[instruction])
