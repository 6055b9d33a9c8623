"""Bugs to be found: for each pass a module, its tests, and changes of its text."""

from __future__ import annotations

from typing import NamedTuple


class Pass(NamedTuple):
    """A module of the package, the files that test it, and wrong versions: what, old, new."""

    module: str
    tests: str
    bugs: tuple[tuple[str, str, str], ...]


PASSES = {
    "vectors": Pass(
        "cuda/passes/vectors.py",
        "tests/cuda/test_vectors.py",
        (
            ("loads come before all stores", "or memory in stores or not _is_beside(e,",
             "or not _is_beside(e,"),
            ("sides of a branch are done", "yield from _statements(s, True)\n            if",
             "yield from _statements(s, False)\n            if"),
            ("other rows are others' memory", "all(a.index == b.index for a, b in places)", "True"),
            ("views are arrays of their own", "while found in self.base:", "while found in ():"),
            ("indices may change", "and own.isdisjoint(names(i)) for", "for"),
            ("what is read elsewhere is not seen", "other.isdisjoint(stores) and", ""),
            ("whatever is long", "or steps > _LARGEST", ""),
            ("the narrowest counts", "// max(d.itemsize", "// min(d.itemsize"),
        ),
    ),
    "packs": Pass(
        "cuda/machine/vectors.py",
        "tests/cuda/test_vectors.py",
        (
            ("alignment is that of an element", "_bytes(builder, e, width) - 1", "7"),
            ("only loads are looked at", "loads, *accesses.stores]", "loads]"),
            ("halves in the wrong order", "b.zext(high, _NUMBER), _NUMBER(16)",
             "b.zext(low, _NUMBER), _NUMBER(16)"),
            ("all lanes are the first", "lanes[self.lane]", "lanes[0]"),
        ),
    ),
    "materialise": Pass(
        "lower/materialise.py",
        "tests/lower/test_materialise.py",
        (
            ("bodies twice as large", "if size > largest_body", "if size > 2 * largest_body"),
            ("two readers compute it again", "len(readers) > 1 or", "len(readers) > 2 or"),
            ("broadcasts compute it again", "costs.rebroadcast and", "99 and"),
            ("stores wait for their places", "u.op is ops.SCATTER and", "False and"),
            ("Fortran's memory is read as C's", '!= "C"', '== "A"'),
        ),
    ),
    "sharing": Pass(
        "cpu/passes/sharing.py",
        "tests/cpu/passes/test_sharing.py",
        (
            ("any two places are apart", "max(places) - min(places) < abs(factor)", "True"),
            ("rests of places are forgotten", "or len(rests) > 1:", ":"),
            ("totals may be read", "isinstance(e, str) and e in self.totals", "e in set()"),
            ("calls read nothing", "if sampled or any(", "if sampled and any("),
            ("chunks may overlap", "self.multiples[start] == length", "length"),
            ("views are arrays of their own", "return len(ways) == 1 and any(", "return any("),
        ),
    ),
    "order": Pass(
        "lower/order.py",
        "tests/lower/test_products_early.py",
        (
            ("before all it needs is there", "if item[1] <= placed", "if item[1] & placed"),
            ("what others read moves too", "readers[d] == {n}", "n in readers[d]"),
            ("nothing moves", "readers[d] == {n}]", "not readers[d]]"),
        ),
    ),
    "undo": Pass(
        "lower/kernel/undo.py",
        "tests/lower/kernel/test_kernel_undo.py",
        (
            ("a note comes late", "return [*self._noted(s), s]", "return [s, *self._noted(s)]"),
            ("views have no log", "while name in self.base:", "while name in ():"),
            ("only refusals are undone", "if s.code == 0 else", "if s.code != 2 else"),
            ("one side is forgotten", "else self.block(s.otherwise)", "else s.otherwise"),
        ),
    ),
    "inplace": Pass(
        "lower/inplace.py",
        "tests/lower/test_inplace.py",
        (
            ("an output is overwritten", "or x in program.outputs or", "or"),
            ("it is read later", "place[r.target] < place[node]", "place[r.target] > -1"),
            ("another element is read", "node is x and is_unharmed(", "node is x or ("),
        ),
    ),
    "antidependence": Pass(
        "lower/antidependence.py",
        "tests/lower/test_antidependence.py",
        (
            ("nothing is stored for it", "        found |= new", "        return found"),
            ("nothing comes before", "if before else dict(stored)", "if 0 else dict(stored)"),
            ("circles are not looked for", "len(writers) <= _MOST", "len(writers) <= 0"),
        ),
    ),
    "interchange": Pass(
        "lower/interchange.py",
        "tests/lower/test_interchange.py",
        (
            ("other lines are read", "all(at[k] == entry for k, entry in axes.values())", "True"),
            ("what is carried is forgotten", " or not all(s.ndim for s in parts.carried)", ""),
            ("rows of memory are left", "(found, index, 0)", "(found, index, 2)"),
        ),
    ),
    "strips": Pass(
        "lower/strips.py",
        "tests/lower/test_strips.py",
        (
            ("other lines are read", "alone(inside, len(lines.extents)) is not None", "True"),
            ("all at once", "if last > first + 1:", "if last > first + 2:"),
            ("memory of others", "memory_for(around[node], program) if", "node if"),
            ("what a loop does is forgotten", "outer(found.writes)", "[]"),
        ),
    ),
    "panels": Pass(
        "lower/panels.py",
        "tests/lower/test_panels.py",
        (
            ("places between are put back", "if put and put != list(", "if put and list("),
            ("other lines", "or len({along for along, _ in filter(None, each)}) > 1", ""),
            ("what is read is not there", "all(r < put[0] if", "all(r <= put[0] if"),
            ("rows that are in no panel", "m in alone or", "True or"),
        ),
    ),
    "control": Pass(
        "lower/control.py",
        "tests/lower/test_control.py",
        (
            ("what changes places is overwritten", "if result.op is ops.INPUT:", "if False:"),
            ("loops share a start", "(number, k - first), s.type", "(0, k - first), s.type"),
            ("two results share memory", "result in found or result in left", "result in left"),
            ("what is left is the start", "in found or result in left:", "in found:"),
        ),
    ),
    "fusion": Pass(
        "lower/fusion.py",
        "tests/lower/test_fuse.py",
        (
            ("before what it reads", "if position < after or", "if position < after - 1 or"),
            ("in a loop that still reduces", " or where in d.reduced:", ":"),
            ("another extent", "loop = Loop(c.domain[axis])", "loop = Loop(c.domain[c.order[0]])"),
            ("at another iteration", "index[place] != Entry(0, 1, axis)", "index[place] is None"),
        ),
    ),
    "collapse": Pass(
        "lower/collapse.py",
        "tests/lower/test_collapse.py",
        (
            ("an axis is left out", "for loop in chain)", "for loop in chain[1:])"),
            ("of one axis less", "c.reduced == axes)", "c.reduced)"),
            ("what lies otherwise", "program.memory[node] != layout", 'layout == "A"'),
        ),
    ),
    "looporder": Pass(
        "lower/looporder.py",
        "tests/lower/test_looporder.py",
        (
            ("Fortran's memory as C's", '== "F" else -1', '== "F" else 0'),
            ("a vector counts as a matrix", "_VECTORS**full", "1"),
            ("no sweeps", "!= 1:\n            return natural", "== 1:\n            return natural"),
        ),
    ),
    "buffers": Pass(
        "lower/buffers.py",
        "tests/lower/test_buffers.py",
        (
            ("less memory than elements", "shared.add(place)", "shared.add(place + 1)"),
            ("memory that is still read", "(dead) if end <", "(dead) if end <="),
            ("arenas in use together", "(ends) if end <", "(ends) if end <="),
            ("a row of what is not complete", "where is not None and where in c.reduced", "False"),
            ("overwritten before it is read", "r.loops[depth] is last.loops[depth]", "False"),
            ("another iteration's element", "at == identity for r, at", "True for r, at"),
        ),
    ),
    "jam": Pass(
        "cpu/passes/jam.py",
        "tests/cpu/passes/test_jam.py",
        (
            ("a copy too few", "range(factor - 1)", "range(factor - 2)"),
            ("rows are added twice", "_ONE, remainder=True)", "_ONE, remainder=False)"),
            ("every copy at the same step", "to if each is loop else each for", "each for"),
            ("a copy goes on too long", "Loop(loop.extent) for", "Loop(1) for"),
            ("what rounds at each step", 'dtype.char == "e"', 'dtype.char == "?"'),
        ),
    ),
    "tiles": Pass(
        "lower/passes/tiles.py",
        "tests/cpu/passes/test_tiles.py",
        (
            ("the rest is computed twice", "child.items, child.cost = [sums], 0", "child.cost = 0"),
            ("parts share a loop", "if alone or not parts or any(", "if not parts or any("),
            ("loops of no part", "            c.loops[0] = part\n", "            pass\n"),
            ("half rounds at each step", "and not by_chunks(c) for", "and False for"),
        ),
    ),
    "windows": Pass(
        "cpu/passes/windows.py",
        "tests/cpu/passes/test_windows.py",
        (
            ("a draw stays where it was", "program.items.remove(item)", "pass"),
            ("others are forgotten", "drawn=(item, *before.drawn)", "drawn=(item,)"),
            ("a block is as large as all", "Window(loop, BLOCK)", "Window(loop, 1 << 20)"),
        ),
    ),
    "draws": Pass(
        "lower/passes/draws.py",
        "tests/cpu/passes/test_windows.py",
        (
            ("in another order", "index != access.identity(len(c.domain))", "False"),
            ("of a loop that has begun anew", "or _is_late(loop, draw, program)", ""),
            ("a result is a block", " or draw.target in program.outputs", ""),
            ("read by two loops", "any(loop is not reading[0] for loop in reading)", "False"),
            ("a call reads a block", "(*reshaped, *_whole(c))", "(*reshaped,)"),
        ),
    ),
    "chunks": Pass(
        "lower/passes/chunks.py",
        "tests/lower/passes/test_chunks.py",
        (
            ("a point too few", "points <= CHUNK", "points < CHUNK"),
            ("half rounds at each step", 'c.target.dtype.char != "e"', "True"),
            ("tiles a row too long", "+ 3) >> 2 << 2", "+ 4) >> 2 << 2"),
            ("a chunk too many", "+ {length} - 1, {length}", "+ {length}, {length}"),
            ("no rows at least", ", {ROWS // 2})) +", ", 1)) +"),
        ),
    ),
    "streams": Pass(
        "cpu/passes/streams.py",
        "tests/cpu/passes/test_mark_streams.py",
        (
            ("what is no map", "or c.kind is not Kind.MAP or", "or"),
            ("an addition more", "_MOST_COST = 40", "_MOST_COST = 41"),
            ("bytes", "_SIZES = (4, 8)", "_SIZES = (1, 4, 8)"),
            ("parts", "or c.partial", ""),
        ),
    ),
    "split": Pass(
        "cpu/passes/split.py",
        "tests/cpu/passes/test_dividing.py",
        (
            ("parts of one result", "or c.partial", ""),
            ("what is read whole", "if not divided or divided & whole:", "if not divided:"),
            ("the length is used", "if lengths & set(postorder(values)):", "if False:"),
            ("rows that are reduced", "if axis in c.reduced or", "if"),
            ("from another place", "index[0] == Entry(0, 1, axis) and", ""),
        ),
    ),
    "phases": Pass(
        "cpu/passes/phases.py",
        "tests/cpu/passes/test_dividing.py",
        (
            ("what is not alone", "else alone(c, item, program, written)", "else True"),
            ("formulas in memory", "or is_formula(node))", "or not is_formula(node))"),
            ("chunks of other points", "work, inner_points(item), item", "work, 1, item"),
        ),
    ),
    "columns": Pass(
        "cpu/passes/columns.py",
        "tests/cpu/passes/test_graph_passes.py",
        (
            ("the other extreme", '"max" if node', '"min" if node'),
            ("an axis too far", "(k >= axis)", "(k > axis)"),
            ("no NaN", 'if x.dtype.kind == "f":', "if False:"),
            ("the last place", 'make(ops.REDUCTIONS["min"]', 'make(ops.REDUCTIONS["max"]'),
        ),
    ),
    "numbers": Pass(
        "cpu/passes/numbers.py",
        "tests/cpu/passes/test_graph_passes.py",
        (
            ("another start", '"fmax", -np.inf', '"fmax", 0.0'),
            ("the other extreme", '("min", "fmin"', '("max", "fmin"'),
            ("no NaN where there is no number", "(some, extreme, nan)", "(some, extreme, extreme)"),
        ),
    ),
    "convolutions": Pass(
        "cpu/passes/convolutions.py",
        "tests/cpu/passes/test_other_convolutions.py",
        (
            ("floats of one size too", 'not in "fd"', 'not in "d"'),
            ("all but those", "if _is_other(node) else", "if not _is_other(node) else"),
            ("none", "if not any(map(_is_other", "if any(map(_is_other"),
        ),
    ),
    "products": Pass(
        "lower/passes/products.py",
        "tests/cpu/passes/test_graph_passes.py",
        (
            ("summed over the other axis", "(rows, length), 1, (0,)", "(rows, length), 0, (0,)"),
            ("the other factor's axis", "view(b, shape, ((0, 1, 1)", "view(b, shape, ((0, 1, 0)"),
            ("Fortran's memory as C's", "first != (transposed != fortran)", "first != transposed"),
            ("what a library does better", " if matrix in summed}", "}"),
        ),
    ),
    "parts": Pass(
        "lower/passes/parts.py",
        "tests/lower/passes/test_parts.py",
        (
            ("what is left is not looked at", "place != node.shape[axis] or", ""),
            ("what is read meanwhile", "users[node] > 1", "users[node] > 2"),
            ("sums are put", 'node.attr[0] == "set" and', ""),
            ("other axes in part", "place.start != 0 or", "place.start != 0 and"),
            ("in the order of writing", "starts.get(place)", "parts[len(values)]"),
            ("all parts at the start", "start = dims.add(start, part.shape[axis])", "pass"),
            ("what is read elsewhere", "users[n.args[1]] == 1", "users[n.args[1]] >= 1"),
        ),
    ),
    "masks": Pass(
        "lower/passes/masks.py",
        "tests/cpu/passes/test_graph_passes.py",
        (
            ("chosen the other way", "(chosen, everywhere, x)", "(chosen, x, everywhere)"),
            ("costly everywhere", "CHEAP = 3", "CHEAP = 30"),
            ("masks that others read", "masks |= inputs - read", "masks |= inputs"),
            ("parts with gaps", "along[0][0] == 1)", "along[0][0] >= 1)"),
            ("counts of other masks", "_counted(before) in masks", "_counted(before) is not None"),
        ),
    ),
}  # fmt: skip
