"""Text of generated functions that every kind of path shares."""

from __future__ import annotations

from collections.abc import Sequence


def function_text(parameters: str, lines: list[str], locks: str = "") -> str:
    """The text of ``call(parameters)`` with these lines, under `locks`."""
    if locks:
        lines = [f"with {locks}:", *(f"    {line}" for line in lines)]
    return "\n".join([f"def call({parameters}):", *(f"    {line}" for line in lines)])


def commit(states: Sequence[str], values: Sequence[str]) -> str:
    """The statement that makes `values` the states' new ones, and the old values their spares.

    It calls nothing, so no other thread and no signal comes between its parts.
    """
    places = ", ".join(f"{s}.spare, {s}.value" for s in states)
    return f"{places} = {', '.join(f'{s}.value, {v}' for s, v in zip(states, values, strict=True))}"
