"""Publishing and reading: one thread for the city, one for each group.

The publisher is idempotent, and nobody guesses when it is over: once every ride is acknowledged, the partitions' end
offsets are final, and a group is done when it has read up to them. So each group sees each ride exactly once, however
fast or slow the machine is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Final

import msgspec

from drave.cli.demo.city import Ride
from drave.cli.demo.views import View
from drave.cli.options import AS_FAST_AS_IT_CAN
from drave.client.connection import Connection
from drave.client.errors import told
from drave.client.publishing import Publisher
from drave.client.recordings import Pace
from drave.client.topics import TopicPartitionId, Topics

PARTITIONS: Final = 3
_WAIT_S: Final = 0.1
_AT_ONCE_MAX: Final = 500
_KEEP_OLD_RECORDS: Final = {"retention.ms": "-1"}

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Ride).decode


class Run:
    """One topic, one publisher and its readers. `start` returns at once; `end` asks the publisher to stop."""

    def __init__(
        self,
        connection: Connection,
        topic: str,
        rides: Iterable[Ride],
        views: Sequence[View],
        *,
        group_prefix: str = "",
    ) -> None:
        self.topic = topic
        self.groups = [group_prefix + view.name for view in views]
        self.views = views
        self.published = 0
        self.clock_ms = 0
        """The pickup of the newest ride."""
        self._connection = connection
        self._rides = rides
        self._ends: dict[int, int] | None = None
        self._stop = threading.Event()
        self._abandoned = threading.Event()
        self._pool = ThreadPoolExecutor(len(views) + 1, thread_name_prefix="demo")
        self._threads: list[Future[None]] = []

    def start(self, *, speed: float, seconds: float | None, as_recorded: bool) -> None:
        """Publish at `speed` for at most `seconds`; with `as_recorded` a record's timestamp is its ride's."""
        Topics(self._connection).create(self.topic, partitions=PARTITIONS, configs=_KEEP_OLD_RECORDS)
        self._threads = [
            self._pool.submit(self._read, view, group) for view, group in zip(self.views, self.groups, strict=True)
        ]
        self._threads.append(self._pool.submit(self._publish, speed, seconds, as_recorded))

    def wait(self, seconds: float) -> bool:
        """Whether everything has been published and read, after at most `seconds`. Raises what a thread raised."""
        wait(self._threads, seconds, FIRST_EXCEPTION)
        for thread in self._threads:
            if thread.done():
                thread.result()
        return all(thread.done() for thread in self._threads)

    @property
    def ending(self) -> bool:
        return self._stop.is_set()

    def end(self) -> None:
        """No more rides; what is published will still be read."""
        self._stop.set()

    def abandon(self) -> None:
        """Leave everything as it is."""
        self._stop.set()
        self._abandoned.set()
        self._pool.shutdown()

    def _publish(self, speed: float, seconds: float | None, as_recorded: bool) -> None:
        pace = None if speed == AS_FAST_AS_IT_CAN else Pace(speed)
        with Publisher(self._connection, self.topic) as publisher:
            started = time.monotonic()
            for ride in self._rides:
                due = pace.due_s(ride.pickup_ms) if pace else 0.0
                if not self._sleep_until(started + due, started, seconds, publisher):
                    break
                publisher.send(
                    ride.pickup_zone.encode(), _encode(ride), timestamp_ms=ride.pickup_ms if as_recorded else None
                )
                self.published += 1
                self.clock_ms = ride.pickup_ms
        topics = Topics(self._connection)
        bounds = topics.bounds(topics.partitions(self.topic))
        self._ends = {each.partition: where.end for each, where in bounds.items()}

    def _sleep_until(self, due: float, started: float, seconds: float | None, publisher: Publisher) -> bool:
        """Wait until `due`; False when the publisher has been asked to stop or its time is over."""
        while not self._stop.is_set():
            now = time.monotonic()
            if seconds is not None and now - started >= seconds:
                return False
            if now >= due:
                return True
            publisher.wait(min(due - now, _WAIT_S))
        return False

    def _read(self, view: View, group: str) -> None:
        consumer = self._connection.consumer(group, **{"auto.offset.reset": "earliest"})
        consumer.subscribe([self.topic])
        positions: dict[int, int] = {}
        try:
            while not self._abandoned.is_set() and not self._all_read(positions):
                for message in consumer.consume(_AT_ONCE_MAX, _WAIT_S):
                    error = message.error()
                    if error is not None:
                        if error.retriable() or error.name() == "_TRANSPORT":
                            continue
                        raise told(error, f"read {TopicPartitionId(self.topic, message.partition() or 0)}")
                    view.see(_decode(message.value() or b""))
                    positions[message.partition() or 0] = (message.offset() or 0) + 1
        finally:
            consumer.close()  # which commits how far it came

    def _all_read(self, positions: dict[int, int]) -> bool:
        ends = self._ends
        return ends is not None and all(positions.get(partition, 0) >= end for partition, end in ends.items())
