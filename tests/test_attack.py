"""The attack program, for a while, from a fixed seed: ``TRACEJIT_ATTACK_MINUTES`` gives more."""

from __future__ import annotations

import os

import pytest

from tools.attack import oracle
from tools.attack.__main__ import attack
from tools.attack.run import KINDS, script_of, smaller

#: How long; else so many cases of each kind, the same on every machine.
MINUTES = float(os.environ.get("TRACEJIT_ATTACK_MINUTES", "0"))
CASES = {
    "views": 300, "numbers": 250, "captures": 250, "names": 100, "threads": 4, "forks": 3,
    "interrupts": 6, "caches": 2,
}  # fmt: skip
SEED = int(os.environ.get("TRACEJIT_ATTACK_SEED", "20250101"))
#: Cases of processes take seconds each, those of one process milliseconds.
SHARES = {"caches": 1.5, "views": 1.2}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found(kind: str) -> None:
    if MINUTES:
        assert not attack([kind], SEED, MINUTES * 60 / len(KINDS) * SHARES.get(kind, 0.9))
    else:
        assert not attack([kind], SEED, 60.0, CASES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_one_program(kind: str) -> None:
    texts = [script_of(kind, seed) for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]
    compile(texts[0], "<attack>", "exec")


def test_the_oracle_tells_what_differs() -> None:
    import numpy as np

    def seen(f, *args):  # type: ignore[no-untyped-def]
        return oracle.outcome(f, args)

    x = np.arange(4.0)
    same = [lambda x: (x + 1, x[1:]), lambda x: x.sum(), lambda x: {"a": 1}]
    for f in same:
        assert not oracle.difference(seen(f, x.copy()), seen(f, x.copy()))
    other = [
        (lambda x: x + 1, lambda x: x + 2), (lambda x: x[:], lambda x: x.copy()),
        (lambda x: x, lambda x: x[:]), (lambda x: -0.0 * x, lambda x: 0.0 * x),
        (lambda x: x.sum(), lambda x: float(x.sum())), (lambda x: [x], lambda x: (x,)),
        (lambda x: x / 0, lambda x: 1 / 0), (lambda x: x.fill(1), lambda x: None),
        (lambda x: x * 1, lambda x: np.broadcast_to(x, x.shape)), (lambda x: 1, lambda x: True),
    ]  # fmt: skip
    for f, g in other:
        assert oracle.difference(seen(f, x.copy()), seen(g, x.copy()))


def test_cases_are_made_small() -> None:
    text = "def f(x):\n    a = 1\n    b = 2\n    return b\n"
    small = smaller(text, lambda t: "Disagreement" if "b = 2" in t else "")
    assert small == "def f(x):\n    b = 2\n    return b\n"
