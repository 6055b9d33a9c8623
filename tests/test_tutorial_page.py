"""The first examples of Theano's tutorial page, letter for letter but for the package's name."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SECTIONS = {
    "Logistic Function": """
>>> import tracejit
>>> import tracejit.tensor as T
>>> x = T.dmatrix('x')
>>> s = 1 / (1 + T.exp(-x))
>>> logistic = tracejit.function([x], s)
>>> logistic([[0, 1], [-1, -2]])
array([[ 0.5 , 0.73105858],
[ 0.26894142, 0.11920292]])
>>> s2 = (1 + T.tanh(x / 2)) / 2
>>> logistic2 = tracejit.function([x], s2)
>>> logistic2([[0, 1], [-1, -2]])
array([[ 0.5 , 0.73105858],
[ 0.26894142, 0.11920292]])
""",
    "Computing More than one Thing at the Same Time": """
>>> import tracejit
>>> import tracejit.tensor as T
>>> a, b = T.dmatrices('a', 'b')
>>> diff = a - b
>>> abs_diff = abs(diff)
>>> diff_squared = diff**2
>>> f = tracejit.function([a, b], [diff, abs_diff, diff_squared])
>>> f([[1, 1], [1, 1]], [[0, 1], [2, 3]])
[array([[ 1., 0.],
[-1., -2.]]), array([[ 1., 0.],
[ 1., 2.]]), array([[ 1., 0.],
[ 1., 4.]])]
""",
    "Setting a Default Value for an Argument": """
>>> import tracejit.tensor as T
>>> from tracejit import In
>>> from tracejit import function
>>> x, y = T.dscalars('x', 'y')
>>> z = x + y
>>> f = function([x, In(y, value=1)], z)
>>> f(33)
array(34.0)
>>> f(33, 2)
array(35.0)
>>> x, y, w = T.dscalars('x', 'y', 'w')
>>> z = (x + y) * w
>>> f = function([x, In(y, value=1), In(w, value=2, name='w_by_name')], z)
>>> f(33)
array(68.0)
>>> f(33, 2)
array(70.0)
>>> f(33, 0, 1)
array(33.0)
>>> f(33, w_by_name=1)
array(34.0)
>>> f(33, w_by_name=1, y=0)
array(33.0)
""",
    "Copying functions": """
>>> import tracejit
>>> import tracejit.tensor as T
>>> state = tracejit.shared(0)
>>> inc = T.iscalar('inc')
>>> accumulator = tracejit.function([inc], state, updates=[(state, state+inc)], \
on_unused_input='ignore')
>>> accumulator(10)
array(0)
>>> print(state.get_value())
10
>>> new_state = tracejit.shared(0)
>>> new_accumulator = accumulator.copy(swap={state:new_state})
>>> new_accumulator(100)
[array(0)]
>>> print(new_state.get_value())
100
>>> print(state.get_value())
10
>>> null_accumulator = accumulator.copy(delete_updates=True)
>>> null_accumulator(9000)
[array(10)]
>>> print(state.get_value())
10
""",
}
NUMBER = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:e[-+]?\d+)?")
CHECKER = Path(__file__).resolve().parents[2] / "shared" / "tools" / "check_page.py"


def skeleton(text):
    return re.sub(r"\s+", "", NUMBER.sub("#", text))


@pytest.mark.parametrize("section", SECTIONS)
def test_section(section):
    namespace: dict[str, object] = {}
    examples = doctest.DocTestParser().get_examples(SECTIONS[section])
    assert examples
    for example in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example.source, f"<{section}>", "single"), namespace)
        want, got = example.want, printed.getvalue()
        assert skeleton(got) == skeleton(want), example.source
        numbers = [[float(n) for n in NUMBER.findall(text)] for text in (got, want)]
        assert np.allclose(*numbers, rtol=0, atol=5e-9), example.source


@pytest.mark.skipif(not CHECKER.exists(), reason="the page is not beside this repository")
def test_page():
    only = "Logistic Function,Computing,Setting,Copying functions"
    done = subprocess.run(
        [sys.executable, str(CHECKER), "--only", only], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
