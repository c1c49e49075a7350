"""The transaction coordinator: every transactional id is looked after by the partition of `__transaction_state` that it
hashes to.

    InitProducerId, AddPartitions, AddOffsets, EndTxn ──▶ TransactionShard ──decided, durable──▶ Markers ──▶ logs
    Produce, TxnOffsetCommit ──check──▶      │                   ▲                                  │
                                             └───────────────────┴──────── ended ◀──────────────────┘
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from drave.broker.context import Context, Pending
from drave.broker.coordinator.markers import RETRY_S, Markers
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.runtime import Coordinator, answered, gathered
from drave.broker.coordinator.transaction import EPOCH_BUMPS_SINCE, Place, Transaction
from drave.broker.coordinator.transaction_shard import Addition, TransactionLimits, TransactionShard
from drave.catalog import TRANSACTION_STATE, Change
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.settings import BrokerSettings
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from drave.wire.messages.k26_end_txn import EndTxnRequest, EndTxnResponse

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.coordinator")


def transaction_topic_configs(settings: BrokerSettings) -> dict[str, str]:
    """What is set on `__transaction_state` itself: as on `__consumer_offsets`, nothing goes with time."""
    return {
        "cleanup.policy": "compact",
        "compression.type": "uncompressed",
        "segment.bytes": str(settings.transaction_segment_bytes),
    }


class Transactions(Coordinator[TransactionShard]):
    """All transactional ids of this broker."""

    topic_name: ClassVar[str] = TRANSACTION_STATE

    def __init__(self, broker: Broker) -> None:
        settings = broker.settings
        self._limits = TransactionLimits(
            timeout_ms_max=settings.transaction_timeout_ms_max,
            id_expiration_ms=settings.transactional_id_expiration_ms,
        )
        self._markers = Markers(broker, self._finished)
        self._adding: dict[str, int] = {}
        """Up to where the log has to be durable for the partitions that were added last to be."""
        super().__init__(
            broker,
            partitions=settings.transaction_topic_partitions,
            check_interval_ms=settings.transactional_id_check_interval_ms,
        )

    def _machine(self) -> TransactionShard:
        return TransactionShard(self._limits, self._broker.producer_ids.take)

    def _topic_configs(self) -> Mapping[str, str]:
        return transaction_topic_configs(self._broker.settings)

    def end_waits(self) -> None:
        super().end_waits()
        self._markers.end()

    def _catalog_changed(self, change: Change) -> None:
        super()._catalog_changed(change)
        if change.kind == "deleted":
            self._markers.topic_deleted(change.topic.name)

    # -- requests

    def init_producer_id(self, request: InitProducerIdRequest) -> Any:
        """A producer begins. A coroutine where the topic or a block of producer ids has to be made first."""

        def refuse(code: ErrorCode) -> InitProducerIdResponse:
            return InitProducerIdResponse(error_code=code, producer_epoch=-1)

        transactional_id = request.transactional_id
        assert transactional_id
        ask = partial(
            self.submit,
            transactional_id,
            lambda shard, token, now_ms: shard.init_producer_id(request, token, now_ms),
            refuse,
            writes=True,
        )
        return self._with_producer_ids(ask, refuse)

    def end(self, request: EndTxnRequest, version: int) -> Any:
        """A producer decides its transaction."""

        def refuse(code: ErrorCode) -> EndTxnResponse:
            return EndTxnResponse(error_code=code)

        ask = partial(
            self.submit,
            request.transactional_id,
            lambda shard, token, now_ms: shard.end(request, version, token, now_ms),
            refuse,
        )
        return self._with_producer_ids(ask, refuse) if version >= EPOCH_BUMPS_SINCE else ask()

    def _with_producer_ids(self, ask: Callable[[], Any], refuse: Callable[[ErrorCode], Any]) -> Any:
        """A step cannot wait: see to it that there is a producer id for it to take."""
        return ask() if self._broker.producer_ids.at_hand else self._fetch_producer_ids(ask, refuse)

    async def _fetch_producer_ids(self, ask: Callable[[], Any], refuse: Callable[[ErrorCode], Any]) -> Any:
        try:
            await self._broker.producer_ids.ensure()
        except ProtocolError as error:
            logger.error("no producer ids: %s", error)
            return refuse(error.code)
        answer = ask()
        if inspect.iscoroutine(answer):
            return await answer
        return await answered(answer) if isinstance(answer, Pending) else answer

    def add(self, transactional_id: str, writer: Writer, places: Iterable[Place], version: int) -> ErrorCode | Pending:
        """Add partitions to a transaction; the Pending is completed with an ErrorCode."""
        addition = Addition(transactional_id, writer, frozenset(places), version)
        answer: ErrorCode | Pending = self.submit(
            transactional_id, lambda shard, token, now_ms: shard.add(addition, token, now_ms), lambda code: code
        )
        self._note_additions(transactional_id, answer)
        return answer

    def _note_additions(self, transactional_id: str, answer: ErrorCode | Pending) -> None:
        log = self._partition(self.partition_for(transactional_id)).log
        if isinstance(answer, Pending) and log is not None:
            self._adding[transactional_id] = log.end

    def verify(self, transactional_id: str, writer: Writer) -> frozenset[Place] | ErrorCode:
        """The partitions of a transaction, or why there is none. It may rest on what is not durable yet."""
        if not transactional_id:
            return ErrorCode.INVALID_REQUEST
        shard = self.shard(transactional_id)
        return shard if isinstance(shard, ErrorCode) else shard.verify(transactional_id, writer)

    def check(
        self, transactional_id: str, producer_id: int, producer_epoch: int, topic: str, index: int, *, adds: bool
    ) -> Pending | None:
        """Whether the producer may write to this partition in its transaction, to which `adds` adds it (KIP-890).

        None when it may, durably: were something written before that, a power cut could leave a transaction that
        nobody ends. A Pending is completed with an ErrorCode; after NONE, asking once more gives None. Raises Refused.
        """
        writer, place = Writer(producer_id, producer_epoch), (topic, index)
        found = self.verify(transactional_id, writer)
        if isinstance(found, ErrorCode):
            if not adds or found is not ErrorCode.CONCURRENT_TRANSACTIONS:
                raise Refused(found, f"Producer {producer_id} has no transaction of {transactional_id!r} now.")
        elif place in found:
            return self._until_added(transactional_id)
        elif not adds:
            raise Refused(
                ErrorCode.TRANSACTION_ABORTABLE, f"{topic}-{index} was not added to {transactional_id!r}'s transaction."
            )
        answer = self.add(transactional_id, writer, [place], EPOCH_BUMPS_SINCE)
        if isinstance(answer, Pending):
            return answer
        if answer is not ErrorCode.NONE:
            raise Refused(answer, f"{topic}-{index} cannot be added to {transactional_id!r}'s transaction now.")
        return None

    def _until_added(self, transactional_id: str) -> Pending | None:
        """A Pending where partitions of the transaction have just been added."""
        end = self._adding.get(transactional_id)
        log = self._partition(self.partition_for(transactional_id)).log
        if end is None or log is None or log.durable >= end:
            self._adding.pop(transactional_id, None)
            return None
        pending = Pending()
        log.when_durable(end, partial(pending.complete, ErrorCode.NONE))
        return pending

    # -- what follows from a decision

    def _perform(self, duty: Transaction) -> None:
        if self._ended:
            return
        self._adding.pop(duty.transactional_id, None)
        log = self._partition(self.partition_for(duty.transactional_id)).log
        assert log is not None
        self._markers.write(duty, log.leader_epoch)

    def _finished(self, decided: Transaction) -> None:
        """All markers are durable: write that down, however often it takes."""
        answer = self.submit(
            decided.transactional_id,
            lambda shard, token, now_ms: shard.ended(decided, token, now_ms),
            lambda code: code,
        )

        self._note_additions(decided.transactional_id, answer)  # of those who waited for this

        def written(code: ErrorCode) -> None:
            if code is not ErrorCode.NONE and not self._ended:
                self._broker.scheduler.call_later(RETRY_S, partial(self._finished, decided))

        answer.attach(written) if isinstance(answer, Pending) else written(answer)


def fenced_before(since: int, context: Context, answer: Any) -> Any:
    """The answer, with PRODUCER_FENCED as versions before `since` say it. They know no better name for it than
    INVALID_PRODUCER_EPOCH."""
    if context.api_version >= since:
        return answer
    if inspect.iscoroutine(answer):
        return _fenced_later(since, context, answer)
    return gathered([answer], lambda answers: _say_invalid_epoch(answers[0]))


async def _fenced_later(since: int, context: Context, answer: Awaitable[Any]) -> Any:
    return fenced_before(since, context, await answer)


def _say_invalid_epoch(response: Any) -> Any:
    if response.error_code == ErrorCode.PRODUCER_FENCED:
        response.error_code = ErrorCode.INVALID_PRODUCER_EPOCH
    return response
