"""`OpView`: an op of the table as an object, as Theano's programs ask for it, or make it."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply, Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.op import Op
from tracejit.tensor.scalarops import function_named


class OpView(Op):
    """An op of the table: equal to others of its name and data, and to the function of its name.

    Programs make some themselves, of other arguments, which `made` takes:
    ``T.DimShuffle((False,), (0, "x"))``. Called, it gives what `built` gives.
    """

    #: What `T` calls the function that makes it.
    function = ""
    opcode = ""
    attr: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], Apply):
            self.opcode, self.attr = args[0].opcode, args[0].attr
            self.seen(args[0])
        else:
            self.made(*args, **kwargs)

    def seen(self, node: Apply) -> None:
        """Take what programs ask for from an application."""

    def made(self, *args: Any, **kwargs: Any) -> None:
        """Take what a program gives."""
        if args or kwargs:
            raise TypeError(f"{type(self).__name__}() takes no arguments")

    def built(self, *inputs: Any) -> Any:
        """What one that a program has made gives for `inputs`: the function of its name."""
        return function_named(self.function)(*inputs)

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        if self.opcode:
            return super().__call__(*inputs, **kwargs)
        name, as_list = kwargs.pop("name", None), kwargs.pop("return_list", False)
        found = self.built(*inputs, **kwargs)
        if name is not None:
            found.name = name
        return [found] if as_list and not isinstance(found, list) else found

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OpView):
            if self.opcode and other.opcode:
                return (self.opcode, self.attr) == (other.opcode, other.attr)
            return type(self) is type(other) and str(self) == str(other)
        name = getattr(other, "__name__", None)
        return name is not None and name == self.function

    def __hash__(self) -> int:
        return hash((type(self), str(self)))

    def __str__(self) -> str:
        return type(self).__name__

    def make_node(self, *inputs: Any) -> Apply:
        """An application of the same op with the same data to other inputs."""
        if not self.opcode:
            found = self.built(*inputs)
            node = (found[0] if isinstance(found, (list, tuple)) else found).owner
        else:
            node = apply(self.opcode, list(map(as_variable, inputs)), self.attr)[0].owner
        assert isinstance(node, Apply)
        return node


def as_variable(x: Any) -> Any:
    """A variable, of whatever type; of a value that is none, a constant."""
    return x if isinstance(x, Variable) else as_tensor_variable(x)


__all__ = ["OpView", "as_variable"]
