"""The Python code of README.md and docs/*.md runs as printed.

The blocks of a file share their names and run in order. A block with ``>>>`` prompts is a doctest;
any other is executed. ``<!-- not run -->`` on the line above a block exempts it.
"""

from __future__ import annotations

import doctest
import importlib
import linecache
import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest

from tracejit.cpu.compiling import compile as compiler

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?P<exempt><!-- not run -->\n)?```(?:python|pycon|py)\n(?P<code>.*?)^```$", re.M | re.S
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_blocks(text: str, filename: str) -> int:
    """Run the blocks of ``text``; the number of blocks that ran."""
    # Makes "the user's line" of an error or of a source listing a line of the document.
    lines = text.splitlines(keepends=True)
    linecache.cache[filename] = (len(text), None, lines, filename)
    names: dict[str, object] = {"__name__": "__document__"}
    ran = 0
    for match in BLOCK.finditer(text):
        if match["exempt"]:
            continue
        ran += 1
        code = match["code"]
        line = text.count("\n", 0, match.start("code"))
        if ">>>" not in code:
            exec(compile("\n" * line + code, filename, "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(code, names, filename, filename, line)
        runner = doctest.DebugRunner(optionflags=OPTIONS)
        runner.run(test, clear_globs=False)
        names.update(test.globs)  # get_doctest copies the names it is given
    return ran


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_code_of_documents_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # They count compilations, which programs of other tests would spare them.
    monkeypatch.setattr(compiler, "_entries", OrderedDict())
    run_blocks(path.read_text(encoding="utf-8"), str(path))


def test_readme_has_code_that_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [match for match in BLOCK.finditer(text) if not match["exempt"]]


def test_blocks_share_names_and_fail_on_a_wrong_output() -> None:
    good = "```python\nx = 2\n```\n\n```python\n>>> x + 1\n3\n>>> y = x\n```\n```python\ny\n```\n"
    assert run_blocks(good, "<good>") == 3
    with pytest.raises(doctest.DocTestFailure):
        run_blocks(good.replace("\n3\n", "\n4\n"), "<bad>")
    assert run_blocks("<!-- not run -->\n```python\n1 / 0\n```\n", "<exempt>") == 0


def test_links_inside_the_project_lead_somewhere() -> None:
    for path in [*DOCUMENTS, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_readme_has_a_row_for_every_benchmark() -> None:
    from benchmarks.rows import ROWS
    from benchmarks.run import BEGIN, END

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition(BEGIN)[2].partition(END)[0]
    for row in ROWS:
        assert f"| {row.what} |" in table
        assert f"| {row.show_required()} | `{row.name}` |" in table


SOURCE = ROOT / "src" / "tracejit"
MODULES = [p for p in sorted(SOURCE.rglob("*.py")) if ">>> " in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_examples_of_docstrings_run(path: Path) -> None:
    name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
    module = importlib.import_module(name.removesuffix(".__init__"))
    result = doctest.testmod(module, optionflags=OPTIONS)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("name", ["docs/design.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_files_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:src/tracejit/|tests/)?[a-z_]+/[\w/]+\.py)`", text):
        places = (ROOT / part / path for part in ("", "src/tracejit", "tests"))
        assert any(place.exists() for place in places), path
