"""Which variables are live at the statements of a function with its exits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from tracejit.capture.rewrite import flow
from tracejit.capture.rewrite.flow import NONE, Set
from tracejit.capture.rewrite.scope import assigned, read


class Liveness(flow.Liveness):
    """As that of functions without exits; `caught` has what a handler around a statement reads."""

    def __init__(self, always: Iterable[str]) -> None:
        super().__init__(always)
        self.caught: dict[int, Set] = {}
        self._loops: list[tuple[Set, Set]] = []

    def statement(self, node: ast.stmt, out: Set, escape: Set) -> Set:
        self.caught[id(node)] = escape
        if isinstance(node, ast.Break):
            self.after[id(node)] = out = self._loops[-1][0] | escape
            return out
        if isinstance(node, ast.Continue):
            self.after[id(node)] = out = self._loops[-1][1] | escape
            return out
        if isinstance(node, (ast.For, ast.While)):
            self.after[id(node)] = out | escape
            return self._step(node, out, escape)
        return super().statement(node, out, escape)

    def _step(self, node: ast.For | ast.While, out: Set, escape: Set) -> Set:
        after = self.block(node.orelse, out, escape)
        head: Set = frozenset(read([node.test])) if isinstance(node, ast.While) else NONE
        target = frozenset(assigned([node.target])) if isinstance(node, ast.For) else NONE
        before = head | after | escape
        while True:
            self._loops.append((out, before))
            inside = self.block(node.body, before, escape) - target
            self._loops.pop()
            if inside <= before:
                break
            before |= inside
        if isinstance(node, ast.For):
            return before | read([node.iter]) | read([node.target])
        return before

    def reads(self, body: Sequence[ast.stmt]) -> Set:
        """What `body` may read before it has assigned it."""
        return Liveness(()).block(body, NONE)
