"""A share group under anything that members, administrators, topics, restarts and the log can do to it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual_shares import VirtualShares

MEMBERS = st.sampled_from("abcd")
TOPICS = st.sampled_from(["t", "u"])
SUBSCRIPTIONS = st.sets(TOPICS, min_size=1).map(sorted)

HEARTBEATS_TO_SETTLE = 3
"""A topic may have to get its state, and then an assignment its second."""


class ShareGroupMachine(RuleBasedStateMachine):
    """Members know what they were told; whatever happens, that stays good enough to go on with."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = VirtualShares()
        self.shares.topics.create("t", 2)
        self.epochs: dict[str, int] = {}
        self.asked: dict[int, str] = {}
        self.group_epoch = 0

    def hear(self) -> None:
        """Members read what was answered since."""
        for token in [token for token in self.asked if token in self.shares.answers]:
            member, response = self.asked.pop(token), self.shares.answers[token]
            if response.error_code == ErrorCode.NONE:
                assert response.member_epoch > 0
                self.epochs[member] = response.member_epoch
            elif response.error_code != ErrorCode.COORDINATOR_NOT_AVAILABLE:
                self.epochs.pop(member, None)

    def ask(self, member: str, epoch: int, topics: list[str] | None) -> None:
        self.asked[self.shares.ask(member, epoch, topics)] = member
        self.hear()

    @rule(member=MEMBERS, topics=SUBSCRIPTIONS)
    def join(self, member: str, topics: list[str]) -> None:
        self.ask(member, 0, topics)

    @rule(member=MEMBERS, topics=st.none() | SUBSCRIPTIONS)
    def beat(self, member: str, topics: list[str] | None) -> None:
        if member in self.epochs:
            self.ask(member, self.epochs[member], topics)

    @rule(member=MEMBERS)
    def leave(self, member: str) -> None:
        self.shares.ask(member, -1)
        self.epochs.pop(member, None)

    @rule(ms=st.sampled_from([1, 500, 1_000, 20_000, 50_000]))
    def wait(self, ms: int) -> None:
        self.shares.advance(ms)
        self.hear()

    @rule(name=TOPICS, partitions=st.integers(1, 5))
    def create_topic(self, name: str, partitions: int) -> None:
        known = self.shares.topics.topic(name)
        self.shares.topics.create(name, max(partitions, 0 if known is None else known.partitions))

    @rule(name=TOPICS)
    def delete_topic(self, name: str) -> None:
        if self.shares.topics.topic(name) is not None:
            self.shares.delete_topic(name)

    @rule(refused=st.booleans())
    def the_log(self, refused: bool) -> None:
        self.shares.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE if refused else None

    @rule(refused=st.booleans())
    def the_state(self, refused: bool) -> None:
        self.shares.state_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE if refused else ErrorCode.NONE

    @rule(name=TOPICS, start=st.integers(0, 9))
    def alter(self, name: str, start: int) -> None:
        self.shares.alter((name, 0, start))

    @rule(name=TOPICS)
    def delete_offsets(self, name: str) -> None:
        self.shares.delete_share_offsets(name)

    @rule()
    def delete_group(self) -> None:
        self.shares.delete("s")

    @rule()
    def restart(self) -> None:
        self.asked.clear()
        self.shares.restart()

    @precondition(lambda self: self.shares.log_refuses_with is None)
    @rule()
    def settle(self) -> None:
        """Left alone, all come to read all that they want, and stay there."""
        shares = self.shares
        shares.state_refuses_with = ErrorCode.NONE
        for _ in range(HEARTBEATS_TO_SETTLE):
            shares.advance(1_000)
            for member in list(self.epochs):
                self.ask(member, self.epochs[member], None)
        if shares.shard.shares.describe("s") is None:
            return
        group = shares.group()
        read = {
            (topic.topic_name, index)
            for member in group.members
            if member.member_id in self.epochs
            for topic in member.assignment.topic_partitions
            for index in topic.partitions
        }
        heard = [member for member in group.members if member.member_id in self.epochs]
        if len(heard) == len(group.members):
            wanted = {name for member in heard for name in member.subscribed_topic_names}
            there = [topic for name in wanted if (topic := shares.topics.topic(name)) is not None]
            assert read == {(topic.name, index) for topic in there for index in range(topic.partitions)}
            assert all(member.member_epoch == group.group_epoch for member in heard)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        assert set(self.asked) <= self.shares.parked
        assert not self.shares.parked

    @invariant()
    def what_is_read_has_a_state_and_was_asked_for(self) -> None:
        shares = self.shares
        if (group := shares.shard.shares.describe("s")) is None:
            return
        for member in group.members:
            for topic in member.assignment.topic_partitions:
                assert topic.topic_name in member.subscribed_topic_names
        for partition in shares.shard.shares.initialized_partitions("s"):
            if shares.log_refuses_with is None and shares.topics.topic_by_id(partition.topic_id) is not None:
                assert ("s", partition) in shares.starts

    @invariant()
    def a_restart_would_find_the_same(self) -> None:
        live = sorted(self.shares.shard.live_records())
        assert sorted(self.shares.replayed().live_records()) == live


def test_a_share_group_comes_through_anything() -> None:
    run_state_machine_as_test(ShareGroupMachine, settings=settings(max_examples=120, stateful_step_count=40))
