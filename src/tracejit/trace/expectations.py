"""What a loop's body has been found to carry, which is expected when it is traced again.

A body within loops is traced anew with each of them. If each time it had to be found out what it
changes, every loop around would double, at the least, how often it is traced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracejit.ir import dims
from tracejit.ir.dims import INT_SCALAR
from tracejit.ir.node import ArrayType, Node
from tracejit.trace.effects import Variables
from tracejit.trace.owners import memory_of
from tracejit.trace.pieces import Found
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap


def note(
    trace: Trace,
    body: object,
    variables: Variables,
    numbers: Mapping[int, tuple[ArrayType, int]],
    arrays: Sequence[Any],
) -> None:
    """Expect of a body that it changes these: numbers, by their places, with trends; arrays."""
    trace.learned[_key(body, variables)] = numbers, arrays


def note_found(
    trace: Trace, body: object, variables: Variables, before: Sequence[Any], found: Found
) -> None:
    """Expect what one step has changed, if nothing is known of the body yet."""
    numbers = {
        k: (type, trend(before[k], after))
        for k, after in found.values.items()
        if (type := _type_of(before[k])) is not None and _type_of(after) == type
    }
    arrays = [array for array, _ in found.arrays.values()]
    trace.learned.setdefault(_key(body, variables), (numbers, arrays))


def recalled(
    trace: Trace, body: object, variables: Variables, kept: frozenset[str], values: Sequence[Any]
) -> tuple[dict[int, int], list[Any]]:
    """The places of numbers that are expected to change, with their trends, and arrays.

    Of `values`, those of the variables come first. Only what they have, or see, is expected, and
    only what is `kept` from step to step.
    """
    numbers, arrays = trace.learned.get(_key(body, variables), ({}, ()))
    seen = {id(memory_of(v)) for v in values}
    found = {
        k: trend
        for k, (type, trend) in numbers.items()
        if variables.names[k] in kept and _type_of(values[k]) == type
    }
    return found, [a for a in arrays if id(a) in seen]


def trend(before: Any, after: Any) -> int:
    """1 for a whole number that has become larger by a number that is known, -1 for smaller."""
    if not all(
        type(v) is int or (isinstance(v, Tracer) and v.node.type == INT_SCALAR)
        for v in (before, after)
    ):
        return 0
    change = dims.sub(*(dims.from_node(wrap(v).node) for v in (after, before)))
    return 0 if isinstance(change, Node) or not change else 1 if change > 0 else -1


def _type_of(value: Any) -> ArrayType | None:
    """The type of a number, be it Python's or a scalar of NumPy's."""
    if isinstance(value, Tracer):
        return None if value.kind == "array" else value.node.type
    return wrap(value).node.type if isinstance(value, (int, float, complex)) else None


def _key(body: object, variables: Variables) -> tuple[Any, ...]:
    return "carried", getattr(body, "__code__", body), variables.names
