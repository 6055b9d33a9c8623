"""What symbolic functions are made of: a threaded program, its compiled paths, and its states."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from tracejit.call.paths import Path, Paths
from tracejit.ir.graph import Graph
from tracejit.native.caller import Caller
from tracejit.plan.callplan import Runnable
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.io import Slot
from tracejit.symbolic.places import device_of
from tracejit.symbolic.shared import Container
from tracejit.symbolic.state import Threaded
from tracejit.symbolic.type import TensorType


class Profile:
    """Calls of a function and their times: ``function(..., profile=True).profile``."""

    def __init__(self) -> None:
        self.fct_callcount = 0
        self.fct_call_time = 0.0

    def summary(self) -> str:
        """Calls, total time and time a call as text."""
        each = self.fct_call_time / max(1, self.fct_callcount)
        return f"{self.fct_callcount} calls, {self.fct_call_time:.6f} s, {each * 1e6:.1f} µs each"


def made_profile(profile: Any) -> Any:
    """What ``profile=`` asks for: True is a new `Profile`."""
    return Profile() if profile is True else profile or None


class SymbolicPath(Path):
    """A path of a symbolic function: `sources` names the graph's inputs as (kind, position).

    And `kinds` what its outputs are.
    """

    def __init__(
        self,
        key: Any,
        graph: Graph,
        executable: Runnable,
        sources: list[tuple[str, Any]],
        kinds: list[str],
    ) -> None:
        super().__init__(key, graph, executable)
        self.sources = sources
        self.kinds = kinds


class SymbolicProgram:
    """What copies of a function share: the threaded program and its compiled paths.

    `public` are the shared variables that the user knows; the other states belong to inputs.
    """

    def __init__(
        self, inputs: Sequence[Variable], threaded: Threaded, mode: str, public: set[Any]
    ) -> None:
        self.inputs = list(inputs)
        self.threaded = threaded
        self.mode = mode
        self.public = public
        #: An input that is no array, of which nothing can be compiled.
        self.other = next((v for v in inputs if not isinstance(v.type, TensorType)), None)
        self.paths: Paths[SymbolicPath] = Paths()
        self.stats = self.paths.stats
        #: Formulas are computed as they are written, and not in a form that is better behaved.
        self.exact = False


class Callee(Caller):
    """A symbolic function as its calls see it; its users see a `symbolic.SymbolicFunction`."""

    def __init__(
        self, program: SymbolicProgram, slots: Sequence[Slot], containers: Sequence[Container],
        shared_variables: Sequence[Any], structure: Any, name: str | None, mode: str, profile: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.program = program
        self.slots = list(slots)
        self.containers = list(containers)
        self.shared_variables = list(shared_variables)
        self.structure = structure
        self.name = name
        self.mode = mode
        self.profile = profile
        self.trust_input = False
        #: The mode that it was made in, and what that calls before each call of the function.
        self.made_in: Any = None
        self.watch: Any = None
        #: Whether calls update the states.
        self.updating = True
        self.drivers: dict[Any, Any] = {}

    def targets(self) -> list[Container]:
        """The containers of the updates, in their order."""
        if not self.updating:
            return []
        threaded = self.program.threaded
        place = {s: k for k, s in enumerate(threaded.states)}
        return [self.containers[place[s]] for s, _ in threaded.updates]

    def device(self) -> str:
        """Where it runs: where its states are, or by the settings."""
        return device_of(self.containers)

    def updated(self) -> list[Container]:
        """The containers that calls update, in the order in which their locks are taken."""
        return sorted(set(self.targets()), key=id)

    def snapshot(self) -> list[Any]:
        """The values of all states at one moment: nothing comes between what C does."""
        return list(map(_value_of, self.containers))


_value_of = attrgetter("value")
