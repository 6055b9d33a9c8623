"""Lists that become longer by as much at each step: at a step it is known what length they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.lengths import non_negative
from tracejit.ir.node import Node
from tracejit.trace.lists import Count
from tracejit.trace.ranges import Steps, is_told
from tracejit.trace.trace import Trace


class Growth:
    """Lengths of lists in a loop of counted `steps`, of which there may be none if `skipped`."""

    def __init__(self, steps: Steps | None, skipped: bool) -> None:
        self.steps = steps
        certain = steps is not None and (not skipped or non_negative(dims.add(steps.last, 1)))
        self.possible = certain
        #: Lengths, and by what they grow at a step; those that are found not to grow so.
        self.known: dict[int, tuple[Count, Dim]] = {}
        self.others_ids: set[int] = set()
        self._starts: dict[int, Node] = {}

    def begin(self) -> None:
        """Let the lengths be those at the step that is traced."""
        self._starts = {key: count.node for key, (count, _) in self.known.items()}
        for key in self.known:
            self._put(key, self._at(key, self.steps.number) if self.steps else 0)

    def end(self) -> None:
        """Let them be those before the loop."""
        for key, (count, _) in self.known.items():
            count.node = self._starts[key]

    def _at(self, key: int, step: Dim) -> Dim:
        return dims.add(dims.from_node(self._starts[key]), dims.mul(step, self.known[key][1]))

    def _put(self, key: int, length: Dim) -> None:
        self.known[key][0].node = dims.as_node(length)

    def noted(self, trace: Trace, changed: Mapping[int, tuple[Any, Node]]) -> bool:
        """Whether what is known is so, by what a step has changed; else something else is known."""
        before = dict(self.known)
        for key, (array, node) in changed.items():
            if isinstance(array, Count) and self.possible and key not in self.others_ids:
                start = self._starts[key] if key in self.known else array.node
                at = self._at(key, self.steps.number) if key in self.known and self.steps else None
                grown = dims.sub(dims.from_node(node), dims.from_node(start) if at is None else at)
                if key in self.known and grown != self.known[key][1]:
                    del self.known[key]
                    self.others_ids.add(key)
                elif key not in self.known and _is_known(trace, grown):
                    self.known[key] = array, grown
        for key in [k for k in self.known if k not in changed]:
            del self.known[key]
            self.others_ids.add(key)
        return self.known == before

    def others(self, changed: Mapping[int, tuple[Any, Node]]) -> dict[int, tuple[Any, Node]]:
        """What is changed besides."""
        return {key: pair for key, pair in changed.items() if key not in self.known}

    def take(self) -> None:
        """Let the lengths be those after the loop."""
        self._starts = {key: count.node for key, (count, _) in self.known.items()}
        for key, (count, _) in self.known.items():
            assert self.steps is not None
            build.solver().wrote(count)
            self._put(key, self._at(key, dims.add(self.steps.last, 1)))


def _is_known(trace: Trace, grown: Dim) -> bool:
    return isinstance(grown, int) or trace.value(grown) is not None or is_told(grown, trace.steps)
