"""The picture of a run: each engine's rate in each row, on one logarithmic scale.

    pass on, at least once       1,000   10,000   100,000
      Drave Streams             ━━━━━━━━━━━━━━━━━━━━━━━━━━ 319,000

Plain SVG like `bench.picture`, whose style it shares: no script, no font of its own, light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from bench.picture import STYLE

WIDTH: Final = 860
LEFT: Final = 150
RIGHT: Final = 90
TOP: Final = 76
BAR: Final = 15
HEADING: Final = 30
BOTTOM: Final = 34
SCALE: Final = (1_000, 1_000_000)
OURS: Final = "Drave Streams"

Bars = tuple[str, Sequence[tuple[str, int | None]]]
"""A row's name, and the engines' rates."""


def draw(rows: Sequence[Bars], foot: str) -> str:
    """The picture as SVG."""
    parts: list[str] = []
    at = TOP
    for name, engines in rows:
        parts.append(_text(24, at + 20, name, "heading"))
        at += HEADING
        for engine, rate in engines:
            if rate is not None:
                parts += _bar(engine, rate, at)
                at += BAR
    height = at + BOTTOM
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Stream engines, records a second">',
            f"<style>{STYLE}  rect.ours {{ fill: var(--synced) }} rect.other {{ fill: var(--soft) }}\n</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
            _text(24, 34, "Stream engines side by side", "title"),
            _text(24, 54, "input records a second of one process, on a logarithmic scale", "soft"),
            *_scale(at),
            *parts,
            _text(24, height - 10, foot, "soft small"),
            "</svg>\n",
        ]
    )


def _bar(engine: str, rate: int, top: float) -> Iterator[str]:
    kind = "ours" if engine == OURS else "other"
    end = _x(rate)
    yield _text(LEFT - 10, top + BAR - 4, engine, "end small")
    yield f'<rect class="{kind}" x="{LEFT}" y="{top + 2}" width="{end - LEFT:.1f}" height="{BAR - 5}" rx="2"/>'
    yield _text(end + 6, top + BAR - 4, f"{rate:,}", "small")


def _scale(bottom: float) -> Iterator[str]:
    rate = SCALE[0]
    while rate <= SCALE[1]:
        x = _x(rate)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{bottom + 4}"/>'
        yield _text(x, TOP - 8, f"{rate:,}", "middle soft small")
        rate *= 10


def _x(rate: float) -> float:
    low, high = (math.log10(end) for end in SCALE)
    share = (math.log10(rate) - low) / (high - low)
    return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
