"""One who reads all that has been written, while somebody goes on writing to the same partition at an even pace.

    offsets   0 ──────────── written beforehand ────────────┃── being written, 20 MB a second ──▶
              reader: from the start to the mark, again and again

Both sides are encoded by hand (stream.py); the writer is a thread, which sleeps or waits for the broker.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from bench import stream

WRITES_PER_SECOND: Final = 200
WRITE_RECORDS: Final = 100
"""Of 1,000 bytes each."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What one run came to."""

    read_mb: float
    """A second."""
    write_p50_ms: float
    write_p99_ms: float


class Pace:
    """Writes at even intervals, and keeps how long each took from the moment at which it was due."""

    def __init__(self, port: int, topic: str) -> None:
        self.took: list[float] = []
        self._writer = stream.Writer(port, topic, records=WRITE_RECORDS)
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="writes that go on")

    def start(self, offset: int) -> None:
        """Begin behind the last record."""
        self._writer.end = offset
        self._thread.start()

    def stop(self) -> None:
        """End, after one write at least, and raise what went wrong."""
        self._stop.set()
        self._thread.join()
        self._writer.wire.close()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        due = time.perf_counter()
        try:
            while not self._stop.wait(max(0.0, due - time.perf_counter())) or not self.took:
                self._writer.send()
                self._writer.receive()
                self.took.append(time.perf_counter() - due)
                due += 1 / WRITES_PER_SECOND
        except Exception as error:
            self._failure = error


def run(port: int, topic: str, *, size: int, seconds: float) -> CaughtUp:
    """Fill a fresh topic, then read it while writes go on. Raises Wrong."""
    before = stream.write(port, topic, size=size)
    pace = Pace(port, topic)
    pace.start(before.records)
    try:
        read = stream.read(port, topic, end=before.records, seconds=seconds)
    finally:
        pace.stop()
    ordered = sorted(pace.took)
    return CaughtUp(read.rate_mb, ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 99 // 100] * 1000)
