"""Headers and lengths, in both directions."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kio.schema.request_header.v1.header import RequestHeader as RequestHeaderV1
from kio.schema.request_header.v2.header import RequestHeader as RequestHeaderV2
from kio.serial import entity_writer
from kio.static.primitive import i16, i32

from drave.schema import SchemaError
from drave.wire.api import API, ApiKey
from drave.wire.frames import (
    RequestHeader,
    body_decoder,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    parse_request_header,
)
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from drave.wire.messages.k01_fetch import FetchableTopicResponse, FetchResponse, PartitionData
from drave.wire.messages.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from drave.wire.messages.k18_api_versions import ApiVersion, ApiVersionsResponse

HEARTBEAT = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")


def produce(records: Any) -> ProduceRequest:
    partition = PartitionProduceData(index=0, records=records)
    return ProduceRequest(
        acks=1, timeout_ms=100, topic_data=[TopicProduceData(name="rides", partition_data=[partition])]
    )


def fetched(records: Any) -> FetchResponse:
    partition = PartitionData(partition_index=0, high_watermark=2, records=records)
    return FetchResponse(responses=[FetchableTopicResponse(topic="rides", partitions=[partition])])


def without_length(parts: list[Any]) -> bytes:
    """The frame as it is parsed: its four bytes of length, which must be right, taken off."""
    frame = b"".join(parts)
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    return frame[4:]


@pytest.mark.parametrize("client_id", [None, "", "rdkafka", "é" * 200])
@pytest.mark.parametrize(("version", "theirs"), [(3, RequestHeaderV1), (4, RequestHeaderV2)])
def test_a_request_header_is_version_2_where_the_request_is_flexible(
    version: int, theirs: Any, client_id: str | None
) -> None:
    """Heartbeat is flexible from 4 on. The client id keeps its int16 length even there."""
    frame = without_length(encode_request(ApiKey.HEARTBEAT, version, -7, client_id, HEARTBEAT))
    expected = io.BytesIO()
    header = theirs(
        request_api_key=i16(12), request_api_version=i16(version), correlation_id=i32(-7), client_id=client_id
    )
    entity_writer(theirs)(expected, header)
    assert frame.startswith(expected.getvalue())
    assert parse_request_header(frame) == (RequestHeader(12, version, -7, client_id), len(expected.getvalue()))
    assert decode_request(memoryview(frame)) == (RequestHeader(12, version, -7, client_id), HEARTBEAT)


def test_a_client_id_that_is_not_utf_8_is_read_as_well_as_it_can_be() -> None:
    header, at = parse_request_header(struct.pack(">hhih", 12, 0, 7, 2) + b"\xc3(")
    assert header == RequestHeader(12, 0, 7, "\ufffd(")
    assert at == 12


def test_tags_in_a_request_header_are_passed_over() -> None:
    frame = struct.pack(">hhih", 12, 4, 1, 1) + b"c" + b"\x02" + b"\x00\x03abc" + b"\x81\x01\x00" + b"body"
    header, at = parse_request_header(frame)
    assert header == RequestHeader(12, 4, 1, "c")
    assert frame[at:] == b"body"


@pytest.mark.parametrize(("key", "version"), [(18, 99), (12, 5), (0, 2), (9_999, 0), (-1, -1)])
def test_the_header_of_an_unknown_key_or_version_is_still_read(key: int, version: int) -> None:
    """KIP-511: so that an ApiVersions from the future can be told what there is."""
    frame = struct.pack(">hhih", key, version, 42, 2) + b"me" + b"\xff\xff whatever follows"
    header, _ = parse_request_header(frame)
    assert header == RequestHeader(key, version, 42, "me")


@pytest.mark.parametrize(("key", "version"), [(9_999, 0), (12, 5), (0, 2)])
def test_a_body_that_nobody_declared_is_refused(key: int, version: int) -> None:
    with pytest.raises(SchemaError, match=r"declared"):
        body_decoder(key, version)


@given(st.binary(max_size=40))
@example(b"")
@example(struct.pack(">hhih", 12, 4, 1, 30_000))
@example(struct.pack(">hhih", 12, 4, 1, -1))
@example(struct.pack(">hhih", 12, 4, 1, -1) + b"\xff" * 9)
@example(struct.pack(">hhih", 12, 4, 1, -1) + b"\xff\xff\xff\xff\x07")
@example(struct.pack(">hhih", 12, 4, 1, 2) + b"\xc3\x28\x00")
def test_garbage_is_a_header_or_a_schema_error(frame: bytes) -> None:
    try:
        _, at = parse_request_header(memoryview(frame))
    except SchemaError:
        return
    assert at <= len(frame)


def test_a_response_has_tags_in_its_header_where_it_is_flexible() -> None:
    response = HeartbeatResponse(error_code=27)
    assert without_length(encode_reply(ApiKey.HEARTBEAT, 3, 5, response)) == struct.pack(">iih", 5, 0, 27)
    assert without_length(encode_reply(ApiKey.HEARTBEAT, 4, 5, response)) == struct.pack(">ixihx", 5, 0, 27)


@pytest.mark.parametrize("version", range(6))
def test_a_response_to_api_versions_never_has_tags_in_its_header(version: int) -> None:
    """A client that does not know the version yet could not tell them from the body."""
    response = ApiVersionsResponse(error_code=35, api_keys=[ApiVersion(api_key=0, min_version=0, max_version=13)])
    frame = without_length(encode_reply(ApiKey.API_VERSIONS, version, 5, response))
    assert frame.startswith(struct.pack(">ih", 5, 35))
    assert decode_reply(ApiKey.API_VERSIONS, version, frame) == (5, response)


@pytest.mark.parametrize("version", [8, 9])
def test_records_of_a_request_are_a_view_into_its_frame(version: int) -> None:
    frame = bytearray(without_length(encode_request(ApiKey.PRODUCE, version, 1, None, produce(b"records"))))
    _, request = decode_request(frame)
    view = request.topic_data[0].partition_data[0].records
    assert view == b"records"
    frame[frame.index(b"records")] ^= 0xFF
    assert view[0] == ord("r") ^ 0xFF


@pytest.mark.parametrize("version", [11, 12])
def test_records_of_a_response_are_sent_from_where_they_lie(version: int) -> None:
    records = memoryview(b"two batches")
    parts = encode_reply(ApiKey.FETCH, version, 1, fetched(records))
    assert [part is records for part in parts] == [False, True] + [False] * (len(parts) - 2)
    slices = [records[:4], records[4:]]
    sliced = encode_reply(ApiKey.FETCH, version, 1, fetched(slices))
    assert [part for part in sliced if isinstance(part, memoryview)] == slices
    assert without_length(sliced) == without_length(parts)


def test_what_follows_a_body_is_passed_over() -> None:
    """Kafka does the same."""
    frame = without_length(encode_request(ApiKey.HEARTBEAT, 4, 1, "c", HEARTBEAT)) + b"more"
    assert decode_request(frame)[1] == HEARTBEAT


@pytest.mark.parametrize("frame", [b"", b"\0\0\0", b"\0\0\0\5", b"\0\0\0\5\xff\xff\xff\xff\xff\xff"])
def test_a_reply_that_is_cut_off_is_a_schema_error(frame: bytes) -> None:
    with pytest.raises(SchemaError):
        decode_reply(ApiKey.HEARTBEAT, 4, frame)


def test_every_frame_comes_back_as_it_was(declared: tuple[int, type[Any], int], messages: Any) -> None:
    key, cls, version = declared

    def there_and_back(message: Any) -> Any:
        if cls is API[ApiKey(key)].response:
            frame = without_length(encode_reply(key, version, 3, message))
            correlation_id, decoded = decode_reply(key, version, frame)
            assert correlation_id == 3
            return decoded
        frame = without_length(encode_request(key, version, 3, "client", message))
        header, decoded = decode_request(frame)
        assert header == RequestHeader(key, version, 3, "client")
        return decoded

    @settings(settings.get_profile("wire"), max_examples=2)
    @given(messages(version).of(cls))
    def check(message: Any) -> None:
        assert there_and_back(message) == message

    check()
