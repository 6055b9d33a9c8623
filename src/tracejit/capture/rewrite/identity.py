"""``a is b`` in a trace: of what stands for other objects, whether these are one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.dates import Dates
from tracejit.capture.objects import Twin, objects_of
from tracejit.capture.standin import real_of
from tracejit.errors import NotTraceable
from tracejit.trace.mixed import Mixed
from tracejit.trace.tracer import Tracer


def is_one(a: Any, b: Any) -> bool:
    """Whether two values are one object."""
    if isinstance(a, Dates) and isinstance(b, Dates):
        a, b = a.ticks, b.ticks
    if isinstance(a, Tracer) and isinstance(b, Tracer):
        if a.kind != "array" or b.kind != "array" or a is not b:
            raise _refusal()
        return True
    for value, other in ((a, b), (b, a)):
        if isinstance(value, Mixed) or (
            isinstance(value, Tracer) and isinstance(other, (bool, int, float, complex, np.generic))
        ):
            raise _refusal()
        if isinstance(value, Twin) and (objects := objects_of(value)) is not None:
            objects.told_apart = True
    return real_of(a) is real_of(b)


def _refusal() -> NotTraceable:
    return NotTraceable("compares identity by `is`", "compare values, or lengths")
