"""Shared variables: symbolic variables whose value stays between calls."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.lower.devices import residence_of
from tracejit.native import locks
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.places import home_of, on_host
from tracejit.symbolic.type import GenericType, TensorType, generic
from tracejit.symbolic.variables import TensorOperators
from tracejit.theano.flags import require


class Container:
    """Where a state lives. Functions that update it hold its `lock` for the whole call.

    `value` is replaced, never written to; `spare` is an array that once was the value, into which
    the next one may be computed if nobody else refers to it. `lent` refers to values into which
    nothing may be computed: memory of other objects, or not writable, or not in C order.

    On a `device` the value is a device array; elsewhere that is empty.
    """

    __slots__ = ("__weakref__", "device", "lent", "lock", "name", "spare", "type", "value")

    def __init__(self, type: Any, value: Any, name: str | None = None, device: str = "") -> None:
        self.type = type
        self.device = device
        self.value = value = self.there(value)
        self.lent = _lent(value)
        self.name = name
        self.spare: np.ndarray | None = None
        self.lock = locks.make()

    @property
    def data(self) -> Any:
        """The value itself."""
        return self.value

    @data.setter
    def data(self, value: Any) -> None:
        self.set(value)

    @property
    def storage(self) -> Container:
        """This container as a list of one, under Theano's name."""
        return self

    def __getitem__(self, index: int) -> Any:
        return (self.value,)[index]

    def __setitem__(self, index: int, value: Any) -> None:
        if index not in (0, -1):
            raise IndexError("a container has one place, 0")
        self.set(value)

    def set(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> None:
        """Let the container hold `value`, if its type takes it."""
        value = self.there(self.type.filter(value, strict, allow_downcast))
        with self.lock:
            self.lent, self.value = _lent(value), value

    def there(self, value: Any) -> Any:
        """A value where this container has its own."""
        if not self.device:
            return on_host(value)
        home = home_of(self.device)
        return value if home.array(value) is not None else home.put(value)

    def __reduce__(self) -> Any:
        return Container, (self.type, on_host(self.value), self.name, self.device)

    def __setstate__(self, state: Any) -> None:
        """Take what Theano has pickled of a container."""
        [value] = state["storage"]
        self.__init__(state["type"], value, state.get("name"))  # type: ignore[misc]

    def __deepcopy__(self, memo: dict[int, Any]) -> Container:
        new = Container(self.type, copy.deepcopy(self.value, memo), self.name, self.device)
        memo[id(self)] = new
        return new


def _lent(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return None
    flags = value.flags
    return None if flags.owndata and flags.writeable and flags.c_contiguous else value


class SharedVariable(Variable):
    """A variable whose value is kept in a container. Made by `shared`.

    `default_update` is an expression (or None) that a compiled function which uses the variable,
    and gives it no update, computes as its new value.
    """

    #: A traced function takes it for the state that it is.
    __tracejit_state__ = True

    def __init__(
        self,
        type: Any,
        value: Any = None,
        name: str | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        container: Container | None = None,
        device: str = "",
    ) -> None:
        super().__init__(type, name=name)
        self.strict, self.allow_downcast = strict, allow_downcast
        if container is None:
            kept = type.filter(value, strict, allow_downcast)
            container = Container(type, kept, name, device)
        self.container = container
        self.default_update: Any = None

    def __setstate__(self, state: Any) -> None:
        if "container" in state:  # Theano's
            vars(self).update(strict=False, allow_downcast=None, default_update=None)
        super().__setstate__(state)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The value: a copy, or with `borrow` the value itself, which must not be changed.

        One on a GPU is downloaded; with `return_internal_type` it is given as a device array.
        """
        value = self.container.value
        if self.container.device and not return_internal_type:
            return on_host(value)
        return value if borrow else copy.deepcopy(value)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Give the variable another value of its type, of any shape of the same rank.

        It is copied unless `borrow`, and uploaded where the variable is on a GPU. TypeError for one
        that does not fit, MemoryError where there is no memory for it: the value stays as it was.
        """
        uploaded = self.container.device and not hasattr(type(new_value), "__tracejit_device__")
        if not (borrow or uploaded):
            new_value = copy.deepcopy(new_value)
        self.container.set(new_value, self.strict, self.allow_downcast)

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to 0, in place with `borrow`."""
        value = self.container.value
        if borrow and not self.container.device:
            with self.container.lock:
                value[...] = 0
        else:
            self.container.set(np.zeros(value.shape, value.dtype))

    @property
    def value(self) -> Any:
        """Not available: get_value() and set_value() say whether they copy."""
        raise AttributeError(
            "a shared variable has no attribute value: use get_value() and set_value()"
        )

    def clone(self) -> SharedVariable:
        """Another variable over the same container."""
        new = type(self)(self.type, name=self.name, container=self.container)
        new.tag = self.tag
        return new

    def __getitem__(self, key: Any) -> Any:
        value = self.container.value
        raise TypeError(
            f"The generic shared variable {self} holds a {type(value).__name__} and cannot be "
            "indexed: make it an array of numbers, or take get_value()[...]"
        )


class TensorSharedVariable(TensorOperators, SharedVariable):
    """A shared array."""

    __hash__ = TensorOperators.__hash__


# Constructors ----------------------------------------------------------------------------------

_constructors: list[Callable[..., Any]] = []
#: What lies on ``config.device`` where no other is named.
_KEPT_ON_DEVICES = (np.ndarray, np.number, np.bool_, float, int, complex)


def shared_constructor(constructor: Callable[..., Any], remove: bool = False) -> Any:
    """Register (or `remove`) what may make a shared variable of a value.

    The newest is asked first; one that raises TypeError passes the value on to the next.
    """
    if remove:
        _constructors.remove(constructor)
    else:
        _constructors.append(constructor)
    return constructor


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    *,
    device: str | None = None,
    **kwargs: Any,
) -> Any:
    """A shared variable that starts with `value`, which is copied unless ``borrow=True``.

    An array gives one of its dtype and rank, whose axes do not broadcast unless `broadcastable`
    says so; a number one of rank 0 and NumPy's dtype for it. Anything else is kept as it is, and
    cannot be computed with. `strict` and `allow_downcast` say what `set_value` accepts.

    An array or number lies on `device`, or on ``config.device``: on a GPU, functions compute with
    it and give it new values there, `set_value` uploads and `get_value` downloads. What a function
    uses on GPUs must be on one, which is where it runs.

    >>> import tracejit
    >>> state = tracejit.shared(0)
    >>> state.type, state.get_value()
    (TensorType(int64, scalar), array(0))
    """
    if isinstance(value, Variable):
        raise TypeError(
            "Shared variable constructor needs numeric values and not symbolic variables."
        )
    if device is not None:
        require("device", device)
    value, asked = on_host(value), device
    device = config.device if asked is None else asked
    if residence_of(device) is not None and (
        asked is not None or isinstance(value, _KEPT_ON_DEVICES)
    ):
        kwargs["device"] = device
    for constructor in reversed(_constructors):
        try:
            return constructor(
                value, name=name, strict=strict, allow_downcast=allow_downcast, **kwargs
            )
        except TypeError:
            continue
        except MemoryError as error:
            error.args = (*error.args, "borrow=True does not copy the value")
            raise
    raise TypeError(
        "No suitable SharedVariable constructor could be found. Are you sure all kwargs are "
        f'supported? We do not support the parameter dtype or type. value="{value}". '
        f"parameters={kwargs}"
    )


@shared_constructor
def generic_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
    borrow: bool = False,
) -> SharedVariable:  # fmt: skip
    """A shared variable of any value."""
    kept = value if borrow else copy.deepcopy(value)
    return SharedVariable(generic, kept, name, strict, allow_downcast)


@shared_constructor
def scalar_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
    borrow: bool = False, target: str = "cpu", device: str = "",
) -> TensorSharedVariable:  # fmt: skip
    """A shared scalar of a Python or NumPy number."""
    if not isinstance(value, (np.number, np.bool_, float, int, complex)):
        raise TypeError()
    array = np.array(value)
    kind = TensorType(array.dtype, ())
    return TensorSharedVariable(kind, array, name, strict, allow_downcast, device=device)


@shared_constructor
def tensor_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
    borrow: bool = False, broadcastable: Any = None, target: str = "cpu", device: str = "",
) -> TensorSharedVariable:  # fmt: skip
    """A shared array."""
    if target != "cpu":
        raise TypeError("not for cpu")
    if not isinstance(value, np.ndarray):
        raise TypeError()
    pattern = (False,) * value.ndim if broadcastable is None else broadcastable
    kind = TensorType(value.dtype, pattern)
    kept = value if borrow or device else np.array(value)
    return TensorSharedVariable(kind, kept, name, strict, allow_downcast, device=device)


__all__ = [
    "Container",
    "GenericType",
    "SharedVariable",
    "TensorSharedVariable",
    "shared",
    "shared_constructor",
]
