"""Exceptions and warnings. Each says where in the user's code, what was met, and what to do."""

from __future__ import annotations

import sys
import threading
import types
from typing import Any

import numpy as np


class _Answer:
    """What a driver says in place of a result."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: The answer of a compiled path that is not valid for the arguments it was given.
MISS = _Answer("MISS")
#: The answer where a call is known to run in plain Python.
PLAIN = _Answer("PLAIN")


class TracejitError(Exception):
    """Base of the errors that tracejit itself raises."""

    #: The way out, where the error knows a better one than its class.
    hint = ""


class ShapeError(TracejitError, ValueError):
    """Shapes that do not fit: NumPy raises ValueError here."""


class AxisError(TracejitError, np.exceptions.AxisError):
    """An axis that the array does not have."""


class DTypeError(TracejitError, TypeError):
    """A dtype for which NumPy has no loop or no safe cast."""


def told(error: TracejitError, hint: str) -> TracejitError:
    """`error`, whose message ends with `hint` as the way out."""
    error.hint = hint
    return error


class UnsupportedError(TracejitError, TypeError):
    """The function cannot be compiled, and ``on_unsupported="error"`` asked to be told."""


class CompileError(TracejitError, RuntimeError):
    """The back end refused a program: a defect of tracejit."""


class DeviceError(TracejitError, RuntimeError):
    """A GPU, its driver, or a package for one is missing, or does not do what it should."""


class InvalidGraphError(TracejitError, AssertionError):
    """The verifier found a malformed graph: a defect of the pass before it."""


class FailedCheckError(TracejitError, ValueError):
    """A check inside of a region does not hold: the graph is not valid for these arguments."""


class UnsupportedWarning(UserWarning):
    """A function, or a call of it, runs in plain NumPy."""


class _Thread(threading.local):
    refusal: NotTraceable | None = None


_thread = _Thread()


class NotTraceable(Exception):
    """Internal: the trace cannot go on. `reason` and `hint` make the user's message.

    One that is raised is remembered until `forget`, since the user's own ``except Exception`` must
    not keep a trace alive that has been refused.
    """

    #: Whether it is for these arguments alone that NumPy may raise for.
    may_raise = False

    def __init__(self, reason: str, hint: str = "", bound: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        #: Why NumPy cannot run the function either, if it cannot.
        self.bound = bound
        #: (file, line, function), where the traceback does not tell.
        self.place: tuple[str, int, str] | None = None
        #: The variables that it is for, if it is for what is done with them anywhere.
        self.variables: set[str] = set()
        #: The calls of traced copies that it was met in, as (code, last instruction): not all
        #: tracebacks reach them, since others catch what they do not expect.
        self.calls = _calls_of_copies()
        if _thread.refusal is None:
            _thread.refusal = self

    def forget(self) -> None:
        """Called by who handles it: the trace may go on."""
        if _thread.refusal is self:
            _thread.refusal = None


def _calls_of_copies() -> tuple[tuple[types.CodeType, int], ...]:
    """The frames of traced copies, whose globals are no plain dict, innermost first."""
    found = []
    frame: Any = sys._getframe(2)
    while frame is not None:
        if type(frame.f_globals) is not dict:
            found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)


class Hurried(NotTraceable):
    """A first trace, which unrolls all loops, has come to what may rather be a region."""

    def __init__(self) -> None:
        super().__init__("what may be a region is unrolled")


class Raising(NotTraceable):
    """The user's function raises, with a message of values: NumPy knows them."""


class PieceRaises(BaseException):  # no handler of the user's is for it
    """A piece that is traced raises `error`, where it runs: a step, or a side of a branch."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class ByLayout(NotTraceable):
    """What is done depends on how an array lies in memory, which a program's may not as NumPy's."""

    by_layout = True


class RaisesBefore(NotTraceable):
    """What NumPy may raise for comes before a value that decides what is traced."""

    may_raise = True


class OverBudget(NotTraceable):
    """Compiling would take longer than the settings allow."""

    def __init__(self, what: str, budget: float) -> None:
        self.budget = budget
        super().__init__(
            what,
            "a Python loop is compiled step by step: compute with whole arrays; "
            "or allow more seconds, with tracejit.config(budget=60)",
        )


def take_refusal() -> NotTraceable | None:
    """The first NotTraceable on this thread that nobody has handled; forgets it."""
    refusal, _thread.refusal = _thread.refusal, None
    return refusal


def restore_refusal(refusal: NotTraceable | None) -> None:
    """Put back what `take_refusal` gave."""
    _thread.refusal = refusal
