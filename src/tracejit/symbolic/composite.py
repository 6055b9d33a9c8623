"""Variables that are several arrays each: functions of them are functions of their parts.

Such a variable has `parts`, and its type makes values of parts and parts of values: `parted(value)`
and `whole(parts)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracejit.symbolic.graph import Variable
from tracejit.symbolic.io import In, Out


def is_composite(x: Any) -> bool:
    """Whether a variable, or what describes an input or output, has parts."""
    x = x.variable if isinstance(x, (In, Out)) else x
    return hasattr(x, "parts") and hasattr(x.type, "whole")


def parts_of(x: Any) -> Sequence[Any]:
    """The parts of a variable; one that has none is its only part."""
    x = x.variable if isinstance(x, Out) else x
    return x.parts if is_composite(x) else (x,)


class CompositeFunction:
    """A function whose inputs and outputs may have parts, by `inner`, a function of those."""

    def __init__(self, inner: Any, specs: Sequence[Any], outputs: Any) -> None:
        self.inner = inner
        self.specs = list(specs)
        self._outputs = outputs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = dict(enumerate(args))
        if len(args) > len(self.specs):
            raise TypeError("Too many parameter passed to tracejit function")
        for name, value in kwargs.items():
            places = [k for k, s in enumerate(self.specs) if s.name == name]
            if len(places) != 1:
                raise TypeError(f"Unknown input or state: {name}.")
            if places[0] in given:
                raise TypeError(f"Multiple values for input: {name}")
            given[places[0]] = value
        flat: dict[int, Any] = {}
        at = 0
        for k, spec in enumerate(self.specs):
            kind = spec.variable.type
            if is_composite(spec):
                value = given.get(k, spec.value)
                if value is None:
                    raise TypeError(f"Missing required input: {spec.name or spec.variable}")
                found = kind.parted(kind.filter(value, spec.strict, spec.allow_downcast))
                flat |= {at + j: part for j, part in enumerate(found)}
                at += len(spec.variable.parts)
                continue
            if k in given:
                slot = self.inner.slots[at].spec
                flat[at] = kind.filter(given[k], slot.strict, slot.allow_downcast)
            at += 1
        result = self.inner.called(flat)
        return _regrouped(self._outputs, result)

    def __repr__(self) -> str:
        return repr(self.inner)


def _regrouped(outputs: Any, result: Sequence[Any]) -> Any:
    """Results in the structure of `outputs`, of their parts."""
    rest = iter(result)

    def one(x: Any) -> Any:
        count = len(parts_of(x))
        if not is_composite(x):
            return next(rest)
        kind = (x.variable if isinstance(x, Out) else x).type
        return kind.whole([next(rest) for _ in range(count)])

    if outputs is None:
        return None
    if isinstance(outputs, Mapping):
        return {key: one(outputs[key]) for key in sorted(outputs)}
    if isinstance(outputs, (list, tuple)):
        return [one(x) for x in outputs]
    return one(outputs)


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    items = given.items() if isinstance(given, Mapping) else given or ()
    return [(pair[0], pair[1]) for pair in items]


def has_parts(inputs: Any, outputs: Any, updates: Any, givens: Any) -> bool:
    """Whether any variable that a function is asked for with has parts."""
    found = list(inputs) if isinstance(inputs, (list, tuple)) else []
    if isinstance(outputs, Mapping):
        found += outputs.values()
    else:
        found += outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for given in (updates, givens):
        items = given.items() if isinstance(given, Mapping) else given or ()
        found += [pair[0] for pair in items if isinstance(pair, (list, tuple)) and pair]
    return any(map(is_composite, found))


def composite_function(
    make: Callable[..., Any], inputs: Any, outputs: Any, updates: Any, givens: Any, **options: Any
) -> CompositeFunction:
    """A function of the parts, and of all else, by `make`."""
    specs = [x if isinstance(x, In) else In(x) for x in inputs]
    flat: list[Any] = []
    for spec in specs:
        if not is_composite(spec):
            flat.append(spec)
            continue
        if spec.update is not None:
            raise TypeError(f"{spec.variable} cannot have an update: make it a shared variable")
        flat += map(In, parts_of(spec.variable))
    if isinstance(outputs, Mapping):
        ends: list[Any] = [outputs[key] for key in sorted(outputs)]
    else:
        ends = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    wanted: list[Any] = [] if outputs is None else [p for x in ends for p in parts_of(x)]
    spread: list[list[tuple[Any, Any]]] = []
    for given in (updates, givens):
        found: list[tuple[Any, Any]] = []
        for key, value in _pairs(given):
            if not is_composite(key):
                found.append((key, value))
                continue
            value = key.type.variable(value)
            found += zip(key.parts, value.parts, strict=True)
        spread.append(found)
    inner = make(flat, wanted, updates=spread[0], givens=spread[1], **options)
    return CompositeFunction(inner, specs, outputs)


def by_elements(grad: Callable[..., Any], cost: Any, wrt: Any, *options: Any) -> Any:
    """``grad(cost, wrt)`` where some variables have data: a gradient is a variable like them."""
    variables = wrt if isinstance(wrt, (list, tuple)) else [wrt]
    some = [hasattr(v, "with_data") for v in variables]
    ends = [v.parts[0] if sparse else v for v, sparse in zip(variables, some, strict=True)]
    found = [
        v.with_data(g) if sparse and isinstance(g, Variable) else g
        for v, sparse, g in zip(variables, some, grad(cost, ends, *options), strict=True)
    ]
    return type(wrt)(found) if isinstance(wrt, (list, tuple)) else found[0]


__all__ = [
    "CompositeFunction",
    "by_elements",
    "composite_function",
    "has_parts",
    "is_composite",
    "parts_of",
]
