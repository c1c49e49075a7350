"""Consumer groups (KIP-848): what members are told, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drave.broker import patterns
from drave.broker.coordinator import modern
from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.classic.subscription import write_assignment
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.consumer.member import ConsumerMember
from drave.broker.coordinator.consumer.records import current_record
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, parse_key
from drave.model.errors import ErrorCode
from drave.schema import SchemaError, encoder
from drave.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from drave.wire.messages.k68_consumer_group_heartbeat import TopicPartitions
from tests.broker.coordinator.virtual_consumers import VirtualConsumers, VirtualMember, settle

SESSION_MS = 45_000


def all_of(topic: str, partitions: int) -> set[tuple[str, int]]:
    return {(topic, partition) for partition in range(partitions)}


@pytest.fixture
def groups() -> VirtualConsumers:
    return VirtualConsumers({"rides": 4, "trips": 2})


def pair(groups: VirtualConsumers) -> tuple[VirtualMember, VirtualMember]:
    """Two members that have settled."""
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    first.join()
    second.join()
    settle(first, second)
    return first, second


# -- coming


def test_the_first_member_is_given_everything_by_the_answer_to_its_join(groups: VirtualConsumers) -> None:
    member = groups.member("a", "rides")
    answer = member.join()
    assert (answer.error_code, answer.member_id, answer.member_epoch) == (0, "a", 2)
    assert member.reads == all_of("rides", 4)
    assert groups.described_consumers().group_state == "Stable"


def test_who_comes_second_is_given_what_the_first_has_said_it_gave_back(groups: VirtualConsumers) -> None:
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    first.join()
    second.join()
    assert (second.epoch, second.reads) == (3, set())
    first.beat()
    assert (first.epoch, len(first.reads)) == (2, 2), "asked to give back, and at its old epoch"
    assert second.beat().assignment is None, "nobody has said yet that they are given back"
    first.beat()
    second.beat()
    assert (first.epoch, second.epoch) == (3, 3)
    assert first.reads | second.reads == all_of("rides", 4)
    assert not first.reads & second.reads


def test_an_old_client_is_given_an_id(groups: VirtualConsumers) -> None:
    answer = groups.heartbeat_of(
        "", 0, version=0, rebalance_timeout_ms=1, subscribed_topic_names=["rides"], topic_partitions=[]
    )
    assert (answer.error_code, answer.member_id) == (0, f"fresh-{groups.now_ms}")


def test_members_that_come_together_share_an_assignment(groups: VirtualConsumers) -> None:
    """KIP-1263: within the interval the targets stay, however many come."""
    groups.configs["consumer.assignment.interval.ms"] = "1000"
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    first.join()
    second.join()
    assert groups.described_consumers().group_state == "Assigning"
    groups.advance(1000)
    second.beat()
    assert groups.described_consumers().group_state == "Reconciling"


def test_a_full_group_lets_in_nobody_but_who_is_in_already() -> None:
    groups = VirtualConsumers({"rides": 2}, consumer_size_max=1)
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    assert first.join().error_code == 0
    assert second.join().error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert first.join().error_code == 0


def test_members_are_to_be_heard_from_sooner_while_their_group_comes_together(groups: VirtualConsumers) -> None:
    """They learn by heartbeats alone that others have given something back."""
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    assert first.join().heartbeat_interval_ms == 500, "who joins is seldom the last"
    assert second.join().heartbeat_interval_ms == 500
    settle(first, second)
    groups.advance(3_000)
    assert first.beat().heartbeat_interval_ms == second.beat().heartbeat_interval_ms == 5_000
    third = groups.member("c", "rides")
    third.join()
    groups.advance(10_000)
    assert third.beat().heartbeat_interval_ms == 500, "the others have yet to give something back"


# -- staying


def test_nothing_is_written_for_a_heartbeat_that_changes_nothing(groups: VirtualConsumers) -> None:
    first, second = pair(groups)
    written = len(groups.log)
    first.beat()
    second.says_everything()
    assert len(groups.log) == written


def test_a_member_whose_last_answer_was_lost_may_come_with_the_epoch_before(groups: VirtualConsumers) -> None:
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    first.join()
    second.join()
    first.beat()
    first.beat()
    first.epoch = 2
    assert first.beat().error_code == 0
    first.epoch = 2
    assert first.silent_beat().error_code == ErrorCode.FENCED_MEMBER_EPOCH, "nobody knows what it has"
    first.epoch = 9
    assert first.beat().error_code == ErrorCode.FENCED_MEMBER_EPOCH


def test_who_does_not_give_back_in_time_is_put_out(groups: VirtualConsumers) -> None:
    first, second = groups.member("a", "rides", timeout_ms=30_000), groups.member("b", "rides")
    first.join()
    second.join()
    first.beat()
    for _ in range(3):
        groups.advance(9_999)
        first.silent_beat()
        second.beat()
    groups.advance(10)
    assert first.beat().error_code == ErrorCode.UNKNOWN_MEMBER_ID
    second.beat()
    assert second.reads == all_of("rides", 4)


def test_who_is_not_heard_from_is_missed(groups: VirtualConsumers) -> None:
    first, second = pair(groups)
    groups.advance(SESSION_MS - 1)
    second.beat()
    groups.advance(1)
    assert first.beat().error_code == ErrorCode.UNKNOWN_MEMBER_ID
    second.beat()
    assert second.reads == all_of("rides", 4)


def test_the_configs_of_the_group_say_how_long_a_member_may_be_silent(groups: VirtualConsumers) -> None:
    groups.configs |= {"consumer.session.timeout.ms": "60000", "consumer.heartbeat.interval.ms": "6000"}
    member = groups.member("a", "rides")
    member.join()
    groups.advance(3_000)
    assert member.beat().heartbeat_interval_ms == 6000
    groups.advance(59_999)
    assert member.beat().error_code == 0
    groups.advance(60_000)
    assert member.beat().error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_a_partition_of_a_member_that_leaves_before_it_has_given_it_back_is_free_at_once(
    groups: VirtualConsumers,
) -> None:
    first, second = groups.member("a", "rides"), groups.member("b", "rides")
    first.join()
    second.join()
    first.leave()
    second.beat()
    assert second.reads == all_of("rides", 4)


# -- topics


def test_a_topic_that_comes_grows_and_goes_is_noticed_by_the_next_heartbeat(groups: VirtualConsumers) -> None:
    member = groups.member("a", "late")
    member.join()
    assert member.reads == set()
    groups.topics.create("late", 1)
    member.beat()
    assert member.reads == all_of("late", 1)
    groups.topics.create("late", 3)
    member.beat()
    assert member.reads == all_of("late", 3)
    groups.topics.delete("late")
    member.beat()
    assert member.reads == set()
    groups.topics.create("late", 2)
    settle(member)
    assert member.reads == all_of("late", 2), "another topic of the same name"


def test_another_topic_is_nobodys_business(groups: VirtualConsumers) -> None:
    first, _ = pair(groups)
    written = len(groups.log)
    groups.topics.create("other", 5)
    first.beat()
    assert len(groups.log) == written


def test_a_member_that_changes_its_mind_gives_back_what_it_no_longer_wants(groups: VirtualConsumers) -> None:
    member = groups.member("a", "rides")
    member.join()
    answer = member.subscribe("trips")
    assert answer.assignment is not None
    assert member.reads == set(), "first it has to give back"
    settle(member)
    assert member.reads == all_of("trips", 2)


def test_a_regular_expression_finds_topics_that_come_later(groups: VirtualConsumers) -> None:
    member = groups.member("a", regex="(rid|trip).*s")
    member.join()
    assert member.reads == all_of("rides", 4) | all_of("trips", 2)
    groups.topics.create("ridings", 1)
    member.beat()
    assert ("ridings", 0) in member.reads
    groups.restart()
    assert groups.group_of().patterns["(rid|trip).*s"].topics == {"rides", "trips", "ridings"}
    member.subscribe("rides", regex="")
    assert groups.group_of().patterns == {}


def test_a_regular_expression_that_is_none_is_refused_and_nobody_has_joined(groups: VirtualConsumers) -> None:
    assert groups.member("a", regex="(a").join().error_code == ErrorCode.INVALID_REGULAR_EXPRESSION
    assert groups.log == []
    assert groups.described_consumers().error_code == ErrorCode.GROUP_ID_NOT_FOUND


def test_a_member_subscribes_to_a_bounded_number_of_names(
    groups: VirtualConsumers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modern, "TOPICS_SUBSCRIBED_MAX", 2)
    assert groups.member("a", "x", "y").join().error_code == ErrorCode.NONE
    refused = groups.member("b", "x", "y", "z").join()
    assert refused.error_code == ErrorCode.INVALID_REQUEST
    assert refused.error_message is not None
    assert "2 topics by name, and this one names 3" in refused.error_message


def test_more_patterns_than_can_be_looked_through_in_a_moment_are_refused(groups: VirtualConsumers) -> None:
    for number in range(60):
        groups.topics.create(f"{number:0>200}", 1)
    assert groups.member("a", regex="(?:[a-m]?[c-z]?){900}").join().error_code == ErrorCode.NONE
    refused = groups.member("b", regex="(?:[c-m]?[c-z]?){1000}(?:[a-y]?[c-z]?){1000}").join()
    assert refused.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION
    assert refused.error_message is not None
    assert "together with 1 others, for" in refused.error_message
    assert groups.member("b", regex="rid.*").join().error_code == ErrorCode.NONE


def test_a_pattern_in_the_log_that_is_too_large_here_keeps_the_topics_it_was_written_with(
    groups: VirtualConsumers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another broker's bounds may have let it in, and neither its members nor a timer may fail by it."""
    member = groups.member("a", regex="(rid|trip).*s")
    member.join()
    monkeypatch.setattr(patterns, "LENGTH_MAX", 1)
    groups.topics.create("ridings", 1)
    assert member.beat().error_code == ErrorCode.NONE
    assert member.reads == all_of("rides", 4) | all_of("trips", 2)


# -- static members


def test_a_static_member_that_comes_back_has_its_partitions_and_nobody_else_is_asked(
    groups: VirtualConsumers,
) -> None:
    first = groups.member("a", "rides", instance_id="i")
    second = groups.member("b", "rides")
    first.join()
    second.join()
    settle(first, second)
    had, epoch = first.reads, second.epoch
    assert first.leave(-2).error_code == 0
    settle(second)
    assert not had & second.reads
    again = groups.member("c", "rides", instance_id="i")
    again.join()
    assert again.reads == had
    second.beat()
    assert second.epoch == epoch
    assert first.beat().error_code == ErrorCode.FENCED_INSTANCE_ID


def test_an_instance_id_that_is_in_use_is_not_given_away(groups: VirtualConsumers) -> None:
    groups.member("a", "rides", instance_id="i").join()
    assert groups.member("b", "rides", instance_id="i").join().error_code == ErrorCode.UNRELEASED_INSTANCE_ID


def test_a_static_member_that_stays_away_is_missed_after_its_session(groups: VirtualConsumers) -> None:
    first, second = groups.member("a", "rides", instance_id="i"), groups.member("b", "rides")
    first.join()
    second.join()
    settle(first, second)
    first.leave(-2)
    groups.advance(SESSION_MS - 1)
    second.beat()
    groups.advance(1)
    settle(second)
    assert second.reads == all_of("rides", 4)


# -- what is durable


def test_a_restart_changes_nothing_and_gives_everybody_a_whole_session(groups: VirtualConsumers) -> None:
    first, second = groups.member("a", "rides"), groups.member("b", "rides", "trips")
    first.join()
    second.join()
    first.beat()
    before = groups.described_consumers()
    groups.restart()
    assert groups.described_consumers() == before
    groups.advance(SESSION_MS - 1)
    settle(first, second)
    assert first.reads | second.reads == all_of("rides", 4) | all_of("trips", 2)


def test_what_is_rewritten_is_what_was_there(groups: VirtualConsumers) -> None:
    first, second = groups.member("a", "rides"), groups.member("b", regex="trips")
    first.join()
    second.join()
    first.beat()
    before = groups.described_consumers()
    groups.log = list(groups.shard.live_records())
    groups.restart()
    assert groups.described_consumers() == before


def test_what_the_log_refuses_has_not_happened(groups: VirtualConsumers) -> None:
    first, second = pair(groups)
    before = groups.described_consumers()
    groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    third = groups.member("c", "rides")
    assert third.join().error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert groups.described_consumers() == before
    groups.log_refuses_with = None
    third.join()
    settle(first, second, third)
    assert first.reads | second.reads | third.reads == all_of("rides", 4)


def test_an_empty_group_without_offsets_is_forgotten(groups: VirtualConsumers) -> None:
    member = groups.member("a", "rides")
    member.join()
    member.leave()
    assert groups.described_consumers().group_state == "Empty"
    groups.carry_out(groups.shard.expire(groups.now_ms))
    assert groups.described_consumers().error_code == ErrorCode.GROUP_ID_NOT_FOUND
    groups.restart()
    assert list(groups.shard.live_records()) == []


def test_a_log_of_before_assignment_epochs_is_read(groups: VirtualConsumers) -> None:
    """KIP-1251: what does not say when it was given counts as given at the member's epoch."""
    member = groups.member("a", "rides")
    member.join()
    group: ConsumerGroup = groups.group_of()
    value = group.members["a"].current()
    value.assigned_partitions[0].assignment_epochs = None
    read = group.members["a"].with_current(value)
    assert read.assigned == group.members["a"].assigned


def test_a_heartbeat_may_not_say_that_it_has_what_it_was_never_given(groups: VirtualConsumers) -> None:
    first, second = pair(groups)
    theirs = [TopicPartitions(topic_id=topic, partitions=sorted(each)) for topic, each in second.has.items()]
    answer = groups.heartbeat_of("a", first.epoch - 1, topic_partitions=theirs)
    assert answer.error_code == ErrorCode.FENCED_MEMBER_EPOCH


def test_a_log_that_gives_a_partition_to_two_is_read_and_one_of_them_has_it(groups: VirtualConsumers) -> None:
    """It cannot be ours; but a log of Kafka's that was damaged must not take all other groups along."""
    first, second = pair(groups)
    group = groups.group_of()
    with pytest.raises(SchemaError, match="belongs to 'a' and to 'b'"):
        group.replay(*_current(replace(group.members["b"], assigned=group.members["a"].assigned)))
    assert groups.named({topic: set(each) for topic, each in group.members["b"].assigned.items()}) == second.reads
    assert first.reads | second.reads == all_of("rides", 4)


def test_a_classic_group_whose_leader_gave_a_partition_to_two_stays_what_it_is(groups: VirtualConsumers) -> None:
    """Its assignor may; a consumer group cannot."""
    wants = ConsumerProtocolSubscription(topics=["rides"], owned_partitions=[])
    joining = {"protocols": {"everybody": b"\0\1" + b"".join(encoder(ConsumerProtocolSubscription, 1)(wants))}}
    both = groups.stable_group(2, **joining)
    everything = write_assignment({"rides": range(4)}, b"\0\1")
    for answer in both:
        group = groups.shard._table.groups["g"]
        assert isinstance(group, ClassicGroup)
        next(each for each in group.members if each.member_id == answer.member_id).assignment = everything
    refused = groups.member("new", "rides").join()
    assert refused.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert "belongs to" in (refused.error_message or "")
    assert isinstance(groups.shard._table.groups["g"], ClassicGroup)


def _current(member: ConsumerMember) -> tuple[GroupKey, bytes]:
    key, value = current_record("g", member)
    named = parse_key(key)
    assert isinstance(named, GroupKey)
    return named, value
