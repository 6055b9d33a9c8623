"""Write the table of seconds by test file into CONTRIBUTING.md, from the report of a test run.

    python -m pytest -n 2 --dist loadfile --junitxml times.xml
    python -m tools.test_times times.xml

A folder has one line: what it takes, and its files of a second or more, the slowest first.
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- seconds: python -m tools.test_times -->", "<!-- end of seconds -->"
SLOW = 1.0


def seconds_of(report: Path) -> Counter[str]:
    """The seconds of each test file that there is, by its path, from a JUnit report."""
    found: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):
        if file := file_of(case.get("classname", "")):
            found[file] += float(case.get("time", 0))
    return found


def file_of(classname: str) -> str:
    """The test file of a test by its dotted name, which may end with classes; "" if it is gone."""
    parts = classname.split(".")
    while parts and not (ROOT / "/".join(parts)).with_suffix(".py").is_file():
        parts.pop()
    return "/".join(parts) + ".py" if parts else ""


def table(seconds: Mapping[str, float]) -> list[str]:
    """The lines of the table, by folder."""
    folders: dict[str, dict[str, float]] = {}
    for file, time in seconds.items():
        folder, _, name = file.rpartition("/")
        folders.setdefault(folder, {})[name] = time
    lines = ["| folder | seconds | files of a second or more |", "|---|---|---|"]
    for folder, files in sorted(folders.items()):
        slow = sorted((n for n, t in files.items() if t >= SLOW), key=lambda n: (-files[n], n))
        shown = ", ".join(f"{shortened(name)} {files[name]:.0f}" for name in slow)
        lines.append(f"| `{folder}` | {sum(files.values()):.0f} | {shown} |")
    return lines


def shortened(name: str) -> str:
    """A test file's name without what all have."""
    return name.removeprefix("test_").removesuffix(".py")


def written(page: str, lines: list[str]) -> str:
    """`page` with `lines` between the marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return "\n".join([f"{before}{BEGIN}", "", *lines, "", f"{END}{after}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("report", type=Path, help="what --junitxml has written")
    lines = table(seconds_of(parser.parse_args().report))
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
