"""The modes that watch every value of the graph, at every call, before anything is updated.

``mode="DebugMode"`` compares the compiled program with plain NumPy, op by op;
``mode="NanGuardMode"`` looks for nan and infinity.
"""

from __future__ import annotations

import pdb
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.errors import NotTraceable
from tracejit.symbolic import call as symbolic_call
from tracejit.symbolic.graph import Variable, toposort
from tracejit.symbolic.places import on_host
from tracejit.symbolic.program import Callee, SymbolicProgram
from tracejit.symbolic.replay import replay
from tracejit.symbolic.state import Threaded
from tracejit.trace.explain import message


class BadOptimization(AssertionError):
    """Compiled code gives another value than NumPy does."""


def check(f: Callee, values: Sequence[Any]) -> None:
    """Compare every value of the graph with NumPy's. BadOptimization names the first that differs.

    Whatever NumPy raises is left to the call itself.
    """
    every = _every_value(f)
    try:
        want = dict(zip(every, _in_numpy(f, every, values), strict=True))
    except Exception:
        return
    # Values are compiled apart from each other, so that the first wrong one is known; and then as
    # they are in the function itself, where they are fused.
    for variables in (every, _results(f)):
        got = symbolic_call.run(_probe(f, variables), list(values))
        for v, value in zip(variables, got, strict=True):
            if v in want and not _agree(np.asarray(want[v]), np.asarray(value)):
                raise BadOptimization(
                    _text(
                        v,
                        f"{v} differs from NumPy's value",
                        f"compiled {_shown(value)}, NumPy {_shown(want[v])}",
                        "report this: compiled code must agree with NumPy",
                    )
                )


def guard(
    f: Callee, values: Sequence[Any], nan: bool | None = None, inf: bool | None = None,
    big: bool | None = None, error: type[Exception] = AssertionError,
) -> None:  # fmt: skip
    """An `error` for the first value of the graph that holds nan, infinity or what is beyond 1e10.

    None asks ``config.NanGuardMode``, whose `action` may also be a warning. Whatever NumPy raises
    is left to the call itself.
    """
    options = config.NanGuardMode
    nan, inf, big = (
        getattr(options, f"{name}_is_error") if given is None else given
        for name, given in (("nan", nan), ("inf", inf), ("big", big))
    )
    for v, value in _watched(f, values):
        array = np.asarray(value)
        if array.dtype.kind not in "fc":
            continue
        what = (
            "nan" if nan and np.isnan(array).any()
            else "infinity" if inf and np.isinf(array).any()
            else f"a value beyond {BIG:g}" if big and _beyond(array)
            else ""
        )  # fmt: skip
        if not what:
            continue
        text = _text(v, f"{v} holds {what}", _shown(array))
        if options.action == "raise":
            raise error(text)
        warnings.warn(text, UserWarning, stacklevel=2)
        if options.action == "pdb":
            pdb.set_trace()


#: Values beyond it are taken for the beginning of infinity.
BIG = 1e10


def _beyond(array: np.ndarray) -> bool:
    return bool((np.abs(array[np.isfinite(array)]) > BIG).any())


class Step:
    """What the functions of ``MonitorMode`` get of an application: its values, each in a list."""

    def __init__(self, inputs: list[list[Any]], outputs: list[list[Any]]) -> None:
        self.inputs, self.outputs = inputs, outputs


def monitor(f: Callee, values: Sequence[Any], before: Any, after: Any) -> None:
    """Call `before` and `after` with the number of each application, itself, and its `Step`."""
    found = {v: np.asarray(value) for v, value in _watched(f, values)}

    def cell(v: Variable) -> list[Any]:
        return [found[v] if v in found else getattr(v, "data", None)]

    for k, node in enumerate(toposort(_results(f))):
        if found.keys() >= set(node.outputs):
            step = Step(list(map(cell, node.inputs)), list(map(cell, node.outputs)))
            for call in (before, after):
                if call is not None:
                    call(k, node, step)


def _watched(f: Callee, values: Sequence[Any]) -> list[tuple[Variable, Any]]:
    """Every variable of the graph and its value; none where NumPy raises."""
    every = _every_value(f)
    try:
        found = _in_numpy(f, every, values)
    except NotTraceable as refusal:  # a gradient, which NumPy does not compute
        refusal.forget()
        found = symbolic_call.run(_probe(f, every), list(values))
    except Exception:
        return []
    return list(zip(every, found, strict=True))


def _results(f: Callee) -> list[Variable]:
    threaded = f.program.threaded
    return [*threaded.outputs, *(u for _, u in threaded.updates if f.updating)]


def _every_value(f: Callee) -> list[Variable]:
    """What is given, and then what is computed, operands first."""
    computed = (v for node in toposort(_results(f)) for v in node.outputs)
    return [*f.program.inputs, *f.program.threaded.states, *computed]


def _in_numpy(f: Callee, every: list[Variable], values: Sequence[Any]) -> list[Any]:
    env: dict[Variable, Any] = dict(zip(f.program.inputs, map(on_host, values), strict=True))
    states = [on_host(c.value) for c in f.containers]
    env.update(zip(f.program.threaded.states, states, strict=True))
    return replay(every, env)


def _probe(f: Callee, outputs: list[Variable]) -> Callee:
    """A function over the same states that returns the values of `outputs`."""
    probes: dict[Any, Callee] = f.__dict__.setdefault("_probes", {})
    key = tuple(outputs)
    if key not in probes:
        threaded = Threaded(outputs, [], f.program.threaded.states)
        program = SymbolicProgram(f.program.inputs, threaded, "FAST_RUN", f.program.public)
        program.exact = True  # NumPy does not know of better behaved forms
        probes[key] = type(f)(
            program, f.slots, f.containers, f.shared_variables, "list", f.name, "FAST_RUN", None
        )
    return probes[key]


def _text(v: Variable, title: str, reason: str, hint: str = "") -> str:
    owner = v.owner
    return message(
        title, owner.origin if owner else v.origin, reason, repr(owner) if owner else "", hint
    )


def _agree(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind not in "fc":
        return bool(np.array_equal(a, b))
    tolerance = {2: 1e-2, 4: 1e-4}.get(a.dtype.itemsize // (2 if a.dtype.kind == "c" else 1), 1e-8)
    with np.errstate(all="ignore"):
        scale = np.abs(a[np.isfinite(a)]).max(initial=0.0)
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


def _shown(value: Any) -> str:
    text = np.array2string(np.asarray(value), threshold=6).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}..."


symbolic_call.WATCHES.update(DebugMode=check, NanGuardMode=guard)
