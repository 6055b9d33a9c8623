"""Types of variables, under the names of ``theano.gof.type``."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.type import GenericType, TensorType, generic


class Type:
    """A type of one's own: `filter` takes values, or raises TypeError.

    What is computed with variables of such a type runs in NumPy, by users' own ops.
    """

    Variable = Variable
    Constant = Constant
    ndim = 0

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> Any:
        """`value` as the type has it. TypeError for what it cannot be."""
        raise NotImplementedError(f"{self} has no filter")

    def is_valid_value(self, value: Any) -> bool:
        """Whether `filter` takes a value as it is."""
        try:
            self.filter(value, strict=True)
        except (TypeError, ValueError):
            return False
        return True

    def make_variable(self, name: str | None = None) -> Any:
        """A new variable."""
        return self.Variable(self, name=name)

    def make_constant(self, value: Any, name: str | None = None) -> Any:
        """A constant."""
        return self.Constant(self, self.filter(value), name)

    def __call__(self, name: str | None = None) -> Any:
        return self.make_variable(name)

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Any:
        """A variable of this type. TypeError for one of another."""
        if not isinstance(other, Variable):
            return self.make_constant(other)
        if other.type != self:
            raise TypeError(f"Cannot convert {other} of type {other.type} into {self}")
        return other

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether two values are equal."""
        return bool(a == b)

    def values_eq_approx(self, a: Any, b: Any) -> bool:
        """Whether two values are nearly equal."""
        return self.values_eq(a, b)

    def __repr__(self) -> str:
        return type(self).__name__


PureType = CLinkerType = Type
Generic = GenericType


class SingletonType(Type):
    """A type whose instances are all the same."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class CDataType(Type):
    """A pointer of C's."""

    def __init__(self, ctype: str, freefunc: Any = None, **kwargs: Any) -> None:
        self.ctype = ctype

    def filter(self, value: Any, strict: bool = False, allow_downcast: Any = None) -> Any:
        """The value."""
        return value


__all__ = [
    "CDataType",
    "CLinkerType",
    "Generic",
    "PureType",
    "SingletonType",
    "TensorType",
    "Type",
    "generic",
]
