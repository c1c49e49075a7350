"""The text that is counted: lines drawn from a seed, whose words are known exactly, and who sends them.

line 0    "birch alder spruce …"    to partition 0, at the start
line 1    …                         to partition 1, 100 ms later by its timestamp
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from confluent_kafka import Producer

from interop.reading import PATIENCE_S, Findings, Follower
from torture.clients import RECONNECT, Worker

VOCABULARY: Final = (
    *("alder", "apple", "ash", "aspen", "balsam", "basswood", "beech", "birch", "butternut", "cedar", "cherry", "elm"),
    *("fir", "hawthorn", "hazel", "hemlock", "hickory", "hornbeam", "ironwood", "larch", "linden", "maple", "oak"),
    *("pine", "plum", "poplar", "rowan", "spruce", "sumac", "tamarack", "walnut", "willow", "yew"),
)
WORDS_MAX: Final = 9
STEP_MS: Final = 100
MINUTE_MS: Final = 60_000
AHEAD_WORDS_MAX: Final = 3_000
"""So many words are on their way at most: what is killed is busy, and never far behind."""


class Line(NamedTuple):
    """One record of the input."""

    number: int
    time_ms: int
    words: tuple[str, ...]

    @property
    def minute_ms(self) -> int:
        return self.time_ms - self.time_ms % MINUTE_MS


def lines(seed: int, start_ms: int) -> Iterator[Line]:
    """Without end, and the same for the same seed: few words are frequent, most are not."""
    chance = random.Random(seed)
    weights = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]
    number = 0
    while True:
        words = chance.choices(VOCABULARY, weights, k=chance.randint(1, WORDS_MAX))
        yield Line(number, start_ms + number * STEP_MS, tuple(words))
        number += 1


class Feeder(Worker):
    """Sends lines until it is told to end, each acknowledged once, and never runs far ahead of what was counted."""

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, text: Iterator[Line], counts: Follower, findings: Findings
    ) -> None:
        self.words: Counter[str] = Counter()
        self.by_minute: Counter[str] = Counter()
        self.lines = 0
        self._topic, self._partitions, self._text, self._counts = topic, partitions, text, counts
        self._findings = findings
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 0,  # without end: what was sent has to arrive
                **RECONNECT,
            }
        )
        super().__init__("the feeder", findings.fail)

    def end(self) -> None:
        with self._findings.changed:
            super().end()
            self._findings.changed.notify_all()

    def work(self) -> None:
        for line in self._text:
            if not self._may_send():
                break
            self._send(line)
        if left := self._producer.flush(PATIENCE_S):
            raise TimeoutError(f"{left} lines were not acknowledged within {PATIENCE_S:.0f} s")
        self._producer.close()

    def _may_send(self) -> bool:
        """Wait until there is room, and say whether to go on."""
        with self._findings.changed:
            self._findings.changed.wait_for(lambda: self._ending.is_set() or self._has_room())
        return not self._ending.is_set()

    def _has_room(self) -> bool:
        return self.words.total() - len(self._counts.records) < AHEAD_WORDS_MAX

    def _send(self, line: Line) -> None:
        self._producer.produce(
            self._topic,
            " ".join(line.words).encode(),
            partition=line.number % self._partitions,
            timestamp=line.time_ms,
            on_delivery=self._told,
        )
        self._producer.poll(0)
        with self._findings.changed:
            self.lines += 1
            self.words.update(line.words)
            self.by_minute.update(f"{word}@{line.minute_ms}" for word in line.words)
            self._findings.changed.notify_all()

    def _told(self, error: object, _: object) -> None:
        if error is not None:
            self._findings.fail(f"a line was refused: {error}")
