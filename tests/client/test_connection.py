"""What librdkafka would swallow reaches whoever waits."""

from __future__ import annotations

import signal

import pytest

from drave.client.connection import interruptible


def test_a_ctrl_c_inside_a_callback_of_librdkafka_is_a_keyboard_interrupt() -> None:
    from confluent_kafka import Producer

    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 1, "log_level": 0})
    producer.produce("rides", b"x", on_delivery=interrupted)
    with pytest.raises(KeyboardInterrupt), interruptible():
        producer.flush(100)
