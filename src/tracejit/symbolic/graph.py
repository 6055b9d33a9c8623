"""The symbolic graph: variables, and the applications that compute them.

An `Apply` names an op of the table in `opcodes`, its operands and its static data, and nothing
else: a graph is data. It is evaluated by `replay`, over traced values or over arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tracejit.ir.node import Origin
from tracejit.trace.origin import user_origin

_serials = itertools.count(1)


class Scratchpad:
    """``variable.tag``: attributes for anybody's use."""

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __repr__(self) -> str:
        return f"tag({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class Variable:
    """A symbolic variable: output `index` of `owner`, or a leaf where that is None.

    Variables are compared by identity, so that they can be keys of dicts.
    """

    def __init__(
        self, type: Any, owner: Apply | None = None, index: int | None = None, name: Any = None
    ) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self.name: str | None = name
        self.tag = Scratchpad()
        self.origin = user_origin() if owner is None else owner.origin

    def __repr__(self) -> str:
        return self.name or f"<{self.type}>"

    def __str__(self) -> str:
        if self.name:
            return self.name
        if self.owner is not None:
            return f"{self.owner.label()}.{self.index}"
        return f"<{self.type}>"

    def __setstate__(self, state: Any) -> None:
        """Take attributes, those that Theano has pickled among them."""
        vars(self).update(state)
        if "type" in state:
            vars(self).setdefault("tag", Scratchpad())
            vars(self).setdefault("origin", None)
            self.owner, self.index = state.get("owner"), state.get("index")

    def clone(self) -> Variable:
        """A new leaf of the same type and name."""
        return type(self)(self.type, name=self.name)

    def get_parents(self) -> list[Apply]:
        """The application that computes this variable, in a list; or none."""
        return [] if self.owner is None else [self.owner]

    def eval(self, inputs_to_values: Mapping[Variable, Any] | None = None) -> Any:
        """The value; `symbolic`, which compiles it, puts its own here."""
        raise NotImplementedError


class Constant(Variable):
    """A variable with a fixed value, `data`."""

    def __init__(self, type: Any, data: Any, name: str | None = None) -> None:
        super().__init__(type, name=name)
        self.data = data

    @property
    def value(self) -> Any:
        """The value."""
        return self.data

    def __str__(self) -> str:
        return self.name or f"{type(self).__name__}{{{self.data}}}"

    def clone(self) -> Constant:
        """Constants never change: itself."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Constant:
        return self


class Apply:
    """The op `opcode` (a name in the table) of `inputs`, with static data `attr`.

    ``Apply(op, inputs, outputs)`` is the application of a user's own op, whose outputs these
    variables become.
    """

    __slots__ = ("__weakref__", "attr", "inputs", "opcode", "origin", "outputs", "serial", "tag")

    def __init__(
        self, op: Any, inputs: Sequence[Variable], attr: Any, origin: Origin | None = None
    ) -> None:
        self.inputs = tuple(inputs)
        self.origin = origin
        self.outputs: tuple[Variable, ...] = ()
        self.serial = next(_serials)
        self.tag = Scratchpad()
        if isinstance(op, str):
            self.opcode, self.attr = op, attr
        else:
            self.origin = user_origin()
            self.opcode, self.attr = adopted(op, self.inputs, attr)
            self.outputs = tuple(_owned(v, self, k) for k, v in enumerate(attr))

    @property
    def op(self) -> Any:
        """The op as an object: a user's own, or one of a class that Theano's programs know."""
        return op_of(self)

    @property
    def nin(self) -> int:
        """How many inputs there are."""
        return len(self.inputs)

    @property
    def nout(self) -> int:
        """How many outputs there are."""
        return len(self.outputs)

    @property
    def out(self) -> Variable:
        """The only output. ValueError where there are several."""
        [v] = self.outputs
        return v

    def default_output(self) -> Variable:
        """The output that stands for the application in an expression."""
        k = getattr(self.op, "default_output", None)
        if k is None and len(self.outputs) > 1:
            raise AttributeError(f"{self.op} has {len(self.outputs)} outputs and no default one")
        return self.outputs[k or 0]

    def clone(self) -> Apply:
        """An application of the same op to the same inputs, with outputs of its own."""
        return self._over(self.inputs)

    def _over(self, inputs: Sequence[Variable]) -> Apply:
        copy = Apply(self.opcode, inputs, self.attr, self.origin)
        copy.outputs = tuple(type(v)(v.type, copy, k, v.name) for k, v in enumerate(self.outputs))
        copy.tag = self.tag
        return copy

    def clone_with_new_inputs(self, inputs: Sequence[Variable], strict: bool = True) -> Apply:
        """An application of the same op to other inputs. TypeError for others of another type.

        Unless `strict`, what those give is asked of the op.
        """
        if all(a.type == b.type for a, b in zip(inputs, self.inputs, strict=True)):
            return self._over(inputs)
        if strict:
            raise TypeError(f"{list(inputs)} are not of the types of the inputs of {self}")
        node: Apply = self.op.make_node(*inputs)
        return node

    def label(self) -> str:
        """The op and, for an elementwise one or a function of NumPy's, which."""
        which = self.attr[0] if isinstance(self.attr, tuple) and self.attr else None
        if self.opcode == "op":
            return str(self.op)
        return f"{self.opcode}{{{which}}}" if isinstance(which, str) else self.opcode

    def __repr__(self) -> str:
        return f"{self.label()}({', '.join(map(str, self.inputs))})"


def _owned(v: Any, node: Apply, index: int) -> Variable:
    """A variable without an owner as an output of an application."""
    if not isinstance(v, Variable):
        raise TypeError(f"the outputs of {node.op} are variables, not {v!r}")
    if v.owner is not None:
        raise ValueError(f"{v} is an output already: of {v.owner}")
    v.owner, v.index, v.origin = node, index, node.origin
    return v


def _unknown(*args: Any) -> Any:
    raise NotImplementedError


#: The opcode and static data of a user's op; and what shows an application's op. `gof` gives them.
adopted: Callable[[Any, Sequence[Variable], Sequence[Variable]], tuple[str, Any]] = _unknown
op_of: Callable[[Apply], Any] = _unknown


def toposort(outputs: Iterable[Variable], blockers: Iterable[Variable] = ()) -> list[Apply]:
    """Every application that `outputs` reach, operands first; not beyond `blockers`."""
    stopped = set(blockers)
    seen: set[Apply] = set()
    order: list[Apply] = []
    roots = [v.owner for v in outputs if v.owner is not None and v not in stopped]
    stack = [(a, False) for a in reversed(roots)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            for v in reversed(node.inputs):
                if v.owner is not None and v not in stopped and v.owner not in seen:
                    stack.append((v.owner, False))
    return order


def leaves(outputs: Iterable[Variable], blockers: Iterable[Variable] = ()) -> list[Variable]:
    """The variables without an owner, and the blockers, that `outputs` reach, each once."""
    outputs, stopped = list(outputs), set(blockers)
    found: dict[Variable, None] = {}
    for node in toposort(outputs, stopped):
        for v in node.inputs:
            if v.owner is None or v in stopped:
                found[v] = None
    for v in outputs:
        if v.owner is None or v in stopped:
            found[v] = None
    return list(found)
