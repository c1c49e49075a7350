"""What consumers of a classic group tell each other through JoinGroup and SyncGroup; the broker passes it on unread.

Both travel with their version before them, as an int16. A later version than these only adds fields: read it as the
highest one here.
"""

from __future__ import annotations

from drave.schema import Struct, int32, since


class TopicPartition(Struct):
    topic: str
    partitions: list[int32]


class ConsumerProtocolSubscription(Struct, versions=(0, 3)):
    topics: list[str]
    user_data: bytes | None = None
    owned_partitions: list[TopicPartition] = since(1, default=[])
    generation_id: int32 = since(2, default=-1)
    rack_id: str | None = since(3, default=None)


class ConsumerProtocolAssignment(Struct, versions=(0, 3)):
    assigned_partitions: list[TopicPartition]
    user_data: bytes | None = None
