"""A coordinator: state machines over the partitions of one internal topic. A key (a group's id, a transactional id) is
looked after by the partition that it hashes to.

    handler ──→ Coordinator ──→ CoordinatorPartition ──→ its machine
                  │ which partition, is it there, is it loaded
                  └ timers, expiry, compaction: what happens without a request

The topic is created when first needed; a partition has no file before its first record, and is loaded at once then.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from drave.broker.context import Pending
from drave.broker.coordinator.hashing import partition_for
from drave.broker.coordinator.loading import LatestRecords, OrderedRecords
from drave.broker.coordinator.outcome import TimerName
from drave.broker.coordinator.partition import CoordinatorPartition, Machine, Refuse, Step
from drave.broker.coordinator.timers import Deadlines
from drave.catalog import Change, Topic, TopicAlreadyExists
from drave.model.errors import DraveError, ErrorCode

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.coordinator")

LOAD_WAIT_S: Final = 0.25
"""How long a start waits for partitions to be loaded. What takes longer goes on while the broker serves."""

M = TypeVar("M", bound=Machine)


class Coordinator(ABC, Generic[M]):
    """All machines of one internal topic. What they are made of, a subclass says."""

    topic_name: ClassVar[str]
    reading: ClassVar[type[LatestRecords | OrderedRecords]] = LatestRecords
    """Which records of the topic count when it is loaded."""

    def __init__(self, broker: Broker, *, partitions: int, check_interval_ms: int) -> None:
        self._broker = broker
        self._partitions: dict[int, CoordinatorPartition[M]] = {}
        self._topic = broker.catalog.topic(self.topic_name)
        self._count = self._topic.partitions if self._topic else partitions
        """Kept for as long as the broker runs: were partitions added, keys would seem to lose their state."""
        self._creation = asyncio.Lock()
        self._deadlines = Deadlines(broker.scheduler, self._timer_fired)
        self._check_interval_s = check_interval_ms / 1000
        self._expiry: Any = None
        self._ended = False
        broker.catalog.subscribe(self._catalog_changed)

    # -- what a subclass says

    @abstractmethod
    def _machine(self) -> M:
        """A machine without state."""

    @abstractmethod
    def _topic_configs(self) -> Mapping[str, str]:
        """What is set on the topic when it is created."""

    @abstractmethod
    def _perform(self, duty: Any) -> None:
        """Do what a machine wants done elsewhere, now that what it rests on is durable."""

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
            self._broker.spawn(self._load(waiting, done), name=f"loading {self.topic_name}")
        else:
            done.set_result(None)
        return done

    async def _load(self, partitions: list[CoordinatorPartition[M]], done: asyncio.Future[None]) -> None:
        for partition in partitions:
            try:
                await partition.load()
            except Exception:  # whatever is wrong with one, the others are loaded
                logger.exception("a partition of %s could not be loaded; what it holds is not served", self.topic_name)
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

    # -- where a key is

    def partition_for(self, key: str) -> int:
        """The partition of the topic that holds the key."""
        return partition_for(key, self._count)

    async def ensure_topic(self) -> Topic:
        """The internal topic, created if it is not there."""
        async with self._creation:
            topic = self._topic
            if topic is None:
                topic = await self._create_topic()
                self._adopt(topic)
            return topic

    async def _create_topic(self) -> Topic:
        broker = self._broker
        configs = self._topic_configs()
        try:
            return await broker.catalog.create_topic(self.topic_name, broker.entropy.topic_id(), self._count, configs)
        except TopicAlreadyExists:
            topic = broker.catalog.topic(self.topic_name)
            assert topic is not None
            return topic

    def _adopt(self, topic: Topic) -> None:
        """The topic is there now. What was asked before found nothing, so nothing is lost with the partitions."""
        self._topic = topic
        self._count = topic.partitions
        self._partitions.clear()
        self._begin_loading()

    def _partition(self, index: int) -> CoordinatorPartition[M]:
        partition = self._partitions.get(index)
        if partition is None:
            topic = self._topic
            partition = self._partitions[index] = CoordinatorPartition(
                self._machine(),
                None if topic is None else self._broker.logs.partition(topic.topic_id, index),
                now_ms=self._broker.clock.wall_ms,
                change_timer=self._deadlines.change,
                perform=self._perform,
                reading=self.reading,
            )
            partition.ended = self._ended
        return partition

    def _catalog_changed(self, change: Change) -> None:
        if change.kind != "deleted" or change.topic.name != self.topic_name:
            return
        # Somebody has taken all state away with its topic: it begins anew.
        partitions, self._partitions, self._topic = self._partitions, {}, None
        self._deadlines.clear()
        for partition in partitions.values():
            partition.end(ErrorCode.NOT_COORDINATOR)

    # -- requests

    def submit(self, key: str, step: Step[M], refuse: Refuse, *, writes: bool = False) -> Any:
        """Ask the key's machine. A response, a Pending, or, where the topic has to be created first, a coroutine.

        A step that may write when there is no topic yet says so with `writes`; no other can.
        """
        if writes and self._topic is None:
            return self._submit_later(key, step, refuse)
        partition = self._partition(self.partition_for(key))
        answer = partition.submit(step, refuse)
        if partition.wants_compaction:
            self._broker.spawn(partition.compact(), name=f"compacting {self.topic_name}")
        return answer

    async def _submit_later(self, key: str, step: Step[M], refuse: Refuse) -> Any:
        try:
            await self.ensure_topic()
        except DraveError as error:
            logger.error("%s could not be created: %s", self.topic_name, error)
            return refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        answer = self.submit(key, step, refuse)
        return await answered(answer) if isinstance(answer, Pending) else answer

    def shard(self, key: str) -> M | ErrorCode:
        """The key's machine, to be read only; or why that cannot be done now."""
        partition = self._partition(self.partition_for(key))
        return partition.unavailable or partition.machine

    def shards(self) -> list[M] | ErrorCode:
        """All machines, to be read only; or why that cannot be done now."""
        for partition in self._partitions.values():
            if (code := partition.unavailable) is not None:
                return code
        return [partition.machine for partition in self._partitions.values()]

    def once_durable(self, response: Any, keys: Iterable[str] | None = None) -> Any:
        """The response to a request that has read these keys (None: all); a Pending until what it read is durable."""
        if keys is None:
            partitions = list(self._partitions.values())
        else:
            partitions = [self._partition(index) for index in {self.partition_for(each) for each in keys}]
        waits = [partition.once_durable(None) for partition in partitions]
        return gathered(waits, lambda _: response)

    # -- what happens by itself

    def _timer_fired(self, name: TimerName) -> None:
        _, key, _ = name
        self._partition(self.partition_for(key)).timer_fired(name)

    def _expire(self, waiting: list[CoordinatorPartition[M]] | None = None) -> None:
        """Where something expires, the other partitions wait for the loop's next turn: it may be very much."""
        waiting = list(self._partitions.values()) if waiting is None else waiting
        now_ms, pause_s = self._broker.clock.wall_ms(), self._check_interval_s
        while waiting:
            partition = waiting.pop()
            if partition.unavailable is None:
                outcome = partition.machine.expire(now_ms)
                partition.event(outcome)
                if waiting and outcome.records:
                    pause_s = 0.0
                    break
        self._expiry = self._broker.scheduler.call_later(pause_s, self._expire, waiting or None)


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


async def answered(pending: Pending) -> Any:
    """What the pending is completed with."""
    answer = asyncio.get_running_loop().create_future()
    pending.attach(answer.set_result)
    try:
        return await answer
    finally:
        pending.cancel()
