"""`FunctionGraph`, under the names of ``theano.gof.fg``."""

from __future__ import annotations

from tracejit.symbolic.fgraph import FunctionGraph, InconsistencyError
from tracejit.symbolic.state import MissingInputError

__all__ = ["FunctionGraph", "InconsistencyError", "MissingInputError"]
