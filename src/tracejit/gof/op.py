"""Ops and their applications, under the names of ``theano.gof.op``."""

from __future__ import annotations

from tracejit.symbolic.graph import Apply
from tracejit.symbolic.op import MethodNotDefined, Op
from tracejit.symbolic.test_values import get_test_value

PureOp = COp = Op

__all__ = ["Apply", "COp", "MethodNotDefined", "Op", "PureOp", "get_test_value"]
