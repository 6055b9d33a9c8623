"""Where programs of Theano's find `get_test_value`."""

from __future__ import annotations

from tracejit.symbolic.test_values import get_test_value

__all__ = ["get_test_value"]
