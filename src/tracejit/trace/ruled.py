"""Values of a trace whose derivative somebody gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from tracejit.ir import ops
from tracejit.ir.node import Node, make
from tracejit.ir.rules.custom import CustomRule, custom_rules, with_rule
from tracejit.ir.rules.record import Cotangents
from tracejit.trace.trace import current

#: Serial numbers of nodes that are to be told from all else.
serial = itertools.count()


def ruled(y: Node, operands: Sequence[Node], pull: Callable[[Node], Cotangents]) -> Node:
    """`y` with a rule: from its cotangent to those of `operands`. It is asked when it is needed."""
    trace = current()
    assert trace is not None
    if trace.may_go_back():  # the values that the rule sees are those of one step
        return with_rule(y, operands, pull)
    number = next(serial)
    kept = custom_rules[number] = CustomRule(pull)
    trace.kept.append(kept)
    return make(ops.STRUCTURAL["custom"], (y, *operands), number, y.type, y.origin)
