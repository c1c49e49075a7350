"""Committed offsets: who may commit, what is kept, and when it goes."""

from __future__ import annotations

import pytest

from drave.broker.coordinator.group import GroupState
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.schemas.offsets_topic import offset_key
from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual import SESSION_MS, VirtualGroups, subscription

DAY_MS = 24 * 60 * 60 * 1000
WEEK_MS = 7 * DAY_MS
ID = bytes(range(16))
OTHER_ID = bytes(range(1, 17))


# -- who may commit


def test_a_member_commits_in_its_generation() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    assert groups.commit({("t", 0): 5, ("t", 1): 7}, leader.member_id, 1) == [ErrorCode.NONE, ErrorCode.NONE]
    assert groups.committed() == {("t", 0): 5, ("t", 1): 7}


def test_a_consumer_without_a_group_commits_under_a_group_id_that_nobody_else_uses() -> None:
    """It assigns partitions to itself; its group is empty and has no protocol."""
    groups = VirtualGroups()
    assert groups.commit({("t", 0): 5}) == [ErrorCode.NONE]
    described = groups.described()
    assert (described.group_state, described.protocol_type) == (GroupState.EMPTY, "")


def test_nobody_commits_past_a_group_that_has_members() -> None:
    groups = VirtualGroups()
    groups.stable_group()
    assert groups.commit({("t", 0): 5}) == [ErrorCode.UNKNOWN_MEMBER_ID]
    assert groups.committed() == {}


def test_an_administrator_commits_for_a_group_whose_members_have_gone() -> None:
    """Resetting offsets."""
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.commit({("t", 0): 5}, leader.member_id, 1)
    groups.leave(leader.member_id)
    assert groups.commit({("t", 0): 0}) == [ErrorCode.NONE]
    assert groups.committed() == {("t", 0): 0}


@pytest.mark.parametrize("generation", [0, 2])
def test_a_commit_of_another_generation_is_refused(generation: int) -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    assert groups.commit({("t", 0): 5}, leader.member_id, generation) == [ErrorCode.ILLEGAL_GENERATION]


@pytest.mark.parametrize(("version", "code"), [(8, ErrorCode.ILLEGAL_GENERATION), (9, ErrorCode.GROUP_ID_NOT_FOUND)])
def test_a_member_of_a_group_that_is_gone_is_refused(version: int, code: ErrorCode) -> None:
    assert VirtualGroups().commit({("t", 0): 5}, "who", 1, version=version) == [code]


def test_a_stranger_is_refused() -> None:
    groups = VirtualGroups()
    groups.stable_group()
    assert groups.commit({("t", 0): 5}, "who", 1) == [ErrorCode.UNKNOWN_MEMBER_ID]


def test_members_may_still_commit_while_the_others_gather() -> None:
    """Before they join again they write down how far they came."""
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.new_member()
    assert groups.commit({("t", 0): 5}, leader.member_id, 1) == [ErrorCode.NONE]


def test_between_join_and_sync_a_commit_is_told_that_the_group_rebalances() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    assert groups.commit({("t", 0): 5}, joined.member_id, 1) == [ErrorCode.REBALANCE_IN_PROGRESS]


def test_a_commit_keeps_its_member_alive() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.advance(SESSION_MS - 1)
    groups.commit({("t", 0): 5}, leader.member_id, 1)
    groups.advance(SESSION_MS - 1)
    assert groups.heartbeat(leader.member_id, 1) == ErrorCode.NONE


# -- what is kept


def test_a_note_travels_with_its_offset() -> None:
    """Kafka Streams keeps its timestamps there."""
    groups = VirtualGroups()
    groups.commit({("t", 0): 5}, metadata="note")
    groups.commit({("t", 1): 6}, metadata=None)
    assert groups.fetch("t", 0).metadata == "note"
    assert groups.fetch("t", 1).metadata == ""


def test_a_note_that_is_too_long_refuses_its_partition_alone() -> None:
    groups = VirtualGroups(offset_metadata_max=4)
    assert groups.commit({("t", 0): 5}, metadata="12345") == [ErrorCode.OFFSET_METADATA_TOO_LARGE]
    assert groups.commit({("t", 1): 5}, metadata="1234") == [ErrorCode.NONE]
    assert groups.committed() == {("t", 1): 5}


def test_where_nothing_is_committed_the_offset_is_minus_one() -> None:
    groups = VirtualGroups()
    found = groups.fetch("t", 0, group="nobody")
    assert (found.committed_offset, found.committed_leader_epoch, found.metadata, found.error_code) == (-1, -1, "", 0)


def test_an_offset_of_an_older_topic_of_the_same_name_is_not_found() -> None:
    """A topic made anew starts without offsets."""
    groups = VirtualGroups()
    groups.commit({("t", 0): 5}, topic_id=ID)
    assert groups.fetch("t", 0, topic_id=ID).committed_offset == 5
    assert groups.fetch("t", 0, topic_id=OTHER_ID).committed_offset == -1
    groups.commit({("t", 0): 6})
    assert groups.fetch("t", 0, topic_id=OTHER_ID).committed_offset == 6


def test_a_commit_that_the_log_refuses_changes_nothing() -> None:
    groups = VirtualGroups()
    groups.commit({("t", 0): 5})
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert groups.commit({("t", 0): 6}) == [ErrorCode.COORDINATOR_NOT_AVAILABLE]
    assert groups.committed() == {("t", 0): 5}


def test_one_commit_is_one_batch() -> None:
    """All of its offsets are kept, or none."""
    groups = VirtualGroups()
    batches: list[int] = []
    carry_out = groups.carry_out
    groups.carry_out = lambda outcome: (batches.append(len(outcome.records)), carry_out(outcome))[1]  # type: ignore[method-assign]
    groups.commit({("t", index): index for index in range(50)})
    assert batches == [50]


def test_committed_offsets_survive_a_restart() -> None:
    groups = VirtualGroups()
    groups.commit({("t", 0): 5}, topic_id=ID, metadata="note")
    groups.commit({("t", 0): 7, ("u", 3): 8}, topic_id=ID, metadata="later")
    before = groups.fetch("t", 0)
    groups.restart()
    assert groups.fetch("t", 0) == before
    assert groups.committed() == {("t", 0): 7, ("u", 3): 8}


# -- when it goes


def test_offsets_of_an_empty_group_go_a_week_after_its_last_member() -> None:
    """KIP-211: the age of a commit says nothing while a group lives."""
    groups = VirtualGroups()
    (leader,) = groups.stable_group(session_ms=1_800_000)
    groups.commit({("t", 0): 5}, leader.member_id, 1)
    groups.advance(DAY_MS // 48)
    groups.leave(leader.member_id)
    groups.advance(WEEK_MS - 1)
    groups.expire()
    assert groups.committed() == {("t", 0): 5}
    groups.advance(1)
    groups.expire()
    assert groups.committed() == {}
    assert groups.shard.classic.describe("g") is None


def test_offsets_of_a_group_without_members_go_a_week_after_their_commit() -> None:
    groups = VirtualGroups()
    groups.commit({("t", 0): 5})
    groups.advance(DAY_MS)
    groups.commit({("t", 1): 6})
    groups.advance(6 * DAY_MS)
    groups.expire()
    assert groups.committed() == {("t", 1): 6}
    groups.advance(DAY_MS)
    groups.expire()
    assert groups.shard.classic.describe("g") is None


def test_a_stable_group_keeps_what_it_reads_and_loses_what_it_has_given_up() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.commit({("t", 0): 5, ("given up", 0): 6}, leader.member_id, 1)
    for _ in range(7 * 24):
        groups.advance(SESSION_MS - 1)
        groups.heartbeat(leader.member_id, 1)
    groups.now_ms += WEEK_MS
    groups.expire()
    assert groups.committed() == {("t", 0): 5}


def test_nothing_goes_while_a_group_gathers_or_says_nothing_that_can_be_read() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group(protocol_type="connect", protocols={"sessioned": b"?"})
    groups.commit({("t", 0): 5}, leader.member_id, 1)
    groups.now_ms += WEEK_MS
    groups.expire()
    assert groups.committed() == {("t", 0): 5}
    groups.join(leader.member_id, protocol_type="connect", protocols={"sessioned": b"?"})
    groups.expire()
    assert groups.committed() == {("t", 0): 5}


def test_an_offset_with_a_time_of_its_own_goes_then() -> None:
    """OffsetCommit v2 to v4 could ask for it."""
    groups = VirtualGroups()
    groups.commit({("t", 0): 5}, version=4, retention_ms=1000)
    groups.restart()
    groups.advance(999)
    groups.expire()
    assert groups.committed() == {("t", 0): 5}
    groups.advance(1)
    groups.expire()
    assert groups.committed() == {}


def test_an_offset_that_waits_for_its_transaction_keeps_the_one_before_it_and_their_group() -> None:
    """Its expiry would overtake the one that waits. (A transaction may be longer than the retention of offsets.)"""
    groups = VirtualGroups()
    groups.commit({("t", 0): 5, ("t", 1): 6})
    writer = Writer(7, 0)
    groups.restart()
    groups.shard.undecided.add(writer, offset_key("g", "t", 0), b"")
    groups.shard.undecided.add(writer, offset_key("h", "t", 0), b"")
    groups.carry_out(groups.shard.loaded(groups.now_ms))
    groups.advance(WEEK_MS)
    groups.expire()
    assert groups.committed() == {("t", 0): 5}
    assert groups.shard.classic.describe("h") is not None
    list(groups.shard.undecided.decide(writer.producer_id, commit=False))
    groups.expire()
    assert groups.committed() == {}
    assert groups.shard.classic.describe("g") is None
    assert groups.shard.classic.describe("h") is None


def test_an_offset_that_waits_goes_with_its_topic() -> None:
    groups = VirtualGroups()
    for topic in ("t", "u"):
        groups.shard.undecided.add(Writer(7, 0), offset_key("g", topic, 0), b"")
    groups.shard.undecided.add(Writer(7, 0), b"no key of ours", b"")
    outcome = groups.shard.offsets.topic_deleted("t", ID)
    assert outcome.records == [(offset_key("g", "t", 0), None)]


def test_an_empty_group_without_offsets_is_forgotten() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.leave(leader.member_id)
    groups.expire()
    assert groups.shard.classic.describe("g") is None
    assert list(groups.shard.live_records()) == []


def test_a_group_that_somebody_is_about_to_join_is_not_forgotten() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.leave(leader.member_id)
    pending = groups.answers[groups.join()].member_id
    groups.expire()
    assert groups.joined(groups.join(pending)).error_code == ErrorCode.NONE


def test_offsets_go_with_their_topic_but_not_with_an_older_one_of_its_name() -> None:
    groups = VirtualGroups()
    groups.commit({("t", 0): 5, ("t", 1): 6}, topic_id=ID)
    groups.commit({("t", 2): 7}, topic_id=OTHER_ID)
    groups.commit({("u", 0): 8}, topic_id=ID)
    groups.carry_out(groups.shard.offsets.topic_deleted("t", ID))
    assert groups.committed() == {("t", 2): 7, ("u", 0): 8}


# -- OffsetDelete


def test_offsets_in_topics_that_nobody_reads_can_be_deleted() -> None:
    """KIP-496."""
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.commit({("t", 0): 5, ("u", 0): 6, ("u", 1): 7}, leader.member_id, 1)
    answer = groups.delete_offsets("u", 0, 5)
    assert [partition.error_code for partition in answer.topics[0].partitions] == [ErrorCode.NONE, ErrorCode.NONE]
    answer = groups.delete_offsets("t", 0)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    assert groups.committed() == {("t", 0): 5, ("u", 1): 7}


def test_without_members_any_offset_can_be_deleted() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.commit({("t", 0): 5}, leader.member_id, 1)
    groups.leave(leader.member_id)
    assert groups.delete_offsets("t", 0).topics[0].partitions[0].error_code == ErrorCode.NONE
    assert groups.committed() == {}


def test_offsets_of_a_group_that_is_not_there_or_not_understood_cannot_be_deleted() -> None:
    groups = VirtualGroups()
    assert groups.delete_offsets("t", 0).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    groups.stable_group(protocol_type="connect", protocols={"sessioned": b"?"})
    assert groups.delete_offsets("t", 0).error_code == ErrorCode.NON_EMPTY_GROUP


def test_a_consumer_group_whose_subscription_cannot_be_read_may_read_anything() -> None:
    groups = VirtualGroups()
    groups.stable_group(protocols={"range": b"?"})
    answer = groups.delete_offsets("t", 0)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC


@pytest.mark.parametrize("metadata", [subscription("t") + b"what newer versions add", subscription("t")])
def test_a_subscription_of_any_version_says_which_topics_are_read(metadata: bytes) -> None:
    groups = VirtualGroups()
    groups.stable_group(protocols={"range": b"\0\3" + metadata[2:]})
    answer = groups.delete_offsets("t", 0)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    assert groups.delete_offsets("u", 0).topics[0].partitions[0].error_code == ErrorCode.NONE
