"""About how long Numba and LLVM take for a source: from its text, in time linear in that.

The weights are a third above what fits the times of 57 programs of up to 400 loops, 3,000 calls
and 100 arguments on an idle machine. That tells most of them within a quarter; products of
matrices, divisions of integers and `gammaln` take up to three times as long.
"""

from __future__ import annotations

import functools
import re

from tracejit.ir import ops

#: Milliseconds for any program, a loop, one of few and known steps (which LLVM unrolls), an
#: argument, a line, and what costs as much as an addition.
_START, _LOOP, _SHORT, _ARGUMENT, _LINE, _COST = 33.0, 6.7, 0.5, 4.0, 0.135, 0.18

_FOR = re.compile(r"^ *(?:for|while) ", re.MULTILINE)
_SHORT_FOR = re.compile(r"^ *for \w+ in \w+\((?:\w+, )*\d{1,2}\):", re.MULTILINE)
_CALL = re.compile(r"\b(\w+)\(")


def seconds(text: str) -> float:
    """About how long the source `text` takes to compile."""
    costs = _costs()
    head = text[text.index("def entry(") : text.index("):")]
    short = len(_SHORT_FOR.findall(text))
    milliseconds = (
        _START
        + _LOOP * (len(_FOR.findall(text)) - short)
        + _SHORT * short
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
