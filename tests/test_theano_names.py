"""Theano's programs as they are: import names, the command line, what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import gof
from tracejit.theano.missing import MISSING

SCRIPT = """
import sys, numpy, theano
import theano.tensor as T
from theano import In, function, shared
from theano.tensor.nnet import sigmoid
from theano.compile.sharedvalue import SharedVariable
from theano.ifelse import ifelse
from theano.scan_module import until
from theano.scan_module.scan import scan
from theano.scan_module.scan_op import Scan
from theano.updates import OrderedUpdates
assert theano.scan is scan and isinstance(theano.map(lambda v: v, T.dvector())[0].owner.op, Scan)
x = T.dmatrix("x")
w = shared(numpy.ones((2, 2)), name="w")
f = function([x], sigmoid(T.dot(x, w)), updates=[(w, w * 0.5)])
assert abs(f(numpy.eye(2)) - 0.7310585786).max() < 1e-9
assert isinstance(w, SharedVariable) and w.get_value().tolist() == [[0.5, 0.5], [0.5, 0.5]]
print(*sys.argv[1:])
"""


def run(*arguments, code=None):
    command = [sys.executable, *(("-c", textwrap.dedent(code)) if code else ()), *arguments]
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)


def test_a_script_runs_unmodified(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = run("-m", "tracejit", "theano", str(script), "--steps", "3")
    assert (done.stdout, done.stderr, done.returncode) == ("--steps 3\n", "", 0)


def test_the_same_module_by_both_names():
    code = """
    import tracejit
    tracejit.install_as_theano()
    tracejit.install_as_theano()
    import theano.tensor.nnet as nnet, theano.gof.graph, theano.compile
    assert nnet is tracejit.tensor.nnet and theano.compile is tracejit.compile
    assert theano.gof.graph is tracejit.gof.graph and theano.shared is tracejit.shared
    assert tracejit.gof.graph.__spec__.name == "tracejit.gof.graph"
    """
    done = run(code=code)
    assert done.returncode == 0, done.stderr


def test_another_theano_is_not_replaced():
    code = """
    import sys, types, tracejit
    sys.modules["theano"] = types.ModuleType("theano")
    try:
        tracejit.install_as_theano()
    except RuntimeError as error:
        print(error)
    """
    assert "another module theano" in run(code=code).stdout


@pytest.mark.parametrize("module", [tracejit, T])
def test_a_name_that_is_missing_says_what_to_use(module):
    what, use = MISSING["vm"]
    absent = module.vm
    assert what in repr(absent) and not absent and not isinstance(3, absent)
    with pytest.raises(NotImplementedError, match="vm") as caught:
        absent(3)
    assert what in str(caught.value) and use in str(caught.value)
    with pytest.raises(AttributeError, match="more"):
        _ = absent.more
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(module, "non" + "sense")


# Printing, the graph -----------------------------------------------------------------------------


def test_the_graph_can_be_walked():
    x, y = T.dvectors("x", "y")
    s = x + y
    t = T.exp(s)
    assert gof.inputs([t]) == [x, y]
    assert gof.ancestors([t]) == [x, y, s, t]
    assert [n.label() for n in gof.io_toposort([x, y], [t])] == ["elemwise{add}", "elemwise{exp}"]
    assert t.owner.inputs == (s,) and isinstance(t.owner, gof.Apply)


def test_modes():
    from tracejit.compile import Mode, get_mode

    x = T.dvector("x")
    f = tracejit.function([x], x * 2, mode=Mode(linker="py"))
    np.testing.assert_array_equal(f(np.ones(2)), [2, 2])
    assert f.stats.compiles == 0 and get_mode("FAST_RUN") == "FAST_RUN"
    for bad in (lambda: Mode(linker="tpu"), lambda: Mode(optimizer="o9"), lambda: get_mode("x")):
        with pytest.raises(ValueError):
            bad()
