"""A topology for people: the same steps and edges in text, Mermaid and SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import pytest

from drave.streams import App, count, tumbling
from drave.streams.drawing import as_mermaid, as_svg, as_text
from drave.streams.topology import Topology

SVG = "{http://www.w3.org/2000/svg}"


class Ride(msgspec.Struct):
    zone: str
    car: str


@pytest.fixture
def topology() -> Topology:
    app = App("city")
    rides = app.topic("rides", Ride, key="car")
    zones = app.table("zones", Ride, key="zone")
    busy, quiet = rides.branch(lambda ride: ride.zone != "", name='has "zone"')
    busy.group_by("zone").window(tumbling("1m")).agg(n=count(), name="riders").final().join(zones, name="priced").to(
        "out"
    )
    quiet.to("lost")
    return app.topology()


def test_text_shows_every_step_once_in_the_tree_of_its_sub_topology(topology):
    text = as_text(topology)
    assert text.startswith("city: 2 sub-topologies\n")
    for step in topology.steps:
        assert text.count(f" {step.name}  [") == 1
    assert "└─ (final) priced" in text
    assert "state riders" in text


def test_a_topology_is_printed_as_text_and_a_step_names_itself_only(topology):
    assert str(topology) == as_text(topology)
    assert repr(topology) == f"<Topology city: {len(topology.steps)} steps>"
    assert "rides" not in repr(next(step for step in topology.steps if step.name == "priced"))


def test_text_names_the_output_that_a_step_hangs_on(topology):
    assert "(rest) " in as_text(topology)


def test_mermaid_has_a_node_for_each_step_and_an_edge_for_each_parent(topology):
    lines = as_mermaid(topology).splitlines()
    assert lines[0] == "flowchart LR"
    assert sum("subgraph" in line for line in lines) == 2
    parents = sum(len(step.parents) for step in topology.steps)
    assert sum("-->" in line for line in lines) == parents
    assert sum("-.->" in line for line in lines) == 1, "through the repartition topic"


def test_mermaid_keeps_quotation_marks_out_of_its_syntax(topology):
    assert "has #quot;zone#quot;" in as_mermaid(topology)


def test_svg_is_well_formed_and_no_two_boxes_overlap(topology):
    root = ElementTree.fromstring(as_svg(topology))
    boxes = [
        tuple(int(box.get(name, "")) for name in ("x", "y", "width", "height"))
        for box in root.iter(f"{SVG}rect")
        if box.get("class") == "box"
    ]
    assert len(boxes) == len(topology.steps)
    for index, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[index + 1 :]:
            apart_x = x + width <= other_x or other_x + other_width <= x
            apart_y = y + height <= other_y or other_y + other_height <= y
            assert apart_x or apart_y


def test_svg_lies_inside_its_view_box(topology):
    root = ElementTree.fromstring(as_svg(topology))
    _, _, width, height = map(int, root.get("viewBox", "").split())
    for box in root.iter(f"{SVG}rect"):
        assert int(box.get("x", "")) + int(box.get("width", "")) <= width
        assert int(box.get("y", "")) + int(box.get("height", "")) <= height
