"""The Python text that a compiled path starts with: guards and the unpacking of arguments.

A guard that fails leaves by ``return MISS``; the caller then looks for another path.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tracejit.errors import MISS
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.plan.structure import INT_LIMIT, Leaf, Spec, Static, Tree, make_dataclass, same
from tracejit.plan.text import is_plain_name

#: Static values that are equal only to themselves.
_IDENTICAL = (types.FunctionType, types.CodeType, types.ModuleType, type, np.ufunc, property)


class Prologue:
    """Collects guard lines and the names that they use.

    `namespace` holds the objects that the text names.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {
            "MISS": MISS,
            "_tj_ndarray": np.ndarray,
            "_tj_same": same,
            "_tj_asarray": np.asarray,
            "_tj_is": operator.is_,
        }
        #: What gives the shadow of an array on a device, or None.
        self.array_of: Any = None
        self._shown: dict[str, str] = {}
        self._symbols: dict[int, str] = {}
        self._conditions: list[str] = []
        self._locals = 0

    def symbol(self, value: Any, stem: str = "k") -> str:
        """A name for an object in the text."""
        if value is np.ndarray:
            return "_tj_ndarray"
        known = self._symbols.get(id(value))
        if known is None:
            known = f"_tj_{stem}{len(self.namespace)}"
            self._symbols[id(value)] = known
            self.namespace[known] = value  # keeps the object, and so its id, alive
        return known

    def attribute(self, expression: str, name: str) -> str:
        """The text of an attribute."""
        if is_plain_name(name):
            return f"{expression}.{name}"
        return f"getattr({expression}, {self.symbol(name)})"

    def miss_if(self, condition: str) -> None:
        """Leave where `condition` holds."""
        self._conditions.append(condition)

    def flush(self) -> None:
        """Write out the conditions gathered so far."""
        if self._conditions:
            self.lines.append(f"if {' or '.join(self._conditions)}: return MISS")
            self._conditions.clear()

    def assign(self, expression: str) -> str:
        """A local variable that holds `expression`, which the guards so far make safe to read."""
        if expression.isidentifier():
            return expression
        self.flush()
        self._locals += 1
        name = f"_tj_t{self._locals}"
        self.lines.append(f"{name} = {expression}")
        return name

    def static(self, expression: str, value: Any) -> None:
        """Guard: `expression` is still `value`, or equal and of its type."""
        if value is None or value is True or value is False:
            self.miss_if(f"{expression} is not {value}")
        elif isinstance(value, _IDENTICAL):
            self.miss_if(f"{expression} is not {self.symbol(value)}")
        else:
            name = self.symbol(value)
            local = self.assign(expression)
            self.miss_if(f"({local} is not {name} and not _tj_same({local}, {name}))")

    def unpack(self, spec: Spec, expression: str, leaves: Iterator[Any]) -> list[str]:
        """Guard the structure of `expression`; the local names of its leaves.

        `leaves` gives the value of each leaf in the trace.
        """
        if isinstance(spec, Static):
            self.static(expression, spec.value)
            return []
        local = self.assign(expression)
        if isinstance(spec, Leaf):
            value = next(leaves)
            if type(value) is np.memmap:
                kinds = self.symbol((np.ndarray, np.memmap))
                self.miss_if(f"type({local}) not in {kinds}")
                return [self.assign(f"_tj_asarray({local})")]
            self.miss_if(f"type({local}) is not {self.symbol(type(value))}")
            if self.array_of is not None and self.array_of.takes(value):
                return [self._shadow(local, value)]
            if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "mM":
                return [self._integers(local, value.dtype)]
            if type(value) is int:
                self.miss_if(f"not {-INT_LIMIT} < {local} < {INT_LIMIT}")
            return [local]
        return self._unpack_container(spec, local, leaves)

    def _integers(self, local: str, dtype: np.dtype[Any]) -> str:
        """The name of the integers that dates are."""
        self.miss_if(f"{local}.dtype != {self.symbol(dtype)}")
        integers = self.assign(f"{local}.view({self.symbol(np.dtype(np.int64))})")
        self._shown[integers] = local
        return integers

    def _shadow(self, local: str, value: Any) -> str:
        """The name of the shadow of an array on a device."""
        home = self.symbol(self.array_of.residence)
        if isinstance(value, self.array_of.residence.array_class):
            self.miss_if(f"{local}.home is not {home}")
            shadow = self.assign(f"{local}.array")
        else:
            shadow = self.assign(f"{home}.array({local})")
            self.miss_if(f"{shadow} is None")
        self._shown[shadow] = local
        return shadow

    def shown(self, text: str) -> str:
        """The text of an input as the user knows it, from that of what the program takes."""
        return self._shown.get(text, text)

    def _unpack_container(self, spec: Tree, local: str, leaves: Iterator[Any]) -> list[str]:
        self.miss_if(f"type({local}) is not {self.symbol(spec.cls)}")
        names: list[str] = []
        if spec.kind in ("tuple", "list", "namedtuple"):
            self.miss_if(f"len({local}) != {len(spec.children)}")
            children = [f"{local}[{k}]" for k in range(len(spec.children))]
        elif spec.kind == "dict":
            keys = tuple(k.value for k in spec.keys)
            # Equal keys of other types, as 1 and True, are other keys.
            symbol = self.symbol(keys)
            self.miss_if(f"len({local}) != {len(keys)}")
            self.miss_if(
                f"(not all(map(_tj_is, {local}, {symbol}))"
                f" and not _tj_same(tuple({local}), {symbol}))"
            )
            children = [f"{local}[{self.symbol(k)}]" for k in keys]
        else:
            children = [self.attribute(local, name) for name in spec.keys]
        for child, expression in zip(spec.children, children, strict=True):
            names += self.unpack(child, expression, leaves)
        return names


def result_text(spec: Spec, leaves: Iterator[str], prologue: Prologue) -> str:
    """Text that builds a result of description `spec` from the texts of its leaves."""
    if isinstance(spec, Leaf):
        return next(leaves)
    if isinstance(spec, Static):
        return prologue.symbol(spec.value, "r")
    children = [result_text(child, leaves, prologue) for child in spec.children]
    if spec.kind == "list":
        return f"[{', '.join(children)}]"
    inner = "".join(f"{c}, " for c in children)
    if spec.kind == "tuple":
        return f"({inner})"
    if spec.kind == "dict":
        keys = [prologue.symbol(k.value, "r") for k in spec.keys]
        items = (f"{k}: {c}" for k, c in zip(keys, children, strict=True))
        return f"{{{', '.join(items)}}}"
    if spec.kind == "namedtuple":
        return f"{prologue.symbol(tuple.__new__)}({prologue.symbol(spec.cls)}, ({inner}))"
    make, cls = prologue.symbol(make_dataclass), prologue.symbol(spec.cls)
    return f"{make}({cls}, {prologue.symbol(spec.keys)}, ({inner}))"


def is_length(node: Node) -> bool:
    """Whether `node` is a length of an input, or a sum of products of these."""
    return node.op is ops.DIM or (node.op is ops.POLY and all(a.op is ops.DIM for a in node.args))


def length_text(node: Node, expressions: Mapping[str, str]) -> str:
    """Python text of a length (see `is_length`) from the texts of the inputs."""
    if node.op is ops.DIM:
        source, axis, _ = node.attr
        return f"{expressions[source]}.shape[{axis}]"
    terms = [
        "*".join([str(c), *(length_text(node.args[i], expressions) for i in monomial)])
        for monomial, c in node.attr
    ]
    return f"({' + '.join(terms)})"
