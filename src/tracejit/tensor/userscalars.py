"""Arrays of users' own scalar ops: `impl` is called for each element, or what it names in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.errors import ShapeError
from tracejit.symbolic.convert import as_tensor_variable, dimshuffle, shape_padleft
from tracejit.symbolic.graph import Apply, Variable
from tracejit.symbolic.op import Op
from tracejit.symbolic.type import TensorType
from tracejit.tensor.scalarops import ScalarOp


class ElementwiseOp(Op):
    """A scalar op of a user's over arrays that broadcast; its derivative is the scalar op's."""

    __props__ = ("scalar_op",)

    def __init__(self, scalar_op: ScalarOp, nfunc_spec: Any = None) -> None:
        self.scalar_op = scalar_op
        self.nfunc_spec = nfunc_spec

    def __str__(self) -> str:
        return f"Elemwise{{{self.scalar_op},no_inplace}}"

    def make_node(self, *inputs: Any) -> Apply:
        """The application; inputs of fewer axes get ones in front."""
        made = [as_tensor_variable(v) for v in inputs]
        self.scalar_op.check_count(len(made))
        ndim = max((v.ndim for v in made), default=0)
        made = [shape_padleft(v, ndim - v.ndim) if v.ndim < ndim else v for v in made]
        pattern = [all(v.broadcastable[k] for v in made) for k in range(ndim)]
        types = self.scalar_op.output_types([TensorType(v.dtype, ()) for v in made])
        return Apply(self, made, [TensorType(t.dtype, pattern)() for t in types])

    def infer_shape(self, node: Any, shapes: Sequence[Any]) -> Sequence[Any]:
        """The lengths of axes that do not broadcast."""
        lengths = []
        for k in range(node.outputs[0].ndim):
            full = [
                s[k] for v, s in zip(node.inputs, shapes, strict=True) if not v.broadcastable[k]
            ]
            lengths.append(full[0] if full else shapes[0][k])
        return [lengths] * len(node.outputs)

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Element by element. ShapeError where lengths differ."""
        for k in range(node.outputs[0].ndim):
            pairs = zip(node.inputs, inputs, strict=True)
            lengths = {v.shape[k] for u, v in pairs if not u.broadcastable[k]}
            if len(lengths) > 1:
                raise ShapeError(f"Input dimension mis-match: axis {k} has lengths {lengths}")
        types = [v.type.numpy_dtype for v in node.outputs]
        function = _numpys(self.nfunc_spec, len(inputs), len(types))
        if function is None:
            function = np.frompyfunc(self.scalar_op.impl, len(inputs), len(types))
        with np.errstate(all="ignore"):
            found = function(*inputs)
        results = found if isinstance(found, tuple) else (found,)
        for cell, dtype, value in zip(output_storage, types, results, strict=True):
            cell[0] = np.asarray(value).astype(dtype)

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The scalar op's derivative, summed where an input broadcasts."""
        op = self.scalar_op
        if type(op).L_op is not Op.L_op:
            terms = op.L_op(inputs, outputs, output_grads)
        else:
            terms = op.grad(inputs, output_grads)
        return [
            _summed(as_tensor_variable(term), v) if _is_value(term) else term
            for term, v in zip(terms, inputs, strict=True)
        ]


def _is_value(term: Any) -> bool:
    return isinstance(term, (Variable, int, float, np.ndarray, np.generic))


def _summed(term: Any, v: Any) -> Any:
    """A cotangent, summed over the axes along which `v` broadcasts and it does not."""
    axes = [
        k for k in range(term.ndim) if v.broadcastable[k] and not term.broadcastable[k]
    ] if term.ndim == v.ndim else []  # fmt: skip
    if not axes:
        return term
    rest = iter(range(term.ndim - len(axes)))
    order = ["x" if k in axes else next(rest) for k in range(term.ndim)]
    return dimshuffle(term.sum(axis=axes), order)


def _numpys(spec: Any, nin: int, nout: int) -> Any:
    """The function of NumPy's or SciPy's that `nfunc_spec` names, where it takes that many."""
    if not spec or spec[1:] != (nin, nout):
        return None
    module: Any = np
    parts = spec[0].removeprefix("numpy.").split(".")
    if parts[0] == "scipy":
        import scipy.special

        module, parts = scipy, parts[1:]
    for part in parts:
        module = getattr(module, part)
    return module


class ReductionOp(Op):
    """A scalar op of a user's between the elements along axes."""

    __props__ = ("scalar_op", "axis")

    def __init__(self, scalar_op: ScalarOp, axis: Any = None) -> None:
        if getattr(scalar_op, "nin", -1) not in (-1, 2):
            raise NotImplementedError("CAReduce takes functions of two numbers with one result")
        self.scalar_op = scalar_op
        self.axis = axis

    def _axes(self, ndim: int) -> tuple[int, ...]:
        axes = range(ndim) if self.axis is None else self.axis
        return tuple(sorted(a % ndim for a in axes))

    def make_node(self, x: Any) -> Apply:
        """The application: the axes go."""
        x = as_tensor_variable(x)
        for a in self.axis or ():
            if not -x.ndim <= a < x.ndim:
                raise ValueError(f"Not enough dimensions on {x} to reduce on axis {a}")
        axes = self._axes(x.ndim)
        [kind] = self.scalar_op.output_types([TensorType(x.dtype, ())] * 2)
        pattern = [b for k, b in enumerate(x.broadcastable) if k not in axes]
        return Apply(self, [x], [TensorType(kind.dtype, pattern)()])

    def infer_shape(self, node: Any, shapes: Sequence[Any]) -> Sequence[Any]:
        """The lengths of the other axes."""
        axes = self._axes(len(shapes[0]))
        return [[n for k, n in enumerate(shapes[0]) if k not in axes]]

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """From the first element on. ValueError where there is none, and no `identity`."""
        [x] = inputs
        function = np.frompyfunc(self.scalar_op.impl, 2, 1)
        identity = getattr(self.scalar_op, "identity", None)
        initial = {} if identity is None else {"initial": identity}
        found: Any = x.astype(object)
        for a in reversed(self._axes(x.ndim)):
            found = function.reduce(found, axis=a, **initial)
        output_storage[0][0] = np.asarray(found).astype(node.outputs[0].type.numpy_dtype)


__all__ = ["ElementwiseOp", "ReductionOp"]
