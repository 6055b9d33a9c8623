"""The comparison with other compilers: what is measured is right, and reported as what it is."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import accuracy, frameworks
from benchmarks.peers.by_hand import ByHand
from benchmarks.peers.expressions import EXPRESSIONS, Expression
from benchmarks.peers.measure import distance
from benchmarks.peers.page import page


def small(e: Expression) -> tuple[Any, ...]:
    """Arguments of an expression that has sizes; the others' are what they are."""
    return e.inputs(100 if e.sizes[0] else 0, np.dtype(e.dtypes[0]))


@pytest.mark.parametrize("e", [e for e in EXPRESSIONS if e.sizes[0]], ids=lambda e: e.name)
def test_ours_and_loops_by_hand_are_numpys(e: Expression) -> None:
    arrays = small(e)
    want = frameworks.numbers(e.formula(np, *arrays))
    assert distance(frameworks.numbers(frameworks.Tracejit().bind(e, arrays)()), want) < 1e-12
    assert distance(frameworks.numbers(ByHand().bind(e, arrays)()), want) < 1e-12


def test_each_takes_its_turns_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "TURNS", 2)
    monkeypatch.setitem(frameworks.FRAMEWORKS, "none", object)  # which the processes do not know
    e = next(e for e in EXPRESSIONS if e.name == "logistic")
    found = peers.measured(e, 100, "float64", ["NumPy", "JAX", "none"])
    assert "KeyError" in found["none"]["skipped"]
    for name in ("NumPy", "JAX"):
        assert found[name]["error"] < 1e-12 and found[name]["seconds"] > 0


def test_what_is_not_installed_is_skipped_with_a_line() -> None:
    found = {
        "NumPy": {"seconds": 4e-6, "first": 1.0, "error": 0.0},
        "tracejit": {"seconds": 1e-6, "first": 0.1, "error": 0.0},
        "Numba": {"seconds": 0.5e-6, "first": 0.1, "error": 0.0},
        "JAX": {"seconds": 8e-6, "first": 0.1, "error": 0.0},
        "torch": {"skipped": "No module named 'torch'"},
    }
    line = peers.row(EXPRESSIONS[0], 8, "float64", found)
    assert line["best"] == "JAX" and line["ratio"] == pytest.approx(0.125)  # not Numba's loops
    assert "0.12 of JAX (at most 0.25)" in peers.text(line) and "MISSED" not in peers.text(line)
    assert line["skipped"] == {"torch": "No module named 'torch'"}
    document = json.loads(json.dumps({"machine": {"cores": "2"}, "lines": [line]}))
    html = page(document)
    parser = HTMLParser()
    parser.feed(html)
    assert html.count("<circle") == 4 and "logistic, 8, float64" in html
    assert "http" not in html  # nothing is fetched


def test_errors_are_in_units_in_the_last_place() -> None:
    exact = np.array([1.0, 1.5, 3.0, 2.0**-149], np.float64)
    off = np.float32([0.0, 2.0**-23, -(2.0**-21), 2.0**-149])
    assert accuracy.units((exact + off).astype(np.float32), exact) == 2.0
    assert accuracy.units(exact.astype(np.float32), exact) == 0.0


@pytest.mark.skipif(
    np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant, reason="no wider reference"
)
def test_ours_is_off_by_one_unit_at_most(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "COUNT", 3000)
    assert accuracy.main(["--only", "tracejit"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(0.4 < error <= 1.0 for row in found for error in row)
    text = accuracy.table({"tracejit": found, "NumPy": found})
    assert text.startswith("| float64, float32 | tracejit | NumPy |") and "tanh(x)" in text


def test_the_command_measures_in_a_process_of_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    arguments = ["logistic", "--size", "8", "--dtype", "float64", "--peer", "NumPy"]
    report = tmp_path / "report.json"
    assert peers.main([*arguments, "--peer", "tracejit", "--json", str(report)]) == 1  # no peer
    (line,) = json.loads(report.read_text())["lines"]
    assert line["times"].keys() == {"NumPy", "tracejit"} and line["error"]["tracejit"] < 1e-14
    assert "logistic" in capsys.readouterr().out
