"""Calls of which a compiled program has told that NumPy raises for their values: NumPy does.

Such a program is for these arguments: a trace would find it again, a few milliseconds later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracejit.call.compiled import Compiled
from tracejit.call.fallback import Refusal, bound_to, device_of, run_plain
from tracejit.call.tracedpath import TracedPath
from tracejit.errors import MISS, UnsupportedError
from tracejit.lower.devices import run_plainly


def raised_as_told(
    fn: Compiled,
    paths: Sequence[TracedPath],
    mode: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: Any,
) -> Any:
    """Let NumPy raise, if one of the `paths`, none of which takes the call, has told so.

    MISS where none has. One that was wrong is not believed again. Of others it is found by a trace
    that NumPy raises; where that was so the last time, NumPy runs first: what it gives is the
    result, if there is one after all.
    """
    if not paths or any(path.states for path in paths) or bound_to(fn.__wrapped__):
        return MISS
    telling = [path for path in paths if path.told[0] and path.is_trusted]
    if telling:
        result = run_plain(fn, Refusal(None, fn.__wrapped__), mode, args, kwargs, key)
    else:
        telling = [path for path in paths if path.has_raised]
        if not telling or mode == "error":
            return MISS
        result = run_plainly(fn.__wrapped__, device_of(fn), args, kwargs)
        fn.stats.fallbacks += 1
    for path in telling:
        path.is_trusted, path.has_raised = not path.told[0], False
    return result


def run_refused(
    fn: Compiled,
    paths: Sequence[TracedPath],
    refusal: Refusal,
    mode: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: Any,
) -> Any:
    """`run_plain`; that NumPy raises where a trace has found one of the `paths` again is noted."""
    try:
        return run_plain(fn, refusal, mode, args, kwargs, key)
    except UnsupportedError:
        raise
    except Exception:
        for path in paths if refusal.problem is None else ():
            path.has_raised = True
        raise
