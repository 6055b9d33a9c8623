"""What a GPU has no kernel for, told before anything is compiled, with the user's line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tracejit.cuda.compile import functions_of
from tracejit.cuda.source import GridKernel
from tracejit.errors import NotTraceable
from tracejit.ir.node import Origin
from tracejit.lower.kernel.statements import Call, Expr
from tracejit.lower.kernel.verify import every, operands, read_by
from tracejit.lower.program import Computation, Loop, computations_in

#: Bytes of a kernel's parameters, at most, from compute capability 7.0 on.
PARAMETERS = 32_764
#: What to do where there is no kernel.
HINT = 'use device="cpu" for this function, or compute this outside of it'


@contextlib.contextmanager
def located(item: Loop | Computation) -> Iterator[None]:
    """What is refused inside is told with a line of the user's that `item` comes from."""
    try:
        yield
    except NotTraceable as problem:
        problem.hint = problem.hint or HINT
        problem.place = problem.place or _origin(item, problem.reason)
        raise


def _origin(item: Loop | Computation, reason: str) -> Origin | None:
    """Where what a reason names was computed; else where the first thing was."""
    inside = computations_in(item) if isinstance(item, Loop) else [item]
    named = [c for c in inside if {c.target.op.name, c.value.op.name} & {*reason.split()}]
    return next((c.target.origin for c in [*named, *inside] if c.target.origin), None)


def require_possible(kernel: GridKernel) -> None:
    """NotTraceable where a kernel calls what a GPU does not have, or takes too much."""
    functions = functions_of(kernel)
    for s in every(kernel.kernel.body):
        for name in (name for e in read_by(s) for name in _called(e)):
            try:
                functions[name]
            except NotTraceable as problem:
                problem.place = getattr(s, "origin", None)
                raise
    if (size := sum(kernel.sizes())) > PARAMETERS:
        raise NotTraceable(
            f"a kernel is too large: the addresses and lengths of its {len(kernel.kinds)} arrays "
            f"and numbers take {size:,} bytes, and a GPU takes {PARAMETERS:,}",
            "split the function into several, or let arrays be contiguous",
        )


def _called(e: Expr) -> Iterator[str]:
    """The functions that an expression calls."""
    if isinstance(e, Call):
        yield e.function
    for inner in operands(e):
        yield from _called(inner)
