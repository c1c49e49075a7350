"""Moments as people and files write them, in milliseconds since 1970.

2019-03-23 20:21:09      ISO 8601, with or without T, fraction and offset; without an offset it is UTC
1553372469               a number: seconds, milliseconds, microseconds or nanoseconds by its size
90s  15m  2h  3d  1w     so long ago
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

_NUMBER_SCALES: Final = ((1e11, 1_000.0), (1e14, 1.0), (1e17, 1e-3))
"""Below the first bound a number counts seconds (to the year 5138), below the second milliseconds, then micro-."""


def parse_time_ms(text: str, *, now_ms: int | None = None) -> int:
    """The moment that `text` names; "so long ago" only where `now_ms` is given. Raises ValueError."""
    text = text.strip()
    number = _number(text)
    if number is not None:
        return _from_number(number)
    ago = _AGO.fullmatch(text)
    if ago and now_ms is not None:
        return now_ms - round(float(ago[1]) * _UNIT_MS[ago[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 2019-03-23T20:21:09 (UTC) or a number of milliseconds") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def time_text(time_ms: int) -> str:
    """`time_ms` in ISO 8601, UTC, to the millisecond; empty for -1, which means that there is no time."""
    if time_ms < 0:
        return ""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e20 else None  # neither infinite nor NaN


def _from_number(number: float) -> int:
    for bound, scale in _NUMBER_SCALES:
        if abs(number) < bound:
            return round(number * scale)
    return round(number * 1e-6)
