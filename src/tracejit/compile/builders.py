"""`OpFromGraph`: a graph as an op, whose derivative may be another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.graph import Apply, Constant, Variable, leaves
from tracejit.symbolic.op import Op
from tracejit.symbolic.performing import Template, with_rule
from tracejit.symbolic.rebuild import clone
from tracejit.symbolic.replay import SymbolicTrace, replay
from tracejit.symbolic.shared import SharedVariable
from tracejit.symbolic.state import MissingInputError
from tracejit.symbolic.type import TensorType
from tracejit.tensor.creation import zeros_like
from tracejit.tensor.gradient import DisconnectedType, NullType, connected, grad
from tracejit.trace.trace import current


class OpFromGraph(Op):
    """An op that computes `outputs` of `inputs`: what it is made of is compiled where it stands.

    Shared variables in the graph are further inputs. `inline` makes no difference: the graph is
    always part of the program. `grad_overrides` is the derivative in its place: a function of the
    inputs and the cotangents of the outputs (with `lop_overrides` of the inputs, the outputs and
    the cotangents) that gives those of the inputs, an `OpFromGraph`, or a list with an item an
    input, of which "default" is the graph's own. Products with Jacobians (`T.Rop`) follow from it.

    >>> import tracejit, tracejit.tensor as T
    >>> x, y, z = T.scalars("xyz")
    >>> op = OpFromGraph([x, y, z], [x + y * z])
    >>> tracejit.function([x, y, z], op(x, y, z) + op(z, y, x))(1.0, 2.0, 3.0)
    array(12.)
    """

    def __init__(
        self, inputs: Sequence[Variable], outputs: Sequence[Any], inline: bool = False,
        lop_overrides: Any = "default", grad_overrides: Any = "default",
        rop_overrides: Any = "default", connection_pattern: Any = None, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        if not isinstance(outputs, (list, tuple)):
            raise TypeError(f"outputs must be a list, got {type(outputs)}")
        for v in [*inputs, *outputs]:
            if not isinstance(v, Variable):
                raise TypeError("Inputs and outputs must be Variable instances", v)
        for key in ("updates", "givens"):
            if key in kwargs:
                raise TypeError(f"{key} are not allowed in kwargs")
        if rop_overrides != "default":
            raise NotImplementedError(
                "T.Rop is computed of the derivative that grad_overrides gives: rop_overrides has "
                "no use"
            )
        if lop_overrides != "default" and grad_overrides != "default":
            raise ValueError("lop_overrides and grad_overrides are mutually exclusive")
        self.is_inline, self.name = inline, name
        found = leaves(outputs, inputs)
        self.shared_inputs = [v for v in found if isinstance(v, SharedVariable) and v not in inputs]
        for v in found:
            if v not in inputs and not isinstance(v, (Constant, SharedVariable)):
                raise MissingInputError(f"OpFromGraph is missing an input: {v}", v)
        for kind, place in (("Constants", Constant), ("Shared variables", SharedVariable)):
            if any(isinstance(v, place) for v in inputs):
                raise TypeError(f"{kind} are no inputs of an OpFromGraph: {list(inputs)}")
        everything = [*inputs, *self.shared_inputs]
        fresh: dict[Variable, Variable] = {v: v.type(v.name) for v in everything}
        self.local_inputs = [fresh[v] for v in everything]
        self.local_outputs = clone(list(outputs), fresh)
        self.input_types = [v.type for v in everything]
        self.output_types = [v.type for v in outputs]
        self.overrides = lop_overrides if lop_overrides != "default" else grad_overrides
        #: Whether the override wants the outputs, too.
        self.with_outputs = lop_overrides != "default"
        self._pattern = connection_pattern

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __str__(self) -> str:
        name = self.name or type(self).__name__
        return f"{name}{{inline={self.is_inline}}}"

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        """The outputs for `inputs`; the graph's shared variables are added to them."""
        return super().__call__(*inputs, *self.shared_inputs, **kwargs)

    def make_node(self, *inputs: Any) -> Apply:
        """The application to inputs, which become the types of the graph's."""
        if len(inputs) != len(self.input_types):
            raise ValueError(f"expected {len(self.input_types)} inputs, got {len(inputs)}")
        pairs = zip(inputs, self.input_types, strict=True)
        made = [_as(v, kind) for v, kind in pairs]
        return Apply(self, made, [kind() for kind in self.output_types])

    # Values and derivatives ------------------------------------------------------------------

    def traced(self, template: Template, values: Sequence[Any]) -> list[Any]:
        """The outputs, by the graph itself."""
        trace = current()
        within = trace if isinstance(trace, SymbolicTrace) else None
        env = dict(zip(self.local_inputs, values, strict=True))
        found = replay(self.local_outputs, env, within)
        if within is None or (isinstance(self.overrides, str) and self.overrides == "default"):
            return found
        return [with_rule(template, values, found, k) for k in range(len(found))]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Which inputs each output depends on: a row an input."""
        if self._pattern is not None:
            return [list(row) for row in self._pattern]
        reached = [connected([v]) for v in self.local_outputs]
        return [[v in found for found in reached] for v in self.local_inputs]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The cotangents of the inputs: by the graph, or what is there in its place."""
        how = self.overrides
        args = [list(inputs), list(output_grads)]
        if self.with_outputs:
            args.insert(1, list(outputs))
        if isinstance(how, str) and how == "default":
            return self._own(inputs, output_grads)
        if isinstance(how, OpFromGraph):
            return _listed(how(*(v for arg in args for v in arg)))
        if not isinstance(how, (list, tuple)):
            return _listed(how(*args))
        own = self._own(inputs, output_grads)
        if len(how) != len(own):
            raise ValueError(f"Need to override {len(own)} gradients, got {len(how)}")
        return [_item(item, args, g, v) for item, g, v in zip(how, own, inputs, strict=True)]

    def _own(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> list[Any]:
        """The derivative of the graph itself."""
        replaced = dict(zip(self.local_inputs, inputs, strict=True))
        ends: list[Any] = clone(self.local_outputs, replaced)
        known = {
            y: g for y, g in zip(ends, output_grads, strict=True)
            if isinstance(g, Variable) and y.dtype.startswith(("float", "complex"))
        }  # fmt: skip
        found: list[Any] = grad(
            None, list(inputs), disconnected_inputs="ignore", known_grads=known,
            return_disconnected="Disconnected", null_gradients="return",
        )  # fmt: skip
        return found


def _as(v: Any, kind: Any) -> Any:
    """A variable of the type, where it can be one without a loss."""
    if not isinstance(kind, TensorType):
        return v
    v = as_tensor_variable(v)
    if v.type == kind:
        return v
    if v.broadcastable == kind.broadcastable and isinstance(v, Constant):
        return cast(v, kind.dtype)
    raise TypeError(f"Cannot convert {v} of type {v.type} to {kind}")


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _item(item: Any, args: list[Any], own: Any, v: Any) -> Any:
    """One cotangent: the graph's own, a variable, or what a function gives."""
    if isinstance(item, str) and item == "default":
        return own
    if item is None:
        return zeros_like(v)
    if isinstance(item, (Variable, DisconnectedType, NullType)):
        return item
    if isinstance(item, OpFromGraph):
        return item(*(u for arg in args for u in arg))
    return item(*args)


__all__ = ["OpFromGraph"]
