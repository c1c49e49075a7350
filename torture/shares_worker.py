"""A member of a share group that is killed: `python -m torture.shares_worker BOOTSTRAP GROUP`.

It prints what it was given before it says anything of it, what it is about to say before it does, and what was taken:
a line of JSON each, with the time.

    1   of ten: released until its second delivery          3   released for ever: given up, a dead letter
    2           rejected: a dead letter                     others are accepted
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from typing import Any, Final

from confluent_kafka import AcknowledgeType, KafkaException, Message, ShareConsumer

from torture.clients import RECONNECT, TOPIC
from torture.deliveries import ACCEPT, REJECT, RELEASE

COMMIT_S: Final = 10.0
TYPES: Final = {
    ACCEPT: AcknowledgeType.ACCEPT,
    RELEASE: AcknowledgeType.RELEASE,
    REJECT: AcknowledgeType.REJECT,
}


def verdict(offset: int, count: int) -> str:
    """What is said to a record."""
    number = offset % 10
    if number == 2:
        return REJECT
    return RELEASE if number == 3 or (number == 1 and count < 2) else ACCEPT


def tell(kind: str, what: list[Any]) -> None:
    print(json.dumps({"at": time.monotonic(), "kind": kind, "what": what}), flush=True)


def work(consumer: ShareConsumer) -> None:
    """Take what there is, and say what becomes of it."""
    messages: list[Message] = [each for each in consumer.poll(0.2) if each.error() is None]
    if not messages:
        return
    tell("given", [(each.partition(), each.offset(), each.delivery_count()) for each in messages])
    said = [
        (each.partition(), each.offset(), verdict(each.offset() or 0, each.delivery_count() or 1)) for each in messages
    ]
    tell("said", said)
    for message, (_, _, word) in zip(messages, said, strict=True):
        consumer.acknowledge(message, TYPES[word])
    answers = consumer.commit_sync(COMMIT_S)
    tell("taken", [each.partition for each, error in answers.items() if error is None])


def main(bootstrap: str, group: str) -> None:
    configs = {"bootstrap.servers": bootstrap, "group.id": group, "share.acknowledgement.mode": "explicit"}
    signal.signal(signal.SIGTERM, _leave)
    with ShareConsumer(configs | RECONNECT) as consumer, contextlib.suppress(KeyboardInterrupt):
        consumer.subscribe([TOPIC])
        while True:
            with contextlib.suppress(KafkaException):  # the broker has just died: nothing was promised
                work(consumer)


def _leave(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main(*sys.argv[1:])
