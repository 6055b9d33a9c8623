"""What a symbolic function is made of, as Theano's programs look at it: ``f.maker``, ``f.fn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracejit.symbolic.fgraph import FunctionGraph
from tracejit.symbolic.io import In, Out
from tracejit.symbolic.modes import get_mode


class Maker:
    """Where Theano keeps how a function was made: its graph, its inputs and its mode."""

    def __init__(self, f: Any) -> None:
        self._f = f

    @property
    def fgraph(self) -> FunctionGraph:
        """The graph, with the states as inputs, and their new values after the outputs."""
        threaded = self._f.program.threaded
        updates = threaded.updates if self._f.updating else []
        outputs = [*threaded.outputs, *(u for _, u in updates)]
        first = len(threaded.outputs)
        inputs = [*self._f.program.inputs, *threaded.states]
        place = {v: k for k, v in enumerate(inputs)}
        mapping = {first + k: place[s] for k, (s, _) in enumerate(updates)}
        return FunctionGraph(inputs, outputs, clone=False, update_mapping=mapping)

    env = fgraph

    @property
    def inputs(self) -> list[In]:
        """What describes the inputs, and then the shared variables."""
        f = self._f
        updates = dict(f.program.threaded.updates) if f.updating else {}
        implicit = []
        for v, s in zip(f.shared_variables, f.program.threaded.states, strict=True):
            if s in f.program.public:
                made = In(v, value=v.container, borrow=True, mutable=s in updates, shared=True)
                made.update = updates.get(s)
                implicit.append(made)
        return [*(slot.spec for slot in f.slots), *implicit]

    expanded_inputs = inputs

    @property
    def outputs(self) -> Any:
        """What describes the outputs: an `Out`, a list of them, or None."""
        made = [Out(v) for v in self._f.outputs]
        if self._f.structure is None:
            return None
        return made[0] if self._f.structure == "single" else made

    @property
    def unpack_single(self) -> bool:
        """Whether a call gives one value and not a list."""
        return bool(self._f.structure == "single")

    @property
    def output_keys(self) -> list[str] | None:
        """The keys of outputs that are a dict."""
        keys = self._f.structure
        return list(keys) if isinstance(keys, tuple) else None

    @property
    def mode(self) -> Any:
        """The mode."""
        return self._f.made_in or get_mode(self._f.mode)

    @property
    def linker(self) -> Any:
        """The linker that the mode names."""
        return self.mode.linker

    @property
    def profile(self) -> Any:
        """The profile, if there is one."""
        return self._f.profile

    @property
    def name(self) -> str | None:
        """The function's name."""
        name: str | None = self._f.name
        return name

    def create(self, input_storage: Any = None, trustme: bool = False, **kwargs: Any) -> Any:
        """Another function of the same program, with defaults of its own."""
        return self._f.__copy__()


class Cell:
    """The place of a value that a function is given, or gives: ``cell.data``, ``cell[0]``."""

    __slots__ = ("data", "name", "type")

    def __init__(self, type: Any, name: str | None = None) -> None:
        self.type, self.name, self.data = type, name, None

    @property
    def storage(self) -> Cell:
        """This cell as a list of one, under Theano's name."""
        return self

    @property
    def value(self) -> Any:
        """The value."""
        return self.data

    @value.setter
    def value(self, value: Any) -> None:
        self.data = value

    def __getitem__(self, index: int) -> Any:
        return (self.data,)[index]

    def __setitem__(self, index: int, value: Any) -> None:
        if index not in (0, -1):
            raise IndexError("a cell has one place, 0")
        self.data = value

    def __len__(self) -> int:
        return 1


class Thunk:
    """``f.fn``: a call of `f` with what its `input_storage` holds; results are in `output_storage`.

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> f = tracejit.function([x], x * 2)
    >>> f.input_storage[0].data = np.array(3.0)
    >>> f.fn()
    [array(6.)]
    """

    allow_gc = True

    def __init__(self, f: Any) -> None:
        self._f = f

    def __call__(self, output_subset: Sequence[int] | None = None) -> list[Any]:
        f = self._f
        given = [
            cell.data for slot, cell in zip(f.slots, f.cells(), strict=True) if not slot.private
        ]
        slots = [slot for slot in f.slots if not slot.private]
        names = [f.slots.index(slot) for slot in slots]
        result = f.called({k: v for k, v in zip(names, given, strict=True) if v is not None})
        if f.structure is None:
            found = []
        elif f.structure == "single":
            found = [result]
        else:
            found = list(result.values()) if isinstance(result, dict) else list(result)
        for cell, value in zip(f.output_storage, found, strict=True):
            cell.data = value
        return found

    @property
    def nodes(self) -> list[Any]:
        """The applications, operands first."""
        return Maker(self._f).fgraph.toposort()

    @property
    def storage_map(self) -> dict[Any, Any]:
        """Where inputs, states and outputs are kept, by variable."""
        f = self._f
        found = dict(zip(f.outputs, f.output_storage, strict=True))
        found |= dict(zip((s.variable for s in f.slots), f.cells(), strict=True))
        return found | dict(zip(f.shared_variables, f.containers, strict=True))


__all__ = ["Cell", "Maker", "Thunk"]
