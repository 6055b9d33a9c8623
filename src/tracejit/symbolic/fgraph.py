"""`FunctionGraph`: the graph between inputs and outputs, in which variables may be replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracejit.symbolic.graph import Apply, Constant, Variable, leaves, toposort
from tracejit.symbolic.state import MissingInputError


class InconsistencyError(Exception):
    """A graph that a replacement would make wrong."""


def copy_nodes(
    outputs: Sequence[Variable], known: Mapping[Variable, Variable]
) -> dict[Variable, Variable]:
    """What stands for each variable in a copy of the graph of `outputs`.

    `known` says it for leaves; those that are not in it stand for themselves.
    """
    found: dict[Variable, Variable] = dict(known)
    for node in toposort(outputs, known):
        fresh = Apply(node.opcode, [found.setdefault(v, v) for v in node.inputs], node.attr)
        fresh.origin, fresh.tag = node.origin, node.tag
        made = []
        for k, v in enumerate(node.outputs):
            new = type(v)(v.type, fresh, k)
            new.name, new.tag = v.name, v.tag
            found.setdefault(v, new)
            made.append(new)
        fresh.outputs = tuple(made)
    for v in outputs:
        found.setdefault(v, v)
    return found


class FunctionGraph:
    """What computes `outputs` of `inputs`: a copy, unless ``clone=False``.

    `features` are objects that are told of changes: `on_attach`, `on_import`, `on_prune`,
    `on_change_input`, `validate` (which may raise to undo a replacement).

    >>> import tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> graph = FunctionGraph([x], [T.exp(x) + 1], clone=False)
    >>> [str(node.op) for node in graph.toposort()]
    ['Elemwise{exp,no_inplace}', 'Elemwise{add,no_inplace}']
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        features: Iterable[Any] | None = None,
        clone: bool = True,
        update_mapping: Any = None,
    ) -> None:
        self.inputs: list[Variable] = list(inputs)
        self.outputs: list[Variable] = list(outputs)
        self.update_mapping = update_mapping
        if clone:
            fresh: dict[Variable, Variable] = {
                v: v if isinstance(v, Constant) else _renewed(v) for v in self.inputs
            }
            found = copy_nodes(self.outputs, fresh)
            self.inputs = [found[v] for v in self.inputs]
            self.outputs = [found[v] for v in self.outputs]
        #: How often anything was replaced.
        self.changes = 0
        self._features: list[Any] = []
        self._clients: dict[Variable, list[tuple[Any, int]]] = {}
        self._index()
        for feature in features or ():
            self.attach_feature(feature)

    def _index(self) -> None:
        self._clients = {v: [] for v in (*self.inputs, *leaves(self.outputs, self.inputs))}
        self.changes += 1
        order = toposort(self.outputs, self.inputs)
        for node in order:
            for v in node.outputs:
                self._clients.setdefault(v, [])
        for node in order:
            for k, v in enumerate(node.inputs):
                self._clients[v].append((node, k))
        for k, v in enumerate(self.outputs):
            self._clients[v].append(("output", k))

    # Questions ---------------------------------------------------------------------------------

    def toposort(self) -> list[Apply]:
        """The applications, operands first."""
        return toposort(self.outputs, self.inputs)

    @property
    def apply_nodes(self) -> set[Apply]:
        """The applications."""
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        """Every variable, inputs and constants among them."""
        return set(self._clients)

    def clients(self, v: Variable) -> list[tuple[Any, int]]:
        """Who reads a variable: (application, position), or ("output", position)."""
        return list(self._clients.get(v, ()))

    def has_node(self, node: Apply) -> bool:
        """Whether an application is in the graph."""
        return node in self.apply_nodes

    def check_integrity(self) -> None:
        """MissingInputError where a leaf is neither an input nor a constant nor shared."""
        for v in leaves(self.outputs, self.inputs):
            known = v in self.inputs or isinstance(v, Constant) or hasattr(v, "container")
            if not known:
                raise MissingInputError(f"{v} is no input of the graph", v)

    # Changes -----------------------------------------------------------------------------------

    def replace(
        self, r: Variable, new_r: Variable, reason: Any = None, verbose: Any = None
    ) -> None:
        """Let what reads `r` read `new_r`, which must be of its type."""
        if r is new_r or r not in self._clients:
            return  # what a replacement before has taken out of the graph
        if new_r.type != r.type:
            raise TypeError(
                "The type of the replacement must be compatible with the type of the original "
                f"Variable: {r} is {r.type}, {new_r} is {new_r.type}"
            )
        below = {v for node in toposort([new_r], [r]) for v in node.outputs}
        if not new_r.name:
            new_r.name = r.name
        before = self.apply_nodes if self._features else set()
        for user, k in self._clients[r]:
            if user == "output":
                self.outputs[k] = new_r
            elif below.isdisjoint(user.outputs):  # what computes the replacement reads `r` itself
                user.inputs = tuple(new_r if j == k else v for j, v in enumerate(user.inputs))
            self._tell("on_change_input", user, k, r, new_r, reason)
        self._index()
        if self._features:
            after = self.apply_nodes
            for node in after - before:
                self._tell("on_import", node, reason)
            for node in before - after:
                self._tell("on_prune", node, reason)

    def replace_all(self, pairs: Iterable[tuple[Variable, Variable]], reason: Any = None) -> None:
        """`replace` for each pair."""
        for r, new_r in pairs:
            self.replace(r, new_r, reason)

    def replace_validate(self, r: Variable, new_r: Variable, reason: Any = None) -> None:
        """`replace`, undone where a feature does not allow it, which raises."""
        self.replace_all_validate([(r, new_r)], reason)

    def replace_all_validate(
        self, replacements: Iterable[tuple[Variable, Variable]], reason: Any = None,
        verbose: Any = None,
    ) -> None:  # fmt: skip
        """`replace_all`, undone where a feature does not allow it, which raises."""
        before = [(node, node.inputs) for node in self.toposort()]
        outputs = list(self.outputs)
        try:
            self.replace_all(replacements, reason)
            for feature in self._features:
                if hasattr(feature, "validate"):
                    feature.validate(self)
        except BaseException:
            for node, inputs in before:
                node.inputs = inputs
            self.outputs[:] = outputs
            self._index()
            raise

    def change_input(self, node: Any, i: int, new_r: Variable, reason: Any = None) -> None:
        """Let one application (or "output") read another variable at one place."""
        if node == "output":
            self.outputs[i] = new_r
        else:
            node.inputs = tuple(new_r if k == i else v for k, v in enumerate(node.inputs))
        self._index()

    # Features ----------------------------------------------------------------------------------

    def attach_feature(self, feature: Any) -> None:
        """Tell an object of changes from now on."""
        if feature in self._features:
            return
        if hasattr(feature, "on_attach"):
            feature.on_attach(self)
        self._features.append(feature)

    def remove_feature(self, feature: Any) -> None:
        """Tell it no more."""
        if feature in self._features:
            self._features.remove(feature)
            if hasattr(feature, "on_detach"):
                feature.on_detach(self)

    def _tell(self, what: str, *args: Any) -> None:
        for feature in self._features:
            if hasattr(feature, what):
                getattr(feature, what)(self, *args)

    # Copies ------------------------------------------------------------------------------------

    def clone(self, check_integrity: bool = True) -> FunctionGraph:
        """A copy of the graph, with inputs of its own."""
        return self.clone_get_equiv(check_integrity)[0]

    def clone_get_equiv(
        self, check_integrity: bool = True, attach_feature: bool = True
    ) -> tuple[FunctionGraph, dict[Variable, Variable]]:
        """A copy, and what stands for each variable in it."""
        found = copy_nodes(self.outputs, {v: _renewed(v) for v in self.inputs})
        inputs, outputs = ([found[v] for v in vs] for vs in (self.inputs, self.outputs))
        copy = FunctionGraph(inputs, outputs, self._features if attach_feature else (), clone=False)
        return copy, found

    def __str__(self) -> str:
        return f"[{', '.join(repr(v.owner or v) for v in self.outputs)}]"

    __repr__ = __str__


def _renewed(v: Variable) -> Variable:
    """A leaf that stands for `v` in a copy; a shared variable keeps its state."""
    if v.owner is not None:
        return type(v)(v.type, name=v.name)
    return v.clone()


Env = FunctionGraph

__all__ = ["FunctionGraph", "InconsistencyError", "copy_nodes"]
