"""Who listens at an address, by how it answers."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from drave.client.connection import Connection
from drave.client.errors import Unreachable
from drave.client.probing import Speech, complaint, heard, speech_of
from drave.testing import Broker

KAFKA = struct.pack(">iih", 300, 0, 0)
TLS_ALERT = bytes.fromhex("15030100020246")


@pytest.mark.parametrize(
    ("answer", "speech"),
    [
        (KAFKA, Speech.KAFKA),
        (TLS_ALERT, Speech.TLS),
        (b"HTTP/1.1 400 Bad Request\r\n", Speech.HTTP),
        (b"", Speech.NOTHING),
        (b"SSH-2.0-OpenSSH", Speech.UNKNOWN),
        (KAFKA[:5], Speech.UNKNOWN),
        (struct.pack(">iih", 300, 7, 0), Speech.UNKNOWN),
    ],
)
def test_the_first_bytes_of_an_answer_tell_who_speaks(answer: bytes, speech: Speech) -> None:
    assert heard(answer) is speech


@pytest.mark.parametrize("protocol", ["plaintext", "sasl_plaintext"])
@pytest.mark.parametrize("speech", list(Speech))
def test_a_plain_client_gets_on_with_kafka_and_waits_for_who_is_slow(protocol: str, speech: Speech) -> None:
    assert (complaint(speech, protocol) is None) == (speech in (Speech.KAFKA, Speech.SILENCE))


@pytest.mark.parametrize("protocol", ["ssl", "sasl_ssl"])
@pytest.mark.parametrize("speech", list(Speech))
def test_a_tls_client_gets_on_with_all_but_plain_kafka(protocol: str, speech: Speech) -> None:
    assert (complaint(speech, protocol) is None) == (speech is not Speech.KAFKA)


def test_the_remedy_keeps_sasl() -> None:
    assert "sasl_plaintext in place of sasl_ssl" in (complaint(Speech.KAFKA, "sasl_ssl") or "")
    assert complaint(Speech.TLS, "sasl_plaintext") == "speaks TLS: say so with --set security.protocol=sasl_ssl"


Answering = Callable[[bytes], tuple[str, int]]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A port whose listener reads what comes, gives one answer, and hangs up."""
    listeners = []

    def start(answer: bytes) -> tuple[str, int]:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        listeners.append((listener, thread))
        host, port = listener.getsockname()
        return host, port

    yield start
    for listener, thread in listeners:
        thread.join(100)
        listener.close()


@pytest.mark.parametrize("answer", [KAFKA, TLS_ALERT, b""])
def test_a_port_is_asked_and_listened_to(answering: Answering, answer: bytes) -> None:
    assert speech_of(answering(answer), 10) is heard(answer)


def test_who_accepts_and_keeps_silent_is_slow_and_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert speech_of(silent.getsockname(), 0.05) is Speech.SILENCE


def test_a_port_that_speaks_tls_is_said_at_once(answering: Answering) -> None:
    host, port = answering(TLS_ALERT)
    with pytest.raises(Unreachable, match=r"speaks TLS: say so with --set security\.protocol=ssl"):
        Connection(bootstrap=f"{host}:{port}").check()


@pytest.mark.parametrize(
    ("properties", "remedy"),
    [
        ({"security.protocol": "SSL"}, "speaks Kafka without TLS: use security.protocol=plaintext in place of ssl"),
        (
            {
                "security.protocol": "sasl_plaintext",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "me",
                "sasl.password": "secret",
            },
            "cannot sign in: this broker asks nobody to sign in",
        ),
    ],
    ids=["TLS", "SASL"],
)
def test_a_broker_that_wants_less_than_the_client_brings_is_said_at_once(
    properties: dict[str, str], remedy: str
) -> None:
    with Broker() as kafka, pytest.raises(Unreachable, match=remedy):
        Connection(bootstrap=kafka.bootstrap, properties=properties).check()
