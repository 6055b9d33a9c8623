"""The runtime of rewritten functions in a trace: branches and loops by traced values are regions.

What is decided by values that are known (sizes, numbers, answers of before) is decided as Python
does, under a guard. A loop of few operations in all is unrolled; others become regions.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tracejit.capture.rewrite.blocks import held_by, is_outermost, numpys, variables_of
from tracejit.capture.rewrite.control import UNBOUND, Names, PythonControl, State, content
from tracejit.capture.rewrite.identity import is_one
from tracejit.capture.rewrite.iterables import (
    Items,
    items_of,
    traced_enumerate,
    traced_ndenumerate,
    traced_ndindex,
    traced_nditer,
    traced_range,
    traced_reversed,
    traced_zip,
)
from tracejit.capture.rewrite.narrowed import narrowed
from tracejit.capture.rewrite.reducing import REDUCTIONS, is_row
from tracejit.capture.standin import real_of
from tracejit.errors import NotTraceable, OverBudget
from tracejit.ir.node import Node
from tracejit.trace import branches, budget, control, counted
from tracejit.trace.effects import NOTHING, Variables
from tracejit.trace.effects import State as Known
from tracejit.trace.growing import growing, measured
from tracejit.trace.lists import Grown, TracedList, any_in, going_over
from tracejit.trace.mixed import Mixed
from tracejit.trace.origin import user_origin
from tracejit.trace.owners import Values, is_array, shared
from tracejit.trace.pieces import attempted, given, of_lists, tried
from tracejit.trace.ranges import always
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Tracer, wrap


class _Step:
    """The body of a loop, as a function of the number of the step."""

    def __init__(self, body: Callable[[Any], None], items: Items) -> None:
        self.body, self.items = body, items
        self.__code__ = getattr(body, "__code__", body)

    def __call__(self, number: Tracer) -> None:
        self.body(self.items.at(number))


class TracedControl(PythonControl):
    """Regions for what a trace cannot know; `builtins` answer for Python's, of traced numbers."""

    def __init__(self, trace: Trace, changing: bool = False) -> None:
        self.trace = trace
        self.builtins: dict[Any, Any] = {
            range: traced_range,
            enumerate: traced_enumerate,
            zip: traced_zip,
            reversed: traced_reversed,
            np.ndindex: traced_ndindex,
            np.ndenumerate: traced_ndenumerate,
            np.nditer: traced_nditer,
        }
        for python, function in REDUCTIONS.items():
            self.builtins[python] = functools.partial(self._of_list, python, function)
        #: Whether the numbers of steps change from call to call: then such loops are regions.
        self.changing = changing

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
        if not self._is_open(condition):
            return super().if_(condition, then, otherwise, assigned, read, live)
        names = variables_of(assigned, read, live, then, otherwise)
        held, state = held_by(then, otherwise), Known(self.trace)
        otherwise = otherwise or (lambda: None)
        then = numpys(narrowed(then, condition, True), raising[0])
        otherwise = numpys(narrowed(otherwise, condition, False), raising[1])
        may_decide = self.trace.decisions.are_possible()

        def region() -> Any:
            return branches.if_true(self.trace, condition, then, otherwise, names, held)

        try:
            result = region() if may_decide else growing(self.trace, region, names, held)
            self._note("branch", "a region")
            return result
        except NotTraceable as problem:
            if isinstance(problem, OverBudget) or not may_decide:
                raise
            problem.forget()
            why = problem.reason
        except Grown:
            if not may_decide:
                raise
            why = "it changes a list"
        state.restore()
        self._note("branch", f"decided by the first part: {why}")
        answer = self.trace.decisions.decide(branches.predicate(condition))
        return super().if_(answer, then, otherwise, assigned, read, live)

    def for_(
        self,
        iterable: Iterable[Any],
        body: Callable[[Any], None],
        leave: Callable[[], Any] | None,
        assigned: Names,
        read: Names,
        live: Names,
    ) -> None:
        items = items_of(iterable)
        if items is None:
            return super().for_(iterable, body, leave, assigned, read, live)
        names = variables_of(assigned, read, live, body, leave)
        held = Values([*held_by(body, leave), *items.held])
        size, step = self.trace.value(items.length), _Step(body, items)
        few = size is not None and self._is_small(size, step, names, held)
        if few and leave is not None and self._opens(step, leave, names, held):
            few = False

        def looped() -> None:
            count = step.items.length
            with going_over(items.held):
                if leave is None:
                    counted.for_steps(self.trace, 0, count, 1, step, names, held)
                else:
                    goes_on = functools.partial(self._goes_on, leave, None)
                    counted.for_until(self.trace, 0, count, 1, step, goes_on, names, held)

        def region() -> None:
            growing(self.trace, looped, names, held)

        why = ""
        if not few:
            problem = attempted(self.trace, region, names)
            if problem is None:
                return self._note("loop", "a region")
            why = f", since it can be no region: {problem.reason}"
            if (
                size is None
                or min(self._cost(step, names, held), budget.MODERATE // budget.FEW) * size
                > budget.MODERATE
            ):
                raise problem
        done = self._unrolled(iterable, body, leave)
        self._note("loop", f"unrolled, {size} steps{why}")
        if done is not None:
            step = _Step(body, items.after(done))
            region()

    def _note(self, construct: str, text: str) -> None:
        """Say what became of a loop or a branch at the user's line."""
        origin = user_origin()
        if origin is not None:
            self.trace.decisions.notes[origin.line, construct] = text

    def _goes_on(self, leave: Callable[[], Any], test: Callable[[], Any] | None) -> Any:
        going = self.not_(leave())
        return going if test is None else self.and_(going, test)

    def _is_small(self, size: int, step: _Step, names: Variables, held: Any) -> bool:
        """Whether a loop of `size` steps is better unrolled."""
        if self.changing and isinstance(step.items.length, Node):
            return False
        if size <= 1:
            return True
        cost = self._cost(step, names, held) * size
        return cost <= (budget.MODERATE if size <= budget.FEW else budget.SMALL)

    def _unrolled(
        self,
        iterable: Iterable[Any],
        body: Callable[[Any], None],
        leave: Callable[[], Any] | None,
    ) -> int | None:
        """The number of steps after which a traced value says whether to leave; else None."""
        for k, item in enumerate(iterable, 1):
            body(item)
            left = leave() if leave is not None else False
            if self._is_open(left):
                return k
            if left:
                break
        return None

    def while_(
        self,
        test: Callable[[], Any],
        body: Callable[[], None],
        leave: Callable[[], Any] | None,
        assigned: Names,
        read: Names,
        live: Names,
    ) -> None:
        made, asked = self.trace.budget.made, False

        def region() -> None:
            names = variables_of(assigned, read, live, body, test, leave)
            held = held_by(body, test, leave)
            # `leave` is not asked before the first step, where it is what it was before the loop.
            goes_on = test if leave is None else functools.partial(self._goes_on, leave, test)
            growing(
                self.trace,
                lambda: control.while_true(self.trace, goes_on, body, names, held),
                names,
                held,
            )
            self._note("loop", "a region")
            if leave is not None and test() is True:
                # What it was left by holds now.
                left, values = leave(), names.get()
                names.set([True if v is left else v for v in values])

        while True:
            condition = test()
            if self._is_open(condition):
                return region()
            if not condition:
                return None
            changes = self.changing and isinstance(condition, Tracer)
            if not asked and (changes or self.trace.budget.made - made > budget.SMALL):
                asked = True
                names = variables_of(assigned, read, live, body, test, leave)
                if attempted(self.trace, region, names) is None:
                    return None
            body()
            if leave is not None:
                left = leave()
                if self._is_open(left):
                    return region()
                if left:
                    return None

    def and_(self, first: Any, *others: Callable[[], Any]) -> Any:
        for k, other in enumerate(others):
            if self._is_open(first):
                return self._both("logical_and", first, others[k:])
            if not first:
                return first
            first = other()
        return first

    def or_(self, first: Any, *others: Callable[[], Any]) -> Any:
        for k, other in enumerate(others):
            if self._is_open(first):
                return self._both("logical_or", first, others[k:])
            if first:
                return first
            first = other()
        return first

    def not_(self, value: Any) -> Any:
        return branches.negated(value) if self._is_open(value) else not value

    def is_none(self, value: Any) -> Any:
        return value.is_(None) if isinstance(value, Mixed) else value is None

    def is_(self, value: Any, other: Any) -> Any:
        return is_one(value, other)

    def some(self, value: Any) -> Any:
        none = self.is_none(value)
        return value.where(none.node, False) if isinstance(none, Tracer) else value

    def true_(self, value: Any) -> Any:
        return Tracer(branches.predicate(value), "number") if self._is_open(value) else value

    def assert_(self, condition: Any) -> Any:
        if not self._is_open(condition):
            return condition
        holds = branches.predicate(condition)
        self.trace.require(holds, holds, holds)
        return True

    def given(self, value: Any) -> Any:
        return given(value, written=not is_outermost(sys._getframe(1)))

    def left(self, result: Callable[[], Any]) -> None:
        [cell] = result.__closure__ or [None]
        if cell is not None and content(cell) is not UNBOUND:
            given(content(cell), written=True)

    def last(self, value: Callable[[], Any]) -> Any:
        # Where nobody else has the array, each of both names may as well have its own.
        alone = not shared(State(value.__code__.co_freevars, value).cells)
        found = value()
        return of_lists(Tracer(found.node), found) if alone and is_array(found) else found

    def list_(self, made: list[Any]) -> list[Any]:
        return TracedList(made)

    def reduce_(
        self,
        function: Callable[..., Any],
        iterable: Iterable[Any],
        body: Callable[[Any], Any],
        test: Callable[[Any], Any] | None = None,
    ) -> Any:
        items, real = items_of(iterable), real_of(function)
        how = next((f.__name__ for f in REDUCTIONS if f is real), None)
        size = None if items is None else self.trace.value(items.length)
        few = size == 0 or (how == "sum" and size is not None and size <= budget.FEW)
        if items is None or how is None or few:
            if test is not None and how == "sum":
                return self._summed(iterable, body, test)
            return super().reduce_(function, iterable, body, test)
        if how in ("any", "all") and size and not self._gives_open(items, body):
            return super().reduce_(function, iterable, body)
        if how in ("max", "min") and isinstance(items.length, Node):
            self._require(condition("greater", items.length, 0))
        return self._reduced(how, items, body, test)

    def _summed(
        self, iterable: Iterable[Any], body: Callable[[Any], Any], test: Callable[[Any], Any]
    ) -> Any:
        """The sum of `body` of the elements for which `test` holds, one by one."""
        result: Any = 0
        names = ("result",)
        for item in iterable:

            def add(item: Any = item) -> None:
                nonlocal result
                result = result + body(item)

            self.if_(test(item), add, None, names, names, names)
        return result

    def _require(self, holds: Node) -> None:
        """That something holds for all arguments that the program is for."""
        if self.trace.answer(holds) is None:
            self.trace.require(holds, holds, holds)
        else:
            self.trace.truth(holds)

    def _of_list(self, python: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A builtin, also of a list that is in arrays, or of an array."""
        if len(args) != 1:
            return function(*args, **kwargs)
        [values] = args
        in_arrays = isinstance(values, TracedList) and values.store is not None

        def found() -> Any:
            return self.reduce_(python, values, lambda value: value)

        if in_arrays and python in (max, min) and [*kwargs] == ["default"]:
            return self.if_(any_in(values), found, lambda: kwargs["default"])
        if kwargs:
            return function(*args, **kwargs)
        if in_arrays:
            return found()
        if python in (any, all):
            return self._truths(python, values)
        return found() if is_row(values) else function(values)

    def _truths(self, python: Any, values: Any) -> Any:
        """``any`` or ``all``, also of values some of which are traced."""
        if is_row(values):
            found = np.any(values) if python is any else np.all(values)
            return self.not_(self.not_(found))
        if not isinstance(values, (list, tuple)):
            return python(values)
        parts = [lambda v=v: self.not_(self.not_(self.true_(v))) for v in values]
        return self.or_(False, *parts) if python is any else self.and_(True, *parts)

    def _gives_open(self, items: Items, body: Callable[[Any], Any]) -> bool:
        """Whether Python's answer to the first value would not be known; nothing is done."""
        found: list[bool] = []

        def first() -> None:
            found.append(self._is_open(body(items.at(counted.wrap_length(0)))))

        held = [*held_by(body), *items.held]
        measured(self.trace, lambda: tried(self.trace, first, NOTHING, held), NOTHING, held)
        return any(found)

    def _reduced(
        self,
        how: str,
        items: Items,
        body: Callable[[Any], Any],
        test: Callable[[Any], Any] | None = None,
    ) -> Any:
        """What a builtin makes of many values, as a loop."""
        result: Any = {"any": False, "all": True, "sum": 0}.get(how)
        at, names = items.at, ("result",)
        first = 0
        if result is None:
            result, first = body(items.at(counted.wrap_length(0))), 1

        def step(k: Any) -> None:
            nonlocal result

            def add() -> None:
                nonlocal result
                result = result + body(at(wrap(k)))

            if how == "sum" and test is not None:
                return self.if_(test(at(wrap(k))), add, None, names, names, names)
            value = body(at(wrap(k)))
            if how == "sum":
                result = result + value
            elif how in ("max", "min"):
                result = self.builtins[max if how == "max" else min](result, value)
            else:
                result = self.not_(self.not_(value))

        def leave() -> Any:
            return result if how == "any" else self.not_(result)

        # What is learned of a loop is kept by its code: each call of the user's has one of its own.
        place, given = user_origin(), getattr(body, "__code__", None)
        step.__code__ = step.__code__.replace(co_name=f"{how} {place} {id(given)}")
        over = traced_range(first, counted.wrap_length(items.length))
        ends = leave if how in ("any", "all") else None
        self.for_(over, step, ends, names, names, names)
        return result

    def _both(self, name: str, first: Any, others: tuple[Callable[[], Any], ...]) -> Any:
        """Truth values, each computed only where the ones before leave it open."""
        for other in others:
            second = narrowed(other, first, name == "logical_and")
            first = branches.either(self.trace, name, first, second, held_by(other))
        return first

    def _is_open(self, value: Any) -> bool:
        """Whether Python's answer to a traced value would not be known."""
        if isinstance(value, Mixed):
            return True
        if isinstance(value, TracedList):
            value = any_in(value)
        if not isinstance(value, Tracer) or value.node.shape:
            return False
        return not self.trace.is_known(value.node) and always(value.node, self.trace) is None

    def _opens(self, step: _Step, leave: Callable[[], Any], names: Variables, held: Any) -> bool:
        """Whether a traced value says after one step whether to leave."""
        found = []

        def one() -> None:
            step(counted.wrap_length(0))
            found.append(self._is_open(leave()))

        measured(self.trace, lambda: tried(self.trace, one, names, held), names, held)
        return any(found)

    def _cost(self, step: _Step, names: Variables, held: Any) -> float:
        """How many operations one step is; infinitely many where it is not to be unrolled."""
        known = ("cost", step.__code__)
        if known not in self.trace.learned:
            made, deeper = measured(
                self.trace,
                lambda: counted.cost(self.trace, step.items.length, step, names, held),
                names,
                held,
            )
            self.trace.learned[known] = math.inf if deeper else max(made, 1)
        cost: float = self.trace.learned[known]
        return cost
