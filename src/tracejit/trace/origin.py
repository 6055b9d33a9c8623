"""Which line of the user's is being executed."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from tracejit.ir.node import Origin

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_DEMO = f"{_PACKAGE}demo{os.sep}"
_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep
#: File name → whether its frames are passed over when the user's line is looked for.
_internal: dict[str, bool] = {}


def is_internal(file: str) -> bool:
    """Whether a frame of `file` is not the user's: tracejit's own code (but its demo), NumPy's."""
    known = _internal.get(file)
    if known is None:
        known = file.startswith((_PACKAGE, _NUMPY, "<__array_function__"))
        known = known and not file.startswith(_DEMO)
        _internal[file] = known
    return known


def user_origin() -> Origin | None:
    """The user's line that is being executed."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not is_internal(code.co_filename):
            return Origin(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return None
