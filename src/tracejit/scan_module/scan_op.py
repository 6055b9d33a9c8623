"""The name of the op that loops are, as programs ask for it."""

from __future__ import annotations

from typing import Any


class _IsScan(type):
    def __instancecheck__(cls, op: Any) -> bool:
        return type(op) is str and op == "scan"


class Scan(metaclass=_IsScan):
    """What ``isinstance(variable.owner.op, Scan)`` asks for: whether a loop computes the variable.

    >>> import tracejit, tracejit.tensor as T
    >>> doubled, _ = tracejit.map(lambda v: 2 * v, T.dvector())
    >>> isinstance(doubled.owner.op, Scan)
    True
    """


__all__ = ["Scan"]
