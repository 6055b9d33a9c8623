"""What a rewritten function calls where its source had control flow."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

Names = tuple[str, ...]


class Unbound:
    """Stands for the value of a variable that has none."""

    def __repr__(self) -> str:
        return "UNBOUND"


UNBOUND = Unbound()


class State:
    """The variables `names` of a function, by the cells that functions made in it close over."""

    def __init__(self, names: Iterable[str], *functions: Callable[..., Any] | None) -> None:
        cells: dict[str, types.CellType] = {}
        for f in functions:
            if isinstance(f, types.FunctionType):
                cells.update(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        #: A name that none of the functions closes over is one that none of them touches.
        self.cells = {name: cells[name] for name in names if name in cells}

    def get(self) -> list[Any]:
        return [content(cell) for cell in self.cells.values()]

    def set(self, values: Sequence[Any]) -> None:
        for cell, value in zip(self.cells.values(), values, strict=True):
            if value is not UNBOUND:
                cell.cell_contents = value
            elif content(cell) is not UNBOUND:
                del cell.cell_contents


def content(cell: types.CellType) -> Any:
    """The value of a variable, or `UNBOUND`."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND


class Control(Protocol):
    """The runtime of rewritten functions.

    A block of statements is a function of no arguments, whose assignments are to the variables of
    the function around it; `State` reads and sets them. Of a block, `assigned` has the variables
    that it may assign; `read` those of them that it may read before it has assigned them, or that a
    function which it calls may; `live` those that may be read after it.
    """

    def if_(
        self,
        condition: Any,
        then: Callable[[], Any],
        otherwise: Callable[[], Any] | None = None,
        assigned: Names = (),
        read: Names = (),
        live: Names = (),
        raising: tuple[bool, bool] = (False, False),
    ) -> Any:
        """One side, and its value: a conditional expression's, or what the function returns.

        Of each side it is said whether it is `raising`, however it goes.
        """

    def for_(
        self,
        iterable: Iterable[Any],
        body: Callable[[Any], None],
        leave: Callable[[], Any] | None,
        assigned: Names,
        read: Names,
        live: Names,
    ) -> None:
        """`body` of each element, until `leave`, which is asked after each."""

    def while_(
        self,
        test: Callable[[], Any],
        body: Callable[[], None],
        leave: Callable[[], Any] | None,
        assigned: Names,
        read: Names,
        live: Names,
    ) -> None:
        """`body` while ``not leave()`` and then `test`."""

    def and_(self, first: Any, *others: Callable[[], Any]) -> Any: ...

    def or_(self, first: Any, *others: Callable[[], Any]) -> Any: ...

    def not_(self, value: Any) -> Any: ...

    def some(self, value: Any) -> Any:
        """A value that is not None."""

    def true_(self, value: Any) -> Any:
        """What has the truth value of `value`."""

    def is_none(self, value: Any) -> Any:
        """``value is None``."""

    def is_(self, value: Any, other: Any) -> Any:
        """``value is other``."""

    def assert_(self, condition: Any) -> Any:
        """Whether it holds: what the statement ``assert`` is then given."""

    def reduce_(
        self,
        function: Callable[..., Any],
        iterable: Iterable[Any],
        body: Callable[[Any], Any],
        test: Callable[[Any], Any] | None = None,
    ) -> Any:
        """``any``, ``all``, ``sum``, ``max`` or ``min`` of `body` of each element, by a `test`."""

    def list_(self, made: list[Any]) -> list[Any]:
        """A list that is made."""

    def collect_(
        self, iterable: Iterable[Any], body: Callable[[Callable[[Any], None], Any], Any]
    ) -> list[Any]:
        """What `body` of each element appends, by a function that it is given."""

    def each_(self, iterable: Iterable[Any], body: Callable[[Any], Any]) -> None:
        """`body` of each element."""

    def bound(self, name: str, value: Callable[[], Any]) -> Any:
        """The value of a variable that may have none."""

    def given(self, value: Any) -> Any:
        """What the function returns from inside of a loop or a branch."""

    def left(self, result: Callable[[], Any]) -> None:
        """A ``finally`` begins; what the function returns after it, if that is decided."""

    def last(self, value: Callable[[], Any]) -> Any:
        """The value of a variable that is not read any more."""


class PythonControl:
    """What Python does."""

    __tracejit_fixed__ = True

    def if_(
        self,
        condition: Any,
        then: Callable[[], Any],
        otherwise: Callable[[], Any] | None = None,
        assigned: Names = (),
        read: Names = (),
        live: Names = (),
        raising: tuple[bool, bool] = (False, False),
    ) -> Any:
        if condition:
            return then()
        return None if otherwise is None else otherwise()

    def for_(
        self,
        iterable: Iterable[Any],
        body: Callable[[Any], None],
        leave: Callable[[], Any] | None,
        assigned: Names,
        read: Names,
        live: Names,
    ) -> None:
        for item in iterable:
            body(item)
            if leave is not None and leave():
                break

    def while_(
        self,
        test: Callable[[], Any],
        body: Callable[[], None],
        leave: Callable[[], Any] | None,
        assigned: Names,
        read: Names,
        live: Names,
    ) -> None:
        while test():
            body()
            if leave is not None and leave():
                break

    def and_(self, first: Any, *others: Callable[[], Any]) -> Any:
        for other in others:
            if not first:
                return first
            first = other()
        return first

    def or_(self, first: Any, *others: Callable[[], Any]) -> Any:
        for other in others:
            if first:
                return first
            first = other()
        return first

    def is_none(self, value: Any) -> Any:
        return value is None

    def is_(self, value: Any, other: Any) -> Any:
        return value is other

    def some(self, value: Any) -> Any:
        return value

    def not_(self, value: Any) -> Any:
        return not value

    def true_(self, value: Any) -> Any:
        return value

    def assert_(self, condition: Any) -> Any:
        return condition

    def reduce_(
        self,
        function: Callable[..., Any],
        iterable: Iterable[Any],
        body: Callable[[Any], Any],
        test: Callable[[Any], Any] | None = None,
    ) -> Any:
        return function(body(item) for item in iterable if test is None or test(item))

    def list_(self, made: list[Any]) -> list[Any]:
        return made

    def collect_(
        self, iterable: Iterable[Any], body: Callable[[Callable[[Any], None], Any], Any]
    ) -> list[Any]:
        made = self.list_([])
        self.for_(iterable, functools.partial(body, made.append), None, (), (), ())
        return made

    def each_(self, iterable: Iterable[Any], body: Callable[[Any], Any]) -> None:
        self.for_(iterable, body, None, (), (), ())

    def given(self, value: Any) -> Any:
        return value

    def left(self, result: Callable[[], Any]) -> None:
        return None

    def last(self, value: Callable[[], Any]) -> Any:
        return value()

    def bound(self, name: str, value: Callable[[], Any]) -> Any:
        try:
            return value()
        except NameError:  # Python's own, of a variable of the function around
            raise UnboundLocalError(
                f"cannot access local variable {name!r} where it is not associated with a value"
            ) from None


PYTHON: Control = PythonControl()
