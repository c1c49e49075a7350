"""AddPartitionsToTxn: partitions that a transaction is about to write to, all of them or none (KIP-98, KIP-890).

versions 0 to 3    a producer's, for its one transaction
versions 4 and 5   brokers', for several, which may also only ask whether partitions have been added
"""

from __future__ import annotations

from typing import Any, Final

from drave.broker.context import Context, Pending
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.runtime import gathered
from drave.broker.coordinator.transaction import EPOCH_BUMPS_SINCE
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k24_add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

BATCHED_SINCE: Final = 4
FENCED_SINCE: Final = 2
"""Versions that know PRODUCER_FENCED."""
ABORTABLE_SINCE: Final = 5
"""Versions that know TRANSACTION_ABORTABLE."""

Codes = dict[tuple[str, int], ErrorCode]


def add_partitions_to_txn(broker: Broker, context: Context, request: AddPartitionsToTxnRequest) -> Any:
    """Answered once what was added is durable."""
    version = context.api_version
    if version < BATCHED_SINCE:
        transaction = AddPartitionsToTxnTransaction(
            transactional_id=request.v3_and_below_transactional_id,
            producer_id=request.v3_and_below_producer_id,
            producer_epoch=request.v3_and_below_producer_epoch,
            topics=request.v3_and_below_topics,
        )
        return gathered(
            [_one(broker, transaction, version)],
            lambda answers: AddPartitionsToTxnResponse(results_by_topic_v3_and_below=answers[0]),
        )

    def combine(answers: list[Any]) -> AddPartitionsToTxnResponse:
        return AddPartitionsToTxnResponse(
            results_by_transaction=[
                AddPartitionsToTxnResult(transactional_id=each.transactional_id, topic_results=answer)
                for each, answer in zip(request.transactions, answers, strict=True)
            ]
        )

    return gathered([_one(broker, each, version) for each in request.transactions], combine)


def _one(
    broker: Broker, transaction: AddPartitionsToTxnTransaction, version: int
) -> list[AddPartitionsToTxnTopicResult] | Pending:
    topics = transaction.topics
    places = [(topic.name, index) for topic in topics for index in topic.partitions]
    writer = Writer(transaction.producer_id, transaction.producer_epoch)
    if not transaction.transactional_id:
        return _results(topics, dict.fromkeys(places, ErrorCode.INVALID_REQUEST))
    if transaction.verify_only:
        return _results(topics, _verified(broker, transaction.transactional_id, writer, places, version))
    missing = {place for place in places if not _is_there(broker, *place)}
    if missing:
        codes = {
            place: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if place in missing else ErrorCode.OPERATION_NOT_ATTEMPTED
            for place in places
        }
        return _results(topics, codes)
    transaction_version = EPOCH_BUMPS_SINCE if version >= BATCHED_SINCE else 0
    answer = broker.transactions.add(transaction.transactional_id, writer, places, transaction_version)

    def combine(answers: list[ErrorCode]) -> list[AddPartitionsToTxnTopicResult]:
        (code,) = answers
        if code is ErrorCode.PRODUCER_FENCED and version < FENCED_SINCE:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        return _results(topics, dict.fromkeys(places, code))

    results: list[AddPartitionsToTxnTopicResult] | Pending = gathered([answer], combine)
    return results


def _verified(
    broker: Broker, transactional_id: str, writer: Writer, places: list[tuple[str, int]], version: int
) -> Codes:
    found = broker.transactions.verify(transactional_id, writer)
    if isinstance(found, ErrorCode):
        return dict.fromkeys(places, found)
    refusal = ErrorCode.TRANSACTION_ABORTABLE if version >= ABORTABLE_SINCE else ErrorCode.INVALID_TXN_STATE
    return {place: ErrorCode.NONE if place in found else refusal for place in places}


def _is_there(broker: Broker, name: str, index: int) -> bool:
    topic = broker.catalog.topic(name)
    return topic is not None and 0 <= index < topic.partitions


def _results(topics: list[AddPartitionsToTxnTopic], codes: Codes) -> list[AddPartitionsToTxnTopicResult]:
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=codes[topic.name, index])
                for index in topic.partitions
            ],
        )
        for topic in topics
    ]
