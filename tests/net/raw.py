"""A connection without a client library: it sends what it is told, right or wrong, and says what came back."""

from __future__ import annotations

import itertools
import socket
import struct
from types import TracebackType
from typing import Any, Final, Self

from drave.model.errors import ErrorCode
from drave.records import build_batch
from drave.wire.api import ApiKey
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from drave.wire.messages.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from drave.wire.messages.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic

TIMEOUT_S: Final = 60.0
PRODUCE: Final = 9
FETCH: Final = 11
LIST_OFFSETS: Final = 5
METADATA: Final = 8
LATEST: Final = -1


class StillOpen(AssertionError):
    """The broker was expected to close the connection."""


class Connection:
    """One TCP connection to a broker on this machine."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))
        self._correlations = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.socket.close()

    # -- bytes

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def frame(self, content: bytes) -> None:
        """Send bytes as a frame: with their length before them."""
        self.send(struct.pack(">i", len(content)) + content)

    def reply(self) -> bytes:
        """The next frame, without its length. Raises EOFError when the broker has closed."""
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def rest(self) -> bytes:
        """All that comes until the broker closes. Raises StillOpen when it does not."""
        data = b""
        try:
            while more := self.socket.recv(65536):
                data += more
        except TimeoutError:
            raise StillOpen(f"the broker did not close the connection within {TIMEOUT_S:.0f} s") from None
        except ConnectionResetError:
            pass
        return data

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError(f"the broker closed after {len(data)} of {size} bytes")
            data += more
        return bytes(data)

    # -- requests

    def request(self, key: ApiKey, version: int, message: Any) -> int:
        """Send, do not wait; the correlation id."""
        correlation = next(self._correlations)
        self.send(b"".join(encode_request(key, version, correlation, "raw", message)))
        return correlation

    def ask(self, key: ApiKey, version: int, message: Any) -> Any:
        """Send and wait for the answer."""
        correlation = self.request(key, version, message)
        answered, response = decode_reply(key, version, self.reply())
        assert answered == correlation
        return response

    def create(self, topic: str) -> ErrorCode:
        """Ask for a topic's metadata, which creates it; its error code."""
        request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=True)
        return ErrorCode(self.ask(ApiKey.METADATA, METADATA, request).topics[0].error_code)

    def produce(
        self, topic: str, records: bytes | None, *, partition: int = 0, acks: int = -1
    ) -> tuple[ErrorCode, int]:
        """Send bytes as the batch of a partition; error code and base offset."""
        answer = self.ask(ApiKey.PRODUCE, PRODUCE, produce_request(topic, records, partition=partition, acks=acks))
        (partition_answer,) = answer.responses[0].partition_responses
        return ErrorCode(partition_answer.error_code), partition_answer.base_offset

    def fetch(self, topic: str, *, partition: int = 0, start: int = 0) -> tuple[ErrorCode, bytes]:
        """Error code and batches from an offset on."""
        answer = self.ask(ApiKey.FETCH, FETCH, fetch_request(topic, partition=partition, start=start))
        (data,) = answer.responses[0].partitions
        return ErrorCode(data.error_code), bytes(data.records or b"")

    def end(self, topic: str, *, partition: int = 0, timestamp: int = LATEST) -> tuple[ErrorCode, int]:
        """Error code and high watermark, or the offset of another timestamp."""
        wanted = ListOffsetsTopic(
            name=topic, partitions=[ListOffsetsPartition(partition_index=partition, timestamp=timestamp)]
        )
        answer = self.ask(ApiKey.LIST_OFFSETS, LIST_OFFSETS, ListOffsetsRequest(replica_id=-1, topics=[wanted]))
        (data,) = answer.topics[0].partitions
        return ErrorCode(data.error_code), data.offset


def produce_request(topic: str, records: bytes | None, *, partition: int = 0, acks: int = -1) -> ProduceRequest:
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(
        acks=acks, timeout_ms=10_000, topic_data=[TopicProduceData(name=topic, partition_data=[data])]
    )


def fetch_request(
    topic: str, *, partition: int = 0, start: int = 0, max_wait_ms: int = 0, bytes_max: int = 64 * 1024 * 1024
) -> FetchRequest:
    wanted = FetchPartition(partition=partition, fetch_offset=start, partition_max_bytes=bytes_max)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=1 if max_wait_ms else 0,
        max_bytes=bytes_max,
        topics=[FetchTopic(topic=topic, partitions=[wanted])],
    )


def good_batch(*values: bytes, **options: Any) -> bytes:
    """A batch that any broker takes."""
    return build_batch(
        [(None, value) for value in values or (b"value",)], **{"timestamp_ms": 1_551_398_400_000, **options}
    )
