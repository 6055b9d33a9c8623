"""Functions whose parameters, variables, globals, fields and keys have hostile names."""

from __future__ import annotations

import builtins
import keyword
import random

_OURS = (
    "MISS PLAIN call fn f_ _tj_p0 _tj_p1 _tj_d0 _tj_t1 _tj_k0 _tj_k1 _tj_ndarray _tj_same _tj_is "
    "_tj_draw0 _tj_stats _tj_solver _tj_idle _tjx_entry _tjx_empty _tjx_miss _tjx_out0 _tjx_work "
    "_tjx_result _tjx_new0 _tj_saved entry out0 t0 i0 n0 self cls args kwargs __x _ __ ___ é ﬁ ª "
    "µ Ω 変数 x1 np_ numpy tracejit __class__ __name__ __file__ __doc__ __builtins__ __dict__ "
    "__wrapped__ __tracejit_original__ __tracejit_state__ result copy Variable values lock spare "
    "co_code nan inf True_ lambda_ async_ T dtype shape range_ none NotImplemented Ellipsis"
).split()


def _pool() -> list[str]:
    names = {*dir(builtins), *keyword.softkwlist, *_OURS}
    names -= {*keyword.kwlist, "__debug__", "__import__", "__build_class__", "__builtins__"}
    return sorted(n for n in names if n.isidentifier())


POOL = _pool()

TEMPLATE = """\
import collections
import dataclasses

import numpy as np

from tools.attack.oracle import agree

def outer():
    {closed} = 2.5
    {array} = np.arange(3.0)

    def {helper}({p0}, *, {p1}=3.0):
        {local} = {p0} * {p1}
        return {local} + {closed}

    @dataclasses.dataclass
    class {cls}:
        {f0}: object
        {f1}: object = 2.0

    def the_function({p0}, /, {p1}, {p2}={default}, *{rest}, {p3}=4.0, **{named}):
        {local} = {p0} * {p1} + {p2}
        {other} = {helper}({local}, {p1}={p3}) + {array}
        {third} = [{other} for {loop} in (1, 2)]
        {more} = lambda {p0}: {p0} + {closed} * {local}.shape[0]
        for {loop} in {rest}:
            {other} = {other} + {loop}
        return {{
            "{k0}": {other}, "{k1}": ({local}, {third}), "r": {more}({p0}),
            "n": {named}, "l": {rest}, "h": {held}.{f0} * {local}, "p": {p1},
            "q": {cls}({local}, {p3}),
        }}

    {held} = {cls}(1.5)
    return the_function

{glob} = 7.0

def make(k):
    x = np.arange(3.0) + k
    return x

f = outer()
CALLS = [
    lambda: [(make(0), 2.0), {{}}],
    lambda: [(make(1),), {{"{p1}": 2.0, "{p3}": make(2)}}],
    lambda: [(make(1), 2.5, make(0), 1.0, make(3)), {{"{k0}x": 2.0, "{p0}": make(1)}}],
    lambda: [(make(1),), {{"{p1}": make(0), "{p2}": 1, "{k1}x": 3}}],
    lambda: [(), {{"{p0}": make(0), "{p1}": 1.0}}],
    lambda: [(make(2), 2.0), {{}}],
]
agree(lambda a, k: f(*a, **k), CALLS, compile={compiling})
agree(f, CALLS, compile={compiling}, spread=True)
"""


def script(rng: random.Random) -> str:
    """A program."""
    fields = (
        "closed array helper p0 p1 local cls f0 f1 p2 p3 rest named other third more loop k0 k1 "
        "held glob"
    ).split()
    while True:
        chosen = rng.sample(POOL, len(fields))
        names = dict(zip(fields, chosen, strict=True))
        # What the template itself uses must be what it is.
        used = {
            "np",
            "agree",
            "outer",
            "make",
            "f",
            "object",
            "x",
            "k",
            "dataclasses",
            "collections",
        }
        if used & set(chosen) or any(n.startswith("__") for n in (names["f0"], names["f1"])):
            continue
        if names["cls"].startswith("__") or any("__" in n and n.endswith("__") for n in chosen):
            continue
        text = TEMPLATE.format(
            **names,
            default=rng.choice(["1.0", "2", "np.float32(2)", "True"]),
            compiling=rng.random() < 0.08,
        )
        try:
            compile(text, "<names>", "exec")
        except SyntaxError:
            continue
        return text
