"""Users' own ops: ``theano.Op``, by the methods that Theano's documentation gives it.

`make_node` says what an application gives, `perform` computes it, `infer_shape` knows its shape
beforehand, and `grad` (or `L_op`) is its derivative, as a graph. How they run is in `performing`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tracejit.config import config
from tracejit.symbolic import infer
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply, Variable
from tracejit.trace.origin import user_origin


class MethodNotDefined(Exception):
    """A method that an op needs and does not have."""


class Op:
    """An operation of one's own.

    ``__props__`` names the attributes by which ops of a class are equal. `itypes` and `otypes` may
    stand for `make_node`. What `view_map` and `destroy_map` say is not made use of: `perform` gets
    arrays of its own.

    >>> import tracejit
    >>> import tracejit.tensor as T
    >>> class Double(tracejit.Op):
    ...     __props__ = ()
    ...     itypes, otypes = [T.dvector], [T.dvector]
    ...     def perform(self, node, inputs, output_storage):
    ...         output_storage[0][0] = inputs[0] * 2
    ...     def grad(self, inputs, output_grads):
    ...         return [output_grads[0] * 2]
    >>> x = T.dvector("x")
    >>> y = Double()(x)
    >>> y.eval({x: [1.0, 2.0]}), T.grad(y.sum(), x).eval({x: [1.0, 2.0]})
    (array([2., 4.]), array([2., 2.]))
    """

    default_output: int | None = None
    view_map: ClassVar[dict[int, list[int]]] = {}
    destroy_map: ClassVar[dict[int, list[int]]] = {}
    itypes: Sequence[Any] | None = None
    otypes: Sequence[Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__props__" in vars(cls):
            own = vars(cls)
            for name in ("__eq__", "__hash__", "__str__"):
                if name not in own or own[name] is None:
                    setattr(cls, name, _BY_PROPS[name])

    def _props(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in getattr(self, "__props__", ()))

    def _props_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in getattr(self, "__props__", ())}

    def __str__(self) -> str:
        return str(getattr(self, "name", None) or type(self).__name__)

    # What one writes -------------------------------------------------------------------------

    def make_node(self, *inputs: Any) -> Apply:
        """The application to `inputs`: by `itypes` and `otypes`, where a class has no other."""
        if self.itypes is None or self.otypes is None:
            raise NotImplementedError(
                "You can either define itypes and otypes, or implement make_node"
            )
        if len(inputs) != len(self.itypes):
            raise ValueError(
                f"We expected {len(self.itypes)} inputs but got {len(inputs)}: {self} of {inputs}"
            )
        made = [
            v if isinstance(v, Variable) else as_tensor_variable(v, ndim=kind.ndim)
            for v, kind in zip(inputs, map(_as_type, self.itypes), strict=True)
        ]
        for v, kind in zip(made, map(_as_type, self.itypes), strict=True):
            if v.type != kind:
                raise TypeError(
                    f"We expected inputs of types '{self.itypes}' but got types "
                    f"'{[v.type for v in made]}'"
                )
        return Apply(self, made, [_as_type(kind)() for kind in self.otypes])

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Put the results of `inputs`, arrays, into the cells ``output_storage[k][0]``."""
        raise MethodNotDefined("perform", type(self), type(self).__name__)

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Sequence[Any]:
        """Cotangents of the inputs, as variables, from those of the outputs."""
        raise NotImplementedError(
            f"{self} has no grad: give it one, or stop the gradient with disconnected_grad"
        )

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> Sequence[Any]:
        """As `grad`, which may use the `outputs`, too."""
        return self.grad(inputs, output_grads)

    # What one calls --------------------------------------------------------------------------

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        """The outputs for `inputs`: the only one, or the default one, by itself."""
        return_list = kwargs.pop("return_list", False)
        name = kwargs.pop("name", None)
        node = self.make_node(*inputs, **kwargs)
        node.origin = user_origin()
        if config.compute_test_value != "off":
            for observe in infer.observers:
                observe(node)
        found = list(node.outputs)
        if name is not None:
            found[0].name = name
        if self.default_output is not None:
            found = [found[self.default_output]]
        return found if return_list or len(found) != 1 else found[0]

    def add_tag_trace(self, v: Any) -> Any:
        """`v`: where variables were made is known without it."""
        return v


def _by_props_equal(self: Any, other: Any) -> bool:
    return type(self) is type(other) and self._props() == other._props()


def _by_props_hash(self: Any) -> int:
    return hash((type(self), self._props()))


def _by_props_text(self: Any) -> str:
    props = self._props_dict()
    if not props:
        return type(self).__name__
    return f"{type(self).__name__}{{{', '.join(f'{k}={v!r}' for k, v in props.items())}}}"


_BY_PROPS: dict[str, Callable[..., Any]] = {
    "__eq__": _by_props_equal,
    "__hash__": _by_props_hash,
    "__str__": _by_props_text,
}


class FromFunctionOp(Op):
    """What `as_op` makes of a function."""

    __props__ = ("function", "itypes", "otypes")

    def __init__(
        self, function: Callable[..., Any], itypes: Any, otypes: Any, infer_shape: Any = None
    ) -> None:
        self.function = function
        self.itypes, self.otypes = tuple(itypes), tuple(otypes)
        if infer_shape is not None:
            self.infer_shape = lambda node, shapes: infer_shape(node, shapes)

    def __str__(self) -> str:
        return f"FromFunctionOp{{{self.function.__name__}}}"

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Call the function."""
        found = self.function(*inputs)
        results = found if isinstance(found, (list, tuple)) else [found]
        for cell, value in zip(output_storage, results, strict=True):
            cell[0] = value


def as_op(
    itypes: Any, otypes: Any, infer_shape: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], FromFunctionOp]:
    """Decorator that makes an op of a function of arrays, of the types given.

    ``infer_shape(node, input_shapes)`` gives the shapes of the outputs, where that is known. Raises
    TypeError for what is no type.

    >>> import numpy as np
    >>> import tracejit
    >>> import tracejit.tensor as T
    >>> @tracejit.compile.as_op(itypes=[T.dvector], otypes=[T.dscalar])
    ... def largest_step(x):
    ...     return np.abs(np.diff(x)).max()
    >>> x = T.dvector("x")
    >>> largest_step(x).eval({x: [1.0, 4.0, 2.0]})
    array(3.)
    """
    lists = [
        list(types) if isinstance(types, (list, tuple)) else [types] for types in (itypes, otypes)
    ]
    for kind in itertools.chain(*lists):
        if not hasattr(_as_type(kind), "filter"):
            raise TypeError(f"itypes and otypes are types, not {kind!r}")

    def make(function: Callable[..., Any]) -> FromFunctionOp:
        return FromFunctionOp(function, lists[0], lists[1], infer_shape)

    return make


def _as_type(kind: Any) -> Any:
    """A type; a constructor of variables, such as ``T.dvector``, stands for that of its own."""
    return kind if hasattr(kind, "filter") else kind().type


__all__ = ["FromFunctionOp", "MethodNotDefined", "Op", "as_op"]
