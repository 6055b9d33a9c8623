"""Draws by given chances: kernels for places among running sums, and for rows of counts.

They tell by `flag` of chances that NumPy refuses.
"""

from __future__ import annotations

import textwrap

from tracejit.cuda.library.masked import THREADS
from tracejit.rng.philox import GAP, ROW_SHIFT

#: The chances added up, in their order, by a block: they are `count`, and come to 1.
RUNNING = f"""\
shared_d = shared("d", {THREADS})

def running(p, count, total, flag):
    part = shared_d()
    t = thread()
    n = p.shape[0]
    so_far = 0.0
    for tile in range((n + {THREADS - 1}) >> {THREADS.bit_length() - 1}):
        k = tile * {THREADS} + t
        chance = 0.0
        if k < n:
            chance = p[k]
            if not ge(chance, 0.0):
                raise_flag(flag)
        part[t] = chance
        together()
        if t == 0:
            for j in range({THREADS}):
                so_far = so_far + part[j]
                part[j] = so_far
        together()
        if k < n:
            total[k] = part[t]
    if t == 0:
        good = 0
        if so_far - 1.0 < 1e-8 and 1.0 - so_far < 1e-8 and count > 0 and n == count:
            good = 1
        if good == 0:
            raise_flag(flag)
"""
#: How many of the running sums, of which the last one is 1, are at most each number.
PLACES = """\
def places(total, u, out):
    n = total.shape[0]
    last = total[imax(n - 1, 0)]
    for k in over_x(out.shape[0]):
        mine = u[k]
        low = 0
        high = n
        while True:
            if low >= high:
                break
            middle = (low + high) >> 1
            if total[middle] / last <= mine:
                low = middle + 1
            else:
                high = middle
        out[k] = low
"""
#: A number of Philox in [0, 1) for each element.
UNITS = f"""\
def units(state, after, out):
    for k in over_x(2):
        after[k] = state[k] + to_uint64(k)
    for k in over_x(out.shape[0]):
        word = philox_first(state[0], state[1], to_uint64(k) * {GAP})
        out[k] = to_float64(to_int64(word >> 11)) * {2.0**-53!r}
"""
#: The first ones of a row.
FIRST = """\
def first(x, out):
    for k in over_x(out.shape[0]):
        if k < x.shape[0]:
            out[k] = x[k]
"""


def counts(several: bool) -> str:
    """A row of counts a thread: ``counts(state, after, n, p, length, used, out, flag)``.

    One binomial number of Philox after another, of what is left; `used` notes how many words each
    row has had. There are `several` numbers `n`, or one.
    """
    mine = "n[row]" if several else "n"
    check = textwrap.indent(
        f"""\
if {mine} < 0:
    raise_flag(flag)
total = 0.0
for k in range(length):
    chance = p[base + k]
    if not ge(chance, 0.0):
        raise_flag(flag)
    if not le(chance, 1.0):
        raise_flag(flag)
    if k < length - 1:
        total = total + chance
if total > 1.0:
    raise_flag(flag)
""",
        " " * 8,
    )
    return f"""\
def counts(state, after, n, p, length, used, out, flag):
    for k in over_x(2):
        after[k] = state[k] + to_uint64(k)
    for row in over_x(out.shape[0] // imax(length, 1)):
        base = 0
        if p.shape[0] > length:
            base = row * length
{check}\
        used[row] = 0
        left = {mine}
        rest = 1.0
        for k in range(length - 1):
            chance = p[base + k]
            found = 0
            if left > 0 and chance > 0.0:
                place = to_uint64(row) << {ROW_SHIFT}
                found = philox_binomial_after(
                    state[0], state[1], place, used, row, left, chance / rest
                )
            out[row * length + k] = found
            left = left - found
            rest = rest - chance
        if length > 0:
            out[row * length + (length - 1)] = imax(left, 0)
"""
