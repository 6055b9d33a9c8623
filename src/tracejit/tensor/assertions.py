"""Conditions on values: ``T.opt.Assert("what must hold")(x, condition)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import node_of, opcode
from tracejit.trace.trace import current
from tracejit.trace.tracer import Tracer


@opcode("assert", types=lambda attr, inputs: [inputs[0].type])
def _assert(attr: Any, x: Any, *conditions: Any) -> Any:
    """attr: (the exception's class, the message). What a program cannot grant NumPy decides."""
    kind, message = attr
    trace = current()
    for condition in conditions:
        if not isinstance(condition, Tracer):
            if not np.asarray(condition).all():
                raise kind(message)
            continue
        assert trace is not None
        holds = node_of(np.all(condition)) if condition.node.ndim else condition.node
        trace.require(holds, holds, holds)
    return x


class Assert:
    """``Assert(message)(x, condition, …)`` is `x`; AssertionError where a condition does not hold.

    >>> import tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> f = tracejit.function([x], Assert("x is empty")(x, x.shape[0] > 0).sum())
    >>> f([1.0, 2.0])
    array(3.)
    >>> try:
    ...     f([])
    ... except AssertionError as error:
    ...     print(error)
    x is empty
    """

    kind: type[Exception] = AssertionError
    __props__ = ("msg",)

    def __init__(self, msg: str = "Theano Assert failed!") -> None:
        self.msg = msg

    def __call__(self, value: Any, *conds: Any) -> Any:
        operands = [as_tensor_variable(value), *map(as_tensor_variable, conds)]
        for condition in operands[1:]:
            if condition.ndim:
                raise TypeError(f"a condition is a scalar, not {condition.type}")
        return apply("assert", operands, (self.kind, self.msg))[0]


assert_ = assert_op = Assert()


class Raise:
    """``Raise(message, exception)(x)`` raises where `x` is computed."""

    def __init__(self, msg: str = "", exc: type[Exception] = NotImplementedError) -> None:
        self.msg, self.exc = msg, exc

    def __call__(self, x: Any) -> Any:
        false = as_tensor_variable(np.array(False))
        return apply("assert", [as_tensor_variable(x), false], (self.exc, self.msg))[0]


__all__ = ["Assert", "Raise", "assert_", "assert_op"]
