"""Programs: their text, pass by pass, and what the verifier finds wrong with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from reference.target import Reference

from tracejit.cpu.target import CPU
from tracejit.errors import InvalidGraphError
from tracejit.ir import build, dims
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.ir.simplify import simplify
from tracejit.lower.program import Computation, Kind, Loop, Program
from tracejit.lower.schedule import schedule
from tracejit.lower.target import Target
from tracejit.lower.text import to_text
from tracejit.lower.verify import verify

F64 = np.dtype(np.float64)


def array(name: str, ndim: int = 1) -> Node:
    return build.input(name, F64, tuple(dims.dim(name, k) for k in range(ndim)))


X, Y, M = array("x"), array("y"), array("m", 2)
N = array("n", 2)


def E(name: str, *args: object) -> Node:
    return build.elementwise(name, *(a if isinstance(a, Node) else build.constant(a) for a in args))


def spread(v: Node, like: Node, axis: int) -> Node:
    """A vector of the lengths of `axis` over the shape of `like`."""
    return build.view(v, like.shape, ((0, 1, axis),))


def rows() -> Node:
    centred = E("subtract", M, spread(build.reduce("sum", M, (1,)), M, 0))
    return E("divide", centred, spread(build.reduce("max", centred, (1,)), M, 0))


GRAPHS: dict[str, Callable[[], tuple[Node, ...]]] = {
    "map": lambda: (E("multiply", E("exp", X), 2.0),),
    "two_outputs": lambda: (E("exp", X), build.reduce("sum", E("exp", X), (0,))),
    "rows": lambda: (rows(),),
    "columns": lambda: (build.reduce("sum", M, (0,)),),
    "all": lambda: (build.reduce("sum", M, (0, 1)),),
    "transposed": lambda: (E("exp", build.transpose(M, (1, 0))),),
    "joined": lambda: (build.concatenate([X, E("negative", Y)], 0),),
    "running": lambda: (build.accumulate("add", E("exp", X), 0),),
    "sorted": lambda: (E("exp", build.sort(E("negative", X), 0, "quicksort")),),
    "product": lambda: (E("exp", build.matmul(M, build.transpose(M, (1, 0)))),),
    "extreme": lambda: (build.reduce("argmax", E("exp", X), (0,)),),
    "positions": lambda: (build.nonzero(E("greater", X, 0.0)),),
}


ON_CPU = CPU()


def scheduled(name: str, target: Target = ON_CPU) -> Program:
    outputs = GRAPHS[name]()
    inputs = [i for i in (X, Y, M, N) if any(_reaches(o, i) for o in outputs)]
    graph = simplify(Graph(tuple(inputs), outputs))
    return schedule(graph, {i.attr[0]: "C" for i in inputs}, target)


def _reaches(node: Node, leaf: Node) -> bool:
    return node is leaf or any(_reaches(a, leaf) for a in node.args)


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    program = scheduled(name)
    verify(program)
    golden(f"program_{name}.txt", to_text(program))


@pytest.mark.parametrize("name", ["columns", "product", "extreme"])
def test_text_of_what_no_target_adds_to(name: str, golden: Callable[[str, str], None]) -> None:
    program = scheduled(name, Reference())
    verify(program)
    golden(f"program_{name}_plain.txt", to_text(program))


def test_text_is_stable() -> None:
    """Names are given as they are printed: they do not tell what was built before."""
    first = to_text(scheduled("rows"))
    E("cos", X)
    assert to_text(scheduled("rows")) == first


def loops(program: Program) -> list[Loop]:
    return program.all_loops()


def swap_items(p: Program) -> None:
    loops(p)[0].items.reverse()


def drop(p: Program) -> None:
    loops(p)[-1].items.clear()


def repeat(p: Program) -> None:
    loops(p)[-1].items.append(loops(p)[-1].items[0])


def off_by_one(p: Program) -> None:
    loops(p)[-1].extent = dims.sub(loops(p)[-1].extent, 1)


def other_loop(p: Program) -> None:
    [c, *_] = [i for i in loops(p)[-1].items if isinstance(i, Computation)]
    c.loops = [Loop(loop.extent) for loop in c.loops]


def no_memory(p: Program) -> None:
    for buffers in p.buffers.values():
        for b in buffers:
            b.output = False


def stranger(p: Program) -> None:
    c = next(i for i in loops(p)[-1].items if isinstance(i, Computation))
    loops(p)[-1].items.append(dataclasses.replace(c))


def join_two_passes(p: Program) -> None:
    """What reads a whole reduction in the loop that reduces."""
    outer = loops(p)[0]
    first, second = (i for i in outer.items[:2] if isinstance(i, Loop))
    for c in second.items:
        assert isinstance(c, Computation)
        c.loops = [*c.loops[:-1], first]
    first.items += second.items
    outer.items.remove(second)


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        (swap_items, "rows", "before it is computed"),
        (drop, "rows", "never computed"),
        (repeat, "rows", "computed twice"),
        (off_by_one, "map", "not its domain's"),
        (off_by_one, "rows", "not its domain's"),
        (other_loop, "rows", "other loops than its own"),
        (no_memory, "map", "no memory of the caller's"),
        (stranger, "two_outputs", "computed and not stored"),
        (join_two_passes, "rows", "still reduces"),
    ],
)
def test_faults_are_found(spoil: Callable[[Program], None], name: str, said: str) -> None:
    program = scheduled(name)
    spoil(program)
    with pytest.raises(InvalidGraphError, match=f"after a pass: .*{said}"):
        verify(program, "a pass")


def test_kinds_in_these_programs() -> None:
    """The texts above show every kind of computation but scatters."""
    seen = {c.kind for name in GRAPHS for cs in scheduled(name).stored.values() for c in cs}
    assert seen == set(Kind) - {Kind.SCATTER}
