"""What a call does around its program: of this, and of what runs the program, a driver is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tracejit.ir.alias import View
from tracejit.ir.node import Node
from tracejit.plan.text import DrawText, Parameters, ResultText

#: The attribute of a driver that holds whether its program has told that NumPy raises for values.
TOLD = "told"


@dataclass(frozen=True)
class CallPlan:
    """A call of `parameters`, as text: guards, the graph's inputs, and how the result is built.

    `prologue` are the lines of guards, and `inputs` expressions for the graph's inputs, over the
    names in `namespace`. `result` gives the text of the result from those of the outputs; `kinds`
    says for each whether NumPy gives an "array", a "scalar", a "number", or an "alias", which is
    made as `views` say, whose `numbers` are outputs, at these places, where the program tells them;
    of what is "required" the entry gives a code alone, and a "write" is in the caller's array. The
    last outputs become the values of the containers that `states` name, all at once, after
    everything else has succeeded. `locks` are held for the whole call. `draws` are done first. The
    call returns MISS where the arguments do not fit, or where what is required is false.
    """

    parameters: Parameters
    prologue: Sequence[str]
    inputs: Sequence[str]
    result: ResultText
    namespace: Mapping[str, Any]
    kinds: Sequence[str]
    states: Sequence[str] = ()
    locks: str = ""
    draws: Sequence[DrawText] = ()
    views: Mapping[int, View] = field(default_factory=dict)
    numbers: Mapping[Node, int] = field(default_factory=dict)


class Runnable(Protocol):
    """What runs a graph: compiled for arguments of some layouts, or by the interpreter."""

    compiled: bool
    loops: int
    passes: int
    temporaries: int
    seconds: dict[str, float]
    #: What `explain` says of it.
    remarks: list[str]

    @property
    def source(self) -> str: ...

    def driver(self, plan: CallPlan) -> Callable[..., Any]: ...
