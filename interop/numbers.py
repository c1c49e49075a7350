"""Numbers that are copied: what every partition holds, and whoever puts them there.

partition 0    0 2 4 6 …
partition 1    1 3 5 7 …
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Producer

from torture.clients import PATIENCE_S, RECONNECT

WAITING_MAX = 50_000


def numbers(partitions: int, each: int) -> dict[int, list[bytes]]:
    """So many in each partition, none in two."""
    return {
        first: [b"%d" % number for number in range(first, each * partitions, partitions)] for first in range(partitions)
    }


def fill(bootstrap: str, topic: str, values: Mapping[int, Sequence[bytes]]) -> None:
    """Send them all, and return when they are acknowledged."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, **RECONNECT})
    for partition, those in values.items():
        for value in those:
            producer.produce(topic, value, partition=partition)
            if len(producer) >= WAITING_MAX:
                producer.flush(PATIENCE_S)
    if left := producer.flush(PATIENCE_S):
        raise TimeoutError(f"{left} numbers were not acknowledged within {PATIENCE_S:.0f} s")
    producer.close()
