"""The first part of a function, run for one truth value, which decides what is traced next."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.call.executables import executable_of
from tracejit.call.paths import Stats
from tracejit.config import config
from tracejit.errors import MISS, NotTraceable, RaisesBefore
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.plan.callplan import CallPlan
from tracejit.plan.text import Parameters
from tracejit.trace.trace import Trace


def answer(trace: Trace, truth: Node, stats: Stats) -> Any:
    """The value of a node for the arguments of the trace: compiled if loops are in it."""
    graph = trace.graph([truth])
    nodes = graph.nodes()
    if any(node.op is ops.INPUT and node.attr[0] in trace.drawn_inputs for node in nodes):
        raise NotTraceable("a random number decides what is traced", "use np.where")
    names = [f"x{k}" for k in range(len(graph.inputs))]
    plan = CallPlan(Parameters(", ".join(names)), [], names, lambda texts: texts[0], {}, ["scalar"])
    first = executable_of(
        graph, trace, stats, "the first part", plan.kinds, 0,
        compiling=bool(config.compile) and any(node.op.regions for node in nodes),
        budget=trace.budget.seconds, refused=lambda problem: False, device=trace.capture.device,
    )  # fmt: skip
    result = first.driver(plan)(*(trace.values[node.attr[0]] for node in graph.inputs))
    if result is MISS:
        raise RaisesBefore("NumPy may raise before a branch")
    return np.asarray(result)[()]  # of an array on a device what it holds
