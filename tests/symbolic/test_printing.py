"""Graphs as text and pictures, and values that are printed when they are computed."""

from __future__ import annotations

import pdb
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import printing


def logistic() -> Any:
    """The example of Theano's documentation."""
    x, w, b = T.dmatrix("x"), T.dvector("w"), tracejit.shared(0.0, name="b")
    return 1 / (1 + T.exp(-T.dot(x, w) - b)) > 0.5


LOGISTIC = """\
Elemwise{gt,no_inplace} [id A] ''
 |Elemwise{true_div,no_inplace} [id B] ''
 | |DimShuffle{x} [id C] ''
 | | |TensorConstant{1.0} [id D]
 | |Elemwise{add,no_inplace} [id E] ''
 |   |DimShuffle{x} [id F] ''
 |   | |TensorConstant{1.0} [id D]
 |   |Elemwise{exp,no_inplace} [id G] ''
 |     |Elemwise{sub,no_inplace} [id H] ''
 |       |Elemwise{neg,no_inplace} [id I] ''
 |       | |dot [id J] ''
 |       |   |x [id K]
 |       |   |w [id L]
 |       |DimShuffle{x} [id M] ''
 |         |b [id N]
 |DimShuffle{x} [id O] ''
   |TensorConstant{0.5} [id P]"""


def lines(text: str) -> list[str]:
    """Lines without the blanks at their ends."""
    return [line.rstrip() for line in text.splitlines()]


def test_debugprint_is_theanos(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(printing.debugprint(logistic(), file="str")) == LOGISTIC.splitlines()
    printing.debugprint(logistic())
    out = capsys.readouterr().out
    assert lines(out) == LOGISTIC.splitlines()
    assert "Elemwise{gt,no_inplace} [id A] ''   \n" in out


def test_options_of_debugprint() -> None:
    x = T.dvector("x")
    s = T.exp(x)
    s.name = "s"
    text = printing.debugprint(s + s, file="str", print_type=True)
    kind = "<TensorType(float64, vector)>"
    assert lines(text) == [
        f"Elemwise{{add,no_inplace}} [id A] {kind} ''",
        f" |Elemwise{{exp,no_inplace}} [id B] {kind} 's'",
        f" | |x [id C] {kind}",
        f" |Elemwise{{exp,no_inplace}} [id B] {kind} 's'",
    ]
    assert len(lines(printing.debugprint(s + s, file="str", stop_on_name=True))) == 3
    assert lines(printing.debugprint(s + 1, depth=1, file="str", ids="")) == [
        "Elemwise{add,no_inplace}  ''"
    ]
    f = tracejit.function([x], s)
    assert lines(printing.debugprint(f, depth=1, file="str", ids="int")) == [
        "Elemwise{exp,no_inplace} [id 0] 's'   0"
    ]
    with pytest.raises(TypeError, match="debugprint"):
        printing.debugprint(3)


def test_more_expressions_than_letters() -> None:
    y = T.dscalar("x")
    for _ in range(30):
        y = T.exp(y)
    found = lines(printing.debugprint(y, file="str"))
    assert "[id Z]" in found[25] and "[id BA]" in found[26] and "[id BE]" in found[30]


def test_steps_of_loops_are_below() -> None:
    a, k = T.dvector("a"), T.iscalar("k")
    powers, _ = tracejit.scan(
        lambda before, a: before * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k
    )
    found = lines(printing.debugprint(powers[-1], file="str"))
    assert found[1].startswith(" |for{cpu,scan_fn} [id B]")
    assert "Inner graphs of the scan ops:" in found
    assert any(line.startswith(" >Elemwise{mul,no_inplace}") for line in found)


def test_deep_graphs() -> None:
    y = T.dscalar("x")
    for _ in range(5000):
        y = y + 1
    assert len(lines(printing.debugprint(y, file="str"))) == 10001
    assert len(printing.pp(y)) > 5000
    assert len(printing.min_informative_str(y)) > len(printing.var_descriptor(y)) > 5000


def test_pp_and_descriptors() -> None:
    x, y = T.dvectors("x", "y")
    s = T.exp(x)
    assert printing.pp((s + y) * s - 2) == "(((exp(x) + y) * exp(x)) - 2.)"
    assert printing.var_descriptor(s + y) == printing.var_descriptor(T.exp(x) + y)
    assert printing.var_descriptor(s + y) != printing.var_descriptor(y + s)
    assert printing.min_informative_str(s * s).splitlines() == [
        "A. Elemwise{mul,no_inplace}",
        " B. Elemwise{exp,no_inplace}",
        "  C. x",
        " B. Elemwise{exp,no_inplace}",
    ]


def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "graph.svg"
    printing.pydotprint(logistic(), outfile=path)
    assert str(path) in capsys.readouterr().out
    root = ElementTree.parse(path).getroot()
    names = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text") if e.text]
    assert "dot" in names and "Elemwise{exp,no_inplace}" in names
    assert any(name.startswith("x TensorType") for name in names)
    with pytest.warns(UserWarning, match="SVG"):
        printing.pydotprint(logistic(), outfile=tmp_path / "other.png")
    assert (tmp_path / "other.svg").exists()
    printing.d3viz(tracejit.function([], T.constant(1) + 1), tmp_path / "page.html")
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_print_prints_at_each_call_of_a_compiled_function(
    capsys: pytest.CaptureFixture[str],
) -> None:
    x = T.dscalar("x")
    shown = printing.Print("x is")(x)
    f = tracejit.function([x], [shown * 2, T.grad(shown**2, x)])
    assert [float(v) for v in f(3.0)] == [6.0, 6.0]
    f(4.0)
    assert capsys.readouterr().out == "x is __str__ = 3.0\nx is __str__ = 4.0\n"
    assert not f.stats.fallbacks
    v = T.dvector("v")
    own = printing.Print("v", global_fn=lambda op, value: print(op.message, value.sum()))
    # Formulas are rewritten: what is printed is one thing in them and in what is tested.
    g = tracejit.function([v], own(1 / (1 + T.exp(-v))))
    g(np.zeros(2))
    assert capsys.readouterr().out == "v 1.0\n"


def test_breakpoints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stops: list[int] = []
    monkeypatch.setattr(pdb, "set_trace", lambda: stops.append(1))
    x = T.dvector("x")
    y = printing.PdbBreakpoint("large")(x.max() > 2, x)
    f = tracejit.function([x], [y * 2, T.grad(y.sum(), x)])
    assert f([1.0, 2.0])[0].tolist() == [2, 4] and not stops
    assert f([1.0, 3.0])[1].tolist() == [1, 1] and stops == [1]
