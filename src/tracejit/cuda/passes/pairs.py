"""Loops over draws of Philox, in which a thread takes both numbers of each of its blocks.

A block makes two numbers, whose places are `HALF` apart. One thread that takes both makes it once,
and, of normal numbers, one radius and one angle; neighbouring threads still have neighbours.
"""

from __future__ import annotations

from tracejit.cuda.passes.vectors import KIND as OVER_X
from tracejit.lower.kernel.statements import Assign, Block, Call, Expr, For
from tracejit.lower.kernel.verify import every

KIND = "over_pairs"
#: What makes one of a block's numbers.
_HALVES = ("philox_normal", "philox_word")


def by_pairs(body: Block) -> bool:
    """Let the loop that threads share along x go by pairs, if it draws; whether it does."""
    loop = next((s for s in every(body) if isinstance(s, For) and s.kind == OVER_X), None)
    if loop is None or not any(
        isinstance(s, Assign) and _draws(s.value) for s in loop.statements()
    ):
        return False
    loop.kind = KIND
    return True


def _draws(e: Expr) -> bool:
    return isinstance(e, Call) and e.function in _HALVES
