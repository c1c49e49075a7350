"""OffsetFetch: one group or several, topics by name or by id, all of them or some."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
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


@pytest.fixture
async def topic_id(asker, see) -> bytes:
    """Topic `t`, in which group `g` has committed 5 in partition 0."""
    made = await asker.create_topic("t", 2)
    partition = OffsetCommitRequestPartition(
        partition_index=0, committed_offset=5, committed_leader_epoch=3, committed_metadata="note"
    )
    topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
    await see(OffsetCommitRequest(group_id="g", member_id="", topics=[topic]), 9)
    return made.topic_id


def summary(topics) -> dict:
    return {
        (topic.name, each.partition_index): (each.committed_offset, each.metadata, each.error_code)
        for topic in topics
        for each in topic.partitions
    }


@pytest.mark.parametrize("version", range(1, 8))
async def test_up_to_version_7_one_group_is_asked_for(see, topic_id: bytes, version: int) -> None:
    asked = OffsetFetchRequestTopic(name="t", partition_indexes=[0, 1])
    response = await see(OffsetFetchRequest(group_id="g", topics=[asked]), version)
    assert summary(response.topics) == {("t", 0): (5, "note", 0), ("t", 1): (-1, "", 0)}
    assert response.topics[0].partitions[0].committed_leader_epoch == (3 if version >= 5 else -1)


@pytest.mark.parametrize("version", range(2, 8))
async def test_without_topics_everything_is_told(see, topic_id: bytes, version: int) -> None:
    response = await see(OffsetFetchRequest(group_id="g", topics=None), version)
    assert summary(response.topics) == {("t", 0): (5, "note", 0)}


@pytest.mark.parametrize("version", [8, 9])
async def test_since_version_8_several_groups_are_asked_for(see, topic_id: bytes, version: int) -> None:
    """KIP-709."""
    some = [OffsetFetchRequestTopics(name="t", partition_indexes=[0])]
    groups = [OffsetFetchRequestGroup(group_id=name, topics=topics) for name in "gh" for topics in (some, None)]
    response = await see(OffsetFetchRequest(groups=groups), version)
    assert [(group.group_id, summary(group.topics)) for group in response.groups] == [
        ("g", {("t", 0): (5, "note", 0)}),
        ("g", {("t", 0): (5, "note", 0)}),
        ("h", {("t", 0): (-1, "", 0)}),
        ("h", {}),
    ]


async def test_since_version_10_topics_are_asked_for_by_id(see, topic_id: bytes) -> None:
    """KIP-848."""
    stranger = b"x" * 16
    some = [OffsetFetchRequestTopics(topic_id=each, partition_indexes=[0]) for each in (topic_id, stranger)]
    groups = [OffsetFetchRequestGroup(group_id="g", topics=topics) for topics in (some, None)]
    response = await see(OffsetFetchRequest(groups=groups), 10)
    some_found, all_found = response.groups
    assert {topic.topic_id: topic.partitions[0].committed_offset for topic in some_found.topics} == {
        topic_id: 5,
        stranger: -1,
    }
    codes = {topic.topic_id: topic.partitions[0].error_code for topic in some_found.topics}
    assert codes == {topic_id: ErrorCode.NONE, stranger: ErrorCode.UNKNOWN_TOPIC_ID}
    assert [topic.topic_id for topic in all_found.topics] == [topic_id]


@pytest.mark.parametrize("version", [7, 9, 10])
async def test_offsets_of_a_topic_that_was_made_anew_are_not_those_of_the_one_before(
    asker, see, topic_id: bytes, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a crash came between the deletion of the topic and that of its offsets."""
    monkeypatch.setattr(asker.broker.catalog, "_listeners", [])
    await asker.broker.catalog.delete_topic(topic_id)
    made = await asker.create_topic("t", 2)
    if version < 8:
        asked = OffsetFetchRequestTopic(name="t", partition_indexes=[0])
        topics = (await see(OffsetFetchRequest(group_id="g", topics=[asked]), version)).topics
    else:
        name = {"topic_id": made.topic_id} if version >= 10 else {"name": "t"}
        some = OffsetFetchRequestTopics(partition_indexes=[0], **name)
        groups = [OffsetFetchRequestGroup(group_id="g", topics=topics) for topics in ([some], None)]
        found, everything = (await see(OffsetFetchRequest(groups=groups), version)).groups
        assert everything.topics == []
        topics = found.topics
    assert [each.committed_offset for topic in topics for each in topic.partitions] == [-1]


async def test_asking_makes_no_groups_topic(asker, see) -> None:
    await see(OffsetFetchRequest(group_id="g", topics=None), 7)
    assert asker.broker.catalog.topic("__consumer_offsets") is None


@pytest.mark.parametrize("version", range(1, 11))
async def test_a_group_that_is_being_loaded_says_so_in_the_words_of_each_version(
    asker, see, topic_id: bytes, version: int
) -> None:
    for partition in asker.broker.groups._partitions.values():
        partition.loaded = False
    code = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    if version < 8:
        asked = OffsetFetchRequestTopic(name="t", partition_indexes=[0])
        response = await see(OffsetFetchRequest(group_id="g", topics=[asked]), version)
        if version == 1:
            assert [each.error_code for topic in response.topics for each in topic.partitions] == [code]
        else:
            assert response.error_code == code
    else:
        response = await see(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)]), version)
        assert response.groups[0].error_code == code
