"""The graph of symbolic variables, under the names of ``theano.gof``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tracejit.gof import op
from tracejit.gof.op import COp, MethodNotDefined, Op, PureOp, get_test_value
from tracejit.symbolic import graph
from tracejit.symbolic.graph import Apply, Constant, Variable, leaves, toposort
from tracejit.symbolic.state import MissingInputError


def inputs(variables: Iterable[Variable], blockers: Iterable[Variable] = ()) -> list[Variable]:
    """The leaves that `variables` reach, constants and shared variables included."""
    return leaves(variables, blockers)


def ancestors(variables: Iterable[Variable], blockers: Iterable[Variable] = ()) -> list[Variable]:
    """Every variable that `variables` reach, operands first, themselves included."""
    variables = list(variables)
    found = dict.fromkeys(leaves(variables, blockers))
    for node in toposort(variables, blockers):
        found.update(dict.fromkeys(node.outputs))
    return list(found)


def io_toposort(ins: Sequence[Variable], outs: Sequence[Variable]) -> list[Apply]:
    """The applications between `ins` and `outs`, operands first."""
    return toposort(outs, ins)


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import missing

    raise missing("tracejit.gof", name)


__all__ = [
    "Apply",
    "COp",
    "Constant",
    "MethodNotDefined",
    "MissingInputError",
    "Op",
    "PureOp",
    "Variable",
    "ancestors",
    "get_test_value",
    "graph",
    "inputs",
    "io_toposort",
    "op",
]
