"""What members of a share group are given, and where nothing can be."""

from __future__ import annotations

from differential.calls import batch, delete_records, delete_topics, produce
from differential.scenario import scenario
from differential.scenarios.share_partitions.members import ACCEPT, FETCH, RELEASE, one_member, two_members
from differential.stage import Stage
from differential.writers import new_writer
from drave.model.ids import TopicId


@scenario(FETCH)
def all_that_is_there(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version)
    one.fetch(version=version)


@scenario(FETCH, most=(1, 3, 4, 5, 8, 9))
def no_more_than_asked_for(stage: Stage, version: int, most: int) -> None:
    one = one_member(stage)
    one.first(version=version, max_records=most)
    one.fetch(version=version, max_records=most)
    one.fetch(version=version, max_records=most)


@scenario(size=(1, 3, 4, 5, 8, 10))
def in_pieces_of_about(stage: Stage, size: int) -> None:
    one_member(stage).first(batch_size=size)


@scenario(most=(1, 3, 4, 5, 20))
def exactly_as_many(stage: Stage, most: int) -> None:
    """KIP-1206."""
    one = one_member(stage)
    one.first(max_records=most, share_acquire_mode=1)
    one.fetch(max_records=most, share_acquire_mode=1)
    one.fetch(max_records=5)


@scenario(FETCH)
def to_one_member_at_a_time(stage: Stage, version: int) -> None:
    one, two = two_members(stage)
    one.first(version=version, max_records=4)
    two.fetch(version=version, max_records=4)
    one.fetch(version=version, max_records=4)
    two.fetch(version=version)


@scenario(bound=(0, 1, 100))
def no_more_bytes_than(stage: Stage, bound: int) -> None:
    one = one_member(stage)
    one.first(max_records=4)
    one.fetch(max_bytes=bound)


@scenario(FETCH)
def nothing_asked_for(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.fetch(max_records=0, version=version)
    one.fetch(version=version, max_wait_ms=100)


@scenario(FETCH)
def a_waiting_fetch_is_woken_by_a_record(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version)
    waiting = stage.send(one.fetch_request(max_wait_ms=20000), version, on=one.connection)
    stage.quietly(produce(one.topic, batch("new")))
    stage.answer(waiting)


@scenario(FETCH)
def a_waiting_fetch_is_woken_by_a_release(stage: Stage, version: int) -> None:
    one, two = two_members(stage)
    one.first(version=version)
    two.fetch(version=version)
    waiting = stage.send(two.fetch_request(max_wait_ms=20000), version, on=two.connection)
    one.says((0, 9, RELEASE), version=version)
    stage.answer(waiting)


# -- where things are not


@scenario(FETCH)
def unknown_topics_and_partitions(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.fetch(version=version, topic_id=TopicId(b"\7" * 16), max_wait_ms=8000)
    one.fetch(version=version, named=(7,), max_wait_ms=8000)
    one.epoch = 0
    one.fetch(version=version, named=(7,), max_wait_ms=8000)
    one.fetch((0, 3, ACCEPT), version=version, topic_id=TopicId(b"\7" * 16), max_wait_ms=0)


@scenario(FETCH)
def a_deleted_topic(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version, max_records=4)
    stage.quietly(delete_topics(one.topic))
    stage.gone(one.topic)
    one.fetch(version=version, max_wait_ms=8000)
    one.says((0, 3, ACCEPT), version=version)


@scenario(FETCH)
def deleted_records(stage: Stage, version: int) -> None:
    one = one_member(stage)
    one.first(version=version, max_records=4)
    stage.quietly(delete_records(one.topic, {0: 6}))
    one.comes(version=version)
    one.says((0, 3, ACCEPT), version=version)
    one.says((6, 7, ACCEPT), version=version)


@scenario(FETCH)
def nothing_was_ever_written(stage: Stage, version: int) -> None:
    one = one_member(stage, filled=False)
    one.fetch(version=version, max_wait_ms=300)
    one.fetch(version=version)
    stage.quietly(produce(one.topic, batch("a", "b")))
    one.fetch(version=version, max_wait_ms=8000)


# -- transactions


@scenario(level=("read_committed", "read_uncommitted"), commits=(True, False))
def of_transactions(stage: Stage, level: str, commits: bool) -> None:
    one = one_member(stage, filled=False, share_isolation_level=level)
    writer = new_writer(stage)
    writer.add(one.topic)
    writer.write(one.topic, "a", "b")
    stage.quietly(produce(one.topic, batch("between")))
    one.fetch(max_wait_ms=100)
    writer.end(one.topic, commit=commits)
    stage.quietly(produce(one.topic, batch("after")))
    one.gets(4)
    one.says((2, 4, ACCEPT))
