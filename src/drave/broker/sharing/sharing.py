"""All share-partitions that are read now: what is in flight in each, when its locks end, and who waits for it.

    first fetch ──▶ what is durably known, or where the group begins ──▶ InFlight
    a member's word, a lock's end, a member gone ──▶ Changes ──▶ written down ──▶ fetches that wait look again

A write that the log refuses leaves memory ahead of what is known; the share-partition is then dropped, and the next
fetch begins from what is known. No record is lost by that: some may come once more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from drave.broker.context import Connection, Pending
from drave.broker.coordinator.runtime import gathered
from drave.broker.coordinator.schemas.share_state import ShareKey
from drave.broker.coordinator.share.in_flight import Acknowledgement, Changes, DeliveryLimits, InFlight, Leaving
from drave.broker.coordinator.share.state import UNDECIDED_START
from drave.broker.fetching import Waiting
from drave.broker.sharing.dead_letters import DeadLetters
from drave.broker.sharing.sessions import ShareSession, ShareSessions
from drave.catalog import Change
from drave.log import PartitionLog
from drave.model.clock import Timer
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.group_configs import GroupConfig
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.model.share_reset import EARLIEST, duration_ms

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.sharing")

READ_COMMITTED: Final = "read_committed"
NO_TOPIC: Final = LogConfig()
"""Of a topic that was deleted."""


class SharePartition:
    """One partition as one group reads it, as far as it is in memory."""

    __slots__ = ("in_flight", "key", "log", "noted_start", "timer", "timer_at", "waiting")

    def __init__(self, key: ShareKey, log: PartitionLog) -> None:
        self.key = key
        self.log = log
        self.in_flight: InFlight | None = None
        """None until it is known where the group begins."""
        self.noted_start = UNDECIDED_START
        """The start that was written down last."""
        self.timer: Timer | None = None
        self.timer_at = 0
        self.waiting: dict[Waiting, None] = {}
        """Fetches that are parked on it."""

    def __str__(self) -> str:
        return f"{self.log} of share group {self.key.group_id!r}"

    def wake(self) -> None:
        """There may be more to have."""
        for waiting in self.waiting:
            waiting.wake()

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Sharing:
    """See the module."""

    def __init__(self, broker: Broker) -> None:
        self.sessions: Final = ShareSessions()
        self.dead_letters: Final = DeadLetters(broker)
        self._broker = broker
        self._partitions: dict[ShareKey, SharePartition] = {}
        self._limits: dict[tuple[str, TopicId], tuple[GroupConfig, LogConfig, DeliveryLimits]] = {}
        self._ended = False
        broker.share_states.on_reset(self._drop)
        broker.catalog.subscribe(self._catalog_changed)

    # -- what counts for a group

    def limits(self, key: ShareKey) -> DeliveryLimits:
        """What the configs of the group and of the topic say."""
        group, topic = self._broker.groups.config(key.group_id), self._broker.catalog.topic_by_id(key.topic_id)
        config = topic.config if topic is not None else NO_TOPIC
        cached = self._limits.get((key.group_id, key.topic_id))
        if cached is None or cached[0] is not group or cached[1] is not config:
            wanted = topic is not None and self.dead_letters.destination(key.group_id, topic) is not None
            cached = group, config, _limits(group, config.redelivery_delay_ms, dead_letters=wanted)
            self._limits[key.group_id, key.topic_id] = cached
        return cached[2]

    def lock_ms(self, group_id: str) -> int:
        """How long a member of the group may keep a record without a word."""
        return self._broker.groups.config(group_id).number("share.record.lock.duration.ms")

    def reads_committed(self, group_id: str) -> bool:
        """Whether records of transactions that are open or aborted are none for this group."""
        return self._broker.groups.config(group_id).text("share.isolation.level") == READ_COMMITTED

    def now_ms(self) -> int:
        """The time that locks are counted by."""
        return int(self._broker.clock.monotonic() * 1000)

    # -- share-partitions

    def find(self, key: ShareKey) -> SharePartition | None:
        """The share-partition, if anybody has fetched from it lately."""
        return self._partitions.get(key)

    def open(self, key: ShareKey, log: PartitionLog) -> SharePartition:
        """The share-partition, to be fetched from; nothing is in flight yet where its state is still being read.

        Raises Refused when no group has subscribed to it.
        """
        partition = self._partitions.get(key)
        if partition is None or partition.in_flight is None:
            known = self._broker.share_states.read(key)
            if known is None:
                raise Refused(
                    ErrorCode.UNKNOWN_SERVER_ERROR,
                    f"Share group {key.group_id!r} has not subscribed to {log}.",
                )
            if partition is None:
                partition = self._partitions[key] = SharePartition(key, log)
                if isinstance(known, ErrorCode):
                    del self._partitions[key]  # it is loaded in a moment: the next fetch finds it
                elif known.start_offset != UNDECIDED_START:
                    partition.in_flight = InFlight(known.start_offset, known.batches)
                    partition.noted_start = known.start_offset
                else:
                    self._begin(partition)
        return partition

    def _begin(self, partition: SharePartition) -> None:
        """Nobody of the group has read it yet: find out where to begin (`share.auto.offset.reset`)."""
        reset = self._broker.groups.config(partition.key.group_id).text("share.auto.offset.reset")
        age_ms = duration_ms(reset)
        if age_ms is None:
            self._begin_at(partition, partition.log.start if reset == EARLIEST else partition.log.high_watermark)
        else:
            self._broker.spawn(self._begin_since(partition, age_ms), name=f"finding where {partition} begins")

    async def _begin_since(self, partition: SharePartition, age_ms: int) -> None:
        log = partition.log
        try:
            found = await log.offset_for_time(max(self._broker.clock.wall_ms() - age_ms, 0))
        except ProtocolError as error:
            logger.warning("where %s begins is not known yet: %s", partition, error)
            self._drop(partition.key)
            return
        if self._partitions.get(partition.key) is partition:
            self._begin_at(partition, log.high_watermark if found is None else found.offset)
            partition.wake()

    def _begin_at(self, partition: SharePartition, start: int) -> None:
        """Written down at once: were `latest` decided anew after a restart, what came meanwhile would be lost."""
        partition.in_flight = InFlight(start)
        self.note(partition, Changes())

    def _drop(self, key: ShareKey) -> None:
        """What is in flight counts no more."""
        partition = self._partitions.pop(key, None)
        if partition is not None:
            partition.cancel_timer()
            partition.in_flight = None
            partition.wake()

    def _catalog_changed(self, change: Change) -> None:
        if change.kind == "deleted":
            for key in [key for key in self._partitions if key.topic_id == change.topic.topic_id]:
                self._drop(key)

    # -- what changes

    def acquired(self, partition: SharePartition, lock_ms: int) -> None:
        """Something was given out: see to it that its lock ends, and note a start that has moved by it."""
        self._arm(partition, self.now_ms() + lock_ms)
        in_flight = partition.in_flight
        if in_flight is not None and in_flight.start != partition.noted_start:
            self.note(partition, Changes())

    def acknowledge(
        self, key: ShareKey, member_id: str, acknowledgements: Sequence[Acknowledgement]
    ) -> ErrorCode | Pending:
        """Take a member's word for records that it holds; a Pending until that is durable. Raises ProtocolError."""
        partition = self._partitions.get(key)
        if partition is None or partition.in_flight is None:
            raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "No member has fetched from this partition.")
        changes = partition.in_flight.acknowledge(member_id, acknowledgements, self.limits(key), self.now_ms())
        return self.note(partition, changes)

    def release(self, session: ShareSession) -> None:
        """The session is over: what its member holds is for others."""
        self.sessions.close(session)
        for place in session.partitions:
            key = ShareKey(session.group_id, *place)
            partition = self._partitions.get(key)
            if partition is not None and partition.in_flight is not None:
                limits = self.limits(key)
                self.note(partition, partition.in_flight.release(session.member_id, limits, self.now_ms()))

    def _rest(self, group_id: str) -> None:
        """Nobody of the group reads: what is in memory only because it was read may go."""
        for found in [each for each in self._limits if each[0] == group_id]:
            del self._limits[found]
        for partition in [each for key, each in self._partitions.items() if key.group_id == group_id]:
            if partition.in_flight is not None and partition.in_flight.is_idle:
                self._drop(partition.key)

    def note(self, partition: SharePartition, changes: Changes) -> ErrorCode | Pending:
        """Write down what has changed, and tell who waits for it. A Pending until that is durable."""
        in_flight = partition.in_flight
        assert in_flight is not None
        answers: list[Any] = []
        moved = in_flight.start != partition.noted_start
        if changes.batches or moved:
            partition.noted_start = in_flight.start
            answers.append(
                self._broker.share_states.write(partition.key, in_flight.progress(changes), partition.log.leader_epoch)
            )
        if changes.leaving:
            answers.append(self._let_go(partition, changes.leaving))
        if changes.freed:
            moment = in_flight.next_moment() if self.limits(partition.key).redelivery_delay_ms else None
            if moment is not None:
                self._arm(partition, moment)
        if changes.freed or moved:
            partition.wake()
        answer: ErrorCode | Pending = gathered(answers, partial(self._noted, partition)) if answers else ErrorCode.NONE
        return answer

    def _noted(self, partition: SharePartition, codes: list[ErrorCode]) -> ErrorCode:
        failed = next((code for code in codes if code is not ErrorCode.NONE), ErrorCode.NONE)
        if failed is not ErrorCode.NONE and self._partitions.get(partition.key) is partition:
            logger.error("%s: what became of its records could not be written down: %s", partition, failed.name)
            self._drop(partition.key)
        return failed

    def _let_go(self, partition: SharePartition, leaving: Sequence[Leaving]) -> Pending:
        """Have dead letters written; what is given up goes when they are durable."""
        whole = Pending()
        taken = self.dead_letters.take(partition.key, partition.log, leaving)
        taken.attach(partial(self._buried, partition, leaving, whole))
        return whole

    def _buried(self, partition: SharePartition, leaving: Sequence[Leaving], whole: Pending, code: ErrorCode) -> None:
        if code is not ErrorCode.NONE or partition.in_flight is None:
            whole.complete(code)
            return
        answer = self.note(partition, partition.in_flight.bury(leaving))
        answer.attach(whole.complete) if isinstance(answer, Pending) else whole.complete(answer)

    # -- time

    def _arm(self, partition: SharePartition, at: int) -> None:
        if partition.timer is not None:
            if partition.timer_at <= at:
                return
            partition.timer.cancel()
        delay_s = max(at - self.now_ms(), 0) / 1000
        partition.timer_at = at
        partition.timer = self._broker.scheduler.call_later(delay_s, self._expire, partition)

    def _expire(self, partition: SharePartition) -> None:
        partition.timer = None
        in_flight = partition.in_flight
        if self._ended or in_flight is None:
            return
        # A loop may call a timer a shade too early; what is due by the moment it was set for is due.
        now_ms = max(self.now_ms(), partition.timer_at)
        self.note(partition, in_flight.expire(self.limits(partition.key), now_ms))
        moment = in_flight.next_moment()
        if moment is not None and partition.in_flight is in_flight:
            self._arm(partition, moment)

    # -- clients come and go

    def gone(self, connection: Connection) -> None:
        """The connection is lost, and its sessions with it."""
        if not self._ended:
            for session in self.sessions.of(connection):
                self.release(session)
                if not self.sessions.is_read(session.group_id):
                    self._rest(session.group_id)

    def end_waits(self) -> None:
        """The broker is about to stop: nothing is written any more."""
        self._ended = True
        for partition in self._partitions.values():
            partition.cancel_timer()


def _limits(config: GroupConfig, redelivery_delay_ms: int, *, dead_letters: bool) -> DeliveryLimits:
    return DeliveryLimits(
        lock_ms=config.number("share.record.lock.duration.ms"),
        deliveries_max=config.number("share.delivery.count.limit"),
        in_flight_max=config.number("share.partition.max.record.locks"),
        renews=bool(config.number("share.renew.acknowledge.enable")),
        redelivery_delay_ms=redelivery_delay_ms,
        dead_letters=dead_letters,
    )
