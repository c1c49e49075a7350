"""A topology for people: as text, as Mermaid, as SVG.

    text      one tree for each sub-topology; a step with two parents hangs below the first
    Mermaid   a flowchart, which GitHub and most wikis draw
    SVG       the same without anybody's help: columns from left to right, one row for each step of a column

All three show the same: steps with their kinds, the outputs that edges leave by, and topics between sub-topologies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from drave.streams.steps.base import Step
from drave.streams.steps.sources import Repartition, Sink, Source, TableSource
from drave.streams.topology import SubTopology, Topology

_WIDTH: Final = 216
_HEIGHT: Final = 46
_GAP_X: Final = 56
_GAP_Y: Final = 18
_MARGIN: Final = 24
_TITLE: Final = 26
_NAME_MAX: Final = 27
_STYLE: Final = """
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; --ink: #1d2433; --soft: #5d6880; --box: #ffffff;
        --line: #9aa5ba; --frame: #f3f5f9; --topic: #2f6fdb; --state: #b4590f; }
  @media (prefers-color-scheme: dark) { svg { --ink: #e8ecf4; --soft: #9aa6bd; --box: #1c2230; --line: #55617a;
        --frame: #141924; --topic: #78a8ff; --state: #f0a35e; } }
  .frame { fill: var(--frame); } .box { fill: var(--box); stroke: var(--line); stroke-width: 1.2; }
  .topic .box { stroke: var(--topic); } .state .box { stroke: var(--state); }
  .name { fill: var(--ink); font-weight: 600; } .kind, .title, .port { fill: var(--soft); font-size: 11px; }
  .edge { fill: none; stroke: var(--line); stroke-width: 1.4; marker-end: url(#tip); } .far { stroke-dasharray: 5 4; }
  #tip path { fill: var(--line); }
"""


def as_text(topology: Topology) -> str:
    """Trees, with a line for each step."""
    lines = [f"{topology.app}: {_counted(len(topology.subs), 'sub-topology', 'sub-topologies')}"]
    for sub in topology.subs:
        lines += ["", f"{sub.name}, one task for each partition of {', '.join(sub.topics)}"]
        drawn: set[Step] = set()
        for source in sub.sources:
            lines += _tree(sub, source, "", "  ", drawn, "")
    return "\n".join(lines) + "\n"


def as_mermaid(topology: Topology) -> str:
    """A flowchart from left to right."""
    ids = {step: f"s{number}" for number, step in enumerate(topology.steps)}
    lines = ["flowchart LR"]
    for number, sub in enumerate(topology.subs):
        lines.append(f'  subgraph g{number}["{_quoted(sub.name)}"]')
        lines += [f"    {ids[step]}{_shape(step)}" for step in sub.steps]
        lines.append("  end")
    for edge in _edges(topology):
        arrow = "-.->" if edge.far else "-->"
        label = f"|{edge.port}|" if edge.port else ""
        lines.append(f"  {ids[edge.start]} {arrow}{label} {ids[edge.end]}")
    return "\n".join(lines) + "\n"


def as_svg(topology: Topology) -> str:
    """A picture that stands alone, for light and dark pages."""
    places, frames, width, height = _layout(topology)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label="The topology of {escape(topology.app)}">'
        ),
        f"<style>{_STYLE}</style>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z"/></marker></defs>'
        ),
    ]
    for sub, (x, y, w, h) in frames.items():
        parts.append(f'<rect class="frame" x="{x}" y="{y}" width="{w}" height="{h}" rx="12"/>')
        parts.append(f'<text class="title" x="{x + 12}" y="{y + 17}">{escape(_short(sub.name, 60))}</text>')
    parts += [_svg_edge(edge, places) for edge in _edges(topology)]
    parts += [_svg_step(step, *places[step]) for step in topology.steps]
    return "\n".join([*parts, "</svg>"]) + "\n"


# -- edges


@dataclass(frozen=True, slots=True)
class _Edge:
    start: Step
    end: Step
    port: str
    """The output's name, where it is not the only one."""
    far: bool
    """Through a topic, to another sub-topology."""


def _edges(topology: Topology) -> Iterator[_Edge]:
    readers = {step.topic.name: step for step in topology.steps if isinstance(step, Source)}
    for step in topology.steps:
        for parent in step.parents:
            yield _Edge(parent.step, step, "" if parent.port == "out" else parent.port, far=False)
        if isinstance(step, Repartition) and step.topic.name in readers:
            yield _Edge(step, readers[step.topic.name], "", far=True)


# -- text


def _tree(sub: SubTopology, step: Step, port: str, indent: str, drawn: set[Step], branch: str) -> Iterator[str]:
    label = f"({port}) " if port not in ("", "out") else ""
    described = "; ".join((step.kind, *(f"{key} {value}" for key, value in step.details.items())))
    if step in drawn:
        yield f"{indent}{branch}{label}{step.name} …"
        return
    drawn.add(step)
    stores = [spec.name for spec in step.stores if spec.source is None]
    state = f"; state {', '.join(stores)}" if stores else ""
    yield f"{indent}{branch}{label}{step.name}  [{described}{state}]"
    below = indent + ("" if not branch else "   " if branch.startswith("└") else "│  ")
    children = list(dict.fromkeys((port, child) for port, child, _ in sub.children[step]))
    for number, (child_port, child) in enumerate(children, 1):
        yield from _tree(sub, child, child_port, below, drawn, "└─ " if number == len(children) else "├─ ")


# -- Mermaid


def _shape(step: Step) -> str:
    name = _quoted(step.topic.name if isinstance(step, Sink | Repartition) else step.name)
    text = f'"{name}<br><small>{step.kind}</small>"'
    if isinstance(step, TableSource) or (step.stores and not isinstance(step, Source)):
        return f"[({text})]"
    return f"([{text}])" if isinstance(step, Source | Sink | Repartition) else f"[{text}]"


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;")


# -- SVG

_Box = tuple[int, int]


def _layout(
    topology: Topology,
) -> tuple[Mapping[Step, _Box], Mapping[SubTopology, tuple[int, int, int, int]], int, int]:
    """Where each step and each frame lies, and the size of it all. Sub-topologies lie below each other."""
    places: dict[Step, _Box] = {}
    frames: dict[SubTopology, tuple[int, int, int, int]] = {}
    top, width = _MARGIN, 0
    for sub in topology.subs:
        grid = _grid(sub, topology)
        columns = 1 + max(column for column, _ in grid.values())
        rows = 1 + max(row for _, row in grid.values())
        for step, (column, row) in grid.items():
            x = 2 * _MARGIN + column * (_WIDTH + _GAP_X)
            places[step] = (x, top + _TITLE + row * (_HEIGHT + _GAP_Y))
        frame_width = columns * (_WIDTH + _GAP_X) - _GAP_X + 2 * _MARGIN
        frame_height = _TITLE + rows * (_HEIGHT + _GAP_Y)
        frames[sub] = (_MARGIN, top, frame_width, frame_height)
        top += frame_height + _MARGIN
        width = max(width, frame_width + 2 * _MARGIN)
    return places, frames, width, top


def _grid(sub: SubTopology, topology: Topology) -> Mapping[Step, tuple[int, int]]:
    """The column and row of each step: right of its parents, in the row of the first where that is free.

    What comes from another sub-topology lies at the top, where the line to it crosses nothing.
    """
    grid: dict[Step, tuple[int, int]] = {}
    taken: set[tuple[int, int]] = set()
    entries = sorted(sub.sources, key=lambda source: source.topic.name not in topology.upstream)
    for step in (*entries, *(step for step in sub.steps if not isinstance(step, Source))):
        cells = [grid[parent.step] for parent in step.parents]
        column = max((column + 1 for column, _ in cells), default=0)
        row = cells[0][1] if cells else 0
        while (column, row) in taken:
            row += 1
        taken.add((column, row))
        grid[step] = (column, row)
    return grid


def _svg_step(step: Step, x: int, y: int) -> str:
    name = step.topic.name if isinstance(step, Sink | Repartition) else step.name
    look = "topic" if isinstance(step, Source | Sink | Repartition) else "state" if step.stores else "plain"
    radius = _HEIGHT // 2 if look == "topic" else 8
    middle = x + _WIDTH // 2
    return (
        f'<g class="{look}"><title>{escape(name)}</title>'
        f'<rect class="box" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"/>'
        f'<text class="name" x="{middle}" y="{y + 20}" text-anchor="middle">{escape(_short(name, _NAME_MAX))}</text>'
        f'<text class="kind" x="{middle}" y="{y + 36}" text-anchor="middle">{escape(step.kind)}</text></g>'
    )


def _svg_edge(edge: _Edge, places: Mapping[Step, _Box]) -> str:
    (x1, y1), (x2, y2) = places[edge.start], places[edge.end]
    if edge.far:
        x1, y1, x2 = x1 + _WIDTH // 2, y1 + _HEIGHT, x2 + _WIDTH // 2
        return f'<path class="edge far" d="M{x1} {y1}C{x1} {y1 + 50} {x2} {y2 - 60} {x2} {y2 - 2}"/>'
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = _GAP_X // 2
    line = f'<path class="edge" d="M{x1} {y1}H{x2 - 2 * bend}C{x2 - bend} {y1} {x2 - bend} {y2} {x2 - 2} {y2}"/>'
    if edge.port:
        line += f'<text class="port" x="{x1 + 6}" y="{y1 - 6}">{escape(edge.port)}</text>'
    return line


def _short(text: str, length: int) -> str:
    """The beginning and the end, where it is too long: both tell names apart."""
    return text if len(text) <= length else f"{text[: length // 2]}…{text[-(length - length // 2 - 1) :]}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
