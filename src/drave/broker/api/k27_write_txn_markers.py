"""WriteTxnMarkers: the end of transactions, written into their partitions.

Between brokers it is the coordinator's; here the coordinator writes its markers itself, and this is what administrators
end a hanging transaction with (`kafka-transactions.sh abort`, KIP-664).
"""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context, Pending
from drave.broker.coordinator.markers import append_marker
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.runtime import gathered
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError
from drave.records import ControlKind, Marker
from drave.wire.messages.k27_write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)


def write_txn_markers(broker: Broker, context: Context, request: WriteTxnMarkersRequest) -> Any:
    """Answered once all markers are durable."""
    waits: list[Any] = []
    response = WriteTxnMarkersResponse(
        markers=[
            WritableTxnMarkerResult(
                producer_id=marker.producer_id,
                topics=[
                    WritableTxnMarkerTopicResult(
                        name=topic.name,
                        partitions=[
                            WritableTxnMarkerPartitionResult(
                                partition_index=index, error_code=_write(broker, marker, (topic.name, index), waits)
                            )
                            for index in topic.partition_indexes
                        ],
                    )
                    for topic in marker.topics
                    if topic.partition_indexes
                ],
            )
            for marker in request.markers
            if any(topic.partition_indexes for topic in marker.topics)
        ]
    )
    return gathered(waits, lambda _: response)


def _write(broker: Broker, asked: WritableTxnMarker, place: tuple[str, int], waits: list[Any]) -> ErrorCode:
    kind = ControlKind.COMMIT if asked.transaction_result else ControlKind.ABORT
    writer = Writer(asked.producer_id, asked.producer_epoch)
    marker = Marker(kind, asked.coordinator_epoch)
    try:
        log = append_marker(broker, place, writer, marker, asked.transaction_version)
    except ProtocolError as error:
        return error.code
    if log is None:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    durable = Pending()
    log.when_durable(log.end, lambda: durable.complete(None))
    waits.append(durable)
    return ErrorCode.NONE
