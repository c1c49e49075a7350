"""The records of streams groups (KIP-1071) in `__consumer_offsets`, in Kafka's formats.

    STREAMS                  the group's epoch, and what it was raised for
    STREAMS_TOPOLOGY         what it runs
    STREAMS_MEMBER           what a member says of itself
    STREAMS_TARGET           the epoch of the assignment
    STREAMS_TARGET_MEMBER    the tasks that a member is to have
    STREAMS_CURRENT          those that it has, and is to give up

A topology and its tasks are written as the heartbeat says them, so they are the same structs.
"""

from __future__ import annotations

from typing import Final

from drave.schema import Struct, int8, int32, int64, tagged
from drave.wire.messages.k88_streams_group_heartbeat import Endpoint, KeyValue, Subtopology, TaskIds

_NEVER_VALIDATED: Final = -1


class StreamsGroupValue(Struct, versions=(0, 0), flexible=0):
    """The group's epoch, and what the last assignment was made for."""

    epoch: int32
    metadata_hash: int64
    validated_topology_epoch: int32 = tagged(0, default=_NEVER_VALIDATED)
    last_assignment_configs: list[KeyValue] | None = tagged(1, default=None)


class StreamsMemberValue(Struct, versions=(0, 0), flexible=0):
    """What a member says of itself."""

    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int32 = -1
    topology_epoch: int32
    process_id: str
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue]


class StreamsTargetValue(Struct, versions=(0, 0), flexible=0):
    """The tasks that a member is to have."""

    active_tasks: list[TaskIds]
    standby_tasks: list[TaskIds]
    warmup_tasks: list[TaskIds]


class HeldTaskIds(Struct):
    """Tasks that a member has; of active ones also the epochs at which it was given them, in the same order."""

    subtopology_id: str
    partitions: list[int32]
    assignment_epochs: list[int32] | None = tagged(0, default=None)


class StreamsCurrentValue(Struct, versions=(0, 0), flexible=0):
    """The tasks that a member has, and those that it is to give up before it has others."""

    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    active_tasks: list[HeldTaskIds]
    standby_tasks: list[HeldTaskIds]
    warmup_tasks: list[HeldTaskIds]
    active_tasks_pending_revocation: list[HeldTaskIds]
    standby_tasks_pending_revocation: list[HeldTaskIds]
    warmup_tasks_pending_revocation: list[HeldTaskIds]


class StreamsTopologyValue(Struct, versions=(0, 0), flexible=0):
    """The topology that the group runs."""

    epoch: int32
    subtopologies: list[Subtopology]
