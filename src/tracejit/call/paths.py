"""What a compiled function consists of: its options, its paths, and what they have cost."""

from __future__ import annotations

import types
from typing import Any

from tracejit.native.caller import Caller


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

    def __repr__(self) -> str:
        seconds = ", ".join(f"{k} {v:.3f}" for k, v in self.seconds.items())
        return (
            f"Stats(traces={self.traces}, compiles={self.compiles}, loops={self.loops}, "
            f"passes={self.passes}, temporaries={self.temporaries}, fallbacks={self.fallbacks}, "
            f"seconds: {seconds})"
        )


class Compiled(Caller):
    """A function and its compiled paths, as its calls see it; `function.Function` is the user's."""

    def __init__(
        self,
        f: types.FunctionType,
        name: str | None = None,
        on_unsupported: str | None = None,
        stabilise: bool = False,
        convert_arrays: bool = False,
    ) -> None:
        super().__init__(f)
        self.__wrapped__ = f
        self.__name__ = name or f.__name__
        self.__qualname__ = f.__qualname__
        self.__module__ = f.__module__
        self.__doc__ = f.__doc__
        self.stats = Stats()
        self.on_unsupported = on_unsupported
        self.stabilise = stabilise
        self.convert_arrays = convert_arrays
        self._paths: dict[Any, list[Any]] = {}
        self._records: list[Any] = []
        self._recent: tuple[Any, ...] = ()
        self._refused: dict[Any, Any] = {}
        self._warned: set[Any] = set()
        #: Calls that are known to run plainly, and what runs them: see `shortcut`.
        self._shortcuts: tuple[Any, ...] = ()
        self._shortcut: Any = None
        self._dynamic: set[str] = set()
        self._signature: Any = None
