"""The CPU as a target: one Numba function a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracejit.lower.registry import register
from tracejit.native.apart import imported

if TYPE_CHECKING:
    from tracejit.lower.target import Target


def _target() -> Target:
    found: Target = imported("tracejit.cpu.target").CPU()
    return found


register("cpu", _target)
