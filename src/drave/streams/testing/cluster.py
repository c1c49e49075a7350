"""A Kafka in memory, as far as the engine sees it: topics, transactions, one consumer group, crashes.

    Cluster          topics and what is committed; it survives everything
    MemoryTransport  one process's way to it; what it has not committed dies with it

All on one thread: whoever joins or leaves makes the others commit and take their new places at once. `on_call` is told
of each call that a crash could fall before, and may raise Crash, or what the real one raises.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from drave.streams.errors import Fenced
from drave.streams.placement import partition_of, range_owner
from drave.streams.transport import Assignments, Committed, Headers, Message, NewTopic, Place

_CREATE_TIME: Final = 1
_ARRIVES: Final = 0.8
"""How probably one more of the records that a dying process had sent to a place has arrived there."""


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

    def __len__(self) -> int:
        return len(self._value or b"")

    def timestamp(self) -> tuple[int, int]:
        return _CREATE_TIME, self._timestamp_ms


@dataclass
class Cluster:
    """`partitions` is what a topic gets that is made by being written to."""

    partitions: int = 1
    topics: dict[str, list[list[StoredRecord]]] = field(default_factory=dict)
    committed: dict[Place, Committed] = field(default_factory=dict)
    members: list[MemoryTransport] = field(default_factory=list)
    purged: dict[Place, int] = field(default_factory=dict)
    """Records before these are still here, for tests to look at; who reads one ends with AssertionError."""

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

    def place(self, topic: str, key: bytes | None, partition: int | None) -> Place:
        """Where a record goes; the key decides, unless it is said."""
        self.create(topic, self.partitions)
        partitions = len(self.topics[topic])
        if partition is None:
            partition = partition_of(key or b"", partitions) if partitions > 1 else 0
        return topic, partition

    def log(self, place: Place) -> list[StoredRecord]:
        return self.topics[place[0]][place[1]]

    def portion(self, place: Place, start: int, records_max: int) -> list[StoredRecord]:
        """What a reader gets from `start` on."""
        first = self.purged.get(place, 0)
        assert start >= first, f"offset {start} of {place} is wanted, and all before {first} were purged"
        return self.log(place)[start : start + records_max]

    def rebalance(self) -> None:
        """Everybody gives up what they have, and is given its share of each topic, as Kafka's range assignor does."""
        for member in list(self.members):
            try:
                member.give_up()
            except Crash:
                self.members.remove(member)
                member.perish()
        names = sorted(member.name for member in self.members)
        for member in list(self.members):
            counts = {topic: len(self.topics[topic]) for topic in member.subscription}
            member.take_over(
                [
                    (topic, partition)
                    for topic, count in counts.items()
                    for partition in range(count)
                    if range_owner(partition, count, names) == member.name
                ]
            )


Record = tuple[str, "bytes | None", "bytes | None", int, Headers, "int | None"]


class MemoryTransport:
    """One process. With `exactly_once` what it produces appears when it commits.

    Else at once; or, when `chance` rules, when it flushes. Who dies before that has delivered a part of each place's.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str = "worker",
        *,
        exactly_once: bool = True,
        chance: random.Random | None = None,
        on_call: Callable[[str], None] = lambda call: None,
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.subscription: Sequence[str] = ()
        self.is_dead = False
        """Whether it died, perhaps in a call that another one's made: a rebalance."""
        self.aborts = 0
        """Transactions that were aborted so far."""
        self._exactly_once = exactly_once
        self._chance = chance
        self._on_call = on_call
        self._listener: Assignments | None = None
        self._positions: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._pending: list[Record] = []
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
        self.perish()
        if self in self.cluster.members:
            self.cluster.members.remove(self)
            self.cluster.rebalance()

    def perish(self) -> None:
        """It sends nothing any more."""
        self.is_dead = self._fenced = True
        self._deliver_some()
        self._pending.clear()

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
            portion = self.cluster.portion(place, start, records_max - len(found))
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
        return self.cluster.purged.get(place, 0)

    def stable_offset(self, place: Place) -> int:
        return len(self.cluster.log(place))

    def read(self, place: Place, start: int, end: int) -> Iterator[Sequence[Message]]:
        while start < end:
            self._on_call("read")
            records_max = 1000 if self._chance is None else self._chance.choice((1, 10, 1000))
            yield self.cluster.portion(place, start, min(records_max, end - start))
            start += records_max

    def following(self) -> MemoryFollowing:
        return MemoryFollowing(self.cluster, self._chance, self._on_call)

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
        record = topic, key, value, timestamp_ms, headers, partition
        if self._exactly_once or self._chance is not None:
            self._pending.append(record)
        else:
            self._on_call("produce")
            self._append(record)

    def flush(self) -> None:
        if not self._exactly_once:
            self._on_call("flush")
            self._deliver()

    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]:
        self._on_call("commit")
        if self._fenced:
            raise Fenced("another process has taken this one's place")
        self._deliver()
        self.cluster.committed.update(offsets)
        ends, self._ends = self._ends, {}
        self._on_call("committed already")
        return ends

    def abort(self) -> None:
        self.aborts += 1
        self._pending.clear()
        self._ends.clear()

    def purge(self, offsets: Mapping[Place, int]) -> None:
        self._on_call("purge")
        self.cluster.purged.update(offsets)

    def close(self) -> None:
        self._pending.clear()
        if self in self.cluster.members:
            self.cluster.members.remove(self)
            self._positions.clear()
            self.cluster.rebalance()

    def _deliver(self) -> None:
        pending, self._pending = self._pending, []
        for record in pending:
            self._append(record)

    def _deliver_some(self) -> None:
        """Of what was under way to each place the first few have arrived."""
        if self._chance is None or self._exactly_once:
            return
        arrived: dict[Place, bool] = {}
        for record in self._pending:
            place = self.cluster.place(record[0], record[1], record[5])
            arrived[place] = arrived.get(place, True) and self._chance.random() < _ARRIVES
            if arrived[place]:
                self._append(record)

    def _append(self, record: Record) -> None:
        place, end = self.cluster.append(*record)
        if record[5] is not None:
            self._ends[place] = end


class MemoryFollowing:
    """What is committed, some of it at a time when `chance` rules."""

    def __init__(self, cluster: Cluster, chance: random.Random | None, on_call: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._chance = chance
        self._on_call = on_call
        self._positions: dict[Place, int] = {}
        self._held: Set[Place] = frozenset()

    def follow(self, places: Mapping[Place, int]) -> None:
        self._on_call("follow")
        self._positions = dict(places)
        self._held = frozenset()

    def hold(self, places: Set[Place]) -> None:
        self._held = places

    def poll(self, wait_s: float, records_max: int) -> Sequence[Message]:
        if self._chance is not None:
            records_max = min(records_max, self._chance.choice((1, 10, records_max)))
        found: list[Message] = []
        for place in [place for place in self._positions if place not in self._held]:
            portion = self._cluster.portion(place, self._positions[place], records_max - len(found))
            found += portion
            self._positions[place] += len(portion)
        if found:
            self._on_call("followed")
        return found

    def reached(self, place: Place) -> int:
        position = self._positions.get(place, 0)
        return position if position == len(self._cluster.log(place)) else 0

    def close(self) -> None:
        self._positions = {}
