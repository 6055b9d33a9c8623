"""The driver of a symbolic function: it reads inputs and states, calls the program, and updates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.errors import MISS
from tracejit.lower.devices import residence_of
from tracejit.plan.callplan import CallPlan
from tracejit.plan.text import Parameters, make_function
from tracejit.symbolic.io import Slot
from tracejit.symbolic.places import on_host
from tracejit.symbolic.program import Callee, SymbolicPath

#: Locks that one statement takes.
MAX_LOCKS = 16


def driver_of(f: Callee, path: SymbolicPath) -> Any:
    """The driver of a path over the containers of `f`."""
    namespace: dict[str, Any] = {
        "MISS": MISS,
        "_absent": _absent,
        "_ndarray": np.ndarray,
        "_down": on_host,
    }
    residence = residence_of(path.key[3])
    if residence is not None:
        namespace["_array"] = residence.array
    names = {}
    for k, container in enumerate(f.containers):
        namespace[f"_c{k}"] = container
        names[k] = f"_c{k}"
    lines: list[str] = []
    parameters: list[str] = []
    for slot in f.slots:
        text = _parameter(f, slot, lines, namespace)
        # Python wants defaults after one; what is no value is refused by the tests below.
        late = parameters and "=" in parameters[-1] and "=" not in text
        parameters.append(f"{text}=_absent" if late else text)
    if parameters:
        parameters.append("/")  # their names are not the user's
    reads = [k for kind, k in path.sources if kind == "state"]
    if reads:
        places = ", ".join(f"_s{k}" for k in reads)
        lines.append(f"{places} = {', '.join(_state_text(f, names, k) for k in reads)}")
    inputs = []
    for kind, which in path.sources:
        if kind == "constant":
            namespace[f"_k{len(namespace)}"] = which
            inputs.append(f"_k{len(namespace) - 1}")
        else:
            inputs.append(f"p{which}" if kind == "input" else f"_s{which}")
    states = [names[f.containers.index(c)] for c in f.targets()]
    locks = [f"{names[f.containers.index(c)]}.lock" for c in f.updated()]
    # Python nests twenty blocks at most: the first locks are taken around the driver.
    locks, around = locks[-MAX_LOCKS:], locks[:-MAX_LOCKS]
    call = CallPlan(
        Parameters(", ".join(parameters)), lines, inputs, lambda outputs: _result_text(f, outputs),
        namespace, path.kinds, states, ", ".join(locks),
    )  # fmt: skip
    driver = path.executable.driver(call)
    while around:
        around, part = around[:-MAX_LOCKS], around[-MAX_LOCKS:]
        scope = {**namespace, "_inner": driver}
        driver = make_function(
            Parameters("*args"), ["return _inner(*args)"], scope, ", ".join(part)
        )
    return driver


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_absent = _Absent()


def _state_text(f: Callee, names: dict[int, str], k: int) -> str:
    if f.containers[k].device:
        return f"{names[k]}.value.array"
    scalar = f.program.threaded.states[k].type.ndim == 0
    return f"{names[k]}.value[()]" if scalar else f"{names[k]}.value"


def _parameter(f: Callee, slot: Slot, lines: list[str], namespace: dict[str, Any]) -> str:
    """A parameter of the driver; `lines` leave where its value needs a conversion."""
    if slot.private:
        name = f"x{f.slots.index(slot)}"
        lines.append(f"if {name} is not _absent: return MISS")
        return f"{name}=_absent"
    k, kind = f.program.inputs.index(slot.variable), slot.variable.type
    name = f"p{k}"
    if kind.ndim:
        test = [f"if type({name}) is not _ndarray: return MISS"]
        if "_array" in namespace:
            taken = [f"{name} = _array({name})", f"if {name} is None: return MISS"]
            test = [f"if type({name}) is not _ndarray:", *(f"    {line}" for line in taken)]
    else:
        scalar = f"_t_{kind.dtype}"
        namespace[scalar] = kind.numpy_dtype.type
        convert = {
            "i": f"{name} = {scalar}({name}) if type({name}) is int else MISS",
            "u": f"{name} = {scalar}({name}) if type({name}) is int else MISS",
        }.get(kind.numpy_dtype.kind, f"{name} = MISS")
        accepted = f"type({name}) is not {scalar}"
        if kind.dtype == "float64":
            accepted += f" and type({name}) is not float"
            convert = f"{name} = float({name}) if type({name}) is int else MISS"
        if slot.spec.strict:
            convert = f"{name} = MISS"
        test = [f"if {accepted}:", f"    {convert}", f"    if {name} is MISS: return MISS"]
        if kind.dtype == "float64":
            test.insert(
                1, f"    if type({name}) is int and not -{2**53} <= {name} <= {2**53}: return MISS"
            )
    if slot.container is None:
        lines += test
        return name
    namespace[f"_d{k}"] = slot.container
    value = f"_d{k}.value" if kind.ndim else f"_down(_d{k}.value)[()]"
    lines += [f"if {name} is _absent: {name} = {value}", *test]
    return f"{name}=_absent"


def _result_text(f: Callee, outputs: Sequence[str]) -> str:
    outputs = outputs[: len(f.program.threaded.outputs)]
    items = ", ".join(outputs)
    if f.structure is None:
        return "None"
    if f.structure == "single":
        return items
    if f.structure == "list":
        return f"[{items}]"
    return f"{{{', '.join(f'{k!r}: {o}' for k, o in zip(f.structure, outputs, strict=True))}}}"
