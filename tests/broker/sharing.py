"""Members of share groups, without groups: what a share group does for them is done by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from drave.broker.coordinator.share.state import SharePartition
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k78_share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
    ShareFetchRequest,
)
from drave.wire.messages.k79_share_acknowledge import AcknowledgementBatch as AcknowledgeBatch
from drave.wire.messages.k79_share_acknowledge import AcknowledgePartition, AcknowledgeTopic, ShareAcknowledgeRequest
from tests.broker.still import Call, StillBroker

T = TypeVar("T")

GAP, ACCEPT, RELEASE, REJECT, RENEW = range(5)

Batch = tuple[int, int, int | Sequence[int]]
"""First offset, last offset, and what is said of all of them, or of each."""


async def subscribe(
    still: StillBroker, topic: Topic, *, group: str = "work", start: int = 0, state_epoch: int = 1
) -> Mapping[SharePartition, ErrorCode]:
    """What a share group does when it has a new topic; -1 lets the first fetch find out where to begin."""
    starts = {SharePartition(topic.topic_id, index): start for index in range(topic.partitions)}
    return await durably(still, still.broker.share_states.initialize(group, starts, state_epoch=state_epoch))


async def durably(still: StillBroker, work: Coroutine[Any, Any, T]) -> T:
    """What comes of work that waits until it is durable."""
    task = asyncio.create_task(work)
    while not task.done():
        await asyncio.sleep(0)
        still.commit()
    return task.result()


async def settle(still: StillBroker) -> None:
    """What the broker does beside requests is done, and durable."""
    for _ in range(20):
        await asyncio.sleep(0)
        still.commit()


class Member:
    """One member of a share group, with its session's epoch."""

    def __init__(self, still: StillBroker, topic: Topic, *, name: str = "a", group: str = "work") -> None:
        self.still = still
        self.topic = topic
        self.name = name
        self.group = group
        self.epoch = 0

    def request(self, *said: Batch, partitions: Sequence[int] | None = None, **options: Any) -> ShareFetchRequest:
        """A ShareFetch of all partitions of the topic; what is said is of the first one."""
        epoch = options.pop("epoch", self.epoch)
        batches = [AcknowledgementBatch(first_offset=a, last_offset=b, acknowledge_types=types(t)) for a, b, t in said]
        named = range(self.topic.partitions) if partitions is None else partitions
        forgotten = options.pop("forgotten", ())
        values = {"max_wait_ms": 0, "min_bytes": 1, "max_records": 500, "batch_size": 500} | options
        return ShareFetchRequest(
            group_id=self.group,
            member_id=self.name,
            share_session_epoch=epoch,
            topics=[
                FetchTopic(
                    topic_id=self.topic.topic_id,
                    partitions=[
                        FetchPartition(partition_index=index, acknowledgement_batches=batches if not index else [])
                        for index in named
                    ],
                )
            ]
            if epoch == 0 or batches
            else [],
            forgotten_topics_data=[ForgottenTopic(topic_id=self.topic.topic_id, partitions=list(forgotten))]
            if forgotten
            else [],
            **values,
        )

    def send(self, *said: Batch, version: int = 2, **options: Any) -> Call:
        """A ShareFetch that may wait."""
        call = self.still.send(self.request(*said, **options), version)
        self.epoch += 1
        return call

    def fetch(self, *said: Batch, version: int = 2, **options: Any) -> list[PartitionData]:
        """The partitions that a ShareFetch answers with, once what was said is durable."""
        call = self.send(*said, version=version, **options)
        if not call.is_answered:
            self.still.commit()
        assert call.response.error_code == 0, call.response
        return [partition for topic in call.response.responses for partition in topic.partitions]

    def take(self, *said: Batch, **options: Any) -> list[tuple[int, int, int]]:
        """What it acquires of partition 0: first and last offset, and which delivery it is."""
        return [
            (each.first_offset, each.last_offset, each.delivery_count)
            for part in self.fetch(*said, **options)
            if part.partition_index == 0
            for each in part.acquired_records
        ]

    def acknowledge(self, *said: Batch, version: int = 2, **options: Any) -> Any:
        """The answer to a ShareAcknowledge, once it is durable."""
        return self.still.ask(self.acknowledgement(*said, **options), version)

    async def give_up(self, *said: Batch, **options: Any) -> int:
        """The error code of a ShareAcknowledge of partition 0 whose answer waits for dead letters."""
        call = self.still.send(self.acknowledgement(*said, **options), 2)
        await settle(self.still)
        code: int = call.response.responses[0].partitions[0].error_code
        return code

    def acknowledgement(self, *said: Batch, partition: int = 0, **options: Any) -> ShareAcknowledgeRequest:
        """A ShareAcknowledge of one partition."""
        epoch = options.pop("epoch", self.epoch)
        batches = [AcknowledgeBatch(first_offset=a, last_offset=b, acknowledge_types=types(t)) for a, b, t in said]
        request = ShareAcknowledgeRequest(
            group_id=self.group,
            member_id=self.name,
            share_session_epoch=epoch,
            topics=[
                AcknowledgeTopic(
                    topic_id=self.topic.topic_id,
                    partitions=[AcknowledgePartition(partition_index=partition, acknowledgement_batches=batches)],
                )
            ],
            **options,
        )
        self.epoch += 1
        return request

    def say(self, *said: Batch, **options: Any) -> int:
        """The error code of a ShareAcknowledge of partition 0."""
        response = self.acknowledge(*said, **options)
        assert response.error_code == 0, response
        code: int = response.responses[0].partitions[0].error_code
        return code


def types(said: int | Sequence[int]) -> list[int]:
    return [said] if isinstance(said, int) else list(said)
