"""The records of consumer groups (KIP-848) in `__consumer_offsets`, in Kafka's formats.

CONSUMER                 group            its epoch, and the hash of the topics that it reads
CONSUMER_MEMBER          group, member    what a member wants
CONSUMER_TARGET          group            the epoch that the targets are of
CONSUMER_TARGET_MEMBER   group, member    what the member is to have
CONSUMER_CURRENT         group, member    what it has, and how far it has come
CONSUMER_REGEX           group, pattern   the topics that a regular expression stands for
"""

from __future__ import annotations

from drave.schema import Struct, int8, int32, int64, tagged
from drave.wire.types import topic_uuid


class ConsumerGroupValue(Struct, versions=(0, 0), flexible=0):
    """The group."""

    epoch: int32
    metadata_hash: int64 = tagged(0, default=0)  # KIP-1101


class ClassicProtocol(Struct):
    """An assignor that a member of the classic protocol supports, with its metadata for it."""

    name: str
    metadata: bytes


class ClassicMemberMetadata(Struct):
    """What is known of a member that uses the classic protocol in a consumer group."""

    session_timeout_ms: int32
    supported_protocols: list[ClassicProtocol]


class ConsumerMemberValue(Struct, versions=(0, 0), flexible=0):
    """A member, as it describes itself."""

    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    subscribed_topic_names: list[str]
    subscribed_topic_regex: str | None
    rebalance_timeout_ms: int32 = -1
    server_assignor: str | None
    classic_member_metadata: ClassicMemberMetadata | None = tagged(0, default=None)


class CurrentPartitions(Struct):
    """Partitions of one topic, each perhaps with the epoch at which the member was given it (KIP-1251)."""

    topic_id: topic_uuid
    partitions: list[int32]
    assignment_epochs: list[int32] | None = tagged(0, default=None)


class ConsumerCurrentValue(Struct, versions=(0, 0), flexible=0):
    """What a member has."""

    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    assigned_partitions: list[CurrentPartitions]
    partitions_pending_revocation: list[CurrentPartitions]


class ConsumerRegexValue(Struct, versions=(0, 0), flexible=0):
    """The topics that a regular expression stood for at this version of the topics, and at this time."""

    topics: list[str]
    version: int64
    timestamp: int64
