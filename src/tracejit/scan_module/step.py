"""A step of a loop: an inner graph, and what its inputs and outputs are for."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracejit.symbolic.graph import Variable
from tracejit.symbolic.type import TensorType


class Step(NamedTuple):
    """The static data of op "scan"; operands are in the order of the fields from `elements` on.

    `name`      what the loop is called; `function` is the step function, as messages name it
    `counted`   whether the number of steps is the first operand
    `elements`  what stands for an element of each sequence
    `pasts`     for each output what it was in the steps before, the oldest first; () for none
    `states`    what stands for shared variables that steps update, by `updates`
    `captures`  variables of the graph around, which are the same in all steps
    `until`     ends the loop after a step at which it is true
    `last`      of how many steps at the end a gradient is taken; 0 of all
    """

    name: str
    function: str
    counted: bool
    elements: tuple[Variable, ...]
    pasts: tuple[tuple[Variable, ...], ...]
    states: tuple[Variable, ...]
    captures: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    updates: tuple[Variable, ...]
    until: Variable | None = None
    last: int = 0

    def carried(self) -> list[Variable]:
        """What a step is given of the step before."""
        return [*(v for past in self.pasts for v in past), *self.states]

    def wanted(self) -> list[Variable]:
        """What a step computes: outputs, updates, and whether it is the last."""
        return [*self.outputs, *self.updates, *([] if self.until is None else [self.until])]

    def types(self) -> list[Any]:
        """The types of the results: a stack of each output, and the last of each state."""
        stacks = [TensorType(v.type.dtype, (False, *v.type.broadcastable)) for v in self.outputs]
        return [*stacks, *(v.type for v in self.states)]

    def split(self, operands: Any) -> tuple[Any, list[Any], list[Any], list[Any]]:
        """The number of steps or None, the sequences, the starts, and what is captured."""
        given = list(operands)
        count = given.pop(0) if self.counted else None
        first = len(self.elements)
        second = first + len(self.carried())
        return count, given[:first], given[first:second], given[second:]

    def after(self, before: list[Any], found: list[Any]) -> list[Any]:
        """What a step hands on, of what it was handed and of the values of what is `wanted`."""
        handed: list[Any] = []
        place = 0
        for past, value in zip(self.pasts, found, strict=False):
            if past:
                handed += [*before[place + 1 : place + len(past)], value]
                place += len(past)
        count = len(self.outputs)
        return [*handed, *found[count : count + len(self.updates)]]
