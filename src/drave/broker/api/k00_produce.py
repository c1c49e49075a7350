"""Produce: each batch is checked, appended, and answered when it is durable.

    bytes ─▶ one whole batch? ─▶ CRC, header ─▶ what the topic asks for ─▶ log.append ─▶ answered once durable
                                                       a transaction's ─▶ Admission ─┘

For an ordinary topic no record is looked at: the batch's header is trusted once its CRC holds. Records are parsed only
where the topic asks for something that depends on them (keys on a compacted topic, another codec, a bound on how old a
timestamp may be), and to say which of them made their batch refused.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from drave import records
from drave.broker.admission import Admission
from drave.broker.context import Context, Pending
from drave.broker.core import Broker
from drave.catalog import Topic
from drave.log import Appended, PartitionLog
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import Offset
from drave.records import HEADER_SIZE, LENGTH_END, TRANSACTIONAL, BatchHeader, Buffer, Codec
from drave.wire.messages.k00_produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)

ACKS_NONE: Final = 0
ACKS: Final = frozenset((ACKS_NONE, 1, -1))
"""1 and -1 (all) are answered alike: there is one copy, and it is durable then."""

ZSTD_SINCE: Final = 7
"""KIP-110: a producer below this version must not send zstd, for consumers of its age could not read it."""

BY_ID_SINCE: Final = 13
"""KIP-516."""

ADMIN_CLIENT_ID: Final = "__admin_client"
"""The one client id that may write to an internal topic, as in Kafka."""

NO_TIMESTAMP: Final = -1

CODEC_NAMED: Final = {"uncompressed": Codec.NONE} | {codec.name.lower(): codec for codec in Codec if codec}
"""`compression.type` of a topic, but for "producer", which keeps what the producer chose."""

Waits = list[tuple[PartitionLog, Offset]]
"""What has to become durable before the answer: logs, and up to where."""


NOT_TOLD: Final = "a Produce with acks=0 failed; closing is the only way to tell the producer"


class _InTransaction(Exception):
    """A batch is a transaction's: it may have to wait for its coordinator."""

    def __init__(self, admission: Admission, log: PartitionLog) -> None:
        self.admission = admission
        self.log = log


class RecordsRefused(Refused):
    """Some records of a batch are none that the topic takes. The producer is told which ones (KIP-467)."""

    def __init__(self, code: ErrorCode, message: str, indexes: list[int]) -> None:
        super().__init__(code, message)
        self.indexes = indexes
        """Their places in the batch, from 0."""


def produce(broker: Broker, context: Context, request: ProduceRequest) -> ProduceResponse | Pending | None:
    """Append every batch of the request; one that is refused leaves its neighbours alone."""
    waits: Waits = []
    response = ProduceResponse(responses=[])
    now_ms = broker.clock.wall_ms()
    by_id = context.api_version >= BY_ID_SINCE
    later: _Later | None = None
    failed = False
    for topic_data in request.topic_data:
        answers: list[PartitionProduceResponse] = []
        response.responses.append(
            TopicProduceResponse(name=topic_data.name, topic_id=topic_data.topic_id, partition_responses=answers)
        )
        try:
            topic = broker.topic_by_id(topic_data.topic_id) if by_id else broker.topic(topic_data.name)
            _check_request(request, topic, context)
        except ProtocolError as error:
            failed = True
            answers.extend(_refused(data.index, error) for data in topic_data.partition_data)
            continue
        for data in topic_data.partition_data:
            try:
                answers.append(_append(broker, context, request, topic, data, now_ms, waits))
            except _InTransaction as found:
                later = later or _Later(context, request, response, waits)
                later.admit(found.admission, found.log, data.index, answers)
            except ProtocolError as error:
                failed = True
                answers.append(_refused(data.index, error))
    if request.acks == ACKS_NONE:
        if failed:
            context.connection.close(NOT_TOLD)
        return None
    if later is not None:
        return later.pending()
    return _when_durable(waits, response) if waits else response


def _check_request(request: ProduceRequest, topic: Topic, context: Context) -> None:
    if request.acks not in ACKS:
        raise Refused(ErrorCode.INVALID_REQUIRED_ACKS, f"acks is {request.acks}; it must be 0, 1 or -1 (all).")
    if topic.internal and context.client_id != ADMIN_CLIENT_ID:
        raise Refused(
            ErrorCode.INVALID_TOPIC_EXCEPTION, f"{topic.name} is an internal topic: only the broker writes to it."
        )


def _append(
    broker: Broker,
    context: Context,
    request: ProduceRequest,
    topic: Topic,
    data: PartitionProduceData,
    now_ms: int,
    waits: Waits,
) -> PartitionProduceResponse:
    log = broker.partition(topic, data.index)
    batch = data.records
    if not batch:
        raise Refused(ErrorCode.INVALID_RECORD, "The request holds no record batch for this partition.")
    header = _check_batch(topic, batch, context.api_version)
    config = topic.config
    if config.cleanup_compact:
        _check_keys(topic, header, batch)
    if config.message_timestamp_type == "CreateTime":
        _check_timestamps(topic, header, batch, now_ms)
        if config.compression_type != "producer":
            batch, header = _recompress(topic, header, batch)
    else:
        batch, header = _stamp(topic, header, batch, now_ms)
    if header.attributes & TRANSACTIONAL:
        if request.transactional_id is None:
            raise Refused(
                ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "The batch is a transaction's; the request names none."
            )
        admission = Admission(
            broker,
            context.api_version,
            request.transactional_id,
            topic,
            data.index,
            log,
            batch,
            header,
            now_ms,
        )
        raise _InTransaction(admission, log)
    appended = log.append(batch, header, now_ms=now_ms)
    if appended.end > log.durable:
        waits.append((log, appended.end))
    return _taken(data.index, appended)


def _taken(index: int, appended: Appended) -> PartitionProduceResponse:
    return PartitionProduceResponse(
        index=index,
        base_offset=appended.base_offset,
        log_append_time_ms=appended.append_time_ms,
        log_start_offset=appended.log_start,
    )


# -- what any topic refuses


def _check_batch(topic: Topic, batch: Buffer, version: int) -> BatchHeader:
    """One whole batch, intact, which a producer may send to this topic. The order is from cheap to dear."""
    size = len(batch)
    if size < HEADER_SIZE:
        raise Refused(ErrorCode.INVALID_RECORD, f"{size} bytes are no record batch: its header has {HEADER_SIZE}.")
    header = records.parse_header(batch)
    if header.length + LENGTH_END != size:
        raise _not_one_batch(header, batch)
    if size > topic.config.max_message_bytes:
        raise _too_large(topic, size)
    if version < ZSTD_SINCE and header.codec is Codec.ZSTD:
        raise Refused(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"zstd needs Produce v{ZSTD_SINCE}; this is v{version}.")
    records.check(header, batch)
    if header.base_offset:
        raise Refused(
            ErrorCode.INVALID_RECORD, f"The batch has base offset {header.base_offset}; a producer numbers from 0."
        )
    return header


def _not_one_batch(header: BatchHeader, batch: Buffer) -> ProtocolError:
    """What is wrong where a batch should fill its bytes and does not: to send it again would not help (KIP-98)."""
    if header.size > len(batch):
        why = f"The record batch claims {header.size} bytes where the request has {len(batch)}."
    else:
        try:
            records.parse_header(batch, header.size)
        except ProtocolError as error:
            return error
        why = "The request holds more than one record batch for this partition."
    return Refused(ErrorCode.INVALID_RECORD, why)


def _too_large(topic: Topic, size: int) -> Refused:
    return Refused(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"The batch has {size} bytes; {topic.name} takes max.message.bytes={topic.config.max_message_bytes}.",
    )


# -- what one topic refuses, or wants in another form


def _check_keys(topic: Topic, header: BatchHeader, batch: Buffer) -> None:
    keyless = [index for index, record in enumerate(records.read_records(batch, header)) if record.key is None]
    if keyless:
        raise RecordsRefused(ErrorCode.INVALID_RECORD, f"{topic.name} is compacted: every record needs a key.", keyless)


def _check_timestamps(topic: Topic, header: BatchHeader, batch: Buffer, now_ms: int) -> None:
    """KIP-937. The header's maximum bounds the future; how old the oldest is, only the records know."""
    config = topic.config
    latest = now_ms + config.message_timestamp_after_max_ms
    earliest = now_ms - config.message_timestamp_before_max_ms
    if header.max_timestamp <= latest and earliest <= 0:
        return
    beyond = [
        (index, record.timestamp)
        for index, record in enumerate(records.read_records(batch, header))
        if record.timestamp != NO_TIMESTAMP and not earliest <= record.timestamp <= latest
    ]
    if not beyond and header.max_timestamp <= latest:
        return
    off_ms = (beyond[0][1] if beyond else header.max_timestamp) - now_ms
    raise RecordsRefused(
        ErrorCode.INVALID_TIMESTAMP,
        f"A timestamp lies {abs(off_ms)} ms {'ahead of' if off_ms > 0 else 'behind'} this broker's clock; {topic.name} "
        f"takes message.timestamp.after.max.ms={config.message_timestamp_after_max_ms} and "
        f"message.timestamp.before.max.ms={config.message_timestamp_before_max_ms}.",
        [index for index, _ in beyond],
    )


def _recompress(topic: Topic, header: BatchHeader, batch: Buffer) -> tuple[Buffer, BatchHeader]:
    """The batch in the topic's codec."""
    config = topic.config
    codec = CODEC_NAMED.get(config.compression_type, header.codec)
    if codec is header.codec:
        return batch, header
    level = {
        Codec.GZIP: config.compression_gzip_level,
        Codec.LZ4: config.compression_lz4_level,
        Codec.ZSTD: config.compression_zstd_level,
    }
    made = records.recompress(batch, codec, level.get(codec))
    if len(made) > config.max_message_bytes:
        raise _too_large(topic, len(made))
    return made, records.parse_header(made)


def _stamp(topic: Topic, header: BatchHeader, batch: Buffer, now_ms: int) -> tuple[Buffer, BatchHeader]:
    """The batch with this moment as the timestamp of all its records: LogAppendTime."""
    made = bytearray(_recompress(topic, header, batch)[0])
    records.stamp_append_time(made, now_ms)
    return made, records.parse_header(made)


# -- answering


def _refused(index: int, error: ProtocolError) -> PartitionProduceResponse:
    message = str(error) or None
    indexes = error.indexes if isinstance(error, RecordsRefused) else []
    return PartitionProduceResponse(
        index=index,
        error_code=error.code,
        base_offset=-1,
        record_errors=[
            BatchIndexAndErrorMessage(batch_index=each, batch_index_error_message=message) for each in indexes
        ],
        error_message=message,
    )


def _when_durable(waits: Waits, response: ProduceResponse, pending: Pending | None = None) -> Pending:
    """A reply, a new one or the one that is given, which comes once all that was appended is durable."""
    if pending is None:
        pending = Pending()
    if len(waits) == 1:
        log, end = waits[0]
        log.when_durable(end, partial(pending.complete, response))
    else:
        countdown = _Countdown(len(waits), pending, response)
        for log, end in waits:
            log.when_durable(end, countdown.one_is)
    return pending


class _Countdown:
    """Answers when all partitions of a request are durable."""

    __slots__ = ("_left", "_pending", "_response")

    def __init__(self, count: int, pending: Pending, response: ProduceResponse) -> None:
        self._left = count
        self._pending = pending
        self._response = response

    def one_is(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._pending.complete(self._response)


class _Later:
    """The batches of a request that are a transaction's. Those that wait for their coordinator hold its answer back."""

    def __init__(self, context: Context, request: ProduceRequest, response: ProduceResponse, waits: Waits) -> None:
        self._context = context
        self._request = request
        self._response = response
        self._waits = waits
        self._left = 0
        self._pending: Pending | None = None

    def admit(
        self, admission: Admission, log: PartitionLog, index: int, answers: list[PartitionProduceResponse]
    ) -> None:
        """Have a batch appended, now or later; its answer takes its place among the `answers`."""
        place = len(answers)
        answers.append(PartitionProduceResponse(index=index, base_offset=-1))

        def enter(result: Appended | ProtocolError) -> None:
            if isinstance(result, ProtocolError):
                answers[place] = _refused(index, result)
                if self._request.acks == ACKS_NONE:
                    self._context.connection.close(NOT_TOLD)
            else:
                answers[place] = _taken(index, result)
                if result.end > log.durable:
                    self._waits.append((log, result.end))

        def done(result: Appended | ProtocolError) -> None:
            enter(result)
            self._left -= 1
            if self._pending is not None and not self._left:
                self._finish(self._pending)

        self._left += 1
        try:
            appended = admission.start(done)
        except ProtocolError as error:
            done(error)
        else:
            if appended is not None:
                done(appended)

    def pending(self) -> ProduceResponse | Pending:
        """The answer to the request, or what it will come by."""
        if self._left:
            self._pending = Pending()
            return self._pending
        return _when_durable(self._waits, self._response) if self._waits else self._response

    def _finish(self, pending: Pending) -> None:
        if self._waits:
            _when_durable(self._waits, self._response, pending)
        else:
            pending.complete(self._response)
