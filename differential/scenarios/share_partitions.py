"""Share-partitions (KIP-932): what members of a share group are given, what they may say of it, and their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from differential.calls import batch, delete_records, delete_topics, produce
from differential.scenario import scenario
from differential.stage import Stage, Topic
from differential.writers import new_writer
from drave.model.ids import TopicId
from drave.wire.api import ApiKey
from drave.wire.messages import k78_share_fetch, k79_share_acknowledge
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest

FETCH, ACKNOWLEDGE = ApiKey.SHARE_FETCH, ApiKey.SHARE_ACKNOWLEDGE
GAP, ACCEPT, RELEASE, REJECT, RENEW = range(5)
GROUP = 32
SET = 0
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
        while not _parts(answer := self.fetch(version=version, max_wait_ms=500, seen=False)) or not any(
            part.acquired_records for part in _parts(answer)
        ):
            pass
        self.stage.see("Came", [_held(part) for part in _parts(answer)])

    def gets(self, last: int) -> None:
        """See which offsets come until this one does, in however many answers."""
        offsets: list[int] = []
        while last not in offsets:
            for part in _parts(self.fetch(seen=False)):
                for first, end, _ in _held(part):
                    offsets += range(first, end + 1)
        self.stage.see("Got", offsets)

    def first(self, **options: Any) -> Any:
        """Begin a session: something is there."""
        return self.fetch(max_wait_ms=8000, **options)

    def is_led(self, partitions: int) -> Member:
        """Wait until the broker knows where the group begins in each partition, which are empty."""
        named = range(partitions)
        while len(_parts(self.fetch(epoch=0, named=named, partitions=named, max_wait_ms=20, seen=False))) < partitions:
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


def _parts(response: Any) -> list[Any]:
    return [part for topic in response.responses for part in topic.partitions]


def _held(part: Any) -> list[list[int]]:
    return [[each.first_offset, each.last_offset, each.delivery_count] for each in part.acquired_records]


def _types(said: int | Sequence[int]) -> list[int]:
    return [said] if isinstance(said, int) else list(said)


def _member(stage: Stage, *, filled: bool = True, partitions: int = 1, **configs: str) -> Member:
    """A member of a group that reads a topic of ten records in each partition, in batches of 4, 4 and 2."""
    group = stage.group("work")
    names = {"share.auto.offset.reset": "earliest"} | {key.replace("_", "."): value for key, value in configs.items()}
    altered = stage.quietly(
        IncrementalAlterConfigsRequest(
            resources=[
                AlterConfigsResource(
                    resource_type=GROUP,
                    resource_name=group,
                    configs=[
                        AlterableConfig(name=name, config_operation=SET, value=value) for name, value in names.items()
                    ],
                )
            ],
            validate_only=False,
        )
    )
    assert not altered.responses[0].error_code, altered
    stage.settle()
    topic = stage.topic("jobs", partitions=partitions)
    one = Member(stage, group, topic).joins().is_led(partitions)
    for size in (4, 4, 2) if filled else ():
        data = batch(*"abcd"[:size])
        stage.quietly(produce(topic, dict.fromkeys(range(partitions), data)))
    return one


def _other(one: Member, name: str = "two") -> Member:
    return Member(one.stage, one.group, one.topic, name)


# -- what is given


@scenario(FETCH)
def all_that_is_there(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version)
    one.fetch(version=version)


@scenario(FETCH, most=(1, 3, 4, 5, 8, 9))
def no_more_than_asked_for(stage: Stage, version: int, most: int) -> None:
    one = _member(stage)
    one.first(version=version, max_records=most)
    one.fetch(version=version, max_records=most)
    one.fetch(version=version, max_records=most)


@scenario(size=(1, 3, 4, 5, 8, 10))
def in_pieces_of_about(stage: Stage, size: int) -> None:
    _member(stage).first(batch_size=size)


@scenario(most=(1, 3, 4, 5, 20))
def exactly_as_many(stage: Stage, most: int) -> None:
    """KIP-1206."""
    one = _member(stage)
    one.first(max_records=most, share_acquire_mode=1)
    one.fetch(max_records=most, share_acquire_mode=1)
    one.fetch(max_records=5)


@scenario(FETCH)
def to_one_member_at_a_time(stage: Stage, version: int) -> None:
    one = _member(stage)
    two = _other(one)
    one.first(version=version, max_records=4)
    two.fetch(version=version, max_records=4)
    one.fetch(version=version, max_records=4)
    two.fetch(version=version)


@scenario(bound=(0, 1, 100))
def no_more_bytes_than(stage: Stage, bound: int) -> None:
    one = _member(stage)
    one.first(max_records=4)
    one.fetch(max_bytes=bound)


@scenario(FETCH)
def nothing_asked_for(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.fetch(max_records=0, version=version)
    one.fetch(version=version, max_wait_ms=100)


@scenario(FETCH)
def a_waiting_fetch_is_woken_by_a_record(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version)
    waiting = stage.send(one.fetch_request(max_wait_ms=20000), version, on=one.connection)
    stage.quietly(produce(one.topic, batch("new")))
    stage.answer(waiting)


@scenario(FETCH)
def a_waiting_fetch_is_woken_by_a_release(stage: Stage, version: int) -> None:
    one = _member(stage)
    two = _other(one)
    one.first(version=version)
    two.fetch(version=version)
    waiting = stage.send(two.fetch_request(max_wait_ms=20000), version, on=two.connection)
    one.says((0, 9, RELEASE), version=version)
    stage.answer(waiting)


# -- what is said of it


@scenario(ACKNOWLEDGE, kind=range(-1, 6))
def of_all_the_same(stage: Stage, version: int, kind: int) -> None:
    one = _member(stage)
    one.first(version=version)
    one.says((0, 9, kind), version=version)
    one.fetch(version=version)


@scenario(FETCH, kind=(-1, GAP, ACCEPT, REJECT, RENEW, 5))
def of_all_the_same_with_the_next_fetch(stage: Stage, version: int, kind: int) -> None:
    """What is released may come with the same answer, or not, as it happens."""
    one = _member(stage)
    one.first(version=version)
    one.fetch((0, 9, kind), version=version)


@scenario(ACKNOWLEDGE)
def of_each_something_else(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version)
    one.says((0, 9, [1, 2, 3, 0, 2, 2, 1, 1, 3, 2]), version=version)
    one.fetch(version=version)


@scenario(
    said=(
        ((0, 3, ACCEPT), (4, 9, RELEASE)),
        ((2, 5, ACCEPT),),
        ((9, 9, RELEASE), (0, 0, ACCEPT)),
        ((0, 3, ACCEPT), (3, 5, ACCEPT)),
        ((0, 3, ACCEPT), (2, 5, ACCEPT)),
        ((5, 4, ACCEPT),),
        ((0, 3, [ACCEPT, ACCEPT]),),
        ((0, 3, []),),
        ((0, 3, [ACCEPT] * 5),),
        ((0, 10, ACCEPT),),
        ((10, 10, ACCEPT),),
        ((100, 120, ACCEPT),),
        ((-5, 3, ACCEPT),),
        ((0, 3, ACCEPT), (20, 30, ACCEPT)),
    )
)
def well_formed_and_otherwise(stage: Stage, said: tuple[Said, ...]) -> None:
    one = _member(stage)
    one.first()
    one.says(*said)
    one.fetch(max_wait_ms=0)


@scenario(ACKNOWLEDGE)
def twice(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version)
    one.says((2, 5, ACCEPT), version=version)
    one.says((2, 5, ACCEPT), version=version)
    one.says((0, 5, ACCEPT), version=version)
    one.says((0, 1, ACCEPT), version=version)
    one.says((0, 5, RELEASE), version=version)
    one.says((5, 6, RELEASE), version=version)


@scenario(ACKNOWLEDGE)
def of_what_another_member_holds(stage: Stage, version: int) -> None:
    one = _member(stage)
    two = _other(one)
    one.first(version=version, max_records=4)
    two.fetch(version=version, max_records=4)
    two.says((0, 3, ACCEPT), version=version)
    two.says((2, 5, ACCEPT), version=version)
    one.says((0, 7, ACCEPT), version=version)
    one.says((0, 3, ACCEPT), version=version)


@scenario(ACKNOWLEDGE)
def of_what_nobody_has_had(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.fetch(version=version, max_records=0)
    one.says((0, 3, ACCEPT), version=version)
    one.says((0, 3, ACCEPT), version=version, topic_id=TopicId(b"\7" * 16))
    one.says((0, 3, ACCEPT), version=version, partition=7)
    one.says(version=version)


@scenario(times=(1, 2, 3, 4, 5, 6))
def released_again_and_again(stage: Stage, times: int) -> None:
    """What came in vain comes in smaller pieces, and in the end not at all."""
    one = _member(stage)
    answer = one.first()
    for _ in range(times):
        held = [each for part in _parts(answer) for each in part.acquired_records]
        one.says(*((each.first_offset, each.last_offset, RELEASE) for each in held))
        answer = one.fetch()


@scenario(limit=(2, 3, 10))
def as_often_as_the_group_wants(stage: Stage, limit: int) -> None:
    one = _member(stage, share_delivery_count_limit=str(limit))
    answer = one.first(max_records=4)
    for _ in range(limit + 2):
        held = [each for part in _parts(answer) for each in part.acquired_records]
        if not held:
            break
        one.says(*((each.first_offset, each.last_offset, RELEASE) for each in held))
        answer = one.fetch(max_records=4)


@scenario(enabled=("true", "false"), says_so=(True, False))
def renewed(stage: Stage, enabled: str, says_so: bool) -> None:
    """KIP-1222."""
    one = _member(stage, share_renew_acknowledge_enable=enabled)
    one.first()
    one.says((0, 3, RENEW), is_renew_ack=says_so)
    one.fetch((0, 3, RENEW), is_renew_ack=says_so, max_bytes=0, min_bytes=0, max_records=0)
    one.fetch((0, 3, RENEW), is_renew_ack=says_so)
    one.says((0, 9, ACCEPT), is_renew_ack=says_so)


# -- sessions


@scenario(FETCH, epoch=(-2, -1, 1, 5))
def a_fetch_without_a_session(stage: Stage, version: int, epoch: int) -> None:
    _member(stage).fetch(version=version, epoch=epoch)


@scenario(ACKNOWLEDGE, epoch=(-2, -1, 0, 1))
def a_word_without_a_session(stage: Stage, version: int, epoch: int) -> None:
    _member(stage).says((0, 1, ACCEPT), version=version, epoch=epoch)


@scenario(FETCH, epoch=(-2, 0, 1, 2, 3, -1))
def the_next_request_of_a_session(stage: Stage, version: int, epoch: int) -> None:
    one = _member(stage)
    one.first(version=version, max_records=4)
    one.fetch(version=version, max_records=4)
    one.fetch(version=version, epoch=epoch, max_records=4)
    one.says((0, 3, ACCEPT), version=version, epoch=max(epoch + 1, 1))


@scenario(ACKNOWLEDGE, epoch=(-2, 0, 1, 2, 3, -1))
def the_next_word_of_a_session(stage: Stage, version: int, epoch: int) -> None:
    one = _member(stage)
    one.first(version=version, max_records=4)
    one.says((0, 0, ACCEPT), version=version)
    one.says((1, 1, ACCEPT), version=version, epoch=epoch)
    one.says((2, 2, ACCEPT), version=version, epoch=max(epoch + 1, 1))


@scenario(FETCH)
def a_first_request_that_says_something(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.fetch((0, 3, ACCEPT), version=version)
    one.fetch((0, 3, ACCEPT), version=version)


@scenario(FETCH)
def a_session_that_ends_gives_back(stage: Stage, version: int) -> None:
    one = _member(stage)
    two = _other(one)
    one.first(version=version)
    one.fetch((0, 3, ACCEPT), version=version, epoch=-1)
    two.fetch(version=version, max_wait_ms=8000)
    one.fetch(version=version)


@scenario(ACKNOWLEDGE)
def a_session_that_ends_with_a_word(stage: Stage, version: int) -> None:
    one = _member(stage)
    two = _other(one)
    one.first(version=version)
    one.says((0, 3, ACCEPT), version=version, epoch=-1)
    two.fetch(version=version, max_wait_ms=8000)


@scenario(FETCH)
def a_connection_that_ends_gives_back(stage: Stage, version: int) -> None:
    one = _member(stage)
    two = _other(one)
    one.first(version=version)
    two.fetch(version=version)
    one.connection.close()
    two.fetch(version=version, max_wait_ms=8000)


@scenario(FETCH)
def a_session_begun_anew_keeps_what_is_held(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version, max_records=4)
    one.epoch = 0
    one.fetch(version=version, max_records=4)
    one.says((0, 7, ACCEPT), version=version)


@scenario(FETCH)
def partitions_come_and_go(stage: Stage, version: int) -> None:
    one = _member(stage, partitions=2)
    one.first(version=version, partitions=(0,))
    one.fetch(version=version, named=(1,), max_wait_ms=8000)
    one.fetch(version=version, named=(0,), forgotten=(1,))
    one.fetch(version=version, named=(0, 1), forgotten=(0,))


@scenario(FETCH, who=(None, "", "x" * 36, "x" * 37))
def members_by_name(stage: Stage, version: int, who: str | None) -> None:
    one = _member(stage)
    one.fetch(version=version, member_id=who, max_records=0)
    one.says((0, 3, ACCEPT), version=version, member_id=who)


@scenario(FETCH)
def groups_by_name(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.fetch(version=version, group_id=None)
    one.says((0, 3, ACCEPT), version=version, group_id=None)


@scenario(FETCH)
def a_group_that_nobody_knows(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.fetch(version=version, group_id=stage.name("stranger"), max_wait_ms=100)


# -- where things are not


@scenario(FETCH)
def unknown_topics_and_partitions(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.fetch(version=version, topic_id=TopicId(b"\7" * 16), max_wait_ms=8000)
    one.fetch(version=version, named=(7,), max_wait_ms=8000)
    one.epoch = 0
    one.fetch(version=version, named=(7,), max_wait_ms=8000)
    one.fetch((0, 3, ACCEPT), version=version, topic_id=TopicId(b"\7" * 16), max_wait_ms=0)


@scenario(FETCH)
def a_deleted_topic(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version, max_records=4)
    stage.quietly(delete_topics(one.topic))
    stage.gone(one.topic)
    one.fetch(version=version, max_wait_ms=8000)
    one.says((0, 3, ACCEPT), version=version)


@scenario(FETCH)
def deleted_records(stage: Stage, version: int) -> None:
    one = _member(stage)
    one.first(version=version, max_records=4)
    stage.quietly(delete_records(one.topic, {0: 6}))
    one.comes(version=version)
    one.says((0, 3, ACCEPT), version=version)
    one.says((6, 7, ACCEPT), version=version)


@scenario(FETCH)
def nothing_was_ever_written(stage: Stage, version: int) -> None:
    one = _member(stage, filled=False)
    one.fetch(version=version, max_wait_ms=300)
    one.fetch(version=version)
    stage.quietly(produce(one.topic, batch("a", "b")))
    one.fetch(version=version, max_wait_ms=8000)


# -- transactions


@scenario(level=("read_committed", "read_uncommitted"), commits=(True, False))
def of_transactions(stage: Stage, level: str, commits: bool) -> None:
    one = _member(stage, filled=False, share_isolation_level=level)
    writer = new_writer(stage)
    writer.add(one.topic)
    writer.write(one.topic, "a", "b")
    stage.quietly(produce(one.topic, batch("between")))
    one.fetch(max_wait_ms=100)
    writer.end(one.topic, commit=commits)
    stage.quietly(produce(one.topic, batch("after")))
    one.gets(4)
    one.says((2, 4, ACCEPT))
