"""Statements about what lies outside of arrays: host calls, objects, random numbers.

What they do is compared after each call: the log, what was printed, attributes, generators' states.
"""

from __future__ import annotations

from programs import expressions as e
from programs.scope import Array, Writer

#: What such programs have at their head.
HEAD = """\
import copy, json, math, statistics
LOG = []

class Thing:
    def __init__(self, x, s):
        self.x, self.s = x, s
        self.items, self.n = [s], 0

    @property
    def size(self):
        return self.x.size + self.n

    def add(self, t):
        self.n += 1
        self.s = self.s + t
        return self.s

    def put(self, v):
        self.x[: len(v)] = v[: len(self.x)]
        self.items.append(self.x.max())
        return self

    def told(self):
        LOG.append(f"{self.n} of {len(self.items)}")
        return self.n

def note(*values):
    LOG.append(" ".join(f"{v:.2f}" for v in values))
    return len(LOG)

def hosted(v):
    LOG.append(v.shape)
    return np.asarray(memoryview(np.ascontiguousarray(v)))

"""


# Host calls ---------------------------------------------------------------------------------------


def effect(w: Writer) -> None:
    """A statement for its effect alone."""
    s, a = e.number(w, 1), w.pick(w.arrays()).name
    w.line(
        w.pick(
            [f"print(f\"\"\"{{{s}:.2f}}\"\"\")", f"LOG.append({s})", f"LOG.append({a}.copy())",
             f"note({s}, {e.number(w, 0)})", f"LOG.append(({a}.shape, {a}.dtype))",
             f"print({a}.shape, len(LOG))", f"LOG.append({a}.tolist())", f"LOG.append({a})",
             f"LOG.append({a}.tobytes())", "LOG[:] = LOG[-3:]", f"LOG.append(str({a}.max()))",
             f"(LOG.append(1), {a}.fill({s}), LOG.append(2))"]
        ),
        "effect",
    )  # fmt: skip


def host_array(w: Writer) -> None:
    """An array that a host call gives."""
    a = w.pick(w.arrays())
    name = w.fresh("a")
    text = w.pick(
        ["hosted({})", "np.frombuffer({0}.tobytes(), {0}.dtype).reshape({0}.shape).copy()",
         "np.array(json.loads(json.dumps({0}.tolist()))).astype({0}.dtype).reshape({0}.shape)",
         "np.asarray(memoryview(np.ascontiguousarray({})))", "copy.deepcopy({})",
         "np.array([float(t) for t in map(str, {0}.ravel())]).reshape({0}.shape)", "copy.copy({})"]
    ).format(a.name)  # fmt: skip
    integer = a.integer and "float(" not in text
    if w.one_in(5):
        w.note("host call in a handler")
        with w.block("try:"):
            w.line(f"{name} = {text}")
            w.line(f"{name}[{e.index(w, a.shape[0])}] += 1")
        with w.block("except IndexError:"):
            w.line(f"{name} = {a.name}")
    else:
        w.line(f"{name} = {text}", "array of a host call")
    w.scope.arrays.append(Array(name, a.shape, integer, own=True))


def host_number(w: Writer) -> None:
    """A number that a host call gives."""
    a, s, name = w.pick(e.vectors(w)).name, e.number(w, 1), w.fresh("s")
    text = w.pick(
        [f"float(f\"\"\"{{{s}:.2f}}\"\"\")", f"note({s})", f"math.fsum({a})",
         f"len(f\"\"\"{{{s}:.1f}}\"\"\")",
         f"statistics.median({a}.tolist())", f"len(set({a}.tolist()))", f"sorted({a}.tolist())[0]",
         f"int({a}.tobytes()[0])", f"len(str({s}))", f"math.floor({s})", f"len({a}.data)",
         f"float(str({s}))", f"len(LOG) + note({a}[0])", f"note({s}) * note({a}[-1]) + {s}"]
    )  # fmt: skip
    w.line(f"{name} = {text}", "number of a host call")
    w.scope.numbers.append(name)


def host_branch(w: Writer) -> None:
    """A branch by what a host call gives."""
    from programs.statements import body

    a = w.pick(w.arrays()).name
    test = w.pick(
        [f"str({e.number(w, 1)}) > '0'", f"note({e.number(w, 1)}) % 2", f"{a}.tolist() and LOG",
         f"len(LOG) > 2 or note({e.number(w, 0)}) > 9", f"'-' in f\"\"\"{{{a}.min():.2f}}\"\"\"",
         f"{a}.size and note({a}.max()) and {a}.min() < 0"]
    )  # fmt: skip
    with w.block(f"if {test}:", "branch by a host call"):
        body(w, 2)
    if w.one_in(2):
        with w.block("else:"):
            body(w, 2)


# Objects ------------------------------------------------------------------------------------------


def objects(w: Writer) -> list[str]:
    return [name.removesuffix(".s") for name in w.seen("numbers") if name.endswith(".s")]


def attribute(w: Writer) -> None:
    """An attribute is read, assigned or changed."""
    known = objects(w)
    if not known:
        return new_object(w)
    o, a, s = w.pick(known), w.pick(w.arrays(lambda a: not a.integer)), e.number(w, 1)
    fresh = w.fresh("new")
    w.line(
        w.pick(
            [f"{o}.s = {s}", f"{o}.s += {s}", f"{o}.n += 1", f"{o}.x = {a.name}.copy()",
             f"{o}.x = {a.name} * 2", f"{o}.x += {s}", f"{o}.x[0] = {s}", f"{o}.items.append({s})",
             f"{o}.{fresh} = {s}", f"{o}.last = {a.name}", f"{o}.last = {a.name}.max()",
             f"setattr({o}, '{fresh}', {s})", f"{o}.items[-1] = {s}", f"{o}.add({s})",
             f"{o}.put({a.name})", f"{o}.items = [{s}, {a.name}]", f"{o}.told()",
             f"{o}.items.append({a.name}.copy())", f"{o}.put({a.name}).add({s})",
             f"LOG.append({o}.size)"]
        ),
        "attribute",
    )  # fmt: skip


def attribute_number(w: Writer) -> None:
    known = objects(w)
    if not known:
        return new_object(w)
    o, s, name = w.pick(known), e.number(w, 1), w.fresh("s")
    text = w.pick(
        [f"{o}.add({s})", f"{o}.size", f"{o}.n", f"getattr({o}, 'last', {s})", f"{o}.told()",
         f"len({o}.items)", f"{o}.x.max()", f"hasattr({o}, 'last')", f"len(vars({o}))",
         f"isinstance({o}, Thing) + {s}", f"{o}.s if {o}.n else {s}"]
    )  # fmt: skip
    if "last" in text and "hasattr" not in text:
        w.line(f"{name} = {text}", "attribute read")
        w.scope.values.append(name)
        return
    w.line(f"{name} = {text}", "attribute read")
    w.scope.numbers.append(name)


def new_object(w: Writer) -> None:
    """An object that the program makes, or another name for one."""
    known = objects(w)
    name = w.fresh("o")
    if known and w.one_in(3):
        text = w.pick(["{}", "copy.copy({})", "copy.deepcopy({})"]).format(w.pick(known))
    else:
        text = f"Thing({w.pick(e.vectors(w)).name}, {e.number(w, 1)})"
    w.line(f"{name} = {text}", "object made")
    w.scope.numbers.append(f"{name}.s")
    w.scope.values.append(name)


# Random numbers -----------------------------------------------------------------------------------


def draw(w: Writer) -> None:
    """Numbers that NumPy draws, from an argument or the global state."""
    rng = w.pick([*w.seen("streams"), "np.random"])
    a, name = w.pick(w.arrays(lambda a: not a.integer)), w.fresh("a")
    sizes = f"({', '.join(e.length(w, axis) for axis in a.shape)},)"
    whole = rng == "np.random"
    integers = "randint" if whole or rng.startswith("old") else "integers"
    forms = [
        ("np.floor({r}.{u}({n}) * 8) / 8", False), ("{r}.{i}(0, 5, {n})", True),
        ("{r}.permutation({a})", False), ("np.round({r}.normal(size={n}), 1)", False),
        ("np.round({r}.uniform(-1, 1, {n}), 1)", False), ("{r}.choice([0.5, 2.0], {n})", False),
        ("np.round({r}.exponential(2.0, {n}), 1)", False), ("{r}.poisson(2.0, {n})", True),
        ("{r}.binomial(4, 0.5, {n})", True), ("np.floor({r}.{s}({n}))", False),
    ]  # fmt: skip
    text, integer = w.pick(forms)
    old = integers == "randint"
    shown = text.format(
        r=rng, n=sizes, a=a.name, i=integers, u="random_sample" if old else "random",
        s="standard_normal",
    )  # fmt: skip
    w.summed |= w.sums
    w.line(f"{name} = {shown}", "draw")
    w.scope.arrays.append(Array(name, a.shape, integer, own=True))


def draw_number(w: Writer) -> None:
    rng = w.pick([*w.seen("streams"), "np.random"])
    old = rng == "np.random" or rng.startswith("old")
    a, s = w.pick(w.arrays()).name, w.fresh("s")
    if w.one_in(3):
        text = [f"{rng}.shuffle({a})", f"np.random.seed({w.pick(['3', 'K', 'len(LOG)'])})"]
        w.line(w.pick(text), "shuffle or seed")
        return
    i, r = ("randint", "random_sample") if old else ("integers", "random")
    text = [f"int({rng}.{i}(4))", f"{rng}.{i}(1, 3)", f"round({rng}.{r}(), 1)",
            f"({rng}.{r}() < 0.5)", f"float({rng}.{i}(9)) / 4"]  # fmt: skip
    w.line(f"{s} = {w.pick(text)}", "number drawn")
    w.scope.numbers.append(s)


# Dates --------------------------------------------------------------------------------------------


def dates(w: Writer) -> None:
    """What is computed of dates, or written into them."""
    known = w.seen("dates")
    if not known:
        return effect(w)
    a, k = w.pick(known), w.pick(["0", "1", "-1"])
    d, other = a.name, w.pick(known).name
    day = "np.timedelta64(1, 'D')"
    if w.one_in(3):
        texts = [f"{d}[{k}] = {other}[0]", f"{d}[{k}] += {day}", f"{d}[np.isnat({d})] = {d}.min()",
                 f"{d}[:] = {other}[::-1]", f"{d}.sort()", f"LOG.append(str({d}[{k}]))",
                 f"{d}[{d} > {other}] -= {day}"]  # fmt: skip
        return w.line(w.pick(texts), "write into dates")
    if w.one_in(3):
        name = w.fresh("a")
        w.line(f"{name} = ({d} - {other}[{k}]) / {day}", "numbers of dates")
        return w.scope.arrays.append(Array(name, a.shape, own=True))
    name = w.fresh("d")
    same = [f"{d} + {day}", f"np.sort({d})", f"np.maximum({d}, {other})", f"{d}[::-1]", f"{d} - 3",
            f"np.where({d} < {other}, {d}, {other}[::-1])", f"np.roll({d}, 1)",
            f"{d} + np.arange(len({d}))", f"{d}.copy()"]  # fmt: skip
    values = [f"{d} - {other}", f"{d} == {other}", f"np.unique({d})", f"{d}.max()", f"np.diff({d})",
              f"{d}[{k}]", f"np.argsort({d})", f"{d}.astype('M8[h]') - {other}[{k}]",
              f"{d} > {other}[{k}]", f"np.searchsorted(np.sort({d}), {other})"]  # fmt: skip
    if w.one_in(2):
        w.line(f"{name} = {w.pick(same)}", "dates of dates")
        w.scope.dates.append(Array(name, a.shape, own=True))
    else:
        w.line(f"{name} = {w.pick(values)}", "value of dates")
    w.scope.values.append(name)


STATEMENTS = {
    effect: 4, host_array: 4, host_number: 4, host_branch: 2, attribute: 10, attribute_number: 4,
    new_object: 2, draw: 5, draw_number: 3, dates: 6,
}  # fmt: skip
