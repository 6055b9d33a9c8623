"""What stands for gradients that there are not, under Theano's names."""

from __future__ import annotations

from typing import Any


class DisconnectedInputError(ValueError):
    """A gradient is asked for with respect to a variable that the cost does not depend on."""


class NullTypeGradError(TypeError):
    """A gradient that is not defined."""


class DisconnectedType:
    """What ``return_disconnected="Disconnected"`` gives for a variable that has no gradient."""

    @property
    def type(self) -> DisconnectedType:
        """Itself, as the type of a variable would be."""
        return self

    def __call__(self) -> DisconnectedType:
        """Itself, as a variable of the type would be."""
        return self

    def __repr__(self) -> str:
        return "<DisconnectedType>"


class NullType:
    """What ``null_gradients="return"`` gives for a gradient that is not defined; `why_null`."""

    def __init__(self, why_null: str = "(no explanation given)") -> None:
        self.why_null = why_null

    def __call__(self) -> NullType:
        """Itself, as a variable of the type would be."""
        return self

    @property
    def type(self) -> NullType:
        """Itself, as the type of a variable would be."""
        return self

    def __repr__(self) -> str:
        return f"<NullType: {self.why_null}>"


def grad_undefined(op: Any, x_pos: int, x: Any, comment: str = "") -> NullType:
    """What an op's `grad` gives for an input whose gradient mathematics does not define."""
    return _null("undefined", op, x_pos, comment)


def grad_not_implemented(op: Any, x_pos: int, x: Any, comment: str = "") -> NullType:
    """What an op's `grad` gives for an input whose gradient nobody has written."""
    return _null("not implemented", op, x_pos, comment)


def _null(what: str, op: Any, x_pos: int, comment: str) -> NullType:
    more = f": {comment}" if comment else ""
    return NullType(f"the gradient of {op} with respect to its input {x_pos} is {what}{more}")


__all__ = [
    "DisconnectedInputError",
    "DisconnectedType",
    "NullType",
    "NullTypeGradError",
    "grad_not_implemented",
    "grad_undefined",
]
