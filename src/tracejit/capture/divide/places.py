"""Where in a function a trace ended: a range of its source, and the node that stands there."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from tracejit.capture.rewrite.scope import own


class Place(NamedTuple):
    """A range of source, as `ast` counts; a column of -1 where only the line is known."""

    line: int
    column: int
    end_line: int
    end_column: int


def place_in(code: types.CodeType, calls: Iterable[tuple[types.CodeType, int]]) -> Place | None:
    """Where the innermost of `calls` that is one of the function `code`, or of its blocks, was.

    A call is a code object and the offset of its last instruction, innermost first.
    """
    for of, last in calls:
        if of.co_qualname == code.co_qualname and of.co_filename == code.co_filename:
            found = next(islice(of.co_positions(), last // 2, None), None)
            if found is not None and None not in found:
                line, end_line, column, end_column = found
                return Place(line, column, end_line, end_column)  # type: ignore[arg-type]
    return None


def node_at(place: Place, body: Iterable[ast.AST]) -> ast.AST | None:
    """The smallest statement or expression of `body`'s own scope that holds a place."""
    for part in body:  # what was put in at the end has the place of the last that was there
        holding = [
            node for node in own(part)
            if isinstance(node, (ast.stmt, ast.expr)) and _holds(node, place)
        ]  # fmt: skip
        if holding:
            return holding[-1]  # a node comes after those around it
    return None


def _holds(node: Any, place: Place) -> bool:
    start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    if place.column < 0:
        return isinstance(node, ast.stmt) and start[0] <= place.line <= end[0]
    return start <= place[:2] and place[2:] <= end
