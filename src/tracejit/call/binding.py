"""The text by which a driver finds what a trace has read: arguments, and what is captured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejit.call.arguments import Description
from tracejit.capture.capture import Capture
from tracejit.errors import MISS
from tracejit.ir import ops
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import postorder
from tracejit.lower.devices import array_on
from tracejit.plan.prologue import Prologue
from tracejit.plan.text import make_function
from tracejit.trace.trace import Trace


class Binding:
    """Guards of the arguments and of all that `capture` has read, as `lines` of its prologue.

    `expressions` has the texts of inputs, and `objects` the names of objects, with theirs.
    """

    def __init__(self, description: Description, capture: Capture) -> None:
        self.prologue: Prologue = capture.prologue
        self.expressions: dict[str, str] = {}
        self.objects: dict[str, str] = {}
        self._names = capture.objects.names()
        prologue, signature = self.prologue, description.signature
        prologue.namespace.update(signature.defaults)
        prologue.array_of = array_on(description.device)
        prologue.lines = []
        leaves = iter(description.originals())
        read: list[str] = []
        for name, spec in zip(signature.locals, description.specs, strict=True):
            read += prologue.unpack(spec, name, leaves)
        prologue.flush()
        self._bind(capture.arguments, read)
        self.lines, prologue.lines = prologue.lines, []
        for root in capture.roots:
            names = prologue.unpack(root.spec, root.expression, iter(root.values))
            self._bind(root.nodes, names)
            root.values = []  # arrays of this call, which the path must not keep

    def _bind(self, names: Sequence[str], texts: Sequence[str]) -> None:
        prologue = self.prologue
        for name, text in zip(names, texts, strict=True):
            if name in self._names and name not in self.objects:
                prologue.flush()
                prologue.lines.append(f"{name} = {text}")
                self.objects[name] = text
                self.expressions[name] = name
                continue
            known = self.expressions.setdefault(name, text)
            if known != text:  # one array, twice
                prologue.miss_if(f"{prologue.shown(text)} is not {prologue.shown(known)}")

    def close(self) -> None:
        """No more guards of what was read."""
        self.prologue.flush()
        if self.prologue.lines:
            # What is captured may have been deleted, or be of another structure.
            self.lines += ["try:", *(f"    {line}" for line in self.prologue.lines)]
            other = "(LookupError, AttributeError, TypeError, ValueError)"
            self.lines += [f"except {other}: return MISS"]
        self.prologue.lines = []


def like_refused(description: Description, trace: Trace) -> Callable[..., Any] | None:
    """A test of arguments: whether a `trace` that was refused would read the same from objects.

    None where it has read from none, or was refused before.
    """
    capture: Capture = trace.capture
    if not capture.objects.all:
        return None
    try:
        binding = Binding(description, capture)
    except ValueError:  # of what was being read not all is known
        return None
    capture.objects.guard(binding.prologue, True)
    binding.close()
    scope = binding.prologue.namespace
    conditions = [check.condition for check in trace.checks]
    used = {n.attr[0] for n in postorder(conditions) if n.op in (ops.INPUT, ops.DIM)}
    items = ", ".join(f"{n!r}: {t}" for n, t in binding.expressions.items() if n in used)
    lines = [*binding.lines, f"return {{{items}}}"]
    read = make_function(description.signature.parameters, lines, scope)

    def alike(*args: Any, **kwargs: Any) -> bool:
        values = read(*args, **kwargs)
        try:
            return values is not MISS and all(map(bool, evaluate(conditions, values)))
        except Exception:  # of other ranks, or what there is no more
            return False

    return alike
