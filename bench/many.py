"""Very many partitions written at once: one request with a small batch for each, one reply when all are acknowledged.

request  | partition 0: batch | partition 1: batch | … | partition 999: batch |      durable: what does it take to
reply    | 0: offset n        | 1: offset n        | … | 999: offset n        |      sync a thousand logs?
"""

from __future__ import annotations

import statistics
import struct
import time
from dataclasses import dataclass
from typing import Final

from bench import frames
from bench.wire import Wire, Wrong

ROUNDS_MIN: Final = 5


@dataclass(frozen=True, slots=True)
class Many:
    """What one run came to."""

    p50_ms: float
    rounds: int


def run(port: int, topic: str, *, partitions: int, seconds: float, value_bytes: int = 100) -> Many:
    """Write to all partitions of a fresh topic, wait, and again. Raises Wrong when an answer is not right."""
    batch = bytes(frames.batch(b"x" * value_bytes, timestamp_ms=time.time_ns() // 1_000_000))
    frame, _ = frames.produce(topic, dict.fromkeys(range(partitions), batch))
    took: list[float] = []
    with Wire(port, reply_bytes_max=1024 + 64 * partitions) as wire:
        deadline = time.perf_counter() + seconds
        while len(took) < ROUNDS_MIN or time.perf_counter() < deadline:
            struct.pack_into(">i", frame, frames.CORRELATION_AT, len(took))
            began = time.perf_counter()
            reply = wire.ask(frame)
            took.append(time.perf_counter() - began)
            _check(reply, topic, partitions, len(took) - 1)
    return Many(statistics.median(took) * 1000, len(took))


def _check(reply: bytes, topic: str, partitions: int, number: int) -> None:
    """Each partition is answered once, without an error, with the offset after its last."""
    (correlation,) = struct.unpack_from(">i", reply, 4)
    answers = sorted(frames.parse_produce_many(reply, topic))
    if correlation != number or answers != [(partition, 0, number) for partition in range(partitions)]:
        wrong = [answer for answer in answers if answer[1:] != (0, number)]
        raise Wrong(f"request {number} for {partitions} partitions: {len(answers)} answers, wrong ones: {wrong[:3]}")
