"""What differs between two recordings: sources, results, and programs that only one has."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Recording:
    """By program: its graph's text, the sources it was compiled to, and results by arguments."""

    graphs: dict[str, str] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    results: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))


def read(folder: Path) -> Recording:
    """The recording in `folder`, of all its processes."""
    found = Recording()
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise SystemExit(f"{folder} holds no recording")
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            program = entry["program"]
            if "source" in entry:
                found.graphs[program] = entry["graph"]
                found.sources[program].add(entry["source"])
            else:
                found.results[program, entry["arguments"]].add(entry["result"])
    return found


@dataclass
class Report:
    """The programs that both recordings have, and what is not the same in them."""

    programs: int
    results: int
    sources: list[tuple[str, str, str]]
    values: list[str]
    gone: list[str]
    new: list[str]

    @property
    def differs(self) -> bool:
        return bool(self.sources or self.values or self.gone or self.new)

    def text(self, most: int) -> str:
        """The counts, and the first `most` differences of each kind in full."""
        lines = [
            f"{self.programs} programs in both, {len(self.sources)} with another source; "
            f"{self.results} results in both, {len(self.values)} others; "
            f"{len(self.gone)} programs gone, {len(self.new)} new"
        ]
        for graph, old, new in self.sources[:most]:
            lines += ["", "another source:", graph]
            lines += difflib.unified_diff(
                old.splitlines(), new.splitlines(), "old", "new", lineterm=""
            )
        for title, graphs in (
            ("another result", self.values),
            ("gone", self.gone),
            ("new", self.new),
        ):
            for graph in graphs[:most]:
                lines += ["", f"{title}:", graph]
        return "\n".join(lines)


def compared(old: Recording, new: Recording, again: Recording | None = None) -> Report:
    """What `new` has otherwise than `old`.

    A result differs where the same program gave others for the same arguments; those that changed
    from call to call (of a random state) are compared as a set. What differs between `old` and
    `again`, a second recording of the same version, is left out: the order of threads decides it.
    """
    unsettled = set() if again is None else _changed(old, again)
    both = sorted(old.graphs.keys() & new.graphs.keys())
    sources = [
        (old.graphs[p], "\n".join(sorted(old.sources[p])), "\n".join(sorted(new.sources[p])))
        for p in both
        if old.sources[p] != new.sources[p]
    ]
    changed = sorted(_changed(old, new) - unsettled)
    values = [old.graphs[p] for p, _ in changed if p in old.graphs]
    return Report(
        len(both),
        len(old.results.keys() & new.results.keys()),
        sources,
        values,
        [old.graphs[p] for p in sorted(old.graphs.keys() - new.graphs.keys())],
        [new.graphs[p] for p in sorted(new.graphs.keys() - old.graphs.keys())],
    )


def _changed(old: Recording, new: Recording) -> set[tuple[str, str]]:
    """The program and arguments of results that have nothing in common."""
    asked = old.results.keys() & new.results.keys()
    return {key for key in asked if not old.results[key] & new.results[key]}
