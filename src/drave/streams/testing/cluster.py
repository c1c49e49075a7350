"""A Kafka in memory, as far as the engine sees it: topics, transactions, one consumer group, crashes.

    Cluster          topics and what is committed; it survives everything
    MemoryTransport  one process's way to it; what it has not committed dies with it

All on one thread: whoever joins or leaves makes the others commit and take their new places at once. `on_call` is told
of each call that a crash could fall before, and may raise Crash, or what the real one raises.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from drave.streams.errors import Fenced
from drave.streams.placement import partition_of
from drave.streams.transport import Assignments, Committed, Headers, Message, NewTopic, Place

_CREATE_TIME: Final = 1


class Crash(BaseException):
    """The process dies in the middle of a call."""


class StoredRecord:
    """A record as it lies in a topic; a `Message`."""

    __slots__ = ("_headers", "_key", "_offset", "_place", "_timestamp_ms", "_value")

    def __init__(
        self, place: Place, offset: int, key: bytes | None, value: bytes | None, timestamp_ms: int, headers: Headers
    ) -> None:
        self._place = place
        self._offset = offset
        self._key = key
        self._value = value
        self._timestamp_ms = timestamp_ms
        self._headers = headers

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers or None

    def timestamp(self) -> tuple[int, int]:
        return _CREATE_TIME, self._timestamp_ms


@dataclass
class Cluster:
    """`partitions` is what a topic gets that is made by being written to."""

    partitions: int = 1
    topics: dict[str, list[list[StoredRecord]]] = field(default_factory=dict)
    committed: dict[Place, Committed] = field(default_factory=dict)
    members: list[MemoryTransport] = field(default_factory=list)

    def create(self, topic: str, partitions: int) -> None:
        if topic not in self.topics:
            self.topics[topic] = [[] for _ in range(partitions)]

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers = (),
        partition: int | None = None,
    ) -> tuple[Place, int]:
        """Where it lies, and the offset behind it."""
        self.create(topic, self.partitions)
        logs = self.topics[topic]
        if partition is None:
            partition = partition_of(key or b"", len(logs))
        place = topic, partition
        log = logs[partition]
        log.append(StoredRecord(place, len(log), key, value, timestamp_ms, headers))
        return place, len(log)

    def log(self, place: Place) -> list[StoredRecord]:
        return self.topics[place[0]][place[1]]

    def rebalance(self) -> None:
        """Everybody gives up what they have, and is given its share of each topic, as Kafka's range assignor does."""
        for member in list(self.members):
            try:
                member.give_up()
            except Crash:
                member.is_dead = True
                self.members.remove(member)
        for index, member in enumerate(self.members):
            share: list[Place] = []
            for topic in member.subscription:
                count = len(self.topics[topic])
                each, more = divmod(count, len(self.members))
                first = index * each + min(index, more)
                share += [(topic, partition) for partition in range(first, first + each + (index < more))]
            member.take_over(share)


class MemoryTransport:
    """One process. With `exactly_once` what it produces appears when it commits; else at once."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        exactly_once: bool = True,
        chance: random.Random | None = None,
        on_call: Callable[[str], None] = lambda call: None,
    ) -> None:
        self.cluster = cluster
        self.subscription: Sequence[str] = ()
        self.is_dead = False
        """Whether it died in a call that another one's made: a rebalance."""
        self.aborts = 0
        """Transactions that were aborted so far."""
        self._exactly_once = exactly_once
        self._chance = chance
        self._on_call = on_call
        self._listener: Assignments | None = None
        self._positions: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._pending: list[tuple[str, bytes | None, bytes | None, int, Headers, int | None]] = []
        self._ends: dict[Place, int] = {}
        self._fenced = False

    # -- topics

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        return {topic: len(self.cluster.topics[topic]) for topic in topics if topic in self.cluster.topics}

    def create_topics(self, topics: Sequence[NewTopic]) -> None:
        self._on_call("create_topics")
        for topic in topics:
            self.cluster.create(topic.name, topic.partitions)

    # -- the group

    def subscribe(self, topics: Sequence[str], listener: Assignments) -> None:
        self._on_call("subscribe")
        self.subscription = topics
        self._listener = listener
        self.cluster.members.append(self)
        self.cluster.rebalance()

    def give_up(self) -> None:
        """The group is being rebalanced."""
        places = list(self._positions)
        if places and self._listener is not None:
            self._listener.revoked(places)
        self._positions.clear()
        self._paused.clear()

    def take_over(self, places: Sequence[Place]) -> None:
        self._positions = {
            place: committed.offset if (committed := self.cluster.committed.get(place)) else 0 for place in places
        }
        assert self._listener is not None
        self._listener.assigned(places)

    def die(self) -> None:
        """What it holds is forgotten, and the group goes on without it."""
        self._fenced = True
        self._pending.clear()
        if self in self.cluster.members:
            self.cluster.members.remove(self)
            self.cluster.rebalance()

    # -- reading

    def poll(self, records_max: int, timeout_s: float) -> Sequence[Message]:
        self._on_call("poll")
        places = [place for place in self._positions if place not in self._paused]
        if self._chance is not None:
            self._chance.shuffle(places)
            records_max = min(records_max, self._chance.choice((1, 2, 5, 100, records_max)))
        found: list[Message] = []
        for place in places:
            start = self._positions[place]
            portion = self.cluster.log(place)[start : start + records_max - len(found)]
            found += portion
            self._positions[place] = start + len(portion)
        return found

    def at_end(self, place: Place) -> bool:
        return self._positions[place] >= len(self.cluster.log(place))

    def end(self, place: Place) -> int | None:
        return len(self.cluster.log(place))

    def pause(self, places: Sequence[Place]) -> None:
        self._paused.update(places)

    def resume(self, places: Sequence[Place]) -> None:
        self._paused.difference_update(places)

    def seek(self, place: Place, offset: int) -> None:
        self._positions[place] = offset

    def committed(self, places: Sequence[Place]) -> dict[Place, Committed]:
        self._on_call("committed")
        return {place: self.cluster.committed[place] for place in places if place in self.cluster.committed}

    def start_offset(self, place: Place) -> int:
        return 0

    def stable_offset(self, place: Place) -> int:
        return len(self.cluster.log(place))

    def read(self, place: Place, start: int, end: int) -> Iterator[Sequence[Message]]:
        while start < end:
            self._on_call("read")
            records_max = 1000 if self._chance is None else self._chance.choice((1, 10, 1000))
            yield self.cluster.log(place)[start : min(start + records_max, end)]
            start += records_max

    # -- writing

    def begin(self) -> None:
        pass

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        if self._exactly_once:
            self._pending.append((topic, key, value, timestamp_ms, headers, partition))
        else:
            self._on_call("produce")
            self._append(topic, key, value, timestamp_ms, headers, partition)

    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]:
        self._on_call("commit")
        if self._fenced:
            raise Fenced("another process has taken this one's place")
        for record in self._pending:
            self._append(*record)
        self._pending.clear()
        self.cluster.committed.update(offsets)
        ends, self._ends = self._ends, {}
        self._on_call("committed already")
        return ends

    def abort(self) -> None:
        self.aborts += 1
        self._pending.clear()
        self._ends.clear()

    def close(self) -> None:
        self._pending.clear()
        if self in self.cluster.members:
            self.cluster.members.remove(self)
            self._positions.clear()
            self.cluster.rebalance()

    def _append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers,
        partition: int | None,
    ) -> None:
        place, end = self.cluster.append(topic, key, value, timestamp_ms, headers, partition)
        if partition is not None:
            self._ends[place] = end
