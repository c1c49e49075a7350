"""The picture of a run: each line of the table as ratios to Apache Kafka, on one logarithmic scale.

    small requests            ½×    1×    2×    4×            ● each write synced   ● page cache   ○ across
      64 clients               ·  ○  │·  ·  ●                 right of 1×: Drave is ahead

`python -m bench.picture RESULT.json FOLDER` writes bench.svg, and bench.json beside it, from a result that was kept.
It is plain SVG: no script, no font of its own; its colours follow the reader's dark or light page.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

WIDTH: Final = 860
LEFT: Final = 330
RIGHT: Final = 30
TOP: Final = 98
LINE: Final = 19
HEADING: Final = 30
BOTTOM: Final = 46
RADIUS: Final = 4.5
SCALE: Final = (0.125, 64.0)
"""What lies beyond is drawn at the edge, with its figure."""
COLOURS: Final = {"each write synced": "synced", "page cache": "cache", "across": "across"}
"""The comparisons, and the class each has in the style."""
TITLES: Final = {
    "each write synced": "each write synced, both",
    "page cache": "page cache, both",
    "across": "Drave synced, Kafka page cache",
}
STYLE: Final = """
  svg { font: 12.5px system-ui, -apple-system, "Segoe UI", sans-serif; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
        --band: #f6f8fa; --synced: #0969da; --cache: #bf5f00; --across: #8250df; --paper: #ffffff; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #f0f6fc; --soft: #9198a1; --line: #3d444d; --band: #151b23; --synced: #4493f8; --cache: #f0883e;
          --across: #ab7df8; --paper: #0d1117; }
  }
  .paper { fill: var(--paper) } .band { fill: var(--band) } text { fill: var(--ink) } .soft { fill: var(--soft) }
  .title { font-size: 17px; font-weight: 600 } .heading { font-weight: 600 } .end { text-anchor: end }
  .middle { text-anchor: middle } .small { font-size: 11px } line { stroke: var(--line) } .one { stroke: var(--ink) }
  .synced { fill: var(--synced) } .cache { fill: var(--cache) }
  circle.across { fill: var(--paper); stroke: var(--across); stroke-width: 2 }
"""


def publish(result: Path, folder: Path) -> None:
    """Put the picture of a result into a folder, and the result beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.svg").write_text(draw(json.loads(result.read_text())))
    shutil.copyfile(result, folder / "bench.json")


def draw(result: dict[str, Any]) -> str:
    """The picture as SVG."""
    under: list[str] = []
    over: list[str] = []
    at = TOP
    for section, names in _sections(result):
        under.append(_text(24, at + 22, section, "heading"))
        at += HEADING
        for number, name in enumerate(names):
            under += _label(name, at, banded=number % 2 == 0)
            over += _ratios(result, name, at + LINE / 2)
            at += LINE
    height = at + BOTTOM
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    label = 'role="img" aria-label="Drave beside Apache Kafka, as ratios"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
            *_head(),
            *under,
            *_scale(at),
            *over,
            _text(24, height - 10, _foot(result), "soft small"),
            "</svg>\n",
        ]
    )


def _sections(result: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The lines that have a ratio and are to be shown, by section."""
    found: dict[str, list[str]] = {}
    for metric in result["metrics"]:
        if metric["pictured"] and any(result["ratios"][title].get(metric["name"]) for title in COLOURS):
            found.setdefault(metric["section"], []).append(metric["name"])
    yield from found.items()


def _head() -> Iterator[str]:
    yield _text(24, 34, "Drave beside Apache Kafka", "title")
    x = 24.0
    for title, kind in COLOURS.items():
        yield _dot(kind, x + RADIUS, 56)
        yield _text(x + 3 * RADIUS + 1, 60, TITLES[title], "soft")
        x += 60 + 6.2 * len(TITLES[title])
    yield _text(WIDTH - RIGHT, 60, "right of 1×: Drave is ahead", "soft end")


def _label(name: str, top: float, *, banded: bool) -> Iterator[str]:
    if banded:
        yield f'<rect class="band" x="16" y="{top}" width="{WIDTH - 32}" height="{LINE}" rx="4"/>'
    yield _text(LEFT - 16, top + LINE / 2 + 4, name.removeprefix("broker CPU, "), "end")


def _ratios(result: dict[str, Any], name: str, y: float) -> Iterator[str]:
    beyond: dict[str, list[str]] = {"above": [], "below": []}
    for title, kind in COLOURS.items():
        ratio = result["ratios"][title].get(name)
        if not ratio:
            continue
        yield _dot(kind, _x(ratio), y, f"<title>{title}: {ratio:.2f}</title>")
        if ratio > SCALE[1]:
            beyond["above"].append(f"{ratio:.0f}×")
        elif ratio < SCALE[0]:
            beyond["below"].append(f"{ratio:.2f}×")
    if beyond["above"]:
        yield _text(_x(SCALE[1]) - 2 * RADIUS, y + 4, ", ".join(beyond["above"]), "soft small end")
    if beyond["below"]:
        yield _text(_x(SCALE[0]) + 2 * RADIUS, y + 4, ", ".join(beyond["below"]), "soft small")


def _scale(bottom: float) -> Iterator[str]:
    low, high = (int(math.log2(end)) for end in SCALE)
    for power in range(low, high + 1):
        x = _x(2.0**power)
        kind = ' class="one"' if power == 0 else ""
        yield f'<line{kind} x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{bottom + 4}"/>'
        label = f"{2**power}×" if power >= 0 else f"1/{2**-power}×"
        for y in (TOP - 10, bottom + 18):
            yield _text(x, y, label, "middle soft small")


def _x(ratio: float) -> float:
    low, high = (math.log2(end) for end in SCALE)
    share = (math.log2(ratio) - low) / (high - low)
    return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _dot(kind: str, x: float, y: float, tip: str = "") -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:g}" r="{RADIUS}">{tip}</circle>'


def _foot(result: dict[str, Any]) -> str:
    machine = result["machine"]
    cores = f"{machine['cores']} cores"
    return f"Both in turn in one run, warmed; medians. {cores}, Python {machine['python']}, commit {result['commit']}."


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]))
