"""What a comparison says of whole numbers, and where it is known."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from tracejit.ir import build, dims
from tracejit.ir.closing import placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node
from tracejit.ir.scalars import given
from tracejit.ir.types import BOOL
from tracejit.trace.facts import Facts, consequences
from tracejit.trace.trace import condition

A, B = placeholder(INT_SCALAR), placeholder(INT_SCALAR)
NAMES = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def value(d: Dim, a: int, b: int) -> int:
    return int(evaluate([dims.as_node(d)], {A.attr[0]: a, B.attr[0]: b})[0])


def logical(name: str, *args: Node) -> Node:
    return build.elementwise(f"logical_{name}", *args)


def random_test(rng: random.Random, depth: int) -> Node:
    """A truth value of comparisons."""
    if depth and rng.random() < 0.7:
        name = rng.choice(("and", "or", "not"))
        return logical(name, *(random_test(rng, depth - 1) for _ in range(1 + (name != "not"))))
    sides = (A, B, dims.add(A, 1), dims.sub(dims.mul(2, B), 3), 2)
    a, b = rng.sample(sides, 2)
    return condition(rng.choice(NAMES), a, b)


@pytest.mark.parametrize("seed", range(60))
def test_what_a_test_says_is_so(seed: int) -> None:
    test = random_test(random.Random(seed), 3)
    facts = {answer: consequences(test, answer) for answer in (True, False)}
    for a, b in itertools.product(range(-4, 5), repeat=2):
        answer = bool(evaluate([test], {A.attr[0]: a, B.attr[0]: b})[0])
        assert all(value(fact, a, b) >= 0 for fact in facts[answer])


def test_of_several_all_are_so_where_all_must_be() -> None:
    both = logical("and", condition("less", A, B), condition("greater", A, 0))
    assert len(consequences(both, True)) == 2 and not consequences(both, False)
    either = logical("or", condition("less", A, B), condition("greater", A, 0))
    assert len(consequences(either, False)) == 2 and not consequences(either, True)
    true = build.constant(True, BOOL)
    assert consequences(given(both, true), True) == consequences(both, True)


def test_facts_hold_where_they_are_known() -> None:
    facts, test = Facts(), condition("less", A, dims.add(B, 1))
    assert not facts and facts.answer(test) is None
    with facts.known([dims.sub(B, A)]):
        assert facts.answer(test) is True
        assert facts.answer(condition("greater", A, B)) is False
        assert facts.answer(condition("equal", A, dims.add(B, 1))) is False
        assert facts.answer(condition("equal", A, B)) is None
        with facts.known([dims.sub(dims.sub(B, A), 2)]):
            assert facts.answer(condition("not_equal", A, B)) is True
        assert facts.answer(condition("not_equal", A, B)) is None
    assert facts.answer(test) is None
    facts.note(A, [dims.sub(B, A)])
    assert facts.answer(test) is True


def test_nothing_is_said_of_other_numbers() -> None:
    x = placeholder(build.constant(0.5, np.float64).type)
    assert consequences(build.elementwise("less", x, x), True) == []
    assert Facts().answer(build.elementwise("less", x, x)) is None
