"""Draws from generators whose numbers come one after another: the CPU's numbers, and its states.

MRG31k3p has as many streams as threads want, each its own. MT19937 has one: a block of threads
makes the next words from the last ones, in three steps, and numbers of them; where numbers are
tried until one fits, all tries of a block of words are made at once, and those that fit counted.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from tracejit.cuda.library.masked import SUMS, THREADS
from tracejit.rng import mrg31k3p
from tracejit.rng.philox import GAP, ROW_SHIFT

#: Words of MT19937's block, how far the words are that make one, and where a state has what.
_WORDS, _SHIFT, _SIZE = 624, 397, 628
_BEHIND = _WORDS - _SHIFT
#: How many tries a thread makes of a block of words at most.
_EACH = 3


class Draw(NamedTuple):
    """A distribution: its kernel ``draw(state, after, out, *parameters)``.

    `good` says of the parameters, which are scalars, whether NumPy takes them. A kernel of
    `threads` is one block; the others have a thread for each of "streams", "elements" or "rows".
    A row of numbers is as long as the kernel's last parameter, `length`, says.
    """

    text: str
    parameters: str = ""
    good: str = "True"
    threads: int = 0
    each: str = "streams"


def _masks(most: str) -> str:
    """The lines that make of `most` the least mask that has all its bits."""
    lines = [f"m{k + 1} = bit_or(m{k}, m{k} >> {1 << k})\n" for k in range(6)]
    return "".join([f"m0 = to_uint64({most})\n", *lines])


# MRG31k3p ----------------------------------------------------------------------------------------


def _mrg(number: str) -> str:
    """A kernel; `number` is made of `r`, an integer below 2**31."""
    m1, m2 = mrg31k3p.M1, mrg31k3p.M2
    low, fold = f"uint64({2**31 - 1})", 2**31 - m2
    names = [f"{name}{k}" for name in "xy" for k in range(3)]
    load = "".join(f"    {n} = to_uint64(state[i, {k}])\n" for k, n in enumerate(names))
    save = "".join(f"    after[i, {k}] = to_int32({n})\n" for k, n in enumerate(names))
    return f"""\
def draw(state, after, out):
    streams = state.shape[0]
    for i in over_x(streams):
{textwrap.indent(load, "    ")}\
        place = i
        for k in range((out.shape[0] - i + (streams - 1)) // imax(streams, 1)):
            u = (x1 << 22) + x2 * {2**7 + 1}
            v = bit_and(u, {low}) + (u >> 31)
            w = bit_and(v, {low}) + (v >> 31)
            x = select(w >= {m1}, w - {m1}, w)
            a = (y0 << 15) + y2 * {2**15 + 1}
            b = bit_and(a, {low}) + (a >> 31) * {fold}
            c = bit_and(b, {low}) + (b >> 31) * {fold}
            y = select(c >= {m2}, c - {m2}, c)
            x2 = x1
            x1 = x0
            x0 = x
            y2 = y1
            y1 = y0
            y0 = y
            r = select(x <= y, x - y + uint64({m1}), x - y)
            out[place] = {number}
            place = place + streams
{textwrap.indent(save, "    ")}"""


# MT19937 -----------------------------------------------------------------------------------------


def _mixed(upper: str, lower: str, shifted: str) -> str:
    """A word of the next block, of two words and one that is farther on."""
    both = f"bit_or(bit_and({upper}, uint32(0x80000000)), bit_and({lower}, uint32(0x7FFFFFFF)))"
    odd = f"select(bit_and({lower}, uint32(1)) != 0, uint32(0x9908B0DF), uint32(0))"
    return f"bit_xor(bit_xor({shifted}, {both} >> 1), {odd})"


def _tempered(name: str, word: str) -> str:
    """The lines that make of a word the number that it stands for."""
    return f"""\
{name}0 = {word}
{name}1 = bit_xor({name}0, {name}0 >> 11)
{name}2 = bit_xor({name}1, bit_and({name}1 << 7, uint32(0x9D2C5680)))
{name}3 = bit_xor({name}2, bit_and({name}2 << 15, uint32(0xEFC60000)))
{name} = bit_xor({name}3, {name}3 >> 18)
"""


def _step(first: int, count: int, shifted: str) -> str:
    """Words from `first` on, each of two of the block before, and of one that is given."""
    upper, lower = (f"s[old + k + {first + j}]" for j in (0, 1))
    return f"""\
for k in over_threads({count}):
    s[new + {first} + k] = {_mixed(upper, lower, shifted)}
together()
"""


#: The block of words after the one at `old`, at `new`. Each step reads what those before have made.
_TWIST = (
    _step(0, _BEHIND, f"s[old + k + {_SHIFT}]")
    + _step(_BEHIND, _BEHIND, "s[new + k]")
    + _step(2 * _BEHIND, _WORDS - 1 - 2 * _BEHIND, f"s[new + k + {_BEHIND}]")
    + f"""\
if thread() == 0:
    s[new + {_WORDS - 1}] = {_mixed(f"s[old + {_WORDS - 1}]", "s[new]", f"s[new + {_SHIFT - 1}]")}
together()
"""
)
_HEAD = f"""\
s = shared_I()
for k in over_threads({_WORDS}):
    s[k] = state[k]
together()
n = out.shape[0]
start = to_int64(state[{_WORDS}])
old = 0
new = 0
"""
#: What is left: the block of words at `new`, and that `stop` words of it have been used.
_TAIL = f"""\
for k in over_threads({_WORDS}):
    after[k] = s[new + k]
if thread() == 0:
    after[{_WORDS}] = to_uint32(stop)
    for k in span({_WORDS + 1}, {_SIZE}):
        after[k] = state[k]
"""
_NEXT = f"""\
if block > 0:
    old = new
    new = {_WORDS} - old
{textwrap.indent(_TWIST, "    ")}"""


def _word(name: str, at: str) -> str:
    """The lines for word `at` of the block at `new`; below 0, of the one before, at `old`."""
    return _tempered(name, f"s[select({at} < 0, old + {_WORDS} + {at}, new + {at})]")


def _tries(count: str, end: str) -> str:
    """How many tries of so many words end before a word, counted from the start."""
    return f"imax(({end} - start) // {count}, 0)"


_SHARED = f'shared_I = shared("I", {2 * _WORDS})\n'


def _kernel(parameters: str, body: str, head: str = "") -> str:
    names = ", ".join(["state", "after", "out", *parameters.split()])
    return f"{_SHARED}{head}\ndef draw({names}):\n" + textwrap.indent(body, "    ")


def _doubles(number: str, parameters: str = "") -> str:
    """Numbers of two words each; `number` is made of `u`, in [0, 1)."""
    each = f"""\
for k in over_threads(end - begin):
    i = begin + k
    first = start + 2 * i - {_WORDS} * block
    second = first + 1
{textwrap.indent(_word("a", "first") + _word("b", "second"), "    ")}\
    upper = to_float64(to_int32(a >> 5))
    u = (upper * 67108864.0 + to_float64(to_int32(b >> 6))) * {1.0 / 9007199254740992.0!r}
    out[i] = {number}
together()
"""
    body = f"""\
{_HEAD}\
blocks = 1 + (start + 2 * n - 1) // {_WORDS}
if n == 0:
    blocks = 1
for block in range(blocks):
{textwrap.indent(_NEXT, "    ")}\
    begin = imin({_tries("2", f"{_WORDS} * block")}, n)
    end = imin({_tries("2", f"{_WORDS} * (block + 1)")}, n)
{textwrap.indent(each, "    ")}\
stop = start + 2 * n - {_WORDS} * (blocks - 1)
{_TAIL}"""
    return _kernel(parameters, body)


def _integers(parameters: str, low: str, most: str) -> str:
    """Integers from `low` to `low` and `most` more: masked words until one fits.

    A try is one word, or two where there are more than 2**32 integers.
    """
    tried = f"""\
for i in span(mine, last):
    first = start + size * i - {_WORDS} * block
    second = first + (size - 1)
{textwrap.indent(_word("a", "first") + _word("b", "second"), "    ")}\
    both = bit_or(to_uint64(a) << 32, to_uint64(b))
    value = bit_and(select(size == 1, to_uint64(b), both), m6)
    if value <= m0:
"""
    each_block = f"""\
if done >= n:
    break
{_NEXT}\
begin = {_tries("size", f"{_WORDS} * block")}
end = {_tries("size", f"{_WORDS} * (block + 1)")}
mine = imin(begin + t * {_EACH}, end)
last = imin(mine + {_EACH}, end)
c = 0
{tried}\
        c = c + 1
{SUMS}\
rank = done + (part[t] - c)
{tried}\
        if rank < n:
            out[rank] = {low} + to_int64(value)
        if rank == n - 1:
            part[{THREADS}] = first + size
        rank = rank + 1
done = done + part[{THREADS - 1}]
block = block + 1
together()
if done >= n:
    stop = part[{THREADS}]
"""
    body = f"""\
{_HEAD}\
part = shared_l()
t = thread()
most = {most}
size = select(most > {2**32 - 1}, 2, 1)
{_masks("most")}\
stop = start
block = 0
done = 0
if most <= 0:
    for k in over_threads(n):
        out[k] = {low}
    done = n
while True:
{textwrap.indent(each_block, "    ")}\
{_TAIL}"""
    return _kernel(parameters, body, f'shared_l = shared("l", {THREADS + 1})\n')


#: One thread moves numbers from the end of a row, in which all are in order; a try is one word.
_SHUFFLED = f"""\
if last <= 0:
    row = row + 1
    last = length - 1
if row >= rows:
    break
if at >= {_WORDS}:
    break
{_tempered("a", "s[new + at]")}\
at = at + 1
{_masks("last")}\
value = bit_and(to_uint64(a), m6)
if value <= m0:
    other = row * length + to_int64(value)
    moved = out[other]
    out[other] = out[row * length + last]
    out[row * length + last] = moved
    last = last - 1
"""
_ROWS = _kernel(
    "count length",
    f"""\
{_HEAD}\
said = shared_l()
t = thread()
for i in over_threads(n):
    out[i] = i - i // imax(length, 1) * length
together()
rows = 0
if length > 1:
    rows = n // length
row = 0
last = length - 1
at = start
block = 0
while True:
{textwrap.indent(_NEXT, "    ")}\
    if t == 0:
        while True:
{textwrap.indent(_SHUFFLED, "            ")}\
        said[0] = rows - row
        said[1] = at
        at = 0
    together()
    if said[0] <= 0:
        break
    block = block + 1
    together()
stop = said[1]
{_TAIL}""",
    'shared_l = shared("l", 2)\n',
)


# Philox ------------------------------------------------------------------------------------------

#: The state after any draw: the number of the next one.
_COUNTED = """\
for k in over_x(2):
    after[k] = state[k] + to_uint64(k)
"""
#: A word of the `at`-th place of a draw, from `start` on: `word`.
_PHILOX_WORD = """\
block = start + to_uint64(at >> 1)
first = philox_first(state[0], state[1], block)
second = philox_second(state[0], state[1], block)
word = select(bit_and(at, 1) == 0, first, second) >> 32
"""


_CHOICE = f"""\
def draw(state, after, out, count):
{textwrap.indent(_COUNTED + _masks("count - 1"), "    ")}\
    for k in over_x(out.shape[0]):
        start = to_uint64(k) * {GAP}
        at = 0
        value = uint64(0)
        while True:
{textwrap.indent(_PHILOX_WORD, "            ")}\
            if m0 > {2**32 - 1}:
                value = bit_and(bit_or((first >> 32) << 32, second >> 32), m6)
                at = at + 2
            else:
                value = bit_and(word, m6)
                at = at + 1
            if value <= m0:
                break
        out[k] = to_int64(value)
"""
#: From the end of a row, each number changes places with one before it, or with itself.
_PERMUTATION = f"""\
def draw(state, after, out, count, length):
{textwrap.indent(_COUNTED, "    ")}\
    for row in over_x(out.shape[0] // imax(length, 1)):
        start = (to_uint64(row) << {ROW_SHIFT}) * {GAP}
        at = 0
        base = row * length
        for k in range(length):
            out[base + k] = k
        for back in range(length - 1):
            k = length - 1 - back
{textwrap.indent(_masks("k"), "            ")}\
            value = uint64(0)
            while True:
{textwrap.indent(_PHILOX_WORD, "                ")}\
                at = at + 1
                value = bit_and(word, m6)
                if value <= m0:
                    break
            other = base + to_int64(value)
            moved = out[other]
            out[other] = out[base + k]
            out[base + k] = moved
"""

#: By the dtype of a state, and the distribution.
DRAWS: dict[tuple[str, str], Draw] = {
    ("int32", "mrg31k3p"): Draw(_mrg("to_int32(r)")),
    ("int32", "mrg31k3p_unit"): Draw(_mrg(f"to_float64(to_int64(r)) * {mrg31k3p.NORM!r}")),
    ("uint32", "random_sample"): Draw(_doubles("u"), threads=THREADS),
    ("uint32", "uniform"): Draw(
        _doubles("low + (high - low) * u", "low high"), "low high", "isfinite(high - low)", THREADS
    ),
    ("uint32", "randint"): Draw(
        _integers("low high", "low", "high - 1 - low"), "low high", "low < high", THREADS
    ),
    ("uint32", "random_integers"): Draw(
        _integers("low high", "low", "high - low"), "low high", "low <= high", THREADS
    ),
    ("uint64", "choice"): Draw(_CHOICE, "count", "count > 0", each="elements"),
    ("uint64", "permutation"): Draw(_PERMUTATION, "count", "count >= 0", each="rows"),
    ("uint32", "permutation"): Draw(_ROWS, "count", "count >= 0", THREADS, "rows"),
    ("uint32", "choice"): Draw(_integers("count", "0", "count - 1"), "count", "count > 0", THREADS),
}
