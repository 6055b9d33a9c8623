"""Where symbolic functions run, and where the values of their states are: on the host, or a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracejit.config import config
from tracejit.errors import DeviceError
from tracejit.lower.devices import is_device_array, residence_of
from tracejit.lower.target import Residence


def device_of(containers: Iterable[Any]) -> str:
    """The device of a function: that of its states, or ``config.device``, if they are the host's.

    DeviceError where they are on several.
    """
    found = {c.device: c for c in containers if c.device}
    if len(found) > 1:
        names = " and ".join(f"{c.name or 'one'} on {device}" for device, c in found.items())
        raise DeviceError(f"the shared variables of a function lie on one device, not {names}")
    return next(iter(found), None) or str(config.device)


def home_of(device: str) -> Residence:
    """Where the arrays of a GPU are. DeviceError for the host."""
    found = residence_of(device)
    if found is None:
        raise DeviceError(f"{device} is no GPU: it has no memory of its own")
    return found


def on_host(value: Any) -> Any:
    """An array on a GPU as one of NumPy's; all else as it is."""
    return value.get() if hasattr(type(value), "__tracejit_device__") else value


def shadow(value: Any) -> Any:
    """What tells how an array lies in memory; it must not be read."""
    return value.array if hasattr(type(value), "__tracejit_device__") else value


def taken(value: Any, device: str) -> Any:
    """An argument for a function of `device`: another library's array as one of ours.

    DeviceError for an array on a GPU where the function runs elsewhere.
    """
    if not is_device_array(value):
        return value
    residence = residence_of(device)
    if residence is not None:
        found = residence.array(value)
        return value if found is None or shadow(value) is found else residence.wrap(found)
    if hasattr(type(value), "__tracejit_device__"):
        raise DeviceError(
            f"an argument lies on {value.device}, and the function runs on {device}: pass its "
            f"array, x.get(), or make its shared variables by tracejit.shared(..., "
            f"device={value.device!r})"
        )
    return value
