"""Groups side by side: listing, describing, deleting, and what the log says of them."""

from __future__ import annotations

import pytest

from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.group import GroupState
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord, record_key
from drave.model.errors import ErrorCode
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k16_list_groups import ListedGroup
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests.broker.coordinator.streams.virtual_streams import VirtualStreams
from tests.broker.coordinator.virtual import SESSION_MS, VirtualGroups, subscription
from tests.broker.coordinator.virtual_shares import VirtualShares

NOTHING: frozenset[str] = frozenset()


def listed(groups: VirtualGroups, states: frozenset[str] = NOTHING, types: frozenset[str] = NOTHING) -> dict[str, str]:
    return {group.group_id: group.group_state for group in groups.shard.list(states, types)}


def test_groups_are_listed_with_their_states() -> None:
    groups = VirtualGroups()
    groups.joined(groups.new_member(group="completing"))
    groups.commit({("t", 0): 1}, group="simple")
    assert listed(groups) == {"completing": GroupState.COMPLETING_REBALANCE, "simple": GroupState.EMPTY}


def test_a_list_can_be_filtered_by_state_and_by_type() -> None:
    groups = VirtualGroups()
    groups.joined(groups.new_member(group="completing"))
    groups.commit({("t", 0): 1}, group="simple")
    assert listed(groups, frozenset({"empty"})) == {"simple": GroupState.EMPTY}
    assert listed(groups, frozenset({"no such state"})) == {}
    assert listed(groups, types=frozenset({"classic"})) == listed(groups)
    assert listed(groups, types=frozenset({"consumer"})) == {}


def test_only_a_stable_group_tells_its_protocol_and_what_members_said() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    described = groups.described()
    assert (described.protocol_data, described.members[0].member_metadata) == ("", b"")
    groups.sync(joined.member_id, 1, {joined.member_id: b"all"})
    described = groups.described()
    assert (described.protocol_data, described.members[0].member_metadata) == ("range", subscription("t"))
    member = described.members[0]
    assert (member.client_id, member.client_host, member.member_assignment) == ("client", "/127.0.0.1", b"all")


def test_an_empty_group_is_deleted_with_its_offsets() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.commit({("t", 0): 5}, leader.member_id, 1)
    groups.leave(leader.member_id)
    assert groups.delete() == ErrorCode.NONE
    assert groups.shard.classic.describe("g") is None
    assert groups.committed() == {}
    groups.restart()
    assert groups.shard.classic.describe("g") is None


def test_a_group_with_members_cannot_be_deleted() -> None:
    groups = VirtualGroups()
    groups.stable_group()
    assert groups.delete() == ErrorCode.NON_EMPTY_GROUP


def test_a_group_that_is_not_there_cannot_be_deleted() -> None:
    assert VirtualGroups().delete() == ErrorCode.GROUP_ID_NOT_FOUND


def test_a_group_that_was_deleted_begins_anew() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.leave(leader.member_id)
    groups.delete()
    assert groups.joined(groups.new_member()).generation_id == 1


def test_groups_do_not_disturb_each_other() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member(group="a"))
    groups.joined(groups.new_member(group="b"))
    groups.sync(joined.member_id, 1, {}, group="a")
    groups.commit({("t", 0): 1}, joined.member_id, 1, group="a")
    assert listed(groups) == {"a": GroupState.STABLE, "b": GroupState.COMPLETING_REBALANCE}
    assert groups.committed(group="b") == {}


def test_the_live_records_are_all_that_is_needed() -> None:
    """What compaction keeps."""
    groups = VirtualGroups()
    leader, _ = groups.stable_group(2)
    for offset in range(10):
        groups.commit({("t", 0): offset, ("t", 1): offset}, leader.member_id, 2)
    groups.commit({("t", 0): 1}, group="simple")
    before = sorted(groups.shard.live_records())
    assert len(before) == 4
    groups.log = list(before)
    groups.restart()
    assert sorted(groups.shard.live_records()) == before
    assert groups.heartbeat(leader.member_id, 2) == ErrorCode.NONE


def test_records_of_other_kinds_of_groups_are_kept_as_they_are() -> None:
    """A folder that Kafka wrote may hold groups of a kind that is not served here yet."""
    groups = VirtualGroups()
    key, value = b"\0\x18\0\1x", b"\0\0\0\0\0\1\0"
    groups.log.append((key, value))
    groups.restart()
    assert list(groups.shard.live_records()) == [(key, value)]
    groups.log.append((key, None))
    groups.restart()
    assert list(groups.shard.live_records()) == []


def test_a_record_that_could_not_be_read_is_taken_back_like_others() -> None:
    """Or rewriting the log would bring the old one back."""
    groups = VirtualGroups()
    key = record_key(GroupRecord.CONSUMER_CURRENT, "g", "a")
    groups.shard.unread.keep(key, b"of another version")
    groups.shard.replay(key, None)
    assert list(groups.shard.live_records()) == []


# -- what the log refuses


def seen(groups: VirtualGroups) -> list[ListedGroup]:
    return groups.shard.list(NOTHING, NOTHING)


@pytest.fixture(params=["nothing", "offsets", "a classic group"])
def before(request: pytest.FixtureRequest) -> VirtualStreams:
    """What may be under the id that somebody joins first."""
    groups = VirtualStreams()
    groups.topics.create("lines", 1)
    if request.param == "offsets":
        groups.commit({("t", 0): 1})
    if request.param == "a classic group":
        (leader,) = groups.stable_group()
        groups.leave(leader.member_id)
    return groups


def test_a_streams_group_whose_first_join_the_log_refuses_is_not_there(before: VirtualStreams) -> None:
    groups, listed_before = before, seen(before)
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert groups.enter("a").error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert seen(groups) == listed_before
    groups.log_refuses_with = None
    groups.enter("a")
    now = seen(groups)
    groups.restart()
    assert seen(groups) == now
    assert [(each.group_type, each.group_state) for each in now] == [("streams", "Stable")]


def test_a_streams_group_begins_with_what_is_soft_of_it() -> None:
    """That the first assignment waits is in no record."""
    groups = VirtualStreams()
    groups.topics.create("lines", 1)
    groups.configs = {"streams.initial.rebalance.delay.ms": "3000"}
    groups.enter("a")
    assert groups.group().is_delayed


def test_a_consumer_group_whose_first_join_the_log_refuses_is_not_there(before: VirtualStreams) -> None:
    groups, listed_before = before, seen(before)
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    request = ConsumerGroupHeartbeatRequest(
        group_id="g", member_id="a", member_epoch=0, rebalance_timeout_ms=1000, subscribed_topic_names=["lines"]
    )
    joiner = Joiner("client", "/127.0.0.1", 1, "fresh")
    groups.carry_out(groups.shard.consumers.heartbeat(request, joiner, groups.token(), groups.now_ms))
    assert seen(groups) == listed_before


def test_a_share_group_whose_first_join_the_log_refuses_is_not_there() -> None:
    shares = VirtualShares()
    shares.topics.create("t", 1)
    shares.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert shares.beat("a", 0, ["t"]).error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert shares.shard.list(NOTHING, NOTHING) == []


@pytest.mark.parametrize("goes", ["leaves", "is silent"])
@pytest.mark.parametrize("with_offsets", [False, True])
def test_a_group_gives_its_place_to_a_classic_one_only_once_the_log_has_that(with_offsets: bool, goes: str) -> None:
    groups = VirtualStreams()
    groups.topics.create("lines", 1)
    if with_offsets:
        groups.commit({("t", 0): 1})
    groups.enter("a")
    groups.beat("a", -1)
    before = seen(groups)
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    joined = groups.joined(groups.new_member())
    groups.sync(joined.member_id, 1, {joined.member_id: b"all"})
    assert [each.group_type for each in seen(groups)] == ["classic"], "while somebody is in it"
    if goes == "leaves":
        groups.leave(joined.member_id)
    else:
        groups.advance(SESSION_MS)
    assert seen(groups) == before
    groups.log_refuses_with = None
    groups.stable_group()
    now = seen(groups)
    groups.restart()
    assert seen(groups) == now


def test_who_leaves_before_it_has_come_in_leaves_an_empty_group_behind_as_in_kafka() -> None:
    groups = VirtualGroups()
    groups.leave(groups.answers[groups.join()].member_id)
    assert listed(groups) == {"g": GroupState.EMPTY}


def test_offsets_of_a_transaction_that_the_log_refuses_make_no_group() -> None:
    groups = VirtualStreams()
    groups.topics.create("lines", 1)
    topics = [
        OffsetCommitRequestTopic(
            name="lines",
            partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata=None)],
        )
    ]
    request = OffsetCommitRequest(group_id="g", generation_id_or_member_epoch=-1, member_id="", topics=topics)
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    groups.carry_out(groups.shard.offsets.commit(request, 9, groups.token(), groups.now_ms, Writer(1, 0)))
    assert listed(groups) == {}
