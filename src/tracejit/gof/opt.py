"""Users' own rewrites, under the names of ``theano.gof.opt``."""

from __future__ import annotations

from tracejit.symbolic import rewriting
from tracejit.symbolic.rewriting import *  # noqa: F403

__all__ = rewriting.__all__
