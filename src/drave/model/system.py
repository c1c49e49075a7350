"""The real clock and the real entropy: the only place that asks the machine for either."""

from __future__ import annotations

import random
import time
import uuid

from drave.model.ids import TopicId


class SystemClock:
    """`Clock` of this machine."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class SystemEntropy:
    """`Entropy` of this machine."""

    def topic_id(self) -> TopicId:
        while True:
            raw = uuid.uuid4().bytes
            if raw[0] >> 2 != 62:  # its text would start with '-', which command lines take for an option
                return TopicId(raw)

    def uuid_text(self) -> str:
        return str(uuid.uuid4())

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)
