"""How a function was asked for, in a file."""

from __future__ import annotations

import pickle
from typing import Any


def function_dump(
    filename: str, inputs: Any, outputs: Any = None, mode: Any = None, updates: Any = None,
    givens: Any = None, no_default_updates: bool = False, accept_inplace: bool = False,
    name: str | None = None, rebuild_strict: bool = True, allow_input_downcast: Any = None,
    profile: Any = None, on_unused_input: Any = None, extra_tag_to_remove: Any = None,
) -> None:  # fmt: skip
    """Pickle the arguments of ``tracejit.function`` as a dict, to make the function elsewhere.

    >>> import pickle, tempfile, tracejit, tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     function_dump(folder + "/f", [x], x * 2)
    ...     with open(folder + "/f", "rb") as file:
    ...         f = tracejit.function(**pickle.load(file))
    >>> f(3.0)
    array(6.)
    """
    asked = {
        "inputs": inputs, "outputs": outputs, "mode": mode, "updates": updates, "givens": givens,
        "no_default_updates": no_default_updates, "accept_inplace": accept_inplace, "name": name,
        "rebuild_strict": rebuild_strict, "allow_input_downcast": allow_input_downcast,
        "profile": profile, "on_unused_input": on_unused_input,
    }  # fmt: skip
    with open(filename, "wb") as file:
        pickle.dump(asked, file, -1)


__all__ = ["function_dump"]
