"""Copies of symbolic functions over the same compiled program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from tracejit.symbolic.program import Callee, made_profile
from tracejit.symbolic.shared import Container, SharedVariable

F = TypeVar("F", bound=Callee)


def copied(
    f: F,
    share_memory: bool,
    swap: Mapping[Any, Any],
    delete_updates: bool,
    name: str | None,
    profile: Any,
) -> F:
    """See `SymbolicFunction.copy`."""
    shared_variables, containers = list(f.shared_variables), list(f.containers)
    for old, new in swap.items():
        if old not in f.shared_variables:
            raise ValueError(f"SharedVariable: {getattr(old, 'name', old)} not found")
        if not isinstance(new, SharedVariable) or new.type != old.type:
            raise AssertionError(
                f"swap replaces a shared variable by one of its type: {old} is {old.type}, "
                f"{new} is {getattr(new, 'type', type(new))}"
            )
        for place, variable in enumerate(f.shared_variables):
            if variable is old:
                shared_variables[place], containers[place] = new, new.container
    if name is None:
        name = f"{f.name} copy" if f.name else None
    new = _over(f, shared_variables, containers, share_memory, "list", name, made_profile(profile))
    new.updating = f.updating and not delete_updates
    _check_targets(new)
    return new


def duplicate(f: F) -> F:
    """The same function with states and defaults of its own, as ``copy.copy`` gives it."""
    new = _over(f, f.shared_variables, f.containers, False, f.structure, f.name, f.profile)
    new.updating = f.updating
    return new


def _over(
    f: F, shared_variables: list[Any], containers: list[Container],
    share_memory: bool, structure: Any, name: str | None, profile: Any,
) -> F:  # fmt: skip
    """`f` over other states; those of its inputs are copied unless `share_memory`."""
    slots = [s if share_memory else s.copy() for s in f.slots]
    fresh = {id(s.container): new.container for s, new in zip(f.slots, slots, strict=True)}
    containers = [fresh.get(id(c)) or c for c in containers]
    new = type(f)(f.program, slots, containers, shared_variables, structure, name, f.mode, profile)
    new.made_in, new.watch = f.made_in, f.watch
    return new


def _check_targets(f: F) -> None:
    targets = f.targets()
    if len(set(targets)) < len(targets):
        raise ValueError("after the swap, a shared variable has two update expressions")
