"""Requests in a few words, each good for every version of its key: topics go by name and by id at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from differential.stage import Topic
from drave.model.ids import ZERO_TOPIC_ID
from drave.records import Codec, NewRecord, build_batch
from drave.schema import encoder
from drave.wire.messages.consumer_protocol import ConsumerProtocolAssignment, ConsumerProtocolSubscription
from drave.wire.messages.consumer_protocol import TopicPartition as AssignedTopic
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from drave.wire.messages.k01_fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from drave.wire.messages.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from drave.wire.messages.k19_create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from drave.wire.messages.k21_delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from drave.wire.messages.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from drave.wire.messages.k37_create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)

LONG_AGO_MS: Final = 1_600_000_000_000
"""The time of records whose time is to be compared: 2020, which is no clock's now."""

LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
EARLIEST_LOCAL: Final = -4
LATEST_TIERED: Final = -5
EARLIEST_PENDING_UPLOAD: Final = -6

SET: Final = 0
DELETE: Final = 1
APPEND: Final = 2
SUBTRACT: Final = 3

TOPIC: Final = 2
BROKER: Final = 4
LOGGER: Final = 8
METRICS: Final = 16
GROUP: Final = 32

# -- records


def batch(
    *values: str | NewRecord,
    codec: Codec = Codec.NONE,
    time_ms: int = LONG_AGO_MS,
    producer: tuple[int, int, int] = (-1, -1, -1),
    transactional: bool = False,
    control: bool = False,
    key: bytes | None = None,
) -> bytes:
    """One batch. `producer` is id, epoch and base sequence."""
    news = [value if isinstance(value, NewRecord) else (key, value.encode()) for value in values]
    producer_id, epoch, sequence = producer
    return build_batch(
        news,
        codec=codec,
        timestamp_ms=time_ms,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        transactional=transactional,
        control=control,
    )


def at(time_ms: int, value: str = "v", key: bytes | None = None) -> NewRecord:
    """A record of a time."""
    return NewRecord(key, value.encode(), time_ms)


# -- data


def produce(
    topic: Topic,
    records: bytes | dict[int, bytes | None] | None,
    *,
    acks: int = -1,
    timeout_ms: int = 10_000,
    transactional_id: str | None = None,
) -> ProduceRequest:
    """Bytes for partition 0, or for each partition that is named."""
    each = records if isinstance(records, dict) else {0: records}
    data = [PartitionProduceData(index=index, records=given) for index, given in each.items()]
    return ProduceRequest(
        transactional_id=transactional_id,
        acks=acks,
        timeout_ms=timeout_ms,
        topic_data=[TopicProduceData(name=topic.name, topic_id=topic.id, partition_data=data)],
    )


def fetch_partition(offset: int, partition: int = 0, **more: Any) -> FetchPartition:
    """One partition of a Fetch."""
    return FetchPartition(**{"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20} | more)


def fetch(topic: Topic | None, *partitions: int | FetchPartition, **more: Any) -> FetchRequest:
    """From an offset of partition 0, or partitions that say more. `forget` takes partitions out of a session."""
    forget = more.pop("forget", ())
    each = [fetch_partition(given) if isinstance(given, int) else given for given in partitions]
    topics = [FetchTopic(topic=topic.name, topic_id=topic.id, partitions=each)] if topic is not None and each else []
    forgotten = (
        [ForgottenTopic(topic=topic.name, topic_id=topic.id, partitions=list(forget))] if topic and forget else []
    )
    given: dict[str, Any] = {"max_wait_ms": 0, "min_bytes": 0, "topics": topics, "forgotten_topics_data": forgotten}
    return FetchRequest(**given | more)


def list_offsets(
    topic: Topic | str, *timestamps: int, partition: int = 0, epoch: int = -1, isolation: int = 0, replica: int = -1
) -> ListOffsetsRequest:
    """One timestamp for one partition; several, for as many partitions from that one on."""
    each = [
        ListOffsetsPartition(partition_index=partition + number, current_leader_epoch=epoch, timestamp=timestamp)
        for number, timestamp in enumerate(timestamps)
    ]
    wanted = ListOffsetsTopic(name=_name(topic), partitions=each)
    return ListOffsetsRequest(replica_id=replica, isolation_level=isolation, topics=[wanted], timeout_ms=10_000)


def delete_records(topic: Topic | str, offsets: dict[int, int]) -> DeleteRecordsRequest:
    """Up to an offset in each partition."""
    each = [DeleteRecordsPartition(partition_index=index, offset=offset) for index, offset in offsets.items()]
    return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=_name(topic), partitions=each)], timeout_ms=10_000)


# -- topics


def metadata(*topics: Topic | str, create: bool = False, **more: Any) -> MetadataRequest:
    """By name. Without a topic, none."""
    wanted = [MetadataRequestTopic(name=_name(topic)) for topic in topics]
    return MetadataRequest(topics=wanted, allow_auto_topic_creation=create, **more)


def creatable(
    name: str,
    partitions: int = 1,
    replicas: int = 1,
    *,
    assignments: dict[int, Sequence[int]] | None = None,
    configs: dict[str, str | None] | None = None,
) -> CreatableTopic:
    """One topic of a CreateTopics."""
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=list(brokers))
            for index, brokers in (assignments or {}).items()
        ],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
    )


def create_topics(*topics: CreatableTopic, validate_only: bool = False) -> CreateTopicsRequest:
    """Several topics at once."""
    return CreateTopicsRequest(topics=list(topics), validate_only=validate_only, timeout_ms=10_000)


def delete_topics(*topics: Topic | str) -> DeleteTopicsRequest:
    """By name."""
    names = [_name(topic) for topic in topics]
    states = [DeleteTopicState(name=name, topic_id=ZERO_TOPIC_ID) for name in names]
    return DeleteTopicsRequest(topics=states, topic_names=names, timeout_ms=10_000)


def create_partitions(*asked: tuple[str, int, Sequence[Sequence[int]] | None], **more: Any) -> CreatePartitionsRequest:
    """Topics by name, how many partitions each is to have, and where those that are new are to lie."""
    topics = [
        CreatePartitionsTopic(
            name=name,
            count=count,
            assignments=None
            if assigned is None
            else [CreatePartitionsAssignment(broker_ids=list(brokers)) for brokers in assigned],
        )
        for name, count, assigned in asked
    ]
    return CreatePartitionsRequest(**{"topics": topics, "timeout_ms": 10_000, "validate_only": False} | more)


# -- configs

ConfigStep = tuple[str, int, str | None]
"""A config, what is done to it, and with which value."""


def describe_configs(kind: int, name: str, keys: Sequence[str] | None = None, **more: Any) -> DescribeConfigsRequest:
    """Some configs of one resource; without keys, all."""
    wanted = None if keys is None else list(keys)
    resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=wanted)
    return DescribeConfigsRequest(**{"resources": [resource], "include_synonyms": True} | more)


def alter_configs(*resources: tuple[int, str, Sequence[ConfigStep]], **more: Any) -> IncrementalAlterConfigsRequest:
    """Several resources, several steps on each."""
    asked = [
        AlterConfigsResource(
            resource_type=kind,
            resource_name=name,
            configs=[
                AlterableConfig(name=config, config_operation=operation, value=value)
                for config, operation, value in steps
            ],
        )
        for kind, name, steps in resources
    ]
    return IncrementalAlterConfigsRequest(**{"resources": asked, "validate_only": False} | more)


# -- groups


def subscription(*topics: Topic | str) -> bytes:
    """What a consumer says of itself when it joins."""
    made = encoder(ConsumerProtocolSubscription, 1)(
        ConsumerProtocolSubscription(topics=[_name(each) for each in topics])
    )
    return b"\0\1" + b"".join(made)


NOTHING: Final = subscription()
"""Reads no topic. Bytes that are no subscription at all make Kafka forget to answer."""


def assignment(topic: Topic | str, *partitions: int) -> bytes:
    """What a leader gives to a member."""
    each = [AssignedTopic(topic=_name(topic), partitions=list(partitions))]
    return b"\0\1" + b"".join(
        encoder(ConsumerProtocolAssignment, 1)(ConsumerProtocolAssignment(assigned_partitions=each))
    )


def join(group: str, member: str = "", **more: Any) -> JoinGroupRequest:
    """A member joins. `protocols` are names; each comes with `metadata`, which reads nothing unless it is given."""
    names = more.pop("protocols", ("range",))
    metadata_ = more.pop("metadata", NOTHING)
    given: dict[str, Any] = {
        "session_timeout_ms": 30_000,
        "rebalance_timeout_ms": 30_000,
        "protocol_type": "consumer",
        "protocols": [JoinGroupRequestProtocol(name=name, metadata=metadata_) for name in names],
    }
    return JoinGroupRequest(group_id=group, member_id=member, **given | more)


def sync(
    group: str, generation: int, member: str, assignments: dict[str, bytes] | None = None, **more: Any
) -> SyncGroupRequest:
    """A member asks for its assignment, and the leader gives all of them."""
    given = {"protocol_type": "consumer", "protocol_name": "range"}
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member,
        assignments=[SyncGroupRequestAssignment(member_id=to, assignment=of) for to, of in (assignments or {}).items()],
        **given | more,
    )


def commit(
    group: str,
    topic: Topic,
    offsets: dict[int, int],
    *,
    generation: int = -1,
    member: str = "",
    note: str | None = "",
    **more: Any,
) -> OffsetCommitRequest:
    """Offsets of one topic."""
    epoch = more.pop("epoch", -1)
    each = [
        OffsetCommitRequestPartition(
            partition_index=index, committed_offset=offset, committed_leader_epoch=epoch, committed_metadata=note
        )
        for index, offset in offsets.items()
    ]
    wanted = OffsetCommitRequestTopic(name=topic.name, topic_id=topic.id, partitions=each)
    return OffsetCommitRequest(
        group_id=group, generation_id_or_member_epoch=generation, member_id=member, topics=[wanted], **more
    )


def committed(group: str, topic: Topic | None, *partitions: int, **more: Any) -> OffsetFetchRequest:
    """The committed offsets of some partitions; without a topic, of all."""
    old = None if topic is None else [OffsetFetchRequestTopic(name=topic.name, partition_indexes=list(partitions))]
    new = (
        None
        if topic is None
        else [OffsetFetchRequestTopics(name=topic.name, topic_id=topic.id, partition_indexes=list(partitions))]
    )
    stable = more.pop("require_stable", False)
    asked = OffsetFetchRequestGroup(group_id=group, topics=new, **more)
    return OffsetFetchRequest(group_id=group, topics=old, groups=[asked], require_stable=stable)


def delete_offsets(group: str, *topics: tuple[Topic | str, Sequence[int]]) -> OffsetDeleteRequest:
    """The committed offsets of some partitions of each topic."""
    wanted = [
        OffsetDeleteRequestTopic(
            name=_name(topic), partitions=[OffsetDeleteRequestPartition(partition_index=index) for index in partitions]
        )
        for topic, partitions in topics
    ]
    return OffsetDeleteRequest(group_id=group, topics=wanted)


def _name(topic: Topic | str) -> str:
    return topic if isinstance(topic, str) else topic.name
