"""What stands for a range of traced numbers, and for iterators over traced values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.capture.rewrite.iterables import Lazy, Range, items_of

X = np.arange(6.0)


@pytest.mark.parametrize(
    ("first", "last", "by"), [(0, 5, 1), (2, 9, 3), (9, 2, -3), (5, 0, -1), (3, 3, 1), (0, 7, 2)]
)
def test_a_range_of_known_numbers_is_pythons(first: int, last: int, by: int) -> None:
    ours, real = Range(first, last, by), range(first, last, by)
    assert ours == real and hash(ours) == hash(real)
    assert ours == Range(first, last, by) and ours != Range(first, last + 9, 7)
    assert (repr(ours), len(ours), list(ours)) == (repr(real), len(real), list(real))
    assert ours.number() == len(real) and type(ours.example()) is range
    assert list(reversed(ours)) == list(reversed(real)) and ours.stop == real.stop
    assert [k in ours for k in range(10)] == [k in real for k in range(10)]


def test_iterators_are_made_when_they_are_asked() -> None:
    pairs = Lazy(zip, [range(3), range(1, 4)])
    assert items_of(pairs) is not None and isinstance(pairs.example(), zip)
    assert next(pairs) == (0, 1) and list(pairs) == [(1, 2), (2, 3)]
    assert items_of(pairs) is None  # it has begun
    assert isinstance(Lazy(enumerate, [Range(0, 3, 1)]).example(), enumerate)
    assert type(Lazy(reversed, [Range(0, 3, 1)]).example()) is type(reversed(range(0)))


def test_what_is_asked_of_them_is_pythons() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        for value in x:
            if value > 2:
                total = total + value
        r, pairs = range(len(x)), enumerate(x)
        shown = f"{range(1, len(x))}"
        return (
            total, r == range(6), r[2], r[-1], 3 in r, len(r), shown, isinstance(r, range),
            isinstance(pairs, enumerate), next(pairs), list(zip(r, x, strict=True))[1:3], bool(r),
            list(reversed(r)), r.start, hasattr(r, "stop"), hasattr(pairs, "close"),
        )  # fmt: skip

    g = tracejit.function(f)
    assert g(X) == f(X)
    assert (g.stats.traces, g.stats.fallbacks) == (1, 0)
