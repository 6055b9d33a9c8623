"""A second target: a program is run as plain Python over NumPy's scalars, by its interpreter."""

from __future__ import annotations

from reference.target import Reference
from tracejit.lower.registry import register

register("reference", Reference)
