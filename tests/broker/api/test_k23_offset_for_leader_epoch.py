"""OffsetForLeaderEpoch (KIP-320): where each epoch ended, as Apache Kafka 4.3.1 answers it."""

from __future__ import annotations

import pytest

from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k23_offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.broker.still import StillBroker

VERSIONS = range(2, 5)


def end_of(
    still: StillBroker, name: str, epoch: int, *, current: int = -1, partition: int = 0, version: int = 4
) -> tuple[int, int, int]:
    """Error code, epoch and end offset."""
    asked = OffsetForLeaderPartition(partition=partition, leader_epoch=epoch, current_leader_epoch=current)
    topics = [OffsetForLeaderTopic(topic=name, partitions=[asked])]
    (found,) = still.ask(OffsetForLeaderEpochRequest(topics=topics), version).topics[0].partitions
    assert found.partition == partition
    return found.error_code, found.leader_epoch, found.end_offset


@pytest.fixture
def rides(still: StillBroker) -> Topic:
    """Epoch 0 wrote offsets 0 to 2, epoch 3 wrote 3 and 4."""
    topic = still.create("rides", partitions=2)
    still.append(topic, b"a", b"b", b"c")
    log = still.log(topic)
    log._epochs.assign(3, 3)
    log.leader_epoch = 3
    still.append(topic, b"d", b"e")
    return topic


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, (0, 3)), (1, (0, 3)), (2, (0, 3)), (3, (3, 5)), (4, (-1, -1)), (-1, (-1, -1))]
)
def test_an_epoch_ended_where_the_next_began(
    still: StillBroker, rides: Topic, epoch: int, expected: tuple[int, int], version: int
) -> None:
    """The largest epoch not above the one that is asked for; one that is still to come is unknown."""
    assert end_of(still, "rides", epoch, version=version) == (ErrorCode.NONE, *expected)


def test_an_empty_partition_ends_where_it_begins(still: StillBroker, rides: Topic) -> None:
    assert end_of(still, "rides", 0, partition=1) == (ErrorCode.NONE, 0, 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_with_another_leader_epoch_is_told_to_ask_anew(still: StillBroker, rides: Topic, version: int) -> None:
    for current, code in (
        (3, ErrorCode.NONE),
        (2, ErrorCode.FENCED_LEADER_EPOCH),
        (4, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ):
        assert end_of(still, "rides", 3, current=current, version=version)[0] == code


@pytest.mark.parametrize(("name", "partition"), [("nowhere", 0), ("rides", 9), ("rides", -1)])
def test_who_is_not_there_is_unknown(still: StillBroker, rides: Topic, name: str, partition: int) -> None:
    unknown = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
    assert end_of(still, name, 0, partition=partition) == unknown


def test_a_partition_may_be_asked_for_twice(still: StillBroker, rides: Topic) -> None:
    asked = [OffsetForLeaderPartition(partition=0, leader_epoch=epoch) for epoch in (0, 3)]
    topics = [OffsetForLeaderTopic(topic="rides", partitions=asked)]
    (topic,) = still.ask(OffsetForLeaderEpochRequest(topics=topics)).topics
    assert [each.end_offset for each in topic.partitions] == [3, 5]
