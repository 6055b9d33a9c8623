"""Modes of symbolic functions: how they run, what watches them, which rewrites their graphs get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.config import config
from tracejit.symbolic.optdb import Query, optdb
from tracejit.symbolic.rewriting import as_global

#: How functions run.
MODES = ("FAST_RUN", "FAST_COMPILE", "DebugMode", "NanGuardMode")
LINKERS = (
    None, "cvm", "vm", "c|py", "c", "py", "c&py", "cvm_nogc", "vm_nogc", "c|py_nogc",
)  # fmt: skip
OPTIMIZERS = (
    None, "None", "default", "fast_run", "fast_compile", "merge", "o4", "o3", "o2", "o1", "unsafe",
    "fast_run_stable", "fast_compile_gpu", "stabilize", "specialize",
)  # fmt: skip


class Mode:
    """How a function is run: compiled, or with the `linker` "py" node by node in NumPy.

    Graphs are always optimised. `optimizer` chooses among users' own rewrites: those that are
    registered with the tag of its name ("fast_run"), a `Query`, a rewrite, or None for none.

    >>> Mode("py").including("mine")
    Mode(linker='py', optimizer=Query(include=['fast_run', 'mine'], require=[], exclude=[]))
    """

    def __init__(self, linker: Any = None, optimizer: Any = "default") -> None:
        named = isinstance(optimizer, str) or optimizer is None
        if named and optimizer not in OPTIMIZERS:
            raise ValueError(f"no optimizer {optimizer!r}")
        if (isinstance(linker, str) or linker is None) and linker not in LINKERS:
            raise ValueError(f"no linker {linker!r}")
        self.linker, self.provided_linker = linker, linker
        self.provided_optimizer = optimizer
        if optimizer == "default":
            optimizer = "fast_run"
        self.optimizer = optimizer
        self._extra: list[Any] = []

    @property
    def name(self) -> str:
        """Which of the ways to run it is."""
        return "FAST_COMPILE" if self.linker == "py" else "FAST_RUN"

    #: What is called with the function and the values before each call, if anything.
    watch: Callable[[Any, Any], None] | None = None

    @property
    def query(self) -> Query | None:
        """Which registered rewrites it asks for; None for a rewrite of one's own, or for none."""
        if isinstance(self.optimizer, Query):
            return self.optimizer
        if self.optimizer in (None, "None"):
            return None
        if not isinstance(self.optimizer, str):
            return None
        o = {"o1": "fast_compile", "merge": "merge", "fast_compile": "fast_compile"}
        return Query([o.get(self.optimizer, "fast_run")])

    def rewrites(self) -> list[Any]:
        """The rewrites of users' own that a graph gets."""
        query = self.query
        found = [] if query is None else optdb.chosen(query)
        if query is None and not isinstance(self.optimizer, (str, type(None))):
            found.append(self.optimizer)
        return list(map(as_global, [*found, *self._extra]))

    def _with(self, optimizer: Any, extra: Any = ()) -> Any:
        new = type(self).__new__(type(self))
        new.__dict__.update(vars(self))
        new.optimizer, new._extra = optimizer, [*self._extra, *extra]
        return new

    def including(self, *tags: str) -> Any:
        """A mode with the registered rewrites of more tags."""
        return self._with((self.query or Query()).including(*tags))

    def excluding(self, *tags: str) -> Any:
        """A mode without the registered rewrites of these tags."""
        return self._with((self.query or Query()).excluding(*tags))

    def requiring(self, *tags: str) -> Any:
        """A mode with those registered rewrites alone that have these tags, too."""
        return self._with((self.query or Query()).requiring(*tags))

    def register(self, *optimizations: Any) -> Any:
        """A mode with more rewrites: rewrites themselves, or pairs of them and a position."""
        found = [o[0] if isinstance(o, tuple) else o for o in optimizations]
        return self._with(self.optimizer, found)

    def clone(self, link_kwargs: Any = None, optimizer: Any = "", **kwargs: Any) -> Any:
        """The same mode, or one with another `optimizer`."""
        return self._with(self.optimizer if optimizer == "" else optimizer)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and other == self.name)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(linker={self.linker!r}, optimizer={self.optimizer!r})"


class _Named(Mode):
    """A mode that is known by its name."""

    def __init__(self, name: str, optimizer: Any = "fast_run") -> None:
        super().__init__(None, optimizer)
        self._name = name

    @property
    def name(self) -> str:
        """Which of the ways to run it is."""
        return self._name


FAST_RUN = _Named("FAST_RUN")
FAST_COMPILE = _Named("FAST_COMPILE", "fast_compile")
#: The modes that have names.
predefined_modes: dict[str, Any] = {
    "FAST_RUN": FAST_RUN,
    "FAST_COMPILE": FAST_COMPILE,
    "DebugMode": _Named("DebugMode"),
    "DEBUG_MODE": _Named("DebugMode"),
    "NanGuardMode": _Named("NanGuardMode"),
    "Mode": FAST_RUN,
    "stabilize": FAST_RUN,
}


def register_mode(name: str, mode: Mode) -> None:
    """Let `name` stand for a mode. ValueError where it stands for one already."""
    if name in predefined_modes:
        raise ValueError(f"Mode name already taken: {name}")
    predefined_modes[name] = mode


def get_mode(mode: Any) -> Any:
    """The mode of a name, None for ``config.mode``; a mode is itself.

    ValueError for a name that is none.
    """
    name = config.mode if mode is None else mode
    if isinstance(name, Mode):
        return name
    known = isinstance(name, str) and name in predefined_modes
    if not known:
        shown = ", ".join(predefined_modes)
        raise ValueError(f"no mode {mode!r}; there are: {shown}")
    if name == "Mode" and (config.linker == "py" or config.optimizer != "fast_run"):
        optimizer = config.optimizer
        return Mode(config.linker, optimizer if optimizer in OPTIMIZERS else "fast_run")
    return predefined_modes[name]


def get_default_mode() -> Any:
    """The mode of functions that name none."""
    return get_mode(None)


__all__ = [
    "FAST_COMPILE",
    "FAST_RUN",
    "Mode",
    "get_default_mode",
    "get_mode",
    "predefined_modes",
    "register_mode",
]
