"""Names for the numbers and bytes that every layer passes around.

A topic id is the 16 bytes of its UUID. It is kept as bytes because that is how it travels and is compared; people see
it in Kafka's text form (URL-safe base64 without padding).
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NewType, TypeAlias

Offset: TypeAlias = int
"""A record's place in its partition. No type of its own: to call one costs every append more than it tells a reader."""
TopicId = NewType("TopicId", bytes)
ProducerId = NewType("ProducerId", int)

ZERO_TOPIC_ID: Final = TopicId(bytes(16))
"""Stands for 'no id' on the wire. No topic ever has it."""

NO_PRODUCER_ID: Final = ProducerId(-1)


def topic_id_text(topic_id: TopicId) -> str:
    """Kafka's text form of a topic id: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(topic_id).rstrip(b"=").decode()


def topic_id_from_text(text: str) -> TopicId:
    """The reverse of `topic_id_text`. Raises ValueError when `text` is not 16 bytes of URL-safe base64."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text!r} is not a topic id: {error}") from None
    if len(raw) != 16:
        raise ValueError(f"{text!r} is not a topic id: it holds {len(raw)} bytes, not 16")
    return TopicId(raw)
