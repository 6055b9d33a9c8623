"""Draws from the global random states, which a trace must not make in place of the calls."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from tracejit.config import COMPILER


class RandomGuard:
    """Notices draws from the global random states during a trace.

    What the traced function itself would draw by name is refused before it does; this is about
    libraries that it calls. Their draws are undone where no other thread could have drawn: else
    its numbers would come twice.
    """

    def __init__(self) -> None:
        #: Whether nobody else may draw; our own compiler does not.
        self.alone = all(
            t is threading.current_thread() or t.name == COMPILER for t in threading.enumerate()
        )
        self._numpy = self._numpy_state()
        self._python = self._python_state()

    @staticmethod
    def _numpy_state() -> Any:
        return np.random.get_state() if "numpy.random" in sys.modules else None

    @staticmethod
    def _python_state() -> Any:
        return sys.modules["random"].getstate() if "random" in sys.modules else None

    def _changed(self) -> tuple[bool, bool]:
        python = self._python is not None and self._python_state() != self._python
        if self._numpy is None:
            return False, python
        now = self._numpy_state()
        same = now[2:] == self._numpy[2:] and np.array_equal(now[1], self._numpy[1])
        return not same, python

    def drawn(self) -> bool:
        """Whether something was drawn, by whomever."""
        return any(self._changed())

    def restore(self) -> None:
        """Put the states back, where that takes nothing from others."""
        if not self.alone:
            return
        numpy, python = self._changed()
        if numpy:
            np.random.set_state(self._numpy)
        if python:
            sys.modules["random"].setstate(self._python)
