"""Calls that NumPy runs though their arrays are on a GPU: on copies, which are sent back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir.types import canonical_dtype
from tracejit.plan.structure import assemble, children_of


class _Values:
    """The values of one call, there and back."""

    def __init__(self, home: Any) -> None:
        self.home = home
        self.mirrors = home.mirrors()
        self.given: list[np.ndarray] = []
        #: Lists and dicts with device arrays in them: the caller's, its copy, and what that held.
        self.containers: list[tuple[Any, Any, list[Any]]] = []

    def brought(self, value: Any) -> Any:
        """A value for NumPy: with stand-ins in the place of device arrays."""
        if isinstance(value, np.ndarray):
            self.given.append(value)
            return value
        if not hasattr(type(value), "__tracejit_device__"):
            parts = children_of(value)
            if parts is None or parts.kind == "dataclass":
                return value
            children = [self.brought(child) for child in parts.children]
            if all(a is b for a, b in zip(children, parts.children, strict=True)):
                return value
            made = _assembled(parts, children)
            if parts.kind in ("list", "dict"):
                self.containers.append((value, made, _held(made)))
            return made
        self.home.array(value)  # which raises for another device
        return self.mirrors.of(value)

    def sent(self, value: Any) -> Any:
        """A result of NumPy's as a program on the device would have given it."""
        for original, copy, _ in self.containers:
            if copy is value:
                return original
        if isinstance(value, (np.ndarray, np.generic)):
            known = self.mirrors.value_of(value)
            if known is not None:
                return known
            seen = self.mirrors.seen(value) if isinstance(value, np.ndarray) else None
            if seen is not None:
                return self.home.wrap(seen)
            given = any(np.may_share_memory(value, x) for x in self.given)
            here = given or canonical_dtype(value.dtype) is None  # which no device has
            return value if here else self.home.put(value)
        parts = children_of(value)
        if parts is None or parts.kind == "dataclass":
            return value
        children = [self.sent(child) for child in parts.children]
        if all(a is b for a, b in zip(children, parts.children, strict=True)):
            return value
        return _assembled(parts, children)

    def finish(self) -> None:
        """Send back what was written."""
        self.mirrors.send_back()
        for original, copy, before in self.containers:
            now = _held(copy)
            if len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True)):
                continue
            if isinstance(original, list):
                original[:] = [self.sent(v) for v in copy]
            else:
                items = {k: self.sent(v) for k, v in copy.items()}
                original.clear()
                original.update(items)


def _held(container: Any) -> list[Any]:
    if isinstance(container, dict):
        return [*container.keys(), *container.values()]
    return list(container)


def _assembled(parts: Any, children: list[Any]) -> Any:
    if parts.kind == "dict":
        return dict(zip(parts.keys, children, strict=True))
    return assemble(parts, children)


def plainly(home: Any, f: Callable[..., Any], args: Any, kwargs: Any, keep: bool) -> Any:
    """`f` called in NumPy; what it writes into arguments is sent back, to `keep` it.

    It is also where `f` raises.
    """
    values = _Values(home)
    arguments = [values.brought(a) for a in args]
    named = {name: values.brought(a) for name, a in kwargs.items()}
    try:
        result = f(*arguments, **named)
    except BaseException:
        values.finish()
        raise
    if keep:
        values.finish()
    return values.sent(result)
