"""Flags of one's own, under the names of ``theano.configparser``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tracejit.config import Config as TheanoConfigParser
from tracejit.config import config
from tracejit.theano import flags
from tracejit.theano.flags import change_flags

THEANO_FLAGS = os.environ.get("THEANO_FLAGS", "")


def parse_config_string(text: str, issue_warnings: bool = True) -> dict[str, str]:
    """The flags that a text such as that of ``THEANO_FLAGS`` sets."""
    parts = (part.strip().partition("=") for part in text.split(","))
    return {name: value for name, sign, value in parts if sign}


THEANO_FLAGS_DICT = parse_config_string(THEANO_FLAGS)


class ConfigParam:
    """What a flag may be, and its `default`; `filter` checks and converts a value."""

    allowed: Any = str

    def __init__(
        self, default: Any, filter: Callable[[Any], Any] | None = None, allow_override: bool = True
    ) -> None:
        self.default = default
        self.filter = filter


class StrParam(ConfigParam):
    """A text."""

    def __init__(self, default: Any, is_valid: Any = None, allow_override: bool = True) -> None:
        super().__init__(default, None, allow_override)


class IntParam(StrParam):
    """A whole number."""

    allowed = int


class FloatParam(StrParam):
    """A number."""

    allowed = float


class BoolParam(StrParam):
    """True or False."""

    allowed = (True, False)


class EnumStr(ConfigParam):
    """One of several texts."""

    def __init__(self, default: Any, *options: Any, **kwargs: Any) -> None:
        super().__init__(default)
        self.allowed = (default, *options)


def AddConfigVar(
    name: str, doc: str, configparam: ConfigParam, root: Any = config, in_c_key: bool = True
) -> None:
    """Add a flag to ``config``: ``AddConfigVar("mine.size", "its meaning", IntParam(3))``.

    >>> import tracejit
    >>> AddConfigVar("example.size", "how many", IntParam(3))
    >>> tracejit.config.example.size
    3
    """
    default = configparam.default
    flags.add(name, default() if callable(default) else default, configparam.allowed)


__all__ = [
    "THEANO_FLAGS",
    "THEANO_FLAGS_DICT",
    "AddConfigVar",
    "BoolParam",
    "ConfigParam",
    "EnumStr",
    "FloatParam",
    "IntParam",
    "StrParam",
    "TheanoConfigParser",
    "change_flags",
    "config",
    "parse_config_string",
]
