"""The op that loops are, as programs ask for it."""

from __future__ import annotations

from tracejit.tensor.opviews import VIEWS, OpView


class Scan(OpView):
    """The op of what a loop computes: ``isinstance(variable.owner.op, Scan)``.

    >>> import tracejit, tracejit.tensor as T
    >>> doubled, _ = tracejit.map(lambda v: 2 * v, T.dvector())
    >>> isinstance(doubled.owner.op, Scan)
    True
    """

    def __str__(self) -> str:
        return f"for{{cpu,{self.attr.name}}}"


VIEWS["scan"] = Scan

__all__ = ["Scan"]
