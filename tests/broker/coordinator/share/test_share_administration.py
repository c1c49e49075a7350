"""What administrators do with share groups: move starts, delete what is remembered, delete the group."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual_shares import VirtualShares


@pytest.fixture
def shares() -> VirtualShares:
    shares = VirtualShares()
    shares.topics.create("t", 2)
    return shares


def empty_group(shares: VirtualShares, *topics: str) -> None:
    shares.enter("a", *topics)
    shares.beat("a", -1)


def starts(shares: VirtualShares) -> dict[int, int]:
    """The start offset in each partition, for tests of one topic."""
    return {where.partition: start for (_, where), start in shares.starts.items()}


# -- moving the start


def test_the_start_of_an_empty_group_is_moved(shares: VirtualShares) -> None:
    empty_group(shares, "t")
    response = shares.alter(("t", 1, 42))
    assert response.error_code == ErrorCode.NONE
    [topic] = response.responses
    assert (topic.topic_name, topic.partitions[0].error_code) == ("t", ErrorCode.NONE)
    assert starts(shares) == {0: -1, 1: 42}


def test_an_id_that_nobody_has_becomes_an_empty_share_group(shares: VirtualShares) -> None:
    assert shares.alter(("t", 0, 7)).error_code == ErrorCode.NONE
    assert (shares.group().group_state, starts(shares)) == ("Empty", {0: 7})
    shares.restart()
    assert shares.group().group_state == "Empty"


def test_a_start_that_was_moved_stays_when_somebody_joins(shares: VirtualShares) -> None:
    shares.alter(("t", 0, 7))
    shares.enter("a", "t")
    assert starts(shares) == {0: 7, 1: -1}


def test_no_start_is_moved_under_the_feet_of_members(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    assert shares.alter(("t", 0, 7)).error_code == ErrorCode.NON_EMPTY_GROUP
    assert starts(shares) == {0: -1, 1: -1}


def test_what_is_not_there_is_named_and_the_rest_is_done(shares: VirtualShares) -> None:
    response = shares.alter(("t", 0, 7), ("t", 2, 7), ("t", -1, 7), ("u", 0, 7))
    codes = [topic.partitions[0].error_code for topic in response.responses]
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert codes == [ErrorCode.NONE, unknown, unknown, unknown]
    assert starts(shares) == {0: 7}


def test_an_alteration_that_names_nothing_real_makes_no_group(shares: VirtualShares) -> None:
    assert shares.alter(("u", 0, 7)).error_code == ErrorCode.NONE
    assert shares.shard.shares.describe("s") is None


def test_each_partition_says_whether_its_start_was_moved(shares: VirtualShares) -> None:
    empty_group(shares, "t")
    shares.state_refuses_with = ErrorCode.FENCED_STATE_EPOCH
    [topic] = shares.alter(("t", 0, 7)).responses
    assert topic.partitions[0].error_code == ErrorCode.FENCED_STATE_EPOCH
    assert starts(shares) == {0: -1, 1: -1}


def test_a_start_that_was_being_moved_when_the_broker_ended_stays_where_it_was(shares: VirtualShares) -> None:
    """Nobody was told that it had moved."""
    empty_group(shares, "t")
    shares.alter(("t", 0, 7))
    with pytest.raises(KeyError), shares.away():
        shares.alter(("t", 0, 9))
    shares.restart()
    assert starts(shares) == {0: 7, 1: -1}


def test_a_group_of_another_kind_has_no_such_start(shares: VirtualShares) -> None:
    shares.stable_group()
    assert shares.alter(("t", 0, 7), group="g").error_code == ErrorCode.GROUP_ID_NOT_FOUND


# -- deleting offsets


def test_what_a_group_remembers_of_a_topic_is_deleted(shares: VirtualShares) -> None:
    shares.topics.create("u", 1)
    empty_group(shares, "t", "u")
    response = shares.delete_share_offsets("t")
    [topic] = response.responses
    assert (topic.topic_name, topic.error_code) == ("t", ErrorCode.NONE)
    assert starts(shares) == {0: -1}
    assert len(shares.shard.shares.initialized_partitions("s")) == 1


def test_what_was_deleted_begins_anew_when_somebody_joins(shares: VirtualShares) -> None:
    shares.alter(("t", 0, 7))
    shares.delete_share_offsets("t")
    shares.enter("a", "t")
    assert starts(shares) == {0: -1, 1: -1}


def test_offsets_of_a_group_that_is_not_there_or_has_members_are_not_deleted(shares: VirtualShares) -> None:
    assert shares.delete_share_offsets("t").error_code == ErrorCode.GROUP_ID_NOT_FOUND
    shares.enter("a", "t")
    assert shares.delete_share_offsets("t").error_code == ErrorCode.NON_EMPTY_GROUP


def test_a_topic_of_which_nothing_is_remembered_is_named(shares: VirtualShares) -> None:
    shares.topics.create("u", 1)
    empty_group(shares, "t")
    response = shares.delete_share_offsets("u", "v", "t")
    found = {topic.topic_name: topic.error_code for topic in response.responses}
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert found == {"t": ErrorCode.NONE, "u": unknown, "v": unknown}


def test_a_deletion_that_fails_can_be_made_again(shares: VirtualShares) -> None:
    empty_group(shares, "t")
    shares.state_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    [topic] = shares.delete_share_offsets("t").responses
    assert topic.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    shares.state_refuses_with = ErrorCode.NONE
    [topic] = shares.delete_share_offsets("t").responses
    assert (topic.error_code, starts(shares)) == (ErrorCode.NONE, {})


# -- deleting groups


def test_an_empty_group_goes_with_all_that_it_remembers(shares: VirtualShares) -> None:
    empty_group(shares, "t")
    assert shares.delete("s") == ErrorCode.NONE
    assert (shares.shard.shares.describe("s"), shares.starts) == (None, {})
    shares.restart()
    assert shares.shard.shares.describe("s") is None
    assert not list(shares.shard.live_records())


def test_a_group_that_only_an_administrator_has_made_can_be_deleted(shares: VirtualShares) -> None:
    shares.alter(("t", 0, 7))
    assert shares.delete("s") == ErrorCode.NONE
    assert (shares.shard.shares.describe("s"), shares.starts) == (None, {})


def test_a_group_with_members_is_not_deleted(shares: VirtualShares) -> None:
    shares.enter("a", "t")
    assert shares.delete("s") == ErrorCode.NON_EMPTY_GROUP


def test_a_group_whose_state_cannot_be_deleted_stays_and_can_be_deleted_later(shares: VirtualShares) -> None:
    empty_group(shares, "t")
    shares.state_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert shares.delete("s") == ErrorCode.COORDINATOR_NOT_AVAILABLE
    shares.state_refuses_with = ErrorCode.NONE
    shares.restart()
    assert shares.delete("s") == ErrorCode.NONE
    assert shares.starts == {}


def test_who_joins_while_the_group_is_deleted_has_a_group_and_a_state(shares: VirtualShares) -> None:
    empty_group(shares, "t")
    with shares.away():
        token = shares.token()
        shares.carry_out(shares.shard.delete_group("s", token))
        joined = shares.ask("b", 0, ["t"])
    assert shares.answers[token].results[0].error_code == ErrorCode.NON_EMPTY_GROUP
    assert shares.answers[joined].error_code == ErrorCode.NONE
    assert shares.assigned("b") == {"t": [0, 1]}
    assert starts(shares) == {0: -1, 1: -1}


@pytest.mark.parametrize("what", ["alter", "delete offsets", "delete"])
def test_what_the_log_refuses_is_answered_so_and_done_by_nobody(shares: VirtualShares, what: str) -> None:
    empty_group(shares, "t")
    shares.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    match what:
        case "alter":
            code = shares.alter(("t", 0, 7)).error_code
        case "delete offsets":
            code = shares.delete_share_offsets("t").error_code
        case _:
            code = shares.delete("s")
    assert code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert (starts(shares), shares.parked) == ({0: -1, 1: -1}, set())
