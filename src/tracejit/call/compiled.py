"""What a compiled function consists of: its options, and its paths."""

from __future__ import annotations

import types
from typing import Any

from tracejit.call.paths import Paths
from tracejit.native.caller import Caller


class Compiled(Caller):
    """A function and its compiled paths, as its calls see it; `function.Function` is the user's."""

    #: Whether it is called by a function of the user's in the place of the plain one.
    inner = False
    #: Of how many functions, one in the other, it is a part.
    depth = 0

    def __init__(
        self,
        f: types.FunctionType,
        name: str | None = None,
        on_unsupported: str | None = None,
        stabilise: bool = False,
        convert_arrays: bool = False,
        device: str | None = None,
    ) -> None:
        super().__init__(f)
        self.__wrapped__ = f
        self.__name__ = name or f.__name__
        self.__qualname__ = f.__qualname__
        self.__module__ = f.__module__
        self.__doc__ = f.__doc__
        self.on_unsupported = on_unsupported
        self.stabilise = stabilise
        self.convert_arrays = convert_arrays
        #: Where it runs; None where the settings say so.
        self.device = device
        self._paths: Paths[Any] = Paths()
        self.stats = self._paths.stats
        self._recent: tuple[Any, ...] = ()
        self._refused: dict[Any, Any] = {}
        #: How often each reason was met, and what no further call is traced for.
        self._refusals: dict[Any, int] = {}
        self._often: Any = None
        #: Calls that are known to run plainly, and what runs them: see `shortcut`.
        self._shortcuts: tuple[Any, ...] = ()
        self._shortcut: Any = None
        self._dynamic: set[str] = set()
        self._signature: Any = None
        #: The parts of the function between what cannot be compiled: see `segments`.
        self._segments: Any = None
        #: Those that it is one of.
        self._within: Any = None
