"""Text of generated functions that every kind of path shares.

No name of the user's is in it: one could be that of a builtin, or one of ours. Parameters have
names of ours in the text. A function finds its local variables by position, so a code object whose
names are replaced afterwards runs as it did, and takes keywords under the user's names.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: The text of a function's result, from the texts of its outputs.
ResultText = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Parameters:
    """A parameter list: its text, and the names under which callers know the parameters.

    `names` are in the order of a code object: ``*args`` and ``**kwargs`` come last. Without them,
    the names in the text are the callers'.
    """

    text: str
    names: tuple[str, ...] = ()


def make_function(
    parameters: Parameters, lines: list[str], scope: dict[str, Any], locks: str = ""
) -> Callable[..., Any]:
    """The function of `parameters` with these lines, under `locks`; `scope` has its globals."""
    if locks:
        lines = [f"with {locks}:", *(f"    {line}" for line in lines)]
    text = "\n".join([f"def call({parameters.text}):", *(f"    {line}" for line in lines)])
    exec(compile(text, "<tracejit driver>", "exec"), scope)
    call = scope["call"]
    if parameters.names:
        code = call.__code__
        # No parameter can have a name with a dot.
        ours = (f".{name}" for name in code.co_varnames[len(parameters.names) :])
        users = dict(zip(code.co_varnames, parameters.names, strict=False))
        call.__code__ = code.replace(co_varnames=(*parameters.names, *ours))
        call.__kwdefaults__ = {users[k]: v for k, v in (call.__kwdefaults__ or {}).items()}
    made: Callable[..., Any] = call
    return made


def identifier(path: str) -> str:
    """A name made of the text of a path."""
    name = "".join(c if c.isalnum() else "_" for c in path).strip("_")
    while "__" in name:
        name = name.replace("__", "_")
    return name if name.isidentifier() else f"v_{name}"


def is_plain_name(name: str) -> bool:
    """Whether `name` is itself in text: Python takes some names for others, and some for none."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def commit(states: Sequence[str], values: Sequence[str], spare: bool = True) -> str:
    """The statement that makes `values` the states' new ones, and the old values their spares.

    It calls nothing, so no other thread and no signal comes between its parts.
    """
    if not spare:
        return f"{', '.join(f'{s}.value' for s in states)} = {', '.join(values)}"
    places = ", ".join(f"{s}.spare, {s}.value" for s in states)
    return f"{places} = {', '.join(f'{s}.value, {v}' for s, v in zip(states, values, strict=True))}"


@dataclass(frozen=True)
class DrawText:
    """A draw by one of NumPy's generators, before the program runs: ``target = call``.

    `generator` is the text of the generator, if that is to be put back; `call` gives that of the
    call from the texts of `nodes`.
    """

    target: str
    generator: str
    call: ResultText
    nodes: tuple[Any, ...]

    def line(self, value: Callable[[Any], str]) -> str:
        """The statement; `value` gives the text of a node."""
        return f"{self.target} = {self.call([value(node) for node in self.nodes])}"


#: The generators' states before a call's draws, in the text of the call.
SAVED = "_tj_saved"


def note_states(draws: Sequence[DrawText], state_of: str) -> str:
    """The statement that notes the generators' states."""
    names = dict.fromkeys(draw.generator for draw in draws if draw.generator)
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
