"""State to a file and back: values of shared variables and random streams, as plain arrays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tracejit.symbolic.places import on_host
from tracejit.symbolic.shared import SharedVariable

States = Mapping[str, Any] | Iterable[Any]


def save(path: str | Path, states: States) -> None:
    """Write the values of shared variables and of random streams to an ``.npz`` file.

    `states` are shared variables and objects like `RandomStreams` under names, in a dict, or in an
    order. The file holds numbers alone, nothing pickled, and replaces an older one as a whole.
    TypeError for a shared variable whose value is no array of numbers.

    >>> import tempfile, tracejit
    >>> state = tracejit.shared(3.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracejit.save(folder + "/state.npz", {"state": state})
    ...     state.set_value(0.0)
    ...     tracejit.load(folder + "/state.npz", {"state": state})
    >>> state.get_value()
    array(3.)
    """
    arrays = {}
    for name, variable in _variables(states):
        value = on_host(variable.container.value)
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            raise TypeError(f"{name} holds a {type(value).__name__}, no array of numbers")
        arrays[name] = value
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: str | Path, states: States) -> None:
    """Give shared variables and random streams the values that `save` wrote.

    All or none: KeyError where the file's names are others, TypeError where a value does not fit.
    """
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    variables = dict(_variables(states))
    if found.keys() != variables.keys():
        odd = sorted(found.keys() ^ variables.keys())
        raise KeyError(f"{path} and the states given differ in {', '.join(odd)}")
    fitting = {
        n: v.container.there(v.type.filter(found[n], v.strict, v.allow_downcast))
        for n, v in variables.items()
    }
    for name, variable in variables.items():
        variable.container.set(fitting[name])


def _variables(states: States) -> Iterable[tuple[str, SharedVariable]]:
    items = states.items() if isinstance(states, Mapping) else enumerate(states)
    for name, state in items:
        if isinstance(state, SharedVariable):
            yield str(name), state
        elif hasattr(state, "state_updates"):
            for k, update in enumerate(state.state_updates):
                yield f"{name}.{k}", update[0]
        else:
            raise TypeError(f"{name} is a {type(state).__name__}: no state")


__all__ = ["load", "save"]
