"""The table of seconds by test file, from a report that is written here."""

from __future__ import annotations

from pathlib import Path

from tools import test_times as times

REPORT = """<testsuites><testsuite>
<testcase classname="tests.ir.test_ir" name="a" time="1.4"/>
<testcase classname="tests.ir.test_ir" name="b[1.5]" time="2.0"/>
<testcase classname="tests.ir.test_stabilise.TestAll" name="c" time="0.25"/>
<testcase classname="tests.ir.test_autodiff" name="d" time="12.0"/>
<testcase classname="tests.test_docs" name="e" time="0.5"/>
<testcase classname="tests.test_of_old" name="f" time="9.0"/>
</testsuite></testsuites>"""


def test_seconds_are_those_of_the_report(tmp_path: Path) -> None:
    report = tmp_path / "times.xml"
    report.write_text(REPORT)
    seconds = times.seconds_of(report)
    assert seconds == {
        "tests/ir/test_ir.py": 3.4,
        "tests/ir/test_stabilise.py": 0.25,
        "tests/ir/test_autodiff.py": 12.0,
        "tests/test_docs.py": 0.5,
    }
    assert times.table(seconds)[2:] == [
        "| `tests` | 0 |  |",
        "| `tests/ir` | 16 | autodiff 12, ir 3 |",
    ]


def test_the_table_replaces_the_one_before() -> None:
    page = f"above\n{times.BEGIN}\nold\n{times.END}\nbelow\n"
    once = times.written(page, ["new"])
    assert once == f"above\n{times.BEGIN}\n\nnew\n\n{times.END}\nbelow\n"
    assert times.written(once, ["new"]) == once


def test_the_page_has_a_table_of_folders_that_there_are() -> None:
    page = times.PAGE.read_text(encoding="utf-8")
    inside = page.split(times.BEGIN)[1].split(times.END)[0]
    tests = times.ROOT / "tests"
    folders = {f.parent.relative_to(times.ROOT).as_posix() for f in tests.rglob("test_*.py")}
    named = {line.split("`")[1] for line in inside.splitlines() if "`" in line}
    assert named and named <= folders
