"""Share groups (KIP-932): who is in them, and which partitions each member reads."""

from __future__ import annotations

import pytest

from drave.broker.coordinator.group import Commit
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, GroupRecord, parse_key
from drave.broker.coordinator.share.group import ShareGroup
from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual_shares import VirtualShares, given

SESSION_MS = 45_000


@pytest.fixture
def shares() -> VirtualShares:
    shares = VirtualShares()
    shares.topics.create("t", 2)
    return shares


# -- joining


def test_a_member_is_given_its_partitions_with_its_first_answer(shares: VirtualShares) -> None:
    """Kafka gives none before the next heartbeat, five seconds later."""
    response = shares.beat("a", 0, ["t"])
    assert (response.error_code, response.member_id, given(response)) == (ErrorCode.NONE, "a", [[0, 1]])
    assert response.heartbeat_interval_ms == 5_000
    assert shares.group().group_epoch == shares.group().assignment_epoch == response.member_epoch


def test_share_partitions_get_a_state_that_begins_nowhere_before_anybody_reads_them(shares: VirtualShares) -> None:
    with shares.away():
        token = shares.ask("a", 0, ["t"])
        assert token not in shares.answers
        assert shares.group().members[0].assignment.topic_partitions == []
    assert given(shares.answers[token]) == [[0, 1]]
    assert list(shares.starts.values()) == [-1, -1]


def test_two_who_join_at_once_make_a_state_once_and_share(shares: VirtualShares) -> None:
    with shares.away():
        tokens = [shares.ask("a", 0, ["t"]), shares.ask("b", 0, ["t"])]
        assert len(shares.duties) == 1
    assert [given(shares.answers[token]) for token in tokens] == [[[0]], [[1]]]


def test_several_members_read_the_same_partition(shares: VirtualShares) -> None:
    with shares.away():
        for member in "abcde":
            shares.ask(member, 0, ["t"])
    assert sorted(len(shares.assigned(member)["t"]) for member in "abcde") == [1, 1, 1, 1, 2]


def test_a_member_whose_partitions_cannot_get_a_state_joins_and_reads_nothing_until_they_can(
    shares: VirtualShares,
) -> None:
    shares.state_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    response = shares.beat("a", 0, ["t"])
    assert (response.error_code, given(response)) == (ErrorCode.NONE, [])
    shares.state_refuses_with = ErrorCode.NONE
    epoch = shares.beat("a", response.member_epoch).member_epoch
    assert given(shares.beat("a", epoch)) == [[0, 1]]


def test_a_topic_that_is_not_there_yet_is_read_when_it_is(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "later")
    assert shares.assigned("a") == {}
    shares.topics.create("later", 1)
    assert shares.beat("a", epoch).error_code == ErrorCode.NONE
    assert shares.assigned("a") == {} or shares.assigned("a") == {"later": [0]}
    shares.beat("a", shares.group().members[0].member_epoch)
    assert shares.assigned("a") == {"later": [0]}


def test_a_topic_that_grows_is_read_as_a_whole(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    shares.topics.create("t", 4)
    shares.advance(1_000)
    for _ in range(2):
        shares.beat("a", shares.group().members[0].member_epoch)
    assert shares.assigned("a") == {"t": [0, 1, 2, 3]}


def test_a_topic_that_is_deleted_is_read_no_more_and_its_state_is_forgotten(shares: VirtualShares) -> None:
    shares.topics.create("u", 1)
    epoch = shares.enter("a", "t", "u")
    shares.delete_topic("u")
    assert given(shares.beat("a", epoch)) is None or shares.assigned("a") == {"t": [0, 1]}
    shares.advance(1_000)
    shares.beat("a", shares.group().members[0].member_epoch)
    assert shares.assigned("a") == {"t": [0, 1]}
    assert {each.partition for each in shares.shard.shares.initialized_partitions("s")} == {0, 1}


def test_a_topic_that_is_deleted_while_its_state_is_made_has_none(shares: VirtualShares) -> None:
    with shares.away():
        token = shares.ask("a", 0, ["t"])
        shares.delete_topic("t")
    assert given(shares.answers[token]) == []
    assert not shares.shard.shares.initialized_partitions("s")


def test_many_who_come_one_after_the_other_share_one_assignment_a_second(shares: VirtualShares) -> None:
    """`share.assignment.interval.ms`."""
    shares.enter("a", "t")
    assert given(shares.beat("b", 0, ["t"])) == []
    shares.advance(999)
    assert given(shares.beat("b", shares.group().assignment_epoch)) is None
    shares.advance(1)
    assert given(shares.beat("b", shares.group().assignment_epoch)) == [[1]]


# -- epochs


def test_a_member_may_come_with_the_epoch_before_for_the_answer_may_have_been_lost(shares: VirtualShares) -> None:
    before = shares.enter("a", "t")
    shares.advance(1_000)
    shares.enter("b", "t")
    after = shares.beat("a", before).member_epoch
    assert after > before
    assert shares.beat("a", before).member_epoch == after


def test_a_member_with_any_other_epoch_is_fenced(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "t")
    for other in (epoch + 1, epoch + 100):
        response = shares.beat("a", other)
        assert response.error_code == ErrorCode.FENCED_MEMBER_EPOCH
        assert str(epoch) in (response.error_message or "")


def test_a_member_that_joins_again_keeps_its_place_and_hears_of_it(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "t")
    response = shares.beat("a", 0, ["t"])
    assert (response.member_epoch, given(response)) == (epoch, [[0, 1]])


def test_a_heartbeat_that_changes_nothing_writes_nothing(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "t")
    written = len(shares.log)
    response = shares.beat("a", epoch)
    assert (response.member_epoch, response.assignment) == (epoch, None)
    assert len(shares.log) == written


def test_who_has_no_group_or_no_place_in_it_is_told_so(shares: VirtualShares) -> None:
    assert shares.beat("a", 5).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    shares.enter("a", "t")
    assert shares.beat("b", 5).error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_group_takes_no_more_members_than_it_may_have() -> None:
    shares = VirtualShares(share_size_max=1)
    shares.topics.create("t", 1)
    epoch = shares.enter("a", "t")
    assert shares.beat("b", 0, ["t"]).error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert shares.beat("a", epoch).error_code == ErrorCode.NONE


def test_the_id_of_a_group_of_another_kind_is_not_one_of_a_share_group(shares: VirtualShares) -> None:
    shares.stable_group()
    response = shares.beat("a", 0, ["t"], group="g")
    assert (response.error_code, response.error_message) == (
        ErrorCode.GROUP_ID_NOT_FOUND,
        "Group g is not a share group.",
    )


# -- what a member says


def test_a_member_that_wants_something_else_gets_that(shares: VirtualShares) -> None:
    shares.topics.create("u", 1)
    epoch = shares.enter("a", "t")
    shares.advance(1_000)
    response = shares.beat("a", epoch, ["u"])
    assert shares.assigned("a") == {"u": [0]}
    assert given(response) == [[0]]
    assert response.member_epoch > epoch


def test_a_member_keeps_the_rack_that_it_has_named(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "t", rack="r")
    shares.beat("a", epoch)
    assert shares.group().members[0].rack_id == "r"


# -- leaving


def test_a_member_leaves_and_the_others_take_over(shares: VirtualShares) -> None:
    with shares.away():
        shares.ask("a", 0, ["t"])
        shares.ask("b", 0, ["t"])
    gone = shares.beat("b", -1)
    assert (gone.error_code, gone.member_id, gone.member_epoch) == (ErrorCode.NONE, "b", -1)
    assert [member.member_id for member in shares.group().members] == ["a"]
    shares.advance(1_000)
    assert given(shares.beat("a", shares.group().members[0].member_epoch)) == [[0, 1]]


def test_who_was_not_there_cannot_leave(shares: VirtualShares) -> None:
    assert shares.beat("a", -1).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    shares.enter("a", "t")
    assert shares.beat("b", -1).error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_is_silent_for_a_session_is_missed(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "t")
    shares.advance(SESSION_MS - 1)
    assert shares.beat("a", epoch).error_code == ErrorCode.NONE
    shares.advance(SESSION_MS - 1)
    assert shares.group().group_state == "Stable"
    shares.advance(1)
    assert (shares.group().group_state, shares.group().members) == ("Empty", [])
    assert not shares.timers


def test_a_member_that_the_log_did_not_let_go_is_missed_a_little_later(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    shares.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    shares.advance(SESSION_MS + 2_500)
    assert shares.group().group_state == "Stable"
    shares.log_refuses_with = None
    shares.advance(1_000)
    assert shares.group().group_state == "Empty"


def test_session_and_interval_are_what_the_group_is_set_to(shares: VirtualShares) -> None:
    shares.configs = {"share.session.timeout.ms": "50000", "share.heartbeat.interval.ms": "7000"}
    assert shares.beat("a", 0, ["t"]).heartbeat_interval_ms == 7_000
    shares.advance(SESSION_MS + 1)
    assert shares.group().group_state == "Stable"


def test_a_group_without_members_is_kept_however_long(shares: VirtualShares) -> None:
    """How far it has come would be lost with it."""
    shares.enter("a", "t")
    shares.beat("a", -1)
    shares.advance(30 * 24 * 60 * 60 * 1000)
    shares.expire()
    assert shares.group().group_state == "Empty"


# -- what other requests see


def test_it_is_listed_as_a_share_group(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    [listed] = shares.shard.list(frozenset({"stable"}), frozenset({"share"}))
    assert (listed.group_id, listed.group_type, listed.protocol_type, listed.group_state) == (
        "s",
        "share",
        "share",
        "Stable",
    )
    assert shares.shard.list(frozenset(), frozenset({"classic"})) == []


def test_it_has_no_offsets_that_could_be_committed_or_deleted(shares: VirtualShares) -> None:
    group = ShareGroup("s", shares.surroundings)
    commit = Commit("a", None, 1, 9, in_transaction=False)
    assert group.may_commit(commit, Outcome()) is ErrorCode.GROUP_ID_NOT_FOUND
    assert group.may_delete_offsets() is ErrorCode.GROUP_ID_NOT_FOUND


# -- restarts


def test_a_restart_keeps_members_and_what_they_read_and_gives_each_a_whole_session(shares: VirtualShares) -> None:
    epoch = shares.enter("a", "t")
    shares.advance(SESSION_MS - 1)
    before = shares.group()
    shares.restart()
    assert shares.group() == before
    shares.advance(SESSION_MS - 1)
    assert shares.beat("a", epoch).error_code == ErrorCode.NONE


def test_a_restart_goes_on_with_a_state_that_was_being_made(shares: VirtualShares) -> None:
    with shares.away():
        shares.ask("a", 0, ["t"])
        shares.restart()
    assert len(shares.starts) == 2
    assert given(shares.beat("a", 0, ["t"])) == [[0, 1]]


def test_what_the_log_refuses_is_answered_so_and_nobody_waits_for_it(shares: VirtualShares) -> None:
    shares.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert shares.beat("a", 0, ["t"]).error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert (shares.starts, shares.parked) == ({}, set())
    shares.log_refuses_with = None
    assert given(shares.beat("a", 0, ["t"])) == [[0, 1]]


def test_the_live_records_make_the_same_group(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    shares.advance(1_000)
    shares.enter("b", "t", rack="r")
    before = shares.group()
    shares.log = list(shares.shard.live_records())
    shares.restart()
    assert shares.group() == before


def test_a_group_is_made_of_kafkas_records(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    named = [parse_key(key) for key, _ in shares.shard.live_records()]
    assert {each.record for each in named if isinstance(each, GroupKey)} == {
        GroupRecord.SHARE,
        GroupRecord.SHARE_PARTITIONS,
        GroupRecord.SHARE_MEMBER,
        GroupRecord.SHARE_CURRENT,
        GroupRecord.SHARE_TARGET,
        GroupRecord.SHARE_TARGET_MEMBER,
    }
