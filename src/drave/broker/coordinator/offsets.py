"""The offsets that one group has committed.

    (topic, partition) → offset, leader epoch, note, when it was committed

The store changes only by replay; committing, deleting and expiring return records. Rules of expiry: KIP-211.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from drave.broker.coordinator.group import PartitionCheck
from drave.broker.coordinator.outcome import KeyValue
from drave.broker.coordinator.schemas.offsets_topic import OffsetCommitValue, offset_key, offset_value
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from drave.wire.messages.k09_offset_fetch import (
    OffsetFetchRequestTopics,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)

NO_OFFSET: Final = -1
NO_EPOCH: Final = -1
NO_NOTE: Final = ""

Place = tuple[str, int]
"""Topic and partition."""

IsCurrent = Callable[[str, bytes], bool]
"""Whether the topic of this name still has this id: an offset in a topic that was deleted says nothing about the next
one of its name."""


class GroupOffsets:
    """One group's offsets."""

    __slots__ = ("_committed", "_group_id")

    def __init__(self, group_id: str) -> None:
        self._group_id = group_id
        self._committed: dict[Place, OffsetCommitValue] = {}

    def __len__(self) -> int:
        return len(self._committed)

    def __contains__(self, place: Place) -> bool:
        return place in self._committed

    def put(self, place: Place, committed: OffsetCommitValue) -> None:
        self._committed[place] = committed

    def take_back(self, place: Place) -> None:
        self._committed.pop(place, None)

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """All of them; each is true at the moment when it is given."""
        for place in list(self._committed):
            committed = self._committed.get(place)
            if committed is not None:
                yield offset_key(self._group_id, *place), offset_value(committed)

    # -- reading

    def fetch(self, topics: list[OffsetFetchRequestTopics], is_current: IsCurrent) -> list[OffsetFetchResponseTopics]:
        """What is committed in these partitions; -1 where nothing is, or only for an older topic of that name."""
        return [
            OffsetFetchResponseTopics(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    _fetched(index, self._current((topic.name, index), is_current)) for index in topic.partition_indexes
                ],
            )
            for topic in topics
        ]

    def fetch_all(self, is_current: IsCurrent) -> list[OffsetFetchResponseTopics]:
        """Everything that is committed, by topic."""
        topics: dict[str, OffsetFetchResponseTopics] = {}
        for place in self._committed:
            committed = self._current(place, is_current)
            if committed is not None:
                name, index = place
                topic = topics.get(name)
                if topic is None:
                    topics[name] = topic = OffsetFetchResponseTopics(name=name, partitions=[])
                topic.partitions.append(_fetched(index, committed))
        return list(topics.values())

    def _current(self, place: Place, is_current: IsCurrent) -> OffsetCommitValue | None:
        committed = self._committed.get(place)
        if committed is None or committed.topic_id == ZERO_TOPIC_ID or is_current(place[0], committed.topic_id):
            return committed
        return None

    # -- taking back

    def delete_all(self) -> Iterator[KeyValue]:
        return map(self._tombstone, self._committed)

    def delete_topic(self, name: str, topic_id: bytes) -> Iterator[KeyValue]:
        """Take back what was committed in a topic that is no more."""
        for (topic, partition), committed in self._committed.items():
            if topic == name and committed.topic_id in (ZERO_TOPIC_ID, topic_id):
                yield self._tombstone((topic, partition))

    def expire(
        self, now_ms: int, retention_ms: int, empty_since_ms: int | None, is_in_use: Callable[[str], bool]
    ) -> list[KeyValue]:
        """Take back what has not been needed for the retention time: since the group became empty where that is known,
        else since the commit. What OffsetCommit v2 to v4 set a time of expiry for goes at that time."""
        expired = []
        for (topic, partition), committed in self._committed.items():
            if is_in_use(topic):
                continue
            expires_ms = committed.expire_timestamp
            if expires_ms == -1:
                expires_ms = (committed.commit_timestamp if empty_since_ms is None else empty_since_ms) + retention_ms
            if now_ms >= expires_ms:
                expired.append(self._tombstone((topic, partition)))
        return expired

    def _tombstone(self, place: Place) -> KeyValue:
        return offset_key(self._group_id, *place), None


def _fetched(index: int, committed: OffsetCommitValue | None) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=NO_OFFSET if committed is None else committed.offset,
        committed_leader_epoch=NO_EPOCH if committed is None else committed.leader_epoch,
        metadata=NO_NOTE if committed is None else committed.metadata,
    )


def commit_offsets(
    request: OffsetCommitRequest,
    now_ms: int,
    metadata_max: int,
    records: list[KeyValue],
    check: PartitionCheck | None = None,
) -> OffsetCommitResponse:
    """The records of a commit that its group accepts, perhaps not in all partitions, and the answer to it."""
    group_id = request.group_id
    expires_ms = -1 if request.retention_time_ms < 0 else now_ms + request.retention_time_ms
    topics = []
    for topic in request.topics:
        partitions = []
        for partition in topic.partitions:
            note = partition.committed_metadata or NO_NOTE
            code = ErrorCode.NONE
            if check is not None:
                code = check(TopicId(topic.topic_id), partition.partition_index)
            if len(note) > metadata_max:
                code = ErrorCode.OFFSET_METADATA_TOO_LARGE
            if code is ErrorCode.NONE:
                committed = OffsetCommitValue(
                    offset=partition.committed_offset,
                    leader_epoch=partition.committed_leader_epoch,
                    metadata=note,
                    commit_timestamp=now_ms,
                    expire_timestamp=expires_ms,
                    topic_id=topic.topic_id,
                )
                key = offset_key(group_id, topic.name, partition.partition_index)
                records.append((key, offset_value(committed)))
            partitions.append(OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code))
        topics.append(OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id, partitions=partitions))
    return OffsetCommitResponse(topics=topics)
