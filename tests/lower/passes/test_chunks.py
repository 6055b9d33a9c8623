"""Which loops run by chunks, and the one formula for their length, on a few nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stages import E, M, X, along, check, stored

from tracejit.cpu.passes.jam import jam
from tracejit.ir import build, dims
from tracejit.ir.node import Node
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.text import Text
from tracejit.lower.passes.chunks import (
    CHUNK,
    LENGTH,
    NUMBER,
    POINTS,
    TILE,
    TILED_LENGTH,
    chunk_length,
    chunk_number,
    inner_points,
    is_whole,
    mark_chunks,
    own_computations,
)
from tracejit.lower.passes.tiles import tile
from tracejit.lower.program import Loop
from tracejit.lower.styles import Chunk

SUM, ROWS = build.reduce("sum", X, (0,)), build.reduce("sum", M, (1,))
SHORT = build.input("short", X.dtype, (CHUNK,))
LONGER = build.input("longer", X.dtype, (CHUNK + 1,))
GRAPHS: dict[str, tuple[Callable[[], tuple[Node, ...]], bool]] = {
    "sum": (lambda: (SUM,), True),
    "sum_and_map": (lambda: (build.reduce("sum", E("exp", X), (0,)), E("exp", X)), True),
    "sum_of_all": (lambda: (build.reduce("sum", M, (0, 1)),), True),
    "map": (lambda: (E("exp", X),), False),
    "rows": (lambda: (build.reduce("sum", M, (1,)),), False),
    "running": (lambda: (build.accumulate("add", X, 0), build.accumulate("multiply", X, 0)), False),
    "sum_of_rows_too": (
        lambda: (ROWS, build.reduce("sum", ROWS, (0,))),
        True,
    ),
    "columns": (lambda: (build.reduce("sum", M, (0,)),), False),
    "few": (lambda: (build.reduce("sum", SHORT, (0,)),), False),
    "one_more": (lambda: (build.reduce("sum", LONGER, (0,)),), True),
    "half": (lambda: (build.reduce("sum", H, (0,)),), False),
}  # fmt: skip
H = build.input("h", np.dtype("e"), X.shape)


def chunked(program: object) -> bool:
    return any(loop.has(Chunk) for loop in program.all_loops())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    make, expected = GRAPHS[name]
    program = stored(*make())
    mark_chunks(program)
    rng = np.random.default_rng(3)
    env = {"x": rng.random(20), "m": rng.random((4, 3)), "h": np.arange(20).astype("e")}
    for node in (SHORT, LONGER):
        env[node.attr[0]] = rng.random(node.shape[0])
    golden(f"passes/chunks_{name}.txt", check(program, env))
    assert chunked(program) == expected


def test_jammed_loops_are_none() -> None:
    program = stored(build.reduce("sum", M, (0,)), passes=[jam])
    mark_chunks(program)
    assert not chunked(program)


def test_tiles_leave_arrays(golden: Callable[[str, str], None]) -> None:
    program = stored(build.reduce("sum", M, (0,)), passes=[tile])
    mark_chunks(program)
    assert [b.shape for b in program.parts.values()] == [M.shape[1:]]
    golden("passes/chunks_parts.txt", check(program))


def test_points_of_an_iteration() -> None:
    for outputs, points in (((SUM,), 1), ((build.reduce("sum", M, (1,)),), M.shape[1])):
        [loop] = stored(*outputs).items
        assert isinstance(loop, Loop) and inner_points(loop) == points
        assert len(own_computations(loop)) == 1
    [flat] = stored(build.reduce("sum", M, (0, 1))).items
    assert isinstance(flat, Loop) and inner_points(flat) == 1
    [c] = own_computations(flat)
    assert is_whole(c, flat)
    copies = stored(build.reduce("sum", M, (0,)), passes=[jam]).items[0]
    assert isinstance(copies, Loop) and len(own_computations(copies)) == 1


KERNEL = {"imax": max, "imin": min, "idiv": lambda a, b: a // b}


@pytest.mark.parametrize("tiled", [False, True])
def test_what_kernels_compute_is_the_number(tiled: bool) -> None:
    for count in (1, 2, 31, 32, 33, 255, 256, 257, 8191, 8192, 8193, 1 << 20, 10**8):
        for inner in (0, 1, 2, 7, 500, 511, 512, 513, 8193, 1 << 16):
            formula = fill(TILED_LENGTH if tiled else LENGTH, count=count, inner=inner)
            length = eval(Text().expression(formula), KERNEL)
            assert chunk_length(count, inner, tiled) == length
            formula = fill(NUMBER, count=count, length=length)
            number = eval(Text().expression(formula), KERNEL)
            assert chunk_number(count, inner, tiled) == number
            if inner == 1 and not tiled:
                assert eval(Text().expression(fill(POINTS, count=count)), KERNEL) == length
            assert (number - 1) * length < count <= number * length


def test_lengths() -> None:
    assert chunk_length(10**6, 1, False) == CHUNK
    assert chunk_length(1000, 100, False) == CHUNK // 100
    assert chunk_length(1000, 10**6, False) == 1
    assert chunk_number(10**8, 1, False) <= 1024 and chunk_length(10**8, 1, False) % 512 == 0
    assert chunk_length(10**6, 100, True) == (TILE // 100 + 3) // 4 * 4
    assert chunk_length(10**6, 10**6, True) == 64  # rows, at least
    assert chunk_length(800, 1, True) == 100  # an eighth
    assert chunk_length(10, 1, True) == 32
    assert dims.product(()) == 1
    assert along(SUM, X) is not X
