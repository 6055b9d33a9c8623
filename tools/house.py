"""Draw docs/house.svg: the folders of the package in their layers, and who imports whom.

    python -m tools.house          draw the picture
    python -m tools.house --check  fail where it is not what this would draw

The layers and the reader of imports are those of tests/test_layers.py. An import that follows from
others (`call` imports `trace`, which imports `ir`) has no arrow: a box names all of its own when
the pointer rests on it.
"""

from __future__ import annotations

import argparse
import ast
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from tests.test_layers import FILES, LAYERS, SOURCE, imports, layer_of, layer_of_name

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "house.svg"

WIDTH, MARGIN, GAP, BETWEEN = 960, 16, 14, 26  # around the picture, between boxes and layers
WIDEST, LANE, PORT = 420, 12, 16  # a box, an arrow that passes a layer, between arrows at a box
HEAD, LINE, LETTER = 28, 14, 5.8  # heights of a name and of a line, width of a letter
SWEEPS = 4
SHOWN = {"__init__": "import tracejit", "__main__": "python -m tracejit"}

STYLE = """\
.page { fill: #ffffff } .box { fill: #eef3f8; stroke: #8aa0b5 } .file { fill: none }
text { font: 11px system-ui, sans-serif; fill: #33404d; text-anchor: middle }
.name { font-weight: 600; font-size: 13px; fill: #10202f } .inside { fill: #2c6a9e }
.arrow { fill: none; stroke: #7d8b99 } .head { fill: #7d8b99 }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } .box { fill: #1a2430; stroke: #51677d } .file { fill: none }
  text { fill: #b6c2ce } .name { fill: #eef3f8 } .inside { fill: #79b8f0 }
  .arrow { stroke: #75828f } .head { fill: #75828f }
}"""


class Part(NamedTuple):
    """A folder, or a module of the root: its purpose, its folders, and what it imports."""

    purpose: str
    folders: tuple[str, ...]
    imports: frozenset[str]
    is_folder: bool


class Place(NamedTuple):
    """Where a box, or an arrow that passes a layer, is drawn."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


# What there is ------------------------------------------------------------------------------------


def parts() -> dict[str, Part]:
    """The boxes by name."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        layer = layer_of(path)
        targets = {layer_of_name(name) for _, name in imports(path)}
        found.setdefault(layer, set()).update(t for t in targets if t not in (layer, None))
    return {name: _part(name, frozenset(targets)) for name, targets in found.items()}


def _part(name: str, targets: frozenset[str]) -> Part:
    folder = SOURCE / name
    if not folder.is_dir():
        return Part(_purpose(SOURCE / f"{name}.py"), (), targets, False)
    inside = sorted(f.parent.name for f in folder.glob("*/__init__.py"))
    return Part(_purpose(folder / "__init__.py"), tuple(inside), targets, True)


def _purpose(file: Path) -> str:
    """The first line of a file's docstring."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("`", "")


def reduced(edges: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """Edges without those that follow from others (the transitive reduction)."""
    below: dict[str, frozenset[str]] = {}

    def reach(name: str) -> frozenset[str]:
        if name not in below:
            below[name] = edges[name].union(*(reach(target) for target in edges[name]))
        return below[name]

    return {
        name: sorted(targets - frozenset().union(*(reach(target) for target in targets)))
        for name, targets in edges.items()
    }


# Where it is drawn --------------------------------------------------------------------------------


class Layout:
    """The places of boxes, the highest layer first.

    An arrow that passes a layer has a lane there, named by what it points to: arrows to one target
    share it.
    """

    def __init__(self, boxes: Mapping[str, Part], layers: Sequence[Sequence[str]]) -> None:
        self.boxes = boxes
        self.rank = {name: k for k, layer in enumerate(layers) for name in layer}
        self.layers = [list(layer) for layer in layers]
        #: From each layer to the next, the pairs that a line joins.
        self.lines: list[list[tuple[str, str]]] = [[] for _ in layers]
        for name, targets in reduced({name: part.imports for name, part in boxes.items()}).items():
            for target in targets:
                self._route(name, target)
        for _ in range(SWEEPS):
            self._arrange()
        self.places: list[dict[str, Place]] = []
        y = float(MARGIN)
        for k in range(len(layers)):
            self.places.append(self._row(k, y))
            y = max(place.y + place.height for place in self.places[k].values()) + BETWEEN
        self.height = y - BETWEEN + MARGIN

    def is_box(self, name: str, k: int) -> bool:
        """Whether `name` is a box in layer `k`, and no lane."""
        return self.rank[name] == k

    def _route(self, name: str, target: str) -> None:
        for k in range(self.rank[name], self.rank[target]):
            if (name, target) not in self.lines[k]:
                self.lines[k].append((name, target))
            if target not in self.layers[k + 1]:
                self.layers[k + 1].append(target)
            name = target

    def _arrange(self) -> None:
        """Order the layers by what their names are joined to, above and then below."""
        for k in range(1, len(self.layers)):
            self._order(k, k - 1, [(b, a) for a, b in self.lines[k - 1]])
        for k in reversed(range(len(self.layers) - 1)):
            self._order(k, k + 1, self.lines[k])

    def _order(self, k: int, other: int, lines: Sequence[tuple[str, str]]) -> None:
        size = len(self.layers[other])
        at = {name: (i + 0.5) / size for i, name in enumerate(self.layers[other])}

        def place(name: str) -> float:
            joined = [at[b] for a, b in lines if a == name]
            return sum(joined) / len(joined) if joined else 0.5

        self.layers[k].sort(key=place)

    def _row(self, k: int, y: float) -> dict[str, Place]:
        layer = self.layers[k]
        boxes = [name for name in layer if self.is_box(name, k)]
        lanes = LANE * (len(layer) - len(boxes)) + GAP * (len(layer) - 1)
        width = min(float(WIDEST), (WIDTH - 2 * MARGIN - lanes) / len(boxes))
        height = max(HEAD + LINE * len(self.text(name, width)) for name in boxes)
        x, row = (WIDTH - width * len(boxes) - lanes) / 2, {}
        for name in layer:
            row[name] = Place(x, y, width if name in boxes else LANE, height)
            x += row[name].width + GAP
        return row

    def text(self, name: str, width: float) -> list[str]:
        """The lines below a box's name; the folders in it are the last."""
        part = self.boxes[name]
        letters = int((width - GAP) / LETTER)
        lines = textwrap.wrap(part.purpose, letters)
        return [*lines, " · ".join(part.folders)] if part.folders else lines


# The picture --------------------------------------------------------------------------------------


def svg() -> str:
    """The picture."""
    layers = [line.split() for line in reversed(LAYERS.strip().split("\n"))]
    layout = Layout(parts(), layers)
    drawn = [*_arrows(layout), *_boxes(layout)]
    size = f"0 0 {WIDTH} {layout.height:.0f}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img">',
            "<title>The folders of tracejit, and what they import</title>",
            f"<style>\n{STYLE}\n</style>",
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker>',
            '<rect class="page" width="100%" height="100%"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _boxes(layout: Layout) -> Iterator[str]:
    for k, row in enumerate(layout.places):
        for name, place in row.items():
            if layout.is_box(name, k):
                yield from _box(name, layout.boxes[name], place, layout.text(name, place.width))


def _box(name: str, part: Part, place: Place, text: Sequence[str]) -> Iterator[str]:
    shown = f"{name}/" if part.is_folder else SHOWN.get(name, name)
    kind = "box" if part.is_folder else "box file"
    x, y, width, height = (f"{value:.1f}" for value in place)
    yield f"<g><title>{shown} imports {', '.join(sorted(part.imports)) or 'nothing'}</title>"
    yield f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    words = [("name", shown), *(("purpose", line) for line in text)]
    if part.folders:
        words[-1] = ("inside", text[-1])
    for k, (kind, line) in enumerate(words):
        at = place.y + 18 + LINE * k
        yield f'<text class="{kind}" x="{place.middle:.1f}" y="{at:.1f}">{escape(line)}</text>'
    yield "</g>"


def _arrows(layout: Layout) -> Iterator[str]:
    """The lines between layers; those that end at a box have a head."""
    for k, lines in enumerate(layout.lines):
        upper, lower = layout.places[k], layout.places[min(k + 1, len(layout.places) - 1)]
        for name, target in lines:
            above, below = upper[name], lower[target]
            x0 = _port(above, [lower[b].middle for a, b in lines if a == name], below.middle)
            x1 = _port(below, [upper[a].middle for a, b in lines if b == target], above.middle)
            top, bottom = above.y + above.height, below.y
            half = (top + bottom) / 2
            curve = f"M{x0:.1f} {top:.1f}C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} "
            if layout.is_box(target, k + 1):
                yield f'<path class="arrow" d="{curve}{bottom:.1f}" marker-end="url(#head)"/>'
            else:
                yield f'<path class="arrow" d="{curve}{bottom:.1f}V{bottom + below.height:.1f}"/>'


def _port(place: Place, others: Sequence[float], other: float) -> float:
    """Where on a side of `place` the line to `other` begins, among those to all `others`."""
    if place.width == LANE:
        return place.middle
    among = sorted(set(others)).index(other) - (len(set(others)) - 1) / 2
    return place.middle + among * PORT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="compare, and draw nothing")
    text = svg()
    if parser.parse_args().check:
        same = PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == text
        print(f"{PICTURE}: {'up to date' if same else 'out of date: run python -m tools.house'}")
        return 0 if same else 1
    PICTURE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
