"""A graph as Theano shows it: which operands an application has, by which names and ids.

An elementwise application broadcasts its operands by itself. Theano put a ``DimShuffle`` before it,
and so it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracejit.scan_module.step import Step
from tracejit.symbolic.graph import Apply, Constant, Variable


@dataclass(frozen=True)
class Shown:
    """A line: its `text`, the `key` of its id, its operands, and the variable."""

    text: str
    key: Any
    variable: Variable
    operands: Sequence[Shown] = ()
    is_application: bool = True


@dataclass
class Ids:
    """Letters for what has been met: A … Z, BA …; the applications that are met and have steps."""

    known: dict[Any, str] = field(default_factory=dict)
    loops: dict[Apply, None] = field(default_factory=dict)

    def of(self, key: Any, kind: str) -> str:
        """The text of an id: "CHAR", "int", "id" or "" for none."""
        number = len(self.known)
        text = self.known.setdefault(key, letters(number) if kind == "CHAR" else str(number))
        if kind == "id":
            text = f"{id(key)}"
        return f"[id {text}]" if kind else ""


def letters(number: int) -> str:
    """A number in base 26, by letters."""
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text = chr(ord("A") + digit) + text
        if not number:
            return text


def roots_of(obj: Any) -> list[Variable]:
    """The variables that are printed of one, an application, a function, or a list of these."""
    if isinstance(obj, Variable):
        return [obj]
    if isinstance(obj, Apply):
        return list(obj.outputs)
    if isinstance(obj, (list, tuple)):
        return [v for item in obj for v in roots_of(item)]
    outputs = getattr(obj, "outputs", None)
    if outputs is None:
        raise TypeError(f"debugprint() prints variables, lists of them and functions, not {obj!r}")
    return list(outputs)


def shown(v: Variable) -> Shown:
    """How a variable is shown."""
    node = v.owner
    if node is None:
        return Shown(str(v), _leaf_key(v), v, is_application=False)
    index = f".{v.index}" if len(node.outputs) > 1 else ""
    return Shown(f"{node.op}{index}", node, v, _Operands(node))


class _Operands(Sequence[Shown]):
    """The operands of an application, which are looked at when they are asked for."""

    def __init__(self, node: Apply) -> None:
        self.node = node

    def __len__(self) -> int:
        return len(self.node.inputs)

    def __getitem__(self, k: Any) -> Any:
        return list(self)[k]

    def __iter__(self) -> Iterator[Shown]:
        node = self.node
        rank = node.outputs[0].type.ndim if node.opcode == "elemwise" else 0
        for v in node.inputs:
            line = shown(v)
            if node.opcode == "elemwise" and v.type.ndim < rank:
                order = ["x"] * (rank - v.type.ndim) + [str(k) for k in range(v.type.ndim)]
                text = f"DimShuffle{{{','.join(order)}}}"
                line = Shown(text, (node, "spread", line.key), v, [line])
            yield line


def _leaf_key(v: Variable) -> Any:
    """The key of a leaf: small constants that are equal are one."""
    if isinstance(v, Constant) and isinstance(v.data, np.ndarray) and v.data.size == 1:
        value = v.data.reshape(())
        if v.name is None and value.dtype.kind in "biuf" and -10 <= value <= 10:
            return "constant", v.type, value.tobytes()
    return v


def step_of(node: Apply) -> Step | None:
    """The steps of a loop; None for what is no loop."""
    return node.attr if isinstance(node.attr, Step) else None
