"""The one thing a broker reads in a consumer's metadata: which topics it subscribes to.

    version int16 │ topics │ user data │ what newer versions add

Every version starts like version 0, so the rest needs no reading. A group needs it to know which offsets must not
expire or be deleted (KIP-211, KIP-496).
"""

from __future__ import annotations

from collections.abc import Iterable

from drave.schema import SchemaError, decoder
from drave.wire.messages.consumer_protocol import ConsumerProtocolSubscription

CONSUMER_PROTOCOL_TYPE = "consumer"

_VERSION_SIZE = 2


_decode = decoder(ConsumerProtocolSubscription, 0)


def subscribed_topics(metadata: Iterable[bytes]) -> frozenset[str] | None:
    """All topics that the members' metadata name; None where one of them cannot be read."""
    topics: set[str] = set()
    try:
        for each in metadata:
            topics.update(_decode(each, _VERSION_SIZE)[0].topics)
    except SchemaError:
        return None
    return frozenset(topics)
