"""A transactional producer in a few words: what it would ask next, and what gets it there quietly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from differential.calls import LATEST, batch, list_offsets, produce
from differential.stage import COORDINATOR_IS_COMING, Stage, Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k24_add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from drave.wire.messages.k25_add_offsets_to_txn import AddOffsetsToTxnRequest
from drave.wire.messages.k26_end_txn import EndTxnRequest
from drave.wire.messages.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)

PRODUCE_V1: Final = 11
PRODUCE_V2: Final = 13
"""The last versions of Produce before a batch adds its partition, and after."""
END_V1: Final = 4
END_V2: Final = 5
TRANSACTION: Final = 1
"""Of FindCoordinator: a transactional id."""
BUSY: Final = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    *COORDINATOR_IS_COMING,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS,  # what Produce says of all these to clients of before KIP-890
)
"""What every client asks again after."""
TIMEOUT_MS: Final = 900_000
"""The longest that brokers allow by default: no transaction is over because the machine was slow."""


@dataclass(slots=True)
class Writer:
    """A transactional producer."""

    stage: Stage
    transactional_id: str
    id: int
    epoch: int
    sequence: int = 0

    def add(self, topic: Topic, *partitions: int) -> None:
        self.stage.wait(self.adding(topic, *(partitions or (0,))), _all_added, 3)

    def adding(self, topic: Topic, *partitions: int) -> AddPartitionsToTxnRequest:
        return AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic.name, partitions=list(partitions))],
        )

    def batch(self, *values: str, sequence: int | None = None, transactional: bool = True) -> bytes:
        """The next batch, or the one at a sequence."""
        if sequence is None:
            sequence, self.sequence = self.sequence, self.sequence + len(values)
        return batch(*values, producer=(self.id, self.epoch, sequence), transactional=transactional)

    def produce(self, topic: Topic, *values: str, **more: Any) -> Any:
        return produce(topic, self.batch(*values, **more), transactional_id=self.transactional_id)

    def write(self, topic: Topic, *values: str) -> None:
        """Quietly, once the coordinator lets it."""
        request = self.produce(topic, *values)
        self.stage.wait(request, lambda answer: not _refusal(answer), PRODUCE_V2)

    def add_offsets(self, group: str) -> None:
        """Quietly: the group's offsets belong to the transaction from now on."""
        self.stage.wait(self.adding_offsets(group), lambda answer: answer.error_code not in BUSY)

    def adding_offsets(self, group: str) -> AddOffsetsToTxnRequest:
        return AddOffsetsToTxnRequest(
            transactional_id=self.transactional_id, producer_id=self.id, producer_epoch=self.epoch, group_id=group
        )

    def offsets(self, group: str, topic: Topic, offsets: dict[int, int], **more: Any) -> TxnOffsetCommitRequest:
        """Of some partitions of one topic, as part of the transaction."""
        each = [
            TxnOffsetCommitRequestPartition(partition_index=index, committed_offset=offset, committed_metadata="")
            for index, offset in offsets.items()
        ]
        return TxnOffsetCommitRequest(
            transactional_id=self.transactional_id,
            producer_id=self.id,
            producer_epoch=self.epoch,
            group_id=group,
            topics=[TxnOffsetCommitRequestTopic(name=topic.name, topic_id=topic.id, partitions=each)],
            **more,
        )

    def ending(self, *, commit: bool) -> EndTxnRequest:
        return EndTxnRequest(
            transactional_id=self.transactional_id, producer_id=self.id, producer_epoch=self.epoch, committed=commit
        )

    def end(self, topic: Topic, *, commit: bool = True, version: int = END_V1) -> None:
        """Quietly, and until its marker is there and the coordinator is through."""
        before = _end(self.stage, topic)
        request = self.ending(commit=commit)
        answer = self.stage.wait(request, lambda answer: not answer.error_code, version)
        self.stage.wait(list_offsets(topic, LATEST), lambda answer: offset_of(answer) > before)
        self.stage.wait(request, lambda answer: answer.error_code != ErrorCode.CONCURRENT_TRANSACTIONS, version)
        if version >= END_V2:
            self.id, self.epoch, self.sequence = answer.producer_id, answer.producer_epoch, 0


def _refusal(answer: Any) -> int:
    return int(answer.responses[0].partition_responses[0].error_code)


def _all_added(answer: Any) -> bool:
    (topic,) = answer.results_by_topic_v3_and_below
    return not any(each.partition_error_code for each in topic.results_by_partition)


def offset_of(answer: Any) -> int:
    return int(answer.topics[0].partitions[0].offset)


def _end(stage: Stage, topic: Topic) -> int:
    return offset_of(stage.quietly(list_offsets(topic, LATEST)))


def await_coordinator(stage: Stage, transactional_id: str) -> None:
    """Quietly."""
    request = FindCoordinatorRequest(key=transactional_id, key_type=TRANSACTION)
    stage.wait(request, lambda answer: answer.error_code not in COORDINATOR_IS_COMING, 2)


def new_writer(stage: Stage, word: str = "t", *, timeout_ms: int = TIMEOUT_MS) -> Writer:
    """A transactional producer, whose coordinator is there."""
    name = stage.name(word)
    await_coordinator(stage, name)
    request = InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=timeout_ms)
    answer = stage.wait(request, lambda answer: answer.error_code not in BUSY, 4)
    stage.met(answer.producer_id)
    return Writer(stage, name, answer.producer_id, answer.producer_epoch)
