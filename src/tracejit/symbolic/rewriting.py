"""Users' own rewrites of graphs: local ones, of an application, and global ones, of a graph."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracejit.config import config
from tracejit.symbolic.fgraph import FunctionGraph
from tracejit.symbolic.graph import Apply, Constant, Variable

#: Rounds after which rewrites that undo each other are left.
MOST_ROUNDS = 100


class Optimizer:
    """A rewrite of a whole graph: `apply` is its own, `optimize` what one calls."""

    name: str | None = None

    def apply(self, fgraph: FunctionGraph) -> Any:
        """Change the graph."""
        raise NotImplementedError(f"{self} has no apply")

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        """Attach the features that `apply` needs."""

    def optimize(self, fgraph: FunctionGraph, *args: Any, **kwargs: Any) -> Any:
        """`add_requirements`, then `apply`."""
        self.add_requirements(fgraph)
        return self.apply(fgraph, *args, **kwargs)

    def __call__(self, fgraph: FunctionGraph) -> Any:
        return self.optimize(fgraph)


class LocalOptimizer:
    """A rewrite of one application: `transform` gives new outputs, or False.

    `tracks` gives the ops, or classes of ops, of the applications that it is for; None is all.
    """

    name: str | None = None

    def tracks(self) -> Sequence[Any] | None:
        """Which ops it is for."""
        return None

    def transform(self, node: Apply) -> Any:
        """A list of new outputs, a dict from variables to new ones, or False."""
        raise NotImplementedError(f"{self} has no transform")

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        """Attach the features that `transform` needs."""


class FromFunctionLocalOptimizer(LocalOptimizer):
    """What `local_optimizer` makes of a function."""

    def __init__(self, fn: Any, tracks: Any = None, requirements: Any = ()) -> None:
        self.transform = fn  # type: ignore[method-assign]
        self._tracks = tracks
        self._requirements = requirements
        self.name = self.__name__ = getattr(fn, "__name__", None)
        self.__doc__ = getattr(fn, "__doc__", None)

    def tracks(self) -> Any:
        """Which ops it is for."""
        return self._tracks

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        """Call what was given as requirements."""
        for requirement in self._requirements:
            requirement(fgraph)

    def __call__(self, node: Apply) -> Any:
        return self.transform(node)

    def __repr__(self) -> str:
        return f"<local rewrite {self.name}>"


def local_optimizer(
    tracks: Any, inplace: bool = False, requirements: Any = ()
) -> Callable[[Callable[..., Any]], FromFunctionLocalOptimizer]:
    """Decorator that makes a rewrite of applications of the ops `tracks` of a function.

    >>> import tracejit.tensor as T
    >>> @local_optimizer([T.exp])
    ... def exp_of_log(node):
    ...     inner = node.inputs[0].owner
    ...     return inner is not None and inner.op == T.log and [inner.inputs[0]]
    >>> x = T.dvector("x")
    >>> graph = FunctionGraph([x], [T.exp(T.log(x))], clone=False)
    >>> out2in(exp_of_log).optimize(graph)
    >>> graph.outputs
    [x]
    """

    def make(fn: Callable[..., Any]) -> FromFunctionLocalOptimizer:
        if tracks is not None and not isinstance(tracks, (list, tuple)):
            raise TypeError(f"tracks is a list of ops, or None, not {tracks!r}")
        return FromFunctionLocalOptimizer(fn, tracks, requirements)

    return make


class FromFunctionOptimizer(Optimizer):
    """What `optimizer` makes of a function."""

    def __init__(self, fn: Any, requirements: Any = ()) -> None:
        self.apply = fn  # type: ignore[method-assign]
        self._requirements = requirements
        self.name = self.__name__ = getattr(fn, "__name__", None)

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        """Call what was given as requirements."""
        for requirement in self._requirements:
            requirement(fgraph)


def optimizer(f: Callable[[FunctionGraph], Any]) -> FromFunctionOptimizer:
    """Decorator that makes a rewrite of graphs of a function of a `FunctionGraph`."""
    return FromFunctionOptimizer(f)


# Patterns ----------------------------------------------------------------------------------------


class OpSub(LocalOptimizer):
    """Applications of `op1` become ones of `op2` to the same inputs."""

    def __init__(self, op1: Any, op2: Any, transfer_tags: bool = True) -> None:
        self.op1, self.op2 = op1, op2

    def tracks(self) -> Any:
        """`op1`."""
        return [self.op1]

    def transform(self, node: Apply) -> Any:
        """The outputs of `op2`."""
        if not fits(node, self.op1):
            return False
        made = self.op2(*node.inputs)
        return list(made) if isinstance(made, (list, tuple)) else [made]

    def __str__(self) -> str:
        return f"{self.op1} -> {self.op2}"


class OpRemove(LocalOptimizer):
    """Applications of `op` to as many inputs as they have outputs become the inputs."""

    def __init__(self, op: Any) -> None:
        self.op = op

    def tracks(self) -> Any:
        """`op`."""
        return [self.op]

    def transform(self, node: Apply) -> Any:
        """The inputs."""
        return fits(node, self.op) and len(node.inputs) == len(node.outputs) and list(node.inputs)


class PatternSub(LocalOptimizer):
    """What looks like `in_pattern` becomes `out_pattern`.

    A pattern is a variable's name, a number, ``(op, pattern, …)``, or a dict with `pattern` and
    `constraint`, a function of a variable. A name that comes twice stands for one variable.

    >>> import tracejit.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> graph = FunctionGraph([x, y], [T.log(x * y)], clone=False)
    >>> sums = PatternSub((T.log, (T.mul, "a", "b")), (T.add, (T.log, "a"), (T.log, "b")))
    >>> in2out(sums).optimize(graph)
    >>> [str(node.op) for node in graph.toposort()]
    ['Elemwise{log,no_inplace}', 'Elemwise{log,no_inplace}', 'Elemwise{add,no_inplace}']
    """

    def __init__(
        self, in_pattern: Any, out_pattern: Any, allow_multiple_clients: bool = False,
        skip_identities_fn: Any = None, name: str | None = None, pdb: bool = False,
        tracks: Any = (), get_nodes: Any = None, values_eq_approx: Any = None,
    ) -> None:  # fmt: skip
        self.in_pattern, self.out_pattern = in_pattern, out_pattern
        self.name = name
        pattern = in_pattern
        while isinstance(pattern, dict):
            pattern = pattern["pattern"]
        if not isinstance(pattern, (list, tuple)):
            raise TypeError("The pattern to search for must start with a specific Op instance.")
        self.op = pattern[0]

    def tracks(self) -> Any:
        """The op at the top of the pattern."""
        return [self.op]

    def transform(self, node: Apply) -> Any:
        """What the other pattern makes of the variables that this one has found."""
        found: dict[str, Any] = {}
        if not fits(node, self.op) or not _matches(self.in_pattern, node.out, found):
            return False
        return [_built(self.out_pattern, found)]

    def __str__(self) -> str:
        return self.name or f"{self.in_pattern} -> {self.out_pattern}"


PatternOptimizer = PatternSub


def _matches(pattern: Any, v: Variable, found: dict[str, Any]) -> bool:
    if isinstance(pattern, dict):
        test = pattern.get("constraint", lambda v: True)
        return _matches(pattern["pattern"], v, found) and bool(test(v))
    if isinstance(pattern, (list, tuple)):
        node = v.owner
        if node is None or not fits(node, pattern[0]) or len(node.inputs) != len(pattern) - 1:
            return False
        return all(_matches(p, u, found) for p, u in zip(pattern[1:], node.inputs, strict=True))
    if isinstance(pattern, str):
        return found.setdefault(pattern, v) is v
    value = _constant_in(v)
    return value is not None and bool(value == pattern)


def _constant_in(v: Variable) -> Any:
    """The value of a scalar constant, axes or another dtype put on it or not; or None."""
    while v.owner is not None and v.owner.opcode in ("dimshuffle", "rebroadcast"):
        v = v.owner.inputs[0]
    if not isinstance(v, Constant) or v.data.size != 1:
        return None
    return v.data.reshape(())[()]


def _built(pattern: Any, found: dict[str, Any]) -> Any:
    if isinstance(pattern, (list, tuple)):
        return pattern[0](*(_built(p, found) for p in pattern[1:]))
    return found[pattern] if isinstance(pattern, str) else pattern


# Application --------------------------------------------------------------------------------------


def fits(node: Apply, op: Any) -> bool:
    """Whether an application's op is `op`, or one of the class `op`."""
    have = node.op
    if isinstance(op, type):
        return isinstance(have, op)
    return bool(have == op)


def _wanted(local: Any, node: Apply) -> bool:
    tracks = local.tracks() if hasattr(local, "tracks") else None
    return tracks is None or any(fits(node, op) for op in tracks)


def rewritten_once(fgraph: FunctionGraph, node: Apply, local: Any) -> bool:
    """Apply a local rewrite to an application: whether anything has changed."""
    if not _wanted(local, node):
        return False
    try:
        made = local.transform(node)
    except Exception:
        _failed(local, node)
        return False
    if made is False or made is None:
        return False
    if isinstance(made, dict):
        pairs = [(old, new) for old, new in made.items() if isinstance(old, Variable)]
    else:
        made = list(made)
        if len(made) != len(node.outputs):
            raise ValueError(f"{local} gave {len(made)} replacements for {node}")
        pairs = [(v, new) for v, new in zip(node.outputs, made, strict=True) if new is not None]
    pairs = [(v, new) for v, new in pairs if v is not new]
    try:
        fgraph.replace_all_validate(pairs, local)
    except TypeError:
        _failed(local, node)
        return False
    return bool(pairs)


def _failed(local: Any, node: Apply) -> None:
    """What ``config.on_opt_error`` asks for, where a rewrite raises."""
    if config.on_opt_error == "raise":
        raise
    if config.on_opt_error == "warn":
        print(f"rewrite failure due to {local}, of {node}:", file=sys.stderr)
        traceback.print_exc()


class NavigatorOptimizer(Optimizer):
    """A local rewrite of every application of a graph."""

    order = "out_to_in"

    def __init__(
        self, local_opt: Any, order: str = "out_to_in", ignore_newtrees: Any = None,
        failure_callback: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.local_opt, self.order = local_opt, order
        self.name = kwargs.get("name") or getattr(local_opt, "name", None)

    def apply(self, fgraph: FunctionGraph) -> None:
        """Rewrite what is there, in the order."""
        if hasattr(self.local_opt, "add_requirements"):
            self.local_opt.add_requirements(fgraph)
        nodes = fgraph.toposort()
        for node in nodes if self.order == "in_to_out" else reversed(nodes):
            if fgraph.has_node(node):
                rewritten_once(fgraph, node, self.local_opt)


TopoOptimizer = OpKeyOptimizer = NavigatorOptimizer


def in2out(*local_opts: Any, **kwargs: Any) -> Optimizer:
    """Local rewrites of all applications, operands first."""
    return NavigatorOptimizer(_grouped(local_opts), "in_to_out", **kwargs)


def out2in(*local_opts: Any, **kwargs: Any) -> Optimizer:
    """Local rewrites of all applications, from the outputs on."""
    return NavigatorOptimizer(_grouped(local_opts), "out_to_in", **kwargs)


def _grouped(local_opts: Sequence[Any]) -> Any:
    return local_opts[0] if len(local_opts) == 1 else LocalOptGroup(*local_opts)


class LocalOptGroup(LocalOptimizer):
    """Local rewrites of which the first that fits is taken."""

    def __init__(self, *optimizers: Any, **kwargs: Any) -> None:
        self.opts = list(optimizers)
        self.name = kwargs.get("name")

    def transform(self, node: Apply) -> Any:
        """What the first gives that gives anything."""
        for local in self.opts:
            if _wanted(local, node):
                made = local.transform(node)
                if made is not False and made is not None:
                    return made
        return False


class EquilibriumOptimizer(Optimizer):
    """Rewrites, local and global, again and again until none changes anything."""

    def __init__(self, optimizers: Iterable[Any], max_use_ratio: Any = None, **kwargs: Any) -> None:
        self.optimizers = list(optimizers)
        self.name = kwargs.get("name")

    def apply(self, fgraph: FunctionGraph) -> None:
        """Rewrite until nothing changes."""
        for opt in self.optimizers:
            if hasattr(opt, "add_requirements"):
                opt.add_requirements(fgraph)
        for _ in range(MOST_ROUNDS):
            changed = False
            for opt in self.optimizers:
                if not hasattr(opt, "transform"):
                    before = fgraph.changes
                    opt.optimize(fgraph)
                    changed |= fgraph.changes != before
                    continue
                for node in fgraph.toposort():
                    if fgraph.has_node(node):
                        changed |= rewritten_once(fgraph, node, opt)
            if not changed:
                return


class SeqOptimizer(Optimizer):
    """Rewrites one after the other."""

    def __init__(self, *opts: Any, **kwargs: Any) -> None:
        listed = len(opts) == 1 and isinstance(opts[0], (list, tuple))
        self.opts = list(opts[0] if listed else opts)
        self.name = kwargs.get("name")

    def apply(self, fgraph: FunctionGraph) -> None:
        """Run them all."""
        for opt in self.opts:
            as_global(opt).optimize(fgraph)


def as_global(opt: Any) -> Any:
    """A rewrite of a whole graph: a local one is one of all applications, again and again."""
    return EquilibriumOptimizer([opt]) if hasattr(opt, "transform") else opt


class MergeOptimizer(Optimizer):
    """Nothing: what is computed twice becomes one when a graph is traced."""

    def apply(self, fgraph: FunctionGraph) -> None:
        """Nothing."""


__all__ = [
    "EquilibriumOptimizer",
    "FromFunctionLocalOptimizer",
    "FromFunctionOptimizer",
    "LocalOptGroup",
    "LocalOptimizer",
    "MergeOptimizer",
    "NavigatorOptimizer",
    "OpKeyOptimizer",
    "OpRemove",
    "OpSub",
    "Optimizer",
    "PatternOptimizer",
    "PatternSub",
    "SeqOptimizer",
    "TopoOptimizer",
    "fits",
    "in2out",
    "local_optimizer",
    "optimizer",
    "out2in",
    "rewritten_once",
]
