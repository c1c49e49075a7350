"""Administrators: topics come, grow, change and go; records are deleted; groups too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k19_create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from drave.wire.messages.k21_delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from drave.wire.messages.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.reading import EARLIEST, LATEST, look_up
from simulation.history import Asked, GroupDeleted, Outcome, Partition, TopicChange, TopicChangeKind, Trimmed

TOPIC_RESOURCE: Final = 2
GROUP_RESOURCE: Final = 32
SET: Final = 0
DELETE: Final = 1
UNSURE: Final = frozenset((ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.REQUEST_TIMED_OUT, ErrorCode.KAFKA_STORAGE_ERROR))
BY_ID_SINCE: Final = 6


class Administrator:
    """Asks for changes, each once or until it is answered, and says what it was told."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    async def _once(self, request: Any) -> Any:
        """The reply; None when there was none."""
        try:
            return await self.caller.ask(request)
        except Unanswered:
            await self.caller.back_off()
            return None

    def _tell(self, operation: Asked, code: int) -> bool:
        if code == ErrorCode.NONE:
            self.caller.history.tell(operation, Outcome.DONE)
        elif code not in UNSURE:
            self.caller.history.tell(operation, Outcome.REFUSED)
        return code == ErrorCode.NONE

    def _change(self, kind: TopicChangeKind, topic: str, **more: Any) -> TopicChange:
        history = self.caller.history
        change = TopicChange(by=self.caller.name, asked=history.now(), kind=kind, topic=topic, **more)
        history.topic_changes.append(change)
        return change

    # -- topics

    async def create(self, topic: str, partitions: int, configs: Mapping[str, str]) -> None:
        """Until it is there."""
        while True:
            change = self._change(TopicChangeKind.CREATE, topic, partitions=partitions, configs=dict(configs))
            request = CreateTopicsRequest(
                topics=[
                    CreatableTopic(
                        name=topic,
                        num_partitions=partitions,
                        replication_factor=1,
                        assignments=[],
                        configs=[CreatableTopicConfig(name=name, value=value) for name, value in configs.items()],
                    )
                ]
            )
            reply = await self._once(request)
            if reply is not None:
                (result,) = reply.topics
                if self._tell(change, result.error_code):
                    if self.caller.version(ApiKey.CREATE_TOPICS) >= 7:
                        change.topic_id = TopicId(result.topic_id)
                    return
                if result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS:
                    return
                if result.error_code not in TRY_AGAIN:
                    code = ErrorCode(result.error_code)
                    self.caller.history.complain(self.caller.name, code, f"{topic}: {result.error_message}")
                await self.caller.back_off()

    async def delete(self, topic: str) -> None:
        """Once; it may be there no more."""
        known = (await self.caller.partitions(topic)).get(topic)
        if not known:
            return
        topic_id = known[0].topic_id
        by_id = self.caller.version(ApiKey.DELETE_TOPICS) >= BY_ID_SINCE
        change = self._change(TopicChangeKind.DELETE, topic, topic_id=topic_id if by_id else None)
        request = DeleteTopicsRequest(
            topics=[DeleteTopicState(topic_id=topic_id)], topic_names=[topic], timeout_ms=10_000
        )
        reply = await self._once(request)
        if reply is not None:
            self._tell(change, reply.responses[0].error_code)

    async def grow(self, topic: str) -> None:
        known = (await self.caller.partitions(topic)).get(topic)
        if not known:
            return
        count = len(known) + 1
        change = self._change(TopicChangeKind.GROW, topic, topic_id=known[0].topic_id, partitions=count)
        request = CreatePartitionsRequest(
            topics=[CreatePartitionsTopic(name=topic, count=count, assignments=None)],
            timeout_ms=10_000,
            validate_only=False,
        )
        reply = await self._once(request)
        if reply is not None:
            self._tell(change, reply.results[0].error_code)

    async def alter(self, topic: str, configs: Mapping[str, str | None]) -> None:
        """Set or, with None, unset some configs of a topic."""
        change = self._change(TopicChangeKind.ALTER, topic, configs=dict(configs))
        request = IncrementalAlterConfigsRequest(
            resources=[
                AlterConfigsResource(
                    resource_type=TOPIC_RESOURCE,
                    resource_name=topic,
                    configs=[
                        AlterableConfig(name=name, config_operation=DELETE if value is None else SET, value=value)
                        for name, value in configs.items()
                    ],
                )
            ],
            validate_only=False,
        )
        reply = await self._once(request)
        if reply is not None:
            self._tell(change, reply.responses[0].error_code)

    async def set_group(self, group: str, configs: Mapping[str, str]) -> None:
        """Set some configs of a group, until that is answered."""
        request = IncrementalAlterConfigsRequest(
            resources=[
                AlterConfigsResource(
                    resource_type=GROUP_RESOURCE,
                    resource_name=group,
                    configs=[
                        AlterableConfig(name=name, config_operation=SET, value=value) for name, value in configs.items()
                    ],
                )
            ],
            validate_only=False,
        )
        while (reply := await self._once(request)) is None or reply.responses[0].error_code in TRY_AGAIN:
            await self.caller.back_off()

    # -- what is in them

    async def trim(self, place: Partition, before: int) -> None:
        """DeleteRecords, once."""
        history = self.caller.history
        trimmed = Trimmed(by=self.caller.name, asked=history.now(), partition=place, before=before)
        history.trims.append(trimmed)
        request = DeleteRecordsRequest(
            topics=[
                DeleteRecordsTopic(
                    name=place.topic, partitions=[DeleteRecordsPartition(partition_index=place.index, offset=before)]
                )
            ],
            timeout_ms=10_000,
        )
        reply = await self._once(request)
        if reply is not None:
            answer = reply.topics[0].partitions[0]
            if self._tell(trimmed, answer.error_code):
                trimmed.low_watermark = answer.low_watermark

    async def trim_some(self, topic: str) -> None:
        """Delete some of what one of a topic's partitions holds."""
        random = self.caller.random
        known = (await self.caller.partitions(topic)).get(topic)
        if not known:
            return
        place = random.choice(known)
        starts = await look_up(self.caller, [place], EARLIEST)
        ends = await look_up(self.caller, [place], LATEST)
        if place in starts and place in ends:
            start, end = starts[place].offset, ends[place].offset
            if start < end:
                await self.trim(place, -1 if random.random() < 0.1 else random.randint(start, end))

    async def delete_group(self, group: str) -> None:
        history = self.caller.history
        deleted = GroupDeleted(by=self.caller.name, asked=history.now(), group=group)
        history.group_deletions.append(deleted)
        reply = await self._once(DeleteGroupsRequest(groups_names=[group]))
        if reply is not None:
            self._tell(deleted, reply.results[0].error_code)
