"""What the engine needs of a Kafka cluster: a seam of some dozen dull methods.

    kafka/      librdkafka: one consumer in the app's group, one (transactional) producer, one reader of changelogs
    testing/    topics in memory, with the same transactions and the same crashes, for `app.test()`

One thread calls it. Places are `(topic, partition)`. What is produced between `begin` and `commit` becomes visible
together with the offsets, or not at all, when the guarantee is exactly once; with at least once it becomes visible as
it goes, and `commit` first waits until all of it is acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

Place = tuple[str, int]
Headers = Sequence[tuple[str, bytes | None]]


class Message(Protocol):
    """A record as read; confluent-kafka's own `Message` is one, and what its methods give is what is given here."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Headers | None: ...
    def __len__(self) -> int:
        """Bytes of its value."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Its kind and the milliseconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a place was processed, and what the engine wants to know there after a restart."""

    offset: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic that the app makes for itself. `partitions` is exact: what is co-partitioned must stay so."""

    name: str
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)


class Assignments(Protocol):
    """Who wants to know which places are ours. Called from inside `poll` and `close`, on the engine's thread."""

    def assigned(self, places: Sequence[Place]) -> None:
        """They are ours from now on."""
        ...

    def revoked(self, places: Sequence[Place]) -> None:
        """They go to another process after this returns: commit now."""
        ...

    def lost(self, places: Sequence[Place]) -> None:
        """They may be another's already: nothing of them may be committed any more."""
        ...


class Following(Protocol):
    """Committed records of some places, and those that come; without a group."""

    def follow(self, places: Mapping[Place, int]) -> None:
        """From now on these, each from the offset that is given, and no others."""
        ...

    def hold(self, places: Set[Place]) -> None:
        """Of these nothing for now; of all others whatever comes."""
        ...

    def poll(self, wait_s: float, records_max: int) -> Sequence[Message]:
        """What came, in order per place; waits for the first only."""
        ...

    def reached(self, place: Place) -> int:
        """Where the end was when it was met last: whatever lies before it has been returned. 0 when it never was."""
        ...

    def close(self) -> None:
        """Follow nothing any more."""
        ...


class Transport(Protocol):
    """One process's way to the cluster. Raises StreamsError's kinds, and nothing of a client library's."""

    @property
    def name(self) -> str:
        """Who this process is in the group."""
        ...

    def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Of those that exist."""
        ...

    def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """Those that exist already are left as they are."""
        ...

    def subscribe(self, topics: Sequence[str], listener: Assignments) -> None:
        """Join the app's group. What becomes ours is told to `listener`."""
        ...

    def poll(self, records_max: int, timeout_s: float) -> Sequence[Message]:
        """What came, in order per place; of paused places nothing. Listeners are called from here."""
        ...

    def at_end(self, place: Place) -> bool:
        """Whether everything that was there at the last look has been returned by `poll`."""
        ...

    def end(self, place: Place) -> int | None:
        """The end of a place that is ours, as far as it is known without asking."""
        ...

    def pause(self, places: Sequence[Place]) -> None:
        """Of these nothing comes until `resume`."""
        ...

    def resume(self, places: Sequence[Place]) -> None:
        """Go on where they were paused."""
        ...

    def seek(self, place: Place, offset: int) -> None:
        """Of this place the record at `offset` comes next."""
        ...

    def committed(self, places: Sequence[Place]) -> dict[Place, Committed]:
        """Of those that have been committed. With exactly once it waits for a transaction that is still undecided."""
        ...

    def begin(self) -> None:
        """A transaction, unless one is open; with at least once nothing."""
        ...

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Queue one record; waits while the queue is full. Without a partition the key decides, as in Java."""
        ...

    def flush(self) -> None:
        """With at least once, wait until everything produced is acknowledged; with exactly once nothing.

        Raises Aborted or ClusterTrouble.
        """
        ...

    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]:
        """Everything produced is acknowledged, then the offsets are committed, then the transaction.

        The result says, for every place that was produced to with an explicit partition since the last commit, an
        offset behind its last record, where a reader can go on. (The marker of the transaction takes one too.) Raises
        Aborted when the transaction can be tried again from the committed offsets, Fenced when another process has
        taken this one's place.
        """
        ...

    def abort(self) -> None:
        """Undo what was produced since `begin`. With at least once it only forgets what is still queued."""
        ...

    def start_offset(self, place: Place) -> int: ...
    def stable_offset(self, place: Place) -> int:
        """The last stable offset: where a `read_committed` reader ends."""
        ...

    def read(self, place: Place, start: int, end: int) -> Iterator[Sequence[Message]]:
        """Committed records from `start` up to `end`, without a group, in portions; an empty one means "not yet"."""
        ...

    def following(self) -> Following:
        """Its caller closes it."""
        ...

    def purge(self, offsets: Mapping[Place, int]) -> None:
        """Records before these are needed by nobody any more. It waits for nothing, and may fail in silence."""
        ...

    def close(self) -> None:
        """Leave the group. What was not committed is lost."""
        ...
