"""NumPy's generators in traced functions: they draw as NumPy would, bit for bit.

A draw of a traced function becomes an input of its program. At each call NumPy's own generator
fills it, in the order of the function's statements, before the program runs; so the caller's
generator moves as it would have moved without tracing. What a draw is given must be known before:
numbers, lengths, and arguments. Generators that the function makes are made then, too.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.arrays.common import length, shape_argument
from tracejit.capture.streams import Stream, kind_of, not_in_order
from tracejit.errors import NotTraceable
from tracejit.ir import build, interpret, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, postorder
from tracejit.plan.text import DrawText
from tracejit.trace.trace import Trace, current
from tracejit.trace.tracer import Kind, Tracer

RANDOM_HINT = "pass a generator (np.random.default_rng()) as an argument, and draw from that"
_HINT = "draw outside and pass the numbers as an argument"
#: Methods that give numbers for each element of `size`, or of the parameters.
_ELEMENTS = frozenset(
    "random standard_normal normal uniform integers standard_exponential exponential "
    "standard_gamma gamma beta binomial negative_binomial chisquare f geometric gumbel "
    "hypergeometric laplace logistic lognormal logseries noncentral_chisquare noncentral_f pareto "
    "poisson power rayleigh standard_cauchy standard_t triangular vonmises wald weibull zipf "
    "rand randn randint random_sample random_integers tomaxint".split()
)
#: Methods that put the elements of an array in an order, or pick some.
_IN_ORDER = ("shuffle", "permutation", "choice")
#: Methods that look at the state, or give another one.
_STATES = ("seed", "get_state", "set_state")
#: Methods that give a row for each, and the argument that is as long as a row.
_ROWS = {
    "multinomial": "pvals",
    "dirichlet": "alpha",
    "multivariate_normal": "mean",
    "multivariate_hypergeometric": "colors",
}


@dataclass(frozen=True)
class Known:
    """A traced value among the arguments of a draw."""

    node: Node
    kind: Kind


class Made:
    """What NumPy makes before the program runs, and no array: a generator's parts, or its state.

    `name` stands for it in drivers, and `sample` is like it.
    """

    __tracejit_shown__ = "what NumPy makes of a generator"
    __tracejit_fixed__ = True

    def __init__(self, name: str, sample: Any) -> None:
        self.name, self.sample = name, sample


@dataclass(frozen=True)
class Draw:
    """A call of a `generator`'s method, or of a function where that is empty.

    The `result` is the name of an input, or of something `Made`. A generator that was `made` before
    need not be put back. One of `reading` draws nothing.
    """

    generator: str
    method: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: str
    made: bool = False
    reading: bool = False

    def text(self, expressions: Mapping[str, str], symbol: Callable[[Any], str]) -> DrawText:
        """The call as text; `symbol` names constants."""
        nodes: list[Node] = []
        generator = expressions[self.generator] if self.generator else ""
        called = f"{generator}.{self.method}" if generator else symbol(self.method)

        def shown(value: Any, known: Callable[[Node], str]) -> str:
            if isinstance(value, Known):
                return known(value.node)
            if isinstance(value, Made):
                return expressions[value.name]
            if type(value) in (tuple, list):
                inner = "".join(f"{shown(v, known)}, " for v in value)
                return f"({inner})" if type(value) is tuple else f"[{inner}]"
            return symbol(value)

        def call(texts: Sequence[str]) -> str:
            given = iter(texts)
            parts = [shown(v, lambda _: next(given)) for v in self.args]
            parts += [f"{k}={shown(v, lambda _: next(given))}" for k, v in self.kwargs.items()]
            return f"{called}({', '.join(parts)})"

        def noted(node: Node) -> str:
            nodes.append(node)
            return ""

        for value in (*self.args, *self.kwargs.values()):
            shown(value, noted)
        noted_at = "" if self.made else generator
        return DrawText(expressions[self.result], noted_at, call, tuple(nodes))


def is_generator(value: Any) -> bool:
    """Whether `value` is one of NumPy's generators; NumPy loads them on first use."""
    kind = type(value)
    named = kind.__name__ in ("Generator", "RandomState")
    return named and kind.__module__.startswith("numpy.random")


class TracedGenerator:
    """What stands for a generator during a trace; one that is `made` there, or the caller's."""

    __tracejit_shown__ = "a generator of random numbers"
    #: What a loop draws changes its state, which is an array.
    __tracejit_fixed__ = True

    def __init__(
        self, trace: Trace, generator: Any, name: str, path: str, made: bool = False
    ) -> None:
        self._trace = trace
        self._sample = generator if made else copy.deepcopy(generator)
        self._name = name
        self._path = path
        self._made = made
        #: Its state in the program, where that draws.
        self.stream: Stream | None = None
        if trace.capture is not None:
            trace.capture.generators.append(self)

    @property
    def name(self) -> str:
        """What stands for it in drivers."""
        return self._name

    def mark(self) -> tuple[Any, Stream | None]:
        """Where it is, to go back to."""
        sample = self._sample
        if sample is None:
            return None, self.stream
        old = isinstance(sample, np.random.RandomState)
        state = sample.get_state(legacy=False) if old else sample.bit_generator.state
        return state, self.stream

    def go_back(self, mark: tuple[Any, Stream | None]) -> None:
        """Draw the same again from there."""
        state, self.stream = mark
        if isinstance(self._sample, np.random.RandomState):
            self._sample.set_state(state)
        elif self._sample is not None:
            self._sample.bit_generator.state = state

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("__") or not hasattr(self._sample, method):
            kind = type(self._sample).__name__
            raise AttributeError(f"{kind!r} object has no attribute {method!r}")
        if method in _IN_ORDER:
            return functools.partial(getattr(self, f"_{method}"), method)
        if method in _STATES:
            return functools.partial(self._make, method)
        if not (method in _ELEMENTS or method in _ROWS):
            raise NotTraceable(f"{self._path}.{method} is not compiled", RANDOM_HINT)

        def draw(*args: Any, **kwargs: Any) -> Tracer:
            return self._draw(method, args, kwargs)

        draw.__name__ = method
        return draw

    def _draw(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tracer:
        if kwargs.get("out") is not None:
            raise NotTraceable(f"{self._path}.{method}(out=…) writes into an array", "leave out=")
        if self.stream is not None or self._trace.may_go_back():
            found = self._drawn_there(method, args, kwargs)
            if found is not None:
                return found
        given = self._known(args)
        named = {key: self._known(value) for key, value in kwargs.items()}
        # A draw by a copy of the generator says what dtype, or which error, there will be.
        plain = [self._value(given), {k: self._value(v) for k, v in named.items()}]
        sample = getattr(self._sample, method)(*plain[0], **plain[1])
        shape = self._shape(method, args, kwargs, np.ndim(sample))
        variable = self._trace.drawn(sample, shape, f"{self._path}_{method}")
        name: str = variable.node.attr[0]
        self._trace.draws.append(Draw(self._name, method, given, named, name, self._made))
        return variable

    def _drawn_there(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Tracer | None:
        """A draw of the program's own, as in loops and branches; None where there is none."""
        stream = self.stream
        kind = kind_of(self._sample) if stream is None else stream.kind
        if kind is None:
            return None
        if method in ("rand", "randn"):
            named, size = {}, args or None
        else:
            named = self._named(method, args, kwargs)
            size = named.pop("size", None)
        if stream is None:
            if method not in kind.rows:
                return None
            self.stream = stream = Stream(self._trace, self._sample, kind, self._path)
            own = Made(self._name, None)
            read = Draw("", kind.read, (own,), {}, stream.name, made=True, reading=True)
            self._trace.draws.append(read)
        found = stream.draw(method, named, None if size is None else shape_argument(size))
        if found is None:
            raise not_in_order(self._path, method)
        return found

    def _make(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A call that gives no numbers, or the generator another state."""
        if self.stream is not None or self._trace.may_go_back():
            raise not_in_order(self._path, method)
        given = self._known(args)
        named = {key: self._known(value) for key, value in kwargs.items()}
        sample = getattr(self._sample, method)(
            *self._value(given), **{k: self._value(v) for k, v in named.items()}
        )
        made = made_value(self._trace, sample)
        self._trace.draws.append(Draw(self._name, method, given, named, made.name, self._made))
        return None if sample is None else made

    # What is a matter of places: NumPy draws these, and what they are of is put in order ---------

    def _shuffle(self, method: str, x: Any, axis: Any = 0) -> None:
        if not (isinstance(x, Tracer) and x.kind == "array" and x.node.ndim and axis == 0):
            raise NotTraceable(
                f"{self._path}.shuffle is compiled of arrays, along their first axis", _HINT
            )
        x[...] = x[self._draw("permutation", (x.shape[0],), {})]

    def _permutation(self, method: str, x: Any, *axis: Any, **kwargs: Any) -> Tracer:
        if _is_computed(x) and not axis and not kwargs:
            found: Tracer = x[self._draw(method, (x.shape[0],), {})]
            return found
        return self._draw(method, (x, *axis), kwargs)

    def _choice(self, method: str, a: Any, *args: Any, **kwargs: Any) -> Tracer:
        if (self.stream is not None or self._trace.may_go_back()) and not kwargs.keys() - {"size"}:
            whole = "integers" if hasattr(self._sample, "integers") else "randint"
            many = isinstance(a, Tracer) and bool(a.node.ndim)
            size = args[0] if args else kwargs.get("size")
            n = a.shape[0] if many else a
            if len(args) < 2 and (many or isinstance(a, (int, Tracer))):
                place = self._drawn_there(whole, (0, n), {"size": size})
                if place is not None:
                    picked: Tracer = a[place] if many else place
                    return picked if many or size is not None else of_python(picked)
        if _is_computed(a) and not kwargs.get("axis"):
            found: Tracer = a[self._draw(method, (a.shape[0], *args), kwargs)]
            return found
        return self._draw(method, (a, *args), kwargs)

    # Arguments -------------------------------------------------------------------------------

    def _known(self, value: Any) -> Any:
        """`value` with what is traced marked. NotTraceable where it depends on what is computed."""
        if isinstance(value, (tuple, list)):
            return type(value)(self._known(v) for v in value)
        if isinstance(value, Made):
            return value
        if isinstance(value, Tracer):
            node = value.node
            inputs = [n for n in postorder([node]) if n.op is ops.INPUT]
            if not inputs and all(isinstance(d, int) for d in node.shape) and node.ndim:
                return interpret.evaluate([node], {})[0]  # as np.zeros(2)
            if node.op is not ops.INPUT and (node.ndim or any(n.ndim for n in inputs)):
                raise NotTraceable(
                    f"{self._path} is given an array that is computed here",
                    "draw standard numbers, and compute with them",
                )
            if self._trace.is_differentiated(node):
                raise NotTraceable(
                    f"{self._path} is given a number that is differentiated",
                    "draw standard numbers, and compute with them",
                )
            if any(n.attr[0] in self._trace.drawn_inputs for n in inputs):
                raise NotTraceable(f"{self._path} is given a number that is drawn here", _HINT)
            return Known(node, value.kind)
        if isinstance(value, np.ndarray):
            found = self._trace.known_array(value)
            return self._known(found if found is not None else self._trace.array_input(value))
        return value

    def _value(self, given: Any) -> Any:
        if isinstance(given, (tuple, list)):
            return type(given)(self._value(v) for v in given)
        if isinstance(given, Made):
            return given.sample
        if not isinstance(given, Known):
            return given
        if given.node.op is ops.INPUT:
            return self._trace.values[given.node.attr[0]]
        found = self._trace.evaluate(given.node)
        return found.item() if given.kind == "number" and isinstance(found, np.generic) else found

    # Shapes ----------------------------------------------------------------------------------

    def _shape(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], ndim: int
    ) -> tuple[Dim, ...]:
        named = self._named(method, args, kwargs)
        size = named.pop("size", None)
        lead = None if size is None else shape_argument(size)
        if named.get("axis", 0) != 0:
            raise NotTraceable(f"{self._path}.{method}(axis=…) is not compiled", _HINT)
        if method in ("rand", "randn"):
            return tuple(length(n) for n in args)
        if method == "permutation":
            return _shape_of(named["x"]) or (length(named["x"]),)
        if method == "choice":
            return (*(lead or ()), *_shape_of(named["a"])[1:])
        if method in _ROWS:
            row = _shape_of(named[_ROWS[method]])
            return (*(row[:-1] if lead is None else lead), *row[-1:])
        if lead is not None:
            return lead
        parameters = [v for k, v in named.items() if k not in ("dtype", "method", "endpoint")]
        found = build.broadcast_shapes([(), *(_shape_of(p) for p in parameters if p is not None)])
        assert len(found) == ndim
        return found

    def _named(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name; NumPy's methods tell theirs on the first line of their text."""
        text = (getattr(self._sample, method).__doc__ or "").strip().partition("\n")[0]
        inside = text.partition("(")[2].partition(")")[0]
        names = [part.partition("=")[0].strip() for part in inside.split(",")]
        if len(args) > len(names):
            raise NotTraceable(f"the parameters of {self._path}.{method} are not known", _HINT)
        return {**dict(zip(names, args, strict=False)), **kwargs}


def _shape_of(x: Any) -> tuple[Dim, ...]:
    return x.node.shape if isinstance(x, Tracer) else tuple(map(int, np.shape(x)))


def of_python(scalar: Tracer) -> Tracer:
    """A scalar as a number of Python's."""
    return Tracer(build.weak(scalar.node), "number")


def _is_computed(x: Any) -> bool:
    """Whether `x` is an array that NumPy does not have before the program runs."""
    return isinstance(x, Tracer) and bool(x.node.ndim) and x.node.op is not ops.INPUT


def made_value(trace: Trace, sample: Any) -> Made:
    """What stands for something that NumPy makes at each call, like `sample`."""
    made = Made(f".made{len(trace.draws)}", sample)
    trace.capture.handles[id(made)] = made, made.name
    return made


class _Maker(TracedGenerator):
    """What looks at the arguments of a call that makes something."""

    def __init__(self, trace: Trace, path: str) -> None:
        super().__init__(trace, None, "", path, made=True)


def make_generator(function: Any, *args: Any, **kwargs: Any) -> Any:
    """A generator, or a part of one, that a function of NumPy's makes in a trace."""
    trace = current()
    if trace is None or trace.capture is None:
        return function(*args, **kwargs)
    maker = _Maker(trace, f"np.random.{function.__name__}")
    given = maker._known(args)
    named = {key: maker._known(value) for key, value in kwargs.items()}
    sample = function(*maker._value(given), **{k: maker._value(v) for k, v in named.items()})
    made = made_value(trace, sample)
    trace.draws.append(Draw("", function, given, named, made.name, made=True))
    if not is_generator(sample):
        return made
    generator = TracedGenerator(trace, sample, made.name, "a new generator", made=True)
    trace.capture.handles[id(generator)] = generator, made.name
    return generator


def of_global_state(method: str, *args: Any, **kwargs: Any) -> Any:
    """A call of a function of ``np.random``'s, which draws from the global generator."""
    state: Any = np.random.mtrand._rand
    trace = current()
    if trace is None or trace.capture is None:
        return getattr(state, method)(*args, **kwargs)
    expression = trace.capture.prologue.symbol(state, "random")
    generator = trace.capture.read(state, expression, "np.random")
    return getattr(generator, method)(*args, **kwargs)
