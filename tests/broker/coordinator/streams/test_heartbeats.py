"""What members of a streams group are told: to join, to run, to give up, to leave (KIP-1071)."""

from __future__ import annotations

import pytest

from drave.broker.coordinator.group import GroupState
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.streams.configuring import Status
from drave.broker.coordinator.streams.member import MemberState
from drave.broker.coordinator.streams.tasks import NOTHING, Tasks
from drave.model.errors import ErrorCode
from drave.wire.messages.k88_streams_group_heartbeat import Endpoint, KeyValue, TaskIds, TaskOffset
from tests.broker.coordinator.streams.virtual_streams import (
    REBALANCE_MS,
    SIMPLE,
    WORDS,
    VirtualStreams,
    given,
    internal,
    statuses,
    subtopology,
    tasks,
    topology,
)
from tests.broker.coordinator.virtual import subscription

SESSION_MS = 45_000
INTERVAL_MS = 1_000
DELAYED = [Status.ASSIGNMENT_DELAYED]


@pytest.fixture
def groups() -> VirtualStreams:
    groups = VirtualStreams()
    groups.topics.create("lines", 4)
    return groups


def actives(partitions: list[int]) -> Tasks:
    return Tasks(tasks(s0=partitions))


# -- joining


def test_who_joins_first_is_given_everything_at_once(groups) -> None:
    joined = groups.enter("a")
    assert (joined.error_code, joined.member_id, joined.member_epoch) == (0, "a", 2)
    assert statuses(joined) == []
    assert given(joined) == actives([0, 1, 2, 3])
    assert groups.group().state is GroupState.STABLE


def test_a_member_that_has_what_it_should_is_told_no_tasks_and_writes_nothing(groups) -> None:
    groups.enter("a")
    written = len(groups.log)
    again = groups.beat("a", 2, actives([0, 1, 2, 3]))
    assert (again.active_tasks, again.standby_tasks, again.warmup_tasks) == (None, None, None)
    assert len(groups.log) == written


def test_members_are_to_be_heard_from_sooner_while_their_group_comes_together(groups) -> None:
    """Kafka always names the interval that is set."""
    assert groups.enter("a").heartbeat_interval_ms == 500
    groups.advance(3_000)
    assert groups.beat("a", 2, actives([0, 1, 2, 3])).heartbeat_interval_ms == 5_000
    assert groups.enter("b").heartbeat_interval_ms == 500
    groups.advance(3_000)
    assert groups.beat("b", 3).heartbeat_interval_ms == 500, "it waits for tasks of the other one"


def test_tasks_are_revoked_before_another_member_has_them(groups) -> None:
    groups.enter("a")
    groups.advance(INTERVAL_MS)
    assert given(groups.enter("b")) == NOTHING
    assert groups.group().members["b"].state is MemberState.UNRELEASED_TASKS

    told = groups.beat("a", 2, actives([0, 1, 2, 3]))
    kept = given(told)
    assert (len(kept.active), told.member_epoch) == (2, 2)
    assert groups.group().state is GroupState.RECONCILING
    assert groups.beat("b", 3).active_tasks is None, "a has not said that it gave them up"
    assert groups.beat("a", 2, actives([0, 1, 2, 3])).active_tasks is None, "nor is it so"

    assert groups.beat("a", 2, kept).member_epoch == 3
    assert given(groups.beat("b", 3)).active == tasks(s0=[0, 1, 2, 3]) - kept.active
    assert groups.group().state is GroupState.STABLE


def test_joins_that_come_close_together_share_one_assignment(groups) -> None:
    groups.enter("a")
    assert statuses(groups.enter("b")) == DELAYED
    assert statuses(groups.enter("c")) == DELAYED
    assert groups.group().target_epoch == 2
    groups.advance(INTERVAL_MS)
    assert statuses(groups.beat("a", 2, actives([0, 1, 2, 3]))) == []
    assert groups.group().target_epoch == 4


def test_the_first_assignment_waits_for_more_members_where_the_group_is_set_to(groups) -> None:
    groups.configs["streams.initial.rebalance.delay.ms"] = "3000"
    first = groups.enter("a")
    assert (statuses(first), given(first), first.member_epoch) == (DELAYED, NOTHING, 1)
    assert statuses(groups.enter("b")) == DELAYED
    assert groups.group().state is GroupState.ASSIGNING
    groups.advance(3_000)
    assert statuses(groups.beat("a", 1)) == []
    groups.beat("b", 1)
    assert [len(member.tasks.active) for member in groups.group().members.values()] == [2, 2]


def test_who_joins_again_is_told_its_tasks_again(groups) -> None:
    groups.enter("a")
    again = groups.enter("a")
    assert (again.member_epoch, given(again)) == (2, actives([0, 1, 2, 3]))


def test_a_full_group_takes_nobody_new_but_whoever_is_in_it(groups) -> None:
    """Kafka refuses members of a full group that join again, too."""
    small = VirtualStreams(streams_size_max=1)
    small.topics.create("lines", 4)
    small.enter("a")
    assert small.enter("b").error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert small.enter("a").error_code == ErrorCode.NONE


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"instance_id": "i"}, "Static membership"),
        ({"task_offsets": [TaskOffset(subtopology_id="0", partition=0, offset=1)]}, "TaskOffsets"),
        ({"task_end_offsets": []}, "TaskEndOffsets"),
        ({"rack_id": " "}, "RackId"),
        ({"rebalance_timeout_ms": -1}, "RebalanceTimeoutMs"),
        ({"topology": None}, "Topology"),
        ({"topology": topology(subtopology("0", "lines", patterns=("l.*",)))}, "Regular expressions"),
        ({"group": ""}, "GroupId"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_asked_for_is_refused_with_a_sentence(groups, said, why) -> None:
    said = {"rebalance_timeout_ms": REBALANCE_MS, "topology": SIMPLE, **said}
    refused = groups.beat("a", 0, NOTHING, **said)
    assert refused.error_code == ErrorCode.INVALID_REQUEST
    assert why in refused.error_message
    assert groups.log == []


@pytest.mark.parametrize(
    ("member_id", "epoch", "owned", "said", "why"),
    [
        ("", 0, NOTHING, {}, "MemberId"),
        ("a", 0, actives([0]), {"topology": SIMPLE, "rebalance_timeout_ms": 1}, "ActiveTasks"),
        ("a", -2, None, {}, "InstanceId"),
        ("a", -3, None, {}, "MemberEpoch is -3"),
        ("a", 2, None, {"topology": SIMPLE}, "Topology can only"),
        ("a", 2, None, {"active_tasks": []}, "all must be non-null"),
        ("a", 2, None, {"warmup_tasks": [TaskIds(subtopology_id="0", partitions=[0])]}, "WarmupTasks"),
        ("a", 2, actives([4]), {}, "Task 4"),
        ("a", 2, Tasks(tasks(s7=[0])), {}, "Subtopology 7"),
    ],
)
def test_a_heartbeat_that_makes_no_sense_is_refused_with_a_sentence(groups, member_id, epoch, owned, said, why) -> None:
    groups.enter("a")
    refused = groups.beat(member_id, epoch, owned, **said)
    assert refused.error_code == ErrorCode.INVALID_REQUEST
    assert why in refused.error_message


def test_a_topology_that_cannot_be_is_refused(groups) -> None:
    loop = topology(subtopology("0", reads=(internal("x"),), writes=("x",)))
    assert groups.enter("a", loop).error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY
    assert groups.shard.list(frozenset(), frozenset()) == []


# -- epochs


def test_a_member_of_another_epoch_is_fenced(groups) -> None:
    groups.enter("a")
    assert groups.beat("a", 3).error_code == ErrorCode.FENCED_MEMBER_EPOCH
    assert groups.beat("a", 1).error_code == ErrorCode.FENCED_MEMBER_EPOCH


def test_a_member_that_did_not_hear_of_its_new_epoch_goes_on_from_the_one_before(groups) -> None:
    groups.enter("a")
    groups.advance(INTERVAL_MS)
    groups.enter("b")
    kept = given(groups.beat("a", 2, actives([0, 1, 2, 3])))
    assert groups.beat("a", 2, kept).member_epoch == 3
    assert groups.beat("a", 2, kept).member_epoch == 3
    assert groups.beat("a", 2, actives([0, 1, 2, 3])).error_code == ErrorCode.FENCED_MEMBER_EPOCH, "it owns too much"
    assert groups.beat("a", 2).error_code == ErrorCode.FENCED_MEMBER_EPOCH, "it does not say what it owns"


def test_who_was_never_here_is_not_known(groups) -> None:
    assert groups.beat("a", 1).error_code == ErrorCode.GROUP_ID_NOT_FOUND
    groups.enter("a")
    assert groups.beat("b", 1).error_code == ErrorCode.UNKNOWN_MEMBER_ID
    assert groups.beat("b", -1).error_code == ErrorCode.UNKNOWN_MEMBER_ID


# -- leaving


def test_the_tasks_of_who_leaves_go_to_the_others(groups) -> None:
    groups.enter("a")
    groups.advance(INTERVAL_MS)
    groups.enter("b")
    left = groups.beat("a", -1)
    assert (left.error_code, left.member_id, left.member_epoch, left.status) == (0, "a", -1, [])
    groups.advance(INTERVAL_MS)
    assert given(groups.beat("b", 3)) == actives([0, 1, 2, 3])


def test_a_member_that_is_silent_for_a_session_is_taken_out(groups) -> None:
    groups.enter("a")
    groups.advance(SESSION_MS - 1)
    groups.beat("a", 2)
    groups.advance(SESSION_MS - 1)
    assert groups.group().members
    groups.advance(1)
    assert groups.group().state is GroupState.EMPTY


def test_a_member_that_does_not_give_up_its_tasks_in_time_is_taken_out(groups) -> None:
    groups.enter("a", rebalance_timeout_ms=20_000)
    groups.advance(INTERVAL_MS)
    groups.enter("b")
    groups.beat("a", 2, actives([0, 1, 2, 3]))
    groups.advance(10_000)
    groups.beat("a", 2, actives([0, 1, 2, 3]))
    groups.advance(10_000)
    assert list(groups.group().members) == ["b"]
    assert given(groups.beat("b", 3)) == actives([0, 1, 2, 3])


def test_a_member_that_gave_up_its_tasks_may_take_its_time_with_others(groups) -> None:
    groups.enter("a", rebalance_timeout_ms=20_000)
    groups.advance(INTERVAL_MS)
    groups.enter("b")
    kept = given(groups.beat("a", 2, actives([0, 1, 2, 3])))
    groups.beat("a", 2, kept)
    groups.advance(30_000)
    assert set(groups.group().members) == {"a", "b"}


# -- topics


def test_missing_source_topics_are_waited_for(groups) -> None:
    joined = groups.enter("a", topology(subtopology("0", "words")))
    assert (joined.error_code, statuses(joined), given(joined)) == (0, [Status.MISSING_SOURCE_TOPICS], NOTHING)
    assert groups.group().state is GroupState.NOT_READY
    groups.topics.create("words", 2)
    groups.advance(INTERVAL_MS)
    assert given(groups.beat("a", joined.member_epoch)) == actives([0, 1])
    assert groups.group().state is GroupState.STABLE


def test_missing_internal_topics_are_asked_for_before_anything_happens(groups) -> None:
    assert groups.missing("a", WORDS) == {"by-word", "counts"}
    assert groups.shard.list(frozenset(), frozenset()) == []


def test_a_member_whose_internal_topics_could_not_be_made_is_told_why(groups) -> None:
    groups.creation_failures = "; Creation failed: counts (because)."
    joined = groups.enter("a", WORDS)
    (status,) = joined.status
    assert status.status_code == Status.MISSING_INTERNAL_TOPICS
    assert status.status_detail.startswith("Internal topics are missing: by-word, counts")
    assert "because" in status.status_detail
    assert given(joined) == NOTHING


def test_topics_that_do_not_fit_are_told_to_every_member(groups) -> None:
    groups.topics.create("counts", 3)
    assert statuses(groups.enter("a", WORDS)) == [Status.INCORRECTLY_PARTITIONED_TOPICS]
    assert statuses(groups.beat("a", 2)) == [Status.INCORRECTLY_PARTITIONED_TOPICS]


def test_partitions_that_are_added_are_tasks_that_are_added(groups) -> None:
    groups.enter("a")
    groups.topics.create("lines", 6)
    groups.advance(INTERVAL_MS)
    assert given(groups.beat("a", 2)) == actives([0, 1, 2, 3, 4, 5])
    assert groups.group().epoch == 3


def test_a_topic_that_is_not_read_moves_nothing(groups) -> None:
    groups.enter("a")
    groups.topics.create("other", 6)
    groups.advance(INTERVAL_MS)
    groups.beat("a", 2)
    assert groups.group().epoch == 2


def test_when_a_source_topic_goes_all_tasks_go(groups) -> None:
    groups.enter("a")
    groups.topics.delete("lines")
    groups.advance(INTERVAL_MS)
    told = groups.beat("a", 2, actives([0, 1, 2, 3]))
    assert (statuses(told), given(told)) == ([Status.MISSING_SOURCE_TOPICS], NOTHING)


# -- topologies


def test_another_topology_of_the_same_epoch_or_a_later_one_is_refused(groups) -> None:
    groups.topics.create("words", 1)
    groups.enter("a")
    other = topology(subtopology("0", "words"))
    later = topology(subtopology("0", "lines"), epoch=1)
    for each in (other, later):
        assert groups.enter("b", each).error_code == ErrorCode.INVALID_REQUEST


def test_a_member_with_an_older_topology_is_told_so_and_runs_the_groups(groups) -> None:
    groups.enter("a", topology(subtopology("0", "lines"), epoch=1))
    groups.advance(INTERVAL_MS)
    assert statuses(groups.enter("b", SIMPLE)) == [Status.STALE_TOPOLOGY]
    assert statuses(groups.beat("b", 3)) == [Status.STALE_TOPOLOGY]


def test_an_empty_group_keeps_its_topology(groups) -> None:
    """As in Kafka: an application whose topology has changed needs a new id, or its old group deleted."""
    groups.topics.create("words", 1)
    groups.enter("a")
    groups.beat("a", -1)
    assert groups.enter("a", topology(subtopology("0", "words"))).error_code == ErrorCode.INVALID_REQUEST


# -- standbys


def test_a_stateful_task_has_as_many_standbys_as_the_group_is_set_to(groups) -> None:
    groups.topics.create("counts", 4)
    groups.configs["streams.num.standby.replicas"] = "1"
    stateful = topology(subtopology("0", "lines", changelogs=(internal("counts"),)))
    groups.enter("a", stateful)
    groups.advance(INTERVAL_MS)
    at_once = given(groups.enter("b", stateful))
    kept = given(groups.beat("a", 2, actives([0, 1, 2, 3])))
    assert at_once == Tasks(standby=kept.active), "a copy may be made while another runs the task"
    assert kept.standby == frozenset(), "but not of what has yet to be given up"
    held = _settle(groups, ["a", "b"])
    assert (held["a"].active, held["a"].standby) == (held["b"].standby, held["b"].active)


def test_another_number_of_standbys_is_another_assignment(groups) -> None:
    groups.topics.create("counts", 4)
    stateful = topology(subtopology("0", "lines", changelogs=(internal("counts"),)))
    groups.configs["streams.assignment.interval.ms"] = "0"
    groups.enter("a", stateful)
    groups.enter("b", stateful)
    held = _settle(groups, ["a", "b"])
    assert held["a"].standby == frozenset()
    groups.configs["streams.num.standby.replicas"] = "1"
    held = _settle(groups, ["a", "b"])
    assert (held["a"].active, held["a"].standby) == (held["b"].standby, held["b"].active)


def _settle(groups: VirtualStreams, names: list[str]) -> dict[str, Tasks]:
    """The members do what they are told, until none is told anything new; what they have then."""
    members = groups.group().members
    held = {name: Tasks(frozenset(members[name].tasks.active), members[name].tasks.standby) for name in names}
    for _ in range(6):
        for name in names:
            response = groups.beat(name, groups.group().members[name].member_epoch, held[name])
            if response.active_tasks is not None:
                held[name] = given(response)
    assert groups.group().state is GroupState.STABLE
    return held


# -- interactive queries


def test_members_are_told_where_which_partitions_can_be_asked_for(groups) -> None:
    endpoint = Endpoint(host="here", port=7070)
    joined = groups.enter("a", user_endpoint=endpoint)
    (where,) = joined.partitions_by_user_endpoint
    assert (where.user_endpoint, [each.topic for each in where.active_partitions]) == (endpoint, ["lines"])
    assert where.active_partitions[0].partitions == [0, 1, 2, 3]
    assert where.standby_partitions == []
    epoch = joined.endpoint_information_epoch
    assert groups.beat("a", 2, endpoint_information_epoch=epoch).partitions_by_user_endpoint is None
    assert groups.beat("a", 2, endpoint_information_epoch=epoch - 1).partitions_by_user_endpoint is not None


def test_an_input_that_is_narrower_than_others_is_named_with_the_partitions_that_it_has(groups) -> None:
    groups.topics.create("narrow", 2)
    joined = groups.enter("a", topology(subtopology("0", "lines", "narrow")), user_endpoint=Endpoint(host="h", port=1))
    (where,) = joined.partitions_by_user_endpoint
    assert {each.topic: each.partitions for each in where.active_partitions} == {
        "lines": [0, 1, 2, 3],
        "narrow": [0, 1],
    }


# -- the end of an application


def test_when_one_member_asks_for_the_applications_end_all_are_told_until_all_have_gone(groups) -> None:
    groups.enter("a")
    groups.enter("b")
    groups.beat("a", -1, shutdown_application=True)
    told = groups.beat("b", 2)
    assert Status.SHUTDOWN_APPLICATION in statuses(told)
    groups.beat("b", -1)
    groups.advance(INTERVAL_MS)
    assert statuses(groups.enter("c")) == []


# -- beside other kinds


def test_a_consumer_group_with_members_does_not_become_a_streams_group(groups) -> None:
    groups.join(protocols={"range": subscription("lines")}, version=3)
    refused = groups.enter("a")
    assert (refused.error_code, refused.error_message) == (
        ErrorCode.GROUP_ID_NOT_FOUND,
        "Group g is not a streams group.",
    )


def test_an_id_under_which_offsets_were_committed_becomes_a_streams_group_and_keeps_them(groups) -> None:
    groups.commit({("lines", 0): 7})
    assert groups.enter("a").error_code == ErrorCode.NONE
    assert groups.committed() == {("lines", 0): 7}
    groups.restart()
    assert groups.group().members.keys() == {"a"}
    assert groups.committed() == {("lines", 0): 7}


def test_an_empty_streams_group_gives_way_to_a_classic_one(groups) -> None:
    groups.enter("a")
    token = groups.join(protocols={"range": subscription("lines")}, version=3)
    assert groups.answers[token].error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    groups.beat("a", -1)
    token = groups.join(protocols={"range": subscription("lines")}, version=3)
    assert groups.answers[token].error_code == ErrorCode.NONE
    assert [each.group_type for each in groups.shard.list(frozenset(), frozenset())] == ["classic"]


# -- the log


def test_a_restart_changes_nothing_that_members_see(groups) -> None:
    groups.enter("a", client_tags=[KeyValue(key="zone", value="1")], rack_id="r")
    groups.advance(INTERVAL_MS)
    groups.enter("b")
    groups.beat("a", 2, actives([0, 1, 2, 3]))
    before = groups.group()
    groups.restart()
    after = groups.group()
    assert after is not before
    assert (after.members, after.targets, after.topology) == (before.members, before.targets, before.topology)
    assert (after.epoch, after.target_epoch, after.state) == (before.epoch, before.target_epoch, before.state)
    groups.advance(REBALANCE_MS)
    assert groups.group().is_empty, "nobody was heard from since"


def test_what_the_log_refuses_has_not_happened(groups) -> None:
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert groups.enter("a").error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    groups.log_refuses_with = None
    assert given(groups.enter("a")) == actives([0, 1, 2, 3])


def test_a_deleted_group_leaves_nothing_behind(groups) -> None:
    groups.enter("a")
    groups.beat("a", -1)
    assert groups.delete() is ErrorCode.NONE
    assert list(groups.shard.live_records()) == []
    assert list(groups.replayed().live_records()) == []


def test_a_group_with_members_is_not_deleted(groups) -> None:
    groups.enter("a")
    assert groups.delete() is ErrorCode.NON_EMPTY_GROUP


# -- offsets


@pytest.mark.parametrize(
    ("member_id", "epoch", "version", "code"),
    [
        ("a", 3, 9, ErrorCode.NONE),
        ("a", 4, 9, ErrorCode.STALE_MEMBER_EPOCH),
        ("a", 3, 8, ErrorCode.UNSUPPORTED_VERSION),
        ("b", 3, 9, ErrorCode.UNKNOWN_MEMBER_ID),
        ("", -1, 9, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_members_commit_under_their_epoch(groups, member_id, epoch, version, code) -> None:
    _raise_the_epoch(groups)
    assert groups.commit_as(member_id, epoch, "lines", 0, version=version) is code


def test_a_commit_of_an_epoch_that_has_passed_counts_for_tasks_that_the_member_had_then(groups) -> None:
    """KIP-1251: what was read under the epoch before is still its own."""
    _raise_the_epoch(groups)
    groups.topics.create("other", 1)
    groups.topics.create("lines", 5)
    groups.advance(INTERVAL_MS)
    groups.beat("a", 3, actives([0, 1, 2, 3]))
    assert groups.commit_as("a", 3, "lines", 0) is ErrorCode.NONE
    assert groups.commit_as("a", 3, "lines", 4) is ErrorCode.STALE_MEMBER_EPOCH
    assert groups.commit_as("a", 3, "other", 0) is ErrorCode.STALE_MEMBER_EPOCH


def test_topics_that_are_read_keep_their_offsets(groups) -> None:
    groups.enter("a")
    group = groups.group()
    assert group.is_subscribed_to("lines")
    groups.beat("a", -1)
    assert not group.is_subscribed_to("lines")


def test_a_producer_that_names_nobody_may_commit_in_its_transaction(groups) -> None:
    groups.enter("a")
    assert groups.commit_as("", -1, "lines", 0, writer=Writer(1, 0)) is ErrorCode.NONE
    assert groups.commit_as("a", 2, "lines", 0, writer=Writer(1, 0)) is ErrorCode.NONE
    assert groups.commit_as("a", 9, "lines", 0, writer=Writer(1, 0)) is ErrorCode.ILLEGAL_GENERATION
    assert groups.commit_as("a", 1, "lines", 0, writer=Writer(1, 0)) is ErrorCode.ILLEGAL_GENERATION


def _raise_the_epoch(groups: VirtualStreams) -> None:
    """Member a is at epoch 3, and has all four tasks since epoch 2."""
    groups.enter("a")
    groups.advance(INTERVAL_MS)
    groups.beat("a", 2, rack_id="another")
