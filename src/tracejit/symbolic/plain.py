"""Symbolic functions in plain NumPy: their graph is run over arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.call.fallback import hint_for, tell
from tracejit.config import config
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir.node import Origin
from tracejit.lower.devices import residence_of
from tracejit.plan.text import Parameters, commit, make_function
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.places import on_host
from tracejit.symbolic.program import Callee
from tracejit.symbolic.replay import replay
from tracejit.symbolic.type import TensorType
from tracejit.trace.explain import message


def _values(f: Callee, values: Sequence[Any]) -> list[Any]:
    """The values of outputs and updates in plain NumPy; each has its own memory."""
    threaded = f.program.threaded
    env: dict[Variable, Any] = dict(zip(f.program.inputs, map(on_host, values), strict=True))
    env.update(zip(threaded.states, map(on_host, f.snapshot()), strict=True))
    outputs = [*threaded.outputs, *(u for _, u in threaded.updates)]
    found = replay(outputs, env)
    return [
        np.array(r, v.type.numpy_dtype) if isinstance(v.type, TensorType) else r
        for r, v in zip(found, outputs, strict=True)
    ]


def tell_plain(f: Callee, place: Origin | None, reason: str, hint: str) -> None:
    """Count a call in plain NumPy, and say why; or raise, where that is asked for."""
    title = f"{f.name or 'a symbolic function'} runs in plain NumPy"
    text = message(title, place, reason, "", hint)
    tell(f.program.paths, text, place, config.on_unsupported)


def run_plain(f: Callee, values: Sequence[Any], refusal: NotTraceable | None) -> Any:
    """Run in plain NumPy: with one warning where `refusal` says why it is not compiled."""
    if refusal is not None:
        apply = getattr(refusal, "__tracejit_apply__", None)
        hint = refusal.hint or "compute it outside and pass it as an input"
        tell_plain(f, apply.origin if apply else None, refusal.reason, hint)
    try:
        found = _values(f, values)
    except Exception as error:
        raise located(error) from error.__cause__
    count = len(f.program.threaded.outputs)
    results, new = found[:count], found[count:]
    residence = residence_of(f.device())
    if residence is not None:  # where a program would have left them
        results = [residence.put(r) if isinstance(r, np.ndarray) else r for r in results]
        pairs = zip(f.targets(), new, strict=False)
        new = [residence.put(value) if c.device else value for c, value in pairs]
    if f.updating:
        _committer(len(new))(*f.targets(), *new)
    return _structured(f, results)


@functools.cache
def _committer(count: int) -> Callable[..., None]:
    """A function of containers and their new values that sets them all at once."""
    if not count:
        return lambda: None
    names, values = ([f"{letter}{k}" for k in range(count)] for letter in "sv")
    return make_function(Parameters(", ".join([*names, *values])), [commit(names, values)], {})


def _structured(f: Callee, results: list[Any]) -> Any:
    """Results as the function returns them."""
    if f.structure is None:
        return None
    if f.structure == "single":
        return results[0]
    if f.structure == "list":
        return results
    return dict(zip(f.structure, results, strict=True))


def located(error: Exception) -> Exception:
    """`error` with the user's line that made the application which raised it."""
    apply = getattr(error, "__tracejit_apply__", None)
    if apply is None or apply.origin is None:
        return error
    if isinstance(error, ShapeError):
        shapes = ", ".join(f"{v} {v.type}" for v in apply.inputs[:6])
        hint = hint_for(error)
        if apply.opcode == "elemwise":
            hint = "axes broadcast only where their type says so: see T.addbroadcast"
        found = ShapeError(message(str(error), apply.origin, f"in {apply.label()}", shapes, hint))
        for note in getattr(error, "__notes__", ()):
            found.add_note(note)
        return found
    error.add_note(message("", apply.origin, f"in {apply.label()}").strip("\n"))
    return error
