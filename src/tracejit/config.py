"""Settings: from the environment, or for a while by ``with tracejit.config(debug=2):``.

`debug`           TRACEJIT_DEBUG, 0 to 5; each level prints more: 1 traces and compilations,
                  2 runs, 3 the graph after each pass, 4 the source, 5 the assembly
`compile`         TRACEJIT_COMPILE: false runs the interpreter
`check`           TRACEJIT_CHECK: true verifies the graph after every pass
`threads`         TRACEJIT_THREADS: most threads that a call may use; 0 is all available
`on_unsupported`  TRACEJIT_ON_UNSUPPORTED: "warn" or "error", about what cannot be compiled
`cache`           TRACEJIT_CACHE: false keeps no compiled code on disk
`cache_size`      TRACEJIT_CACHE_SIZE: megabytes of compiled code that are kept on disk, the least
                  recently used going first; 0 is no limit
`budget`          TRACEJIT_BUDGET: seconds that compiling a call may take, as estimated before; a
                  call that would take more runs in NumPy; 0 is no limit
`device`          TRACEJIT_DEVICE: where functions run, "cpu", "cuda" or "cuda:1" and so on

A change made by ``with`` is seen by its own thread (or asynchronous task) alone.

Theano's flags (`floatX`, `cast_policy`, …, see ``flags``) are attributes too, and may be assigned.
"""

from __future__ import annotations

import os
from contextvars import ContextVar, Token
from typing import Any

from tracejit.theano import flags

#: The name of the threads that compile in the background.
COMPILER = "tracejit compiler"
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_NAMES = (
    "debug", "compile", "check", "threads", "on_unsupported", "cache", "cache_size", "budget",
    "device",
)  # fmt: skip
#: Without a device of its own, a setting has that of the flags.
_DEFAULTS: tuple[Any, ...] = (0, True, False, 0, "warn", True, 128, 2.0, "")

#: Settings that are whole numbers from 0 on, and the largest.
_WHOLE = {"debug": 5, "threads": 4096, "cache_size": 1 << 20}


class Settings:
    """One immutable set of values."""

    __slots__ = _NAMES

    debug: int
    compile: bool
    check: bool
    threads: int
    on_unsupported: str
    cache: bool
    cache_size: int
    budget: float
    device: str

    def __init__(self, *values: Any) -> None:
        for name, value in zip(_NAMES, values, strict=True):
            setattr(self, name, value)

    def replace(self, **changes: Any) -> Settings:
        """A copy with `changes`, which are checked; TypeError or ValueError where they are bad."""
        values = {name: getattr(self, name) for name in _NAMES}
        for name, value in changes.items():
            if name not in values:
                raise TypeError(f"config() has no setting {name!r}; there are: {', '.join(_NAMES)}")
            values[name] = _checked(name, value, name)
        return Settings(*values.values())


def _checked(name: str, value: Any, shown: str) -> Any:
    if name == "device":
        flags.require("device", value)
        return value
    if name == "on_unsupported":
        if value not in ("warn", "error"):
            raise ValueError(f'{shown} must be "warn" or "error", not {value!r}')
        return value
    if name in _WHOLE:
        top = _WHOLE[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{shown} must be an integer, not {value!r}")
        if not 0 <= value <= top:
            raise ValueError(f"{shown} must be between 0 and {top}, not {value}")
        return value
    if name == "budget":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{shown} must be a number of seconds, not {value!r}")
        if not value >= 0:
            raise ValueError(f"{shown} must not be negative, not {value}")
        return float(value)
    if not isinstance(value, bool):
        raise TypeError(f"{shown} must be True or False, not {value!r}")
    return value


def _from_text(name: str, text: str) -> Any:
    shown = f"environment variable TRACEJIT_{name.upper()}"
    text = text.strip()
    if name in _WHOLE:
        if not text.isdecimal():
            raise ValueError(f"{shown} must be a whole number, not {text!r}")
        return _checked(name, int(text), shown)
    if name == "on_unsupported":
        return _checked(name, text.lower(), shown)
    if name == "device":  # which ones there are is known later
        return text
    if name == "budget":
        try:
            return _checked(name, float(text), shown)
        except ValueError:
            raise ValueError(f"{shown} must be a number of seconds, not {text!r}") from None
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{shown} must be 1 or 0 (true or false), not {text!r}")


def _from_environment() -> Settings:
    values = list(_DEFAULTS)
    for k, name in enumerate(_NAMES):
        text = os.environ.get(f"TRACEJIT_{name.upper()}")
        if text:
            values[k] = _from_text(name, text)
    return Settings(*values)


_base = _from_environment()
_current: ContextVar[Settings] = ContextVar("tracejit_settings", default=_base)

#: The settings in force here, as one object: two calls under equal settings see the same one.
settings = _current.get


def device() -> str:
    """The name of the device on which functions run, if they name none."""
    found: str = _current.get().device or flags.get("device")
    return found


def _renew() -> None:
    """Let callers ask again under which settings they run: a flag has changed."""
    _current.set(_current.get().replace())


flags.renew["device"] = _renew


class _Override:
    """Context manager: `changes` are in force inside."""

    __slots__ = ("_changes", "_tokens")

    def __init__(self, changes: dict[str, Any]) -> None:
        self._changes = changes
        self._tokens: list[Token[Settings]] = []

    def __enter__(self) -> Config:
        self._tokens.append(_current.set(_current.get().replace(**self._changes)))
        return config

    def __exit__(self, *_exception: object) -> None:
        _current.reset(self._tokens.pop())


class Config:
    """``tracejit.config``: attributes read the settings; a call changes them for a while.

    >>> with config(compile=False):
    ...     config.compile
    False
    """

    __slots__ = ()

    def __call__(self, **changes: Any) -> _Override:
        _current.get().replace(**changes)  # complain here, at the user's line
        return _Override(changes)

    def __getattr__(self, name: str) -> Any:
        if name == "device":
            return device()
        if name in _NAMES:
            return getattr(_current.get(), name)
        if flags.is_flag(name):
            return flags.get(name)
        if flags.is_section(name):
            return flags.Section(name)
        raise AttributeError(f"config has no setting {name!r}; there are: {', '.join(_NAMES)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if flags.is_flag(name):
            flags.put(name, value)
            return
        raise AttributeError(
            f"settings are changed by `with tracejit.config({name}={value!r}):` "
            f"or by the environment variable TRACEJIT_{name.upper()}"
        )

    def __dir__(self) -> list[str]:
        return list(_NAMES)

    def __repr__(self) -> str:
        return f"config({', '.join(f'{n}={getattr(self, n)!r}' for n in _NAMES)})"


config = Config()
