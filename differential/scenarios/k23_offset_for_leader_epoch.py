"""OffsetForLeaderEpoch: where an epoch ended, for clients that look for lost records (KIP-320)."""

from __future__ import annotations

from differential.calls import batch, delete_records, produce
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.wire.api import ApiKey
from drave.wire.messages.k23_offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)

OFFSET_FOR_LEADER_EPOCH = ApiKey.OFFSET_FOR_LEADER_EPOCH


def _ask(
    stage: Stage, version: int, name: str, *partitions: int, epoch: int = 0, current: int = -1, replica: int = -1
) -> None:
    each = [
        OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)
        for partition in partitions
    ]
    wanted = [OffsetForLeaderTopic(topic=name, partitions=each)]
    stage.ask(OffsetForLeaderEpochRequest(replica_id=replica, topics=wanted), version)


def _filled(stage: Stage) -> Topic:
    topic = stage.topic()
    stage.quietly(produce(topic, batch("a", "b")))
    return topic


@scenario(OFFSET_FOR_LEADER_EPOCH, epoch=(-2, -1, 0, 1, 5))
def epochs_of_a_log(stage: Stage, version: int, epoch: int) -> None:
    _ask(stage, version, _filled(stage).name, 0, epoch=epoch)


@scenario(OFFSET_FOR_LEADER_EPOCH, epoch=(-1, 0, 1))
def epochs_of_an_empty_log(stage: Stage, version: int, epoch: int) -> None:
    _ask(stage, version, stage.topic().name, 0, epoch=epoch)


@scenario(OFFSET_FOR_LEADER_EPOCH, current=(-2, -1, 0, 1, 5))
def current_leader_epoch(stage: Stage, version: int, current: int) -> None:
    _ask(stage, version, _filled(stage).name, 0, current=current)


@scenario(OFFSET_FOR_LEADER_EPOCH)
def unknown_topics_and_partitions(stage: Stage, version: int) -> None:
    _ask(stage, version, _filled(stage).name, 0, 1, -1)
    _ask(stage, version, stage.name("nowhere"), 0)
    _ask(stage, version, "", 0)


@scenario(OFFSET_FOR_LEADER_EPOCH, epoch=(0, 1))
def after_records_were_deleted(stage: Stage, version: int, epoch: int) -> None:
    topic = _filled(stage)
    stage.quietly(delete_records(topic, {0: -1}))
    _ask(stage, version, topic.name, 0, epoch=epoch)


@scenario(OFFSET_FOR_LEADER_EPOCH, since=3, replica=(-2, 0, 1, 7))
def who_asks(stage: Stage, version: int, replica: int) -> None:
    _ask(stage, version, _filled(stage).name, 0, replica=replica)
