"""Walks over graphs of variables, under the names of ``theano.gof.graph``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.symbolic.fgraph import copy_nodes
from tracejit.symbolic.graph import Apply, Constant, Scratchpad, Variable, leaves, toposort
from tracejit.tensor.gradient import connected


def inputs(
    variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None
) -> list[Variable]:
    """The leaves that variables reach, constants and shared variables included."""
    return leaves(variable_list, blockers or ())


def ancestors(
    variable_list: Iterable[Variable], blockers: Iterable[Variable] | None = None
) -> list[Variable]:
    """Every variable that variables reach, operands first, themselves included."""
    variables, blockers = list(variable_list), list(blockers or ())
    found = dict.fromkeys(leaves(variables, blockers))
    for node in toposort(variables, blockers):
        found.update(dict.fromkeys(node.outputs))
    return list(found)


def variables_and_orphans(
    i: Sequence[Variable], o: Sequence[Variable]
) -> tuple[list[Variable], list[Variable]]:
    """The variables between inputs and outputs, both included, and what else they depend on."""
    missing = [v for v in leaves(o, i) if v not in i]
    found = dict.fromkeys([*i, *missing])
    for node in toposort(o, i):
        found.update(dict.fromkeys((*node.inputs, *node.outputs)))
    return list(found), missing


def variables(i: Sequence[Variable], o: Sequence[Variable]) -> list[Variable]:
    """The variables between inputs and outputs, both included."""
    return variables_and_orphans(i, o)[0]


def orphans(i: Sequence[Variable], o: Sequence[Variable]) -> list[Variable]:
    """What the outputs depend on that is not computed of the inputs."""
    return variables_and_orphans(i, o)[1]


def io_toposort(
    inputs: Sequence[Variable], outputs: Sequence[Variable], orderings: Any = None,
    clients: Any = None,
) -> list[Apply]:  # fmt: skip
    """The applications between inputs and outputs, operands first; after their `orderings`, too."""
    if not orderings:
        return toposort(outputs, inputs)

    def before(node: Any) -> list[Any]:
        if isinstance(node, Variable):
            return [] if node in inputs or node.owner is None else [node.owner]
        return [*node.inputs, *orderings.get(node, ())]

    return [n for n in general_toposort(outputs, before) if isinstance(n, Apply)]


def ops(i: Sequence[Variable], o: Sequence[Variable]) -> set[Apply]:
    """The applications between inputs and outputs."""
    return set(toposort(o, i))


def list_of_nodes(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[Apply]:
    """The applications between inputs and outputs."""
    return toposort(outputs, inputs)


def general_toposort(
    r_out: Any, deps: Callable[[Any], Any], debug_print: bool = False,
    compute_deps_cache: Any = None, deps_cache: Any = None, clients: Any = None,
) -> list[Any]:  # fmt: skip
    """What `deps`, a function, reaches of `r_out`: each after what it depends on.

    ValueError where things depend on each other.
    """
    order: list[Any] = []
    state: dict[Any, int] = {}
    stack: list[tuple[Any, bool]] = [(v, False) for v in reversed(list(r_out))]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            state[node] = 2
            order.append(node)
        elif node not in state:
            state[node] = 1
            stack.append((node, True))
            for d in reversed(list(deps(node) or ())):
                if state.get(d) == 1:
                    raise ValueError("graph contains cycles")
                if d not in state:
                    stack.append((d, False))
    return order


def stack_search(
    start: Any, expand: Callable[[Any], Any], mode: str = "bfs", build_inv: bool = False
) -> list[Any]:
    """What `expand` reaches of a deque `start`, breadth or depth first."""
    if mode not in ("bfs", "dfs"):
        raise ValueError("mode should be bfs or dfs", mode)
    waiting = deque(start)
    found: dict[Any, None] = {}
    seen: set[Any] = set()
    while waiting:
        item = waiting.popleft() if mode == "bfs" else waiting.pop()
        if item not in seen:
            seen.add(item)
            found[item] = None
            waiting.extend(expand(item) or ())
    return list(found)


def clone(
    i: Sequence[Variable], o: Sequence[Variable], copy_inputs: bool = True
) -> tuple[list[Variable], list[Variable]]:
    """Copies of inputs and of what computes outputs of them."""
    found = clone_get_equiv(i, o, copy_inputs)
    return [found[v] for v in i], [found[v] for v in o]


def clone_get_equiv(
    inputs: Sequence[Variable], outputs: Sequence[Variable], copy_inputs: bool = True,
    copy_orphans: bool = True, memo: Any = None,
) -> dict[Any, Any]:  # fmt: skip
    """What stands for each variable in a copy of the graph between inputs and outputs."""
    known: dict[Variable, Variable] = dict(memo or {})
    for v in inputs:
        known.setdefault(v, _leaf(v) if copy_inputs else v)
    for v in leaves(outputs, known) if copy_orphans else ():
        known.setdefault(v, v.clone())
    return copy_nodes(outputs, known)


def _leaf(v: Variable) -> Variable:
    return v.clone() if v.owner is None else type(v)(v.type, name=v.name)


def is_same_graph(var1: Variable, var2: Variable, givens: Any = None, debug: bool = False) -> bool:
    """Whether two variables are computed alike, where `givens` say what stands for what.

    >>> import tracejit.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> is_same_graph(x + 1, x + 1), is_same_graph(x + 1, y + 1)
    (True, False)
    >>> is_same_graph(x + 1, y + 1, givens={x: y})
    True
    """
    given = dict(givens.items() if isinstance(givens, Mapping) else givens or ())
    same: dict[tuple[Variable, Variable], bool] = {}
    stack = [(var1, var2)]
    while stack:
        pair = stack.pop()
        if pair in same:
            continue
        same[pair] = True
        a, b = (given.get(v, v) for v in pair)
        if a is b:
            continue
        if isinstance(a, Constant) and isinstance(b, Constant):
            if a.type != b.type or not np.array_equal(a.data, b.data):
                return False
        elif a.owner is None or b.owner is None:
            return False
        else:
            m, n = a.owner, b.owner
            if a.index != b.index or m.op != n.op or len(m.inputs) != len(n.inputs):
                return False
            stack += zip(m.inputs, n.inputs, strict=True)
    return True


def is_in_ancestors(l_node: Apply, f_node: Apply) -> bool:
    """Whether `l_node` depends on `f_node`."""
    return f_node in toposort(l_node.inputs)


def io_connection_pattern(
    inputs: Sequence[Variable], outputs: Sequence[Variable]
) -> list[list[bool]]:
    """Which outputs have a gradient with respect to each input: a row an input."""
    reached = [connected([v]) for v in outputs]
    return [[v in found for found in reached] for v in inputs]


def op_as_string(i: Any, op: Apply, leaf_formatter: Any = str, node_formatter: Any = None) -> str:
    """An application as text, down to the inputs `i`."""
    return as_string(i, list(op.outputs), leaf_formatter)[0]


def as_string(i: Any, o: Any, leaf_formatter: Any = str, node_formatter: Any = None) -> list[str]:
    """Outputs as text: ``add(x, y)``, down to the inputs `i`."""
    text: dict[Variable, str] = {}
    for node in toposort(o, i):
        operands = ", ".join(text.get(v) or leaf_formatter(v) for v in node.inputs)
        for k, v in enumerate(node.outputs):
            text[v] = f"{node.op}({operands})" + (f"::{k}" if len(node.outputs) > 1 else "")
    return [text.get(v) or leaf_formatter(v) for v in o]


Node = Apply
scratchpad = ValidatingScratchpad = Scratchpad

__all__ = [
    "Apply",
    "Constant",
    "Node",
    "Variable",
    "ancestors",
    "as_string",
    "clone",
    "clone_get_equiv",
    "general_toposort",
    "inputs",
    "io_connection_pattern",
    "io_toposort",
    "is_in_ancestors",
    "is_same_graph",
    "list_of_nodes",
    "op_as_string",
    "ops",
    "orphans",
    "scratchpad",
    "stack_search",
    "variables",
    "variables_and_orphans",
]
