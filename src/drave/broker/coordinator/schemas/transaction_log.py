"""The records of `__transaction_state`, in Kafka's formats: its tools read them, and a folder moves between the two.

key    version int16 = 0 │ transactional id
value  version int16 │ the struct below            or null: the transactional id has expired
"""

from __future__ import annotations

import struct
from typing import Final

from drave.broker.coordinator.transaction import NO_ID, Place, Transaction, TransactionState
from drave.schema import SchemaError, Struct, decoder, encoder, int8, int16, int32, int64, tagged

TRANSACTION_LOG: Final = "__transaction_state"

KEY_VERSION: Final = 0
VALUE_VERSION: Final = 1
"""What Kafka writes once transaction.version is 1 or more."""

_VERSION: Final = struct.Struct(">h")


class TransactionLogKey(Struct, versions=(0, 0)):
    """Whose transactions."""

    transactional_id: str


class PartitionsSchema(Struct):
    """Partitions of one topic."""

    topic: str
    partition_ids: list[int32]


class TransactionLogValue(Struct, versions=(0, 1), flexible=1):
    """How far the last transaction of a transactional id has come. Times are milliseconds since 1970."""

    producer_id: int64
    previous_producer_id: int64 = tagged(0, since=1, default=NO_ID)
    next_producer_id: int64 = tagged(1, since=1, default=NO_ID)
    producer_epoch: int16
    next_producer_epoch: int16 = tagged(3, since=1, default=-1)
    transaction_timeout_ms: int32
    transaction_status: int8
    transaction_partitions: list[PartitionsSchema] | None
    transaction_last_update_timestamp_ms: int64
    transaction_start_timestamp_ms: int64
    client_transaction_version: int16 = tagged(2, since=1, default=0)


def transaction_key(transactional_id: str) -> bytes:
    """The key of a transactional id."""
    parts = encoder(TransactionLogKey, KEY_VERSION)(TransactionLogKey(transactional_id=transactional_id))
    return b"".join((_VERSION.pack(KEY_VERSION), *parts))


def transaction_value(transaction: Transaction) -> bytes:
    """The value of a transaction, as Kafka 4 writes it."""
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        previous_producer_id=transaction.previous_producer_id,
        next_producer_id=transaction.next_producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state,
        transaction_partitions=None if transaction.state is TransactionState.EMPTY else _by_topic(transaction.places),
        transaction_last_update_timestamp_ms=transaction.updated_ms,
        transaction_start_timestamp_ms=transaction.started_ms,
        client_transaction_version=transaction.version,
    )
    return b"".join((_VERSION.pack(VALUE_VERSION), *encoder(TransactionLogValue, VALUE_VERSION)(value)))


def _by_topic(places: frozenset[Place]) -> list[PartitionsSchema]:
    return [
        PartitionsSchema(topic=topic, partition_ids=indexes) for topic, indexes in partitions_by_topic(places).items()
    ]


def partitions_by_topic(places: frozenset[Place]) -> dict[str, list[int]]:
    """Places by the topic that they are in, in order."""
    topics: dict[str, list[int]] = {}
    for topic, index in sorted(places):
        topics.setdefault(topic, []).append(index)
    return topics


def parse_transaction_key(key: bytes) -> str:
    """The transactional id. Raises `SchemaError` for a key of another kind, and for garbage."""
    version = _version_of(key)
    if version != KEY_VERSION:
        raise SchemaError(TRANSACTION_LOG, 0, f"a record's key is of the unknown version {version}")
    transactional_id: str = decoder(TransactionLogKey, KEY_VERSION)(key, _VERSION.size)[0].transactional_id
    return transactional_id


def parse_transaction(transactional_id: str, data: bytes) -> Transaction:
    """A transaction, from a record's value. Raises `SchemaError`."""
    value: TransactionLogValue = decoder(TransactionLogValue, _version_of(data))(data, _VERSION.size)[0]
    try:
        state = TransactionState(value.transaction_status)
    except ValueError:
        raise SchemaError(TRANSACTION_LOG, 0, f"{value.transaction_status} is no state of a transaction") from None
    return Transaction(
        transactional_id=transactional_id,
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        state=state,
        places=frozenset(
            (topic.topic, index) for topic in value.transaction_partitions or () for index in topic.partition_ids
        ),
        updated_ms=value.transaction_last_update_timestamp_ms,
        started_ms=value.transaction_start_timestamp_ms,
        previous_producer_id=value.previous_producer_id,
        next_producer_id=value.next_producer_id,
        version=value.client_transaction_version,
    )


def _version_of(data: bytes) -> int:
    if len(data) < _VERSION.size:
        raise SchemaError(TRANSACTION_LOG, 0, f"a record's key or value has {len(data)} bytes")
    version: int = _VERSION.unpack_from(data)[0]
    return version
