"""Consumer groups as clients live them: they share, leave, die, come back, and each record is read once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import confluent_kafka
import confluent_kafka.admin
import pytest

from drave.model.errors import ErrorCode
from tests.clients.adapters import CLIENTS, Running, Send
from tests.clients.members import (
    DEADLINE_S,
    MEMBERS,
    AioKafkaMember,
    ConfluentMember,
    KafkaPythonMember,
    Member,
    poll_for,
    poll_until,
    shared,
)

PARTITIONS = 6
PER_PARTITION = 50
PATIENT = {"session_timeout_ms": 60_000}
"""For tests in which nobody may lose its place, however long the machine stops."""


@pytest.fixture
def topic(name: Callable[[], str], broker: Running) -> str:
    """A fresh topic of several partitions."""
    made = name()
    CLIENTS[0](broker.bootstrap).create(made, partitions=PARTITIONS)
    return made


@pytest.fixture
def open_member() -> Iterator[Callable[..., Member]]:
    """Make members that are closed at the end, whatever happens.

    All at once: one that hears that another has left asks to join again, and has its answer when the rest, whom nobody
    polls any more, have joined or left too. aiokafka does not end before.
    """
    members: list[Member] = []

    def make(kind: Callable[..., Member], *args: str, **configs: object) -> Member:
        members.append(kind(*args, **configs))
        return members[-1]

    yield make
    with ThreadPoolExecutor() as closing:
        list(closing.map(lambda member: member.close(), members))


def produce(broker: Running, topic: str, *, first: int = 0) -> set[bytes]:
    """Some records in every partition, and their values."""
    values = set()
    for partition in range(PARTITIONS):
        sent = [Send(b"%d/%d" % (partition, first + number)) for number in range(PER_PARTITION)]
        CLIENTS[0](broker.bootstrap).produce(topic, sent, partition=partition)
        values |= {one.value for one in sent if one.value is not None}
    return values


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.name)
def test_members_share_the_partitions_and_go_on_where_one_that_left_had_committed(
    broker: Running, topic: str, open_member: Callable[..., Member], kind: type[Member]
) -> None:
    first = open_member(kind, broker.bootstrap, topic, topic)
    poll_until([first], lambda: first.partitions == frozenset(range(PARTITIONS)), "the first has all")
    second, third = (open_member(kind, broker.bootstrap, topic, topic) for _ in range(2))
    trio = [first, second, third]
    poll_until(trio, lambda: shared(trio, PARTITIONS), "three share")
    assert [len(member.partitions) for member in trio] == [2, 2, 2]
    values = produce(broker, topic)
    read = poll_for(trio, len(values))
    assert sorted(one.value for each in read.values() for one in each) == sorted(values)
    for member in trio:
        assert {one.partition for one in read[member]} == member.partitions
        member.commit()
    second.close()
    pair = [first, third]
    again = poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
    more = produce(broker, topic, first=PER_PARTITION)
    rest = poll_for(pair, len(more))
    assert not any(again.values()), "what was committed is not read again"
    assert sorted(one.value for each in rest.values() for one in each) == sorted(more)


def test_clients_of_three_libraries_are_one_group(
    broker: Running, topic: str, open_member: Callable[..., Member]
) -> None:
    """The broker passes what members tell each other on unread; all of them know the range assignor."""
    trio = [
        open_member(ConfluentMember, broker.bootstrap, topic, topic, partition_assignment_strategy="range"),
        open_member(AioKafkaMember, broker.bootstrap, topic, topic),
        open_member(KafkaPythonMember, broker.bootstrap, topic, topic),
    ]
    poll_until(trio, lambda: shared(trio, PARTITIONS), "three share")
    values = produce(broker, topic)
    read = poll_for(trio, len(values))
    assert sorted(one.value for each in read.values() for one in each) == sorted(values)
    assert all(read.values())


@pytest.mark.slow
def test_the_partitions_of_a_member_that_is_killed_go_to_the_others(
    broker: Running, topic: str, name: Callable[[], str], open_member: Callable[..., Member]
) -> None:
    """kill -9 of one member of three groups, one for each client; after its session the other has everything.

    The sessions of those who die are short, and on a busy machine they may lose their place before and take it again.
    """
    groups = {kind: name() for kind in MEMBERS}
    survivors = {kind: open_member(kind, broker.bootstrap, topic, group, **PATIENT) for kind, group in groups.items()}
    doomed = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.clients.members", kind.name, broker.bootstrap, topic, group],
            stdout=subprocess.PIPE,
        )
        for kind, group in groups.items()
    ]
    try:
        everyone = list(survivors.values())
        poll_until(everyone, lambda: all(len(each.partitions) == PARTITIONS // 2 for each in everyone), "halves")
    finally:
        for process in doomed:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    poll_until(everyone, lambda: all(len(each.partitions) == PARTITIONS for each in everyone), "all to one")
    values = produce(broker, topic)
    read = poll_for(everyone, len(values) * len(everyone))
    for member in everyone:
        assert sorted(one.value for one in read[member]) == sorted(values)


def test_cooperative_members_keep_what_they_need_not_give_up(
    broker: Running, topic: str, open_member: Callable[..., Member]
) -> None:
    """KIP-429: two rebalances follow each other; only what moves is revoked."""
    configs = {"partition_assignment_strategy": "cooperative-sticky", **PATIENT}
    first = open_member(ConfluentMember, broker.bootstrap, topic, topic, **configs)
    assert isinstance(first, ConfluentMember)
    poll_until([first], lambda: len(first.partitions) == PARTITIONS, "the first has all")
    second = open_member(ConfluentMember, broker.bootstrap, topic, topic, **configs)
    pair = [first, second]
    poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
    assert [len(member.partitions) for member in pair] == [3, 3]
    assert [len(revoked) for revoked in first.revoked] == [3]
    assert first.revoked[0] == second.partitions
    values = produce(broker, topic)
    read = poll_for(pair, len(values))
    assert sorted(one.value for each in read.values() for one in each) == sorted(values)


def test_a_static_member_that_starts_again_disturbs_nobody(
    broker: Running, topic: str, open_member: Callable[..., Member]
) -> None:
    """KIP-345: it does not leave when it ends, and finds its partitions when it is back."""
    pair = [
        open_member(ConfluentMember, broker.bootstrap, topic, topic, group_instance_id=instance, **PATIENT)
        for instance in "ab"
    ]
    poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
    first, second = pair
    assert isinstance(first, ConfluentMember)
    before, revoked = second.partitions, list(first.revoked)
    second.close()
    again = open_member(ConfluentMember, broker.bootstrap, topic, topic, group_instance_id="b", **PATIENT)
    poll_until([first, again], lambda: bool(again.partitions), "it is back")
    assert again.partitions == before
    assert first.revoked == revoked


def test_of_two_members_with_one_instance_id_the_older_is_fenced(
    broker: Running, topic: str, open_member: Callable[..., Member]
) -> None:
    older = open_member(ConfluentMember, broker.bootstrap, topic, topic, group_instance_id="a")
    assert isinstance(older, ConfluentMember)
    poll_until([older], lambda: len(older.partitions) == PARTITIONS, "it has all")
    newer = open_member(ConfluentMember, broker.bootstrap, topic, topic, group_instance_id="a")
    fatal = confluent_kafka.KafkaError._FATAL
    poll_until([newer, older], lambda: fatal in older.errors, "the older is fenced")
    assert newer.partitions == frozenset(range(PARTITIONS))


def test_an_administrator_sees_resets_and_deletes_groups(
    broker: Running, topic: str, open_member: Callable[..., Member]
) -> None:
    group = topic
    member = open_member(ConfluentMember, broker.bootstrap, topic, group)
    values = produce(broker, topic)
    poll_for([member], len(values))
    member.commit()
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    described = admin.describe_consumer_groups([group])[group].result(DEADLINE_S)
    assert described.state == confluent_kafka.ConsumerGroupState.STABLE
    (seen,) = described.members
    assert {each.partition for each in seen.assignment.topic_partitions} == set(range(PARTITIONS))
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        admin.delete_consumer_groups([group])[group].result(DEADLINE_S)
    assert refused.value.args[0].code() == ErrorCode.NON_EMPTY_GROUP
    member.close()
    listed = admin.list_consumer_groups(states={confluent_kafka.ConsumerGroupState.EMPTY}).result(DEADLINE_S)
    assert group in {each.group_id for each in listed.valid}

    asked = confluent_kafka.ConsumerGroupTopicPartitions(group)
    committed = admin.list_consumer_group_offsets([asked])[group].result(DEADLINE_S)
    assert {each.partition: each.offset for each in committed.topic_partitions} == dict.fromkeys(
        range(PARTITIONS), PER_PARTITION
    )
    to = confluent_kafka.ConsumerGroupTopicPartitions(group, [confluent_kafka.TopicPartition(topic, 0, 40)])
    admin.alter_consumer_group_offsets([to])[group].result(DEADLINE_S)
    back = open_member(ConfluentMember, broker.bootstrap, topic, group)
    assert {one.value for one in poll_for([back], 10)[back]} == {b"0/%d" % number for number in range(40, 50)}
    back.close()
    admin.delete_consumer_groups([group])[group].result(DEADLINE_S)
    assert group not in {each.group_id for each in admin.list_consumer_groups().result(DEADLINE_S).valid}
