"""The records of share groups (KIP-932) in `__consumer_offsets`, in Kafka's formats. Their keys: `offsets_topic.py`.

SHARE                epoch, hash of the topics          ┐
SHARE_TARGET         for which epoch a target is        ├ one for the group
SHARE_PARTITIONS     whose state is (being) made        ┘
SHARE_MEMBER         who it is and what it wants        ┐
SHARE_TARGET_MEMBER  which partitions it is to have     ├ one for each member
SHARE_CURRENT        which it has, as of which epoch    ┘
"""

from __future__ import annotations

from drave.broker.coordinator.schemas.modern_groups import TopicPartitions
from drave.schema import Struct, int8, int32, int64
from drave.wire.types import topic_uuid


class ShareGroupValue(Struct, versions=(0, 0), flexible=0):
    """How often what matters to the group has changed, and what its topics were then."""

    epoch: int32
    metadata_hash: int64


class ShareMemberValue(Struct, versions=(0, 0), flexible=0):
    """What a member says of itself."""

    rack_id: str | None
    client_id: str
    client_host: str
    subscribed_topic_names: list[str]


class ShareCurrentValue(Struct, versions=(0, 0), flexible=0):
    """Which partitions a member has. The epoch before this one is good too: an answer may have been lost."""

    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    assigned_partitions: list[TopicPartitions]


class StatePartitions(Struct):
    """Some partitions of a topic, which has a name."""

    topic_id: topic_uuid
    topic_name: str
    partitions: list[int32]


class StateTopic(Struct):
    """A topic, with its name."""

    topic_id: topic_uuid
    topic_name: str


class SharePartitionsValue(Struct, versions=(0, 0), flexible=0):
    """Which share-partitions have a state, are getting one, or are losing it."""

    initializing_topics: list[StatePartitions]
    initialized_topics: list[StatePartitions]
    deleting_topics: list[StateTopic]
