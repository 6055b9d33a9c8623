"""The functions of ``theano.tensor.xlogx``."""

from __future__ import annotations

from tracejit.tensor.extra_functions import xlogx, xlogy0

XlogX, XlogY0 = xlogx, xlogy0

__all__ = ["xlogx", "xlogy0"]
