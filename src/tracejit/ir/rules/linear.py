"""The derivatives of linear algebra."""

from __future__ import annotations

from tracejit.ir.rules.record import Pull

PULLS: dict[str, Pull] = {}
