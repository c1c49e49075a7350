"""From when a record was sent to when its result can be read, while records come at a steady rate.

    rides ─▶ sent at …  ─▶ engine ─▶ out ─▶ read at …      a window's result is due when the record is sent that ends it

Every result names what it is the result of: the id of its record, or its window.
"""

from __future__ import annotations

import json
import statistics
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterator
from itertools import islice
from typing import Any, Final

from confluent_kafka import Consumer, Producer

from bench.streams import records
from bench.streams.records import Ride

SENDING_S: Final = 5.0
WAITING_S: Final = 10.0
"""So long after the last record was sent results may still come."""
FIRST_SHARE: Final = 0.2
"""What pays for the change from all at once to one by one, and is left out."""
_SAMPLED: Final = 10


class Results(ABC):
    """Which results are awaited, and since when."""

    def __init__(self) -> None:
        self.awaited: dict[Hashable, float] = {}

    @abstractmethod
    def sent(self, ride: Ride, now: float) -> None:
        """It was just sent."""

    @abstractmethod
    def named(self, row: dict[str, Any]) -> Hashable:
        """What a row is the result of."""


class ByRecord(Results):
    """Every tenth record."""

    def sent(self, ride: Ride, now: float) -> None:
        if ride.id % _SAMPLED == 0 and ride.fare > records.FARE_ABOVE:
            self.awaited[ride.id] = now

    def named(self, row: dict[str, Any]) -> Hashable:
        return row["id"]


class ByChange(Results):
    """Each change of a window, by the record that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[tuple[str, int]] = Counter()

    def sent(self, ride: Ride, now: float) -> None:
        window = ride.zone, ride.time - ride.time % records.WINDOW_MS
        self._counts[window] += 1
        if ride.id % _SAMPLED == 0:
            self.awaited[*window, self._counts[window]] = now

    def named(self, row: dict[str, Any]) -> Hashable:
        return row["zone"], row["start"], row["count"]


class ByWindow(Results):
    """Each window's final result, since the first record at or after its end and grace."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[int, set[str]] = {}

    def sent(self, ride: Ride, now: float) -> None:
        self._open.setdefault(ride.time - ride.time % records.WINDOW_MS, set()).add(ride.zone)
        for start in [each for each in self._open if each + records.WINDOW_MS + records.GRACE_MS <= ride.time]:
            self.awaited.update(((zone, start), now) for zone in self._open.pop(start))

    def named(self, row: dict[str, Any]) -> Hashable:
        return row["zone"], row["start"]


def results_of(job: str, *, updates: bool) -> Results:
    if job != "count":
        return ByRecord()
    return ByChange() if updates else ByWindow()


def measure(
    producer: Producer, reader: Consumer, rate: float, rides: Iterator[Ride], results: Results
) -> tuple[float, float]:
    """Milliseconds, the median and the 99th percentile. `reader` stands at the output's end.

    Raises TimeoutError when hardly any result came.
    """
    took: list[float] = []
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) < began + SENDING_S or (results.awaited and now < began + SENDING_S + WAITING_S):
        due = int(min(now - began, SENDING_S) * rate)
        for ride in islice(rides, due - sent):
            results.sent(ride, time.perf_counter())
            producer.produce("rides", ride.encoded(), ride.row, timestamp=ride.time)
        sent = max(sent, due)
        producer.poll(0)
        for message in reader.consume(1_000, 0.002):
            if message.error() is None:
                since = results.awaited.pop(results.named(json.loads(message.value() or b"{}")), None)
                if since is not None:
                    took.append(time.perf_counter() - since)
    late = took[int(len(took) * FIRST_SHARE) :]
    if len(late) < _SAMPLED:
        raise TimeoutError(f"{len(took)} results came while {sent:,} records were sent at {rate:,.0f} a second")
    return statistics.median(late) * 1e3, statistics.quantiles(late, n=100)[98] * 1e3
