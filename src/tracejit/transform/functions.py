"""Derivatives of Python functions: `grad`, `value_and_grad`, `vjp`, `jvp`.

A derivative is a function like any other. Called from outside, it is compiled; inside of a traced
function it adds its nodes to the trace. So derivatives can be taken of derivatives, and compiled
together with what uses them.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.arrays.libraries import library_function
from tracejit.call.function import Function
from tracejit.call.reentry import inlining
from tracejit.errors import DTypeError, ShapeError, UnsupportedError, told
from tracejit.ir import build
from tracejit.ir.marks import marked
from tracejit.ir.node import Node
from tracejit.plan.structure import Leaf, flatten, unflatten
from tracejit.trace.origin import is_internal
from tracejit.trace.ruled import ruled, serial
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap
from tracejit.transform.walk import pulled, pushed, rows, value_of


def _python_function(f: Any) -> Callable[..., Any]:
    if isinstance(f, Function):
        return f.__wrapped__
    if isinstance(f, types.FunctionType):
        derivative = "__tracejit_transform__" in f.__dict__
        ours = is_internal(f.__code__.co_filename) or library_function(f) is not None
        if derivative or not ours:
            return f  # of others there is a stand-in, which a call of them finds
    if not callable(f) or isinstance(f, type):
        raise TypeError(f"a derivative is taken of a Python function, not of {type(f).__name__!r}")

    def call(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    call.__name__ = getattr(f, "__name__", type(f).__name__)
    return call


def _transformed(f: Any, name: str, transform: Callable[..., Any]) -> Callable[..., Any]:
    """The function that calls ``transform(traced copy of f, *args)`` where it is traced."""
    inner = _python_function(f)

    @functools.wraps(inner)
    def call(*args: Any, **kwargs: Any) -> Any:
        trace = inlining((*args, *kwargs.values()))
        if trace is None:
            return compiled(*args, **kwargs)
        return transform(_copy(trace, inner), *args, **kwargs)

    call.__name__ = f"{name}({inner.__name__})"
    call.__dict__["__tracejit_transform__"] = call
    compiled = Function(call, device=getattr(f, "device", None))  # type: ignore[arg-type]
    call.__dict__["device"] = compiled.device
    return call


def _copy(trace: Trace, f: Callable[..., Any]) -> Callable[..., Any]:
    copied: Callable[..., Any] = trace.capture.function(f)
    return copied


class _Marked:
    """An argument whose leaves are told from all else that has the same value."""

    def __init__(self, value: Any, what: str) -> None:
        self.leaves: list[Tracer] = []
        self.nodes: list[Node] = []
        self.spec = flatten(value, what, self._leaf)
        self.value = unflatten(self.spec, iter(self.leaves))

    def _leaf(self, value: Any, path: str) -> Leaf | None:
        number = isinstance(value, (float, complex, np.generic)) and not isinstance(value, bool)
        if not (isinstance(value, Tracer) or number):
            if isinstance(value, int) and not isinstance(value, bool):
                raise told(
                    DTypeError(f"{path} is an integer: its derivative is not defined"),
                    f"pass {value}.0, or choose other argnums",
                )
            return None
        x = wrap(value)
        if x.node.dtype.kind not in "fc":
            raise told(
                DTypeError(f"{path} has dtype {x.node.dtype}: its derivative is not defined"),
                "pass 3.0 in place of 3, floats in place of integers, or choose other argnums",
            )
        node = marked(x.node, "mark", next(serial))
        self.nodes.append(node)
        self.leaves.append(Tracer(node, x.kind, owned=False))
        return Leaf("array")

    def like(self, nodes: Sequence[Node | None]) -> Any:
        """`nodes`, zeros for None, in the structure of the argument."""
        return unflatten(
            self.spec, (value_of(g, x) for g, x in zip(nodes, self.nodes, strict=True))
        )


def _outputs(result: Any) -> _Marked:
    return _Marked(result, "the result")


def _argument_numbers(argnums: Any, count: int) -> list[int]:
    numbers = list(argnums) if isinstance(argnums, (tuple, list)) else [argnums]
    for k in numbers:
        if not isinstance(k, int) or isinstance(k, bool):
            raise told(
                DTypeError(f"argnums={argnums!r} is neither an int nor a tuple of them"),
                "count the positional arguments from 0",
            )
        if not -count <= k < count:
            raise ValueError(
                f"argnums={argnums}, but the function is called with {count} arguments"
            )
    return [k % count for k in numbers]


def _cost(result: Any, has_aux: bool) -> tuple[Any, Any]:
    """What is differentiated of a function's result, and what goes with it."""
    pair = isinstance(result, (tuple, list))
    if has_aux and not (pair and len(result) == 2):
        raise told(
            DTypeError("with has_aux=True the function returns a pair: the cost, and anything"),
            "return (cost, aux), or leave has_aux out",
        )
    if not has_aux and (pair or result is None):
        raise told(
            DTypeError(f"a gradient is taken of a scalar, not of a {type(result).__name__}"),
            "return a scalar; with has_aux=True a pair of one and anything else",
        )
    return (result[0], result[1]) if has_aux else (result, None)


def value_and_grad(
    f: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    checkpoint: bool = True,
) -> Any:
    """The function that gives ``(f(...), gradient)``.

    `f` returns a real scalar, or with `has_aux` a pair of one and anything else. The gradient is
    that of the argument at `argnums`, in its structure (dicts, lists, dataclasses of arrays), or a
    tuple of them for several. Of complex arguments it is ``df/dx - i df/dy``. Integers, booleans
    and what `f` finds in globals and closures are constants.

    Of loops the gradient goes back through, values are kept at the root of the number of steps, and
    computed again between: `checkpoint=False` keeps those of every step.

    Raises TypeError for integer arguments and for a result that is no real scalar.

    >>> import tracejit
    >>> f = tracejit.value_and_grad(lambda p: p["a"] ** 2 * p["b"])
    >>> f({"a": 3.0, "b": 2.0})
    (18.0, {'a': np.float64(12.0), 'b': np.float64(9.0)})
    """

    def transform(copy: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        numbers = _argument_numbers(argnums, len(args))
        marked = {k: _Marked(args[k], f"argument {k}") for k in numbers}
        result = copy(
            *(marked[k].value if k in marked else a for k, a in enumerate(args)), **kwargs
        )
        cost, aux = _cost(result, has_aux)
        variable = wrap(cost)
        node = variable.node
        if node.ndim:
            raise told(
                ShapeError(f"a gradient is taken of a scalar, not of an array of {node.ndim} axes"),
                "return its sum or mean; jacobian gives the derivatives of an array",
            )
        if node.dtype.kind != "f":
            raise DTypeError(f"a gradient is taken of a real number, not of {node.dtype}")
        leaves = [n for k in numbers for n in marked[k].nodes]
        one = build.constant(1, node.dtype)
        found = iter(pulled([node], [one], leaves, checkpoint=checkpoint))
        gradients = tuple(marked[k].like([next(found) for _ in marked[k].nodes]) for k in numbers)
        gradient = gradients[0] if isinstance(argnums, int) else gradients
        return ((cost, aux) if has_aux else cost), gradient

    return _transformed(f, "value_and_grad", transform)


def grad(
    f: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    checkpoint: bool = True,
) -> Any:
    """The function that gives the gradient of `f`; with `has_aux` ``(gradient, aux)``.

    As `value_and_grad`, without the value.

    >>> import numpy as np
    >>> import tracejit
    >>> slope = tracejit.grad(lambda x: (x**3).sum())
    >>> slope(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> tracejit.grad(lambda x: slope(x)[0] + slope(x)[1])(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """
    both = value_and_grad(f, argnums, has_aux, checkpoint=checkpoint)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        trace = inlining((*args, *kwargs.values()))
        if trace is None:
            return compiled(*args, **kwargs)
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    functools.update_wrapper(gradient, _python_function(f))
    gradient.__name__ = f"grad({_python_function(f).__name__})"
    gradient.__dict__["__tracejit_transform__"] = gradient
    compiled = Function(gradient, device=getattr(f, "device", None))  # type: ignore[arg-type]
    gradient.__dict__["device"] = compiled.device
    return gradient


def jacobian(f: Any, argnums: int | Sequence[int] = 0, *, checkpoint: bool = True) -> Any:
    """The function that gives the derivatives of every element of what `f` returns.

    In the place of an array ``y`` of the result stands an array of shape ``y.shape + x.shape`` for
    the argument `x` at `argnums`, in that argument's structure; a tuple for several. For
    `checkpoint` see `value_and_grad`.

    >>> import numpy as np
    >>> import tracejit
    >>> tracejit.jacobian(lambda x: x[1:] * x[0])(np.array([2.0, 3.0, 4.0]))
    array([[3., 2., 0.],
           [4., 0., 2.]])
    """

    def transform(copy: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        numbers = _argument_numbers(argnums, len(args))
        marked = {k: _Marked(args[k], f"argument {k}") for k in numbers}
        outputs = _outputs(
            copy(*(marked[k].value if k in marked else a for k, a in enumerate(args)), **kwargs)
        )
        leaves = [n for k in numbers for n in marked[k].nodes]
        blocks = []
        for derivatives in rows(outputs.nodes, leaves, checkpoint=checkpoint):
            each = map(value_of, derivatives, derivatives)
            found = tuple(unflatten(marked[k].spec, each) for k in numbers)
            blocks.append(found[0] if isinstance(argnums, int) else found)
        return unflatten(outputs.spec, iter(blocks))

    return _transformed(f, "jacobian", transform)


def hessian(f: Any, argnums: int | Sequence[int] = 0, *, checkpoint: bool = True) -> Any:
    """The function that gives the second derivatives of the real scalar that `f` returns.

    Of shape ``x.shape + x.shape`` for the array `x` at `argnums`; of a dict of arrays a dict of
    dicts, and so on. For `checkpoint` see `value_and_grad`.

    >>> import numpy as np
    >>> import tracejit
    >>> tracejit.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    inner = grad(f, argnums, checkpoint=checkpoint)
    return jacobian(inner, argnums, checkpoint=checkpoint)


def _check_alike(given: _Marked, wanted: _Marked, what: str, of: str) -> None:
    """Whether a tangent or cotangent has the structure, shapes and kinds of what it belongs to."""
    if given.spec != wanted.spec:
        raise ShapeError(f"{what} has another structure than {of}")
    solver = build.solver()
    for g, w in zip(given.nodes, wanted.nodes, strict=True):
        same = g.ndim == w.ndim and all(map(solver.equal, g.shape, w.shape))
        if not same:
            shapes = [str(tuple(map(solver.value, n.shape))) for n in (g, w)]
            raise ShapeError(f"{what} has the shape {shapes[0]}, {of} {shapes[1]}")
        if g.dtype.kind == "c" != w.dtype.kind:
            raise DTypeError(f"{what} is complex, {of} is {w.dtype}")


def custom_gradient(f: Any) -> Callable[..., Any]:
    """A function with a gradient of its own: `f` returns its result and the rule.

    ``f(*args)`` gives ``(result, rule)``, and ``rule(g)`` a cotangent for each argument, or one for
    the only argument, where `g` is the cotangent of the result, an array or scalar. The function
    that comes back gives the result alone.

    >>> import numpy as np
    >>> import tracejit
    >>> @tracejit.custom_gradient
    ... def clipped_slope(x):
    ...     return np.exp(x), lambda g: g * np.minimum(np.exp(x), 10.0)
    >>> tracejit.grad(lambda x: clipped_slope(x).sum())(np.array([0.0, 5.0]))
    array([ 1., 10.])
    """

    def transform(copy: Callable[..., Any], /, *args: Any) -> Any:
        found = copy(*args)
        if not (isinstance(found, tuple) and len(found) == 2 and callable(found[1])):
            raise told(
                DTypeError(f"{_python_function(f).__name__}() gives no rule for its gradient"),
                "return (result, rule), where rule(g) gives a cotangent for each argument",
            )
        result, rule = found
        y = wrap(result)
        operands = [wrap(a) for a in args]

        def pull(g: Node) -> list[Node | None]:
            found = rule(Tracer(g, y.kind if y.kind != "number" else "scalar"))
            parts = found if isinstance(found, (tuple, list)) else (found,)
            if len(parts) != len(operands):
                raise ShapeError(
                    f"the rule gives {len(parts)} cotangents for {len(operands)} arguments"
                )
            return [None if p is None else wrap(p).node for p in parts]

        return Tracer(ruled(y.node, [o.node for o in operands], pull), y.kind)

    return _transformed(f, "custom_gradient", transform)


def pullback(f: Any, *, checkpoint: bool = True) -> Callable[..., Any]:
    """The function that gives, for a cotangent of the result and arguments, their cotangents.

    ``vjp(f, *args)[1](cotangent)`` is ``pullback(f)(cotangent, *args)``.
    """

    def transform(copy: Callable[..., Any], cotangent: Any, *args: Any) -> Any:
        marked = [_Marked(a, f"argument {k}") for k, a in enumerate(args)]
        outputs = _outputs(copy(*(m.value for m in marked)))
        seeds = _outputs(cotangent)
        _check_alike(seeds, outputs, "the cotangent", "the result")
        leaves = [n for m in marked for n in m.nodes]
        pairs = zip(seeds.nodes, outputs.nodes, strict=True)
        cotangents = [build.broadcast_to(s, y.shape) for s, y in pairs]
        found = iter(pulled(outputs.nodes, cotangents, leaves, checkpoint=checkpoint))
        return tuple(m.like([next(found) for _ in m.nodes]) for m in marked)

    return _transformed(f, "vjp", transform)


def vjp(f: Any, *primals: Any, checkpoint: bool = True) -> tuple[Any, Callable[[Any], Any]]:
    """``(f(*primals), pull)``: ``pull(cotangent)`` gives the cotangents of the arguments.

    The cotangent has the structure of the result; the cotangents are a tuple, one an argument.

    >>> import numpy as np
    >>> import tracejit
    >>> y, pull = tracejit.vjp(lambda x: x * x, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 10.0]))
    (array([ 2., 60.]),)
    """

    pulled, trace = pullback(f, checkpoint=checkpoint), inlining(primals)
    inner = _python_function(f)
    if trace is None:
        function = Function(inner, device=getattr(f, "device", None))  # type: ignore[arg-type]
        value = function(*primals)
        moves = any(path.moves for path in function._recent)
    else:
        before = _moved(trace)
        value = _copy(trace, inner)(*primals)
        moves = _moved(trace) != before
    if moves:
        raise told(
            UnsupportedError("vjp of a function that draws or updates: its pull would do so again"),
            "tracejit.value_and_grad computes both at once",
        )
    return value, lambda cotangent: pulled(cotangent, *primals)


def _moved(trace: Any) -> Any:
    """What draws and updates have changed in a trace so far."""
    return len(trace.draws), [state.node for state in trace.capture.states.values()]


def jvp(f: Any, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``(f(*primals), tangent)``: the derivative of `f` along `tangents`.

    Tangents have the structure of their arguments, the result's tangent that of the result.

    >>> import numpy as np
    >>> import tracejit
    >>> tracejit.jvp(lambda x, k: x * x * k, (np.array([1.0, 3.0]), 2.0), (np.ones(2), 0.0))
    (array([ 2., 18.]), array([ 4., 12.]))
    """
    if not (isinstance(primals, (tuple, list)) and isinstance(tangents, (tuple, list))):
        raise TypeError("jvp takes tuples: jvp(f, (x,), (tangent,))")
    if len(primals) != len(tangents):
        raise ValueError(f"{len(primals)} arguments need as many tangents, not {len(tangents)}")
    inner = _python_function(f)
    # What is made in a trace ends with it.
    pushed = (_pushed if inlining((primals, tangents)) is None else _pushed.__wrapped__)(inner)
    found: tuple[Any, Any] = pushed(tuple(primals), tuple(tangents))
    return found


@functools.lru_cache(256)
def _pushed(f: Callable[..., Any]) -> Callable[..., Any]:
    def transform(copy: Callable[..., Any], primals: Any, tangents: Any) -> Any:
        marked = [_Marked(a, f"argument {k}") for k, a in enumerate(primals)]
        result = copy(*(m.value for m in marked))
        outputs = _outputs(result)
        leaves = [n for m in marked for n in m.nodes]
        moves = [_Marked(t, f"tangent {k}") for k, t in enumerate(tangents)]
        for k, (m, t) in enumerate(zip(marked, moves, strict=True)):
            _check_alike(t, m, f"tangent {k}", f"argument {k}")
        points = [n for t in moves for n in t.nodes]
        return result, outputs.like(pushed(outputs.nodes, leaves, points))

    return _transformed(f, "jvp", transform)


__all__ = [
    "custom_gradient",
    "grad",
    "hessian",
    "jacobian",
    "jvp",
    "pullback",
    "value_and_grad",
    "vjp",
]
