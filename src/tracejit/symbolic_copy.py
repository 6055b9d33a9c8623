"""Copies of symbolic functions over the same compiled program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracejit.sharedvalue import Container, SharedVariable
from tracejit.symbolic import Slot, SymbolicFunction


def copied(
    f: SymbolicFunction,
    share_memory: bool,
    swap: Mapping[Any, Any],
    delete_updates: bool,
    name: str | None,
    profile: Any,
) -> SymbolicFunction:
    """See `SymbolicFunction.copy`."""
    shared_variables, containers = list(f.shared_variables), list(f.containers)
    for old, new in swap.items():
        if old not in shared_variables:
            raise ValueError(f"SharedVariable: {getattr(old, 'name', old)} not found")
        if not isinstance(new, SharedVariable) or new.type != old.type:
            raise AssertionError(
                f"swap replaces a shared variable by one of its type: {old} is {old.type}, "
                f"{new} is {getattr(new, 'type', type(new))}"
            )
        place = shared_variables.index(old)
        shared_variables[place], containers[place] = new, new.container
    slots = []
    for slot in f.slots:
        container = slot.container
        if container is not None and not share_memory and not slot.spec.implicit:
            container = Container(container.type, container.value.copy(), container.name)
            containers = [container if c is slot.container else c for c in containers]
        fresh = Slot(slot.spec, container, slot.default)
        slots.append(fresh)
    if name is None:
        name = f"{f.name} copy" if f.name else None
    new = SymbolicFunction(
        f.plan, slots, containers, shared_variables, "list", name, f.mode, profile
    )
    new.updating = f.updating and not delete_updates
    return new


def duplicate(f: SymbolicFunction) -> SymbolicFunction:
    """Another function over the same states, as ``copy.copy`` gives it."""
    slots = [Slot(s.spec, s.container, s.default) for s in f.slots]
    new = SymbolicFunction(
        f.plan, slots, f.containers, f.shared_variables, f.structure, f.name, f.mode, f.profile
    )
    new.updating = f.updating
    return new
