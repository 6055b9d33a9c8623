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
from tracejit import gof, printing
from tracejit.theano.names import MISSING, MODULES

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


def test_every_alias_leads_to_the_same_module():
    code = f"""
    import importlib, tracejit
    tracejit.install_as_theano()
    tracejit.install_as_theano()
    for name, ours in {MODULES!r}.items():
        assert importlib.import_module(name) is importlib.import_module(ours), name
    import theano.tensor.nnet as nnet
    assert nnet is tracejit.tensor.nnet
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


def test_a_module_that_is_missing_says_what_it_holds():
    code = """
    import tracejit
    tracejit.install_as_theano()
    try:
        import theano.sparse
    except ModuleNotFoundError as error:
        print(error)
    """
    done = run(code=code)
    assert "sparse matrices" in done.stdout and "scipy.sparse" in done.stdout, done.stderr


@pytest.mark.parametrize("module", [tracejit, T])
def test_an_attribute_that_is_missing_says_what_to_use(module):
    name = next(n for n in MISSING if n not in vars(module))
    what, use = MISSING[name]
    with pytest.raises(AttributeError, match=name) as caught:
        getattr(module, name)
    assert what in str(caught.value) and use in str(caught.value)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(module, "non" + "sense")


# Printing, the graph -----------------------------------------------------------------------------


def test_graphs_as_text():
    x, y = T.dvectors("x", "y")
    s = T.exp(x)
    assert printing.pp((s + y) * s - 2) == "(((exp(x) + y) * exp(x)) - 2.)"
    text = printing.debugprint(s + s, file="str", print_type=True)
    assert text.splitlines() == [
        "elemwise{add} [id 0] <TensorType(float64, vector)>",
        " |elemwise{exp} [id 1] <TensorType(float64, vector)>",
        " | |x [id 2] <TensorType(float64, vector)>",
        " |elemwise{exp} [id 1] <TensorType(float64, vector)>",
    ]
    f = tracejit.function([x], s)
    assert printing.debugprint(f, depth=1, file="str") == "elemwise{exp} [id 0]"
    with pytest.raises(TypeError, match="debugprint"):
        printing.debugprint(3)


def test_print_prints_at_each_call(capsys):
    x = T.dscalar("x")
    f = tracejit.function([x], printing.Print("x is")(x) * 2)
    with tracejit.config(on_unsupported="warn"), pytest.warns(tracejit.UnsupportedWarning):
        assert f(3.0) == 6.0
    with tracejit.config(on_unsupported="warn"):
        f(4.0)
    assert capsys.readouterr().out == "x is __str__ = 3.0\nx is __str__ = 4.0\n"


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
