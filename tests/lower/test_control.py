"""Branches and loops in programs: their text, what they mean, and the memory that they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from control_graphs import ENV, GRAPHS, INPUTS, E, X, c, graph_of, layouts_of, loop, written
from hypothesis import given
from hypothesis import strategies as st
from random_regions import ENV as RANDOM_ENV
from random_regions import INPUTS as RANDOM_INPUTS
from random_regions import Program as RandomProgram
from random_regions import Statements
from reference.target import Reference

from tracejit.cpu.target import CPU
from tracejit.errors import InvalidGraphError
from tracejit.ir import build
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node
from tracejit.ir.simplify import simplify
from tracejit.lower import interpret
from tracejit.lower.program import Program
from tracejit.lower.schedule import schedule
from tracejit.lower.target import Target
from tracejit.lower.text import to_text
from tracejit.lower.verify import verify

TARGETS: dict[str, Target] = {"cpu": CPU(), "reference": Reference()}


def program_of(outputs: list[Node], target: str = "cpu") -> Program:
    graph = simplify(graph_of(outputs))
    program = schedule(graph, layouts_of(graph), TARGETS[target])
    verify(program)
    return program


def same(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def copied(env: dict[str, Any]) -> dict[str, Any]:
    return {name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in env.items()}


@pytest.mark.parametrize("name", GRAPHS)
def test_text(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"control/program_{name}.txt", to_text(program_of(GRAPHS[name]())) + "\n")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", GRAPHS)
def test_values(name: str, target: str) -> None:
    """The interpreter of programs agrees with that of graphs, and inputs stay as they are."""
    outputs = GRAPHS[name]()
    env = copied(ENV)
    got = interpret.evaluate(program_of(outputs, target), env)
    assert got is not None
    for a, b in zip(got, evaluate(outputs, ENV), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    for x in INPUTS:
        same(env[x.attr[0]], ENV[x.attr[0]])


#: Arrays that are no results.
TEMPORARIES = {"diffusion": 1, "kept": 1, "backwards": 1, "found": 3}


@pytest.mark.parametrize("name", GRAPHS)
def test_memory(name: str) -> None:
    assert program_of(GRAPHS[name]()).temporaries == TEMPORARIES.get(name, 0)


def test_a_callers_array_is_the_loops_memory() -> None:
    program = program_of(written())
    assert program.temporaries == 0
    assert "%1 (x.0) in x" in to_text(program)
    env = copied(ENV)
    interpret.evaluate(program, env)
    same(env["x"], evaluate(written(), ENV)[0])


def test_a_failed_check_inside_is_a_miss() -> None:
    env = {**ENV, "x": ENV["x"] - 0.5}
    assert interpret.evaluate(program_of(GRAPHS["positive"]()), env) is None


def test_a_place_outside_raises() -> None:
    program = program_of(GRAPHS["looked_up"]())
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        interpret.evaluate(program, {**copied(ENV), "k": 8})


def test_an_array_whose_size_is_known_inside_is_made_at_each_step() -> None:
    def step(s: Node) -> list[Node]:
        where = build.nonzero(E("greater", X, s))
        return [E("add", s, E("multiply", build.reduce("sum", where, (0, 1)), c(0.25)))]

    # Of how many steps is not known, and so how large the largest one is.
    outputs = loop([c(-2.0, np.dtype(float))], lambda s: E("less", s, c(3.0)), step)
    program = program_of(outputs)
    [control] = program.controls.values()
    assert control.own and all(b.late for b in control.own)
    same(interpret.evaluate(program, copied(ENV))[0], evaluate(outputs, ENV)[0])


def test_the_verifier_looks_into_regions() -> None:
    program = program_of(GRAPHS["diffusion"]())
    [control] = program.controls.values()
    control.programs[0].items.reverse()
    with pytest.raises(InvalidGraphError, match="before it is computed"):
        verify(program)


@pytest.mark.parametrize("kind", [RandomProgram, Statements])
@given(data=st.data())
def test_random_programs(kind: Any, data: st.DataObject) -> None:
    outputs = kind(lambda n: data.draw(st.integers(0, n - 1))).outputs()
    graph = Graph(RANDOM_INPUTS, tuple(outputs))
    for each in (graph, simplify(graph)):
        layouts = {i.attr[0]: "C" if i.ndim else "" for i in each.inputs}
        program = schedule(each, layouts, TARGETS["cpu"])
        verify(program)
        for length in (0, 1, 3):
            env = {**RANDOM_ENV, "x": np.linspace(-1, 2, length), "k": length}
            got = interpret.evaluate(program, env)
            assert got is not None
            with np.errstate(all="ignore"):
                wanted = evaluate(outputs, env)
            for a, b in zip(got, wanted, strict=True):
                same(a, b)
