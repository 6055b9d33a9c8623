"""Source for a GPU: kernels for its threads, and the host's function that launches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tracejit.lower.kernel.statements import Call, Do, Element, For, Forever, Kernel, Store
from tracejit.lower.kernel.verify import every, names, operands, read_by
from tracejit.lower.target import Source
from tracejit.native.parameters import Array, Number, Parameter

#: The parameter that says where a kernel tells that NumPy would have raised.
FLAG = "flag"
#: Launches from which on it pays that they are one graph.
LEAST_REPLAYED = 4


class ParameterKind(NamedTuple):
    """What a parameter of a kernel is: a scalar, or an array in this layout ("C" or "A")."""

    dtype: np.dtype[Any]
    ndim: int = 0
    layout: str = ""
    written: bool = False

    @property
    def parameter(self) -> Parameter:
        """The same as a function of machine code takes it."""
        if not self.layout:
            return Number(self.dtype)
        return Array(self.dtype, self.ndim, self.layout, readonly=not self.written)


def scalar_kind(dtype: np.dtype[Any]) -> ParameterKind:
    """What a parameter is that is one number of a dtype: float16 is computed in float32."""
    return ParameterKind(np.dtype(np.float32) if dtype.char == "e" else dtype)


@dataclass(frozen=True)
class GridKernel:
    """A kernel for the threads of a grid, with the kinds of its parameters.

    A launch says how many iterations there are along each axis of the grid; or, of a kernel whose
    blocks have so many `threads`, how many blocks.
    """

    name: str
    kernel: Kernel
    kinds: tuple[ParameterKind, ...]
    text: str
    threads: int = 0
    #: How many elements along x each thread takes at a time.
    width: int = 1
    #: How many threads do the work of one together.
    team: int = 1

    def sizes(self) -> list[int]:
        """The bytes of each word of its parameters."""
        return _sizes(self.kinds)


@dataclass(frozen=True)
class LibraryCall:
    """A call of a library's for whole arrays: a `function`, by NumPy's or SciPy's name for it.

    `chars` are the dtypes of its parameters, the last of which it writes. What computes a `row` of
    `ir/gufuncs.py` has as many results as the row, and then lengths; its operands are `given` as
    they are there. Its value is whether NumPy has to be asked, which may raise.
    """

    name: str
    module: str
    function: str
    kinds: tuple[ParameterKind, ...]
    chars: str
    row: str = ""
    given: str = ""

    def sizes(self) -> list[int]:
        """The bytes of each word of its parameters."""
        return _sizes(self.kinds)

    @property
    def text(self) -> str:
        """What a source says of it."""
        of = [self.module, self.function, self.chars, *filter(None, (self.row, self.given))]
        return f"{self.name} = library({', '.join(map(repr, of))})\n"


def _sizes(kinds: Sequence[ParameterKind]) -> list[int]:
    found = []
    for kind in kinds:
        words = 1 + kind.ndim * (1 if kind.layout == "C" else 2)
        found += [8] * words if kind.layout else [kind.dtype.itemsize]
    return found


@dataclass(frozen=True)
class CUDASource(Source):
    """The host's function, whose calls of the `kernels`, by name, are launches.

    A launch is given how many iterations there are along each axis of the grid, x, y and z, and
    then the kernel's arguments.
    """

    kernels: Mapping[str, GridKernel | LibraryCall] = field(default_factory=dict)
    kinds: Mapping[str, ParameterKind] = field(default_factory=dict)

    def is_one_step(self) -> bool:
        """Whether the host's function launches one kernel, once, and reads and writes nothing."""
        steps = [s for s in every(self.kernel.body) if isinstance(s, Do | Store | For | Forever)]
        if len(steps) > 1 or not all(isinstance(s, Do) for s in steps):
            return False
        calls, arrays = self._uses()
        return not arrays and calls.isdisjoint(self._libraries())

    def is_replayable(self) -> bool:
        """Whether it makes several launches, and nothing between them but temporaries.

        Then these may be noted, and launched when it is done: nothing that it does depends on what
        they compute. (The flag is read at the end.)
        """
        calls, arrays = self._uses()
        apart = {"fetched", "put_back", *self._libraries()}
        if self.late or arrays - {FLAG} or not calls.isdisjoint(apart):
            return False
        statements = list(every(self.kernel.body))
        if any(isinstance(s, Store) for s in statements):
            return False
        launches = sum(isinstance(s, Do) and s.call.function in self.kernels for s in statements)
        repeats = any(isinstance(s, For | Forever) for s in statements)
        return launches >= LEAST_REPLAYED or (launches > 0 and repeats)

    def _libraries(self) -> set[str]:
        return {name for name, k in self.kernels.items() if isinstance(k, LibraryCall)}

    def _uses(self) -> tuple[set[str], set[str]]:
        """What the host's function calls, and arrays of which it reads elements, there."""
        left = [e for s in every(self.kernel.body) for e in read_by(s)]
        calls: set[str] = set()
        arrays: set[str] = set()
        while left:
            e = left.pop()
            if isinstance(e, Call):
                calls.add(e.function)
            elif isinstance(e, Element):
                arrays |= names(e.array)
            left += operands(e)
        return calls, arrays
