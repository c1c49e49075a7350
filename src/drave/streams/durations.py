"""Spans of time as people write them: "30s", "5m", 1500 (milliseconds), timedelta(minutes=5)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from drave.streams.errors import BadTopology

Duration = str | int | timedelta

_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def milliseconds(duration: Duration) -> int:
    """`duration` in milliseconds. Raises BadTopology."""
    if isinstance(duration, timedelta):
        return round(duration / timedelta(milliseconds=1))
    if isinstance(duration, int):
        return duration
    text = duration.replace(" ", "")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadTopology(
            f"{duration!r} is no span of time; write 500ms, 30s, 5m, 1h30m, 7d, or milliseconds as a number"
        )
    return round(sum(float(number) * _UNITS_MS[unit] for number, unit in parts))


def shortest(span_ms: int) -> str:
    """How `milliseconds` would read it: 90000 is 90s, 3600000 is 1h."""
    for unit in ("d", "h", "m", "s"):
        if span_ms and span_ms % _UNITS_MS[unit] == 0:
            return f"{span_ms // _UNITS_MS[unit]}{unit}"
    return f"{span_ms}ms"
