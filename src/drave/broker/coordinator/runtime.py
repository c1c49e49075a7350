"""The group coordinator: every group is looked after by the partition of `__consumer_offsets` that its id hashes to.

    handler ──→ Groups ──→ CoordinatorPartition ──→ GroupShard
                  │ which partition, is it there, is it loaded
                  └ timers, expiry, compaction: what happens without a request

The topic is created when first needed; a partition has no file before its first record, and is loaded at once then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from drave.broker.context import Pending
from drave.broker.coordinator.hashing import partition_for
from drave.broker.coordinator.kinds import GroupLimits
from drave.broker.coordinator.outcome import TimerName
from drave.broker.coordinator.partition import CoordinatorPartition, Refuse, Step
from drave.broker.coordinator.shard import GroupShard
from drave.broker.coordinator.timers import Deadlines
from drave.catalog import CONSUMER_OFFSETS, Change, Topic, TopicAlreadyExists
from drave.model.errors import DraveError, ErrorCode
from drave.model.settings import BrokerSettings

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.coordinator")

LOAD_WAIT_S: Final = 0.25
"""How long a start waits for partitions to be loaded. What takes longer goes on while the broker serves."""

Partition = CoordinatorPartition[GroupShard]


def offsets_topic_configs(settings: BrokerSettings) -> dict[str, str]:
    """What is set on `__consumer_offsets` itself: its records go when newer ones take their place, never with time."""
    return {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "segment.bytes": str(settings.offsets_segment_bytes),
    }


class Groups:
    """All groups of this broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._limits = group_limits(broker.settings)
        self._partitions: dict[int, Partition] = {}
        self._topic = broker.catalog.topic(CONSUMER_OFFSETS)
        self._count = self._topic.partitions if self._topic else broker.settings.offsets_topic_partitions
        """Kept for as long as the broker runs: were partitions added, groups would seem to lose their offsets."""
        self._creation = asyncio.Lock()
        self._deadlines = Deadlines(broker.scheduler, self._timer_fired)
        self._expiry: Any = None
        self._ended = False
        broker.catalog.subscribe(self._catalog_changed)

    # -- a broker's life

    async def start(self) -> None:
        """Load what is in the log. A small one is loaded when this returns."""
        self._expiry = self._broker.scheduler.call_later(self._check_interval_s, self._expire)
        await asyncio.wait([self._begin_loading()], timeout=LOAD_WAIT_S)

    def _begin_loading(self) -> asyncio.Future[None]:
        """Load the partitions that have records; the future says when that is done."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = [self._partition(index) for index in range(self._count) if self._has_records(index)]
        if waiting:
            self._broker.spawn(self._load(waiting, done), name="loading the groups")
        else:
            done.set_result(None)
        return done

    async def _load(self, partitions: list[Partition], done: asyncio.Future[None]) -> None:
        for partition in partitions:
            try:
                await partition.load()
            except DraveError:
                logger.exception("a partition of %s could not be loaded; its groups are not served", CONSUMER_OFFSETS)
        done.set_result(None)

    def _has_records(self, index: int) -> bool:
        log = None if self._topic is None else self._broker.logs.partition(self._topic.topic_id, index)
        return log is not None and log.end > log.start

    def end_waits(self) -> None:
        """Answer every parked request: clients look for another coordinator, and find this one when it is back."""
        self._ended = True
        self._deadlines.clear()
        if self._expiry is not None:
            self._expiry.cancel()
        for partition in self._partitions.values():
            partition.end(ErrorCode.NOT_COORDINATOR)

    # -- where a group is

    def partition_for(self, group_id: str) -> int:
        """The partition of `__consumer_offsets` that holds the group."""
        return partition_for(group_id, self._count)

    async def ensure_topic(self) -> Topic:
        """`__consumer_offsets`, created if it is not there."""
        async with self._creation:
            topic = self._topic
            if topic is None:
                topic = await self._create_topic()
                self._adopt(topic)
            return topic

    async def _create_topic(self) -> Topic:
        broker = self._broker
        configs = offsets_topic_configs(broker.settings)
        try:
            return await broker.catalog.create_topic(CONSUMER_OFFSETS, broker.entropy.topic_id(), self._count, configs)
        except TopicAlreadyExists:
            topic = broker.catalog.topic(CONSUMER_OFFSETS)
            assert topic is not None
            return topic

    def _adopt(self, topic: Topic) -> None:
        """The topic is there now. What was asked before found no groups, so nothing is lost with the partitions."""
        self._topic = topic
        self._count = topic.partitions
        self._partitions.clear()
        self._begin_loading()

    def _partition(self, index: int) -> Partition:
        partition = self._partitions.get(index)
        if partition is None:
            topic = self._topic
            partition = self._partitions[index] = CoordinatorPartition(
                GroupShard(self._limits),
                None if topic is None else self._broker.logs.partition(topic.topic_id, index),
                now_ms=self._broker.clock.wall_ms,
                change_timer=self._deadlines.change,
            )
            partition.ended = self._ended
        return partition

    def _catalog_changed(self, change: Change) -> None:
        if change.kind != "deleted":
            return
        if change.topic.name != CONSUMER_OFFSETS:
            for partition in self._partitions.values():
                if partition.unavailable is None:
                    partition.event(partition.machine.topic_deleted(change.topic.name, change.topic.topic_id))
            return
        # Somebody has taken all groups away with their topic: they begin anew, without members and offsets.
        partitions, self._partitions, self._topic = self._partitions, {}, None
        self._deadlines.clear()
        for partition in partitions.values():
            partition.end(ErrorCode.NOT_COORDINATOR)

    # -- requests

    def submit(self, group_id: str, step: Step[GroupShard], refuse: Refuse, *, writes: bool = False) -> Any:
        """Ask the group's machine. A response, a Pending, or, where the topic has to be created first, a coroutine.

        A step that may write when there is no group yet says so with `writes`; no other can.
        """
        if writes and self._topic is None:
            return self._submit_later(group_id, step, refuse)
        partition = self._partition(self.partition_for(group_id))
        answer = partition.submit(step, refuse)
        if partition.wants_compaction:
            self._broker.spawn(partition.compact(), name="compacting groups")
        return answer

    async def _submit_later(self, group_id: str, step: Step[GroupShard], refuse: Refuse) -> Any:
        try:
            await self.ensure_topic()
        except DraveError as error:
            logger.error("%s could not be created: %s", CONSUMER_OFFSETS, error)
            return refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        answer = self.submit(group_id, step, refuse)
        return await _answer(answer) if isinstance(answer, Pending) else answer

    def shard(self, group_id: str) -> GroupShard | ErrorCode:
        """The group's machine, to be read only; or why that cannot be done now."""
        partition = self._partition(self.partition_for(group_id))
        return partition.unavailable or partition.machine

    def shards(self) -> list[GroupShard] | ErrorCode:
        """All machines, to be read only; or why that cannot be done now."""
        for partition in self._partitions.values():
            if (code := partition.unavailable) is not None:
                return code
        return [partition.machine for partition in self._partitions.values()]

    def once_durable(self, response: Any, group_ids: Iterable[str] | None = None) -> Any:
        """The response to a request that has read these groups (None: all); a Pending until what it read is durable."""
        if group_ids is None:
            partitions = list(self._partitions.values())
        else:
            partitions = [self._partition(index) for index in {self.partition_for(each) for each in group_ids}]
        waits = [partition.once_durable(None) for partition in partitions]
        return gathered(waits, lambda _: response)

    # -- what happens by itself

    def _timer_fired(self, name: TimerName) -> None:
        _, group_id, _ = name
        self._partition(self.partition_for(group_id)).timer_fired(name)

    @property
    def _check_interval_s(self) -> float:
        return self._broker.settings.offsets_retention_check_interval_ms / 1000

    def _expire(self) -> None:
        now_ms = self._broker.clock.wall_ms()
        for partition in self._partitions.values():
            if partition.unavailable is None:
                partition.event(partition.machine.expire(now_ms))
        self._expiry = self._broker.scheduler.call_later(self._check_interval_s, self._expire)


def group_limits(settings: BrokerSettings) -> GroupLimits:
    """What the settings say about groups."""
    return GroupLimits(
        session_timeout_ms_min=settings.group_session_timeout_ms_min,
        session_timeout_ms_max=settings.group_session_timeout_ms_max,
        size_max=settings.group_size_max,
        initial_rebalance_delay_ms=settings.group_initial_rebalance_delay_ms,
        offset_metadata_max=settings.offset_metadata_bytes_max,
        offsets_retention_ms=settings.offsets_retention_minutes * 60_000,
    )


def gathered(answers: list[Any], combine: Callable[[list[Any]], Any]) -> Any:
    """`combine` of all answers, some of which may be Pending: its result, or a Pending."""
    open_answers = [answer for answer in answers if isinstance(answer, Pending)]
    if not open_answers:
        return combine(answers)
    whole = Pending()
    left = len(open_answers)

    def arrived(index: int, response: Any) -> None:
        nonlocal left
        answers[index] = response
        left -= 1
        if not left:
            whole.complete(combine(answers))

    for index, answer in enumerate(answers):
        if isinstance(answer, Pending):
            answer.attach(partial(arrived, index))
    return whole


async def _answer(pending: Pending) -> Any:
    answered = asyncio.get_running_loop().create_future()
    pending.attach(answered.set_result)
    try:
        return await answered
    finally:
        pending.cancel()
