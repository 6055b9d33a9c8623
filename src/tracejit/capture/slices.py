"""Arguments that are slices of other arrays: their variables are views of those arrays'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.plan.prologue import Prologue
from tracejit.plan.slices import Related, telling
from tracejit.trace.memory import input_name
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer


class SlicedArguments:
    """The variables of arguments that share memory; `related` by the identity of the array."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.related: dict[int, Related] = {}
        self._variables: dict[int, tuple[Tracer, str]] = {}
        self._guards: list[tuple[str, str, Callable[[Any, Any], bool]]] = []

    def variable(self, value: Any, path: str) -> tuple[Tracer, str] | None:
        """The variable of an argument, and a name for it; None where it is no slice."""
        related = self.related.get(id(value))
        if related is None:
            return None
        if id(value) not in self._variables:
            base = self._trace.known_array(related.base)
            if base is None:
                base = self._trace.input(related.base, related.path)
            variable = related.slices.take(base)
            variable.owned = value.flags.writeable
            name = f"{path}, a slice of {input_name(base)}"
            self._variables[id(value)] = variable, name
            test = telling(related.slices, value.dtype, value.flags.writeable)
            self._guards.append((name, input_name(base), test))
        return self._variables[id(value)]

    def guard(self, expressions: dict[str, str], prologue: Prologue) -> None:
        """Guard what the slices are, where `expressions` are the texts of names.

        What is no argument itself is had as an argument's base.
        """
        for name, base, test in self._guards:
            of = expressions.setdefault(base, f"{expressions[name]}.base")
            prologue.miss_if(f"not {prologue.symbol(test)}({expressions[name]}, {of})")
        prologue.flush()
