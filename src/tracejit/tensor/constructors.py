"""Constructors of symbolic variables: ``T.dmatrix("x")``, ``T.scalars("a", "b")``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.symbolic.type import TensorType

_PATTERNS: dict[str, tuple[bool, ...]] = {
    "scalar": (),
    "vector": (False,),
    "row": (True, False),
    "col": (False, True),
    "matrix": (False, False),
    **{f"tensor{n}": (False,) * n for n in range(3, 8)},
}
_PREFIXES = {
    "b": "int8", "w": "int16", "i": "int32", "l": "int64", "f": "float32", "d": "float64",
    "c": "complex64", "z": "complex128",
}  # fmt: skip
_PLURALS = {"matrix": "matrices"}


def _maker(kind: str) -> Callable[..., Any]:
    def make(name: str | None = None, dtype: Any = None) -> Any:
        return TensorType("floatX" if dtype is None else dtype, _PATTERNS[kind])(name)

    make.__name__ = make.__qualname__ = kind
    make.__doc__ = f"A symbolic {kind} of `dtype` (``config.floatX``)."
    return make


def _several(make: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        names = args[0] if len(args) == 1 else args
        if isinstance(names, int):
            return [make() for _ in range(names)]
        if isinstance(names, str) or any(not isinstance(n, (str, type(None))) for n in names):
            names = list(names)
        if len(args) == 1 and len(names) == 1:
            return make(names[0])
        return [make(n) for n in names]

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (
        "One variable a name, or as many as an int says. The characters of a single string are "
        "names; a single one gives a variable and not a list."
    )
    return call


def constructors() -> dict[str, Any]:
    """All constructors by name."""
    found: dict[str, Any] = {}
    for kind, pattern in _PATTERNS.items():
        plural = _PLURALS.get(kind, f"{kind}s")
        found[kind] = _maker(kind)
        found[plural] = _several(found[kind], plural)
        for prefix, dtype in _PREFIXES.items():
            name = f"{prefix}{kind}"
            found[name] = TensorType(dtype, pattern, name)
            if prefix in "fdil":
                found[f"{prefix}{plural}"] = _several(found[name], f"{prefix}{plural}")
    return found


def tensor(dtype: Any, broadcastable: Any, name: str | None = None) -> Any:
    """A symbolic variable of `dtype` and a broadcast pattern."""
    return TensorType(dtype, broadcastable)(name)
