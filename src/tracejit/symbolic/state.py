"""The state-threading pass: a graph and its updates become a pure graph over explicit states.

Inputs and states go in; outputs and new states come out, outputs first. Updates are simultaneous:
every expression sees the states as they were before the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracejit.symbolic.convert import as_tensor_variable, constant, patternbroadcast
from tracejit.symbolic.graph import Constant, Variable, leaves
from tracejit.symbolic.rebuild import clone
from tracejit.symbolic.shared import SharedVariable
from tracejit.symbolic.type import TensorType


class MissingInputError(Exception):
    """A variable that the outputs need is neither an input, nor shared, nor given."""


@dataclass
class Threaded:
    """A pure program: `outputs` and `updates` over the explicit inputs and `states`.

    `updates` pairs a state with its new value. `states` are in the order they were found.
    """

    outputs: list[Variable]
    updates: list[tuple[SharedVariable, Variable]]
    states: list[SharedVariable]


def thread_state(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Iterable[tuple[Any, Any]],
    givens: Mapping[Variable, Variable],
    without: Any = (),
    strict: bool = True,
) -> Threaded:
    """Collect the states that `outputs` and `updates` reach, with their default updates.

    A default update applies where its variable is reached, has no update of its own, and is not
    among those `without` (True for all); it may reach further variables. Unless `strict`, `givens`
    may have other types than what they replace. Raises TypeError and ValueError for updates that do
    not fit, MissingInputError for variables that nobody provides.
    """
    _check_givens(givens)
    replaced = clone(outputs, givens, strict)
    found: dict[SharedVariable, Variable] = {}
    for target, expression in updates:
        if not isinstance(target, SharedVariable):
            raise TypeError("update target must be a SharedVariable", target)
        if target in found:
            raise ValueError("this shared variable already has an update expression", target)
        found[target] = _new_value(target, expression, givens, strict)
    known = set(inputs)
    states: dict[SharedVariable, None] = {}
    pending: list[Variable] = [*replaced, *found.values()]
    missing: list[Variable] = []
    while pending:
        for v in leaves(pending, known):
            if isinstance(v, SharedVariable) and v not in known:
                states[v] = None
            elif v not in known and not isinstance(v, Constant):
                missing.append(v)
        pending = []
        for state in states:
            default = state.default_update
            if default is None or state in found or without is True or state in without:
                continue
            found[state] = _new_value(state, default, givens, strict)
            pending.append(found[state])
    if missing:
        raise MissingInputError(_missing_text(missing[0]))
    for target in found:
        states[target] = None
    return Threaded(replaced, list(found.items()), list(states))


def _check_givens(givens: Mapping[Variable, Variable]) -> None:
    earlier: list[Variable] = []
    for key, value in givens.items():
        if not isinstance(key, Variable):
            raise TypeError("given keys must be Variable", key)
        if earlier and any(v in earlier for v in leaves([value], earlier)):
            raise AssertionError(
                f"the given for {key} depends on a variable that an earlier given replaces: put "
                "the replacement into it yourself"
            )
        earlier.append(key)


def _new_value(
    target: SharedVariable, expression: Any, givens: Mapping[Variable, Variable], strict: bool
) -> Variable:
    value = clone([as_update(target, expression)], givens, strict)[0]
    return value if strict else as_update(target, value)


def excluded(no_default_updates: Any) -> Any:
    """The variables without default updates: True for all, or a set. TypeError for other types."""
    if isinstance(no_default_updates, bool):
        return True if no_default_updates else ()
    if isinstance(no_default_updates, list):
        return set(no_default_updates)
    raise TypeError("no_default_update should be either a boolean or a list")


def as_update(target: SharedVariable, expression: Any) -> Variable:
    """`expression` as a new value of `target`: a number becomes a constant of its type."""
    kind = target.type
    if not isinstance(expression, Variable):
        if not isinstance(kind, TensorType):
            raise TypeError(f"{target} is no array: it cannot have an update")
        value = kind.filter(expression, allow_downcast=None)
        expression = constant(value)
        if expression.broadcastable != kind.broadcastable:
            expression = patternbroadcast(expression, kind.broadcastable)
    if expression.type != kind and isinstance(kind, TensorType):
        expression = as_tensor_variable(expression)
        same = (expression.dtype, expression.ndim) == (kind.dtype, kind.ndim)
        wider = same and all(
            e or not k for e, k in zip(expression.broadcastable, kind.broadcastable, strict=True)
        )
        if (
            wider
            and target.type.broadcastable != expression.broadcastable
            and _only_constants(expression)
        ):
            expression = patternbroadcast(expression, kind.broadcastable)
    if expression.type != kind:
        raise TypeError(
            "An update must have the same type as the original shared variable "
            f"(shared_var={target}, shared_var.type={kind}, update_val={expression}, "
            f"update_val.type={expression.type}).",
            "If the difference is related to the broadcast pattern, you can call the "
            "tensor.unbroadcast(var, axis_to_unbroadcast[, ...]) function to remove broadcastable "
            "dimensions.",
        )
    return expression


def _only_constants(v: Variable) -> bool:
    return all(isinstance(leaf, Constant) for leaf in leaves([v]))


def _missing_text(v: Variable) -> str:
    place = f' (made in "{v.origin.file}", line {v.origin.line})' if v.origin else ""
    return (
        f"An input of the graph, {v.name or repr(v)}{place}, was not provided and not given a "
        "value. Put it into the list of inputs, make it a shared variable, or replace it by givens."
    )
