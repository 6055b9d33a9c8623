"""NumPy's floating-point error modes: machine code raises, calls and prints nothing.

``np.errstate`` and ``np.seterr`` set them for a context. A mode that makes NumPy do more than warn
is part of the result, so what runs under it runs in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Context, ContextVar
from typing import Any

import numpy as np

from tracejit.errors import NotTraceable

#: What compiled code does: nothing.
_QUIET = ("ignore", "warn")


def _context() -> ContextVar[Any]:
    """Where NumPy keeps the modes of a context; holds None where they must be asked for."""
    found = getattr(getattr(np, "_core").umath, "_extobj_contextvar", None)  # noqa: B009
    if isinstance(found, ContextVar):
        return found
    return ContextVar("tracejit_modes", default=None)


#: Holds the same object for as long as nobody sets a mode.
CONTEXT = _context()
#: The last modes that were found to be quiet: at first NumPy's own, whatever is in force by now.
_quiet = Context().run(CONTEXT.get)


def acting() -> str:
    """The modes in force under which NumPy does more than warn, as ``divide="raise"``; or none."""
    global _quiet
    now = CONTEXT.get()
    if now is _quiet and now is not None:
        return ""
    found = _acting(np.geterr())
    if not found:
        _quiet = now
    return found


def _acting(modes: Mapping[str, Any]) -> str:
    return ", ".join(f'{kind}="{m}"' for kind, m in modes.items() if m not in _QUIET)


def refusal(modes: str) -> NotTraceable:
    """Why a computation under `modes` is not compiled."""
    return NotTraceable(
        f"np.errstate({modes}) is in force, and compiled code does not look for such errors",
        "test the values instead: np.isfinite(result).all()",
    )


def errstate(**modes: Any) -> np.errstate:
    """``np.errstate`` in a trace: NotTraceable where NumPy would do more than warn."""
    asked = {kind: mode for kind, mode in modes.items() if kind != "call" and mode is not None}
    made = np.errstate(**modes)  # TypeError for a name that is none
    found = _acting(asked)
    if found:
        with made:  # ValueError for a mode that is none
            pass
        raise refusal(found)
    return made
