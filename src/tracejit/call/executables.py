"""What runs a traced graph: machine code, or the interpreter where none is to be made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracejit.call.arguments import storage_of
from tracejit.call.paths import Stats
from tracejit.config import config
from tracejit.errors import DeviceError, InvalidGraphError
from tracejit.ir.graph import Graph
from tracejit.ir.printer import to_text
from tracejit.ir.verify import verify
from tracejit.native.apart import collecting_nothing, imported
from tracejit.plan.callplan import Runnable
from tracejit.plan.interpreted import Interpreted
from tracejit.trace.explain import log
from tracejit.trace.trace import Trace


@collecting_nothing
def executable_of(
    graph: Graph,
    trace: Trace,
    stats: Stats,
    name: str,
    kinds: Sequence[str],
    states: int,
    *,
    compiling: bool,
    refused: Callable[[Exception], bool],
    budget: float = 0.0,
    device: str | None = None,
) -> Runnable:
    """What runs `graph` for arguments as those of its trace; `kinds`, `states` as of a `CallPlan`.

    It is for a device of this name, or that of the settings. Where the compiler raises, `refused`
    says whether the interpreter runs it instead.
    """
    if not compiling:
        if config.check:
            verify(graph)
        if config.debug >= 3:
            log(f"graph of {name} as traced:\n{to_text(graph)}")
        executable: Runnable = Interpreted(graph)
    else:
        compile_graph = imported("tracejit.lower.executable").compile_graph
        target = imported("tracejit.lower.registry").target(device)
        layouts = {name: storage_of(value) for name, value in trace.values.items()}
        try:
            executable = compile_graph(
                graph, layouts, target, name=name, kinds=kinds, states=states, budget=budget
            )
        except (InvalidGraphError, DeviceError):
            raise
        except Exception as problem:
            if not refused(problem):
                raise
            executable = Interpreted(graph)
    stats.count(executable)
    return executable
