"""`pure`: functions that are no NumPy, or not ours to trace, as nodes of programs."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from tracejit.call.reentry import inlining
from tracejit.errors import NotTraceable, RaisesBefore
from tracejit.ir import build, host, ops
from tracejit.ir.dims import Dim
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node, postorder
from tracejit.native.hostcalls import Callee, Form
from tracejit.plan.structure import ARRAY, NUMBER, SCALAR, Leaf, Spec, Tree, flatten, unflatten
from tracejit.trace.effects import FIXED
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap

#: Results of how many kinds a function may give for arguments of one kind.
_MOST = 3
_NO_NAMES = Tree("dict", dict, (), ())
_LEAVES = {"array": ARRAY, "scalar": SCALAR, "number": NUMBER}


class _Answer(NamedTuple):
    """What a function gives: the structure, the kinds of leaves, and their types."""

    spec: Spec
    kinds: tuple[str, ...]
    forms: tuple[Form, ...]


#: A length of an argument: whose, and of which axis.
_Place = tuple[int, int]


class _Known:
    """What is known of a function's results for arguments of one kind.

    `alike` has for each axis of each result the lengths that it has had so far each time.
    """

    def __init__(self) -> None:
        self.answer: _Answer | None = None
        self.callee: Callee | None = None
        self.alike: list[list[set[_Place]]] | None = None
        self.changes = 0

    def learn(self, answer: _Answer, run: Callable[..., Any], name: str, forms: Any) -> None:
        """Expect such results of ``run(answer, *arrays)``."""
        if answer == self.answer:
            return
        if self.changes > _MOST:
            raise NotTraceable(f"{name}() gives results of many dtypes, ranks or structures")
        self.answer, self.alike = answer, None
        self.callee = Callee(name, functools.partial(run, answer), forms, answer.forms)

    def compare(self, results: Sequence[tuple[int, ...]], args: Sequence[tuple[int, ...]]) -> None:
        """Look which lengths of results and arguments are the same."""
        places: dict[int, set[_Place]] = defaultdict(set)
        for k, shape in enumerate(args):
            for axis, n in enumerate(shape):
                places[n].add((k, axis))
        alike = [[places[n] for n in shape] for shape in results]
        if self.alike is not None:
            alike = [
                [a & b for a, b in zip(one, other, strict=True)]
                for one, other in zip(self.alike, alike, strict=True)
            ]
        self.alike = alike


@overload
def pure(f: Callable[..., Any], *, result: Any = None) -> Callable[..., Any]: ...
@overload
def pure(
    f: None = None, *, result: Any = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...


def pure(f: Any = None, *, result: Any = None) -> Any:
    """A function of arrays and numbers that programs call where they stand, as it is.

    What it gives must depend on its arguments alone, and it must do nothing else: equal calls are
    made once. It gets copies of arrays, in C order, and gives new arrays and numbers, or tuples,
    lists and dicts of them. What is around it is one compiled program; where it raises, NumPy makes
    the call anew, and raises what it does. `tracejit.custom_gradient` gives it a derivative.

    Which dtypes and how many axes its results have, and which lengths are those of arguments, is
    learned by calls with the arguments of a trace. In a compiled loop there are none yet: there
    `result` says it, an example whose lengths do not count, or a function of the arguments that
    gives something of the same dtypes and shapes (``result=lambda x: x``), which is not computed.
    A call for which it is otherwise is made by NumPy.

    >>> import numpy as np
    >>> import tracejit
    >>> @tracejit.pure
    ... def longest(x):
    ...     return max(x.tolist(), key=lambda v: len(str(v)))
    >>> @tracejit.function
    ... def f(x):
    ...     return longest(2 * x) + x
    >>> f(np.array([1.0, 2.125]))
    array([5.25 , 6.375])
    """
    if f is None:
        return functools.partial(pure, result=result)
    if not callable(f):
        raise TypeError(f"pure takes a function, not {type(f).__name__!r}")
    known: dict[Any, _Known] = {}
    example = None if result is None or callable(result) else _answer_of(result, [])
    name = getattr(f, "__name__", type(f).__name__)

    def call(*args: Any, **kwargs: Any) -> Any:
        trace = inlining((*args, *kwargs.values()))
        if trace is None:
            return f(*args, **kwargs)
        leaves: list[Tracer] = []
        spec = flatten((args, kwargs), "the arguments", functools.partial(_leaf, leaves))
        nodes = [leaf.node for leaf in leaves]
        kinds = tuple(leaf.kind for leaf in leaves)
        forms = tuple((node.dtype, node.ndim) for node in nodes)
        about = known.setdefault((spec, kinds, forms), _Known())
        learn = functools.partial(
            about.learn, run=functools.partial(_run, f, about, spec, kinds),
            name=name, forms=forms,
        )  # fmt: skip
        shapes: Sequence[Sequence[Dim | None]] = ()
        if callable(result):
            like: list[Tracer] = []
            of = flatten(trace.capture.function(result)(*args, **kwargs), "the result",
                         functools.partial(_leaf, like))  # fmt: skip
            types = tuple((x.node.dtype, x.node.ndim) for x in like)
            learn(_Answer(of, tuple(x.kind for x in like), types))
            shapes = [x.node.shape for x in like]
        elif not trace.is_in_region():
            answer, results, given = _tried(trace, name, f, spec, kinds, nodes)
            learn(answer)
            about.compare(results, given)
            shapes = _told(about, nodes)
        elif about.answer is None:
            if example is None:
                raise NotTraceable(
                    f"what {name}() gives is not known in a compiled loop",
                    "give an example: tracejit.pure(f, result=np.empty((0, 0)))",
                )
            learn(example)
        assert about.callee is not None and about.answer is not None
        found = host.call(about.callee, nodes, shapes)
        return unflatten(about.answer.spec, map(_tracer, found, about.answer.kinds))

    functools.update_wrapper(call, f)
    call.__dict__.update({FIXED: True, "__tracejit_transform__": call})
    return call


def _leaf(leaves: list[Tracer], value: Any, path: str) -> Leaf | None:
    """What is traced, and arrays."""
    if not isinstance(value, (Tracer, np.ndarray, np.generic)):
        return None
    leaf = wrap(value)
    leaves.append(leaf)
    return _LEAVES[leaf.kind]


def _told(about: _Known, nodes: Sequence[Node]) -> list[list[Dim | None]]:
    """The lengths of results that are arguments' ones."""
    assert about.alike is not None
    return [
        [nodes[min(places)[0]].shape[min(places)[1]] if places else None for places in axes]
        for axes in about.alike
    ]


def _tracer(node: Node, kind: str) -> Tracer:
    return Tracer(build.weak(node) if kind == "number" else node, kind)  # type: ignore[arg-type]


def _values(arrays: Iterable[Any], kinds: Sequence[str]) -> list[Any]:
    """Arrays as what they stand for."""
    made = [np.asarray(a) for a in arrays]
    return [
        a if kind == "array" else a[()] if kind == "scalar" else a.item()
        for a, kind in zip(made, kinds, strict=True)
    ]


def _called(f: Callable[..., Any], spec: Spec, values: Sequence[Any]) -> Any:
    """What the function gives for these in the places of its arguments."""
    assert isinstance(spec, Tree)
    positional, named = spec.children
    assert isinstance(positional, Tree)
    if named == _NO_NAMES and all(isinstance(child, Leaf) for child in positional.children):
        return f(*values)
    args, kwargs = unflatten(spec, iter(values))
    return f(*args, **kwargs)


def _run(
    f: Callable[..., Any],
    about: _Known,
    spec: Spec,
    kinds: Sequence[str],
    expected: _Answer,
    *arrays: np.ndarray,
) -> list[np.ndarray] | None:
    """Call the function for a program, which expects such results; None where they are others."""
    result = _called(f, spec, _values(arrays, kinds))
    if type(result) is np.ndarray and expected.spec is ARRAY:
        return [result]
    leaves: list[Any] = []
    if _answer_of(result, leaves) != expected:
        about.changes += 1
        return None
    return [np.asarray(leaf) for leaf in leaves]


def _answer_of(result: Any, leaves: list[Any]) -> _Answer:
    """What a result is; its leaves go into the list."""
    kinds: list[str] = []

    def leaf(value: Any, path: str) -> Leaf | None:
        if isinstance(value, np.ndarray) and type(value) is np.ndarray:
            kind = "array"
        elif isinstance(value, np.generic):
            kind = "scalar"
        elif type(value) in (bool, int, float, complex):
            kind = "number"
        else:
            return None
        if np.asarray(value).dtype.kind not in "biufc":
            raise NotTraceable(f"{path} has dtype {np.asarray(value).dtype}")
        leaves.append(value)
        kinds.append(kind)
        return _LEAVES[kind]

    spec = flatten(result, "the result", leaf)
    forms = tuple((a.dtype, a.ndim) for a in map(np.asarray, leaves))
    return _Answer(spec, tuple(kinds), forms)


def _tried(
    trace: Trace,
    name: str,
    f: Callable[..., Any],
    spec: Spec,
    kinds: Sequence[str],
    nodes: Sequence[Node],
) -> tuple[_Answer, list[tuple[int, ...]], list[tuple[int, ...]]]:
    """What the function gives for the arguments of the trace, and the shapes of both."""
    drawn = any(n.op is ops.INPUT and n.attr[0] in trace.drawn_inputs for n in postorder(nodes))
    if drawn:
        raise NotTraceable(f"{name}() is called with random numbers, before they are drawn")
    leaves: list[Any] = []
    try:
        given = _values(map(np.array, evaluate(nodes, trace.values)), kinds)
        result = _called(f, spec, given)
    except Exception as error:
        raise RaisesBefore(f"{name}() raises {type(error).__name__}") from error
    answer = _answer_of(result, leaves)
    return answer, list(map(np.shape, leaves)), list(map(np.shape, given))
