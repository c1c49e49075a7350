"""A history, prepared for the laws: what may have happened to whatever is not there any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, NamedTuple, TypeVar

from drave.model.ids import TopicId
from simulation.history import (
    NEVER,
    Held,
    HeldTask,
    History,
    Mark,
    Moment,
    Partition,
    PartitionEnding,
    SeenBatch,
    SeenRecord,
    SentRecord,
    TopicChange,
    TopicChangeKind,
    Transaction,
)

NO_LIMIT: Final = 1 << 62
BEGINNING: Final = Moment(-1, -1)

H = TypeVar("H", Held, HeldTask)


class Write(NamedTuple):
    """A value that something may have been given, between two moments; `until` is `NEVER` if nobody knows whether."""

    value: object
    since: Moment
    until: Moment


def may_be(writes: Iterable[Write], value: object, asked: Moment, told: Moment) -> bool:
    """Whether somebody who asked then may be told this value: it was written before, and no other that was known to
    be written came wholly after it and wholly before the question."""
    certain = [each for each in writes if each.until < asked]
    last = max((each.since for each in certain), default=BEGINNING)
    return any(each.value == value and each.since < told and each.until >= last for each in writes)


def in_order(held: Iterable[H]) -> list[H]:
    """What members hold, in the order in which they were told so: some begin with it much later."""
    return sorted(held, key=lambda each: each.told)


class Facts:
    """One history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.ending = history.ending

    # -- what there is in the end

    @cached_property
    def there(self) -> dict[Partition, dict[int, SeenRecord]]:
        """Every record in the end, by its offset; no markers."""
        return {
            place: {record.offset: record for record in _records(found.batches)}
            for place, found in self.ending.partitions.items()
        }

    @cached_property
    def committed(self) -> dict[Partition, dict[int, SeenRecord]]:
        """What a reader of what is committed was given in the end."""
        return {
            place: {record.offset: record for record in found.committed}
            for place, found in self.ending.partitions.items()
        }

    @cached_property
    def committed_marks(self) -> set[Mark | None]:
        return {record.mark for found in self.committed.values() for record in found.values()}

    def sent(self, record: SeenRecord) -> SentRecord | None:
        """What is known of a record that somebody saw."""
        return None if record.mark is None else self.history.records.get(record.mark)

    # -- what may be gone

    @cached_property
    def changes(self) -> dict[str, list[TopicChange]]:
        """What was done to each topic, unless it was refused."""
        found: dict[str, list[TopicChange]] = defaultdict(list)
        for change in self.history.topic_changes:
            if change.may_have_happened:
                found[change.topic].append(change)
        return found

    def is_fleeting(self, topic: str) -> bool:
        """Whether a topic may have been deleted at some time."""
        return any(change.kind is TopicChangeKind.DELETE for change in self.changes[topic])

    def is_deleted(self, topic: str, topic_id: TopicId) -> bool:
        """Whether this life of a topic may have been ended."""
        return any(
            change.kind is TopicChangeKind.DELETE and change.topic_id in (None, topic_id)
            for change in self.changes[topic]
        )

    def config(self, topic: str, name: str) -> str:
        found = self.ending.topics.get(topic)
        return found.configs.get(name, "") if found else ""

    def is_compacted(self, topic: str) -> bool:
        return "compact" in self._configs_ever(topic, "cleanup.policy")

    def is_brief(self, topic: str) -> bool:
        """Whether a topic forgets by itself."""
        return bool(self._configs_ever(topic, "retention.ms") or self._configs_ever(topic, "retention.bytes"))

    def delay_ms(self, topic: str) -> int:
        """How old a topic's records are before anybody sees them."""
        # making the topic may have been asked for more than once, for the same delay
        return max(map(int, self._configs_ever(topic, "drave.delivery.delay.ms").split()), default=0)

    def _configs_ever(self, topic: str, name: str) -> str:
        return " ".join(change.configs.get(name) or "" for change in self.changes[topic]).strip()

    @cached_property
    def trim_limits(self) -> dict[Partition, int]:
        """Up to where somebody may have deleted each partition's records."""
        found: dict[Partition, int] = defaultdict(int)
        for trim in self.history.trims:
            if trim.may_have_happened:
                limit = trim.before if trim.before >= 0 else trim.low_watermark if trim.is_done else NO_LIMIT
                found[trim.partition] = max(found[trim.partition], limit)
        return found

    def trim_limit(self, place: Partition) -> int:
        return NO_LIMIT if self.is_brief(place.topic) else self.trim_limits.get(place, 0)

    def may_be_gone(self, sent: SentRecord, offset: int) -> bool:
        """Whether a record that was at an offset may be there no more."""
        place = sent.partition
        if offset < self.trim_limit(place) or self.is_deleted(place.topic, place.topic_id):
            return True
        return self.is_compacted(place.topic) and self._is_superseded(sent, offset)

    def _is_superseded(self, sent: SentRecord, offset: int) -> bool:
        """By compaction: the newest record of a key stays, a tombstone for a while."""
        if sent.value is None or (sent.transaction is not None and not sent.transaction.is_committed):
            return True
        if any(at > offset and each.key == sent.key for at, each in self.committed[sent.partition].items()):
            return True
        return any(
            (each.offset < 0 or each.offset > offset) and counts(each)
            for each in self.tombstones.get((sent.partition, sent.key), ())
        )

    @cached_property
    def tombstones(self) -> dict[tuple[Partition, bytes | None], list[SentRecord]]:
        found: dict[tuple[Partition, bytes | None], list[SentRecord]] = defaultdict(list)
        for each in self.history.records.values():
            if each.value is None and each.key is not None and each.may_have_happened:
                found[each.partition, each.key].append(each)
        return found

    # -- transactions

    @cached_property
    def records_of(self) -> dict[str, list[SentRecord]]:
        """The records of each transaction, by its name."""
        found: dict[str, list[SentRecord]] = defaultdict(list)
        for each in self.history.records.values():
            if each.transaction is not None:
                found[each.transaction.name].append(each)
        return found

    def ended_since(self, transaction: Transaction) -> tuple[Moment, int]:
        """The first moment, and the first millisecond, at which it may have been ended by anybody."""
        asked = [transaction.asked] if transaction.commit is not None else []
        asked += [
            fence.asked
            for fence in self.history.fences
            if fence.transactional_id == transaction.transactional_id
            and fence.told > transaction.begun  # one that was never answered may come late
        ]
        return min(asked, default=NEVER), transaction.begun.ms + transaction.timeout_ms


def counts(sent: SentRecord) -> bool:
    """Whether a record may be one that readers of what is committed see."""
    return sent.may_have_happened and (sent.transaction is None or sent.transaction.may_be_committed)


def _records(batches: Iterable[SeenBatch]) -> Iterator[SeenRecord]:
    for batch in batches:
        if not batch.control:
            yield from batch.records


__all__ = ["Facts", "PartitionEnding", "Write", "counts", "in_order", "may_be"]
