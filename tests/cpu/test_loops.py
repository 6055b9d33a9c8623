"""Branches and loops on a CPU: their source, and the bits of what they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from control_graphs import ENV, GRAPHS, INPUTS, graph_of, layouts_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from random_regions import ENV as RANDOM_ENV
from random_regions import INPUTS as RANDOM_INPUTS
from random_regions import Program as RandomProgram
from random_regions import Statements

from tracejit.config import config
from tracejit.cpu.target import CPU
from tracejit.errors import MISS
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node
from tracejit.lower import driver
from tracejit.lower.executable import Executable, compile_graph
from tracejit.plan.callplan import CallPlan
from tracejit.plan.text import Parameters


class _Poisoned:
    """NumPy, whose new memory is full of what nobody would take for a result."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = float) -> np.ndarray:
        made = np.empty(shape, dtype)
        made.reshape(-1).view(np.uint8)[...] = 0xA5
        return made


@pytest.fixture(autouse=True)
def _memory_is_full_of_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "np", _Poisoned())


def compiled(
    outputs: list[Node], kinds: list[str] | None = None, layout: str = "C"
) -> tuple[Executable, Callable[..., Any]]:
    """The executable of a graph, and its call by an environment."""
    graph = graph_of(outputs)
    if kinds is None:
        kinds = [
            "array" if o.ndim else "number" if o.type.weak else "scalar" for o in graph.outputs
        ]
    with config(check=True):
        made = compile_graph(graph, layouts_of(graph, layout), CPU(), kinds=kinds)
    names = [i.attr[0] for i in graph.inputs]
    plan = CallPlan(
        Parameters(", ".join(names)), [], names, lambda o: f"[{', '.join(o)}]", {}, kinds
    )
    call = made.driver(plan)
    return made, lambda env: call(*(env[name] for name in names))


def same(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", GRAPHS)
def test_source(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"control/source_{name}.txt", compiled(GRAPHS[name]())[0].emitted.text)


#: Those that add up rows, which NumPy does in another order.
SUMS = {"rows"}


@pytest.mark.parametrize("name", GRAPHS)
def test_values(name: str) -> None:
    """The bits of the interpreter of graphs; arguments stay as they are."""
    outputs = GRAPHS[name]()
    env = {k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in ENV.items()}
    got = compiled(outputs)[1](env)
    assert got is not MISS
    for a, b in zip(got, evaluate(outputs, ENV), strict=True):
        if name in SUMS:
            np.testing.assert_allclose(a, b, rtol=1e-14)
        else:
            same(a, b)
    for x in INPUTS:
        same(env[x.attr[0]], ENV[x.attr[0]])


def transposed(x: np.ndarray) -> np.ndarray:
    return np.asfortranarray(x)


def spread(x: np.ndarray) -> np.ndarray:
    """Every other element of a larger array."""
    larger = np.zeros([2 * n for n in x.shape], x.dtype)
    larger[(slice(None, None, 2),) * x.ndim] = x
    return larger[(slice(None, None, 2),) * x.ndim]


@pytest.mark.parametrize("layout, of", [("F", transposed), ("A", spread)])
@pytest.mark.parametrize("name", ["rows", "product"])
def test_layouts(name: str, layout: str, of: Callable[[np.ndarray], np.ndarray]) -> None:
    outputs = GRAPHS[name]()
    env = {k: of(v) if isinstance(v, np.ndarray) else v for k, v in ENV.items()}
    got = compiled(outputs, layout=layout)[1](env)
    for a, b in zip(got, evaluate(outputs, ENV), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def loops_in(source: str) -> list[str]:
    """The lines inside of any loop."""
    lines = source.splitlines()
    return [line for line in lines if line.startswith("        ")]


@pytest.mark.parametrize("name", ["recurrence", "collatz", "escape", "running", "product"])
def test_bodies_on_numbers_make_no_arrays(name: str) -> None:
    inside = "\n".join(loops_in(compiled(GRAPHS[name]())[0].emitted.text))
    assert "[()]" not in inside and "temporary" not in inside and "copy_range" not in inside


@pytest.mark.parametrize("name", ["running", "product", "again", "moved", "looked_up"])
def test_what_is_carried_is_not_copied_in_the_loop(name: str) -> None:
    made, _ = compiled(GRAPHS[name]())
    inside = "\n".join(loops_in(made.emitted.text))
    assert "copy_range" not in inside and made.temporaries == 0


def test_a_callers_array_is_written_in_place() -> None:
    made, call = compiled(written(), kinds=["write"])
    assert made.emitted.buffers == [] and "copy_range" not in made.emitted.text
    env = {**ENV, "x": ENV["x"].copy()}
    assert call(env) is not MISS
    same(env["x"], evaluate(written(), ENV)[0])


def test_a_failed_check_inside_is_a_miss() -> None:
    _, call = compiled(GRAPHS["positive"]())
    assert call({**ENV, "x": ENV["x"] - 0.5}) is MISS
    assert call(ENV) is not MISS


def test_a_loop_that_goes_wrong_ends() -> None:
    """And leaves what is the caller's as it was."""
    _, call = compiled(GRAPHS["looked_up"]())
    env = {**ENV, "x": ENV["x"].copy(), "k": 1 << 62}
    assert call(env) is MISS
    same(env["x"], ENV["x"])


def test_a_loop_that_would_begin_with_a_wrong_value_is_not_begun() -> None:
    _, call = compiled(GRAPHS["fed"]())
    env = {**ENV, "x": np.array([7.0, 0.0, 1.0, 2.0])}
    assert call({**env, "k": 3}) == [9]
    assert call({**env, "k": 4}) is MISS


@pytest.mark.parametrize("kind", [RandomProgram, Statements])
@settings(max_examples=10)
@given(data=st.data())
def test_random_programs(kind: Any, data: st.DataObject) -> None:
    outputs = kind(lambda n: data.draw(st.integers(0, n - 1))).outputs()
    outputs = list(dict.fromkeys(outputs))
    kinds = ["array" if o.ndim else "number" if o.type.weak else "scalar" for o in outputs]
    graph = Graph(RANDOM_INPUTS, tuple(outputs))
    layouts = {i.attr[0]: "C" if i.ndim else "" for i in graph.inputs}
    with config(check=True):
        made = compile_graph(graph, layouts, CPU(), kinds=kinds)
    names = list(layouts)
    plan = CallPlan(
        Parameters(", ".join(names)), [], names, lambda o: f"[{', '.join(o)}]", {}, kinds
    )
    call = made.driver(plan)
    for length in (0, 1, 3):
        env = {**RANDOM_ENV, "x": np.linspace(-1, 2, length), "k": length}
        numbers = {"a": np.float64(env["a"]), "b": np.float64(env["b"])}
        got = call(*({**env, **numbers}[name] for name in names))
        with np.errstate(all="ignore"):
            wanted = evaluate(outputs, env)
        for a, b in zip(got, wanted, strict=True):
            same(a, b)
