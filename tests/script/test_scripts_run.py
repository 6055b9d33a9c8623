"""Scripts with functions compiled: chosen, decorated, timed and compared."""

from __future__ import annotations

import math
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.script import child, decorating, running, sampling, watched
from tracejit.script.auto import Auto

SCRIPT = """
import sys
import numpy as np

class Model:
    def __init__(self, x):
        self.x = x

    def step(self, a):
        self.x = np.exp(-self.x) * a
        print("stepped")
        return self.x

    @staticmethod
    def scale(x):
        return x * 2

def total(x):
    y = np.sin(x) ** 2 + np.cos(x) ** 2
    return y.sum()

model = Model(np.linspace(0.0, 1.0, 50))
for k in range(3):
    model.step(0.5)
print(round(float(total(Model.scale(model.x))), 6), *sys.argv[1:])
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("argv", "path"):
        monkeypatch.setattr(sys, name, list(getattr(sys, name)))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return str(path)


def test_functions_are_decorated_by_their_names(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def wrap(f: types.FunctionType) -> Any:
        seen.append(f.__qualname__)
        return f

    names = ["total", "Model.step", "Model.scale"]
    decorating.run_decorated(script, ["a", "b"], names, wrap)
    assert seen == ["Model.step", "Model.scale", "total"]
    assert capsys.readouterr().out == "stepped\n" * 3 + "50.0 a b\n"


def test_a_function_that_is_not_there_is_told(script: str) -> None:
    for name in ("nothing", "numpy:nothing", "no.such:f"):
        with pytest.raises(LookupError, match="no function"):
            decorating.run_decorated(script, [], [name], lambda f: f)


def test_plain_and_compiled_leave_the_same(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["total", "Model.step"]
    plain = child.run("plain", script, [], names)
    compiled = child.run("compiled", script, [], names)
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    text, off = running.report(script, plain, compiled)
    assert off < 1e-12
    assert [len(c.seconds) for c in compiled.functions.values()] == [3, 1]
    assert "print() prints at every call" in text
    assert "Model.step" in text and "later calls" in text


def test_the_command_runs_a_script_twice(script: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert running.run_script(script, ["x"], ["total"]) == 0
    out, err = capfd.readouterr()
    assert out == "stepped\n" * 3 + "50.0 x\n"
    assert "times as fast" in err and "output: the same" in err
    assert running.run_script(script + "x", [], ["total"]) == 1
    assert "there is no script" in capfd.readouterr().err


def test_a_script_that_fails_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fails.py"
    path.write_text("def f(x):\n    return x\nprint('so far')\nf(1).nothing\n", encoding="utf-8")
    assert running.run_script(str(path), [], ["f"]) == 1
    out, err = capfd.readouterr()
    assert out == "so far\n"
    assert "AttributeError" in err and "fails (plain)" in err
    assert err.count("File ") == 1  # as Python shows it


def test_what_is_not_there_is_said_in_a_line(
    script: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert running.run_script(script, [], ["nothing", "math:nothing"]) == 1
    assert "no function math:nothing" in capfd.readouterr().err
    assert running.run_script(script, [], ["nothing"]) == 1
    err = capfd.readouterr().err
    assert "has no function nothing" in err and "Traceback" not in err
    path = tmp_path / "wrong.py"
    path.write_text("def f(:\n", encoding="utf-8")
    assert running.run_script(str(path), [], ["f"]) == 1
    err = capfd.readouterr().err
    assert "SyntaxError" in err and len(err.splitlines()) <= 6


def test_a_script_of_no_work_prints_what_it_prints(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "short.py"
    path.write_text("print('all')\n", encoding="utf-8")
    assert running.run_script(str(path), [], [], auto=True) == 0
    assert capfd.readouterr().out == "all\n"


def test_samples_count_functions_of_the_users() -> None:
    sampler = sampling.Sampler()

    def stack() -> None:
        sampler.note(sys._getframe())

    _calls(stack)
    assert sampler.samples == 1
    assert sampler.share(_calls.__code__) == 1.0
    assert stack.__code__ not in sampler.within  # no name finds it
    assert all(sampling.is_users(code) for code in sampler.within)


def _calls(f: Any) -> None:
    f()


def test_time_is_seen_where_it_goes() -> None:
    with sampling.Sampler() as sampler:
        while sampler.samples < 20:
            _busy()
    assert sampler.share(_busy.__code__) > 0.5


def _busy() -> float:
    x = np.ones(1000)
    for _ in range(300):
        x = np.sqrt(x + 1)
    return float(x.sum())


@pytest.mark.parametrize(
    ("a", "b", "off"),
    [
        (np.ones(3), np.ones(3), 0.0),
        (np.ones(3), np.ones(3) + 1e-9, 1e-9),
        (np.ones(3), np.ones(4), math.inf),
        (np.ones(3), np.ones(3, np.float32), math.inf),
        (np.arange(3), np.arange(3) + 1, math.inf),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), 0.0),
        (np.array([np.nan, 1.0]), np.array([2.0, 1.0]), math.inf),
        ([1, {"a": 2.0}], [1, {"a": 2.0}], 0.0),
        ([1, {"a": 2.0}], [1, {"b": 2.0}], math.inf),
        ((1, "x", None), (1, "y", None), math.inf),
        (1, True, math.inf),
    ],
)
def test_differences_are_relative(a: Any, b: Any, off: float) -> None:
    found = watched.difference(watched.kept(a), watched.kept(b))
    assert found == pytest.approx(off)


def test_what_takes_the_time_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "_busy", _busy)
    with Auto(share=0.3, seconds=0.005) as found:
        while found._sampler is not None and found._sampler.samples < 20:
            _busy()
    assert "_busy" in found.functions
    compiled: Any = _busy
    assert isinstance(compiled, tracejit.Function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled() == pytest.approx(compiled.__wrapped__(), rel=1e-12)


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 2.0}, {"seconds": -1.0}])
def test_shares_lie_between_0_and_1(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="share"):
        tracejit.auto(**wrong)
