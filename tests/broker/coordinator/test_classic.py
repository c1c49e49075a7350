"""Rounds of a classic group: who is in a generation, who leads it, and who is told to join again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drave.broker.coordinator.group import GroupLimits, GroupState
from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual import REBALANCE_MS, SESSION_MS, VirtualGroups, subscription

# -- joining


def test_a_dynamic_member_is_told_its_id_before_it_may_join() -> None:
    """KIP-394: a client that gives up before it knows its id leaves no member behind."""
    groups = VirtualGroups()
    answer = groups.answers[groups.join(client_id="reader")]
    assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert answer.member_id.startswith("reader-")
    assert groups.described().members == []


def test_before_version_4_a_member_joins_without_knowing_its_id() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.join(version=3))
    assert joined.leader == joined.member_id != ""


def test_the_first_member_leads_the_first_generation_at_once() -> None:
    """The first rebalance does not wait: group.initial.rebalance.delay.ms is 0 here."""
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    assert (joined.generation_id, joined.leader, joined.protocol_name) == (1, joined.member_id, "range")
    assert [member.metadata for member in joined.members] == [subscription("t")]
    assert groups.described().group_state == GroupState.COMPLETING_REBALANCE


def test_with_an_initial_delay_later_members_are_in_the_first_generation_too() -> None:
    groups = VirtualGroups(initial_rebalance_delay_ms=3000)
    first, second = groups.new_member(), groups.new_member()
    groups.advance(2999)
    assert groups.parked == {first, second}
    groups.advance(3001)
    assert groups.joined(first).generation_id == groups.joined(second).generation_id == 1
    assert len(groups.joined(first).members) == 2


def test_the_initial_delay_grows_with_newcomers_but_not_past_the_rebalance_timeout() -> None:
    groups = VirtualGroups(initial_rebalance_delay_ms=3000)
    tokens = [groups.new_member(rebalance_ms=7000)]
    for _ in range(4):
        groups.advance(1500)
        tokens.append(groups.new_member(rebalance_ms=7000))
    assert groups.parked == set(tokens)
    groups.advance(1000)
    assert {groups.joined(token).generation_id for token in tokens} == {1}


def test_a_newcomer_makes_the_others_join_again_and_is_answered_with_them() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    newcomer = groups.new_member()
    assert groups.heartbeat(leader.member_id, 1) == ErrorCode.REBALANCE_IN_PROGRESS
    assert newcomer in groups.parked
    again = groups.joined(groups.join(leader.member_id))
    assert again.generation_id == groups.joined(newcomer).generation_id == 2
    assert again.leader == groups.joined(newcomer).leader == leader.member_id
    assert len(again.members) == 2
    assert groups.joined(newcomer).members == []


def test_a_member_that_does_not_join_in_time_is_left_out() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    newcomer = groups.new_member()
    for _ in range(REBALANCE_MS // 5000):
        assert newcomer in groups.parked
        groups.heartbeat(leader.member_id, 1)
        groups.advance(5000)
    assert groups.joined(newcomer).leader == groups.joined(newcomer).member_id
    assert groups.heartbeat(leader.member_id, 1) == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_with_an_id_that_was_never_given_is_unknown() -> None:
    groups = VirtualGroups()
    assert groups.answers[groups.join("who")].error_code == ErrorCode.UNKNOWN_MEMBER_ID
    groups.stable_group()
    assert groups.answers[groups.join("who")].error_code == ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("session_ms", [5_999, 1_800_001])
def test_a_session_outside_the_bounds_is_refused(session_ms: int) -> None:
    groups = VirtualGroups()
    answer = groups.answers[groups.join(session_ms=session_ms)]
    assert answer.error_code == ErrorCode.INVALID_SESSION_TIMEOUT


@pytest.mark.parametrize(
    "offer",
    [
        {"protocol_type": "connect"},
        {"protocols": {"sticky": b""}},
        {"protocols": {}},
        {"protocol_type": ""},
    ],
)
def test_a_member_that_nobody_could_agree_with_is_refused(offer: dict[str, object]) -> None:
    groups = VirtualGroups()
    groups.stable_group()
    assert groups.answers[groups.join(**offer)].error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_a_new_group_needs_a_protocol_and_its_type() -> None:
    groups = VirtualGroups()
    for offer in ({"protocols": {}}, {"protocol_type": ""}):
        assert groups.answers[groups.join(**offer)].error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert groups.shard.classic.describe("g") is None


def test_the_protocol_is_the_one_with_most_votes_among_those_that_all_support() -> None:
    groups = VirtualGroups(initial_rebalance_delay_ms=3000)
    both = {"range": subscription("t"), "sticky": subscription("t")}
    reverse = dict(reversed(both.items()))
    tokens = [groups.new_member(protocols=offer) for offer in (both, reverse, reverse | {"mine": b""})]
    groups.advance(6000)
    assert {groups.joined(token).protocol_name for token in tokens} == {"sticky"}


def test_a_group_takes_no_more_members_than_its_limit() -> None:
    groups = VirtualGroups(size_max=2)
    groups.stable_group(2)
    assert groups.answers[groups.join()].error_code == ErrorCode.GROUP_MAX_SIZE_REACHED


def test_a_group_over_a_lowered_limit_shrinks_to_those_who_join_first() -> None:
    groups = VirtualGroups()
    members = groups.stable_group(3)
    groups.surroundings = replace(groups.surroundings, limits=GroupLimits(size_max=2))
    groups.restart()
    assert groups.described().group_state == GroupState.PREPARING_REBALANCE
    tokens = [groups.join(member.member_id) for member in members]
    assert groups.answers[tokens[2]].error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert groups.joined(tokens[0]).generation_id == groups.joined(tokens[1]).generation_id == 3


def test_a_member_that_missed_the_answer_to_its_join_gets_it_again() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    assert groups.joined(groups.join(joined.member_id)) == joined


def test_a_follower_that_joins_a_stable_group_unchanged_starts_no_rebalance() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    again = groups.joined(groups.join(follower.member_id))
    assert (again.generation_id, again.leader, again.members) == (2, leader.member_id, [])
    assert groups.described().group_state == GroupState.STABLE


def test_a_leader_that_joins_a_stable_group_starts_a_rebalance() -> None:
    """That is how it says that topics have changed."""
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    token = groups.join(leader.member_id)
    assert groups.heartbeat(follower.member_id, 2) == ErrorCode.REBALANCE_IN_PROGRESS
    groups.join(follower.member_id)
    assert groups.joined(token).generation_id == 3


def test_a_follower_with_a_new_subscription_starts_a_rebalance() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.join(follower.member_id, protocols={"range": subscription("t", "u")})
    assert groups.heartbeat(leader.member_id, 2) == ErrorCode.REBALANCE_IN_PROGRESS
    again = groups.joined(groups.join(leader.member_id))
    assert subscription("t", "u") in [member.metadata for member in again.members]


def test_a_change_while_the_assignment_is_awaited_sends_those_who_wait_for_it_back_to_join() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    tokens = groups.join(leader.member_id), groups.join(follower.member_id)
    generation = groups.joined(tokens[0]).generation_id
    waiting = groups.sync(follower.member_id, generation)
    groups.new_member()
    assert groups.answers[waiting].error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert groups.described().group_state == GroupState.PREPARING_REBALANCE


def test_a_second_join_of_a_member_takes_the_place_of_its_first() -> None:
    """Its client has given the first one up; told to join again it would do no harm."""
    groups = VirtualGroups()
    groups.stable_group()
    first = groups.new_member()
    member_id = next(member.member_id for member in groups.described().members[1:])
    second = groups.join(member_id)
    assert groups.answers[first].error_code == ErrorCode.REBALANCE_IN_PROGRESS
    assert second in groups.parked


def test_a_group_waits_for_members_that_have_been_given_an_id() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    coming = groups.answers[groups.join()].member_id
    tokens = [groups.join(member.member_id) for member in (leader, follower)]
    assert groups.parked == set(tokens)
    token = groups.join(coming)
    assert len(groups.joined(tokens[0]).members) == 3
    assert groups.joined(token).generation_id == 3


def test_a_group_waits_no_longer_than_a_session_for_them() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.join()
    token = groups.join(leader.member_id)
    groups.advance(SESSION_MS - 1)
    assert token in groups.parked
    groups.advance(1)
    assert groups.joined(token).generation_id == 2


# -- assignments


def test_every_member_gets_its_part_of_the_leaders_assignment() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    tokens = groups.join(leader.member_id), groups.join(follower.member_id)
    assert groups.joined(tokens[1]).generation_id == 3
    waiting = groups.sync(follower.member_id, 3)
    assert waiting in groups.parked
    plan = {leader.member_id: b"first", follower.member_id: b"second"}
    own = groups.sync(leader.member_id, 3, plan)
    assert (groups.answers[own].assignment, groups.answers[waiting].assignment) == (b"first", b"second")
    assert groups.answers[own].protocol_name == "range"
    assert groups.described().group_state == GroupState.STABLE


def test_a_member_that_comes_for_its_part_later_gets_it_at_once() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    assert groups.answers[groups.sync(follower.member_id, 2)].assignment == b"1"
    assert groups.answers[groups.sync(leader.member_id, 2)].assignment == b"0"


def test_a_member_that_the_leader_forgot_gets_an_empty_part() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.join(leader.member_id)
    groups.join(follower.member_id)
    groups.sync(leader.member_id, 3, {leader.member_id: b"all"})
    assert groups.answers[groups.sync(follower.member_id, 3)].assignment == b""


def test_an_assignment_that_does_not_come_from_the_leader_counts_for_nothing() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.join(leader.member_id)
    groups.join(follower.member_id)
    token = groups.sync(follower.member_id, 3, {follower.member_id: b"mine"})
    assert token in groups.parked
    groups.sync(leader.member_id, 3, {follower.member_id: b"yours"})
    assert groups.answers[token].assignment == b"yours"


@pytest.mark.parametrize("generation", [0, 1, 3])
def test_a_sync_of_another_generation_is_refused(generation: int) -> None:
    groups = VirtualGroups()
    leader, _ = groups.stable_group(2)
    assert groups.answers[groups.sync(leader.member_id, generation)].error_code == ErrorCode.ILLEGAL_GENERATION


@pytest.mark.parametrize("said", [{"protocol_name": "sticky"}, {"protocol_type": "connect"}])
def test_a_sync_that_names_another_protocol_is_refused(said: dict[str, str]) -> None:
    """KIP-559."""
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    answer = groups.answers[groups.sync(joined.member_id, 1, **said)]
    assert answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_a_sync_from_a_stranger_is_refused() -> None:
    groups = VirtualGroups()
    assert groups.answers[groups.sync("who", 1)].error_code == ErrorCode.UNKNOWN_MEMBER_ID
    groups.stable_group()
    assert groups.answers[groups.sync("who", 1)].error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_sync_during_a_rebalance_is_told_to_join() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    groups.new_member()
    assert groups.answers[groups.sync(leader.member_id, 1)].error_code == ErrorCode.REBALANCE_IN_PROGRESS


def test_a_second_sync_takes_the_place_of_the_first() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.join(leader.member_id)
    groups.join(follower.member_id)
    first, second = groups.sync(follower.member_id, 3), groups.sync(follower.member_id, 3)
    assert groups.answers[first].error_code == ErrorCode.REBALANCE_IN_PROGRESS
    groups.sync(leader.member_id, 3, {follower.member_id: b"part"})
    assert groups.answers[second].assignment == b"part"


def test_members_that_never_ask_for_their_part_are_left_out_of_the_next_generation() -> None:
    """KIP-848's predecessor of a lost client: it heartbeats, but is stuck between join and sync."""
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.join(leader.member_id)
    groups.join(follower.member_id)
    groups.sync(leader.member_id, 3, {})
    for _ in range(REBALANCE_MS // 5000):
        assert groups.described().group_state == GroupState.STABLE
        groups.heartbeat(leader.member_id, 3)
        groups.heartbeat(follower.member_id, 3)
        groups.advance(5000)
    assert groups.heartbeat(follower.member_id, 3) == ErrorCode.UNKNOWN_MEMBER_ID
    assert groups.heartbeat(leader.member_id, 3) == ErrorCode.REBALANCE_IN_PROGRESS


def test_an_assignment_that_the_log_refuses_is_asked_for_again() -> None:
    """A full disk loses no member: the generation stays, and its leader may try again."""
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    token = groups.sync(joined.member_id, 1, {joined.member_id: b"all"})
    assert groups.answers[token].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert groups.answers[token].assignment == b""
    groups.log_refuses_with = None
    assert groups.joined(groups.join(joined.member_id)).generation_id == 1
    token = groups.sync(joined.member_id, 1, {joined.member_id: b"all"})
    assert groups.answers[token].assignment == b"all"


# -- staying and going


def test_a_heartbeat_keeps_a_member_alive() -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    for _ in range(5):
        groups.advance(SESSION_MS - 1)
        assert groups.heartbeat(leader.member_id, 1) == ErrorCode.NONE


def test_a_member_that_falls_silent_is_taken_out_after_its_session() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.advance(SESSION_MS // 2)
    groups.heartbeat(follower.member_id, 2)
    groups.advance(SESSION_MS // 2)
    assert groups.heartbeat(follower.member_id, 2) == ErrorCode.REBALANCE_IN_PROGRESS
    again = groups.joined(groups.join(follower.member_id))
    assert (again.generation_id, again.leader) == (3, follower.member_id)
    assert groups.heartbeat(leader.member_id, 2) == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_group_whose_last_member_is_gone_is_empty_in_a_new_generation() -> None:
    groups = VirtualGroups()
    groups.stable_group()
    groups.advance(SESSION_MS)
    assert groups.described().group_state == GroupState.EMPTY
    assert groups.joined(groups.new_member()).generation_id == 3


def test_a_member_that_waits_for_an_answer_need_not_send_heartbeats() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    third = groups.new_member()
    waiting = groups.join(follower.member_id)
    for _ in range(5):
        groups.advance(SESSION_MS - 1)
        groups.heartbeat(leader.member_id, 2)
    assert groups.parked == {third, waiting}
    groups.join(leader.member_id)
    assert len(groups.described().members) == 3


def test_a_first_join_waits_five_minutes_at_most() -> None:
    """Its client may be long gone."""
    groups = VirtualGroups()
    (leader,) = groups.stable_group(rebalance_ms=600_000)
    newcomer = groups.new_member()
    for _ in range(30):
        groups.advance(SESSION_MS - 1)
        groups.heartbeat(leader.member_id, 1)
    groups.advance(30)
    assert groups.answers[newcomer].error_code == ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("generation", [0, 2])
def test_a_heartbeat_of_another_generation_is_refused(generation: int) -> None:
    groups = VirtualGroups()
    (leader,) = groups.stable_group()
    assert groups.heartbeat(leader.member_id, generation) == ErrorCode.ILLEGAL_GENERATION


def test_a_heartbeat_to_a_group_that_is_not_there_is_refused() -> None:
    assert VirtualGroups().heartbeat("who", 1) == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_leaves_lets_the_others_rebalance_at_once() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    answer = groups.leave(leader.member_id)
    assert (answer.error_code, answer.members[0].error_code) == (ErrorCode.NONE, ErrorCode.NONE)
    assert groups.heartbeat(follower.member_id, 2) == ErrorCode.REBALANCE_IN_PROGRESS
    assert groups.joined(groups.join(follower.member_id)).leader == follower.member_id


def test_several_members_leave_in_one_request_each_with_its_own_answer() -> None:
    """KIP-345: the administrator's removal of members."""
    groups = VirtualGroups()
    first, second, third = groups.stable_group(3)
    answer = groups.leave(second.member_id, "who", third.member_id)
    codes = [ErrorCode(member.error_code) for member in answer.members]
    assert codes == [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE]
    assert [member.member_id for member in groups.described().members] == [first.member_id]


def test_before_version_3_a_leave_has_its_error_at_the_top() -> None:
    groups = VirtualGroups()
    groups.stable_group()
    assert groups.leave("who", version=2).error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_pending_member_may_leave_without_a_rebalance() -> None:
    groups = VirtualGroups()
    groups.stable_group()
    pending = groups.answers[groups.join()].member_id
    assert groups.leave(pending).members[0].error_code == ErrorCode.NONE
    assert groups.described().group_state == GroupState.STABLE
    assert groups.answers[groups.join(pending)].error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_leave_answers_what_the_member_still_waits_for() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    token = groups.join(leader.member_id)
    groups.leave(leader.member_id)
    assert groups.answers[token].error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert groups.joined(groups.join(follower.member_id)).generation_id == 3


def test_after_all_have_left_the_group_is_empty() -> None:
    groups = VirtualGroups()
    members = groups.stable_group(2)
    groups.leave(*(member.member_id for member in members))
    assert groups.described().group_state == GroupState.EMPTY
    assert not groups.timers


# -- after a restart


def test_after_a_restart_members_go_on_in_the_same_generation() -> None:
    groups = VirtualGroups()
    _, follower = groups.stable_group(2)
    groups.restart()
    assert groups.heartbeat(follower.member_id, 2) == ErrorCode.NONE
    assert groups.answers[groups.sync(follower.member_id, 2)].assignment == b"1"
    described = groups.described()
    assert (described.group_state, described.protocol_data) == (GroupState.STABLE, "range")
    assert [member.member_assignment for member in described.members] == [b"0", b"1"]


def test_after_a_restart_every_member_has_a_whole_session() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.advance(SESSION_MS - 1)
    groups.restart()
    groups.advance(SESSION_MS - 1)
    assert groups.heartbeat(leader.member_id, 2) == ErrorCode.NONE
    groups.advance(1)
    assert groups.heartbeat(follower.member_id, 2) == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_round_that_was_open_is_gone_after_a_restart_and_members_join_anew() -> None:
    groups = VirtualGroups()
    leader, follower = groups.stable_group(2)
    groups.new_member()
    groups.restart()
    assert groups.heartbeat(leader.member_id, 2) == ErrorCode.NONE
    token = groups.join(leader.member_id)
    groups.join(follower.member_id)
    assert groups.joined(token).generation_id == 3


def test_a_member_that_joined_but_never_was_in_a_stable_generation_is_unknown_after_a_restart() -> None:
    groups = VirtualGroups()
    joined = groups.joined(groups.new_member())
    groups.restart()
    assert groups.heartbeat(joined.member_id, 1) == ErrorCode.UNKNOWN_MEMBER_ID
    assert groups.shard.classic.describe("g") is None


def test_groups_with_other_protocols_than_consumers_survive_a_restart_too() -> None:
    """Kafka Connect's workers are a group of type `connect`."""
    groups = VirtualGroups()
    groups.stable_group(protocol_type="connect", protocols={"sessioned": b"\xff\xfe"})
    groups.restart()
    described = groups.described()
    assert (described.protocol_type, described.members[0].member_metadata) == ("connect", b"\xff\xfe")
