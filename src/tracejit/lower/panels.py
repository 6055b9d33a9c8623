"""What a loop of steps touches along its lines is packed into panels, a few steps at a time.

    for steps, twelve at a time:
        panel[k, j] = d[i, j, k]        of these steps, and of those that they read
        for k in steps:
            for j in block: ...         in the panels
        d[i, j, k] = panel[k, j]        what they have written

Elements of neighbouring lines lie side by side in a panel, so a step is vectorised, and all panels
of a loop stay in the first cache. They are filled along the rows of memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import dims
from tracejit.ir.dims import Dim
from tracejit.ir.region import regions_of
from tracejit.ir.rules import roles
from tracejit.lower.access import Entry
from tracejit.lower.control import outside
from tracejit.lower.interchange import touched
from tracejit.lower.program import Control, Lines, Panel
from tracejit.lower.target import Costs
from tracejit.lower.writes import may_refuse

#: How many steps are in a panel, beside those that they read: three tiles, and few enough for what
#: comes next to be fetched evenly.
STEPS = 12
#: Of how many lines there are a multiple, where a few may be repeated: as vectors ask for.
PADDED = 8
#: Axes of an array that is packed, and steps that lie between what one step touches, at most.
_AXES, _APART = 5, 8


def packed(control: Control, costs: Costs) -> Lines | None:
    """The lines of a loop of steps, with the panels that its arrays are packed into.

    Needs: the lines that it has already, whose points need nothing of each other.
    Guarantees: what is packed is touched in this loop at places of its panel alone; of a panel
    nothing is put back but what steps have written.
    """
    lines = control.lines
    if lines is None or not lines.beside:
        return lines
    [program], [region] = control.programs, regions_of(control.node)
    found = touched(program.items, program)
    assert found is not None
    room, panels = costs.panels, []
    for k, param in enumerate(region.params):
        if program.layouts.get(param.attr[0]) not in ("C", "R") or param.ndim > _AXES:
            continue
        reads, writes = ([at for m, at in each if m is param] for each in found[1:])
        panel = _panel(k, reads, writes, control) if reads or writes else None
        if panel is None:
            continue
        room -= (STEPS + panel.high - panel.low << lines.beside) * param.dtype.itemsize
        if room < 0:
            return lines
        panels.append(panel)
    alone = {region.params[panel.param] for panel in panels}
    last = len(lines.extents) - 1
    padded = len(found.extents) == last + 1 and not may_refuse(program.graph)
    padded &= all(m in alone or _is_apart(at, last) for each in found[1:] for m, at in each)
    fetched = [k for k in lines.fetched if all(panel.param != k for panel in panels)]
    return lines._replace(panels=tuple(panels), fetched=tuple(fetched), padded=padded)


def _is_apart(at: object, axis: int) -> bool:
    """Whether a place is the same for all lines that go side by side."""
    entries = at if isinstance(at, tuple) else (None,)
    return all(isinstance(e, Entry) and e.axis != axis for e in entries)


def _panel(
    k: int, reads: Sequence[object], writes: Sequence[object], control: Control
) -> Panel | None:
    """The panel of an array that is touched at these places; None where it can have none."""
    assert control.lines is not None
    [region], parts = regions_of(control.node), roles(control.node)
    each = [_split(at, len(control.lines.extents)) for at in (*reads, *writes)]
    if not all(each) or len({along for along, _ in filter(None, each)}) > 1:
        return None
    index = region.params[len(parts.carried)]
    for sign in (1, -1):
        step = dims.mul(sign, dims.from_node(index))
        starts = [dims.sub(one[1], step) for one in each if one]
        places = [d for d in (dims.sub(start, starts[0]) for start in starts) if isinstance(d, int)]
        along = (each[0] or ((), 0))[0]
        known = outside((starts[0], *(e.start for e in along)), region, parts)
        if known is None or len(places) < len(starts) or max(places) - min(places) > _APART:
            continue
        read, put = set(places[: len(reads)]), sorted(set(places[len(reads) :]))
        if put and put != list(range(put[0], put[-1] + 1)):
            continue  # what lies between is not to be written
        written = (put[0], put[-1]) if put else None
        # What is only read when it has been written is not there before.
        before = put and all(r < put[0] if sign > 0 else r > put[-1] for r in read)
        entries = tuple(e._replace(start=d) for e, d in zip(along, known[1:], strict=True))
        return Panel(k, entries, known[0], sign, min(places), max(places), written, not before)
    return None


def _split(at: object, count: int) -> tuple[tuple[Entry, ...], Dim] | None:
    """Where lines are, and where on them an access is; None where they do not go side by side.

    Those that do are neighbours along the last axis but one, one by one.
    """
    if not isinstance(at, tuple) or len(at) < 2 or not all(isinstance(e, Entry) for e in at):
        return None
    *along, last = at
    steps = all(e.axis is None or (e.step == 1 and e.axis < count) for e in along)
    if last.axis is not None or along[-1].axis != count - 1 or not steps:
        return None
    return tuple(along), last.start
