"""Committed offsets: OffsetCommit, OffsetFetch and OffsetDelete, with and without members."""

from __future__ import annotations

from differential.calls import assignment, commit, committed, delete_offsets, delete_topics, join, subscription, sync
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k08_offset_commit import OffsetCommitRequest
from drave.wire.messages.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest

COMMIT = ApiKey.OFFSET_COMMIT
FETCH = ApiKey.OFFSET_FETCH
SEVERAL_GROUPS_SINCE = 8
BY_ID = 10


def _stable(stage: Stage, group: str, topic: Topic) -> tuple[str, int]:
    """A group of one consumer of a topic: its id and its generation."""
    member = stage.quietly(join(group)).member_id
    joined = stage.quietly(join(group, member, metadata=subscription(topic)))
    stage.quietly(sync(group, joined.generation_id, member, {member: assignment(topic, 0)}))
    return member, joined.generation_id


def _offset(answer: OffsetFetchResponse) -> int:
    """The one offset that was asked for."""
    return answer.groups[0].topics[0].partitions[0].committed_offset


# -- OffsetCommit


@scenario(COMMIT)
def without_members(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    stage.ask(commit(group, topic, {0: 5, 1: 7}, note="why"), version)
    stage.ask(committed(group, topic, 0, 1), 9)
    stage.ask(commit(group, topic, {0: 3}, note=None), version)
    stage.ask(committed(group, topic, 0, 1), 9)


@scenario(COMMIT, offset=(0, -1, -5, 2**63 - 1))
def odd_offsets(stage: Stage, version: int, offset: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(commit(group, topic, {0: offset}), version)
    stage.ask(committed(group, topic, 0), 9)


@scenario(COMMIT, size=(4096, 4097))
def how_long_a_note_may_be(stage: Stage, version: int, size: int) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    stage.ask(commit(group, topic, {0: 1}, note="n" * size), version)
    stage.ask(committed(group, topic, 0), 9)


@scenario(COMMIT, since=6, epoch=(-1, 0, 5, -2))
def leader_epochs(stage: Stage, version: int, epoch: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(commit(group, topic, {0: 1}, epoch=epoch), version)
    stage.ask(committed(group, topic, 0), 9)


@scenario(COMMIT)
def unknown_topics_and_partitions(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(commit(group, topic, {0: 1, 1: 2, -1: 3}), version)
    stage.ask(commit(group, Topic(stage.name("nowhere"), TopicId(b"\7" * 16)), {0: 1}), version)
    stage.ask(commit(group, Topic("", ZERO_TOPIC_ID), {0: 1}), version)
    stage.ask(committed(group, None), 9)


@scenario(COMMIT)
def nothing_to_commit(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(OffsetCommitRequest(group_id=group, member_id="", topics=[]), version)
    stage.ask(commit(group, topic, {}), version)


@scenario(COMMIT)
def a_group_without_a_name(stage: Stage, version: int) -> None:
    stage.ask(commit("", stage.topic(), {0: 1}), version)


@scenario(COMMIT)
def as_a_member(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    member, generation = _stable(stage, group, topic)
    stage.ask(commit(group, topic, {0: 1}, generation=generation, member=member), version)
    stage.ask(commit(group, topic, {0: 2}, generation=generation + 1, member=member), version)
    stage.ask(commit(group, topic, {0: 2}, generation=generation - 1, member=member), version)
    stage.ask(commit(group, topic, {0: 3}, generation=generation, member="nobody"), version)
    stage.ask(commit(group, topic, {0: 4}, generation=-1, member=""), version)
    stage.ask(commit(group, topic, {0: 5}, generation=-1, member=member), version)
    stage.ask(commit(group, topic, {0: 6}, generation=generation, member=""), version)
    stage.ask(committed(group, topic, 0), 9)


@scenario(COMMIT)
def as_a_member_of_nothing(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(commit(group, topic, {0: 1}, generation=1, member="nobody"), version)
    stage.ask(commit(group, topic, {0: 1}, generation=0, member=""), version)
    stage.ask(commit(group, topic, {0: 1}, generation=-1, member="nobody"), version)
    stage.ask(committed(group, topic, 0), 9)


@scenario(COMMIT)
def while_the_leader_has_yet_to_assign(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    member = stage.quietly(join(group)).member_id
    joined = stage.quietly(join(group, member))
    stage.ask(commit(group, topic, {0: 1}, generation=joined.generation_id, member=member), version)
    stage.ask(committed(group, topic, 0), 9)


@scenario(COMMIT, since=7)
def as_a_static_member(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    joined = stage.quietly(join(group, group_instance_id="one"))
    stage.quietly(sync(group, joined.generation_id, joined.member_id, {joined.member_id: b""}))
    for instance, who in (
        ("one", joined.member_id),
        ("one", "nobody"),
        ("two", joined.member_id),
        (None, joined.member_id),
    ):
        request = commit(group, topic, {0: 1}, generation=joined.generation_id, member=who, group_instance_id=instance)
        stage.ask(request, version)


@scenario(COMMIT)
def a_deleted_topic(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    stage.ask(commit(group, topic, {0: 2}), version)


@scenario(COMMIT, until=4, time_ms=(-1, 0, 1000))
def how_long_to_keep(stage: Stage, version: int, time_ms: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.ask(commit(group, topic, {0: 1}, retention_time_ms=time_ms), version)
    stage.ask(committed(group, topic, 0), 9)


# -- OffsetFetch


@scenario(FETCH)
def some_of_what_was_committed(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=3), stage.group()
    stage.quietly(commit(group, topic, {0: 5, 2: 7}, note="why", epoch=0))
    stage.ask(committed(group, topic, 0, 1, 2, 9, -1), version)


@scenario(FETCH, since=2)
def all_that_was_committed(stage: Stage, version: int) -> None:
    first, second, group = stage.topic("a"), stage.topic("b", partitions=2), stage.group()
    stage.quietly(commit(group, first, {0: 1}))
    stage.quietly(commit(group, second, {0: 2, 1: 3}))
    stage.ask(committed(group, None), version)


@scenario(FETCH)
def of_a_group_that_is_not_there(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.group()
    stage.ask(committed(stage.name("nothing"), topic, 0), version)
    if version >= 2:
        stage.ask(committed(stage.name("nothing"), None), version)
    stage.ask(committed("", topic, 0), version)


@scenario(FETCH)
def of_topics_that_are_not_there(stage: Stage, version: int) -> None:
    group = stage.group()
    stage.quietly(commit(group, stage.topic(), {0: 1}))
    stage.ask(committed(group, Topic(stage.name("nowhere"), TopicId(b"\7" * 16)), 0, 1), version)
    stage.ask(committed(group, Topic("", ZERO_TOPIC_ID), 0), version)


@scenario(FETCH)
def of_a_deleted_topic(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    stage.wait(committed(group, topic, 0), lambda answer: _offset(answer) == -1, 9)
    stage.ask(committed(group, topic, 0), version)


@scenario(FETCH, since=7)
def only_what_is_stable(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.ask(committed(group, topic, 0, require_stable=True), version)


@scenario(FETCH)
def no_partitions(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.ask(committed(group, topic), version)


@scenario(FETCH, since=SEVERAL_GROUPS_SINCE)
def several_groups(stage: Stage, version: int) -> None:
    topic = stage.topic()
    groups = [stage.group(word) for word in "xyz"]
    stage.quietly(commit(groups[0], topic, {0: 1}))
    stage.quietly(commit(groups[1], topic, {0: 2}))
    wanted = OffsetFetchRequestTopics(name=topic.name, topic_id=topic.id, partition_indexes=[0])
    asked = [OffsetFetchRequestGroup(group_id=group, topics=[wanted]) for group in groups]
    stage.ask(OffsetFetchRequest(groups=asked), version)
    stage.ask(OffsetFetchRequest(groups=[]), version)
    stage.ask(OffsetFetchRequest(groups=[asked[0], asked[0]]), version)


@scenario(FETCH, since=9)
def as_a_member_of_a_classic_group(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    member, generation = _stable(stage, group, topic)
    stage.quietly(commit(group, topic, {0: 1}, generation=generation, member=member))
    stage.ask(committed(group, topic, 0, member_id=member, member_epoch=generation), version)
    stage.ask(committed(group, topic, 0, member_id=member, member_epoch=generation + 1), version)
    stage.ask(committed(group, topic, 0, member_id="nobody", member_epoch=generation), version)
    stage.ask(committed(group, topic, 0, member_id=None, member_epoch=5), version)


@scenario(FETCH)
def the_same_partition_twice(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.ask(committed(group, topic, 0, 0), version)


# -- OffsetDelete


@scenario()
def offsets_are_deleted(stage: Stage) -> None:
    topic, group = stage.topic(partitions=3), stage.group()
    stage.quietly(commit(group, topic, {0: 1, 1: 2, 2: 3}))
    stage.ask(delete_offsets(group, (topic, (0, 2, 7))))
    stage.ask(committed(group, None), 9)
    stage.ask(delete_offsets(group, (topic, (0,)), (stage.name("nowhere"), (0,))))


@scenario()
def offsets_of_groups_that_are_not_there(stage: Stage) -> None:
    topic = stage.topic()
    stage.group()
    stage.ask(delete_offsets(stage.name("nothing"), (topic, (0,))))
    stage.ask(delete_offsets("", (topic, (0,))))
    stage.ask(delete_offsets(stage.name("nothing")))


@scenario()
def offsets_of_a_topic_that_is_read(stage: Stage) -> None:
    read, other, group = stage.topic("a"), stage.topic("b"), stage.group()
    member, generation = _stable(stage, group, read)
    stage.quietly(commit(group, read, {0: 1}, generation=generation, member=member))
    stage.quietly(commit(group, other, {0: 1}, generation=generation, member=member))
    stage.ask(delete_offsets(group, (read, (0,)), (other, (0,))))
    stage.ask(committed(group, None), 9)


@scenario()
def the_last_offset_of_a_group(stage: Stage) -> None:
    from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest

    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.ask(delete_offsets(group, (topic, (0,))))
    stage.ask(DescribeGroupsRequest(groups=[group]))
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
