"""The derivatives of Fourier transforms, which are linear."""

from __future__ import annotations

from tracejit.ir.rules.record import Pull

PULLS: dict[str, Pull] = {}
