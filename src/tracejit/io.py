"""How the inputs and outputs of a symbolic function are described."""

from __future__ import annotations

from typing import Any

from tracejit.sharedvalue import Container, SharedVariable
from tracejit.tensor.graph import Constant, Variable


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
    from tracejit.tensor.elemwise import as_tensor_variable

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
