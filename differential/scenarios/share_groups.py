"""Share groups (KIP-932): heartbeats, what tools see of them, and their offsets.

Kafka gives a member its partitions with a later heartbeat than its first, so members join quietly until they have them.
"""

from __future__ import annotations

from differential.calls import commit, delete_topics, join
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.api import ApiKey
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k47_offset_delete import OffsetDeleteRequest
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest
from drave.wire.messages.k77_share_group_describe import ShareGroupDescribeRequest
from drave.wire.messages.k90_describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsRequestTopic,
)
from drave.wire.messages.k91_alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from drave.wire.messages.k92_delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)

HEARTBEAT = ApiKey.SHARE_GROUP_HEARTBEAT
OFFSETS = ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS
LEAVE = -1


def beat(
    group: str, member: str, epoch: int, *topics: Topic | str, rack: str | None = None
) -> ShareGroupHeartbeatRequest:
    names = [topic if isinstance(topic, str) else topic.name for topic in topics]
    return ShareGroupHeartbeatRequest(
        group_id=group, member_id=member, member_epoch=epoch, rack_id=rack, subscribed_topic_names=names or None
    )


def joined(stage: Stage, group: str, member: str, *topics: Topic) -> int:
    """Join, quietly, until there is something to read; the member's epoch."""
    answer = stage.wait(
        beat(group, member, 0, *topics),
        lambda answer: answer.assignment is not None and len(answer.assignment.topic_partitions) == len(topics),
    )
    epoch: int = answer.member_epoch
    return epoch


def describe(stage: Stage, *groups: str, operations: bool = False) -> None:
    stage.ask(ShareGroupDescribeRequest(group_ids=list(groups), include_authorized_operations=operations))


def offsets(group: str, *topics: tuple[str, list[int]], everything: bool = False) -> DescribeShareGroupOffsetsRequest:
    named = [DescribeShareGroupOffsetsRequestTopic(topic_name=name, partitions=indexes) for name, indexes in topics]
    asked = DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=None if everything else named)
    return DescribeShareGroupOffsetsRequest(groups=[asked])


def alteration(group: str, *places: tuple[str, int, int]) -> AlterShareGroupOffsetsRequest:
    return AlterShareGroupOffsetsRequest(
        group_id=group,
        topics=[
            AlterShareGroupOffsetsRequestTopic(
                topic_name=name,
                partitions=[AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=start)],
            )
            for name, index, start in places
        ],
    )


def deletion(group: str, *names: str) -> DeleteShareGroupOffsetsRequest:
    topics = [DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in names]
    return DeleteShareGroupOffsetsRequest(group_id=group, topics=topics)


# -- members


@scenario(HEARTBEAT)
def a_member_comes_and_goes(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    epoch = joined(stage, group, "a", topic)
    stage.ask(beat(group, "a", epoch), version)
    stage.ask(beat(group, "a", epoch, topic, rack="r"), version)
    stage.ask(beat(group, "a", 0, topic), version)
    describe(stage, group, operations=True)
    stage.ask(beat(group, "a", LEAVE), version)
    describe(stage, group)
    stage.ask(beat(group, "a", LEAVE), version)
    stage.ask(beat(group, "a", epoch), version)


@scenario()
def several_members_read_one_partition(stage: Stage) -> None:
    """How many epochs that takes in Kafka depends on when its controller is heard."""
    topic, group = stage.topic(), stage.group()
    for member in "ab":
        joined(stage, group, member, topic)
    for member in "ab":
        answer = stage.quietly(beat(group, member, 0, topic))
        stage.see("Assigned", [each.partitions for each in answer.assignment.topic_partitions])


@scenario()
def a_member_wants_something_else(stage: Stage) -> None:
    one, other, group = stage.topic("a"), stage.topic("b"), stage.group()
    joined(stage, group, "m", one)
    joined(stage, group, "m", one, other)
    epoch = joined(stage, group, "m", other)
    stage.ask(beat(group, "m", epoch, other))
    stage.ask(beat(group, "m", epoch, one))
    describe(stage, group)


@scenario()
def a_topic_that_is_not_there(stage: Stage) -> None:
    group = stage.group()
    stage.ask(beat(group, "a", 0, stage.name("none")))
    describe(stage, group)


@scenario()
def epochs_that_are_not_the_members(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(beat(group, "a", 1))
    epoch = joined(stage, group, "a", topic)
    for other in (epoch + 1, epoch + 100):
        stage.ask(beat(group, "a", other))
    stage.ask(beat(group, "b", epoch))
    stage.ask(beat(group, "b", LEAVE))


@scenario(
    what=("no member", "a long member", "no group", "no rack", "no topics", "an epoch below all"),
)
def a_heartbeat_that_is_wrong_by_itself(stage: Stage, what: str) -> None:
    topic, group = stage.topic(), stage.group()
    request = {
        "no member": beat(group, "", 0, topic),
        "a long member": beat(group, "m" * 37, 0, topic),
        "no group": beat("", "m", 0, topic),
        "no rack": beat(group, "m", 0, topic, rack=""),
        "no topics": beat(group, "m", 0),
        "an epoch below all": beat(group, "m", -2, topic),
    }[what]
    stage.ask(request)


# -- other kinds of groups


@scenario()
def other_protocols_find_no_group_of_theirs(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    joined(stage, group, "a", topic)
    stage.ask(join(group))
    consumer = ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id="c",
        member_epoch=0,
        rebalance_timeout_ms=1000,
        subscribed_topic_names=[topic.name],
        topic_partitions=[],
    )
    stage.ask(consumer)
    stage.ask(DescribeGroupsRequest(groups=[group], include_authorized_operations=False))
    stage.ask(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)]))
    stage.ask(OffsetDeleteRequest(group_id=group, topics=[]))
    stage.ask(commit(group, topic, {0: 1}), 9)


@scenario()
def a_classic_group_is_no_share_group(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(join(group), 3)
    stage.ask(beat(group, "a", 0, topic))
    describe(stage, group, stage.name("nobody"), "")
    stage.ask(alteration(group, (topic.name, 0, 1)))
    stage.ask(deletion(group, topic.name))


@scenario()
def it_is_listed_and_deleted_like_others(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    joined(stage, group, "a", topic)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["Share"]), mine=True)
    stage.ask(ListGroupsRequest(states_filter=["stable"], types_filter=["classic"]), mine=True)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.quietly(beat(group, "a", LEAVE))
    stage.ask(ListGroupsRequest(states_filter=["EMPTY"], types_filter=[]), mine=True)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    describe(stage, group)
    stage.ask(offsets(group, (topic.name, [0])))


# -- offsets


@scenario(OFFSETS)
def how_far_a_group_has_come(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    stage.ask(offsets(group, (topic.name, [0, 9])), version)
    stage.ask(offsets(group, everything=True), version)
    stage.ask(offsets(group), version)
    stage.ask(alteration(group, (topic.name, 1, 0)))
    stage.ask(offsets(group, (topic.name, [1, 0]), (stage.name("none"), [0])), version)


@scenario()
def a_start_is_moved(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    stage.ask(alteration(group, (topic.name, 0, 5), (stage.name("none"), 0, 5)))
    stage.ask(alteration(group, (topic.name, 7, 5)))
    describe(stage, group)
    stage.ask(offsets(group, (topic.name, [0])))
    joined(stage, group, "a", topic)
    stage.ask(alteration(group, (topic.name, 0, 3)))
    stage.quietly(beat(group, "a", LEAVE))
    stage.ask(alteration(group, (topic.name, 0, 3)))
    stage.ask(offsets(group, (topic.name, [0])))
    stage.ask(alteration("", (topic.name, 0, 3)))
    stage.ask(alteration(group))


@scenario()
def what_is_remembered_is_deleted(stage: Stage) -> None:
    topic, other, group = stage.topic(), stage.topic("b"), stage.group()
    stage.ask(deletion(group, topic.name))
    joined(stage, group, "a", topic)
    stage.ask(deletion(group, topic.name))
    stage.quietly(beat(group, "a", LEAVE))
    stage.ask(deletion(group, topic.name, other.name, stage.name("none")))
    stage.ask(deletion(group, topic.name))
    stage.ask(offsets(group, (topic.name, [0])))
    stage.ask(deletion("", topic.name))
    stage.ask(deletion(group))


@scenario()
def a_deleted_topic_is_forgotten(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(alteration(group, (topic.name, 0, 5)))
    stage.quietly(delete_topics(topic.name))
    stage.gone(topic)
    stage.wait(offsets(group, (topic.name, [0])), lambda answer: answer.groups[0].topics[0].topic_id == ZERO_TOPIC_ID)
    stage.ask(offsets(group, everything=True))
    stage.ask(offsets(group, (topic.name, [0])))
    describe(stage, group)


# -- coordinators


@scenario(ApiKey.FIND_COORDINATOR, since=4)
def the_coordinator_of_a_share_partition(stage: Stage, version: int) -> None:
    keys = ["", "g", "g:0", "g:short:0", ":AAAAAAAAAAAAAAAAAAAAAQ:0", "g:AAAAAAAAAAAAAAAAAAAAAQ:x"]
    stage.ask(FindCoordinatorRequest(key_type=2, coordinator_keys=keys), version)
