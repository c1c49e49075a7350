"""Clients with their defaults, and topics for one row: made, ready to be written, gone again."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

_numbers = itertools.count()


def client(bootstrap: str) -> dict[str, Any]:
    """librdkafka as it comes, but quiet: what goes wrong is raised here, not printed there."""
    return {"bootstrap.servers": bootstrap, "log_level": 0}


def reader(bootstrap: str) -> dict[str, Any]:
    """A consumer that is given its partition: no group takes part.

    librdkafka rests for a second whenever the records it has fetched pile up before the program takes them; here that
    pause would be all that is measured of a broker that is faster than the program.
    """
    own = {"group.id": "bench", "enable.auto.commit": False, "fetch.queue.backoff.ms": 0}
    return client(bootstrap) | own


@contextlib.contextmanager
def fresh(bootstrap: str, *, partitions: int) -> Iterator[str]:
    """`make`, deleted afterwards."""
    name = make(bootstrap, partitions=partitions)
    try:
        yield name
    finally:
        admin = AdminClient(client(bootstrap))  # it has to outlive the answer
        admin.delete_topics([name])[name].result(30)


def make(bootstrap: str, *, partitions: int, configs: dict[str, str] | None = None) -> str:
    """A topic nobody has used, whose leaders answer."""
    admin = AdminClient(client(bootstrap))
    name = f"bench-{next(_numbers):04}"
    admin.create_topics([NewTopic(name, partitions, config=configs or {})])[name].result(30)
    _wait_for_leaders(admin, name, partitions)
    return name


def _wait_for_leaders(admin: AdminClient, name: str, partitions: int) -> None:
    deadline = time.monotonic() + 30
    ask = {TopicPartition(name, partition): OffsetSpec.latest() for partition in range(partitions)}
    while True:
        try:
            for answer in admin.list_offsets(ask).values():
                answer.result(30)
            return
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
