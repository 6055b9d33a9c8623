"""One record a structural op: its value, its faults, its text, its batch and its derivative."""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir.ops import Op
from tracejit.ir.rules import (
    accumulate,
    control,
    custom,
    indexing,
    leaves,
    products,
    random,
    sorting,
    views,
)
from tracejit.ir.rules.record import Rule

#: The record of each structural op.
RULES: Mapping[Op, Rule] = {
    **leaves.RULES,
    **views.RULES,
    **indexing.RULES,
    **accumulate.RULES,
    **sorting.RULES,
    **products.RULES,
    **random.RULES,
    **custom.RULES,
    **control.RULES,
}
