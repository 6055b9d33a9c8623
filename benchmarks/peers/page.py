"""A page of its own: the figures as a table, and as dots on a logarithmic scale, in SVG."""

from __future__ import annotations

import math
from html import escape
from typing import Any

COLOURS = {
    "tracejit": "#c2185b", "NumPy": "#1976d2", "Numba": "#00897b", "JAX": "#7b1fa2",
    "torch": "#ef6c00", "Dr.Jit": "#5d4037", "numexpr": "#9e9d24", "PyTensor": "#546e7a",
}  # fmt: skip
LABEL, WIDTH, HEIGHT = 330, 640, 22
_STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2em;max-width:1100px}"
    "table{border-collapse:collapse}td,th{padding:2px 10px;text-align:right}"
    "td:first-child{text-align:left}.miss{color:#b71c1c;font-weight:600}"
)


def page(document: dict[str, Any]) -> str:
    """The HTML of a report, as ``--json`` writes it."""
    lines = document["lines"]
    where = ", ".join(f"{k} {v}" for k, v in document["machine"].items())
    names = [n for n in COLOURS if any(n in line["times"] for line in lines)]
    return (
        f"<!doctype html><meta charset=utf-8><title>tracejit and its peers</title>"
        f"<style>{_STYLE}</style><h1>tracejit and its peers</h1><p>{escape(where)}</p>"
        f"<p>Time of a call in times of tracejit's: left of 1 is faster.</p>"
        f"{_plot(lines, names)}{_table(lines, names)}"
    )


def _label(line: dict[str, Any]) -> str:
    size = f", {line['size']:,}" if line["size"] else ""
    return f"{line['name']}{size}, {line['dtype']}"


def _plot(lines: list[dict[str, Any]], names: list[str]) -> str:
    shown = [line for line in lines if "tracejit" in line["times"]]
    ratios = [t / line["times"]["tracejit"] for line in shown for t in line["times"].values()]
    low, high = math.floor(math.log10(min(ratios))), math.ceil(math.log10(max(ratios)))
    scale = WIDTH / max(high - low, 1)
    parts = []
    for power in range(low, high + 1):
        x = LABEL + (power - low) * scale
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="20" y2="{20 + HEIGHT * len(shown)}" stroke="#ddd"/>'
            f'<text x="{x}" y="14" text-anchor="middle">{10.0**power:g}</text>'
        )
    for k, line in enumerate(shown):
        y = 20 + HEIGHT * (k + 0.5)
        parts.append(f'<text x="0" y="{y + 4}">{escape(_label(line))}</text>')
        for name, seconds in line["times"].items():
            x = LABEL + (math.log10(seconds / line["times"]["tracejit"]) - low) * scale
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{COLOURS[name]}">'
                f"<title>{escape(name)}: {seconds * 1e6:.4g} µs</title></circle>"
            )
    legend = "".join(
        f'<span style="color:{COLOURS[n]}">● {escape(n)}</span>&emsp;' for n in names
    )  # fmt: skip
    height = 30 + HEIGHT * len(shown)
    return (
        f'<p>{legend}</p><svg width="{LABEL + WIDTH + 20}" height="{height}">{"".join(parts)}</svg>'
    )


def _table(lines: list[dict[str, Any]], names: list[str]) -> str:
    head = "".join(f"<th>{escape(n)}" for n in names)
    rows = []
    for line in lines:
        cells = "".join(
            f"<td>{line['times'][n] * 1e6:,.4g}" if n in line["times"] else "<td>–" for n in names
        )
        ratio, missed = line["ratio"], line["ratio"] is None or line["ratio"] > line["limit"]
        figure = "–" if ratio is None else f"{ratio:.2f} of {escape(line['best'])}"
        kind = ' class="miss"' if missed else ""
        rows.append(f"<tr><td>{escape(_label(line))}{cells}<td{kind}>{figure}<td>{line['limit']}")
    title = "<tr><th>µs a call" + head + "<th>of the best peer<th>at most"
    return f"<table>{title}{''.join(rows)}</table>"


def markdown(document: dict[str, Any]) -> str:
    """The figures in float64 and its like as a table for the documentation."""
    lines = [
        "| expression | size | NumPy | tracejit | best compiler | of it | asked for |",
        "|---|--:|--:|--:|---|--:|--:|",
    ]
    for line in document["lines"]:
        if line["dtype"] not in ("float64", "complex128", "int64"):
            continue
        times, best = line["times"], line["best"]
        peer = f"{best} {shown_time(times[best])}" if best else "–"
        ratio = "–" if line["ratio"] is None else f"{line['ratio']:.2f}"
        numpys, ours = (shown_time(times[n]) if n in times else "–" for n in ("NumPy", "tracejit"))
        size = f"{line['size']:,}" if line["size"] else ""
        lines.append(
            f"| {line['what']} | {size} | {numpys} | {ours} | {peer} | {ratio} | {line['limit']} |"
        )
    where = document["machine"]
    shown = ", ".join(f"{k} {where[k]}" for k in ("processor", "cores", "numpy", "numba"))
    return "\n".join([*lines, "", f"Measured on {shown}."])


def shown_time(seconds: float) -> str:
    """A time to read."""
    unit, factor = ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{seconds * factor:.3g} {unit}"
