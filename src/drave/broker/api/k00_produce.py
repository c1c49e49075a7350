"""Produce: each batch is checked, appended, and answered when it is durable.

For an ordinary topic no record is looked at: the batch's header is trusted once its CRC holds. Records are parsed only
where the topic asks for something that depends on them (keys on a compacted topic, another codec, a bound on how old a
timestamp may be).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from drave import records
from drave.broker.context import Context, Pending
from drave.broker.core import Broker
from drave.catalog import Topic
from drave.log import PartitionLog
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.log_config import LogConfig
from drave.records import BatchHeader, Codec
from drave.wire.messages.k00_produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)

ACKS_NONE: Final = 0
ACKS_ALL: Final = -1
ZSTD_SINCE: Final = 7
"""KIP-110: a producer below this version must not send zstd, for consumers of its age could not read it."""

ADMIN_CLIENT_ID: Final = "__admin_client"
"""The one client id that may write to an internal topic, as in Kafka."""

CODEC_NAMED: Final = {"uncompressed": Codec.NONE} | {codec.name.lower(): codec for codec in Codec if codec}
"""`compression.type` of a topic; "producer", which is not here, keeps what the producer chose."""

Waits = list[tuple[PartitionLog, int]]


def produce(broker: Broker, context: Context, request: ProduceRequest) -> ProduceResponse | Pending | None:
    """Append every batch of the request; one that is refused leaves its neighbours alone."""
    waits: Waits = []
    response = ProduceResponse(responses=[], throttle_time_ms=0)
    refusal = _request_refusal(request)
    failed = False
    for topic_data in request.topic_data:
        answers: list[PartitionProduceResponse] = []
        response.responses.append(
            TopicProduceResponse(name=topic_data.name, topic_id=topic_data.topic_id, partition_responses=answers)
        )
        try:
            if refusal is not None:
                raise refusal
            topic = broker.topic(topic_data.name, topic_data.topic_id)
            _check_topic(topic, context, request)
        except ProtocolError as error:
            failed = True
            answers.extend(_refused(data.index, error) for data in topic_data.partition_data)
            continue
        for data in topic_data.partition_data:
            try:
                answers.append(_append(broker, context, topic, data, waits))
            except ProtocolError as error:
                failed = True
                answers.append(_refused(data.index, error))
    if request.acks == ACKS_NONE:
        if failed:
            context.connection.close("a Produce with acks=0 failed; closing is the only way to tell the producer")
        return None
    return _when_durable(waits, response)


def _request_refusal(request: ProduceRequest) -> ProtocolError | None:
    if request.acks not in (ACKS_NONE, 1, ACKS_ALL):
        return Refused(ErrorCode.INVALID_REQUIRED_ACKS, f"acks is {request.acks}; it must be 0, 1 or -1 (all).")
    return None


def _check_topic(topic: Topic, context: Context, request: ProduceRequest) -> None:
    if topic.internal and context.client_id != ADMIN_CLIENT_ID:
        raise Refused(
            ErrorCode.INVALID_TOPIC_EXCEPTION, f"{topic.name} is an internal topic: only the broker writes to it."
        )
    if request.acks == ACKS_ALL and topic.config.min_insync_replicas > 1:
        raise Refused(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            f"{topic.name} asks for min.insync.replicas={topic.config.min_insync_replicas}, and this broker keeps one "
            "copy: set it to 1, or produce with acks=1.",
        )


def _append(
    broker: Broker, context: Context, topic: Topic, data: PartitionProduceData, waits: Waits
) -> PartitionProduceResponse:
    log = broker.partition(topic, data.index)
    if not data.records:
        raise Refused(ErrorCode.INVALID_RECORD, "The request holds no record batch for this partition.")
    batch = memoryview(data.records)
    header = records.parse_header(batch)
    records.check(header, batch)
    now_ms = broker.clock.wall_ms()
    batch, header = _fit(topic, header, batch, context.api_version, now_ms)
    appended = log.append(batch, header, now_ms=now_ms)
    waits.append((log, appended.end))
    return PartitionProduceResponse(
        index=data.index,
        error_code=0,
        base_offset=appended.base_offset,
        log_append_time_ms=appended.append_time_ms,
        log_start_offset=appended.log_start,
        record_errors=[],
        error_message=None,
    )


def _fit(
    topic: Topic, header: BatchHeader, batch: memoryview, version: int, now_ms: int
) -> tuple[memoryview | bytearray, BatchHeader]:
    """Refuse what this topic must not take; where it asks for another form, give the batch that form."""
    config = topic.config
    if header.is_transactional:
        raise Refused(
            ErrorCode.INVALID_TXN_STATE, "The batch belongs to a transaction; this broker has no transactions yet."
        )
    if header.codec is Codec.ZSTD and version < ZSTD_SINCE:
        raise Refused(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"zstd needs Produce v{ZSTD_SINCE}; this is v{version}.")
    if len(batch) > config.max_message_bytes:
        raise Refused(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The batch has {len(batch)} bytes; {topic.name} takes max.message.bytes={config.max_message_bytes}.",
        )
    out: memoryview | bytearray = batch
    if config.message_timestamp_type == "LogAppendTime":
        out = _recompressed(config, header, batch)
        records.stamp_append_time(out, now_ms)
        header = records.parse_header(out)
    else:
        _check_timestamps(topic, header, batch, now_ms)
        out = _recompressed(config, header, batch)
        if out is not batch:
            header = records.parse_header(out)
    if config.cleanup_compact:
        _check_keys(topic, batch)
    return out, header


def _recompressed(config: LogConfig, header: BatchHeader, batch: memoryview) -> memoryview | bytearray:
    codec = CODEC_NAMED.get(config.compression_type, header.codec)
    if codec is header.codec:
        return batch
    level = {
        Codec.GZIP: config.compression_gzip_level,
        Codec.LZ4: config.compression_lz4_level,
        Codec.ZSTD: config.compression_zstd_level,
    }
    return bytearray(records.recompress(batch, codec, level.get(codec)))


def _check_timestamps(topic: Topic, header: BatchHeader, batch: memoryview, now_ms: int) -> None:
    """KIP-937. The header's maximum bounds the future; how old the oldest is, only the records know."""
    config = topic.config
    latest = now_ms + config.message_timestamp_after_max_ms
    if header.max_timestamp > latest:
        raise Refused(
            ErrorCode.INVALID_TIMESTAMP,
            f"A timestamp lies {header.max_timestamp - now_ms} ms ahead of this broker's clock; {topic.name} takes "
            f"message.timestamp.after.max.ms={config.message_timestamp_after_max_ms}.",
        )
    earliest = now_ms - config.message_timestamp_before_max_ms
    if earliest <= 0:
        return
    oldest = min(record.timestamp for record in records.read_records(batch, header))
    if 0 <= oldest < earliest:
        raise Refused(
            ErrorCode.INVALID_TIMESTAMP,
            f"A timestamp lies {now_ms - oldest} ms behind this broker's clock; {topic.name} takes "
            f"message.timestamp.before.max.ms={config.message_timestamp_before_max_ms}.",
        )


def _check_keys(topic: Topic, batch: memoryview) -> None:
    for record in records.read_records(batch):
        if record.key is None:
            raise Refused(ErrorCode.INVALID_RECORD, f"{topic.name} is compacted: every record needs a key.")


def _refused(index: int, error: ProtocolError) -> PartitionProduceResponse:
    return PartitionProduceResponse(
        index=index,
        error_code=error.code,
        base_offset=-1,
        log_append_time_ms=-1,
        log_start_offset=-1,
        record_errors=[],
        error_message=str(error) or None,
    )


def _when_durable(waits: Waits, response: ProduceResponse) -> ProduceResponse | Pending:
    waiting = [(log, end) for log, end in waits if log.high_watermark < end]
    if not waiting:
        return response
    pending = Pending()
    if len(waiting) == 1:
        log, end = waiting[0]
        log.when_durable(end, partial(pending.complete, response))
        return pending
    left = len(waiting)

    def one_done() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            pending.complete(response)

    for log, end in waiting:
        log.when_durable(end, one_done)
    return pending
