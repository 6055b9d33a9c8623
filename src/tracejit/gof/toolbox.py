"""Features of graphs, under the names of ``theano.gof.toolbox``."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.fgraph import FunctionGraph


class AlreadyThere(Exception):
    """A feature is attached twice."""


class ReplacementDidntRemovedError(Exception):
    """What was to be replaced is still there."""


class Feature:
    """An object that is told of changes of a `FunctionGraph`: each method may be one's own."""

    def on_attach(self, fgraph: FunctionGraph) -> None:
        """It is attached."""

    def on_detach(self, fgraph: FunctionGraph) -> None:
        """It is removed."""

    def on_import(self, fgraph: FunctionGraph, node: Any, reason: Any) -> None:
        """An application has come to the graph."""

    def on_prune(self, fgraph: FunctionGraph, node: Any, reason: Any) -> None:
        """An application has gone from the graph."""

    def on_change_input(
        self, fgraph: FunctionGraph, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """An application, or "output", reads `new_r` where it read `r`."""


class Validator(Feature):
    """Nothing more: `FunctionGraph.validate` asks all features."""


class ReplaceValidate(Validator):
    """Nothing more: graphs have `replace_validate` themselves."""


class NodeFinder(Feature):
    """Finds the applications of an op: ``fgraph.get_nodes(op)``."""

    def on_attach(self, fgraph: Any) -> None:
        """Give the graph its method."""
        fgraph.get_nodes = lambda op: [n for n in fgraph.toposort() if n.op == op]


class PrintListener(Feature):
    """Prints what it is told."""

    def __init__(self, active: bool = True) -> None:
        self.active = active

    def on_change_input(
        self, fgraph: FunctionGraph, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Print it."""
        if self.active:
            print(f"-- changing {node} input {i} from {r} to {new_r}")


__all__ = [
    "AlreadyThere",
    "Feature",
    "NodeFinder",
    "PrintListener",
    "ReplaceValidate",
    "ReplacementDidntRemovedError",
    "Validator",
]
