"""Fetch requests, sent and answered, in as few words as a test wants to spend on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drave import records
from drave.catalog import Topic
from drave.wire.messages.k01_fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from tests.broker.still import Call, StillBroker

BY_NAME, BY_ID = 12, 18
VERSIONS = (4, 7, BY_NAME, 13, BY_ID)
READ_COMMITTED = 1
MUCH = 1 << 20


def part(index: int, offset: int, *, bytes_max: int = MUCH, epoch: int = -1, last_epoch: int = -1) -> FetchPartition:
    return FetchPartition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=bytes_max,
        current_leader_epoch=epoch,
        last_fetched_epoch=last_epoch,
    )


def fetch(
    *asked: tuple[Topic, Sequence[FetchPartition]],
    by_id: bool = False,
    wait_ms: int = 0,
    bytes_min: int = 1,
    bytes_max: int = 1 << 24,
    isolation: int = 0,
    session: int = 0,
    epoch: int = -1,
    forget: Iterable[tuple[Topic, Sequence[int]]] = (),
) -> FetchRequest:
    return FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=bytes_min,
        max_bytes=bytes_max,
        isolation_level=isolation,
        session_id=session,
        session_epoch=epoch,
        topics=[
            FetchTopic(topic_id=topic.topic_id, partitions=list(parts))
            if by_id
            else FetchTopic(topic=topic.name, partitions=list(parts))
            for topic, parts in asked
        ],
        forgotten_topics_data=[
            ForgottenTopic(topic_id=topic.topic_id, partitions=list(parts))
            if by_id
            else ForgottenTopic(topic=topic.name, partitions=list(parts))
            for topic, parts in forget
        ],
    )


def send(still: StillBroker, request: FetchRequest, version: int = BY_NAME) -> Call:
    return still.send(request, version)


def ask(still: StillBroker, request: FetchRequest, version: int = BY_NAME) -> FetchResponse:
    """The response to a fetch that need not wait."""
    return still.send(request, version).response


def partitions(response: FetchResponse) -> list[PartitionData]:
    return [data for topic in response.responses for data in topic.partitions]


def bases(data: PartitionData) -> list[int]:
    """The base offsets of the batches, all of which are whole."""
    return [header.base_offset for header, _ in records.split(bytes(data.records or b""))]


def seen(response: FetchResponse) -> list[tuple[int, list[int]]]:
    """Each partition with the base offsets of its batches."""
    return [(data.partition_index, bases(data)) for data in partitions(response)]


def only(response: FetchResponse) -> PartitionData:
    (data,) = partitions(response)
    return data


def sizes(still: StillBroker, topic: Topic, partition: int = 0) -> list[int]:
    return [len(batch) for batch in still.batches(topic, partition)]


ALL = [part(0, 0), part(1, 0), part(2, 0)]
