"""``scan``: loops over symbolic arrays, whose steps are graphs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tracejit.config import config
from tracejit.scan_module import evaluate  # noqa: F401 — which adds the op
from tracejit.scan_module.scan_utils import get_updates_and_outputs
from tracejit.scan_module.step import Step
from tracejit.symbolic.convert import (
    NotScalarConstantError,
    as_tensor_variable,
    get_scalar_constant_value,
    patternbroadcast,
    shape_padleft,
)
from tracejit.symbolic.graph import Constant, Variable, leaves, toposort
from tracejit.symbolic.infer import apply
from tracejit.symbolic.rebuild import clone
from tracejit.symbolic.shared import SharedVariable
from tracejit.symbolic.state import MissingInputError, thread_state
from tracejit.symbolic.test_values import get_test_value
from tracejit.updates import OrderedUpdates


class _Sequence(NamedTuple):
    """A sequence and its taps: a slice of it for each, and what stands for an element."""

    slices: list[Any]
    elements: list[Any]


class _Output(NamedTuple):
    """An output of which steps are given what it was: from which `taps`, and the starts.

    The oldest is first, as in `pasts`, what stands for the values; without taps there are none.
    """

    taps: list[int]
    starts: list[Any]
    pasts: list[Any]

    def arguments(self, values: list[Any]) -> list[Any]:
        """What a step function gets, of such values."""
        return [values[len(values) + k] for k in self.taps]


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: Any = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Any, OrderedUpdates]:
    """The outputs of `fn` at each step, one after the other, and the updates of shared variables.

    `fn` is called once, with variables: an element of each of the `sequences`, what the outputs
    were a step before, and the `non_sequences`. It returns outputs, updates (a dict or pairs), and
    ``until(condition)``, each of which may be left out. What it computes is the body of a loop,
    which is compiled with all the rest.

    `sequences`     a variable or a list of them; ``dict(input=x, taps=[-1, 0])`` gives a step the
                    elements at these distances
    `outputs_info`  for each output where it starts; ``dict(initial=x, taps=[-2, -1])`` gives a step
                    what it was at these distances, of rows of `x` at first; None for one that no
                    step is given
    `n_steps`       an int or a symbolic one; without it (or where it is inf or nan) as many as the
                    shortest sequence has elements. Below 0 the loop goes backwards, if it is no
                    symbolic number
    `truncate_gradient`  of how many steps at the end gradients are taken; -1 of all
    `go_backwards`  begin with the last elements
    `strict`        raise MissingInputError for variables that are not passed
    `return_list`   a list of outputs, also of one

    The compiled function must be given the updates: ``function(…, updates=updates)``. `mode`,
    `profile` and `allow_gc` are accepted, and choose nothing.

    Raises TypeError where an output has another type than it starts with, ValueError for arguments
    that do not fit, IndexError in a call with a negative `n_steps`.

    >>> import tracejit, tracejit.tensor as T
    >>> k, a = T.iscalar("k"), T.dvector("a")
    >>> powers, updates = scan(
    ...     lambda before, a: before * a,
    ...     outputs_info=T.ones_like(a), non_sequences=a, n_steps=k,
    ... )
    >>> tracejit.function([a, k], powers[-1], updates=updates)([1, 2, 3], 3)
    array([ 1.,  8., 27.])
    """
    if isinstance(n_steps, float) and not math.isfinite(n_steps):
        n_steps = None
    fixed = _fixed(n_steps)
    if fixed is not None and fixed < 0:
        go_backwards, n_steps, fixed = not go_backwards, -fixed, -fixed
    once = fixed == 1
    rows = [_sequence(s, go_backwards) for s in _listed(sequences)]
    outputs = [_output(o) for o in _listed(outputs_info)]
    others = [
        v if isinstance(v, Variable) else as_tensor_variable(v) for v in _listed(non_sequences)
    ]
    if not rows and n_steps is None:
        raise ValueError(
            "No information about the number of steps provided. Either provide a value for n_steps "
            "argument of scan or provide an input sequence"
        )
    elements = (
        [v[0] for s in rows for v in s.slices] if once else [v for s in rows for v in s.elements]
    )
    pasts = [v for o in outputs for v in o.arguments(o.starts if once else o.pasts)]
    condition, found, updates = get_updates_and_outputs(fn(*elements, *pasts, *others))
    if outputs_info is not None and _listed(outputs_info) and len(found) != len(outputs):
        raise ValueError(
            "Please provide None as outputs_info for any output that does not feed back into scan "
            f"(i.e. it behaves like a map): there are {len(found)} outputs and "
            f"{len(outputs)} entries"
        )
    outputs = outputs or [_Output([], [], []) for _ in found]
    if once:
        stacks = [_unbroadcast(shape_padleft(v)) for v in found]
        return _returned(stacks, return_list), OrderedUpdates(updates)
    called = name or "scan_fn"
    loop = _Inner(
        called,
        fn,
        [v for s in rows for v in s.elements],
        outputs,
        others,
        found,
        updates,
        condition,
    )
    captures = loop.captures(strict)
    step = Step(
        called, _text(fn), n_steps is not None, tuple(loop.elements),
        tuple(tuple(o.pasts) for o in outputs), tuple(loop.states.values()), tuple(captures),
        tuple(loop.outputs), tuple(loop.updates), loop.until,
        max(truncate_gradient, 0),
    )  # fmt: skip
    operands = [
        *([as_tensor_variable(n_steps)] if step.counted else []),
        *(v for s in rows for v in s.slices), *(v for o in outputs for v in o.starts),
        *loop.states, *captures,
    ]  # fmt: skip
    results = apply("scan", operands, step)
    count = len(found)
    return (
        _returned(results[:count], return_list),
        OrderedUpdates(zip(loop.states, results[count:], strict=True)),
    )


# Arguments ---------------------------------------------------------------------------------------


def _listed(x: Any) -> list[Any]:
    if x is None:
        return []
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _fixed(n_steps: Any) -> int | None:
    """The number of steps where it is no symbolic one. ValueError for one that is no integer."""
    if n_steps is None:
        return None
    if isinstance(n_steps, (int, float)):
        return int(n_steps)
    count = as_tensor_variable(n_steps)
    if not count.dtype.startswith(("int", "uint")):
        raise ValueError(f" n_steps must be an int. dtype provided is {count.dtype}")
    if count.ndim:
        raise ValueError(f"n_steps must be a scalar, not {count.type}")
    try:
        return int(get_scalar_constant_value(count))
    except NotScalarConstantError:
        return None


def _sequence(given: Any, backwards: bool) -> _Sequence:
    """The slices of a sequence, so that their elements at the same place are of one step."""
    if not isinstance(given, Mapping):
        given = {"input": given}
    taps = [0] if given.get("taps") is None else [int(k) for k in _listed(given["taps"])]
    x = as_tensor_variable(given["input"])
    if not x.ndim:
        raise ValueError(f"a sequence has an axis to go along, and {x} is a scalar")
    first, last = min(0, *taps, 0), max(0, *taps, 0)
    slices, elements = [], []
    for k in taps:
        start, behind = k - first, last - k
        part = x[start : -behind if behind else None] if start or behind else x
        part = part[::-1] if backwards else part
        part.name = part.name or (f"{x.name}[{start}:]" if x.name else None)
        slices.append(part)
        elements.append(_placeholder(part, x.name, k, part[0]))
    return _Sequence(slices, elements)


def _output(given: Any) -> _Output:
    """What an entry of outputs_info says."""
    if given is None:
        return _Output([], [], [])
    if not isinstance(given, Mapping):
        given = {"initial": given}
    if "return_steps" in given:
        raise ValueError(
            "Using `return_steps` has been deprecated. Simply select the entries you need using a "
            "subtensor. Scan will optimize memory consumption, so do not worry about that."
        )
    taps = [int(k) for k in _listed(given.get("taps"))]
    if given.get("initial") is None:
        if taps:
            raise ValueError(
                "If you are using slices of an output you need to provide a initial state for it",
                given,
            )
        return _Output([], [], [])
    taps = taps or [-1]
    if any(k >= 0 for k in taps):
        raise ValueError("Can not use future taps of outputs", given)
    x: Any = given["initial"]
    x = x if isinstance(x, Variable) else as_tensor_variable(x)
    if taps == [-1]:
        return _Output(taps, [x], [_placeholder(x, x.name, -1, x)])
    if not x.ndim:
        raise ValueError(f"an initial state of several taps has an axis for them; {x} has none")
    starts = [x[k] for k in range(-min(taps))]
    pasts = [_placeholder(v, x.name, k + min(taps), v) for k, v in enumerate(starts)]
    return _Output(taps, starts, pasts)


def _placeholder(x: Any, name: str | None, tap: int, like: Any) -> Any:
    """A variable of the type of `like`, for what is so many steps away."""
    kind = like.type
    made = kind(f"{name}[t{f'{tap:+d}' if tap else ''}]" if name else None)
    if config.compute_test_value != "off":
        with contextlib.suppress(AttributeError):
            made.tag.test_value = get_test_value(like)
    return made


def _unbroadcast(x: Any) -> Any:
    return patternbroadcast(x, (False, *x.broadcastable[1:]))


def _returned(results: list[Any], as_list: bool) -> Any:
    if as_list or len(results) > 1:
        return results
    return results[0] if results else None


def _text(fn: Any) -> str:
    """What a message calls a step function."""
    code = getattr(fn, "__code__", None)
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    return f'{name}, in "{code.co_filename}", line {code.co_firstlineno}' if code else name


# Inner graphs -------------------------------------------------------------------------------------


class _Inner:
    """The graph of a step, with the shared variables that it updates as inputs.

    `states` has for each of these what stands for it.
    """

    def __init__(
        self, name: str, fn: Any, elements: list[Any], outputs: Sequence[_Output],
        others: list[Any], found: list[Any], updates: Mapping[Any, Any], condition: Any,
    ) -> None:  # fmt: skip
        self.name, self.fn, self.elements, self.others = name, fn, elements, others
        self.pasts = [v for o in outputs for v in o.pasts]
        given = [*elements, *self.pasts]
        given += (v for v in others if not isinstance(v, (SharedVariable, Constant)))
        wanted = [*found, *([] if condition is None else [condition])]
        pairs = list(updates.items())
        roots = [*wanted, *(v for _, v in pairs if isinstance(v, Variable))]
        free = [v for v in leaves(roots, given) if not isinstance(v, (SharedVariable, Constant))]
        threaded = thread_state([*given, *free], wanted, pairs, {})
        self.states: dict[Any, Any] = {
            s: s.type(s.name and f"{s.name}_copy") for s, _ in threaded.updates
        }
        new = clone([*threaded.outputs, *(v for _, v in threaded.updates)], self.states)
        self.outputs, self.updates = new[: len(found)], new[len(wanted) :]
        self.until = new[len(found)] if condition is not None else None
        for k, (output, info) in enumerate(zip(self.outputs, outputs, strict=True)):
            if info.pasts and output.type != info.pasts[-1].type:
                self.outputs[k] = self._fitting(output, info.pasts[-1])

    def _fitting(self, output: Any, past: Any) -> Any:
        raise TypeError(
            f"Inconsistency in the inner graph of scan '{self.name}' : an input and an output are "
            "associated with the same recurrent state and should have the same type but have type "
            f"'{past.type}' and '{output.type}' respectively. The initial state is {past.type}, "
            f"and the step function ({_text(self.fn)}) gives {output.type}: cast one of them, or "
            "see T.unbroadcast where only the broadcast pattern differs."
        )

    def captures(self, strict: bool) -> list[Any]:
        """What steps read that is the same in all of them, and is computed around the loop."""
        own = {*self.elements, *self.pasts, *self.states.values()}
        roots = [*self.outputs, *self.updates, *([] if self.until is None else [self.until])]
        if strict:
            self._all_passed(roots, own)
        inside = set(own)
        order = toposort(roots, {*own, *self.others})
        for node in order:
            if any(v in inside for v in node.inputs):
                inside.update(node.outputs)
        read = dict.fromkeys(roots)
        for node in order:
            if node.outputs[0] in inside:
                read.update(dict.fromkeys(node.inputs))
        return [v for v in read if v not in inside and not isinstance(v, Constant)]

    def _all_passed(self, roots: list[Any], own: set[Any]) -> None:
        given = {*own, *self.others}
        for v in leaves(roots, given):
            if v not in given and not isinstance(v, Constant):
                place = f' (made in "{v.origin.file}", line {v.origin.line})' if v.origin else ""
                raise MissingInputError(
                    f"An input of the graph, {v}{place}, was not provided and not given a value."
                    "\nPlease pass this variable to the scan's inner function. Do not forget to "
                    "also pass it to the `non_sequences` attribute of scan."
                )


__all__ = ["scan"]
