"""Consumer groups under whatever order of things: members come, go, fall silent and lose answers, topics come and go,
the coordinator restarts and its log refuses. A partition is never two members', and whoever stays is led to the target.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drave.broker.coordinator.classic.subscription import read_assignment, write_assignment
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.model.errors import ErrorCode
from drave.schema import encoder
from drave.wire.messages.consumer_protocol import ConsumerProtocolSubscription, TopicPartition
from tests.broker.coordinator.virtual_consumers import Place, VirtualConsumers, VirtualMember

TOPICS = ("rides", "trips", "late")
FENCED = (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID)
ROUNDS_MAX = 8
"""A round to say what is wanted, one to give back, one to say so, one to get it; and as many for another target."""

slots = st.integers(0, 4)
some_topics = st.lists(st.sampled_from(TOPICS), min_size=1, max_size=2, unique=True)


class ClassicClient:
    """A member of the classic protocol, cooperative, in whatever kind of group it finds."""

    def __init__(self, groups: VirtualConsumers, topics: list[str]) -> None:
        self.groups, self.topics = groups, topics
        self.member_id, self.generation = "", -1
        self.reads: set[Place] = set()

    def metadata(self) -> bytes:
        owned: dict[str, list[int]] = {}
        for topic, partition in sorted(self.reads):
            owned.setdefault(topic, []).append(partition)
        message = ConsumerProtocolSubscription(
            topics=self.topics,
            owned_partitions=[TopicPartition(topic=name, partitions=each) for name, each in owned.items()],
        )
        return b"\0\1" + b"".join(encoder(ConsumerProtocolSubscription, 1)(message))

    def join(self) -> None:
        for _ in range(2):
            token = self.groups.join(self.member_id, protocols={"range": self.metadata()})
            answer = self.groups.answers.get(token)
            if answer is None or not answer.error_code:
                break
            self.member_id = answer.member_id if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED else ""
        if answer is None or answer.error_code:
            self.reads = set()
            return
        self.member_id, self.generation = answer.member_id, answer.generation_id
        self.sync(leads=bool(answer.members))

    def sync(self, *, leads: bool) -> None:
        everything = {
            topic: range(found.partitions)
            for topic in self.topics
            if (found := self.groups.topics.topic(topic)) is not None
        }
        given = {self.member_id: write_assignment(everything, b"\0\1")} if leads else None
        answer = self.groups.answers.get(self.groups.sync(self.member_id, self.generation, given))
        self.reads = set()
        if answer is not None and not answer.error_code:
            places = read_assignment(answer.assignment).assigned_partitions
            self.reads = {(each.topic, partition) for each in places for partition in each.partitions}

    def beat(self) -> None:
        code = self.groups.heartbeat(self.member_id, self.generation)
        if code == ErrorCode.REBALANCE_IN_PROGRESS:
            self.join()
        elif code:
            self.member_id, self.reads = "", set()


@settings(max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
class ConsumerGroups(RuleBasedStateMachine):
    groups: VirtualConsumers
    members: dict[int, VirtualMember]
    guest: ClassicClient | None
    born: int

    @initialize(interval_ms=st.sampled_from(["0", "1000"]))
    def begin(self, interval_ms: str) -> None:
        self.groups = VirtualConsumers({"rides": 5, "trips": 2})
        self.groups.configs["consumer.assignment.interval.ms"] = interval_ms
        self.members, self.guest, self.born = {}, None, 0

    # -- members

    @rule(slot=slots, topics=some_topics, regex=st.sampled_from([None, None, "(rid|tri).*", "la.*"]))
    def a_member_comes(self, slot: int, topics: list[str], regex: str | None) -> None:
        if slot in self.members:
            return
        self.born += 1
        instance_id = f"i{slot}" if slot < 2 else None
        member = self.groups.member(f"m{self.born}", *topics, regex=regex, instance_id=instance_id)
        answer = member.join()
        if answer.error_code == ErrorCode.UNRELEASED_INSTANCE_ID:
            return
        assert answer.error_code in (0, ErrorCode.COORDINATOR_NOT_AVAILABLE)
        self.members[slot] = member

    @rule(slot=slots)
    def a_member_says_what_it_has(self, slot: int) -> None:
        if slot in self.members:
            self._obey(self.members[slot], self._beat(self.members[slot]))

    @rule(slot=slots)
    def a_member_says_nothing_new(self, slot: int) -> None:
        if slot in self.members and self.members[slot].epoch:
            self._obey(self.members[slot], self.members[slot].silent_beat())

    @rule(slot=slots)
    def an_answer_is_lost(self, slot: int) -> None:
        if slot in self.members and self.members[slot].epoch:
            member = self.members[slot]
            before = member.epoch, member.has
            member.beat()
            member.epoch, member.has = before
            self._obey(member, member.says_everything())

    @rule(slot=slots, topics=some_topics)
    def a_member_changes_its_mind(self, slot: int, topics: list[str]) -> None:
        if slot in self.members and self.members[slot].epoch:
            self._obey(self.members[slot], self.members[slot].subscribe(*topics))

    @rule(slot=slots, for_good=st.booleans())
    def a_member_goes(self, slot: int, for_good: bool) -> None:
        member = self.members.pop(slot, None)
        if member is not None:
            member.leave(-1 if for_good or member.instance_id is None else -2)

    @rule(slot=slots)
    def a_member_dies(self, slot: int) -> None:
        self.members.pop(slot, None)

    @rule(topics=some_topics)
    def a_classic_member_comes(self, topics: list[str]) -> None:
        if self.guest is None:
            self.guest = ClassicClient(self.groups, topics)
        self.guest.join()

    @precondition(lambda self: getattr(self, "guest", None) is not None)
    @rule()
    def the_classic_member_beats(self) -> None:
        assert self.guest is not None
        self.guest.beat()

    @precondition(lambda self: getattr(self, "guest", None) is not None)
    @rule()
    def the_classic_member_goes(self) -> None:
        assert self.guest is not None
        self.groups.leave(self.guest.member_id)
        self.guest = None

    def _beat(self, member: VirtualMember) -> Any:
        return member.beat() if member.epoch else member.join()

    def _obey(self, member: VirtualMember, answer: Any) -> None:
        if answer.error_code in FENCED or answer.error_code == ErrorCode.GROUP_ID_NOT_FOUND:
            member.has = {}
            member.join()
        else:
            assert answer.error_code in (0, ErrorCode.COORDINATOR_NOT_AVAILABLE), answer

    # -- the world

    @rule(ms=st.sampled_from([100, 5_000, 30_000, 46_000]))
    def time_passes(self, ms: int) -> None:
        self.groups.advance(ms)

    @rule(name=st.sampled_from(TOPICS), more=st.integers(1, 2))
    def a_topic_comes_or_grows(self, name: str, more: int) -> None:
        known = self.groups.topics.topic(name)
        if known is None or known.partitions < 8:
            self.groups.topics.create(name, more if known is None else known.partitions + more)

    @rule(name=st.sampled_from(TOPICS))
    def a_topic_goes(self, name: str) -> None:
        if self.groups.topics.topic(name) is not None:
            self.groups.topics.delete(name)

    @rule()
    def the_coordinator_restarts(self) -> None:
        self.groups.log_refuses_with = None
        self.groups.restart()

    @rule()
    def the_log_is_rewritten(self) -> None:
        self.groups.log = list(self.groups.shard.live_records())

    @rule(refuses=st.booleans())
    def the_log_refuses(self, refuses: bool) -> None:
        self.groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE if refuses else None

    # -- what holds

    @invariant()
    def a_partition_is_one_members(self) -> None:
        """Nobody reads what the group does not count as its own; and that is one member's by construction."""
        group = self._group()
        if group is None:
            return
        seen: dict[Any, str] = {}
        for member in group.members.values():
            for place in member.owned():
                assert seen.setdefault(place, member.member_id) == member.member_id
        for client in self.members.values():
            known = group.members.get(client.member_id)
            if known is not None and known.member_epoch > 0:
                has = {(topic, partition) for topic, each in client.has.items() for partition in each}
                assert has <= set(known.owned()), f"{client.member_id} reads what is not its own"

    @invariant()
    def replay_gives_the_live_state(self) -> None:
        if hasattr(self, "groups"):
            live = sorted(self.groups.shard.live_records())
            assert live == sorted(self.groups.replayed().live_records())

    def _group(self) -> ConsumerGroup | None:
        groups = getattr(self, "groups", None)
        found = None if groups is None else groups.shard._table.groups.get("g")
        return found if isinstance(found, ConsumerGroup) else None

    def teardown(self) -> None:
        """Whoever is left, and does what it is told, has the target after a few heartbeats."""
        if self._group() is None or not self.members:
            return
        self.groups.log_refuses_with = None
        if self.guest is not None:
            self.the_classic_member_goes()
        for member in self.members.values():
            self._obey(member, member.says_everything())
        for _ in range(ROUNDS_MAX):
            self.groups.advance(15_000)  # who died is missed meanwhile
            for member in self.members.values():
                self._obey(member, self._beat(member))
        group = self._group()
        assert group is not None
        assert group.state == "Stable", group.state
        self.a_partition_is_one_members()


TestConsumerGroups = ConsumerGroups.TestCase
