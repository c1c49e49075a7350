"""Other protocols on this port are recognised and told what to do; the log is not flooded with it."""

import logging
from collections.abc import Callable

import pytest

from drave.net.strangers import HINT_INTERVAL_S, HINTS_MAX, TLS_ALERT_HANDSHAKE_FAILURE, Hints, greeting
from tests.net.harness import World


@pytest.mark.parametrize("method", ["GET / HTTP/1.1", "POST /topics HTTP/1.1", "PRI * HTTP/2.0"])
def test_http_is_answered_with_a_sentence_of_help(method: str):
    met = greeting(method.encode() + b"\r\n")
    assert met is not None
    head, _, body = met.reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Kafka client" in body


def test_tls_is_answered_with_the_alert_that_a_tls_client_understands():
    met = greeting(bytes.fromhex("160301020001000001fc0303"))
    assert met is not None
    assert met.reply == TLS_ALERT_HANDSHAKE_FAILURE
    assert "PLAINTEXT" in met.reason


@pytest.mark.parametrize("start", [b"", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x10\x00\x12"])
def test_anything_else_is_nobody_we_know(start: bytes):
    assert greeting(start) is None


# -- the log


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the log has heard since the last call."""
    caplog.set_level(logging.INFO, "drave.net")

    def heard() -> list[str]:
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    return heard


def test_a_peer_that_tries_again_and_again_is_in_the_log_once_a_minute_with_the_count(log):
    hints = Hints()
    for now in range(int(HINT_INTERVAL_S)):
        hints.give(now, "192.0.2.1", f"192.0.2.1:{now}", "a frame of %s bytes", now)
        hints.sweep(now)
    assert log() == ["192.0.2.1:0: closed: a frame of 0 bytes"]
    hints.sweep(HINT_INTERVAL_S)
    assert log() == ["192.0.2.1: closed 59 times more since: a frame of 0 bytes"]
    hints.give(HINT_INTERVAL_S + 1, "192.0.2.1", "192.0.2.1:61", "a frame of %s bytes", 1)
    assert log() == []


def test_a_peer_that_has_been_quiet_for_a_minute_is_news_again(log):
    hints = Hints()
    hints.give(0, "192.0.2.1", "192.0.2.1:1", "why")
    hints.sweep(HINT_INTERVAL_S)
    hints.give(HINT_INTERVAL_S, "192.0.2.1", "192.0.2.1:2", "why")
    assert log() == ["192.0.2.1:1: closed: why", "192.0.2.1:2: closed: why"]


def test_each_peer_and_each_reason_is_told_of(log):
    hints = Hints()
    for host in ("192.0.2.1", "192.0.2.2"):
        for reason in ("TLS", "HTTP"):
            hints.give(0, host, f"{host}:1", reason)
    assert len(log()) == 4


def test_a_crowd_takes_no_more_room_than_its_bound(log):
    hints = Hints()
    for number in range(HINTS_MAX + 10):
        hints.give(number / 1000, f"host {number}", "peer", "why")
    assert len(hints._given) == HINTS_MAX
    log()
    hints.give(2, "host 0", "peer", "why")  # it was forgotten for another's sake
    assert len(log()) == 1


def test_sessions_tell_of_a_stranger_once_and_close_each_of_its_connections(world: World, log):
    clients = [world.client() for _ in range(5)]
    for client in clients:
        client.send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert all(client.received == TLS_ALERT_HANDSHAKE_FAILURE and client.closed for client in clients)
    (told,) = log()
    assert "PLAINTEXT" in told
    world.broker.clock.now += HINT_INTERVAL_S
    world.sessions.sweep()
    assert any("closed 4 times more" in line for line in log())
