"""Graphs as pictures: ``pydotprint`` writes an SVG file, ``d3viz`` a page that holds one."""

from __future__ import annotations

import html
import os
import warnings
from collections.abc import Sequence
from typing import Any

from tracejit.call.fallback import stack_level
from tracejit.printing.shown import Shown, roots_of, shown

#: Widths of a letter, heights of boxes, and gaps, in pixels.
_LETTER, _HEIGHT, _ACROSS, _DOWN = 7, 26, 18, 46
_COLOURS = {"input": "#d9f2d9", "constant": "#eeeeee", "output": "#d9e6ff", "op": "#ffffff"}


class _Picture:
    """The boxes and arrows of a graph: what is used stands above what uses it."""

    def __init__(self, roots: Sequence[Shown], with_ids: bool = False) -> None:
        self.boxes: dict[Any, Shown] = {}
        self.uses: dict[Any, list[Any]] = {}
        self.ends = {root.key for root in roots}
        self.with_ids = with_ids
        order: list[Any] = []
        stack = [(root, False) for root in reversed(roots)]
        while stack:
            line, ready = stack.pop()
            if ready:
                order.append(line.key)
            elif line.key not in self.boxes:
                self.boxes[line.key] = line
                operands = list(line.operands)
                self.uses[line.key] = [v.key for v in operands]
                stack.append((line, True))
                stack += [(v, False) for v in reversed(operands)]
        self.level: dict[Any, int] = {}
        for key in order:
            self.level[key] = 1 + max((self.level[k] for k in self.uses[key]), default=-1)

    def text(self, key: Any) -> str:
        """What is written into a box."""
        line = self.boxes[key]
        text = line.text if line.is_application else f"{line.text} {line.variable.type}"
        return f"{text} id={list(self.boxes).index(key)}" if self.with_ids else text

    def svg(self) -> str:
        """The picture."""
        rows: dict[int, list[Any]] = {}
        for key, level in self.level.items():
            rows.setdefault(level, []).append(key)
        place: dict[Any, tuple[float, float, float]] = {}
        width = 0.0
        for level, keys in sorted(rows.items()):
            x = float(_ACROSS)
            for key in keys:
                wide = _LETTER * len(self.text(key)) + 16.0
                place[key] = x, _DOWN / 2 + level * (_HEIGHT + _DOWN), wide
                x += wide + _ACROSS
            width = max(width, x)
        height = (_HEIGHT + _DOWN) * (len(rows) or 1)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            'font-family="monospace" font-size="11">',
            '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="3" '
            'orient="auto"><path d="M0,0 L7,3 L0,6 z"/></marker></defs>',
        ]
        for key, operands in self.uses.items():
            for k, operand in enumerate(operands):
                parts.append(self._arrow(place[operand], place[key], k, len(operands)))
        parts += [self._box(key, *place[key]) for key in place]
        return "\n".join([*parts, "</svg>", ""])

    def _box(self, key: Any, x: float, y: float, wide: float) -> str:
        line = self.boxes[key]
        kind = "op" if line.is_application else "input"
        if not line.is_application and hasattr(line.variable, "data"):
            kind = "constant"
        if key in self.ends:
            kind = "output"
        round_ = 4 if line.is_application else 12
        return (
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{_HEIGHT}" rx="{round_}" '
            f'fill="{_COLOURS[kind]}" stroke="#444"/><text x="{x + wide / 2:.0f}" '
            f'y="{y + 17:.0f}" text-anchor="middle">{html.escape(self.text(key))}</text>'
        )

    @staticmethod
    def _arrow(
        above: tuple[float, float, float], below: tuple[float, float, float], k: int, count: int
    ) -> str:
        x1, y1 = above[0] + above[2] / 2, above[1] + _HEIGHT
        x2, y2 = below[0] + below[2] * (k + 1) / (count + 1), below[1]
        label = f'<text x="{x2 + 3:.0f}" y="{y2 - 4:.0f}" fill="#888">{k}</text>' * (count > 1)
        return (
            f'<path d="M{x1:.0f},{y1:.0f} C{x1:.0f},{y1 + 20:.0f} {x2:.0f},{y2 - 24:.0f} '
            f'{x2:.0f},{y2:.0f}" fill="none" stroke="#888" marker-end="url(#a)"/>{label}'
        )


def pydotprint(
    fct: Any,
    outfile: str | os.PathLike[str] | None = None,
    compact: bool = True,
    format: str = "svg",
    with_ids: bool = False,
    high_contrast: bool = True,
    cond_highlight: Any = None,
    colorCodes: Any = None,
    max_label_size: int = 70,
    scan_graphs: bool = False,
    var_with_name_simple: bool = False,
    print_output_file: bool = True,
    return_image: bool = False,
) -> Any:
    """Draw the graph of a function or of variables into an SVG file, whose name is printed.

    `outfile` ends in ".svg", or gets that in place of its ending; ``return_image=True`` gives the
    text of the picture instead. `with_ids` numbers the boxes. The options of Graphviz's, which does
    not draw here, choose nothing.
    """
    picture = _Picture([shown(v) for v in roots_of(fct)], with_ids).svg()
    if return_image:
        return picture
    if outfile is None:
        outfile = f"{getattr(fct, 'name', None) or 'graph'}.svg".replace(os.sep, "_")
    path, ending = os.path.splitext(os.fspath(outfile))
    if ending not in ("", ".svg") or format != "svg":
        text = f"pictures are SVG files: {path}.svg is written"
        warnings.warn(text, UserWarning, stacklevel=stack_level())
    with open(f"{path}.svg", "w", encoding="utf-8") as file:
        file.write(picture)
    if print_output_file:
        print("The output file is available at", f"{path}.svg")
    return None


def d3viz(
    fct: Any, outfile: str | os.PathLike[str], copy_deps: bool = True, **options: Any
) -> None:
    """Draw the graph of a function or of variables into a page, which needs no other file."""
    picture = _Picture([shown(v) for v in roots_of(fct)]).svg()
    title = html.escape(str(getattr(fct, "name", None) or "graph"))
    with open(outfile, "w", encoding="utf-8") as file:
        file.write(
            f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{title}</title></head>\n'
            f"<body>\n{picture}</body></html>\n"
        )


__all__ = ["d3viz", "pydotprint"]
