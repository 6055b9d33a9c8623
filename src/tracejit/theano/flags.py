"""Settings of the symbolic front end, under Theano's names: attributes of ``tracejit.config``.

They belong to the process. ``THEANO_FLAGS="floatX=float32"`` sets them before it starts,
``change_flags(floatX="float32")`` for a while.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

_MODES = (
    "Mode", "FAST_RUN", "FAST_COMPILE", "DebugMode", "DEBUG_MODE", "NanGuardMode", "stabilize",
)  # fmt: skip
#: name → (default, what it may be; empty for anything).
_FLAGS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "floatX": ("float64", ("float64", "float32", "float16")),
    "cast_policy": ("custom", ("custom", "numpy+floatX")),
    "int_division": ("int", ("int", "raise", "floatX")),
    "on_unused_input": ("raise", ("raise", "warn", "ignore")),
    "stabilise": (True, (True, False)),
    "mode": ("Mode", _MODES),
    "compute_test_value": ("off", ("off", "ignore", "warn", "raise", "pdb")),
    # These have one answer here, which is what every other value of Theano's led to in the end:
    # graphs are always optimised and compiled, and messages always tell all there is.
    "optimizer": ("fast_run", ("fast_run", "fast_compile", "merge", "None")),
    "linker": ("cvm", ("cvm", "c|py", "py", "c", "vm", "cvm_nogc", "vm_nogc")),
    "exception_verbosity": ("low", ("low", "high")),
    "allow_gc": (True, (True, False)),
    "openmp": (False, (True, False)),
    "device": ("cpu", ("cpu",)),
}
_values: dict[str, Any] = {name: default for name, (default, _) in _FLAGS.items()}
#: What is called where a flag has changed.
renew: dict[str, Callable[[], None]] = {}


def is_flag(name: str) -> bool:
    """Whether there is a flag of that name."""
    return name in _FLAGS


def get(name: str) -> Any:
    """The value of a flag."""
    return _values[name]


def allow(name: str, value: Any) -> None:
    """Let a flag have one more value."""
    default, allowed = _FLAGS[name]
    if value not in allowed:
        _FLAGS[name] = default, (*allowed, value)


def require(name: str, value: Any) -> None:
    """ValueError for a value that a flag cannot have."""
    allowed = _FLAGS[name][1]
    if value not in allowed:
        shown = ", ".join(map(repr, allowed))
        raise ValueError(f"config.{name} may be {shown}, not {value!r}")


def put(name: str, value: Any) -> None:
    """Set a flag. ValueError for a value that it cannot have."""
    require(name, value)
    _set(name, value)


def _set(name: str, value: Any) -> None:
    _values[name] = value
    if name in renew:
        renew[name]()


@contextlib.contextmanager
def change_flags(**flags: Any) -> Iterator[None]:
    """A context manager and decorator under which `flags` have other values.

    >>> import tracejit
    >>> with tracejit.change_flags(floatX="float32"):
    ...     tracejit.tensor.vector().dtype
    'float32'
    """
    for name in flags:
        if name not in _FLAGS:
            raise AttributeError(f"there is no flag {name!r}; there are: {', '.join(_FLAGS)}")
    before = {name: _values[name] for name in flags}
    try:
        for name, value in flags.items():
            put(name, value)
        yield
    finally:
        for name, value in before.items():
            _set(name, value)


def _from_environment() -> None:
    for part in os.environ.get("THEANO_FLAGS", "").split(","):
        name, sign, text = part.strip().partition("=")
        if sign and name in _FLAGS:
            values = {str(v): v for v in _FLAGS[name][1]}
            if text not in values:
                raise ValueError(f"THEANO_FLAGS: {name} may be {', '.join(values)}, not {text!r}")
            _values[name] = values[text]


_from_environment()
