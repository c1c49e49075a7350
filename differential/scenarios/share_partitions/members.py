"""Members of share groups, each with a connection and a session of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from differential.calls import GROUP, SET, alter_configs, batch, produce
from differential.stage import Stage, Topic
from drave.wire.api import ApiKey
from drave.wire.messages import k78_share_fetch, k79_share_acknowledge
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest

FETCH, ACKNOWLEDGE = ApiKey.SHARE_FETCH, ApiKey.SHARE_ACKNOWLEDGE
GAP, ACCEPT, RELEASE, REJECT, RENEW = range(5)
WAIT_MS = 60
"""A moment: in Kafka the fetch before may still have its hand on the partition."""

Said = tuple[int, int, int | Sequence[int]]
"""First offset, last offset, and what is said of all of them, or of each."""


class Member:
    """A member of a share group, with a connection and a session of its own."""

    def __init__(self, stage: Stage, group: str, topic: Topic, name: str = "one") -> None:
        self.stage, self.group, self.topic, self.name = stage, group, topic, name
        self.connection = stage.connect()
        self.epoch = 0

    def joins(self) -> Member:
        """Wait until the group has begun to read the topic."""
        epoch = 0
        while True:
            beat = self.stage.quietly(
                ShareGroupHeartbeatRequest(
                    group_id=self.group,
                    member_id=self.name,
                    member_epoch=epoch,
                    subscribed_topic_names=[self.topic.name] if not epoch else None,
                )
            )
            assert not beat.error_code, beat
            epoch = beat.member_epoch
            if beat.assignment is not None and beat.assignment.topic_partitions:
                return self
            self.stage.settle()

    def fetch(self, *said: Said, version: int = 2, seen: bool = True, **options: Any) -> Any:
        """One ShareFetch, which waits for records where it may."""
        request = self.fetch_request(*said, **options)
        if seen:
            return self.stage.ask(request, version, on=self.connection)
        return self.connection.answer(self.stage.send(request, version, on=self.connection))

    def fetch_request(self, *said: Said, partitions: Sequence[int] = (0,), **options: Any) -> Any:
        epoch = options.pop("epoch", None)
        if epoch is None:
            epoch, self.epoch = self.epoch, self.epoch + 1
        topic_id = options.pop("topic_id", self.topic.id)
        names = options.pop("named", partitions if not epoch or said else ())
        values = {"max_wait_ms": WAIT_MS, "min_bytes": 1, "max_records": 500, "batch_size": 500}
        return k78_share_fetch.ShareFetchRequest(
            group_id=options.pop("group_id", self.group),
            member_id=options.pop("member_id", self.name),
            share_session_epoch=epoch,
            topics=[
                k78_share_fetch.FetchTopic(
                    topic_id=topic_id,
                    partitions=[
                        k78_share_fetch.FetchPartition(
                            partition_index=index,
                            acknowledgement_batches=[
                                k78_share_fetch.AcknowledgementBatch(
                                    first_offset=first, last_offset=last, acknowledge_types=_types(types)
                                )
                                for first, last, types in said
                            ]
                            if index == partitions[0]
                            else [],
                        )
                        for index in names
                    ],
                )
            ]
            if names
            else [],
            forgotten_topics_data=[
                k78_share_fetch.ForgottenTopic(topic_id=topic_id, partitions=list(forgotten))
                for forgotten in (options.pop("forgotten", ()),)
                if forgotten
            ],
            **(values | options),
        )

    def comes(self, *, version: int = 2) -> None:
        """See the first records that come, however many times the broker has to be asked."""
        while not came(answer := self.fetch(version=version, max_wait_ms=500, seen=False)):
            pass
        self.stage.see("Came", [_held(part) for part in parts(answer)])

    def gets(self, last: int) -> None:
        """See which offsets come until this one does, in however many answers."""
        offsets: list[int] = []
        while last not in offsets:
            for part in parts(self.fetch(seen=False)):
                for first, end, _ in _held(part):
                    offsets += range(first, end + 1)
        self.stage.see("Got", offsets)

    def releases(self, answer: Any) -> None:
        """Give back all that came with this answer."""
        self.says(*((each.first_offset, each.last_offset, RELEASE) for each in came(answer)))

    def first(self, **options: Any) -> Any:
        """Begin a session: something is there."""
        return self.fetch(max_wait_ms=8000, **options)

    def is_led(self, partitions: int) -> Member:
        """Wait until the broker knows where the group begins in each partition, which are empty."""
        named = range(partitions)
        while len(parts(self.fetch(epoch=0, named=named, partitions=named, max_wait_ms=20, seen=False))) < partitions:
            pass
        self.fetch(epoch=-1, seen=False)
        return self

    def says(self, *said: Said, version: int = 2, partition: int = 0, **options: Any) -> Any:
        """One ShareAcknowledge."""
        epoch = options.pop("epoch", None)
        if epoch is None:
            epoch, self.epoch = self.epoch, self.epoch + 1
        request = k79_share_acknowledge.ShareAcknowledgeRequest(
            group_id=options.pop("group_id", self.group),
            member_id=options.pop("member_id", self.name),
            share_session_epoch=epoch,
            is_renew_ack=options.pop("is_renew_ack", False),
            topics=[
                k79_share_acknowledge.AcknowledgeTopic(
                    topic_id=options.pop("topic_id", self.topic.id),
                    partitions=[
                        k79_share_acknowledge.AcknowledgePartition(
                            partition_index=partition,
                            acknowledgement_batches=[
                                k79_share_acknowledge.AcknowledgementBatch(
                                    first_offset=first, last_offset=last, acknowledge_types=_types(types)
                                )
                                for first, last, types in said
                            ],
                        )
                    ],
                )
            ],
        )
        return self.stage.ask(request, version, on=self.connection)


def parts(response: Any) -> list[Any]:
    return [part for topic in response.responses for part in topic.partitions]


def came(response: Any) -> list[Any]:
    """The records that it gives out."""
    return [each for part in parts(response) for each in part.acquired_records]


def _held(part: Any) -> list[list[int]]:
    return [[each.first_offset, each.last_offset, each.delivery_count] for each in part.acquired_records]


def _types(said: int | Sequence[int]) -> list[int]:
    return [said] if isinstance(said, int) else list(said)


def one_member(stage: Stage, *, filled: bool = True, partitions: int = 1, **configs: str) -> Member:
    """A member of a group that reads a topic of ten records in each partition, in batches of 4, 4 and 2."""
    group = stage.group("work")
    names = {"share.auto.offset.reset": "earliest"} | {key.replace("_", "."): value for key, value in configs.items()}
    altered = stage.quietly(alter_configs((GROUP, group, [(name, SET, value) for name, value in names.items()])))
    assert not altered.responses[0].error_code, altered
    stage.settle()
    topic = stage.topic("jobs", partitions=partitions)
    one = Member(stage, group, topic).joins().is_led(partitions)
    for size in (4, 4, 2) if filled else ():
        data = batch(*"abcd"[:size])
        stage.quietly(produce(topic, dict.fromkeys(range(partitions), data)))
    return one


def two_members(stage: Stage) -> tuple[Member, Member]:
    """Another one, which has begun nothing yet."""
    one = one_member(stage)
    return one, Member(stage, one.group, one.topic, "two")
