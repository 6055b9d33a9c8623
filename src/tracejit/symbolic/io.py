"""How the inputs and outputs of a symbolic function are described, and arguments bound to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.places import on_host, taken
from tracejit.symbolic.shared import Container, SharedVariable


class In:
    """An input: its `variable`, the `name` of its keyword, and what values it takes.

    `value`           default, restored after each call; with `update`, a state that is kept
    `update`          expression of the value after a call
    `mutable`         the function may overwrite the array it is given
    `borrow`          it need not be copied where that is needed to keep it apart from results
    `strict`          no value is converted
    `allow_downcast`  True converts any value; None lets a Python float become a floatX
    `implicit`        it cannot be given in a call (the default if `value` is a container)
    """

    def __init__(
        self,
        variable: Any,
        name: str | None = None,
        value: Any = None,
        update: Any = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        if isinstance(variable, Constant):
            raise TypeError("Constants not allowed in param list", variable)
        if not isinstance(variable, Variable):
            raise TypeError(f"Unknown parameter type: {type(variable)}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string! (got: {name})")
        if borrow is None:
            borrow = bool(mutable)
        if mutable is None:
            mutable = update is not None
            borrow = borrow or mutable
        if mutable and not borrow:
            raise AssertionError(
                f"Symbolic input for variable {variable} (name={name}) has flags mutable=True, "
                "borrow=False. This combination is incompatible since mutable=True implies that "
                "the input variable may be both aliased (borrow=True) and overwritten."
            )
        self.variable = variable
        self.name = variable.name if name is None and autoname else name
        self.value = value
        self.mutable, self.borrow = mutable, borrow
        self.strict, self.allow_downcast = strict, allow_downcast
        self.shared = shared
        self.update: Any = None
        if update is not None:
            update = _as_type_of(variable, update)
        self.update = update
        if implicit is None:
            implicit = isinstance(value, (Container, SharedVariable))
        if implicit and value is None:
            raise TypeError("An implicit input must be given a default value")
        self.implicit = implicit

    def __repr__(self) -> str:
        return f"In({self.variable} -> {self.update})" if self.update else f"In({self.variable})"


def _as_type_of(variable: Any, update: Any) -> Any:
    from tracejit.symbolic.convert import as_tensor_variable

    if not isinstance(update, Variable):
        update = as_tensor_variable(update)
    if update.type != variable.type:
        raise TypeError(
            "Variable and update must have the same type: "
            f"{variable} is {variable.type}, {update} is {update.type}"
        )
    return update


class Param(In):
    """`In` under its old name: `default` is the value."""

    def __init__(
        self,
        variable: Any,
        default: Any = None,
        name: str | None = None,
        mutable: bool = False,
        strict: bool = False,
        allow_downcast: bool | None = None,
        implicit: bool | None = None,
        borrow: bool | None = None,
    ) -> None:
        super().__init__(
            variable, name, default, None, mutable, strict, allow_downcast,
            implicit=implicit, borrow=borrow,
        )  # fmt: skip


class Out:
    """An output. With `borrow` it may share memory with an input or a state."""

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = borrow

    def __repr__(self) -> str:
        return f"Out({self.variable}, {self.borrow})"


SymbolicInput, SymbolicOutput = In, Out


# Arguments ---------------------------------------------------------------------------------------


class Slot:
    """One input of a function: how it is given, and its container where it has a value."""

    __slots__ = ("container", "default", "spec", "variable")

    def __init__(self, spec: In, container: Container | None, default: bool) -> None:
        self.spec = spec
        self.variable = spec.variable
        self.container = container
        #: The value in the container is used where none is given, and never changed by a call.
        self.default = default

    @property
    def name(self) -> str | None:
        """The keyword."""
        return self.spec.name

    @property
    def private(self) -> bool:
        """Whether the input is a state: one that is kept between calls."""
        return self.container is not None and not self.default

    def copy(self) -> Slot:
        """A slot with its own container; one that was given as such stays shared."""
        container = self.container
        if container is not None and not self.spec.implicit:
            container = Container(
                container.type, container.value.copy(), container.name, container.device
            )
        return Slot(self.spec, container, self.default)


def bind(
    f: Any, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], list[tuple[Container, Any]]]:
    """The converted values of function `f`'s inputs that are no states, and the states given.

    Raises TypeError as Theano does. Nothing is changed.
    """
    slots = f.slots
    given: dict[int, Any] = {}
    if len(args) + len(kwargs) > len(slots) + len(f.get_shared()):
        raise TypeError("Too many parameter passed to tracejit function")
    for position, value in enumerate(args):
        if position >= len(slots) or slots[position].spec.implicit:
            what = slots[position].variable if position < len(slots) else "a shared variable"
            raise TypeError(f"Tried to provide value for implicit input: {what}")
        given[position] = value
    for name, value in kwargs.items():
        position = named(f, name)
        if position in given:
            raise TypeError(f"Multiple values for input: {slots[position].variable}")
        if slots[position].spec.implicit:
            raise TypeError(f"Tried to provide value for implicit input: {name}")
        given[position] = value
    return bind_at(f, given)


def bind_at(f: Any, given: Mapping[int, Any]) -> tuple[list[Any], list[tuple[Container, Any]]]:
    """As `bind`, of values by the positions of their inputs."""
    slots = f.slots
    values: list[Any] = []
    states: list[tuple[Container, Any]] = []
    for position, slot in enumerate(slots):
        if position in given:
            value = _filtered(f, position, taken(given[position], f.device()))
            if slot.private:
                assert slot.container is not None
                states.append((slot.container, on_host(value).copy()))
            else:
                values.append(value)
        elif slot.container is None:
            raise TypeError(f"Missing required input: {slot.name or slot.variable}")
        elif slot.default:
            values.append(slot.container.value)
    return values, states


def named(f: Any, name: str) -> int:
    """The position of the input called `name`. TypeError if there are none or several."""
    found = [k for k, slot in enumerate(f.slots) if slot.name == name]
    if len(found) > 1:
        raise TypeError(
            f"Ambiguous name: {name} - please check the names of the inputs of your function for "
            "duplicates."
        )
    if not found:
        names = [slot.name for slot in f.slots if slot.name]
        unnamed = len(f.slots) - len(names)
        text = f"The function has {len(names)} named input{'' if len(names) == 1 else 's'}"
        text += f" ({', '.join(names)})" if names else ""
        if unnamed:
            text += (
                f", and {unnamed} unnamed input{'' if unnamed == 1 else 's'} which thus cannot be "
                "accessed through keyword argument (use 'name=...' in a variable's constructor to "
                "give it a name)"
            )
        raise TypeError(f"Unknown input or state: {name}. {text}.")
    return found[0]


def _filtered(f: Any, position: int, value: Any) -> Any:
    slot = f.slots[position]
    spec = slot.spec
    try:
        return slot.variable.type.filter(value, spec.strict, spec.allow_downcast)
    except Exception as error:
        name = f' with name "{slot.name}"' if slot.name else ""
        function = f' with name "{f.name}"' if f.name else ""
        origin = slot.variable.origin
        place = f'\n  the input was made in "{origin.file}", line {origin.line}' if origin else ""
        first = error.args[0] if error.args else ""
        error.args = (
            f"Bad input argument{name} to tracejit function{function} at index {position} "
            f"(0-based): {first}{place}",
            *error.args[1:],
        )
        raise
