"""Consumer groups of KIP-848 as librdkafka lives them (`group.protocol=consumer`), and groups that move between the
protocols while records flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import confluent_kafka
import confluent_kafka.admin
import pytest

from drave.testing import Broker
from tests.clients.adapters import CLIENTS, Running, Send
from tests.clients.members import DEADLINE_S, POLL_S, Member, Read, poll_for, poll_until, shared

PARTITIONS = 6
PER_PARTITION = 50


@pytest.fixture(scope="module")
def broker() -> Iterator[Running]:
    """A broker that asks members to be heard from often."""
    quick = {"group.consumer.min.heartbeat.interval.ms": "50", "group.consumer.heartbeat.interval.ms": "100"}
    with Broker(sets=quick) as drave:
        yield drave


class ConsumerMember:
    """confluent-kafka; `protocol` is classic or consumer."""

    name = "confluent-kafka"

    def __init__(self, bootstrap: str, topic: str, group: str, protocol: str = "consumer", **configs: Any) -> None:
        self.revoked: list[frozenset[int]] = []
        own = {name.replace("_", "."): value for name, value in configs.items()}
        if protocol == "classic":
            own |= {"partition.assignment.strategy": "range", "heartbeat.interval.ms": 100}
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "group.id": group,
                "group.protocol": protocol,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                **own,
            }
        )
        self._ended = False
        self._consumer.subscribe([topic], on_revoke=self._on_revoke)

    def _on_revoke(self, consumer: confluent_kafka.Consumer, places: Sequence[confluent_kafka.TopicPartition]) -> None:
        """Commit what was read before it is somebody else's."""
        self.revoked.append(frozenset(each.partition for each in places))
        read = [each for each in consumer.position(places) if each.offset >= 0]
        if read:
            consumer.commit(offsets=read, asynchronous=False)

    def poll(self) -> list[Read]:
        return [
            Read(message.partition() or 0, message.offset() or 0, message.value() or b"")
            for message in self._consumer.consume(20, timeout=POLL_S)
            if message.error() is None
        ]

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset(each.partition for each in self._consumer.assignment())

    def commit(self) -> None:
        self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._consumer.close()


@pytest.fixture
def topic(name: Callable[[], str], broker: Running) -> str:
    made = name()
    CLIENTS[0](broker.bootstrap).create(made, partitions=PARTITIONS)
    return made


@pytest.fixture
def join(broker: Running, topic: str) -> Iterator[Callable[..., ConsumerMember]]:
    """Make members of one group that are closed at the end, whatever happens."""
    with ExitStack() as stack:

        def make(protocol: str = "consumer", **configs: object) -> ConsumerMember:
            member = ConsumerMember(broker.bootstrap, topic, topic, protocol, **configs)
            stack.callback(member.close)
            return member

        yield make


def produce(broker: Running, topic: str, *, first: int = 0) -> list[bytes]:
    values = []
    for partition in range(PARTITIONS):
        sent = [Send(b"%d/%d" % (partition, first + number)) for number in range(PER_PARTITION)]
        CLIENTS[0](broker.bootstrap).produce(topic, sent, partition=partition)
        values += [one.value or b"" for one in sent]
    return sorted(values)


def type_of(broker: Running, group: str) -> tuple[str, str]:
    """Its type and state, as an administrator is told."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    listed = {each.group_id: each for each in admin.list_consumer_groups().result(DEADLINE_S).valid}
    return listed[group].type.name, listed[group].state.name


def test_members_share_and_only_what_moves_is_given_up(
    broker: Running, topic: str, join: Callable[..., ConsumerMember]
) -> None:
    first = join()
    poll_until([first], lambda: len(first.partitions) == PARTITIONS, "the first has all")
    second = join()
    pair = [first, second]
    poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
    assert [len(member.partitions) for member in pair] == [3, 3]
    assert first.revoked == [second.partitions]
    assert type_of(broker, topic) == ("CONSUMER", "STABLE")
    values = produce(broker, topic)
    read = poll_for(pair, len(values))
    assert sorted(one.value for each in read.values() for one in each) == values
    for member in pair:
        assert {one.partition for one in read[member]} == member.partitions
        member.commit()
    second.close()
    again = poll_until([first], lambda: len(first.partitions) == PARTITIONS, "one has all")
    more = produce(broker, topic, first=PER_PARTITION)
    rest = poll_for([first], len(more))
    assert not any(again.values()), "what was committed is not read again"
    assert sorted(one.value for one in rest[first]) == more


def test_a_regular_expression_is_the_brokers_to_resolve(
    broker: Running, topic: str, name: Callable[[], str], join: Callable[..., ConsumerMember]
) -> None:
    member = ConsumerMember(broker.bootstrap, f"^{topic}.*", topic)
    try:
        poll_until([member], lambda: len(member.partitions) == PARTITIONS, "it has all")
        CLIENTS[0](broker.bootstrap).create(f"{topic}-more", partitions=PARTITIONS + 1)
        poll_until([member], lambda: PARTITIONS in member.partitions, "the new topic's too")
    finally:
        member.close()


def test_a_static_member_that_starts_again_disturbs_nobody(
    broker: Running, topic: str, join: Callable[..., ConsumerMember]
) -> None:
    pair: list[Member] = [join(group_instance_id=instance) for instance in "ab"]
    poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
    first, second = pair
    before, revoked = second.partitions, list(first.revoked)
    second.close()
    again = join(group_instance_id="b")
    poll_until([first, again], lambda: bool(again.partitions), "it is back")
    assert again.partitions == before
    assert first.revoked == revoked


def test_a_group_moves_to_the_new_protocol_and_back_and_no_record_is_lost_or_read_twice(
    broker: Running, topic: str, join: Callable[..., ConsumerMember]
) -> None:
    """Each member is replaced by one of the other protocol, one at a time, while records come."""
    read: list[bytes] = []
    values: list[bytes] = []
    members: list[ConsumerMember] = [join("classic"), join("classic")]

    def settle() -> None:
        for each in poll_until(members, lambda: shared(members, PARTITIONS), "two share").values():
            read.extend(one.value for one in each)

    def records_flow() -> None:
        values.extend(produce(broker, topic, first=len(values)))
        for each in poll_for(members, len(values) - len(read)).values():
            read.extend(one.value for one in each)
        for member in members:
            member.commit()

    def replace(protocol: str) -> None:
        leaving = members.pop(0)
        leaving.close()
        members.append(join(protocol))
        settle()
        records_flow()

    settle()
    records_flow()
    assert type_of(broker, topic)[0] == "CLASSIC"
    replace("consumer")
    assert type_of(broker, topic)[0] == "CONSUMER", "one of each"
    replace("consumer")
    assert type_of(broker, topic)[0] == "CONSUMER"
    replace("classic")
    assert type_of(broker, topic)[0] == "CONSUMER", "one of each"
    replace("classic")
    assert type_of(broker, topic)[0] == "CLASSIC"
    assert sorted(read) == sorted(values)
