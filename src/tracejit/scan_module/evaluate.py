"""What op "scan" computes: a loop of the trace, or of Python's over arrays.

A loop that ends by a condition runs twice: first for the number of its steps, of which only what
the condition needs is computed, and then as a loop of so many. So its results have just so many
rows, and derivatives know nothing of conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.errors import NotTraceable, PieceRaises, ShapeError
from tracejit.ir import build, control, dims
from tracejit.ir.closing import Body, placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.invariant import around
from tracejit.ir.marks import marked
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.rules.record import zeros
from tracejit.ir.rules.replay import row
from tracejit.ir.stacks import last_rows
from tracejit.scan_module.step import Step
from tracejit.symbolic.opcodes import length_of, node_of, opcode
from tracejit.symbolic.replay import replay
from tracejit.tensor.gradient import connected
from tracejit.trace.branches import predicate
from tracejit.trace.carried import required
from tracejit.trace.effects import NOTHING
from tracejit.trace.integers import LARGEST
from tracejit.trace.pieces import Found, canonical, conjunction, nodes_of, traced
from tracejit.trace.trace import Trace, condition, current
from tracejit.trace.tracer import Tracer


def _connection(step: Step, reached: dict[int, str]) -> dict[int, str]:
    """From which operands a gradient comes to the results `reached`, by position, and why not."""
    given = [*step.elements, *step.carried(), *step.captures]
    results = dict(enumerate([*step.outputs, *step.updates]))
    seeds = {results[k]: why for k, why in reached.items()}
    fed = {p: v for past, v in zip(step.pasts, step.outputs, strict=True) for p in past}
    fed |= dict(zip(step.states, step.updates, strict=True))
    while True:
        found = connected(seeds, given)
        more = {fed[p]: found[p] for p in fed if p in found and fed[p] not in seeds}
        if not more:
            break
        seeds |= more
    first = int(step.counted)
    return {first + k: found[v] for k, v in enumerate(given) if v in found}


@opcode("scan", types=lambda step, inputs: step.types(), connection=_connection)
def _scan(step: Step, *operands: Any) -> Any:
    """attr: the `Step`, which says what the operands are."""
    trace = current()
    try:
        return _in_numpy(step, operands) if trace is None else _in_trace(step, operands, trace)
    except PieceRaises as raised:
        raise _named(raised.error, step) from raised.error.__cause__
    except NotTraceable:
        raise
    except Exception as error:
        raise _named(error, step) from error.__cause__


def _named(error: Exception, step: Step) -> Exception:
    error.add_note(f"in a step of {step.name}: {step.function}")
    return error


def _in_numpy(step: Step, operands: Sequence[Any]) -> list[Any]:
    number, sequences, carried, captures = step.split(operands)
    count = None if number is None else int(np.asarray(number)[()])
    if count is not None and count < 0:
        raise _negative(count)
    lengths = [len(s) for s in sequences]
    for length in lengths:
        if count is not None and length < count:
            raise _too_short(length, count)
    count = min(lengths) if count is None else count
    rows: list[list[Any]] = [[] for _ in step.outputs]
    known = dict(zip(step.captures, captures, strict=True))
    starts = carried
    for k in range(count):
        env = known | dict(zip(step.elements, (s[k] for s in sequences), strict=True))
        env |= zip(step.carried(), carried, strict=True)
        found = replay(step.wanted(), env)
        for kept, value in zip(rows, found, strict=False):
            kept.append(value)
        carried = step.after(carried, found)
        if step.until is not None and found[-1]:
            break
    pairs = zip(rows, _empty(step, starts), strict=True)
    stacks = [np.stack(kept) if kept else empty for kept, empty in pairs]
    return [*stacks, *carried[len(carried) - len(step.states) :]]


def _empty(step: Step, starts: Sequence[Any]) -> list[np.ndarray]:
    """The stacks of no steps."""
    found, place = [], 0
    for past, output in zip(step.pasts, step.outputs, strict=True):
        shape = np.shape(starts[place]) if past else tuple(map(int, output.type.broadcastable))
        found.append(np.empty((0, *shape), output.type.numpy_dtype))
        place += len(past)
    return found


def _negative(count: Any) -> IndexError:
    return IndexError(f"Scan was asked to run for negative number of step {count}")


def _too_short(length: Any, count: Any) -> ShapeError:
    return ShapeError(
        f"Sequence is shorter then the required number of steps: it has {length}, not {count}"
    )


def _in_trace(step: Step, operands: Sequence[Any], trace: Trace) -> list[Any]:
    place = trace.origin()
    number, sequences, starts, captures = step.split(operands)
    loop = _Loop(step, trace, [_typed(c, v) for c, v in zip(captures, step.captures, strict=True)])
    rows = [_cast(s, v) for s, v in zip(sequences, step.elements, strict=True)]
    carried = [_cast(s, v) for s, v in zip(starts, step.carried(), strict=True)]
    count = _steps(number, [s.shape[0] for s in rows], trace)
    if step.until is not None:
        count = loop.counted(count, rows, carried, place)
    first = _before_last(count, step.last, trace)
    if first == 0:
        results = loop.run(count, [_part(s, 0, count) for s in rows], carried, place)
    else:
        stopped = loop.run(first, [_part(s, 0, first) for s in rows], carried, place)
        done, between = ([marked(n, "stop_gradient", None) for n in group] for group in stopped)
        if isinstance(first, Node) and trace.value(first) is None:  # there may be none before
            some = condition("greater", first, 0)
            pairs = zip(between, carried, strict=True)
            between = [build.where(some, stop, start) for stop, start in pairs]
        rest = dims.sub(count, first)
        stacks, last = loop.run(rest, [_part(s, first, rest) for s in rows], between, place)
        results = [build.concatenate(p, 0) for p in zip(done, stacks, strict=True)], last
    stacks, last = results
    return [Tracer(n, "array" if n.ndim else "scalar") for n in (*stacks, *loop.states(last))]


def _cast(value: Any, variable: Any) -> Node:
    return build.cast(node_of(value), variable.type.numpy_dtype)


def _typed(value: Any, variable: Any) -> Any:
    return value if isinstance(value, Tracer) else Tracer(_cast(value, variable))


def _steps(number: Any, lengths: Sequence[Dim], trace: Trace) -> Dim:
    """How many steps there are: what is asked for, or as the shortest sequence has."""
    if number is None:
        count, *others = lengths
        for length in others:
            if not trace.equal(count, length) and _holds("less", length, count, trace):
                count = length
        return count
    asked = length_of(number)
    count = asked if isinstance(asked, int) else dims.from_node(asked.node)
    if _holds("less", count, 0, trace):
        raise _negative(trace.value(count))
    for length in lengths:
        have, want = trace.value(length), trace.value(count)
        if have is not None and have == want:
            trace.equal(length, count)
        elif _holds("less", length, count, trace):
            raise _too_short(have, want)
    return count


def _holds(name: str, a: Dim, b: Dim, trace: Trace) -> bool:
    """A comparison of lengths; what only values of arrays tell must not hold."""
    test = condition(name, a, b)
    answer = trace.answer(test)
    if answer is None:
        holds = build.elementwise("logical_not", test)
        trace.require(holds, holds, holds)
    return bool(answer)


def _before_last(count: Dim, last: int, trace: Trace) -> Dim:
    """How many steps there are before those of which a gradient is taken."""
    before = dims.sub(count, last) if last else 0
    some = trace.answer(condition("greater", before, 0))
    return dims.maximum(before, 0) if some is None else before if some else 0


def _part(s: Node, first: Dim, count: Dim) -> Node:
    """Elements of a sequence from the first one on."""
    index = ((first, 1, 0), *((0, 1, k) for k in range(1, s.ndim)))
    return build.view(s, (count, *s.shape[1:]), index)


class _Loop:
    """The regions of a loop."""

    def __init__(self, step: Step, trace: Any, captures: list[Tracer]) -> None:
        self.step, self.trace, self.captures = step, trace, captures

    def states(self, carried: Sequence[Node]) -> Sequence[Node]:
        """What of the carried values are states."""
        return carried[len(carried) - len(self.step.states) :]

    def found(self, elements: Sequence[Node], carried: Sequence[Node]) -> Found:
        """What a step makes of these, the values of what is wanted as its result."""
        step, trace = self.step, self.trace
        env: dict[Any, Any] = dict(zip(step.captures, self.captures, strict=True))
        given = zip([*step.elements, *step.carried()], [*elements, *carried], strict=True)
        env |= {v: Tracer(n, "array" if n.ndim else "scalar") for v, n in given}

        def piece() -> tuple[Tracer, ...]:
            values = replay(step.wanted(), env, trace)
            nodes = [_cast(x, v) for x, v in zip(values, step.wanted(), strict=True)]
            return tuple(map(Tracer, last_rows(nodes)))

        return traced(trace, piece, NOTHING, self.captures)

    def handed(self, starts: Sequence[Node], carried: Sequence[Node], found: Found) -> list[Node]:
        """What a step hands on, of the shapes that loops start with."""
        results = self.step.after(list(carried), [v.node for v in found.result])
        for start, result in zip(starts, results, strict=True):
            for axis, (a, b) in enumerate(zip(start.shape, result.shape, strict=True)):
                if not self.trace.equal(a, b):
                    raise ShapeError(
                        f"axis {axis} of a value has length {self.trace.value(a)} before the first "
                        f"step and {self.trace.value(b)} after it: loops keep shapes"
                    )
        return results

    def run(
        self, count: Dim, sequences: list[Node], starts: list[Node], place: Any
    ) -> tuple[list[Node], list[Node]]:
        """The stacks of a loop of `count` steps, and what it carries after the last."""
        trace, index = self.trace, placeholder(INT_SCALAR)
        elements = [placeholder(ArrayType(s.dtype, s.shape[1:])) for s in sequences]
        carried = [placeholder(s.type) for s in starts]
        found = self.found(elements, carried)
        results, extra = self.handed(starts, carried, found), required(found)
        stacks = [v.node for v in found.result[: len(self.step.outputs)]]
        # What no step is given is carried for who reads its last row alone.
        alone = [n for n, past in zip(stacks, self.step.pasts, strict=True) if not past]
        results += alone
        carried += [placeholder(n.type) for n in alone]
        starts = [*starts, *(zeros(n.shape, n.dtype) for n in alone)]
        given = len(carried) - len(alone)
        starts, sequences, params, results, [total] = canonical(
            trace, [*starts, *extra.starts], sequences,
            [*carried, *extra.params, index, *elements],
            [*results, *extra.results, *stacks], [dims.as_node(count)],
        )  # fmt: skip
        made = Body(tuple(results))
        outside = around(made, frozenset(params), nodes_of(trace, self.captures))
        node = control.steps_of(starts, total, sequences, params, made, outside, place)
        trace.take_loop()
        items = control.items(node)
        first, last = len(carried), len(carried) + len(extra.starts)
        extra.take(trace, items[first:last])
        return items[last:], items[:given]

    def counted(self, most: Dim, sequences: list[Node], starts: list[Node], place: Any) -> Dim:
        """How many steps are done until the condition holds, of at most so many."""
        trace, number = self.trace, placeholder(INT_SCALAR)
        stop = conjunction(())
        going = placeholder(stop.type)
        elements = [row(s, number) for s in sequences]
        carried = [placeholder(s.type) for s in starts]
        trace.counts.add(number)
        found = self.found(elements, carried)
        results, extra = self.handed(starts, carried, found), required(found)
        ends = build.elementwise("logical_not", predicate(found.result[-1]))
        below = build.elementwise("logical_and", going, condition("less", number, most))
        for ok in extra.params:
            below = build.elementwise("logical_and", ok, below)
        begin, params, results, [below] = canonical(
            trace, [dims.as_node(0), stop, *starts, *extra.starts],
            [number, going, *carried, *extra.params],
            [dims.as_node(dims.add(number, 1)), ends, *results, *extra.results], [below],
        )  # fmt: skip
        made, tested = Body(tuple(results)), Body((below,))
        before = nodes_of(trace, [*self.captures, *map(Tracer, sequences)])
        outside = around(made, params, before) | around(tested, params, before)
        node = control.loop(begin, params, tested, made, outside, place)
        trace.take_loop()
        steps = control.items(node)[0]
        least = int(bool(trace.answer(condition("greater", most, 0))))
        bits = LARGEST.bit_length() - 1
        trace.noted(steps, bits, [dims.sub(steps, least), dims.sub(most, steps)])
        return steps
