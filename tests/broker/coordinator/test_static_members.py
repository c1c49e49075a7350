"""Static members (KIP-345): they bring an instance id, and keep their place when they start again."""

from __future__ import annotations

import pytest

from drave.broker.coordinator.group import GroupState
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupResponse
from tests.broker.coordinator.virtual import SESSION_MS, VirtualGroups, subscription


def static_pair(groups: VirtualGroups, **joining: object) -> tuple[JoinGroupResponse, JoinGroupResponse]:
    """A stable group of two static members, `a` (who leads) and `b`."""
    first = groups.joined(groups.join(instance_id="a", **joining))
    token = groups.join(instance_id="b", **joining)
    again = groups.join(first.member_id, instance_id="a", **joining)
    leader, follower = groups.joined(again), groups.joined(token)
    plan = {leader.member_id: b"part of a", follower.member_id: b"part of b"}
    groups.sync(leader.member_id, 2, plan, instance_id="a")
    groups.sync(follower.member_id, 2, instance_id="b")
    assert groups.described().group_state == GroupState.STABLE
    return leader, follower


def test_a_static_member_joins_without_being_sent_for_its_id_first() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.join(instance_id="a"))
    assert joined.member_id.startswith("a-")
    assert joined.members[0].group_instance_id == "a"


@pytest.mark.parametrize("version", [5, 9])
def test_a_static_follower_that_starts_again_gets_its_place_back_without_a_rebalance(version: int) -> None:
    groups = VirtualGroups()
    leader, old = static_pair(groups)
    new = groups.joined(groups.join(instance_id="b", version=version))
    assert new.member_id != old.member_id
    assert (new.generation_id, new.leader, new.members) == (2, leader.member_id, [])
    assert groups.heartbeat(leader.member_id, 2, instance_id="a") == ErrorCode.NONE
    assert groups.answers[groups.sync(new.member_id, 2, instance_id="b")].assignment == b"part of b"


def test_a_static_member_that_starts_again_finds_its_room_in_a_full_group() -> None:
    """Kafka turns it away until its session has ended, though the group does not grow."""
    groups = VirtualGroups(size_max=2)
    static_pair(groups)
    assert groups.joined(groups.join(instance_id="b")).generation_id == 2


def test_a_static_leader_that_starts_again_is_told_to_skip_the_assignment() -> None:
    """KIP-814: it may have to watch for changes, so it must know that it leads and who is there."""
    groups = VirtualGroups()
    static_pair(groups)
    new = groups.joined(groups.join(instance_id="a", version=9))
    assert (new.leader, new.skip_assignment, len(new.members)) == (new.member_id, True, 2)
    token = groups.sync(new.member_id, 2, {}, instance_id="a")
    assert groups.answers[token].assignment == b"part of a"


def test_an_older_static_leader_that_starts_again_is_not_told_that_it_leads() -> None:
    """It would compute an assignment that nobody waits for."""
    groups = VirtualGroups()
    old, _ = static_pair(groups)
    new = groups.joined(groups.join(instance_id="a", version=8))
    assert (new.leader, new.skip_assignment, new.members) == (old.member_id, False, [])


def test_the_member_that_was_replaced_is_fenced_wherever_it_turns_up() -> None:
    groups = VirtualGroups()
    _, old = static_pair(groups)
    groups.join(instance_id="b")
    fenced = ErrorCode.FENCED_INSTANCE_ID
    assert groups.heartbeat(old.member_id, 2, instance_id="b") == fenced
    assert groups.answers[groups.sync(old.member_id, 2, instance_id="b")].error_code == fenced
    assert groups.answers[groups.join(old.member_id, instance_id="b")].error_code == fenced
    assert groups.commit({("t", 0): 1}, old.member_id, 2, instance_id="b") == [fenced]
    assert groups.leave((old.member_id, "b")).members[0].error_code == fenced
    assert groups.heartbeat(old.member_id, 2) == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_replacement_with_another_subscription_keeps_its_part_until_the_next_rebalance() -> None:
    """As in Kafka: only a change of the chosen protocol rebalances. What it says now is written down."""
    groups = VirtualGroups()
    static_pair(groups)
    groups.joined(groups.join(instance_id="b", protocols={"range": subscription("u")}))
    groups.restart()
    assert groups.described().members[-1].member_metadata == subscription("u")


def test_a_replacement_that_changes_the_chosen_protocol_starts_a_rebalance() -> None:
    both = {"range": subscription("t"), "sticky": subscription("t")}
    groups = VirtualGroups()
    leader, _ = static_pair(groups, protocols=both)
    token = groups.join(instance_id="b", protocols={"sticky": subscription("t")})
    assert token in groups.parked
    again = groups.joined(groups.join(leader.member_id, instance_id="a", protocols=both))
    assert (again.generation_id, again.protocol_name) == (3, "sticky")
    assert groups.joined(token).protocol_name == "sticky"


def test_a_replacement_while_the_assignment_is_awaited_starts_the_round_anew() -> None:
    """The leader's assignment would name a member id that is no more."""
    groups = VirtualGroups()
    leader, old = static_pair(groups)
    groups.join(leader.member_id, instance_id="a")
    groups.join(old.member_id, instance_id="b")
    waiting = groups.sync(old.member_id, 3, instance_id="b")
    token = groups.join(instance_id="b")
    assert groups.answers[waiting].error_code == ErrorCode.FENCED_INSTANCE_ID
    assert groups.heartbeat(leader.member_id, 3, instance_id="a") == ErrorCode.REBALANCE_IN_PROGRESS
    groups.join(leader.member_id, instance_id="a")
    assert groups.joined(token).generation_id == 4


def test_a_replacement_during_a_rebalance_takes_over_the_wait_of_the_one_before_it() -> None:
    groups = VirtualGroups()
    leader, old = static_pair(groups)
    parked = groups.join(old.member_id, instance_id="b", protocols={"range": subscription("u")})
    token = groups.join(instance_id="b")
    assert groups.answers[parked].error_code == ErrorCode.FENCED_INSTANCE_ID
    groups.join(leader.member_id, instance_id="a")
    assert groups.joined(token).generation_id == 3


def test_a_static_member_that_does_not_join_in_time_keeps_its_place_for_its_session() -> None:
    groups = VirtualGroups()
    leader, old = static_pair(groups, session_ms=1_800_000)
    token = groups.join(leader.member_id, instance_id="a")
    groups.advance(60_000)
    again = groups.joined(token)
    assert {member.group_instance_id for member in again.members} == {"a", "b"}
    assert groups.heartbeat(old.member_id, 3, instance_id="b") == ErrorCode.NONE


def test_a_group_of_which_nobody_joins_waits_on_for_its_static_members() -> None:
    groups = VirtualGroups()
    leader, old = static_pair(groups, session_ms=1_800_000)
    groups.leave((leader.member_id, "a"))
    groups.advance(120_000)
    assert groups.described().group_state == GroupState.PREPARING_REBALANCE
    assert groups.joined(groups.join(old.member_id, instance_id="b")).leader == old.member_id


def test_a_static_member_that_falls_silent_is_taken_out_like_any_other() -> None:
    groups = VirtualGroups()
    leader, old = static_pair(groups)
    groups.advance(SESSION_MS // 2)
    groups.heartbeat(leader.member_id, 2, instance_id="a")
    groups.advance(SESSION_MS // 2)
    assert groups.heartbeat(old.member_id, 2, instance_id="b") == ErrorCode.UNKNOWN_MEMBER_ID
    assert groups.heartbeat(leader.member_id, 2, instance_id="a") == ErrorCode.REBALANCE_IN_PROGRESS


def test_an_administrator_removes_a_static_member_by_its_instance_id_alone() -> None:
    groups = VirtualGroups()
    leader, _ = static_pair(groups)
    answer = groups.leave(("", "b"), ("", "c"), ("", None))
    codes = [ErrorCode(member.error_code) for member in answer.members]
    assert codes == [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNKNOWN_MEMBER_ID]
    assert [member.member_id for member in groups.described().members] == [leader.member_id]


def test_an_unknown_instance_id_is_an_unknown_member() -> None:
    groups = VirtualGroups()
    leader, _ = static_pair(groups)
    assert groups.heartbeat(leader.member_id, 2, instance_id="c") == ErrorCode.UNKNOWN_MEMBER_ID


def test_static_members_survive_a_restart_of_the_coordinator() -> None:
    groups = VirtualGroups()
    leader, _ = static_pair(groups)
    groups.restart()
    new = groups.joined(groups.join(instance_id="b"))
    assert new.generation_id == 2
    assert groups.heartbeat(leader.member_id, 2, instance_id="a") == ErrorCode.NONE


def test_a_replacement_survives_a_restart_of_the_coordinator() -> None:
    groups = VirtualGroups()
    _, old = static_pair(groups)
    new = groups.joined(groups.join(instance_id="b"))
    groups.restart()
    assert groups.heartbeat(new.member_id, 2, instance_id="b") == ErrorCode.NONE
    assert groups.heartbeat(old.member_id, 2, instance_id="b") == ErrorCode.FENCED_INSTANCE_ID


def test_a_replacement_that_the_log_refuses_may_be_tried_again() -> None:
    groups = VirtualGroups()
    static_pair(groups)
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert groups.answers[groups.join(instance_id="b")].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    groups.log_refuses_with = None
    new = groups.joined(groups.join(instance_id="b"))
    assert groups.answers[groups.sync(new.member_id, 2, instance_id="b")].assignment == b"part of b"


def test_a_replacement_before_its_sync_is_still_expected_to_sync() -> None:
    groups = VirtualGroups()
    first = groups.joined(groups.join(instance_id="a"))
    token = groups.join(instance_id="b")
    leader = groups.joined(groups.join(first.member_id, instance_id="a"))
    groups.joined(token)
    groups.sync(leader.member_id, 2, {}, instance_id="a")
    new = groups.joined(groups.join(instance_id="b", session_ms=100_000))
    for _ in range(12):
        groups.heartbeat(leader.member_id, 2, instance_id="a")
        groups.advance(5000)
    assert groups.heartbeat(new.member_id, 2, instance_id="b") == ErrorCode.UNKNOWN_MEMBER_ID
