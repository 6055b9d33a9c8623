"""Replacing variables of a symbolic graph: the givens of a function, and `clone`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracejit.symbolic import graph, rebuild
from tracejit.symbolic.convert import patternbroadcast
from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.shared import SharedVariable, shared
from tracejit.symbolic.type import TensorType


def clone(output: Any, replace: Any = None, strict: bool = True, share_inputs: bool = True) -> Any:
    """A copy of what computes `output`, with variables replaced; what `output` is stays as it is.

    `output` is a variable, or a list, a tuple or a dict of them; the result is structured alike.
    `replace` maps variables to what stands for them (or lists the pairs). Where `strict`, that
    must have the type of what it replaces. Unless `share_inputs`, the copy has inputs of its own;
    shared variables remain shared.

    Raises TypeError for a replacement of another type.

    >>> import tracejit.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> clone(x**2 + 1, replace={x: y + 2}).eval({y: 1.0})
    array(10.)
    """
    if isinstance(output, Mapping):
        values = clone(list(output.values()), replace, strict, share_inputs)
        return dict(zip(output, values, strict=True))
    if not isinstance(output, (list, tuple)):
        return clone([output], replace, strict, share_inputs)[0]
    found = replacements(replace, (), strict)
    if not share_inputs:
        for v in graph.leaves(output, found):
            if not isinstance(v, (Constant, SharedVariable)):
                found.setdefault(v, v.clone())
    return type(output)(rebuild.clone(output, found, strict))


def map_variables(
    replacer: Callable[[Variable], Variable], graphs: Sequence[Variable],
    additional_inputs: Sequence[Variable] = (),
) -> list[Variable]:  # fmt: skip
    """Copies of `graphs` in which `replacer` has been asked what stands for each variable.

    It gets variables whose operands have been replaced before, and may give them back as they are.
    What it gives is of the same type, and not looked at again.

    >>> import tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> def double(v):
    ...     return v * 2 if v is x else v
    >>> [y] = map_variables(double, [x + 1])
    >>> y.eval({x: 3.0})
    array(7.)
    """
    graphs = list(graphs)
    ends = [*graphs, *additional_inputs]
    found: dict[Variable, Variable] = {v: replacer(v) for v in graph.leaves(ends)}
    for node in graph.toposort(ends):
        open_inputs = {v: found[v] for v in node.inputs}
        made = rebuild.clone(list(node.outputs), open_inputs)
        found |= {v: replacer(new) for v, new in zip(node.outputs, made, strict=True)}
    return [found[v] for v in graphs]


def replacements(givens: Any, inputs: Sequence[Variable], strict: bool) -> dict[Variable, Variable]:
    """What is to replace each variable: of its type where `strict`, values as shared variables.

    Raises RuntimeError for a key among the `inputs`, TypeError for a key that is no variable or a
    value of another type.
    """
    pairs = list(givens.items()) if isinstance(givens, Mapping) else list(givens or ())
    found: dict[Variable, Variable] = {}
    for key, value in pairs:
        if not isinstance(key, Variable):
            raise TypeError("given keys must be Variable", key)
        if key in inputs:
            raise RuntimeError(
                f"You are trying to replace variable {str(key)!r} through the `givens` parameter, "
                "but this variable is an input to your function. Replacing inputs is currently "
                "forbidden because it has no effect. One way to modify an input `x` to a function "
                "evaluating f(x) is to define a new input `y` and use `function([y], f(x), "
                "givens={x: g(y)})`."
            )
        if not isinstance(value, Variable):
            value = key.type.filter(value, allow_downcast=None)
            kwargs = {"broadcastable": key.type.broadcastable} if value.ndim else {}
            value = shared(value, **kwargs)
        if strict and value.type != key.type:
            value = _converted(key, value)
        found[key] = value
    return found


def _converted(key: Variable, value: Any) -> Any:
    kind = key.type
    if (
        isinstance(kind, TensorType)
        and (value.type.dtype, value.type.ndim) == (kind.dtype, kind.ndim)
        and all(v or not k for v, k in zip(value.broadcastable, kind.broadcastable, strict=True))
    ):
        return patternbroadcast(value, kind.broadcastable)
    raise TypeError(
        f"Cannot convert Type {value.type} (of Variable {value}) into Type {kind}. You can try to "
        f"manually convert {value} into a {kind}, or pass rebuild_strict=False."
    )
