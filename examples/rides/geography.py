"""Zones on a map: each takes in what is nearer to its centre than to any other's.

    · ~ ~ ~ ·        centres of zones (·) and of water (~), which is everywhere that is far from all zones;
    ~ · · · ~        the border between two lies halfway: Voronoi's cells, cut out of the map one half-plane
    · ~ · ~ ·        at a time. The coast is where a zone ends at water.

Places are in miles, x to the right and y down.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from examples.rides.model import Zone

WIDTH: Final = 9.6
HEIGHT: Final = 6.4
MARGIN: Final = 0.55

Point = tuple[float, float]

_NAMES: Final = (
    "Vieux-Port", "Le Plateau", "Mile End", "Griffintown", "Rosemont", "Outremont", "Verdun", "Hochelaga", "Villeray",
    "Saint-Henri", "Ahuntsic", "Lachine", "LaSalle", "Westmount", "Petite-Patrie", "Parc-Extension", "Mercier",
    "Anjou", "Saint-Michel", "Cartierville", "Saint-Laurent", "Côte-des-Neiges", "Ville-Émard", "Mont-Royal",
    "Centre-Sud", "Pointe-aux-Trembles",
)  # fmt: skip
_SMOOTHINGS: Final = 6


def distance(one: Point, other: Point) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])


def invented_zones(chance: random.Random) -> list[Zone]:
    """An island of 26 zones."""
    centres: list[Point] = []
    while len(centres) < len(_NAMES):
        tries = [(chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT)) for _ in range(40)]
        on_land = [point for point in tries if _on_island(point)]
        centres.append(max(on_land, key=lambda point: min((distance(point, each) for each in centres), default=0.0)))
    for _ in range(_SMOOTHINGS):  # Lloyd's: a centre moves to the middle of its cell
        centres = [_middle(cell) for cell in _cells(centres, chance)]
    centres.sort(key=lambda point: distance(point, (WIDTH / 2, HEIGHT / 2)))
    return _zones(dict(zip(_NAMES, centres, strict=True)), chance)


def zones_from_trips(miles: Mapping[tuple[str, str], float], chance: random.Random) -> list[Zone]:
    """Zones that only the lengths of trips between them tell of, laid out so that near is near (Isomap).

    `miles` is the mean length of the trips from one zone to another.
    """
    names = sorted({name for pair in miles for name in pair})
    places = _flattened(_shortest_ways(names, miles))
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scaled = MARGIN + (places - low) / np.maximum(high - low, 1e-9) * room
    return _zones({name: (float(x), float(y)) for name, (x, y) in zip(names, _apart(scaled), strict=True)}, chance)


def _zones(centres: Mapping[str, Point], chance: random.Random) -> list[Zone]:
    cells = _cells(list(centres.values()), chance)
    return [
        Zone(name, round(x, 3), round(y, 3), tuple((round(a, 3), round(b, 3)) for a, b in cell))
        for (name, (x, y)), cell in zip(centres.items(), cells, strict=True)
    ]


def _on_island(point: Point) -> bool:
    """An oval that leans, with bays."""
    x, y = point[0] / WIDTH - 0.5, point[1] / HEIGHT - 0.5
    angle = math.atan2(y, x)
    reach = 0.40 + 0.035 * math.sin(2 * angle + 0.4) + 0.025 * math.sin(5 * angle + 2)
    return math.hypot(x, y * 1.05) < reach


def _cells(centres: Sequence[Point], chance: random.Random) -> list[list[Point]]:
    water = _water(centres, random.Random(chance.random()))
    frame = [(0.0, 0.0), (WIDTH, 0.0), (WIDTH, HEIGHT), (0.0, HEIGHT)]
    cells = []
    for centre in centres:
        cell = frame
        for other in sorted((*centres, *water), key=lambda each: distance(each, centre)):
            if distance(other, centre) > 2 * max(distance(corner, centre) for corner in cell):
                break  # nor does any that is farther away
            if other != centre:
                cell = _nearer_half(cell, centre, other)
        cells.append(cell)
    return cells


def _water(centres: Sequence[Point], chance: random.Random) -> list[Point]:
    """A loose grid of places that are not near any zone."""
    around = [min((distance(one, other) for other in centres if other != one), default=1.0) for one in centres]
    reach = max(sorted(around)[len(around) // 2], 0.12) * 0.85
    step = reach * 0.55
    rows, columns = int(HEIGHT / step) + 3, int(WIDTH / step) + 3
    grid = np.array(
        [
            ((column - 1 + chance.uniform(-0.3, 0.3)) * step, (row - 1 + chance.uniform(-0.3, 0.3)) * step)
            for row in range(rows)
            for column in range(columns)
        ]
    )
    away = np.sqrt(((grid[:, None, :] - np.array(centres)[None, :, :]) ** 2).sum(axis=2)).min(axis=1)
    return [(float(x), float(y)) for x, y in grid[away > reach]]


def _nearer_half(cell: Sequence[Point], centre: Point, other: Point) -> list[Point]:
    """What of a convex cell is nearer to `centre` than to `other`."""
    kept: list[Point] = []
    for start, end in zip(cell, (*cell[1:], *cell[:1]), strict=True):
        from_start = distance(start, other) ** 2 - distance(start, centre) ** 2
        from_end = distance(end, other) ** 2 - distance(end, centre) ** 2
        if from_start >= 0:
            kept.append(start)
        if (from_start >= 0) != (from_end >= 0):
            share = from_start / (from_start - from_end)
            kept.append((start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])))
    return kept


def _middle(cell: Sequence[Point]) -> Point:
    return sum(x for x, _ in cell) / len(cell), sum(y for _, y in cell) / len(cell)


def _shortest_ways(names: Sequence[str], miles: Mapping[tuple[str, str], float]) -> np.ndarray:
    """Between every two zones, over any others (Floyd and Warshall's)."""
    index = {name: number for number, name in enumerate(names)}
    ways = np.full((len(names), len(names)), np.inf)
    np.fill_diagonal(ways, 0.0)
    for (one, other), length in miles.items():
        if one != other:
            a, b = index[one], index[other]
            ways[a, b] = ways[b, a] = min(ways[a, b], max(length, 0.05))
    for over in range(len(names)):
        ways = np.minimum(ways, ways[:, over : over + 1] + ways[over : over + 1, :])
    return np.where(np.isfinite(ways), ways, ways[np.isfinite(ways)].max(initial=1.0) * 1.2)


def _flattened(ways: np.ndarray) -> np.ndarray:
    """Places in the plane whose distances are nearest to `ways` (classical scaling)."""
    count = len(ways)
    centring = np.eye(count) - np.ones((count, count)) / count
    values, vectors = np.linalg.eigh(-0.5 * centring @ ways**2 @ centring)
    largest = np.argsort(values)[::-1][:2]
    places = vectors[:, largest] * np.sqrt(np.maximum(values[largest], 0.0))
    return places if places.shape[1] == 2 else np.column_stack([places, np.zeros(count)])


def _apart(places: np.ndarray) -> np.ndarray:
    """The same, pushed apart until most have room of their own."""
    room = 0.75 * math.sqrt((WIDTH - 2 * MARGIN) * (HEIGHT - 2 * MARGIN) / max(len(places), 1))
    places = places + np.random.default_rng(1).normal(0, 0.01, places.shape)
    for _ in range(60):
        apart = places[:, None, :] - places[None, :, :]
        far = np.sqrt((apart**2).sum(axis=2)) + 1e-9
        np.fill_diagonal(far, np.inf)
        push = np.clip(room - far, 0, None) / far
        places = places + 0.2 * (apart * push[:, :, None]).sum(axis=1)
        places = np.clip(places, [MARGIN, MARGIN], [WIDTH - MARGIN, HEIGHT - MARGIN])
    return places
