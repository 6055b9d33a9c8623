"""Profiles, under the names of ``theano.compile.profiling``."""

from __future__ import annotations

from tracejit.symbolic.program import Profile

ProfileStats = Profile

__all__ = ["Profile", "ProfileStats"]
