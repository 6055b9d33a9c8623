"""The compiled versions of a program, and what they have cost: both front ends keep them so."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tracejit.errors import MISS
from tracejit.native import locks

if TYPE_CHECKING:
    from tracejit.ir.graph import Graph
    from tracejit.plan.callplan import Runnable

#: Versions of a program that are kept at most.
MOST = 128
_uses = itertools.count()
#: Nodes are hash-consed in one table, so one trace runs at a time: under this lock.
tracing = locks.make(exclusive=True)


class Stats:
    """What a function has cost so far: ``f.stats``.

    `traces`      how often the Python code was traced; a trace that failed does not count
    `compiles`    how often machine code was made; equal programs are compiled once in a process
    `loops`       of the newest path: outermost loops
    `passes`      of the newest path: innermost loops, so passes over memory
    `temporaries` of the newest path: arrays that are neither arguments nor results
    `fallbacks`   calls that ran in plain NumPy
    `seconds`     by phase: "trace", "schedule", "emit", "compile"
    """

    def __init__(self) -> None:
        self.traces = 0
        self.compiles = 0
        self.loops = 0
        self.passes = 0
        self.temporaries = 0
        self.fallbacks = 0
        self.seconds: dict[str, float] = {
            "trace": 0.0, "schedule": 0.0, "emit": 0.0, "compile": 0.0
        }  # fmt: skip

    def count(self, executable: Runnable) -> None:
        """Add what the newest path has cost."""
        self.compiles += executable.compiled
        self.loops, self.passes = executable.loops, executable.passes
        self.temporaries = executable.temporaries
        for phase, seconds in executable.seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def __repr__(self) -> str:
        seconds = ", ".join(f"{k} {v:.3f}" for k, v in self.seconds.items())
        return (
            f"Stats(traces={self.traces}, compiles={self.compiles}, loops={self.loops}, "
            f"passes={self.passes}, temporaries={self.temporaries}, fallbacks={self.fallbacks}, "
            f"seconds: {seconds})"
        )


class Path:
    """One compiled version of a program, for the arguments that `key` describes."""

    def __init__(self, key: Any, graph: Graph, executable: Runnable) -> None:
        self.key = key
        self.graph = graph
        self.executable = executable
        #: When it was last found: the one that was not used for longest goes first.
        self.used = next(_uses)

    def use(self) -> None:
        """It has been found again."""
        self.used = next(_uses)


P = TypeVar("P", bound=Path)


class Paths(Sequence[P]):
    """The paths of a program, oldest first, and those of its calls that run in plain NumPy."""

    def __init__(self) -> None:
        self.stats = Stats()
        #: Where calls run in plain NumPy, and the user has been told so.
        self.told: set[Any] = set()
        #: Whether one writes into arguments: it matters then which of them share memory.
        self.write = False
        self._all: list[P] = []
        self._of: dict[Any, list[P]] = {}

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, place: int) -> P: ...
    @overload
    def __getitem__(self, place: slice) -> list[P]: ...
    def __getitem__(self, place: Any) -> Any:
        return self._all[place]

    def of(self, key: Any) -> tuple[P, ...]:
        """The paths for arguments of this `key`, oldest first."""
        return tuple(self._of.get(key, ()))

    def keep(self, path: P) -> None:
        """Add a path; of too many the one goes that was not used for longest."""
        with tracing:
            self._all.append(path)
            self._of.setdefault(path.key, []).append(path)
            if len(self._all) > MOST:
                old = min(self._all, key=lambda p: p.used)
                self._all.remove(old)
                self._of[old.key].remove(old)
                if not self._of[old.key]:
                    del self._of[old.key]

    def tried(self, key: Any, run: Callable[[P], Any]) -> tuple[tuple[P, ...], P | None, Any]:
        """The paths for a `key`, and of these the one that takes the arguments, and its result."""
        known = self.of(key)
        for path in reversed(known):
            result = run(path)
            if result is not MISS:
                return known, path, result
        return known, None, MISS

    def settled(
        self, known: tuple[P, ...], key: Any, run: Callable[[P], Any], make: Callable[[], Any]
    ) -> tuple[P | None, Any, Any]:
        """Where none of the `known` does: what ``make()`` gives under the lock of traces.

        Or the path that another thread has made meanwhile, and its result. It is not run under the
        lock: a path takes those of the shared variables, under which another thread may wait for
        this one.
        """
        while True:
            with tracing:
                if self.of(key) == known:
                    return None, MISS, make()
            known, path, result = self.tried(key, run)
            if path is not None:
                return path, result, None
