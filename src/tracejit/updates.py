"""`OrderedUpdates`: new values of shared variables, as `scan` returns them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from tracejit.symbolic.shared import SharedVariable


class OrderedUpdates(OrderedDict[Any, Any]):
    """A dict from shared variables to their new values; ``+`` joins two of them.

    TypeError for a key that is no shared variable, KeyError where one would get two values.

    >>> import tracejit
    >>> a, b = tracejit.shared(0, "a"), tracejit.shared(0, "b")
    >>> list(OrderedUpdates([(a, a + 1)]) + OrderedUpdates([(b, b + 1)]))
    [a, b]
    """

    def __init__(self, *pairs: Any) -> None:
        super().__init__()
        for given in pairs:
            items = given.items() if isinstance(given, Mapping) else given
            for key, value in items:
                self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, SharedVariable):
            raise TypeError("OrderedUpdates keys must inherit from SharedVariable", key)
        super().__setitem__(key, value)

    def update(self, other: Any = None) -> None:  # type: ignore[override]
        """Take over the values of `other`; KeyError for another value of one that is here."""
        pairs: Iterable[tuple[Any, Any]] = () if other is None else OrderedDict(other).items()
        for key, value in pairs:
            if key in self and self[key] is not value:
                raise KeyError("Collision", key)
            self[key] = value

    def __add__(self, other: Any) -> OrderedUpdates:
        result = OrderedUpdates()
        result.update(self)
        result.update(other)
        return result

    def __radd__(self, other: Any) -> OrderedUpdates:
        result = OrderedUpdates()
        result.update(other)
        result.update(self)
        return result


__all__ = ["OrderedUpdates"]
