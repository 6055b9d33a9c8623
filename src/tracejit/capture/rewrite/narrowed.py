"""What a test says of values whose class depends on which way a branch went.

if k is not None and x[k] > limit:      # k is a number in what follows `and`, and inside
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.capture.rewrite.control import content
from tracejit.ir.node import Node
from tracejit.trace import branches
from tracejit.trace.mixed import Mixed


class _Narrowed:
    """A piece that runs where `test` is `answer`: what that says of the class of a value is known.

    Its variables have what it leaves in them.
    """

    def __init__(self, piece: Callable[[], Any], test: Node, answer: bool) -> None:
        self.piece, self.test, self.answer = piece, test, answer
        self.__code__ = getattr(piece, "__code__", piece)
        self.__closure__ = getattr(piece, "__closure__", None)

    def __call__(self) -> Any:
        cells = [c for c in self.__closure__ or () if isinstance(content(c), Mixed)]
        changed = []
        for cell in cells:
            value: Mixed = cell.cell_contents
            side = value.where(self.test, self.answer)
            if side is not value:
                cell.cell_contents = side
                changed.append((cell, value, side))
        try:
            return self.piece()
        finally:
            for cell, value, side in changed:
                if content(cell) is side:
                    cell.cell_contents = value


def narrowed(piece: Callable[[], Any], test: Any, answer: bool) -> Callable[[], Any]:
    """A piece, where it may learn something."""
    closure = getattr(piece, "__closure__", None) or ()
    if not any(isinstance(content(cell), Mixed) for cell in closure):
        return piece
    return _Narrowed(piece, branches.predicate(test), answer)
