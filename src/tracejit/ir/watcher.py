"""What a trace is told of what is traced, and knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from tracejit.ir import dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rewrite import joined, replaced


class Watcher:
    """Is told of writes and of what NumPy tests. This one takes no note."""

    #: Lengths, and the equal ones that stand for them.
    substitutions: Mapping[Node, Dim] = MappingProxyType({})
    #: What NumPy tests (see `require`).
    requirements: Any = ()

    def answer(self, condition: Node, decides: bool = True) -> bool | None:
        """The answer to a scalar condition; None where only the values of arrays tell."""
        return None

    def is_open(self, d: Dim) -> bool:
        """Whether only the values of arrays tell a length, no number of a step."""
        return False

    def is_differentiated(self, node: Node) -> bool:
        """Whether `node` is computed from what a derivative is taken with respect to."""
        return False

    def fixed(self, node: Node) -> Any:
        """The value of what is computed of constants alone; None of all else."""
        return None

    @cached_property
    def joined(self) -> dict[Node, Node]:
        """Branches and loops that a derivative needs more of, with what gives that and all else."""
        return {}

    def settled(self, nodes: Iterable[Node]) -> list[Node]:
        """`nodes` over what is known to stand for what they are made of."""
        table = {key: dims.as_node(target) for key, target in self.substitutions.items()}
        return replaced(joined(nodes, self.joined), table)

    def is_carried(self, number: Node) -> bool:
        """Whether a number is what a loop has come to."""
        return False

    def bits(self, number: Node) -> int | None:
        """A bound on the size of a number, in bits, where one is known."""
        return None

    def noted(self, number: Node, bits: int, facts: Iterable[int | Node] = ()) -> None:
        """Know of a number its size, in bits, and what is not negative wherever it is computed."""

    def within(self, number: Node, low: int, high: int) -> None:
        """Know of a number that it is from `low` to `high` wherever it is computed."""

    def extent(self, d: Dim) -> tuple[int, int] | None:
        """Between what a number is, if that is known of it wherever it is computed."""
        return (d, d) if isinstance(d, int) else None

    def may_go_back(self) -> bool:
        """Whether what is done now may be undone."""
        return False

    def is_in_region(self) -> bool:
        """Whether what is made becomes part of a region."""
        return False

    def take_loop(self) -> None:
        """What is made next is computed by a loop of its own."""

    def unroll(self, steps: int) -> None:
        """Python goes through a loop of so many steps."""

    def wrote(self, array: Any) -> None:
        """An array of the traced function's is about to be written into."""

    def require(self, node: Node, operand: Node, holds: Node) -> None:
        """`node` raises in NumPy where `holds`, a scalar over all of `operand`, is false."""
