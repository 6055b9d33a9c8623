"""The interpreter of programs against that of graphs: what a schedule means."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.target import Reference
from test_program import GRAPHS, scheduled
from test_random_programs import function_of, random_program

import tracejit
from tracejit.call.arguments import storage_of
from tracejit.cpu.target import CPU
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.simplify import simplify
from tracejit.lower import interpret
from tracejit.lower.schedule import schedule
from tracejit.lower.target import Target
from tracejit.lower.verify import verify

RNG = np.random.default_rng(5)
ENV = {"x": RNG.standard_normal(13), "y": RNG.standard_normal(4), "m": RNG.standard_normal((9, 7))}
BOTH = pytest.mark.parametrize("target", [Reference(), CPU()], ids=["plain", "cpu"])


@BOTH
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name: str, target: Target) -> None:
    program = scheduled(name, target)
    want = evaluate(program.graph.outputs, ENV)
    for mine, right in zip(interpret.evaluate(program, ENV), want, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-13)


def graph_of(f: Callable[..., Any], *args: Any) -> tuple[Graph, dict[str, Any], dict[str, str]]:
    """The simplified graph of a function, with the values and the layouts of its inputs."""
    with tracejit.config(compile=False):
        graph = simplify(tracejit.function(f).graph(*args))
    values = dict(zip(f.__code__.co_varnames, args, strict=False))
    values = {i.attr[0]: values[i.attr[0]] for i in graph.inputs}
    return graph, values, {k: storage_of(v).rstrip("r") for k, v in values.items()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "centred": lambda a: (a - a.mean(1, keepdims=True)) / a.std(1, keepdims=True),
    "columns": lambda a: (a.sum(0), a.max(0), (a * a).sum()),
    "products": lambda a: (a @ a.T, a.T @ a, a @ a[0], np.exp(a @ a.T)),
    "pairs": lambda a: ((a[:, None, :] - a[None, :, :]) ** 2).sum(-1),
    "written": lambda a: written(a),
    "masked": lambda a: (a[a > 0], (a > 0).sum(), np.where(a > 0, a, -a)),
    "picked": lambda a: (a[::-2, 1:].sum(0), np.take(a, 2, axis=1), a[a.argmax(0)]),
    "joined": lambda a: (np.concatenate([a, a * 2])[3:], np.stack([a, a + 1], 2).sum(2)),
    "ordered": lambda a: (np.sort(a, 0), np.argsort(a), np.cumsum(a, 1), np.cumprod(a, 0)),
    "extremes": lambda a: (a.argmax(), a.argmin(0), a.argmax(1), a.max(), np.median(a)),
    "reshaped": lambda a: (
        a.reshape(-1)[::3],
        a.T.reshape(5, -1) * 2,
        np.tile(a, (2, 2)),
        a.ravel(),
    ),
    "transposed": lambda a: (np.exp(a.T), (a + a[::-1]).T.copy()),
}


def written(a: Any) -> Any:
    b = a.copy()
    b[1:3, ::2] += 10
    b[-1] = b[0] * 2
    b[b > 5] *= -1
    return b


@BOTH
@pytest.mark.parametrize("order", ["C", "F", "strided"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, order: str, target: Target) -> None:
    """NumPy's results, whatever passes run and however the array lies in memory."""
    f, a = FUNCTIONS[name], np.random.default_rng(1).standard_normal((10, 6))
    a = {"C": a, "F": np.asfortranarray(a), "strided": np.repeat(a, 2, 1)[:, ::2]}[order]
    graph, env, layouts = graph_of(f, a)
    program = schedule(graph, layouts, target)
    verify(program)
    found = interpret.evaluate(program, env)
    want = f(a)
    for mine, numpys in zip(found, want if isinstance(want, tuple) else (want,), strict=False):
        np.testing.assert_allclose(mine, numpys, rtol=1e-12)


def test_rows_that_are_left_over() -> None:
    """Loops that take several steps at a time end with every count of rows."""
    for rows in range(1, 11):
        a = np.random.default_rng(rows).standard_normal((rows, 5))
        graph, env, layouts = graph_of(lambda a: (a.sum(0), a.max(1), a @ a[0]), a)
        program = schedule(graph, layouts, CPU())
        for mine, numpys in zip(
            interpret.evaluate(program, env), (a.sum(0), a.max(1), a @ a[0]), strict=True
        ):
            np.testing.assert_allclose(mine, numpys, rtol=1e-13)


def test_positions_out_of_range() -> None:
    a, k = np.arange(6.0), np.array([1, 9])
    graph, env, layouts = graph_of(lambda a, k: a[k], a, np.array([1, 2]))
    env[graph.inputs[1].attr[0]] = k
    with pytest.raises(IndexError):
        interpret.evaluate(schedule(graph, layouts, CPU()), env)


def drawn(count: int) -> list[int]:
    """Seeds of random programs without arrays of their own."""
    seeds = (k for k in itertools.count() if not re.search(r"\W\[-?\d", program_text(k)))
    return list(itertools.islice(seeds, count))


def program_text(seed: int) -> str:
    return random_program(random.Random(seed)).source


@BOTH
@pytest.mark.parametrize("seed", drawn(40))
def test_random_programs(seed: int, target: Target) -> None:
    p = random_program(random.Random(seed))
    f = function_of(p).__wrapped__
    graph, env, layouts = graph_of(f, *p.arrays.values())
    program = schedule(graph, layouts, target)
    verify(program)
    want = evaluate(graph.outputs, env)
    for mine, right in zip(interpret.evaluate(program, env), want, strict=True):
        tolerance = {"e": 5e-2, "f": 2e-3}.get(np.asarray(right).dtype.char, 1e-7)
        np.testing.assert_allclose(mine, right, rtol=tolerance, atol=10 * tolerance)
