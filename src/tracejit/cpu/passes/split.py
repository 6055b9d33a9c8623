"""Which programs may run as several calls on parts of their arrays, one a thread.

A program whose one outermost loop computes every row from the same rows of its inputs gives the
same bits however the rows are divided. The entry releases the interpreter's lock, so the parts
run at once, and no second version has to be compiled.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracejit.cpu.passes.phases import Phase
from tracejit.ir import build, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, postorder
from tracejit.lower import access
from tracejit.lower.access import Dynamic, Entry
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program, work_of


@dataclass(frozen=True)
class Split:
    """`rows` can be divided; `inputs` are the names of those that are, `work` what is done."""

    rows: Dim
    inputs: frozenset[str]
    work: Dim

    @property
    def phase(self) -> Phase:
        """The division as the one phase of a program."""
        return Phase(self.rows, self.work)


def split(program: Program) -> Split | None:
    """How `program` may be divided by rows, or None."""
    if len(program.items) != 1 or not isinstance(program.items[0], Loop) or program.windows:
        return None
    loop = program.items[0]
    computations = [c for cs in program.stored.values() for c in cs]
    divided: set[str] = set()
    whole: set[str] = set()
    for c in computations:
        if not _by_rows(c, loop, program) or not _reads(c, loop, program, divided, whole):
            return None
    if not divided or divided & whole:
        return None
    if not _lengths_unused(program, computations, divided):
        return None
    rows = next(i.shape[0] for i in program.graph.inputs if i.attr[0] in divided)
    return Split(rows, frozenset(divided), work_of(loop))


def _by_rows(c: Computation, loop: Loop, program: Program) -> bool:
    """Whether each iteration of `loop` fills its own row of the target."""
    if (
        c.kind in (Kind.LIBRARY, Kind.MATMUL, Kind.SCATTER)
        or c.partial
        or c.loops[0] not in loop.members
    ):
        return False
    axis = 0 if loop.has(Flat) else c.order[0]
    if axis in c.reduced or (c.kind is Kind.SCAN and c.axis == axis):
        return False
    place = c.kept.index(axis)
    return place == 0 and all(
        b.layout == "C" and not b.late and b.axes[:1] == (0,) for b in program.buffers[c.target]
    )


def _reads(
    c: Computation, loop: Loop, program: Program, divided: set[str], whole: set[str]
) -> bool:
    """Note which inputs `c` reads by rows, and which as a whole; False where it is neither."""
    axis = 0 if loop.has(Flat) else c.order[0]
    for node, index in c.reads:
        if node.op is ops.RESHAPE or isinstance(index, access._Flat):
            return False
        rows = [k for k, e in enumerate(index) if isinstance(e, Entry) and e.axis == axis]
        if any(isinstance(e, Dynamic) for e in index) and rows:
            return False
        if node.op is not ops.INPUT:
            if rows != [0]:
                return False
            continue
        name = node.attr[0]
        if rows == [0] and index[0] == Entry(0, 1, axis) and program.layouts[name] == "C":
            divided.add(name)
        elif rows:
            return False
        else:
            whole.add(name)
    return True


def _lengths_unused(program: Program, computations: list[Computation], divided: set[str]) -> bool:
    """Whether nothing is computed from the number of rows."""
    inputs = [i for i in program.graph.inputs if i.attr[0] in divided]
    lengths = {i.shape[0] for i in inputs if isinstance(i.shape[0], Node)}
    lengths.update(
        node
        for node in postorder(c.condition for c in program.graph.checks)
        if node.op is ops.DIM and node.attr[0] in divided and node.attr[1] == 0
    )
    values: list[Node] = []
    for c in computations:
        for node, index in access.walk(c.value, access.identity(len(c.domain)), ()):
            values.extend(a for a in node.args if not a.ndim)
            values.extend(d for d in node.dims if node.op is ops.IOTA)
            if isinstance(index, tuple):
                starts = (e.start for e in index if isinstance(e, Entry))
                values.extend(s for s in starts if isinstance(s, Node))
        values.extend(d for d in c.domain[1:] if isinstance(d, Node))
    if lengths & set(postorder(values)):
        return False
    for check in program.graph.checks:
        if not lengths & set(postorder([check.condition])):
            continue
        a, b = (*check.condition.args, None, None)[:2]
        same = check.condition.op.name == "equal" and a in lengths and b in lengths
        other = check.condition.op.name == "not_equal" and b is not None and b.op is ops.CONST
        if not same and not (other and build.constant_value(b) in (0, 1)):  # type: ignore[arg-type]
            return False
    return True
