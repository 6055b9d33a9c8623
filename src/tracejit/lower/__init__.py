"""Lowering: schedule a graph into a loop program, emit and compile it, and make its driver."""

from __future__ import annotations

from tracejit.errors import MISS
from tracejit.lower.executable import Executable, compile_graph

__all__ = ["MISS", "Executable", "compile_graph"]
