"""Where values are kept, under the names of ``theano.gof.link``."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.modes import LINKERS
from tracejit.symbolic.shared import Container


class Linker:
    """A linker by its name, which chooses how a function runs: see ``Mode``."""

    def __init__(self, name: str = "cvm", allow_gc: Any = None, **kwargs: Any) -> None:
        if name not in LINKERS:
            raise ValueError(f"no linker {name!r}")
        self.name = name

    def clone(self, allow_gc: Any = None) -> Linker:
        """The same linker."""
        return Linker(self.name)

    def __eq__(self, other: object) -> bool:
        return other == self.name if isinstance(other, str) else self is other

    __hash__ = object.__hash__


class VM_Linker(Linker):
    """The linker that runs compiled programs."""

    def __init__(self, allow_gc: Any = None, use_cloop: bool = False, **kwargs: Any) -> None:
        super().__init__("cvm" if use_cloop else "vm")


class PerformLinker(Linker):
    """The linker that runs a graph node by node in NumPy."""

    def __init__(self, allow_gc: Any = None, schedule: Any = None) -> None:
        super().__init__("py")


def raise_with_op(node: Any, thunk: Any = None, exc_info: Any = None, **kwargs: Any) -> None:
    """Raise the exception at hand, with a note of the application."""
    import sys

    error = sys.exc_info()[1] if exc_info is None else exc_info[1]
    assert error is not None
    error.add_note(f"Apply node that caused the error: {node}")
    raise error


__all__ = ["Container", "Linker", "PerformLinker", "VM_Linker", "raise_with_op"]
