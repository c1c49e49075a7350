"""Consumer groups (KIP-848): heartbeats, static members, subscriptions, offsets, and what tools see of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from differential.calls import (
    NOTHING,
    assignment,
    commit,
    committed,
    creatable,
    create_topics,
    delete_topics,
    join,
    subscription,
    sync,
)
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.wire.api import ApiKey
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity
from drave.wire.messages.k14_sync_group import SyncGroupRequest
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from drave.wire.messages.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest

HEARTBEAT = ApiKey.CONSUMER_GROUP_HEARTBEAT
DESCRIBE = ApiKey.CONSUMER_GROUP_DESCRIBE
COMMIT = ApiKey.OFFSET_COMMIT
FETCH = ApiKey.OFFSET_FETCH
LEAVE, AWAY = -1, -2


@dataclass
class Member:
    """A member that does what it is told."""

    stage: Stage
    group: str
    id: str
    instance_id: str | None = None
    version: int = 1
    epoch: int = 0
    has: dict[Any, list[int]] = field(default_factory=dict)

    def join(self, *topics: Topic | str, **more: Any) -> Any:
        self.epoch, self.has = 0, {}
        names = [topic if isinstance(topic, str) else topic.name for topic in topics]
        given: dict[str, Any] = {
            "rebalance_timeout_ms": 60_000,
            "subscribed_topic_names": names,
            "topic_partitions": [],
        }
        return self.send(**given | more)

    def beat(self, **more: Any) -> Any:
        """Say what it has, and do what the answer says."""
        return self.send(topic_partitions=self.owned(), **more)

    def send(self, epoch: int | None = None, **more: Any) -> Any:
        answer = self.stage.ask(self.request(epoch, **more), self.version)
        if answer is not None and not answer.error_code:
            self._obey(answer)
        return answer

    def request(self, epoch: int | None = None, **more: Any) -> ConsumerGroupHeartbeatRequest:
        return ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self.id,
            member_epoch=self.epoch if epoch is None else epoch,
            instance_id=self.instance_id,
            **more,
        )

    def owned(self) -> list[TopicPartitions]:
        return [TopicPartitions(topic_id=topic, partitions=each) for topic, each in self.has.items()]

    def _obey(self, answer: ConsumerGroupHeartbeatResponse) -> None:
        self.id, self.epoch = answer.member_id or self.id, answer.member_epoch
        if answer.assignment is not None:
            self.has = {each.topic_id: each.partitions for each in answer.assignment.topic_partitions}


def _describe(stage: Stage, group: str, version: int = 1) -> None:
    stage.ask(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False), version)


def _members(stage: Stage, group: str, *words: str) -> list[Member]:
    return [Member(stage, group, word) for word in words]


# -- heartbeats


@scenario(HEARTBEAT)
def a_member_comes_and_goes(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=3), stage.group()
    member = Member(stage, group, "a" if version else "", version=version)
    member.join(topic)
    member.send()
    member.beat()
    member.beat(rebalance_timeout_ms=60_000, subscribed_topic_names=[topic.name])
    _describe(stage, group)
    member.send(LEAVE)
    _describe(stage, group)
    member.send(epoch=4)


@scenario()
def a_second_member_waits_for_what_the_first_gives_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=4), stage.group()
    first, second = _members(stage, group, "a", "b")
    first.join(topic)
    second.join(topic)
    _describe(stage, group)
    second.beat()
    first.send()
    first.send()
    _describe(stage, group)
    first.beat()
    second.beat()
    _describe(stage, group)
    second.send(LEAVE)
    first.beat()
    _describe(stage, group)


@scenario(
    what=(
        {"member_id": ""},
        {"group_id": ""},
        {"instance_id": ""},
        {"rack_id": ""},
        {"rebalance_timeout_ms": -1},
        {"topic_partitions": None},
        {"topic_partitions": [TopicPartitions(topic_id=bytes(15) + b"\1", partitions=[0])]},
        {"subscribed_topic_names": None},
        {"subscribed_topic_names": []},
        {"server_assignor": "random"},
        {"server_assignor": "range"},
        {"member_epoch": -2},
        {"member_epoch": -3},
        {"member_epoch": -1},
        {"member_epoch": 1},
        {"member_epoch": -2, "instance_id": "i"},
        {"member_epoch": 1, "instance_id": "i"},
        {"subscribed_topic_regex": "(a"},
        {"subscribed_topic_regex": ""},
        {"subscribed_topic_regex": "(?=a)a"},
        {"subscribed_topic_regex": r"(a)\1"},
        {"subscribed_topic_regex": r"a\Z"},
        {"subscribed_topic_regex": "a**"},
        {"subscribed_topic_regex": "a{1001}"},
        {"subscribed_topic_regex": r"\p{Nothing}"},
    )
)
def an_odd_first_heartbeat(stage: Stage, what: dict[str, Any]) -> None:
    topic, group = stage.topic(), stage.group()
    request = Member(stage, group, "a").request(
        rebalance_timeout_ms=1000, subscribed_topic_names=[topic.name], topic_partitions=[]
    )
    for name, value in what.items():
        setattr(request, name, value)
    stage.ask(request, 1)
    _describe(stage, group)


@scenario()
def an_odd_first_heartbeat_of_the_oldest_version(stage: Stage) -> None:
    stage.ask(Member(stage, stage.group(), "").request(1), 0)
    stage.ask(Member(stage, stage.group(), "").request(-1), 0)
    stage.ask(Member(stage, stage.group(), "").request(0), 0)


@scenario()
def epochs_that_are_not_the_members(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    first, second = _members(stage, group, "a", "b")
    first.join(topic)
    first.send(epoch=2)
    first.send(epoch=-7)
    second.join(topic)
    first.send()
    before, has = first.epoch, dict(first.has)
    first.beat()
    now = first.epoch
    first.send(epoch=before, topic_partitions=[])
    first.send(epoch=before, topic_partitions=None)
    first.has = {topic.id: [0, 1]}
    first.send(epoch=before, topic_partitions=first.owned())
    first.has = has
    first.send(epoch=before - 1, topic_partitions=[])
    first.epoch = now
    first.join(topic)
    _describe(stage, group)


@scenario()
def a_lost_answer_is_asked_for_again(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    first, second = _members(stage, group, "a", "b")
    first.join(topic)
    second.join(topic)
    first.send()
    first.beat()
    second.beat()
    second.send(epoch=0, rebalance_timeout_ms=60_000, subscribed_topic_names=[topic.name], topic_partitions=[])
    first.beat(rebalance_timeout_ms=60_000, subscribed_topic_names=[topic.name])


@scenario()
def a_member_that_keeps_what_it_should_give_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    first, second = _members(stage, group, "a", "b")
    first.join(topic)
    second.join(topic)
    first.send()
    first.has = {topic.id: [0, 1]}
    first.beat()
    second.beat()
    first.has = {topic.id: [0]}
    first.beat()
    second.beat()
    _describe(stage, group)


@scenario()
def one_leaves_while_the_other_gives_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    first, second = _members(stage, group, "a", "b")
    first.join(topic)
    second.join(topic)
    first.send()
    second.send(LEAVE)
    first.beat()
    first.beat()
    _describe(stage, group)


# -- assignors


@scenario(members=(2, 3, 5))
def two_topics_are_shared_out_by_range(stage: Stage, members: int) -> None:
    first, second, group = stage.topic("a", partitions=4), stage.topic("b", partitions=3), stage.group()
    for member in _members(stage, group, *"abcde"[:members]):
        member.join(first, second, server_assignor="range")
    _describe(stage, group)


@scenario(partitions=(1, 4, 7, 12))
def a_topic_is_shared_out_as_members_come_and_go(stage: Stage, partitions: int) -> None:
    topic, group = stage.topic(partitions=partitions), stage.group()
    members = _members(stage, group, *"abcde")
    for member in members:
        member.join(topic)
        _describe(stage, group)
    for member in (members[1], members[3], members[0]):
        member.send(LEAVE)
        members[4].beat()
        _describe(stage, group)


@scenario(members=(2, 3, 5))
def two_topics_are_shared_out_evenly(stage: Stage, members: int) -> None:
    """Which topic's partitions come first is by chance in Kafka; how many everybody has is not."""
    first, second, group = stage.topic("a", partitions=4), stage.topic("b", partitions=3), stage.group()
    for member in _members(stage, group, *"abcde"[:members]):
        stage.quietly(
            member.request(
                rebalance_timeout_ms=60_000, subscribed_topic_names=[first.name, second.name], topic_partitions=[]
            )
        )
    described = stage.quietly(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    sizes = [
        sum(len(topic.partitions) for topic in each.target_assignment.topic_partitions)
        for each in described.groups[0].members
    ]
    stage.see("sizes", sorted(sizes))


@scenario()
def members_that_want_different_topics_by_range(stage: Stage) -> None:
    first, second, group = stage.topic("a", partitions=4), stage.topic("b", partitions=3), stage.group()
    for member, topics in zip(_members(stage, group, *"abc"), ((first,), (first, second), (second,)), strict=True):
        member.join(*topics, server_assignor="range")
    _describe(stage, group)


@scenario()
def the_assignor_that_most_ask_for(stage: Stage) -> None:
    topic, group = stage.topic(partitions=4), stage.group()
    first, second, third = _members(stage, group, *"abc")
    first.join(topic, server_assignor="range")
    second.join(topic, server_assignor="uniform")
    third.join(topic, server_assignor="uniform")
    _describe(stage, group)


# -- static members


@scenario()
def a_static_member_goes_and_comes_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=3), stage.group()
    member = Member(stage, group, "a", "i")
    member.join(topic)
    _describe(stage, group)
    again = Member(stage, group, "b", "i")
    again.join(topic)
    member.send(AWAY)
    _describe(stage, group)
    member.send()
    again.join(topic)
    _describe(stage, group)
    member.send()
    member.send(LEAVE)
    again.beat()
    again.send(LEAVE)
    _describe(stage, group)


@scenario()
def a_static_member_that_is_away_keeps_its_partitions(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    member, other = Member(stage, group, "a", "i"), Member(stage, group, "b")
    member.join(topic)
    member.send(AWAY)
    other.join(topic)
    other.beat()
    _describe(stage, group)
    again = Member(stage, group, "c", "i")
    again.join(topic)
    again.beat()
    other.beat()
    _describe(stage, group)


@scenario()
def a_dynamic_member_says_that_it_is_away(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    member = Member(stage, group, "a")
    member.join(topic)
    member.instance_id = "i"
    member.send(AWAY)
    member.send()


# -- subscriptions


@scenario()
def a_member_changes_its_mind(stage: Stage) -> None:
    first, second, group = stage.topic("a", partitions=2), stage.topic("b", partitions=2), stage.group()
    member = Member(stage, group, "a")
    member.join(first)
    member.send(subscribed_topic_names=[second.name])
    member.beat()
    member.send(subscribed_topic_names=[first.name, second.name], topic_partitions=member.owned())
    member.beat(subscribed_topic_names=[])
    member.beat()
    _describe(stage, group)


@scenario()
def a_topic_that_is_not_there_yet(stage: Stage) -> None:
    group, name = stage.group(), stage.name("late")
    member = Member(stage, group, "a")
    member.join(name)
    _describe(stage, group)
    stage.quietly(create_topics(creatable(name, 2)))
    stage.ready("late", 2)
    stage.wait(member.request(topic_partitions=[]), lambda answer: answer.member_epoch > 2)
    _describe(stage, group)


@scenario()
def a_topic_grows_and_goes(stage: Stage) -> None:
    topic, group = stage.topic(partitions=1), stage.group()
    member = Member(stage, group, "a")
    member.join(topic)
    stage.quietly(
        CreatePartitionsRequest(
            topics=[CreatePartitionsTopic(name=topic.name, count=3, assignments=None)],
            timeout_ms=10_000,
            validate_only=False,
        )
    )
    stage.ready(partitions=3)
    stage.wait(member.request(topic_partitions=member.owned()), lambda answer: answer.member_epoch > 2)
    _describe(stage, group)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    has = [TopicPartitions(topic_id=topic.id, partitions=[0, 1, 2])]
    stage.wait(member.request(3, topic_partitions=has), lambda answer: answer.assignment is not None)
    _describe(stage, group)


@scenario(
    regex=(
        ".*one",
        "(one|two)",
        "nothing",
        "((on|tw)(e|o))+",
        ".*o.*n.*e.*",
        "(?i)ONE",
        "(?P<name>one)",
        r"\Qone\E",
        r"\pL{3}",
        "[^t]*",
        "on",
    )
)
def topics_by_a_regular_expression(stage: Stage, regex: str) -> None:
    stage.topic("one", partitions=2)
    stage.topic("two", partitions=1)
    group = stage.group()
    member = Member(stage, group, "a")
    mine = stage.mark + regex
    stage.quietly(member.request(rebalance_timeout_ms=60_000, subscribed_topic_regex=mine, topic_partitions=[]))
    wanted = member.request(
        0, rebalance_timeout_ms=60_000, subscribed_topic_regex=mine, topic_partitions=[], subscribed_topic_names=[]
    )
    if regex not in ("nothing", "on"):
        stage.wait(wanted, lambda answer: bool(answer.assignment.topic_partitions))
        _describe(stage, group)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["consumer"]), 5, mine=True)


@scenario()
def a_regular_expression_is_given_up(stage: Stage) -> None:
    topic, group = stage.topic("one"), stage.group()
    member = Member(stage, group, "a")
    stage.wait(
        member.request(rebalance_timeout_ms=60_000, subscribed_topic_regex=topic.name, topic_partitions=[]),
        lambda answer: bool(answer.assignment.topic_partitions),
    )
    has = [TopicPartitions(topic_id=topic.id, partitions=[0])]
    stage.wait(
        member.request(2, topic_partitions=has, subscribed_topic_regex=""), lambda answer: bool(answer.assignment)
    )
    described = stage.quietly(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    (seen,) = described.groups[0].members
    stage.see("regex", [seen.subscribed_topic_regex, len(seen.target_assignment.topic_partitions)])


# -- from outside


@scenario(DESCRIBE)
def what_is_described(stage: Stage, version: int) -> None:
    topic, group, classic = stage.topic(partitions=2), stage.group(), stage.group("classic")
    Member(stage, group, "a", "i").join(topic, rack_id="r", server_assignor="range")
    stage.quietly(commit(classic, topic, {0: 1}))
    groups = [group, classic, stage.name("nobody"), ""]
    stage.ask(ConsumerGroupDescribeRequest(group_ids=groups, include_authorized_operations=True), version)


@scenario()
def other_requests_about_a_consumer_group(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    member = Member(stage, group, "a")
    member.join(topic)
    stage.ask(DescribeGroupsRequest(groups=[group]), 5)
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    for states, types in ([], []), ([], ["consumer"]), ([], ["Classic"]), (["stable"], []), (["Empty"], ["consumer"]):
        stage.ask(ListGroupsRequest(states_filter=states, types_filter=types), 5, mine=True)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.ask(HeartbeatRequest(group_id=group, generation_id=1, member_id="a"))
    stage.ask(sync(group, 1, "a"))
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id="b")]))
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id="a")]))
    _describe(stage, group)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    _describe(stage, group)


@scenario()
def an_empty_group_becomes_one_of_the_other_kind(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    member = Member(stage, group, "a")
    stage.quietly(commit(group, topic, {0: 5}))
    member.join(topic)
    member.send(LEAVE)
    stage.ask(committed(group, topic, 0))
    classic = stage.quietly(join(group, metadata=subscription(topic))).member_id
    joined = stage.quietly(join(group, classic, metadata=subscription(topic)))
    stage.quietly(sync(group, joined.generation_id, classic, {classic: b""}))
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    stage.ask(committed(group, topic, 0))
    stage.quietly(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id=classic)]))
    member.join(topic)
    stage.ask(committed(group, topic, 0))
    _describe(stage, group)


# -- offsets


@scenario(COMMIT, since=8)
def commits_of_a_member(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    stage.ask(commit(group, topic, {0: 1}, generation=1, member="a"), version)
    member = Member(stage, group, "a")
    member.join(topic)
    stage.ask(commit(group, topic, {0: 2}, generation=1, member="a"), version)
    stage.ask(commit(group, topic, {0: 3}, generation=0, member="a"), version)
    stage.ask(commit(group, topic, {0: 3}, generation=2, member="a"), version)
    stage.ask(commit(group, topic, {0: 3}, generation=1, member="b"), version)
    stage.ask(commit(group, topic, {0: 3}), version)
    stage.ask(committed(group, topic, 0))
    member.send(LEAVE)
    stage.ask(commit(group, topic, {0: 4}), version)
    stage.ask(committed(group, topic, 0))


@scenario()
def a_commit_of_before_the_last_rebalance(stage: Stage) -> None:
    """KIP-1251: it counts where the member has been reading since then."""
    topic, group = stage.topic(partitions=4), stage.group()
    first, second = _members(stage, group, "a", "b")
    first.join(topic)
    second.join(topic)
    first.send()
    first.beat()
    second.beat()
    stage.ask(commit(group, topic, {0: 1, 1: 1, 2: 1, 3: 1}, generation=1, member="a"))
    stage.ask(commit(group, topic, {0: 1, 1: 1, 2: 1, 3: 1}, generation=1, member="b"))


@scenario(FETCH, since=9)
def fetches_of_a_member(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    member = Member(stage, group, "a")
    member.join(topic)
    stage.quietly(commit(group, topic, {0: 7}, generation=1, member="a"))
    for member_id, epoch in ((None, -1), ("a", 1), ("a", 0), ("a", 2), ("b", 1), ("", -1), (None, 1)):
        stage.ask(committed(group, topic, 0, member_id=member_id, member_epoch=epoch), version)


@scenario()
def offsets_are_deleted_where_nobody_reads(stage: Stage) -> None:
    first, second, group = stage.topic("a"), stage.topic("b"), stage.group()
    stage.quietly(commit(group, first, {0: 1}))
    stage.quietly(commit(group, second, {0: 1}))
    Member(stage, group, "a").join(first)
    stage.ask(
        OffsetDeleteRequest(
            group_id=group,
            topics=[
                OffsetDeleteRequestTopic(name=topic.name, partitions=[OffsetDeleteRequestPartition(partition_index=0)])
                for topic in (first, second)
            ],
        )
    )
    stage.ask(committed(group, first, 0))
    stage.ask(committed(group, second, 0))


# -- members of the classic protocol


def _classic(stage: Stage, group: str, topic: Topic, instance_id: str | None = None) -> tuple[str, int]:
    """A classic group of one that reads the topic's first two partitions."""
    more: dict[str, Any] = {"metadata": subscription(topic), "group_instance_id": instance_id}
    member = "" if instance_id else stage.quietly(join(group, **more)).member_id
    joined = stage.quietly(join(group, member, **more))
    given = assignment(topic, *range(topic.partitions))
    synced = sync(
        group, joined.generation_id, joined.member_id, {joined.member_id: given}, group_instance_id=instance_id
    )
    stage.quietly(synced)
    return joined.member_id, joined.generation_id


def _classic_beat(stage: Stage, group: str, member: str, generation: int) -> Any:
    return stage.ask(HeartbeatRequest(group_id=group, generation_id=generation, member_id=member))


@scenario()
def a_classic_group_is_moved_and_moves_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=4), stage.group()
    classic, generation = _classic(stage, group, topic)
    new = Member(stage, group, "a")
    new.join(topic)
    _describe(stage, group)
    _classic_beat(stage, group, classic, generation)
    stage.ask(sync(group, generation, classic))
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic))
    _classic_beat(stage, group, classic, joined.generation_id)
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic))
    new.beat()
    _describe(stage, group)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=[]), 5, mine=True)
    stage.ask(commit(group, topic, {0: 3}, generation=joined.generation_id, member=classic))
    stage.ask(commit(group, topic, {0: 3}, generation=9, member=classic))
    new.send(LEAVE)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["classic"]), 5, mine=True)
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    _classic_beat(stage, group, classic, joined.generation_id)
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic, {classic: b"all"}))


@scenario()
def a_classic_member_joins_a_consumer_group(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    new = Member(stage, group, "a")
    new.join(topic)
    stage.ask(join(group, protocol_type="connect"))
    classic = stage.ask(join(group, metadata=subscription(topic))).member_id
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id + 1, classic))
    stage.ask(sync(group, joined.generation_id, classic, protocol_name="other"))
    stage.ask(sync(group, joined.generation_id, classic))
    _classic_beat(stage, group, classic, joined.generation_id)
    new.send()
    new.beat()
    _classic_beat(stage, group, classic, joined.generation_id)
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic))
    _describe(stage, group)
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id=classic)]))
    _describe(stage, group)


@scenario()
def a_static_member_changes_its_protocol(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    _classic(stage, group, topic, "i")
    new = Member(stage, group, "a", "i")
    new.join(topic)
    _describe(stage, group)
    joined = stage.ask(join(group, metadata=subscription(topic), group_instance_id="i"))
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    if joined is not None:
        stage.ask(sync(group, joined.generation_id, joined.member_id, group_instance_id="i"))
    new.send()


@scenario(protocol=("connect", "consumer"))
def a_classic_group_that_cannot_be_moved(stage: Stage, protocol: str) -> None:
    topic, group = stage.topic(), stage.group()
    member = stage.quietly(join(group, protocol_type=protocol, metadata=NOTHING)).member_id
    joined = stage.quietly(join(group, member, protocol_type=protocol, metadata=NOTHING))
    stage.quietly(
        SyncGroupRequest(group_id=group, generation_id=joined.generation_id, member_id=member, assignments=[])
    )
    new = Member(stage, group, "a")
    new.join(topic)
    new.send(LEAVE)
    _describe(stage, group)
