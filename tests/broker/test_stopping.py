"""A broker that stops waits for what it has begun, and for nothing that a disk will never do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drave.broker.coordinator import partition as partitions
from drave.broker.coordinator.partition import CoordinatorPartition
from drave.model.errors import ErrorCode
from drave.store.disk import SyncFailed
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from tests.broker.still import StillBroker, batch_of, produce_request

BY_NAME = 9
"""The last version of OffsetCommit that names topics."""


def commit_offset(offset: int) -> OffsetCommitRequest:
    committed = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
    return OffsetCommitRequest(
        group_id="g",
        generation_id_or_member_epoch=-1,
        member_id="",
        topics=[OffsetCommitRequestTopic(name="rides", partitions=[committed])],
    )


def fail(still: StillBroker) -> None:
    """The next sync fails: what a driver would tell the flusher, and a server the broker."""
    still.disk.failing_syncs = 1
    with pytest.raises(SyncFailed):
        still.commit()
    still.broker.abandon()


async def turns() -> None:
    """Whoever can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def compacting(still: StillBroker, monkeypatch: pytest.MonkeyPatch) -> CoordinatorPartition[Any]:
    """The coordinator's log is being rewritten, and nothing of that is durable."""
    monkeypatch.setattr(partitions, "COMPACT_BYTES_MIN", 4096)
    still.create("rides")
    await still.broker.groups.ensure_topic()
    groups = still.broker.groups
    partition = groups._partition(groups.partition_for("g"))
    partition._compact_at = 4096
    for offset in range(100):
        assert still.ask(commit_offset(offset), BY_NAME).topics[0].partitions[0].error_code == ErrorCode.NONE
        if partition._compacting:
            break
    await turns()
    assert partition.log is not None
    assert partition.log.high_watermark < partition.log.end
    return partition


async def test_a_compaction_ends_when_the_disk_fails(still: StillBroker, compacting: CoordinatorPartition[Any]) -> None:
    fail(still)
    still.broker.end_waits()
    await still.broker.close()
    assert compacting.log is not None
    assert compacting.log.start == 0


async def test_a_compaction_whose_new_start_is_not_durable_ends_when_the_disk_fails(
    still: StillBroker, compacting: CoordinatorPartition[Any]
) -> None:
    still.commit()
    await turns()
    fail(still)
    still.broker.end_waits()
    await still.broker.close()
    assert compacting.log is not None
    assert compacting.log.start == 0


async def test_a_compaction_does_not_keep_the_stop_waiting_when_the_disk_answers_late(
    still: StillBroker, compacting: CoordinatorPartition[Any]
) -> None:
    still.broker.end_waits()
    await still.broker.close()
    assert compacting.log is not None
    assert compacting.log.start == 0


@pytest.mark.parametrize("earlier", [True, False], ids=["before the stop", "during the stop"])
async def test_a_look_for_the_newest_record_ends_when_the_disk_fails(still: StillBroker, earlier: bool) -> None:
    """It waits for what was appended already."""
    rides = still.create("rides")
    still.send(produce_request("rides", {0: batch_of()}), 12)
    still.broker.spawn(_wait_for(still.log(rides).max_timestamp), name="looking")
    await turns()
    if earlier:
        fail(still)
    closing = asyncio.ensure_future(still.broker.close())
    await turns()
    if not earlier:
        assert not closing.done()
        fail(still)
    await closing


async def _wait_for(what: Callable[[], Any]) -> None:
    await what()


async def test_what_is_spawned_after_the_failure_ends_too(still: StillBroker) -> None:
    still.broker.abandon()
    still.broker.spawn(_wait_for(asyncio.Event().wait), name="waiting")
    await still.broker.close()
