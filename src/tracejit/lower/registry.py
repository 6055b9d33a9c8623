"""The targets there are, by the name of their device. Each registers itself when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tracejit.config import device as chosen
from tracejit.theano import flags

if TYPE_CHECKING:
    from tracejit.lower.target import Target

_makers: dict[str, Callable[[], Target]] = {}
_targets: dict[str, Target] = {}


def register(device: str, make: Callable[[], Target]) -> None:
    """Let `config.device` be `device`, whose target `make` gives when it is first asked for."""
    flags.allow("device", device)
    _makers[device] = make
    _targets.pop(device, None)


def target(device: str | None = None) -> Target:
    """The target of a device: of `config.device`, if none is named. ValueError if there is none."""
    name = chosen() if device is None else device
    flags.require("device", name)
    if name not in _targets:
        _targets[name] = _makers[name]()
    return _targets[name]
