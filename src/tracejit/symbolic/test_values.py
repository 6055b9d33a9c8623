"""Test values: what variables hold while a graph is built; mistakes show where they are made.

With ``config.compute_test_value`` other than "off", each application is computed of its operands'
``tag.test_value`` in plain NumPy, as soon as it is made.
"""

from __future__ import annotations

import pdb
import warnings
from typing import Any

from tracejit.call.fallback import stack_level
from tracejit.config import config
from tracejit.errors import NotTraceable
from tracejit.symbolic import infer
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.function import symbolic_function
from tracejit.symbolic.graph import Apply, Constant, Variable, leaves
from tracejit.symbolic.places import on_host
from tracejit.symbolic.replay import run
from tracejit.symbolic.shared import SharedVariable


def get_test_value(v: Any) -> Any:
    """The value that `v` has in tests: a constant's, a shared variable's, or its ``tag``'s.

    AttributeError for a variable without one, TypeError for one that its type does not take.
    """
    v = v if isinstance(v, Variable) else as_tensor_variable(v)
    if isinstance(v, Constant):
        return v.data
    if isinstance(v, SharedVariable):
        return on_host(v.container.value)
    if not hasattr(v.tag, "test_value"):
        raise AttributeError(f"{v} has no test value")
    return v.type.filter(v.tag.test_value)


def compute(node: Apply) -> None:
    """Give the outputs of `node` their test values, by ``config.compute_test_value``.

    Where an operand has none: nothing ("ignore"), UserWarning, ValueError, or the debugger.
    """
    values = []
    for k, v in enumerate(node.inputs):
        try:
            values.append(get_test_value(v))
        except AttributeError as error:
            _missing(node, k, v, error)
            return
    found: dict[Variable, Any] = {}
    try:
        run(node, values, found)
    except NotTraceable:  # a gradient is of the graph, and not of values
        found = _of_graph(node)
    except Exception as error:
        if node.origin is not None:
            line = f'  File "{node.origin.file}", line {node.origin.line}'
            error.add_note(f"{line}\n  in the test value of {node.label()}")
        raise
    for v, value in found.items():
        v.tag.test_value = value


def _missing(node: Apply, k: int, v: Variable, error: AttributeError) -> None:
    how = config.compute_test_value
    text = f"Cannot compute test value: input {k} ({v}) of Op {node} missing default value"
    if how == "raise":
        place = f', made in "{v.origin.file}", line {v.origin.line}' if v.origin else ""
        raise ValueError(f"{text}{place}: set its tag.test_value") from None
    if how == "warn":
        warnings.warn(f"Warning, {text}", UserWarning, stacklevel=stack_level())
    if how == "pdb":
        pdb.post_mortem(error.__traceback__)


def _of_graph(node: Apply) -> dict[Variable, Any]:
    """The values of a gradient: its graph is run over the test values of its leaves."""
    free = [
        v for v in leaves(node.outputs)
        if not isinstance(v, (Constant, SharedVariable)) and hasattr(v.tag, "test_value")
    ]  # fmt: skip
    function = symbolic_function(
        free, list(node.outputs), mode="FAST_COMPILE", on_unused_input="ignore",
        no_default_updates=True,
    )  # fmt: skip
    return dict(zip(node.outputs, function(*map(get_test_value, free)), strict=True))


infer.observers.append(compute)

__all__ = ["compute", "get_test_value"]
