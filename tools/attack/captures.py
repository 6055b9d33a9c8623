"""What a function reads outside of its arguments, and what of it changes between calls."""

from __future__ import annotations

import random

HEAD = """\
import contextlib
import dataclasses
import functools
import types

import numpy as np

from tools.attack.oracle import agree


@dataclasses.dataclass
class Point:
    x: object
    y: object = 1

    def norm(self):
        return self.x * self.x + self.y

    @property
    def half(self):
        return self.x / 2


class Holder:
    value = 2.0
    other = 1

    def method(x):
        return x * Holder.value

    @staticmethod
    def fixed(x):
        return x + Holder.other


class Below(Holder):
    pass


module = types.ModuleType("module")
module.value = 1.0
module.other = 3
G = 1.0
H = np.ones(3)
table = {"a": 1.0, "b": 2}
numbers = [1.0, 2, 3.5]
pair = (1.0, 2)
point = Point(2.0)
array = np.arange(3.0)
flag = True
text = "up"


def helper(x, k=2.0):
    return x * k + G


def outer():
    c, d = 1.0, np.ones(3)

    def inner(x):
        return x * c + d

    def put(new):
        nonlocal c
        c = new

    return inner, put


inner, put = outer()
current = helper
partial = functools.partial(helper, k=3.0)
"""
READS = """G|H|table['a']|table['b']|numbers[0]|numbers[1]|pair[0]|point.x|point.y|point.norm()|
point.half|array|array[0]|module.value|module.other|Holder.value|Holder.other|Below.value|Holder.fixed(X)|
helper(X)|inner(X)|current(X)|len(numbers)|len(table)|sum(numbers)|(1.0 if flag else 2.0)|
(1.0 if text == 'up' else 2.0)|max(numbers)|np.array(numbers[:3])|(G if G > 1 else -G)|
int(G)|array.shape[0]|H.sum()|[k * 2 for k in numbers][-1]|dict(table)['a']|
module.__dict__['value']|getattr(module,'value')|vars(point)['x']|
point == Point(2.0)|isinstance(G, int)|type(G) is int|
partial(X)|helper.__defaults__[0]|globals()['G']|np.asarray(array)|X.shape[0] * G|
numbers[-1]|sorted(numbers)[0]|any(numbers)|table.get('a')|table.get('zz', 3.0)|'b' in table|
[v for v in table.values()][0]|list(table)[0] == 'a'|np.float32(G)|round(G)|G // 1|abs(G)|
array[::-1]|array.T|float(numbers[0])|hasattr(point, 'z')|str(G)|f'{G}'|Point(G).norm()|
dataclasses.replace(point, y=2.0).norm()|(lambda k: k * G)(2.0)|id(G) == id(G)|
np.where(X > G, X, H)|tuple(numbers)[0]|numbers.count(2)|numbers.index(2)|{**table}['b']""".replace(
    "\n", ""
).split("|")
NUMBERS = (
    "0 1 2 3 -1 0.0 -0.0 0.5 2.5 float('nan') float('inf') True False 2**70 1j np.float32(0.5) "
    "np.int8(3) np.float64(2.5) np.array(2.0) np.array([1.0,2.0,3.0]) np.arange(3) 10 1e300"
).split()
CHANGES = (
    "globals()['G'] = {n}|globals()['H'] = np.full(3, {k}.0)|H[:] = {k}|H[0] = {k}|"
    "table['a'] = {n}|table['b'] = {n}|table['c'] = {n}|table.pop('c', None)|numbers[0] = {n}|"
    "numbers[1] = {n}|numbers[:] = [{n}, 2, 3.5]|numbers[3:] = [{n}]|globals()['pair'] = ({n}, 2)|"
    "point.x = {n}|point.y = {n}|globals()['point'] = Point({n})|array[:] = {k}|array[1] = {k}|"
    "globals()['array'] = np.arange({k} + 1.0)|globals()['array'] = np.arange(3)|"
    "globals()['array'] = np.arange(6.0)[::2]|module.value = {n}|module.other = {n}|"
    "Holder.value = {n}|Below.value = {n}|Holder.other = {n}|put({n})|"
    "helper.__defaults__ = ({n},)|globals()['current'] = (lambda x: x - 1)|"
    "globals()['current'] = helper|globals()['flag'] = not {k}|globals()['text'] = 'up' * {k}|"
    "globals()['helper'] = (lambda x, k=2.0: x + {k})|"
    "helper.__code__ = (lambda x, k=2.0: x * {k}).__code__|globals()['numbers'] = [{n}, 2, 3.5]|"
    "globals()['table'] = {{'a': {n}, 'b': 2}}|globals()['partial'] = functools.partial(helper, "
    "k={k})|globals()['len'] = lambda x: {k}|globals().pop('len', None)|globals()['abs'] = helper|"
    "globals().pop('abs', None)|Point.norm = lambda self: self.x|array.shape = (-1, 1)|"
    "array.setflags(write=False)|Holder.fixed = staticmethod(lambda x: x * {k})|"
    "module.__dict__['value'] = {n}|globals()['sum'] = max|globals().pop('sum', None)|"
    "globals()['G'] = {n}|globals()['G'] = {k}|f.__code__ = f.__code__.replace(co_name='f')|"
    "setattr(np, 'extra', {k})|globals()['module'] = types.SimpleNamespace(value={n}, other=1)"
).split("|")


def script(rng: random.Random) -> str:
    """A program."""
    reads = rng.sample(READS, rng.randint(1, 3))
    results = []
    for text in reads:
        how = rng.random()
        if how < 0.4:
            results.append(f"X * {text}")
        elif how < 0.6:
            results.append(f"X + {text}")
        else:
            results.append(text)
    words = {w for text in reads for w in CHANGES if text[:4] in w} or set(CHANGES)
    steps = []
    for _ in range(rng.randint(4, 10)):
        some = []
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            pool = sorted(words) if rng.random() < 0.7 else CHANGES
            change = rng.choice(pool)
            some.append(change.format(n=rng.choice(NUMBERS), k=rng.randint(0, 4)))
        steps.append(some)
    lines = []
    for k, some in enumerate(steps):
        lines.append(f"def step{k}():\n")
        lines[-1] += "".join(
            f"    with contextlib.suppress(Exception):\n        {c}\n" for c in some
        )
        lines[-1] += "    return [np.array([1.0, -0.0, 2.5])]\n"
    body = "".join(f"    r{k} = {text}\n" for k, text in enumerate(results))
    compiling = rng.random() < 0.05
    return (
        f"{HEAD}\n\ndef f(X):\n{body}    return [{', '.join(f'r{k}' for k in range(len(results)))}]"
        "\n\n\n" + "\n\n".join(lines) + "\n\n"
        f"STEPS = [{', '.join(f'step{k}' for k in range(len(steps)))}]\n"
        f"agree(f, STEPS, compile={compiling}, once=True)\n"
    )
