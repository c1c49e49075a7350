"""Other protocols on this port are recognised and told what to do."""

import pytest

from drave.net.strangers import TLS_ALERT_HANDSHAKE_FAILURE, greeting


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
