"""``mode="DebugMode"``: the compiled program against plain NumPy, op by op, at every call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tracejit.explain import message
from tracejit.state import Threaded
from tracejit.tensor.graph import Variable, toposort
from tracejit.tensor.replay import replay

if TYPE_CHECKING:
    from tracejit.symbolic import SymbolicFunction


class BadOptimization(AssertionError):
    """Compiled code gives another value than NumPy does."""


def check(f: SymbolicFunction, values: Sequence[Any]) -> None:
    """Compare every value of the graph with NumPy's. BadOptimization names the first that differs.

    Nothing is updated.
    """
    from tracejit import symbolic_call

    threaded = f.plan.threaded
    roots = [*threaded.outputs, *(u for _, u in threaded.updates)]
    every: list[Variable] = [v for node in toposort(roots) for v in node.outputs]
    every += [v for v in roots if v.owner is None]
    probe = f.__dict__.get("_probe")
    if probe is None:
        plan = symbolic_call.Plan(
            f.plan.inputs, Threaded(every, [], threaded.states), "FAST_RUN", f.plan.public
        )
        from tracejit.symbolic import SymbolicFunction

        probe = SymbolicFunction(
            plan, f.slots, f.containers, f.shared_variables, "list", f.name, "FAST_RUN", None
        )
        f.__dict__["_probe"] = probe
    env: dict[Variable, Any] = dict(zip(f.plan.inputs, values, strict=True))
    env.update(zip(threaded.states, (c.value for c in f.containers), strict=True))
    want = replay(every, env)
    got = symbolic_call.run(probe, list(values))
    for v, a, b in zip(every, want, got, strict=True):
        if not _agree(np.asarray(a), np.asarray(b)):
            owner = v.owner
            raise BadOptimization(
                message(
                    f"{v} differs from NumPy's value",
                    owner.origin if owner else None,
                    f"compiled {_shown(b)}, NumPy {_shown(a)}",
                    repr(owner),
                    "report this: compiled code must agree with NumPy",
                )
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
