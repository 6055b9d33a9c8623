"""About how long Numba and LLVM take for a source: from its text, in time linear in that.

The weights are fitted to the times of 35 programs of one to 400 loops and up to 80 elementary
functions (`python -m benchmarks.run compile-time`), most of which they tell within a quarter.
"""

from __future__ import annotations

import functools
import re

from tracejit.ir import ops

#: Milliseconds for any program, a loop, an argument, a line, and what costs as much as an addition.
_START, _LOOP, _ARGUMENT, _LINE, _COST = 40.0, 20.0, 7.0, 0.4, 0.6

_FOR = re.compile(r"^ *for ", re.MULTILINE)
_CALL = re.compile(r"\b(\w+)\(")


def seconds(text: str) -> float:
    """About how long the source `text` takes to compile."""
    costs = _costs()
    head = text[text.index("def entry(") : text.index("):")]
    milliseconds = (
        _START
        + _LOOP * len(_FOR.findall(text))
        + _ARGUMENT * (head.count(",") + 1)
        + _LINE * text.count("\n")
        + _COST * sum(costs.get(name, 1) for name in _CALL.findall(text))
    )
    return milliseconds / 1e3


@functools.cache
def _costs() -> dict[str, int]:
    """What functions that kernels call cost, by name."""
    return {
        name: row.cost
        for row in ops.ELEMENTWISE.values()
        for expression in (row.cpu, row.near)
        if expression
        for name in _CALL.findall(expression)
    }
