"""One run of a script, in a process of its own: ``python -m tracejit.script.child``."""

from __future__ import annotations

import pickle
import sys
import time
import traceback
import types
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tracejit.api import function
from tracejit.errors import UnsupportedWarning
from tracejit.script.decorating import run_decorated
from tracejit.script.sampling import Sampler
from tracejit.script.watched import Calls, Watched

#: A function is chosen where this part of the time goes into it.
SHARE = 0.05


class Record(NamedTuple):
    """What a run took and left: `chosen` are functions by the part of the time in them."""

    seconds: float
    functions: dict[str, Calls]
    chosen: dict[str, float]
    notes: list[str]


def run(kind: str, script: str, arguments: Iterable[str], functions: Iterable[str]) -> Record:
    """Run a script: "sampled", "plain" with its functions watched, or "compiled"."""
    watched: dict[str, Watched] = {}

    def wrap(f: types.FunctionType) -> Any:
        called = function(f, on_unsupported="warn") if kind == "compiled" else f
        watched[f.__qualname__] = Watched(f, called)
        return watched[f.__qualname__]

    sampler = Sampler()
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        if kind == "sampled":
            with sampler:
                _to_its_end(script, arguments, (), wrap)
        else:
            _to_its_end(script, arguments, functions, wrap)
    seconds = time.perf_counter() - start
    notes = []
    for name, one in watched.items():
        for refusal in getattr(one.called, "_refused", {}).values():
            notes.append(f"{name}, line {refusal.origin.line}: {refusal.reason}")
    chosen = {
        _name_of(code, script): share
        for code in sampler.within
        if (share := sampler.share(code)) >= SHARE
    }
    calls = {name: one.calls for name, one in watched.items()}
    return Record(seconds, calls, chosen, list(dict.fromkeys(notes)))


def _to_its_end(script: str, *how: Any) -> None:
    try:
        run_decorated(script, *how)
    except SystemExit as leaving:
        if leaving.code:
            raise


def _within(error: Exception, script: str) -> types.TracebackType | None:
    """The part of a traceback that begins in the script; None where it has not begun."""
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename != script:
        step = step.tb_next
    return step


def _name_of(code: types.CodeType, script: str) -> str:
    """How a function is named to be decorated."""
    if Path(code.co_filename).resolve() == Path(script).resolve():
        return code.co_qualname
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == code.co_filename:
            return f"{name}:{code.co_qualname}"
    return code.co_qualname


def main() -> int:
    kind, record, functions, script, *arguments = sys.argv[1:]
    try:
        found = run(kind, script, arguments, [f for f in functions.split(",") if f])
    except Exception as error:
        begun = _within(error, script)
        traceback.print_exception(error.with_traceback(begun), chain=begun is not None)
        return 1
    Path(record).write_bytes(pickle.dumps(tuple(found)))
    return 0


if __name__ == "__main__":
    # The script's own module gets this name.
    sys.modules["tracejit.script.child"] = sys.modules["__main__"]
    sys.exit(main())
