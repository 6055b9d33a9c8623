"""A trace: the solver that answers from the arguments at hand and records what it answered.

Sizes and Python numbers stay symbolic until someone asks (`equal`, `truth`, `concrete`): the answer
for these arguments becomes a `Check`, which must hold wherever the compiled code is valid.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, interpret, lengths, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Check, Graph, substitute
from tracejit.ir.node import Node, Origin
from tracejit.ir.rewrite import joined
from tracejit.ir.types import BOOL, canonical_dtype
from tracejit.native import floatmodes
from tracejit.plan.text import identifier
from tracejit.trace.budget import Budget
from tracejit.trace.constants import Constants
from tracejit.trace.decisions import Decisions
from tracejit.trace.equality import EqualLengths, LateLength, pairs_between, tests_of_ones
from tracejit.trace.explain import scalar_text
from tracejit.trace.facts import Knowing
from tracejit.trace.memory import Log, Memory
from tracejit.trace.origin import user_origin
from tracejit.trace.ranges import Steps, attempted, depends, is_told, truth, undivided
from tracejit.trace.requirements import Requirement

if TYPE_CHECKING:
    from tracejit.trace.tracer import Kind, Tracer


def current() -> Trace | None:
    """The trace that runs on this thread."""
    solver = build.solver()
    return solver if isinstance(solver, Trace) else None


def condition(name: str, a: Dim, b: Dim) -> Node:
    """Comparison `name` of two dimensions as a boolean scalar."""
    return build.apply(ops.ELEMENTWISE[name], (dims.as_node(a), dims.as_node(b)), BOOL)


_tokens = itertools.count(1)


#: Bytes of constant arrays that a trace may make.
_MOST_BYTES = 1 << 30


class Trace(Knowing):
    """One run of the user's function over variables that stand for the arguments `values`.

    `budget`         counts what it makes
    `inputs`         input nodes in order; `names` gives the user's spelling of each one's name
    `checks`         what must hold for the traced program to be valid
    `substitutions`  dimension → the equal one that stands for it
    `capture`        what the traced copies of functions are made by
    `constants`      arrays made inside the trace that became hidden inputs, by input name
    """

    def __init__(self, seconds: float = 0.0, hurried: bool = False) -> None:
        super().__init__()
        self.token = next(_tokens)
        self.budget = Budget(seconds, hurried)
        self._modes = floatmodes.CONTEXT.get()
        self.inputs: list[Node] = []
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self.constants: dict[str, np.ndarray] = {}
        self._fixed = Constants(self.constants)
        self.checks: list[Check] = []
        #: What stands for what, of equal lengths.
        self.substitutions: dict[Node, Dim] = {}
        self._answers: dict[Node, bool] = {}
        self._memo: dict[Node, Any] = {}
        self._marked: dict[Node, bool] = {}
        self._order: dict[str, int] = {}
        self._equal = EqualLengths(self.substitutions, self._order)
        self._arrays: dict[int, tuple[np.ndarray, Tracer]] = {}
        #: The memory of each input that is an array, by its name.
        self.memories: dict[str, Memory] = {}
        #: Draws of the arguments' generators, in order (see `generators`), and their inputs.
        self.draws: list[Any] = []
        self.drawn_inputs: set[str] = set()
        #: What NumPy would test that compiled loops may not.
        self.requirements: list[Requirement] = []
        #: The loops and branches that are open: their steps, what they ask, what they write into.
        self.steps: list[Steps] = []
        self.assumed: list[Node] = []
        self.carried: set[Node] = set()
        #: Numbers of steps that are carried, whose range is known.
        self.counts: set[Node] = set()
        self.logs: list[Log] = []
        self.decisions = Decisions(self)
        #: What was found of loops and branches when they were traced before, by their code.
        self.learned: dict[Any, Any] = {}
        self.capture: Any = None
        #: What must live as long as the trace.
        self.kept: list[Any] = []

    def forget(self) -> None:
        """Let the arguments go: a trace may be part of a cycle."""
        self.values.clear()
        self._arrays.clear()
        self._memo.clear()
        self._marked.clear()
        self.kept.clear()
        if self.capture is not None:
            self.capture.snapshots.clear()
            self.capture.objects.forget()

    # Inputs ----------------------------------------------------------------------------------

    def input(self, value: Any, path: str, fixed: bool = False) -> Tracer:
        """The variable for an argument: an array, a NumPy scalar or a Python number.

        Needs: a dtype of ``types.DTYPES``. An axis of length 1 is the literal 1; in one of `fixed`
        lengths all are numbers.
        """
        from tracejit.trace.tracer import Tracer

        name = self._unique(path)
        shape: tuple[Dim, ...] = ()
        if isinstance(value, np.ndarray):
            kind: Kind = "array"
            dtype = canonical_dtype(value.dtype)
            shape = tuple(
                n if n == 1 or fixed else dims.dim(name, axis, self.token)
                for axis, n in enumerate(value.shape)
            )
        elif isinstance(value, np.generic):
            kind, dtype = "scalar", canonical_dtype(value.dtype)
        else:
            kind, dtype = "number", np.dtype(type(value))
        assert dtype is not None
        node = build.input(name, dtype, shape, weak=kind == "number")
        self._register(node, value, path)
        if not isinstance(value, np.ndarray):
            return Tracer(node, kind, owned=False)
        variable = Tracer(node, kind, owned=value.flags.writeable)
        memory = Memory(variable, whole=value.flags.c_contiguous, outside=name)
        self.memories[name] = variable.memory = memory
        self._arrays[id(value)] = value, variable
        return variable

    def known_array(self, value: np.ndarray) -> Tracer | None:
        """The variable that stands for this array object, where it is an input of the trace."""
        known = self._arrays.get(id(value))
        return None if known is None else known[1]

    def array_input(self, value: np.ndarray) -> Tracer:
        """A hidden input for a constant array that was made inside the trace."""
        from tracejit.trace.tracer import Tracer

        known = self.known_array(value)
        if known is None:
            dtype = canonical_dtype(value.dtype)
            if dtype is None:
                raise NotTraceable(f"a constant array has dtype {value.dtype}")
            kept = sum(c.nbytes for c in self.constants.values())
            if kept + value.nbytes > _MOST_BYTES:
                raise NotTraceable(
                    f"it makes {(kept + value.nbytes) >> 20:,} MB of constant arrays, which the "
                    "compiled program would keep",
                    "make them outside, and pass them as arguments",
                )
            name = self._unique("constant")
            array = np.array(value, dtype)  # nobody else may write into it
            array.flags.writeable = False
            self.constants[name] = array
            node = build.input(name, dtype, tuple(map(int, array.shape)))
            self._register(node, array, name)
            known = Tracer(node, "array", owned=False)
            self._arrays[id(value)] = value, known
        return known

    def drawn(self, sample: Any, shape: tuple[Dim, ...], path: str) -> Tracer:
        """The variable for what a generator gives at each call: `sample`, or the like of it.

        Nothing that Python does may depend on its values.
        """
        from tracejit.trace.tracer import Tracer

        dtype = canonical_dtype(np.asarray(sample).dtype)
        if dtype is None:
            raise NotTraceable(f"{path} has dtype {np.asarray(sample).dtype}")
        name = self._unique(path)
        kind: Kind = "array" if isinstance(sample, np.ndarray) else "scalar"
        number = kind == "scalar" and not isinstance(sample, np.generic)
        node = build.input(name, dtype, shape, weak=number)
        self._register(node, sample, path)
        self._memo.pop(node, None)
        self.drawn_inputs.add(name)
        return Tracer(node, "number" if number else kind)

    def _register(self, node: Node, value: Any, path: str) -> None:
        name = node.attr[0]
        self._order[name] = len(self.inputs)
        self.inputs.append(node)
        self.values[name] = value
        self.names[name] = path
        if not isinstance(value, np.ndarray):
            self._memo[node] = value

    def _unique(self, path: str) -> str:
        name = identifier(path)
        numbered = (f"{name}_{k}" for k in itertools.count(2))
        return next(n for n in itertools.chain([name], numbered) if n not in self.values)

    # Answers ---------------------------------------------------------------------------------

    def origin(self) -> Origin | None:
        """The user's line that is being executed: where a node is made, each of which counts."""
        self.budget.take()
        if floatmodes.CONTEXT.get() is not self._modes:  # set by what is not traced: a decorator
            modes = floatmodes.acting()
            if modes:
                raise floatmodes.refusal(modes)
        return user_origin()

    def take_loop(self) -> None:
        """What is made next is computed by a loop of its own: that counts for more."""
        self.budget.take_loop()

    def unroll(self, steps: int) -> None:
        """A loop of so many steps is unrolled."""
        self.budget.unroll(steps)

    def wrote(self, array: Any) -> None:
        """Note a write in what may be undone."""
        for log in self.logs:
            log.note(array)

    def is_carried(self, number: Node) -> bool:
        """Whether a number is what an open loop has come to."""
        return number in self.carried and number not in self.counts

    def may_go_back(self) -> bool:
        """Whether the body of a loop or a branch is traced."""
        return bool(self.logs)

    def is_in_region(self) -> bool:
        """Whether what is traced becomes part of a region."""
        return any(log.region for log in self.logs)

    def tables(self) -> tuple[dict[Any, Any], ...]:
        """What has been found out, and may be forgotten again."""
        return self.substitutions, self._answers, self.decisions.answers

    def require(self, node: Node, operand: Node, holds: Node) -> None:
        """See `requirements`."""
        self.requirements.append(Requirement(node, operand, holds))

    def evaluate(self, node: Node) -> Any:
        """The value of a scalar that depends on sizes and numbers alone.

        Raises NotTraceable where it depends on the content of an array, or on what a loop or a
        branch gives, which is known when that has run.
        """
        memo = self._memo
        if node not in memo:
            stack = [node]
            while stack:
                top = stack[-1]
                if top in memo:
                    stack.pop()
                    continue
                if (known := self.fixed(top)) is not None:
                    memo[top] = known
                    continue
                given = top.op in (ops.INPUT, ops.ITEM)
                if given or (top.several is None and top.ndim):
                    raise NotTraceable(
                        "the value of an array decides what Python does next",
                        "np.where(condition, a, b) chooses between values; "
                        "or compute the decision outside and pass it as an argument",
                    )
                missing = [a for a in (*top.args, *top.dims) if a not in memo]
                if missing:
                    stack.extend(missing)
                    continue
                memo[top] = self._step(top)
                stack.pop()
        return memo[node]

    def _step(self, node: Node) -> Any:
        memo = self._memo
        if node.op is ops.DIM:
            source, axis, _ = node.attr
            return self.values[source].shape[axis]
        if node.op is ops.POLY:
            args = [memo[a] for a in node.args]
            return sum(c * math.prod(args[i] for i in monomial) for monomial, c in node.attr)
        with np.errstate(all="ignore"):
            return interpret._weaken(node, interpret._evaluate(node, memo, self.values))

    def fixed(self, node: Node) -> Any:
        return self._fixed.value(node)

    def is_differentiated(self, node: Node) -> bool:
        """Whether `node` is computed from what a derivative is taken with respect to."""
        known = self._marked
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [a for a in top.args if a not in known]
            if missing and top not in known:
                stack.extend(missing)
                continue
            known[top] = top.op is ops.MARKS["mark"] or any(known[a] for a in top.args)
            stack.pop()
        return known[node]

    def is_known(self, node: Node) -> bool:
        """Whether the scalar `node` depends on sizes and numbers alone, and no derivative on it."""
        try:
            self.evaluate(node)
        except NotTraceable as refusal:
            refusal.forget()
            return False
        return not self.is_differentiated(node)

    def value(self, a: Dim) -> int | None:
        """The length `a` for the arguments at hand; None where it depends on an array's content."""
        if isinstance(a, int):
            return a
        try:
            return int(self.evaluate(a))
        except NotTraceable as refusal:
            refusal.forget()
            return None

    def is_open(self, d: Dim) -> bool:
        """Whether only the values of arrays tell the length `d`, no number of a step."""
        return self.value(d) is None and not is_told(d, self.steps)

    def is_late(self, a: Dim, b: Dim) -> bool:
        told = (self.value(d) is not None or is_told(d, self.steps) for d in (a, b))
        return not all(told) and isinstance(dims.sub(self.canonical(a), self.canonical(b)), Node)

    def equal(self, a: Dim, b: Dim) -> bool:
        """Whether two lengths are equal for these arguments; either answer becomes a check.

        Where they are equal, one stands for the other from here on. NotTraceable where it depends
        on an array's content.
        """
        if a is b:
            return True
        a, b = self.canonical(a), self.canonical(b)
        if a is b or (isinstance(a, int) and a == b):
            return True
        difference = dims.sub(a, b)
        if isinstance(difference, int):
            return difference == 0
        va, vb = self.value(a), self.value(b)
        if (va is None or vb is None) and (pairs := pairs_between(a, b, self.value)) is not None:
            return all(self.equal(x, y) for x, y in pairs)
        if depends(difference, self.steps):
            return self.truth(condition("equal", a, b))
        if va is None or vb is None:
            raise LateLength()
        test = condition("equal", a, b)
        self._record(test, va == vb)
        if va == vb:
            self._equal.unify(a, b)
        return va == vb

    def truth(self, condition: Node) -> bool:
        """The answer to a scalar condition for these arguments, which becomes a check."""
        if (fixed := self.fixed(condition)) is not None:
            return bool(fixed)
        known = self._answers.get(condition)
        if known is None and self.facts:
            known = self.facts.answer(condition)
        if known is not None:
            return known
        if depends(condition, self.steps):
            return truth(condition, self)
        if condition.op.name == "logical_not" and condition.args[0].dtype == BOOL:
            return not self.truth(condition.args[0])
        sides = lengths.sides(condition)
        if sides is not None:
            a, b = map(self.canonical, sides)
            certain = lengths.certain(condition.op.name, dims.sub(a, b))
            if certain is not None:
                return certain
            if condition.op.name == "equal":
                return self.equal(*sides)
            if condition.op.name == "not_equal":
                return not self.equal(*sides)
        if self.decisions.are_possible() and not self.is_known(condition):
            return self.decisions.decide(condition)
        answer = bool(self.evaluate(condition))
        if condition.dtype != BOOL:
            zero = build.constant(condition.dtype.type(0).item(), condition.dtype)
            condition = build.elementwise("not_equal", condition, zero)
        self._record(condition, answer)
        return answer

    def answer(self, condition: Node, decides: bool = True) -> bool | None:
        """`truth`; None where only the values of arrays tell.

        A loop is divided for what the numbers of its steps tell, and for nothing else. The part of
        the function before is asked if the answer `decides` what is traced.
        """
        known = self.facts.answer(condition)
        if known is not None:
            return known
        ask = undivided(condition, self) or (lambda: self.truth(condition))
        with contextlib.nullcontext() if decides else self.decisions.none():
            return attempted(ask, self.checks, self.tables())

    def compared(self, name: str, difference: Dim) -> bool:
        """The answer to a comparison of a length with 0."""
        certain = lengths.certain(name, difference)
        return self.truth(condition(name, difference, 0)) if certain is None else certain

    def concrete(self, node: Node) -> Any:
        """The value of a scalar as a Python number, which becomes a check.

        Raises NotTraceable where it depends on the content of an array.
        """
        if (fixed := self.fixed(node)) is not None:
            return np.asarray(fixed).item()
        if node.dtype == BOOL:
            return self.truth(node)
        if node.dtype.kind in "fc" and self.is_differentiated(node):
            raise NotTraceable(
                "the value of a number that is differentiated is asked for",
                "compute with the number itself: its derivative would be lost",
            )
        answer = self.evaluate(node)
        answer = answer.item() if isinstance(answer, (np.generic, np.ndarray)) else answer
        if node.dtype.kind == "i" and node.type.weak:
            self.equal(dims.from_node(node), answer)
            return answer
        if node.dtype.kind == "c":
            self._pin(build.real(node), answer.real)
            self._pin(build.imag(node), answer.imag)
        else:
            self._pin(node, answer)
        return answer

    def spelled(self, node: Node) -> Any:
        """`concrete`, where each number has an answer of its own: its text, or its hash."""
        first, answer = len(self.checks), self.concrete(node)
        self.checks[first:] = (replace(c, few=True) for c in self.checks[first:])
        return answer

    def _pin(self, node: Node, answer: Any) -> None:
        """Check that a real number is the one that it is here, to the bit."""
        if answer != answer:
            self._record(build.elementwise("isnan", node), True)
        else:
            same = build.constant(answer, node.dtype, node.type.weak)
            self._record(build.apply(ops.ELEMENTWISE["equal"], (node, same), BOOL), True)
        if node.dtype.kind == "f" and (answer == 0 or answer != answer):
            self._record(build.elementwise("signbit", node), math.copysign(1, answer) < 0)

    def _record(self, test: Node, answer: bool) -> None:
        if test in self._answers:
            return
        self._answers[test] = answer
        kept = test if answer else build.apply(ops.ELEMENTWISE["logical_not"], (test,), BOOL)
        self.checks.append(Check(kept, scalar_text(kept, self.names), user_origin()))

    def canonical(self, a: Dim) -> Dim:
        """`a` with every length replaced by the one that stands for it."""
        return self._equal.canonical(a)

    # The result ------------------------------------------------------------------------------

    def graph(self, outputs: Iterable[Node]) -> Graph:
        """The traced program: `outputs` over the inputs, valid where every check holds."""
        checks = [*self._ones(), *self.checks]
        return substitute(
            Graph(tuple(self.inputs), tuple(joined(outputs, self.joined)), tuple(checks)),
            self.substitutions,
        )

    def _ones(self) -> list[Check]:
        """Axes of length 1 are literals in the graph, so they must stay so, and no others be so."""
        others = self.constants.keys() | self.drawn_inputs
        inputs = [node for node in self.inputs if node.attr[0] not in others]
        tests = tests_of_ones(inputs, self.token, self.substitutions)
        return [Check(test, scalar_text(test, self.names)) for test in tests]
