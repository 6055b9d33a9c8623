"""What goes to places, sorted by these: a thread takes all that goes to one place, in order."""

from __future__ import annotations

import textwrap


def of_runs(ndim: int, load: str, combine: str, store: str) -> str:
    """``of_runs(keys, order, values, out, *lengths)``: into an array of `ndim` axes.

    `keys` are places in it, in order; `order` says which of the values go there. `combine` is of
    what is there, `total`, and of a `value`; without it the last value stays. `load` is of
    an element of an array, and `store` the total as such.
    """
    lengths = [f"n{axis}" for axis in range(1, ndim)]
    find, rest = [], "key"
    for axis in range(ndim - 1, 0, -1):
        find.append(f"rest{axis} = idiv({rest}, n{axis})")
        find.append(f"at{axis} = {rest} - rest{axis} * n{axis}")
        rest = f"rest{axis}"
    place = ", ".join([rest, *(f"at{axis}" for axis in range(1, ndim))])
    take = "stored = values[order[s]]"
    if combine:
        take = f"value = {load.format('values[order[s]]')}\ntotal = {combine}"
    begin = f"total = {load.format(f'out[{place}]')}" if combine else take
    end = f"out[{place}] = {store if combine else 'stored'}"
    body = textwrap.indent("\n".join([*find, "s = first", begin]), " " * 12)
    step = textwrap.indent(take, " " * 16)
    return f"""\
def of_runs({", ".join(["keys", "order", "values", "out", *lengths])}):
    count = keys.shape[0]
    for first in over_x(count):
        key = keys[first]
        if first == 0 or keys[imax(first - 1, 0)] != key:
{body}
            while True:
{step}
                s = s + 1
                if s >= count:
                    break
                if keys[s] != key:
                    break
            {end}
"""
