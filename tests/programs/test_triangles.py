"""Random loops over triangles and bands do decorated what they do in plain Python."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from devices import on_cpu
from hypothesis import given, settings
from hypothesis import strategies as st

import tracejit
from programs.triangles import Writer, always_regions, compared

EXAMPLES = settings().max_examples
#: The least share of programs that run compiled, of those that do not raise at every call.
FLOOR = 0.85


@pytest.mark.parametrize("compiled, count", [(False, 2 * EXAMPLES), (True, EXAMPLES // 4 + 1)])
def test_random_programs(compiled: bool, count: int) -> None:
    ran: Counter[str] = Counter()

    @settings(max_examples=count)
    @given(st.randoms(use_true_random=False))
    def machine(rng: random.Random) -> None:
        source = Writer(rng.choice).program()
        difference, how = compared(source)
        assert not difference, f"{source}\n{difference}"
        ran[how] += 1

    with always_regions(), tracejit.config(compile=compiled, check=True):
        machine()
    if on_cpu():
        assert ran["compiled"] >= FLOOR * (ran["compiled"] + ran["NumPy"]), ran
