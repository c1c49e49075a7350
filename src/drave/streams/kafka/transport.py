"""The engine's way to a cluster: a consumer in the group, a producer, readers of changelogs, and topics.

    transactional id, group instance id    <app>-<worker>: a worker that restarts fences its own corpse, and takes its
                                           partitions back without a rebalance

What is undecided is waited for: offsets before they are told (KIP-447), and a changelog's end, since the markers of one
transaction reach its partitions one after the other. So restored state is never behind the offsets it belongs to.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from functools import partial
from typing import Final

from drave.client.connection import Connection
from drave.client.errors import ClientError
from drave.client.topics import TopicPartitionId, Topics
from drave.streams.errors import ClusterTrouble
from drave.streams.kafka.changelogs import Changelogs, Follower
from drave.streams.kafka.consuming import GroupConsumer
from drave.streams.kafka.patience import PAUSE_S, await_broker, patiently
from drave.streams.kafka.producing import Acknowledged, Sender, Transactional
from drave.streams.transport import Assignments, Committed, Message, NewTopic, Place

logger = logging.getLogger("drave.streams")

_VISIBLE_S_MAX: Final = 30.0
_EXISTS: Final = "TOPIC_ALREADY_EXISTS"


class KafkaTransport:
    """`Transport` to the cluster of `connection`, for the app `app`.

    `worker` is the name that this process keeps over restarts; None for one that keeps nothing, which then has no
    exactly once. Raises ClusterTrouble when no broker answers.
    """

    def __init__(self, connection: Connection, app: str, *, worker: str | None, exactly_once: bool = True) -> None:
        name = None if worker is None else f"{app}-{worker}"
        self.name = name or ""
        self._connection = connection
        self._app = app
        try:
            await_broker(connection)
            self._topics = Topics(connection)
            self._group = GroupConsumer(connection, app, name)
            self._sender: Sender
            if exactly_once:
                assert name is not None, "exactly once wants a worker's name"
                self._sender = Transactional(connection, self._ends, name, self._group.membership)
            else:
                self._sender = Acknowledged(connection, self._ends, self._group.commit)
        except ClientError as error:
            raise ClusterTrouble(str(error)) from None
        self._changelogs = Changelogs(connection, app)
        # the calls that are made for each record or turn are the parts' own
        self.produce = self._sender.produce
        self.poll = self._group.poll
        self.at_end = self._group.at_end
        self.end = self._group.end

    # -- topics

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        there = patiently(lambda: self._topics.all_partitions(internal=True), "list topics")
        counts = Counter(each.topic for each in there)
        return {topic: counts[topic] for topic in topics if topic in counts}

    def create_topics(self, topics: Sequence[NewTopic]) -> None:
        for topic in topics:
            patiently(partial(self._create, topic), f"create topic {topic.name}")
        missing = {topic.name for topic in topics}
        give_up = time.monotonic() + _VISIBLE_S_MAX
        while missing := missing - self.partition_counts(missing).keys():
            if time.monotonic() > give_up:
                raise ClusterTrouble(f"created, and still not to be seen: topic {', '.join(sorted(missing))}")
            time.sleep(PAUSE_S)

    def _create(self, topic: NewTopic) -> None:
        try:
            self._topics.create(topic.name, partitions=topic.partitions, configs=topic.configs)
        except ClientError as error:
            if error.name != _EXISTS:
                raise

    # -- the group

    def subscribe(self, topics: Sequence[str], listener: Assignments) -> None:
        """Ends what an earlier life of this worker has left, then joins."""
        self._sender.start()
        self._group.subscribe(topics, listener)

    def pause(self, places: Sequence[Place]) -> None:
        self._group.pause(places)

    def resume(self, places: Sequence[Place]) -> None:
        self._group.resume(places)

    def seek(self, place: Place, offset: int) -> None:
        self._group.seek(place, offset)

    def committed(self, places: Sequence[Place]) -> dict[Place, Committed]:
        return self._group.committed(places)

    # -- transactions

    def begin(self) -> None:
        self._sender.begin()

    def flush(self) -> None:
        self._sender.flush()

    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]:
        return self._sender.commit(offsets)

    def abort(self) -> None:
        self._sender.abort()

    # -- changelogs

    def start_offset(self, place: Place) -> int:
        from drave.client.librdkafka import OffsetSpec

        return self._offset(place, OffsetSpec.earliest())

    def stable_offset(self, place: Place) -> int:
        from drave.client.librdkafka import OffsetSpec

        end = self._offset(place, OffsetSpec.latest())
        while (stable := self._offset(place, OffsetSpec.latest(), read_committed=True)) < end:
            time.sleep(PAUSE_S)
        return stable

    def read(self, place: Place, start: int, end: int) -> Iterator[Sequence[Message]]:
        return self._changelogs.read(place, start, end)

    def following(self) -> Follower:
        return Follower(self._connection, f"{self._app}-standby")

    def purge(self, offsets: Mapping[Place, int]) -> None:
        from drave.client.librdkafka import TopicPartition

        asked = [TopicPartition(*place, offset) for place, offset in offsets.items()]
        for partition, future in self._topics.admin.delete_records(asked).items():
            future.add_done_callback(partial(_purged, f"{partition.topic}-{partition.partition}"))

    def _offset(self, place: Place, spec: object, *, read_committed: bool = False) -> int:
        where = TopicPartitionId(*place)
        return self._offsets({where: spec}, read_committed=read_committed)[where]

    def _offsets(
        self, asked: Mapping[TopicPartitionId, object], *, read_committed: bool = False
    ) -> dict[TopicPartitionId, int]:
        def ask() -> dict[TopicPartitionId, int]:
            try:
                return self._topics.offsets(asked, read_committed=read_committed)
            except ClientError:
                self._topics.all_partitions()  # librdkafka's admin client would ask the leaders of old for ever
                raise

        return patiently(ask, "look up offsets")

    def _ends(self, places: Set[Place]) -> dict[Place, int]:
        """Behind the last records there. Nobody else writes to a task's changelog what will ever count."""
        from drave.client.librdkafka import OffsetSpec

        asked = {TopicPartitionId(*place): OffsetSpec.latest() for place in places}
        return {(place.topic, place.partition): offset for place, offset in self._offsets(asked).items()}

    def close(self) -> None:
        try:
            self._group.close()  # the listener may commit once more
        finally:
            self._sender.close()
            self._changelogs.close()


def _purged(place: str, done: Future[object]) -> None:
    """On a thread of the admin client. What is left goes with the next purge."""
    if (error := done.exception()) is not None:
        logger.info("%s keeps what was processed for now: %s", place, error)
