"""Functions of symbolic variables: ``tracejit.function([x, y], outputs, updates=…)``.

The graph is threaded with its states once, when the function is made. A call goes to the driver of
the newest path; where that does not take the arguments, they are converted to the types of the
inputs, and compiled for if need be.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from tracejit.config import config
from tracejit.symbolic import debugmode  # noqa: F401 — which adds the modes that watch
from tracejit.symbolic.call import run
from tracejit.symbolic.composite import composite_function, has_parts
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.copies import copied, duplicate
from tracejit.symbolic.fgraph import FunctionGraph, copy_nodes
from tracejit.symbolic.graph import Variable, leaves
from tracejit.symbolic.inspection import Cell, Maker, Thunk
from tracejit.symbolic.io import In, Out, Slot, bind, bind_at, named
from tracejit.symbolic.modes import Mode, get_mode
from tracejit.symbolic.program import Callee, SymbolicProgram, made_profile
from tracejit.symbolic.replacing import replacements
from tracejit.symbolic.shared import Container, SharedVariable, TensorSharedVariable
from tracejit.symbolic.state import MissingInputError, Threaded, excluded, thread_state
from tracejit.trace.origin import user_origin


class UnusedInputError(Exception):
    """An input that nothing depends on."""


class AliasedMemoryError(Exception):
    """Memory that should be apart is shared."""


class SymbolicFunction(Callee):
    """A compiled symbolic function: call it with values of its inputs.

    ``f[x]`` (a variable, a name or a position) is the state or default kept for an input.
    """

    # Calls -----------------------------------------------------------------------------------

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        subset = kwargs.pop("output_subset", None)
        if subset is not None:
            subset = [self._output_position(key) for key in subset]
        result = run(self, *bind(self, args, kwargs))
        if subset is None:
            return result
        if isinstance(result, dict):
            return {self.structure[k]: result[self.structure[k]] for k in subset}
        results = [result] if self.structure == "single" else result
        return [results[k] for k in subset]

    def _output_position(self, key: Any) -> int:
        """Of an index, or of a key where the outputs are a dict."""
        if isinstance(self.structure, tuple):
            return self.structure.index(key)
        return range(len(self.program.threaded.outputs))[key]

    # State -----------------------------------------------------------------------------------

    def _place(self, key: Any) -> Container:
        found: Container | None = None
        if isinstance(key, str):
            if any(slot.name == key for slot in self.slots):
                found = self.slots[named(self, key)].container
        elif type(key) is int:
            found = self.slots[key].container if 0 <= key < len(self.slots) else None
        for slot in self.slots:
            if slot.variable is key:
                found = slot.container
        for variable, container in zip(self.shared_variables, self.containers, strict=True):
            if found is None and key is not None and (key is variable or key == variable.name):
                found = container
        if found is None:
            raise TypeError(f"Unknown input or state: {key}")
        return found

    def __getitem__(self, key: Any) -> Any:
        return self._place(key).value

    def __setitem__(self, key: Any, value: Any) -> None:
        container = self._place(key)
        container.set(copy.copy(value))

    def __contains__(self, key: Any) -> bool:
        try:
            self._place(key)
        except TypeError:
            return False
        return True

    @property
    def value(self) -> SymbolicFunction:
        """``f.value[x]`` is ``f[x]``."""
        return self

    @property
    def container(self) -> _Containers:
        """``f.container[x]`` is where the value of `x` is kept."""
        return _Containers(self)

    def get_shared(self) -> list[Any]:
        """The shared variables that the function uses."""
        pairs = zip(self.shared_variables, self.program.threaded.states, strict=True)
        return list(dict.fromkeys(v for v, s in pairs if s in self.program.public))

    def free(self) -> None:
        """Give back the arrays that are kept for new values of states."""
        for container in self.containers:
            container.spare = None

    @property
    def input_storage(self) -> list[Any]:
        """Where the values of the inputs are kept, for `fn`, and then the states."""
        public = {id(v) for v in self.get_shared()}
        pairs = zip(self.shared_variables, self.containers, strict=True)
        return [*self.cells(), *(c for v, c in pairs if id(v) in public)]

    def cells(self) -> list[Any]:
        """The places of the inputs: a container where there is a value that is kept."""
        own: dict[int, Cell] = self.__dict__.setdefault("_cells", {})
        for k, slot in enumerate(self.slots):
            if slot.container is None and k not in own:
                own[k] = Cell(slot.variable.type, slot.name)
        return [slot.container or own[k] for k, slot in enumerate(self.slots)]

    @property
    def output_storage(self) -> list[Cell]:
        """Where `fn` leaves its results."""
        made: list[Cell] = self.__dict__.setdefault(
            "_results", [Cell(v.type, v.name) for v in self.outputs]
        )
        return made

    def called(self, given: Mapping[int, Any]) -> Any:
        """The result for values by the positions of their inputs."""
        return run(self, *bind_at(self, given))

    @property
    def fn(self) -> Thunk:
        """A call with the values that `input_storage` holds."""
        return Thunk(self)

    @property
    def maker(self) -> Maker:
        """How the function was made: ``maker.fgraph`` is its graph, with its states as inputs."""
        return Maker(self)

    @property
    def outputs(self) -> list[Variable]:
        """The output variables."""
        return list(self.program.threaded.outputs)

    @property
    def inputs(self) -> list[Variable]:
        """The input variables."""
        return [slot.variable for slot in self.slots]

    @property
    def stats(self) -> Any:
        """Counts and times of the traces and compilations, shared with the copies."""
        return self.program.stats

    def source(self) -> str:
        """The emitted source of the newest path; empty before the first call."""
        return self.program.paths[-1].executable.source if self.program.paths else ""

    def graph(self) -> Any:
        """The array graph of the newest path, or None before the first call."""
        return self.program.paths[-1].graph if self.program.paths else None

    def __repr__(self) -> str:
        names = ", ".join(str(slot.variable) for slot in self.slots)
        return f"<tracejit function {self.name or ''}({names})>"

    # Copies ----------------------------------------------------------------------------------

    def copy(
        self,
        share_memory: bool = False,
        swap: Mapping[Any, Any] | None = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: Any = None,
    ) -> SymbolicFunction:
        """A function of the same compiled program; it returns a list.

        `swap` replaces shared variables by others of the same type; all others stay shared with the
        original. Private states of inputs are copied unless `share_memory`. With `delete_updates`
        nothing is updated. ValueError for a variable that is not used, AssertionError for one of
        another type. Nothing is compiled, unless a state swapped in lies differently in memory.
        """
        return copied(self, share_memory, swap or {}, delete_updates, name, profile)

    def __copy__(self) -> SymbolicFunction:
        return duplicate(self)


class _Containers:
    def __init__(self, function: SymbolicFunction) -> None:
        self._function = function

    def __getitem__(self, key: Any) -> Container:
        return self._function._place(key)


# Making ------------------------------------------------------------------------------------------


def symbolic_function(
    inputs: Any,
    outputs: Any = None,
    mode: Any = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: Any = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: Any = None,
    on_unused_input: str | None = None,
) -> Any:
    """A callable that computes `outputs` from values of `inputs`; see ``tracejit.function``."""
    if name is None:
        place = user_origin()
        name = f"{place.file}:{place.line}" if place else None
    if has_parts(inputs, outputs, updates, givens):
        return composite_function(
            symbolic_function, inputs, outputs, updates, givens, mode=mode, name=name,
            no_default_updates=no_default_updates, rebuild_strict=rebuild_strict,
            allow_input_downcast=allow_input_downcast, profile=profile,
            on_unused_input=on_unused_input or "ignore",
        )  # fmt: skip
    structure, items = _structure(outputs)
    if not isinstance(inputs, (list, tuple)):
        raise Exception(
            "Input variables of a function should be contained in a list, even when there is a "
            "single input."
        )
    if any(isinstance(x, (list, tuple)) for x in inputs) and (updates or givens):
        raise NotImplementedError(
            "inputs that are tuples have no updates and givens beside them: use In"
        )
    mode = get_mode(mode)
    without = excluded(no_default_updates)
    pairs = _updates(updates)
    specs = [_input(x, allow_input_downcast) for x in inputs]
    variables = [s.variable for s in specs]
    _check_inputs(variables)
    replaced = replacements(givens, variables, rebuild_strict)
    for v in variables:
        if isinstance(v, SharedVariable):
            raise TypeError(
                f"Cannot use a shared variable ({v}) as explicit input. Consider substituting a "
                "non-shared variable via the `givens` parameter"
            )
    slots, private = _slots(specs)
    pairs += [(private[s.variable], s.update) for s in specs if s.update is not None]
    public = [v for v in variables if v not in private]
    threaded = thread_state(public, items, pairs, {**private, **replaced}, without, rebuild_strict)
    _check_used(specs, private, threaded, on_unused_input)
    threaded = _rewritten(public, threaded, mode)
    kept = set(private.values())
    way = mode.name
    program = SymbolicProgram(public, threaded, way, {s for s in threaded.states if s not in kept})
    containers = [s.container for s in threaded.states]
    if profile is None:
        profile = getattr(mode, "profile", None) or config.profile
    f = SymbolicFunction(
        program, slots, containers, threaded.states, structure, name, way, made_profile(profile)
    )
    f.made_in, f.watch = mode, mode.watch
    return f


def _rewritten(inputs: list[Variable], threaded: Threaded, mode: Mode) -> Threaded:
    """A program after the users' own rewrites that its mode asks for."""
    rewrites = mode.rewrites()
    if not rewrites:
        return threaded
    outputs = [*threaded.outputs, *(u for _, u in threaded.updates)]
    ends = [*inputs, *threaded.states]
    found = copy_nodes(outputs, {v: v for v in ends})
    graph = FunctionGraph(ends, [found[v] for v in outputs], clone=False)
    for rewrite in rewrites:
        rewrite.optimize(graph)
    count = len(threaded.outputs)
    targets = (s for s, _ in threaded.updates)
    updates = list(zip(targets, graph.outputs[count:], strict=True))
    return Threaded(graph.outputs[:count], updates, threaded.states)


def _check_inputs(variables: list[Variable]) -> None:
    for k, v in enumerate(variables):
        if v in variables[:k]:
            raise UnusedInputError(
                f"Variable {v} is used twice in inputs to function at indices "
                f"{variables.index(v)} and {k}. This would result in values provided for it being "
                "ignored. Please do not duplicate variables in the inputs list."
            )


def _structure(outputs: Any) -> tuple[Any, list[Variable]]:
    """What is returned, and the variables in it: None, "single", a list, or a dict's keys."""
    if outputs is None:
        return None, []
    if isinstance(outputs, dict):
        for key in outputs:
            assert isinstance(key, str), "the keys of a dict of outputs are strings"
        keys = sorted(outputs)
        return tuple(keys), [_output(outputs[k]) for k in keys]
    if isinstance(outputs, (list, tuple)):
        return "list", [_output(o) for o in outputs]
    return "single", [_output(outputs)]


def _output(output: Any) -> Variable:
    variable = output.variable if isinstance(output, Out) else output
    if isinstance(variable, Variable):
        return variable
    try:
        found: Variable = as_tensor_variable(variable)
    except TypeError:
        raise TypeError(
            f"The outputs of a function are symbolic variables; got {variable!r}"
        ) from None
    return found


def _input(x: Any, allow_downcast: bool | None) -> In:
    if isinstance(x, In):
        if allow_downcast is not None and x.allow_downcast is None:
            x.allow_downcast = allow_downcast
        return x
    if isinstance(x, (list, tuple)):
        return _old_style(x, allow_downcast)
    return In(x, allow_downcast=allow_downcast)


def _old_style(x: Sequence[Any], allow_downcast: bool | None) -> In:
    """An input as a tuple: (name, r), (r, value), ((r, update), value), with a name before."""
    parts = list(x)
    name = parts.pop(0) if parts and isinstance(parts[0], str) else None
    update = None
    variable = parts.pop(0) if parts else None
    if isinstance(variable, (list, tuple)) and len(variable) == 2:
        variable, update = variable
    value = parts.pop(0) if parts else None
    if parts or not isinstance(variable, Variable):
        raise TypeError(f"The input specification is not valid: {x}")
    return In(variable, name, value, update, allow_downcast=allow_downcast)


def _updates(updates: Any) -> list[tuple[Any, Any]]:
    if updates is None:
        return []
    if isinstance(updates, Mapping):
        return list(updates.items())
    pairs = []
    for item in updates:
        # Theano's multi-recursive generators give tuples of four, of which two say how many.
        if not isinstance(item, (list, tuple)) or len(item) not in (2, 4):
            raise ValueError(
                "The updates parameter must be an OrderedDict/dict or a list of lists/tuples with "
                "2 elements"
            )
        pairs.append((item[0], item[1]))
    return pairs


def _slots(specs: Sequence[In]) -> tuple[list[Slot], dict[Variable, Any]]:
    """The slots of a function, and the private shared variables of its inputs with states."""
    slots, private = [], {}
    for spec in specs:
        variable, value = spec.variable, spec.value
        if value is None:
            if spec.update is not None:
                raise TypeError(f"{variable} has an update and needs a value to start from")
            slots.append(Slot(spec, None, False))
            continue
        container = getattr(value, "container", value)
        if not isinstance(container, Container):
            kept = variable.type.filter(value, spec.strict, spec.allow_downcast)
            container = Container(variable.type, kept.copy(), spec.name)
        elif container.type != variable.type:
            raise TypeError(
                f"{variable} is {variable.type} and cannot have its value where one of type "
                f"{container.type} is kept"
            )
        default = spec.update is None and not spec.implicit
        slots.append(Slot(spec, container, default))
        if not default:
            private[variable] = TensorSharedVariable(
                variable.type, name=variable.name, container=container
            )
    return slots, private


def _check_used(
    specs: list[In], private: Mapping[Variable, Any], threaded: Threaded, action: str | None
) -> None:
    action = config.on_unused_input if action is None else action
    if action not in ("raise", "warn", "ignore"):
        raise ValueError(
            f"Invalid value for keyword on_unused_input: '{action}'. Valid values are 'raise', "
            "'warn', and 'ignore'."
        )
    if action == "ignore":
        return
    everything = [*threaded.outputs, *(u for _, u in threaded.updates)]
    inputs = [private.get(s.variable, s.variable) for s in specs]
    used = set(leaves(everything, inputs))
    for position, variable in enumerate(inputs):
        if variable in used or specs[position].update is not None:
            continue
        text = (
            "function was asked to create a function computing outputs given certain inputs, but "
            f"the provided input variable at index {position} is not part of the computational "
            f"graph needed to compute the outputs: {variable}.\nTo make this error into a warning, "
            "you can pass the parameter on_unused_input='warn' to function. To disable it "
            "completely, use on_unused_input='ignore'."
        )
        if action == "raise":
            raise UnusedInputError(text)
        warnings.warn(text, UserWarning, stacklevel=4)


__all__ = [
    "AliasedMemoryError",
    "MissingInputError",
    "SymbolicFunction",
    "UnusedInputError",
    "symbolic_function",
]


# Variables ---------------------------------------------------------------------------------------


def evaluated(v: Variable, inputs_to_values: Mapping[Variable, Any] | None = None) -> Any:
    """The value of this variable where its inputs have the given values.

    Compiled once for each set of inputs.

    >>> import tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> (x + 1).eval({x: 2.0})
    array(3.)
    """
    given = inputs_to_values or {}
    variables = tuple(sorted(given, key=id))
    known = v.__dict__.setdefault("_eval_functions", {})
    if variables not in known:
        known[variables] = symbolic_function(list(variables), v, on_unused_input="ignore")
    return known[variables](*(given[i] for i in variables))


setattr(Variable, "eval", evaluated)  # noqa: B010
