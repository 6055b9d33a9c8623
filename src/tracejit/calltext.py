"""Text of generated functions that every kind of path shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


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


@dataclass(frozen=True)
class DrawText:
    """A draw by one of NumPy's generators, before the program runs: ``target = call``.

    `generator` is the text of the generator; `call` is a format string over the values of `nodes`.
    """

    target: str
    generator: str
    call: str
    nodes: tuple[Any, ...]

    def line(self, value: Callable[[Any], str]) -> str:
        """The statement; `value` gives the text of a node."""
        return f"{self.target} = {self.call.format(*map(value, self.nodes))}"


#: The generators' states before a call's draws, in the text of the call.
SAVED = "_tj_saved"


def note_states(draws: Sequence[DrawText], state_of: str) -> str:
    """The statement that notes the generators' states."""
    names = dict.fromkeys(draw.generator for draw in draws)
    return f"{SAVED} = ({''.join(f'({n}, {state_of}({n})), ' for n in names)})"


def state_of(generator: Any) -> Any:
    """The state of a ``Generator`` or a ``RandomState``."""
    own = hasattr(generator, "get_state")
    return generator.get_state() if own else generator.bit_generator.state


def put_back(saved: Sequence[tuple[Any, Any]]) -> None:
    """Put generators into the states that were noted."""
    for generator, state in saved:
        if hasattr(generator, "set_state"):
            generator.set_state(state)
        else:
            generator.bit_generator.state = state
