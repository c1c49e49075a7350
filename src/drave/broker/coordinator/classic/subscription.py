"""What a broker reads in what consumers of a classic group tell each other.

    subscription   version int16 │ topics │ user data │ what newer versions add
    assignment     version int16 │ partitions by topic │ user data

A group needs the topics to know which offsets must not expire or be deleted (KIP-211, KIP-496); all of it is read only
when the group becomes a consumer group of KIP-848, or a member joins one. A newer version than ours reads as ours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final

from drave.schema import SchemaError, decoder, encoder
from drave.wire.messages.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    TopicPartition,
)

CONSUMER_PROTOCOL_TYPE: Final = "consumer"

_VERSION: Final = struct.Struct(">h")
_NEWEST: Final = 3

_decode_topics = decoder(ConsumerProtocolSubscription, 0)


def subscribed_topics(metadata: Iterable[bytes]) -> frozenset[str] | None:
    """All topics that the members' metadata name; None where one of them cannot be read."""
    topics: set[str] = set()
    try:
        for each in metadata:
            topics.update(_decode_topics(each, _VERSION.size)[0].topics)
    except SchemaError:
        return None
    return frozenset(topics)


def read_subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """A member's metadata, whole. Raises `SchemaError`."""
    version = _version_of(metadata)
    return decoder(ConsumerProtocolSubscription, version)(metadata, _VERSION.size)[0]


def read_assignment(assignment: bytes) -> ConsumerProtocolAssignment:
    """What a member was assigned; nothing where it is empty. Raises `SchemaError`."""
    if not assignment:
        return ConsumerProtocolAssignment(assigned_partitions=[])
    version = _version_of(assignment)
    return decoder(ConsumerProtocolAssignment, version)(assignment, _VERSION.size)[0]


def write_assignment(partitions: Mapping[str, Iterable[int]], metadata: bytes) -> bytes:
    """An assignment in the version in which the member wrote its metadata. Raises `SchemaError`."""
    version = _version_of(metadata)
    places = [TopicPartition(topic=name, partitions=sorted(each)) for name, each in partitions.items()]
    parts = encoder(ConsumerProtocolAssignment, version)(ConsumerProtocolAssignment(assigned_partitions=places))
    return b"".join((_VERSION.pack(version), *parts))


def _version_of(data: bytes) -> int:
    if len(data) < _VERSION.size:
        raise SchemaError("consumer protocol", 0, f"{len(data)} bytes hold no version")
    version: int = _VERSION.unpack_from(data)[0]
    if version < 0:
        raise SchemaError("consumer protocol", version, "there is no such version")
    return min(version, _NEWEST)
