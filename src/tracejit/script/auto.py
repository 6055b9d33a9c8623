"""``tracejit.auto()``: in a notebook, what takes the time is compiled from the next cell on."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

from tracejit.api import function
from tracejit.script.decorating import replaced
from tracejit.script.sampling import EVERY, Sampler


class Auto:
    """Looks where the time goes, and compiles the functions that take a `share` of it.

    As a context manager it does so at the end of the block; in a notebook, once it is made, at the
    end of each cell. `functions` are those that it has compiled.
    """

    def __init__(self, share: float = 0.1, seconds: float = 0.1) -> None:
        if not 0 < share <= 1 or seconds < 0:
            raise ValueError("share lies above 0 and up to 1, and seconds at 0 or above")
        self.share, self.seconds = share, seconds
        self.functions: dict[str, Any] = {}
        self._sampler: Sampler | None = None

    def __enter__(self) -> Auto:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __repr__(self) -> str:
        compiled = ", ".join(self.functions) or "nothing yet"
        return f"<tracejit auto: compiled {compiled}>"

    def begin(self, *_: object) -> None:
        """Look where the time of this thread goes."""
        self.end()
        self._sampler = Sampler().__enter__()

    def end(self, *_: object) -> None:
        """Compile what has taken the time since `begin`."""
        sampler, self._sampler = self._sampler, None
        if sampler is None:
            return
        sampler.__exit__()
        for code, count in sampler.within.items():
            if sampler.share(code) >= self.share and count * EVERY >= self.seconds:
                self._compile(code)

    def _compile(self, code: types.CodeType) -> None:
        for module in list(sys.modules.values()):
            *way, name = code.co_qualname.split(".")
            try:
                owner = functools.reduce(getattr, way, module)
                value = vars(owner).get(name)
            except (AttributeError, TypeError):
                continue
            plain = getattr(value, "__func__", value)
            if isinstance(plain, types.FunctionType) and plain.__code__ is code:
                compiled = replaced(value, lambda f: function(f, on_unsupported="warn"))
                setattr(owner, name, compiled)
                self.functions[code.co_qualname] = compiled


def auto(*, share: float = 0.1, seconds: float = 0.1) -> Auto:
    """Compile the functions that take the time, without a change to them.

    In a notebook, a first cell ``tracejit.auto()`` is enough: after each cell, functions of the
    user's in which at least `share` of its time went, and at least `seconds`, are replaced by
    compiled ones, under their names. Elsewhere it is used by ``with``:

    >>> import numpy as np
    >>> import tracejit
    >>> with tracejit.auto() as found:
    ...     pass
    >>> found
    <tracejit auto: compiled nothing yet>

    ValueError for a `share` outside of (0, 1], or negative `seconds`.
    """
    found = Auto(share, seconds)
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell:
        shell.events.register("pre_run_cell", found.begin)
        shell.events.register("post_run_cell", found.end)
    return found
