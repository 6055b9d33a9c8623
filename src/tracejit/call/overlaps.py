"""Which arguments share memory, and which of them are slices of another array."""

from __future__ import annotations

import contextlib
import itertools
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tracejit.plan.memory import distinct
from tracejit.plan.slices import Related, slices_of

#: Two arguments, by their paths, and whether they are one array.
Pair = tuple[str, str, bool]


def outside(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The values that a function has from outside, by its names: globals, cells, defaults."""
    code = function.__code__
    for name in code.co_names:
        yield name, function.__globals__.get(name)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not assigned yet
            yield name, cell.cell_contents
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield f"a default of {function.__name__}()", value


def captured(function: types.FunctionType) -> list[tuple[str, np.ndarray]]:
    """The arrays among these."""
    return [(name, value) for name, value in outside(function) if type(value) is np.ndarray]


def overlapping(arrays: Sequence[tuple[str, np.ndarray]]) -> list[Pair]:
    """The arguments that may share memory, pair by pair.

    One of which elements are one with others shares it with itself.
    """
    pairs = [
        (p, q, x is y)
        for (p, x), (q, y) in itertools.combinations(arrays, 2)
        if x is y or np.may_share_memory(x, y)
    ]
    return [*pairs, *((p, p, False) for p, x in arrays if not distinct(x))]


def related(arrays: Sequence[tuple[str, np.ndarray]], pairs: Sequence[Pair]) -> dict[str, Related]:
    """The arguments that are slices of an array that others are slices of as well."""
    values = dict(arrays)
    found: dict[str, Related] = {}
    for group in _groups(pairs):
        base = _base(group, values)
        if base is None:
            continue
        path, array = base
        for name in group:
            slices = slices_of(values[name], array)
            if slices is not None and values[name] is not array:
                found[name] = Related(array, path, slices)
    return found


def _groups(pairs: Sequence[Pair]) -> list[list[str]]:
    """The arguments that share memory, those together that share it with one another."""
    groups: list[list[str]] = []
    for p, q, same in pairs:
        if not same:
            joined = [g for g in groups if p in g or q in g]
            others = [g for g in groups if g not in joined]
            groups = [*others, list(dict.fromkeys([*itertools.chain(*joined), p, q]))]
    return groups


def _base(group: Sequence[str], values: dict[str, Any]) -> tuple[str, np.ndarray] | None:
    """An array that all of a group are slices of, with its path."""
    largest = sorted(group, key=lambda name: -values[name].size)
    first = values[group[0]]
    for path, array in [
        *((name, values[name]) for name in largest[:1]),
        (f"{group[0]}.base", first.base),
    ]:
        usable = type(array) is np.ndarray and array.flags.writeable and array.flags.aligned
        if usable and all(values[n] is array or slices_of(values[n], array) for n in group):
            return path, array
    return None
