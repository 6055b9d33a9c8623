"""Random programs of statements do rewritten what they do in plain Python."""

import random
from collections import Counter

import pytest
from hypothesis import settings
from programs.compare import check_changed
from programs.write import write
from runtimes import Counting, Forgetful

from tracejit.capture.rewrite.function import rewrite, rewritten

PROGRAMS = 10 * settings().max_examples


def compare(seed, control, constructs):
    """How a rewritten program differs from the plain one."""

    def change(f):
        what = rewritten(f.__code__)
        constructs.update(kind for kind, _ in what.constructs)
        constructs["left"] += what.reason is not None
        return rewrite(f, control)

    return check_changed(write(random.Random(seed)).source, change)


def compare_all(seeds, control):
    constructs = Counter()
    for seed in seeds:
        difference = compare(seed, control, constructs)
        assert not difference, f"seed {seed}\n{difference}"
    assert constructs["left"] <= len(seeds) / 1000
    for kind in ("for", "while", "if", "and", "or", "not", "assert"):
        # Called wherever it is reached, which is more than once a program for most.
        assert constructs[kind] > len(seeds) / 60, constructs
        assert control.calls[kind] > len(seeds) / 60, control.calls
    for kind in ("conditional expression", "chained comparison"):
        assert constructs[kind] > len(seeds) / 60, constructs


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_programs():
    compare_all(range(PROGRAMS), Counting())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_live_is_not_needed():
    control = Forgetful()
    compare_all(range(PROGRAMS, 2 * PROGRAMS), control)
    assert control.calls["forgotten"] > PROGRAMS


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("control", [Counting, Forgetful])
def test_many_programs(control):
    compare_all(range(10_000, 15_000), control())
