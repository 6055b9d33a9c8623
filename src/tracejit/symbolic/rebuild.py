"""Symbolic graphs over other variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracejit.symbolic import elementwise, infer
from tracejit.symbolic.convert import cast
from tracejit.symbolic.graph import Apply, Variable, toposort


def clone(
    outputs: Sequence[Variable], replace: Mapping[Variable, Variable], strict: bool = True
) -> list[Variable]:
    """`outputs` with the variables in `replace` replaced; what they stand for is left as it is.

    Unless `strict`, what is computed from a replacement of another type is inferred anew.
    """
    new: dict[Variable, Variable] = dict(replace)
    for node in toposort(outputs, new):
        inputs = [new.get(v, v) for v in node.inputs]
        if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
            continue
        same = all(a.type == b.type for a, b in zip(inputs, node.inputs, strict=True))
        fresh_outputs = _copied(node, inputs) if strict or same else _inferred(node, inputs)
        for old, fresh in zip(node.outputs, fresh_outputs, strict=True):
            fresh.name, fresh.tag = old.name, old.tag
            if old not in replace:
                new[old] = fresh
    return [new.get(v, v) for v in outputs]


def _copied(node: Apply, inputs: Sequence[Variable]) -> tuple[Variable, ...]:
    copy = Apply(node.opcode, inputs, node.attr, node.origin)
    copy.outputs = tuple(type(v)(v.type, copy, v.index) for v in node.outputs)
    return copy.outputs


def _inferred(node: Apply, inputs: Sequence[Variable]) -> list[Variable]:
    """The outputs of the op over inputs of other types: an elementwise one broadcasts anew."""
    if node.opcode == "elemwise":
        row, dtype = node.attr[:2]
        return [cast(inputs[0], dtype) if row == "cast" else elementwise.apply_row(row, *inputs)]
    return infer.apply(node.opcode, inputs, node.attr)
