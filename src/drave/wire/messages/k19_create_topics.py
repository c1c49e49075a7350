"""CreateTopics: new topics, with their partitions and configs."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int8, int16, int32, since, tagged
from drave.wire.types import topic_uuid


class CreatableReplicaAssignment(Struct):
    partition_index: int32
    broker_ids: list[int32]


class CreatableTopicConfig(Struct):
    name: str
    value: str | None


class CreatableTopic(Struct):
    name: str
    num_partitions: int32
    replication_factor: int16
    assignments: list[CreatableReplicaAssignment]
    configs: list[CreatableTopicConfig]


class CreateTopicsRequest(Struct, versions=(2, 7), flexible=5):
    topics: list[CreatableTopic]
    timeout_ms: int32 = 60000
    validate_only: bool = False


class CreatableTopicConfigs(Struct):
    name: str
    value: str | None
    read_only: bool
    config_source: int8 = -1
    is_sensitive: bool


class CreatableTopicResult(Struct):
    name: str
    topic_id: topic_uuid = since(7, default=ZERO_TOPIC_ID)  # KIP-516
    error_code: int16 = 0
    error_message: str | None = None
    topic_config_error_code: int16 = tagged(0, since=5, default=0)  # KIP-525
    num_partitions: int32 = since(5, default=-1)  # KIP-525
    replication_factor: int16 = since(5, default=-1)  # KIP-525
    configs: list[CreatableTopicConfigs] | None = since(5, default=[])  # KIP-525


class CreateTopicsResponse(Struct, versions=(2, 7), flexible=5):
    throttle_time_ms: int32 = 0
    topics: list[CreatableTopicResult]
