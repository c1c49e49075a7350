"""What of these clients only confluent-kafka has: groups of the new protocol, and members of share groups at work.

A group has its topic's name.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Final

from confluent_kafka import AcknowledgeType, ConsumerGroupType, Message, ShareConsumer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from conformance import contract
from conformance.contract import PARTITIONS
from conformance.drive import DEADLINE_S, same, until

MOMENT_S: Final = 0.05


def new_groups(bootstrap: str) -> set[str]:
    """The groups of the new protocol."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    listed = admin.list_consumer_groups(types={ConsumerGroupType.CONSUMER}).result(DEADLINE_S)
    return {each.group_id for each in listed.valid}


def begin_at_earliest(bootstrap: str, *, group: str) -> None:
    """A share group begins at the latest record unless told."""
    earliest = ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=[earliest])
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for altered in admin.incremental_alter_configs([resource]).values():
        altered.result(DEADLINE_S)


def settle(bootstrap: str, topic: str, start: int, end: int, *, workers: int) -> None:
    """That so many workers together are given exactly these records of every partition, and settle each one once."""
    settled: list[Message] = []
    released: Counter[int] = Counter()
    wanted = PARTITIONS * (end - start)
    configs = {"bootstrap.servers": bootstrap, "log_level": 0, "group.id": topic}
    with ExitStack() as stack:
        consumers = [
            stack.enter_context(ShareConsumer(configs | {"share.acknowledgement.mode": "explicit"}))
            for _ in range(workers)
        ]
        for consumer in consumers:
            consumer.subscribe([topic])

        def done() -> bool:
            for consumer in consumers:
                _work(consumer, settled, released)
            return len(settled) >= wanted

        until(done, f"{wanted} records are settled")
    same(released, dict.fromkeys(range(PARTITIONS), (end - start) // 10), "the records that came again")
    for partition in range(PARTITIONS):
        its = sorted((each for each in settled if each.partition() == partition), key=lambda each: each.offset() or 0)
        same([each.offset() for each in its], list(range(start, end)), f"what is settled of {topic}-{partition}")
        for number, message in enumerate(its, start):
            got = (message.key(), message.value(), tuple(message.headers() or ()), message.timestamp()[1])
            same(got, tuple(contract.record(topic, partition, number)), f"record {number} of {topic}-{partition}")


def _work(consumer: ShareConsumer, settled: list[Message], released: Counter[int]) -> None:
    """What comes within a moment, and what the contract says to it."""
    for message in consumer.poll(MOMENT_S):
        same(message.error(), None, "the error of a record")
        verdict = _verdict(message)
        consumer.acknowledge(message, verdict)
        if verdict is AcknowledgeType.RELEASE:
            released[message.partition() or 0] += 1
        else:
            settled.append(message)
    for where, refusal in consumer.commit_sync(DEADLINE_S).items():
        same(refusal, None, f"the refusal of what was said to {where}")


def _verdict(message: Message) -> AcknowledgeType:
    digit = (message.offset() or 0) % 10
    delivery = message.delivery_count()
    if digit == 1 and delivery == 1:
        return AcknowledgeType.RELEASE
    same(delivery, 2 if digit == 1 else 1, f"the delivery count of {message.partition()} at {message.offset()}")
    return AcknowledgeType.REJECT if digit == 2 else AcknowledgeType.ACCEPT
