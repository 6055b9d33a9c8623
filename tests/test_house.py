"""docs/house.svg is what the imports are now."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tools import house

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_up_to_date() -> None:
    assert house.PICTURE.read_text(encoding="utf-8") == house.svg(), (
        "run python -m tools.house, and look at docs/house.svg"
    )


def test_every_folder_has_a_box_with_its_purpose() -> None:
    root = ET.fromstring(house.svg())
    boxes = {
        texts[0]: " ".join(t or "" for t in texts[1:])
        for group in root.iter(f"{SVG}g")
        if (texts := [text.text or "" for text in group.iter(f"{SVG}text")])
    }
    folders = {f.parent.name for f in house.SOURCE.glob("*/__init__.py")}
    assert {name.rstrip("/") for name in boxes if name.endswith("/")} == folders
    for name, part in house.parts().items():
        shown = f"{name}/" if part.is_folder else house.SHOWN.get(name, name)
        assert part.purpose
        assert boxes[shown] == " ".join([part.purpose, " · ".join(part.folders)]).strip()
    assert "passes" in boxes["cpu/"]


def test_boxes_do_not_overlap() -> None:
    layers = [line.split() for line in reversed(house.LAYERS.strip().split("\n"))]
    layout = house.Layout(house.parts(), layers)
    bottom = 0.0
    for row in layout.places:
        right = 0.0
        for place in row.values():
            assert place.x >= right and place.y > bottom
            right = place.x + place.width
        assert right <= house.WIDTH
        bottom = max(place.y + place.height for place in row.values())
    assert bottom < layout.height


@pytest.mark.parametrize(
    ("edges", "left"),
    [
        ({"a": "bc", "b": "c", "c": ""}, {"a": ["b"], "b": ["c"], "c": []}),
        ({"a": "bcd", "b": "d", "c": "d", "d": ""}, {"a": ["b", "c"], "b": ["d"], "c": ["d"]}),
    ],
)
def test_edges_that_follow_from_others_are_left_out(
    edges: dict[str, str], left: dict[str, list[str]]
) -> None:
    found = house.reduced({name: frozenset(targets) for name, targets in edges.items()})
    assert {name: targets for name, targets in found.items() if targets} == {
        name: targets for name, targets in left.items() if targets
    }


def test_an_import_changes_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = house.parts()
    before = house.svg()
    more = boxes["rng"]._replace(imports=boxes["rng"].imports | {"config"})
    monkeypatch.setattr(house, "parts", lambda: {**boxes, "rng": more})
    assert house.svg() != before
