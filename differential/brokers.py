"""The two brokers, each set up so that neither waits where the other does not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.brokers import Drave, Kafka

SETTINGS: Final = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "100",
    "group.consumer.assignment.interval.ms": "0",
    "group.share.assignment.interval.ms": "0",
    "group.streams.assignment.interval.ms": "0",
    "group.streams.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "3",
    "num.partitions": "2",
    "quota.window.num": "61",
    "log.initial.task.delay.ms": "86400000",
}
"""Kafka's names, which Drave takes too: few partitions of `__consumer_offsets` are quickly made and loaded. What a
client has used counts for a minute, which is as long as anybody has the patience, and not for ten seconds. And nobody
looks for what is too old: half a minute after the start it would be what the scenario of that moment has just written
with times of long ago."""

KAFKA_SETTLE_S: Final = 0.03


def kafka(folder: Path) -> Kafka:
    """Apache Kafka with its jars, from where the bench takes them."""
    return Kafka(folder, settings=SETTINGS)


def drave(folder: Path) -> Drave:
    """Drave as its command line starts it; what is not synced is not what is compared here."""
    return Drave(folder, settings=SETTINGS | {"durability": "os"})
