"""DescribeProducers (KIP-664): who has written to a partition, and which transactions are open there."""

from __future__ import annotations

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.catalog import check_topic_name
from drave.log.producer_snapshots import NONE
from drave.log.producers import Producer
from drave.model.errors import ProtocolError
from drave.wire.messages.k61_describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)


def describe_producers(
    broker: Broker, context: Context, request: DescribeProducersRequest
) -> DescribeProducersResponse:
    """Idempotent producers that are remembered: those that were silent for long are not."""
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name, partitions=[_describe(broker, topic.name, index) for index in topic.partition_indexes]
            )
            for topic in request.topics
        ]
    )


def _describe(broker: Broker, name: str, index: int) -> PartitionResponse:
    answer = PartitionResponse(partition_index=index, active_producers=[])
    try:
        check_topic_name(name)
        producers = broker.partition(broker.topic(name), index).producers
    except ProtocolError as refusal:
        answer.error_code, answer.error_message = refusal.code, str(refusal)
    else:
        answer.active_producers = [_state(producer_id, producer) for producer_id, producer in producers]
    return answer


def _state(producer_id: int, producer: Producer) -> ProducerState:
    return ProducerState(
        producer_id=producer_id,
        producer_epoch=producer.epoch,
        last_sequence=producer.batches[-1].last_sequence if producer.batches else NONE,
        last_timestamp=producer.last_timestamp,
        coordinator_epoch=producer.coordinator_epoch,
        current_txn_start_offset=producer.transaction_start,
    )
