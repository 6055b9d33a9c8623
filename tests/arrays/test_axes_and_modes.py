"""Error modes that were set before the import, and axes that an array without axes lacks."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import tracejit


def test_modes_set_before_the_import_are_no_default():
    script = """
        import numpy as np
        np.seterr(divide="raise")
        import tracejit
        try:
            tracejit.function(lambda x: 1.0 / x, on_unsupported="warn")(np.zeros(2))
        except FloatingPointError:
            print("raised")
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    assert "raised" in subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def test_median_of_a_scalar_has_no_axis():
    for axis in (0, -1, (0,)):
        with pytest.raises(np.exceptions.AxisError):
            tracejit.function(lambda x, axis=axis: np.median(x, axis=axis))(np.array(2.0))
    assert tracejit.function(lambda x: np.median(x, axis=()))(np.array(2.0)) == 2.0


@pytest.mark.parametrize("axis", [0, -1, 1, None, (0,), (0, 0)])
@pytest.mark.parametrize("name", ["sort", "argsort", "flip", "median"])
def test_axes_of_a_scalar_are_those_of_numpy(name, axis):
    def f(x, axis):
        return getattr(np, name)(x, axis=axis)

    def outcome(g):
        try:
            return g(np.array(2.0), axis).tolist()
        except Exception as error:
            return next(c for c in type(error).__mro__ if "tracejit" not in c.__module__)

    with tracejit.config(compile=False):
        assert outcome(tracejit.function(f)) == outcome(f)


def test_average_without_results_divides_sizes():
    f = tracejit.function(lambda x: np.average(x, axis=0))
    with tracejit.config(compile=False):
        assert f(np.ones((2, 3))).tolist() == [1.0, 1.0, 1.0]
        with pytest.raises(ZeroDivisionError):
            f(np.zeros((3, 0)))
