"""Arrays on a device as arguments of functions, and as what they have from outside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracejit.config import config
from tracejit.errors import DeviceError, NotTraceable
from tracejit.lower.registry import target
from tracejit.lower.target import Residence


def residence_of(device: str) -> Residence | None:
    """Where functions of a device have their arrays; None where these are NumPy's."""
    return None if device == "cpu" else target(device).residence


def is_device_array(value: Any) -> bool:
    """Whether a value is of a class whose arrays are on devices, ours or another library's."""
    kind = type(value)
    own = hasattr(kind, "__tracejit_device__") or hasattr(kind, "__cuda_array_interface__")
    return own and not isinstance(value, type)


def device_array(value: Any, path: str, device: str) -> np.ndarray | None:
    """The shadow of an array that lies on `device`; None for what lies on none.

    DeviceError for one of ours that a function of another device is given, NotTraceable where no
    program takes it.
    """
    if not is_device_array(value):
        return None
    residence = residence_of(device)
    if residence is None:
        ours = getattr(value, "__tracejit_device__", None)
        if ours is None:
            return None  # another library's, with rules of its own
        raise DeviceError(
            f"{path} lies on {ours}, and the function runs on {device}: pass {path}.get(), "
            f"or compile it for that by tracejit.function(f, device={ours!r})"
        )
    shadow = residence.array(value)
    if shadow is None:
        return None
    if not config.compile:
        raise NotTraceable(
            f"{path} lies on {device}, where nothing interprets a graph",
            "leave config(compile=False) out",
        )
    if not shadow.flags.aligned:
        raise NotTraceable(f"{path} is not aligned", "pass a copy")
    return shadow


def run_plainly(
    f: Any, device: str, args: tuple[Any, ...], kwargs: dict[str, Any], keep: bool = True
) -> Any:
    """`f` called in NumPy: where it is for another device, on what is downloaded from there.

    What it writes is sent back, unless it is not to be kept, and arrays that it gives are uploaded:
    a result is where it would have been.
    """
    residence = residence_of(device)
    if residence is None:
        return f(*args, **kwargs)
    return residence.plainly(f, args, kwargs, keep)


class ArraysOn(NamedTuple):
    """The arrays of a residence, for a driver's text."""

    residence: Residence

    def takes(self, value: Any) -> bool:
        """Whether a value that has been described is one of them."""
        return is_device_array(value) and self.residence.array(value) is not None


def array_on(device: str) -> ArraysOn | None:
    """The arrays on a device of this name; None where they are NumPy's."""
    residence = residence_of(device)
    return None if residence is None else ArraysOn(residence)
