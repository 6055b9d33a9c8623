"""What both front ends keep of a program: which path is tried, made, kept and let go."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tracejit.call import paths
from tracejit.call.paths import Path, Paths, tracing
from tracejit.errors import MISS


def path(key: Any, takes: Any) -> Path:
    found = Path(key, None, None)  # type: ignore[arg-type]
    found.takes = takes  # type: ignore[attr-defined]
    return found


def running(value: Any, seen: list[Any]) -> Any:
    """What runs a path for `value`, and notes whether it does so under the lock of traces."""

    def run(p: Any) -> Any:
        seen.append((p.takes, tracing._is_owned()))
        return f"by {p.takes}" if p.takes == value else MISS

    return run


def test_the_newest_is_tried_first() -> None:
    kept: Paths[Path] = Paths()
    one, two, other = path("a", 1), path("a", 2), path("b", 1)
    for p in (one, two, other):
        kept.keep(p)
    seen: list[Any] = []
    assert kept.tried("a", running(1, seen)) == ((one, two), one, "by 1")
    assert seen == [(2, False), (1, False)]
    assert kept.tried("c", running(1, seen)) == ((), None, MISS)
    assert list(kept) == [one, two, other] and kept[-1] is other and kept[-2:] == [two, other]


def test_what_nobody_has_is_made_under_the_lock() -> None:
    kept: Paths[Path] = Paths()
    made = path("a", 1)

    def make() -> Path:
        assert tracing._is_owned()
        return made

    assert kept.settled((), "a", running(1, []), make) == (None, MISS, made)
    assert not tracing._is_owned() and len(kept) == 0


def test_what_another_thread_has_made_is_taken() -> None:
    """It is not run under the lock, which would be a deadlock; nothing is made twice."""
    kept: Paths[Path] = Paths()
    seen: list[Any] = []
    found: list[Any] = []

    def make() -> Path:
        raise AssertionError("made twice")

    with tracing:
        late = threading.Thread(
            target=lambda: found.append(kept.settled((), "a", running(1, seen), make))
        )
        late.start()
        theirs = path("a", 1)
        kept.keep(theirs)
    late.join(10)
    assert found == [(theirs, "by 1", None)] and seen == [(1, False)]


def test_another_threads_path_may_not_do_either() -> None:
    kept: Paths[Path] = Paths()
    theirs, ours = path("a", 1), path("a", 2)
    kept.keep(theirs)
    seen: list[Any] = []
    assert kept.settled((), "a", running(2, seen), lambda: ours) == (None, MISS, ours)
    assert seen == [(1, False)]


def test_what_was_not_used_for_longest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST", 2)
    kept: Paths[Path] = Paths()
    one, two, three = path("a", 1), path("b", 2), path("c", 3)
    kept.keep(one)
    kept.keep(two)
    one.use()
    kept.keep(three)
    assert list(kept) == [one, three] and kept.of("b") == () and kept.of("a") == (one,)


def test_costs_are_added_up() -> None:
    class Executable:
        compiled, loops, passes, temporaries = True, 2, 3, 4
        seconds = {"emit": 0.5, "link": 1.0}  # noqa: RUF012

    stats = paths.Stats()
    for _ in range(2):
        stats.count(Executable())
    assert (stats.compiles, stats.loops, stats.passes, stats.temporaries) == (2, 2, 3, 4)
    assert stats.seconds["emit"] == 1.0 and stats.seconds["link"] == 2.0
