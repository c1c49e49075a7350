"""ListOffsets: the ends, the special timestamps, and look-ups by time."""

from __future__ import annotations

from differential.calls import (
    EARLIEST,
    EARLIEST_LOCAL,
    EARLIEST_PENDING_UPLOAD,
    LATEST,
    LATEST_TIERED,
    LONG_AGO_MS,
    MAX_TIMESTAMP,
    at,
    batch,
    delete_records,
    delete_topics,
    list_offsets,
    produce,
)
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.records import Codec
from drave.wire.api import ApiKey
from drave.wire.messages.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

LIST_OFFSETS = ApiKey.LIST_OFFSETS
SPECIAL = (LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD, -7, -100)


def _filled(stage: Stage, codec: Codec = Codec.NONE) -> Topic:
    """Three batches of two records; times go up, but for one that is late."""
    topic = stage.topic()
    for number in (0, 40, 20):
        times = [LONG_AGO_MS + number, LONG_AGO_MS + number + 10]
        stage.quietly(produce(topic, batch(*(at(time_ms) for time_ms in times), codec=codec)))
    return topic


@scenario(LIST_OFFSETS, timestamp=SPECIAL)
def special_timestamps(stage: Stage, version: int, timestamp: int) -> None:
    stage.ask(list_offsets(_filled(stage), timestamp), version)


@scenario(LIST_OFFSETS, timestamp=SPECIAL)
def special_timestamps_of_an_empty_partition(stage: Stage, version: int, timestamp: int) -> None:
    stage.ask(list_offsets(stage.topic(), timestamp), version)


@scenario(LIST_OFFSETS, after_ms=(-1, 0, 5, 10, 11, 25, 40, 50, 51))
def by_time(stage: Stage, version: int, after_ms: int) -> None:
    stage.ask(list_offsets(_filled(stage), LONG_AGO_MS + after_ms), version)


@scenario(version=(1, 11), codec=tuple(Codec), after_ms=(5, 10, 45))
def by_time_inside_a_compressed_batch(stage: Stage, version: int, codec: Codec, after_ms: int) -> None:
    stage.ask(list_offsets(_filled(stage, codec), LONG_AGO_MS + after_ms), version)


@scenario(LIST_OFFSETS, timestamp=(LATEST, EARLIEST, MAX_TIMESTAMP, LONG_AGO_MS, LONG_AGO_MS + 25, LONG_AGO_MS + 100))
def after_records_were_deleted(stage: Stage, version: int, timestamp: int) -> None:
    topic = _filled(stage)
    stage.quietly(delete_records(topic, {0: 3}))
    stage.ask(list_offsets(topic, timestamp), version)


@scenario(LIST_OFFSETS, timestamp=(LATEST, EARLIEST, MAX_TIMESTAMP, LONG_AGO_MS))
def after_all_records_were_deleted(stage: Stage, version: int, timestamp: int) -> None:
    topic = _filled(stage)
    stage.quietly(delete_records(topic, {0: -1}))
    stage.ask(list_offsets(topic, timestamp), version)


@scenario(LIST_OFFSETS)
def unknown_topics_and_partitions(stage: Stage, version: int) -> None:
    stage.ask(list_offsets(stage.topic(), LATEST, EARLIEST, LONG_AGO_MS), version)
    stage.ask(list_offsets(stage.name("nowhere"), LATEST, EARLIEST), version)
    stage.ask(list_offsets("", LATEST), version)
    stage.ask(list_offsets(stage.name("no such name!"), LATEST), version)


@scenario(LIST_OFFSETS)
def the_same_partition_twice(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    each = [ListOffsetsPartition(partition_index=0, timestamp=timestamp) for timestamp in (LATEST, EARLIEST)]
    wanted = [ListOffsetsTopic(name=topic.name, partitions=each)]
    stage.ask(ListOffsetsRequest(replica_id=-1, topics=wanted), version)


@scenario(LIST_OFFSETS)
def nothing_at_all(stage: Stage, version: int) -> None:
    stage.ask(ListOffsetsRequest(replica_id=-1, topics=[]), version)
    stage.ask(list_offsets(stage.topic()), version)


@scenario(LIST_OFFSETS, since=4, epoch=(-1, 0, 1, 9, -3))
def current_leader_epoch(stage: Stage, version: int, epoch: int) -> None:
    stage.ask(list_offsets(_filled(stage), LATEST, epoch=epoch), version)


@scenario(LIST_OFFSETS, since=2, isolation=(0, 1))
def isolation_levels(stage: Stage, version: int, isolation: int) -> None:
    stage.ask(list_offsets(_filled(stage), LATEST, isolation=isolation), version)


@scenario(LIST_OFFSETS, replica=(-2, 0, 1, 7))
def who_asks(stage: Stage, version: int, replica: int) -> None:
    stage.ask(list_offsets(_filled(stage), LATEST, replica=replica), version)


@scenario(LIST_OFFSETS, timestamp=(MAX_TIMESTAMP, 0, LONG_AGO_MS))
def records_without_timestamps(stage: Stage, version: int, timestamp: int) -> None:
    topic = stage.topic()
    stage.quietly(produce(topic, batch("a", time_ms=-1)))
    stage.ask(list_offsets(topic, timestamp), version)


@scenario(LIST_OFFSETS)
def several_records_of_the_largest_time(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.quietly(produce(topic, batch(at(LONG_AGO_MS), at(LONG_AGO_MS + 5), at(LONG_AGO_MS + 5))))
    stage.quietly(produce(topic, batch(at(LONG_AGO_MS + 5))))
    stage.ask(list_offsets(topic, MAX_TIMESTAMP), version)
    stage.ask(list_offsets(topic, LONG_AGO_MS + 5), version)


@scenario(LIST_OFFSETS)
def with_append_time(stage: Stage, version: int) -> None:
    topic = stage.topic(message_timestamp_type="LogAppendTime")
    stage.quietly(produce(topic, batch("a", "b")))
    stage.ask(list_offsets(topic, MAX_TIMESTAMP), version)
    stage.ask(list_offsets(topic, LONG_AGO_MS), version)


@scenario(LIST_OFFSETS)
def a_deleted_topic(stage: Stage, version: int) -> None:
    topic = _filled(stage)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    stage.ask(list_offsets(topic, LATEST), version)
