"""Random programs of statements, divided at random places, do what they do in plain Python."""

import ast
import random
import types
from collections import Counter

import pytest
from hypothesis import settings
from programs.compare import check_changed
from programs.write import write

from tracejit.capture.divide.division import divided
from tracejit.capture.divide.hoist import HOST
from tracejit.capture.divide.places import Place
from tracejit.capture.rewrite.scope import own
from tracejit.capture.rewrite.source import source_of

PROGRAMS = 3 * settings().max_examples


def places_in(code, draw):
    """Some expressions and statements of a function."""
    source = source_of(code)
    if source is None or isinstance(source.node, ast.Lambda):
        return []
    nodes = [n for n in own(*source.node.body) if isinstance(n, (ast.stmt, ast.expr))]
    calls = [n for n in nodes if isinstance(n, ast.Call)]
    chosen = draw.sample(nodes, min(draw.choice((1, 2)), len(nodes)))
    chosen += draw.sample(calls, min(draw.choice((0, 1, 2)), len(calls)))
    return [Place(n.lineno, n.col_offset, n.end_lineno, n.end_col_offset) for n in chosen]


def divide(f, draw, met):
    """A function in parts, whose segments note that they run."""
    division = divided(f.__code__, places_in(f.__code__, draw))
    if division is None:
        return f
    cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
    cells[HOST] = types.CellType(lambda g: g)

    def made(code):
        closure = tuple(cells[name] for name in code.co_freevars)
        return types.FunctionType(code, f.__globals__, f.__name__, None, closure)

    def noted(part):
        def call(*args):
            met["segment"] += 1
            return part(*args)

        return call

    for segment in division.segments:
        cells[segment.name] = types.CellType(noted(made(segment.code)))
    new = made(division.code)
    new.__defaults__, new.__kwdefaults__ = f.__defaults__, f.__kwdefaults__
    met["divided"] += 1
    return new


def compare(seed, met):
    """How a divided program differs from the plain one."""
    draw = random.Random(seed)
    return check_changed(write(draw).source, lambda f: divide(f, draw, met))


def compare_all(seeds):
    met = Counter()
    for seed in seeds:
        difference = compare(seed, met)
        assert not difference, f"seed {seed}\n{difference}"
    assert met["divided"] > len(seeds) / 3, met
    assert met["segment"] > len(seeds), met


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_programs():
    compare_all(range(PROGRAMS))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_many_programs():
    compare_all(range(10_000, 15_000))
