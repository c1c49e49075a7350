"""Bytes that no client should send: each has one clear outcome, and nobody else is disturbed.

A bystander with a connection of its own is there in every test: it was connected before, and must be served after.
"""

from __future__ import annotations

import itertools
import logging
import random
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drave.broker.dispatch import HANDLERS
from drave.model.errors import ErrorCode
from drave.net import session
from drave.testing import Broker
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k03_metadata import MetadataRequest
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k18_api_versions import ApiVersionsRequest
from tests.net.raw import METADATA, Connection, fetch_request, good_batch, produce_request

FRAME_BYTES_MAX = 1_000_000
_numbers = itertools.count()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker(request_bytes_max=FRAME_BYTES_MAX) as running:
        yield running


@pytest.fixture(autouse=True)
def bystander(broker: Broker) -> Iterator[Connection]:
    """Another client: connected before the test, served after it, on the same connection."""
    topic = f"bystander-{next(_numbers)}"
    with Connection(broker.port) as other:
        assert other.create(topic) == ErrorCode.NONE
        assert other.produce(topic, good_batch(b"before")) == (ErrorCode.NONE, 0)
        yield other
        assert other.produce(topic, good_batch(b"after")) == (ErrorCode.NONE, 1)
        assert other.end(topic) == (ErrorCode.NONE, 2)


@pytest.fixture
def stranger(broker: Broker) -> Iterator[Connection]:
    """The client that misbehaves."""
    with Connection(broker.port) as connection:
        yield connection


@pytest.mark.parametrize("size", [FRAME_BYTES_MAX + 1, 2**31 - 1, -1, -(2**31), 0, 7])
def test_a_frame_of_an_impossible_size_closes_the_connection(stranger: Connection, size: int) -> None:
    """Too large is refused before it is read (`socket.request.max.bytes`); the smallest request has eight bytes."""
    stranger.send(struct.pack(">i", size))
    assert stranger.rest() == b""


@pytest.mark.parametrize("header", [struct.pack(">hh", ApiKey.METADATA, 12), struct.pack(">hh", 999, 0)])
def test_only_requests_that_carry_others_bytes_may_be_large(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, header: bytes
) -> None:
    """Refused as soon as it says what it is; a list of millions of topics would hold everybody."""
    monkeypatch.setattr(session, "USUAL_FRAME_BYTES_MAX", 5000)
    caplog.set_level(logging.INFO, "drave.net")
    with Broker() as fresh, Connection(fresh.port) as connection:
        connection.send(struct.pack(">i", 5001))
        connection.send(header)
        assert connection.rest() == b""
    assert "a frame of 5001 bytes for API key" in caplog.text
    assert "only PRODUCE, JOIN_GROUP, SYNC_GROUP may be larger than 5000 bytes" in caplog.text


def test_a_request_that_asks_about_too_much_closes_its_connection_and_the_log_says_how_to_ask(
    stranger: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A few bytes each, and much to answer: 8 MiB are room for millions of them."""
    caplog.set_level(logging.INFO, "drave.net")
    stranger.request(ApiKey.DESCRIBE_GROUPS, 6, DescribeGroupsRequest(groups=["group"] * 10_001))
    assert stranger.rest() == b""
    assert "it asks about 10001 names" in caplog.text
    assert "ask in parts" in caplog.text


def test_a_batch_may_be_larger_than_what_other_requests_may(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "USUAL_FRAME_BYTES_MAX", 5000)
    topic = f"large-{next(_numbers)}"
    with Connection(broker.port) as connection:
        assert connection.create(topic) == ErrorCode.NONE
        assert connection.produce(topic, good_batch(bytes(6000))) == (ErrorCode.NONE, 0)


def test_a_frame_of_exactly_the_bound_is_read(stranger: Connection) -> None:
    topic = f"large-{next(_numbers)}"
    assert stranger.create(topic) == ErrorCode.NONE
    empty = len(b"".join(encode_request(ApiKey.PRODUCE, 9, 0, "raw", produce_request(topic, good_batch(b""))))) - 4
    value = bytes(FRAME_BYTES_MAX - empty - 9)  # the lengths before the value take more bytes as it grows
    batch = good_batch(value)
    size = len(b"".join(encode_request(ApiKey.PRODUCE, 9, 0, "raw", produce_request(topic, batch)))) - 4
    assert FRAME_BYTES_MAX - 8 <= size <= FRAME_BYTES_MAX
    assert stranger.produce(topic, batch) == (ErrorCode.NONE, 0)


def test_what_was_asked_before_a_bad_frame_is_answered_before_the_connection_closes(stranger: Connection) -> None:
    for _ in range(3):
        stranger.request(ApiKey.API_VERSIONS, 0, ApiVersionsRequest())
    stranger.send(struct.pack(">i", -1))
    for correlation in (1, 2, 3):
        assert struct.unpack_from(">i", stranger.reply())[0] == correlation
    assert stranger.rest() == b""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=8, max_size=300))
def test_garbage_in_a_frame_is_answered_or_closed(broker: Broker, content: bytes) -> None:
    """There is no third way: the broker does not hang, and does not fall."""
    with Connection(broker.port) as stranger:
        stranger.frame(content)
        stranger.socket.shutdown(socket.SHUT_WR)
        stranger.rest()


@pytest.mark.parametrize("key", sorted(HANDLERS), ids=lambda key: key.name)
def test_a_body_of_garbage_is_answered_or_closed(broker: Broker, key: ApiKey) -> None:
    """Every key that is served, in its lowest and highest version, after a header that is right."""
    chance = random.Random(int(key))
    for version in API[key].versions:
        flexible = b"\0" if version >= API[key].flexible_since else b""
        for size in (0, 1, 7, 60, 400):
            with Connection(broker.port) as stranger:
                stranger.frame(struct.pack(">hhih", key, version, 7, 0) + flexible + chance.randbytes(size))
                stranger.socket.shutdown(socket.SHUT_WR)
                answer = stranger.rest()
                assert not answer or struct.unpack_from(">i", answer, 4)[0] == 7


def test_a_count_that_the_frame_cannot_hold_takes_no_memory(stranger: Connection) -> None:
    """Two billion topics in twelve bytes: lengths are bounded by what is left of the frame."""
    stranger.frame(struct.pack(">hhih", ApiKey.METADATA, 1, 7, 0) + struct.pack(">i", 2**31 - 1))
    assert stranger.rest() == b""


@pytest.mark.parametrize(("key", "version"), [(999, 0), (-1, 0), (4, 0), (ApiKey.PRODUCE, 99), (ApiKey.FETCH, 0)])
def test_an_unknown_key_or_version_closes_the_connection(stranger: Connection, key: int, version: int) -> None:
    """As Kafka does: only ApiVersions may be asked in any version."""
    stranger.frame(struct.pack(">hhih", key, version, 7, 0) + bytes(20))
    assert stranger.rest() == b""


def test_api_versions_from_the_future_is_answered_with_the_table(stranger: Connection) -> None:
    """KIP-511: version 0, UNSUPPORTED_VERSION, and all that is served, so that the client can ask again."""
    stranger.frame(struct.pack(">hhih", ApiKey.API_VERSIONS, 99, 7, 0) + bytes(20))
    correlation, answer = decode_reply(ApiKey.API_VERSIONS, 0, stranger.reply())
    assert (correlation, answer.error_code) == (7, ErrorCode.UNSUPPORTED_VERSION)
    assert {key.api_key for key in answer.api_keys} == {int(key) for key in HANDLERS}
    assert stranger.ask(ApiKey.API_VERSIONS, 0, ApiVersionsRequest()).error_code == 0


@pytest.mark.parametrize("method", ["GET / HTTP/1.1", "POST /topics HTTP/1.1", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0"])
def test_http_gets_a_sentence_of_help(stranger: Connection, method: str) -> None:
    stranger.send(f"{method}\r\nHost: localhost\r\n\r\n".encode())
    answer = stranger.rest().decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "Kafka" in answer.partition("\r\n\r\n")[2]


def test_tls_on_the_plain_port_fails_at_once(broker: Broker) -> None:
    """Not after the client's time-out: the handshake is refused."""
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", broker.port), timeout=60) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_bytes_that_come_one_at_a_time_make_a_request_all_the_same(stranger: Connection) -> None:
    stranger.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = MetadataRequest(topics=[])
    for byte in b"".join(encode_request(ApiKey.METADATA, METADATA, 7, "slow", request)):
        stranger.send(bytes([byte]))
    assert decode_reply(ApiKey.METADATA, METADATA, stranger.reply())[0] == 7


def test_a_client_that_leaves_in_the_middle_of_a_request_is_forgotten(broker: Broker) -> None:
    for size in (1, 4, 20):
        with Connection(broker.port) as stranger:
            stranger.send(
                b"".join(encode_request(ApiKey.METADATA, METADATA, 7, "x", MetadataRequest(topics=[])))[:size]
            )


class Process:
    """A broker in a process of its own, so that its memory can be seen from outside."""

    def __init__(self, running: Broker) -> None:
        self.port = running.port
        self._statm = Path(f"/proc/{running.pid}/statm")

    def resident_bytes(self) -> int:
        return int(self._statm.read_text().split()[1]) * 4096


@pytest.fixture
def process() -> Iterator[Process]:
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc")
    with Broker(process=True) as running:
        yield Process(running)


@pytest.mark.slow
def test_frames_that_are_announced_and_never_come_hold_no_memory(process: Process) -> None:
    """Three hundred clients promise 100 MiB each, and send a few bytes of it."""
    before = process.resident_bytes()
    with ExitStack() as stack:
        for _ in range(300):
            stranger = stack.enter_context(Connection(process.port))
            stranger.send(struct.pack(">i", 100 * 1024 * 1024) + bytes(1000))
        _is_well(process)
        assert process.resident_bytes() - before < 64 * 1024 * 1024


@pytest.mark.slow
def test_a_thousand_connections_that_say_nothing_are_in_nobodys_way(process: Process) -> None:
    before = process.resident_bytes()
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(Connection(process.port))
        _is_well(process)
        assert process.resident_bytes() - before < 100 * 1024 * 1024
    _is_well(process)


@pytest.mark.slow
def test_a_client_that_asks_for_much_and_reads_nothing_holds_little(process: Process) -> None:
    """A hundred fetches of 40 MB on one connection: what is not read is not fetched either."""
    with Connection(process.port) as writer:
        assert writer.create("much") == ErrorCode.NONE
        for _ in range(40):
            assert writer.produce("much", good_batch(bytes(1_000_000)))[0] == ErrorCode.NONE
    before = process.resident_bytes()
    with Connection(process.port, receive_buffer=4096) as stranger:
        for _ in range(100):
            stranger.request(ApiKey.FETCH, 11, fetch_request("much"))
        _is_well(process)
        assert process.resident_bytes() - before < 200 * 1024 * 1024
    _is_well(process)


def _is_well(process: Process) -> None:
    """Another client is served, with a new connection, a new topic, a write and a read."""
    topic = f"well-{next(_numbers)}"
    with Connection(process.port) as other:
        assert other.create(topic) == ErrorCode.NONE
        assert other.produce(topic, good_batch(b"well")) == (ErrorCode.NONE, 0)
        assert other.fetch(topic)[0] == ErrorCode.NONE
