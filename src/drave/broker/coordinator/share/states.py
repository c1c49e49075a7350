"""The share coordinator: the state of every share-partition is kept by the partition of `__share_group_state` that it
hashes to.

    share groups ──initialize, summarize, delete──▶ ShareStates ──▶ ShareStateShard ──▶ __share_group_state
    share-partitions ──read, write──────────────────────┘

Kafka's brokers do this by requests to one another (InitializeShareGroupState and its kin); here one calls the other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from drave.broker.context import Pending
from drave.broker.coordinator.loading import OrderedRecords
from drave.broker.coordinator.runtime import Coordinator, answered
from drave.broker.coordinator.schemas.share_state import KEYS_KEPT_MAX, ShareKey
from drave.broker.coordinator.share.delivery import Progress
from drave.broker.coordinator.share.state import SharePartition, Summary
from drave.broker.coordinator.share.state_shard import Known, ShareStateShard
from drave.catalog import SHARE_GROUP_STATE, Change
from drave.model.errors import ErrorCode
from drave.model.ids import Offset, topic_id_text
from drave.model.settings import BrokerSettings

if TYPE_CHECKING:
    from drave.broker.core import Broker

EXPIRY_CHECK_MS: Final = 60 * 60 * 1000
"""Nothing here expires; the runtime asks all the same."""


def share_state_topic_configs(settings: BrokerSettings) -> dict[str, str]:
    """What is set on `__share_group_state` itself. Its records build on one another, so it must not be compacted."""
    return {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "segment.bytes": str(settings.share_state_segment_bytes),
        "retention.ms": "-1",
    }


@lru_cache(maxsize=KEYS_KEPT_MAX)
def coordinator_key(key: ShareKey) -> str:
    """By what its partition is found, as in Kafka."""
    return f"{key.group_id}:{topic_id_text(key.topic_id)}:{key.partition}"


class ShareStates(Coordinator[ShareStateShard]):
    """The state of all share-partitions. What is answered without an error is durable."""

    topic_name: ClassVar[str] = SHARE_GROUP_STATE
    reading: ClassVar[type[OrderedRecords]] = OrderedRecords

    def __init__(self, broker: Broker) -> None:
        self._reset: Callable[[ShareKey], None] = _nobody
        super().__init__(
            broker, partitions=broker.settings.share_state_topic_partitions, check_interval_ms=EXPIRY_CHECK_MS
        )

    def on_reset(self, listener: Callable[[ShareKey], None]) -> None:
        """Call `listener` whenever a share-partition begins anew or is forgotten: what was in flight counts no more."""
        self._reset = listener

    def _machine(self) -> ShareStateShard:
        return ShareStateShard(self._broker.settings.share_state_updates_per_snapshot)

    def _topic_configs(self) -> Mapping[str, str]:
        return share_state_topic_configs(self._broker.settings)

    def _perform(self, duty: Any) -> None:
        raise AssertionError("the state of a share-partition has no duties elsewhere")

    def _catalog_changed(self, change: Change) -> None:
        super()._catalog_changed(change)
        if change.kind == "deleted" and change.topic.name != SHARE_GROUP_STATE:
            for partition in self._partitions.values():
                if partition.unavailable is None:
                    partition.event(partition.machine.topic_deleted(change.topic.topic_id))

    # -- share groups

    async def initialize(
        self, group_id: str, starts: Mapping[SharePartition, Offset], *, state_epoch: int
    ) -> Mapping[SharePartition, ErrorCode]:
        """Begin anew at these offsets, with nothing delivered, whatever there was. Deliveries of before are fenced.

        The epoch is the group's own, and never falls: FENCED_STATE_EPOCH for a lower one.
        """
        answers = {}
        for where, start in starts.items():
            key = ShareKey(group_id, *where)
            step = _initialize(key, start, state_epoch)
            answer = self.submit(coordinator_key(key), step, _as_it_is, writes=True)
            answers[where] = await answer if inspect.iscoroutine(answer) else answer
            self._reset(key)
        return await _all(answers)

    async def summarize(
        self, group_id: str, partitions: Iterable[SharePartition]
    ) -> Mapping[SharePartition, Summary | ErrorCode]:
        """How far each has come."""
        return await _all({where: self._summary(ShareKey(group_id, *where)) for where in partitions})

    def _summary(self, key: ShareKey) -> Any:
        known = self.read(key)
        if isinstance(known, ErrorCode):
            return known
        return self.once_durable(Summary() if known is None else known.summary, [coordinator_key(key)])

    async def delete(self, group_id: str, partitions: Iterable[SharePartition]) -> Mapping[SharePartition, ErrorCode]:
        """Forget these; one that is not there is no error."""
        answers = {}
        for where in partitions:
            key = ShareKey(group_id, *where)
            answers[where] = self.submit(coordinator_key(key), _delete(key), _as_it_is)
            self._reset(key)
        return await _all(answers)

    # -- share-partitions

    def read(self, key: ShareKey) -> Known | ErrorCode | None:
        """What is known of a share-partition; None when it was not initialized."""
        shard = self.shard(coordinator_key(key))
        return shard if isinstance(shard, ErrorCode) else shard.get(key)

    def write(self, key: ShareKey, progress: Progress, leader_epoch: int) -> ErrorCode | Pending:
        """Note how far a share-partition has come; a Pending until that is durable."""
        answer: ErrorCode | Pending = self.submit(
            coordinator_key(key),
            lambda shard, token, now_ms: shard.write(key, progress, leader_epoch, token, now_ms),
            _as_it_is,
        )
        return answer


def _initialize(key: ShareKey, start: int, state_epoch: int) -> Callable[[ShareStateShard, int, int], Any]:
    return lambda shard, token, now_ms: shard.initialize(key, start, state_epoch, token, now_ms)


def _delete(key: ShareKey) -> Callable[[ShareStateShard, int, int], Any]:
    return lambda shard, token, now_ms: shard.delete(key, token)


def _as_it_is(code: ErrorCode) -> ErrorCode:
    return code


def _nobody(key: ShareKey) -> None:
    """Nothing is in flight yet."""


async def _all(answers: Mapping[SharePartition, Any]) -> dict[SharePartition, Any]:
    """All answers, once they are there."""
    return {
        where: await answered(answer) if isinstance(answer, Pending) else answer for where, answer in answers.items()
    }
