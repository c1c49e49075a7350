"""Share-partitions across a restart of the broker: its coordinator reads its log, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from drave.broker.coordinator.share.state import SharePartition, Summary
from drave.broker.core import Broker
from drave.catalog import Topic
from drave.catalog.memory import MemoryCatalog
from drave.log import Logs
from drave.model.settings import BrokerSettings
from drave.model.system import SystemEntropy
from drave.records import parse_header
from drave.store.disk import RealDisk
from drave.wire.messages.k78_share_fetch import AcknowledgementBatch, FetchPartition, FetchTopic, ShareFetchRequest
from tests.broker.conftest import Asker, ManualClock, raise_failure
from tests.broker.sharing import ACCEPT, RELEASE
from tests.broker.still import batch_of

GROUP = "work"


@contextlib.asynccontextmanager
async def running(settings: BrokerSettings, clock: ManualClock, catalog: MemoryCatalog) -> AsyncIterator[Asker]:
    """One life of a broker on this folder."""
    logs = Logs.open(
        settings.data_folder,
        disk=RealDisk(),
        clock=clock,
        settings=settings.storage,
        topics=catalog.topics().values(),
        tombstones=catalog.tombstones(),
    )
    loop = asyncio.get_running_loop()
    broker = Broker(settings, clock=clock, entropy=SystemEntropy(), scheduler=loop, catalog=catalog, logs=logs)
    logs.start(loop, raise_failure)
    await broker.share_states.start()
    yield Asker(broker, clock)
    broker.end_waits()
    await broker.close()
    await logs.close()


class Member:
    """A member with a session in this life."""

    def __init__(self, asker: Asker, topic: Topic) -> None:
        self.asker, self.topic, self.epoch = asker, topic, 0

    async def fetch(self, *said: tuple[int, int, int], most: int = 500) -> list[tuple[int, int, int]]:
        batches = [AcknowledgementBatch(first_offset=a, last_offset=b, acknowledge_types=[c]) for a, b, c in said]
        partition = FetchPartition(partition_index=0, acknowledgement_batches=batches)
        request = ShareFetchRequest(
            group_id=GROUP,
            member_id="one",
            share_session_epoch=self.epoch,
            max_wait_ms=0,
            min_bytes=1,
            max_records=most,
            batch_size=most,
            share_acquire_mode=1,
            topics=[FetchTopic(topic_id=self.topic.topic_id, partitions=[partition])],
            forgotten_topics_data=[],
        )
        self.epoch += 1
        response: Any = await self.asker.ask(request)
        assert response.error_code == 0
        return [
            (each.first_offset, each.last_offset, each.delivery_count)
            for topic in response.responses
            for part in topic.partitions
            for each in part.acquired_records
        ]


@pytest.mark.parametrize("per_snapshot", [0, 3, 500])
async def test_what_became_of_each_record_is_known_after_a_restart(
    settings: BrokerSettings, clock: ManualClock, per_snapshot: int
) -> None:
    given = BrokerSettings.load(
        None, {}, {}, data_folder=settings.data_folder, durability="os", share_state_updates_per_snapshot=per_snapshot
    )
    catalog = MemoryCatalog(SystemEntropy())
    async with running(given, clock, catalog) as asker:
        topic = await asker.create_topic("jobs")
        data = batch_of(*[b"job"] * 20)
        asker.broker.partition(topic, 0).append(data, parse_header(data), now_ms=clock.wall_ms())
        where = SharePartition(topic.topic_id, 0)
        await asker.broker.share_states.initialize(GROUP, {where: 0}, state_epoch=1)
        member = Member(asker, topic)
        assert await member.fetch() == [(0, 19, 1)]
        for offset in range(0, 16, 2):
            await member.fetch((offset, offset, ACCEPT), (offset + 1, offset + 1, RELEASE), most=0)
    async with running(given, clock, catalog) as asker:
        found = await asker.broker.share_states.summarize(GROUP, [where])
        assert found == {where: Summary(1, 0, 7)}
        again = Member(asker, topic)
        odd = [(offset, offset, 2) for offset in range(1, 16, 2)]
        assert await again.fetch() == [*odd, (16, 19, 1)]
        await again.fetch((1, 1, ACCEPT), *((offset, offset, ACCEPT) for offset in range(3, 16, 2)), most=0)
        await again.fetch((16, 19, ACCEPT), most=0)
    async with running(given, clock, catalog) as asker:
        assert await asker.broker.share_states.summarize(GROUP, [where]) == {where: Summary(20, 0, 0)}
        assert await Member(asker, topic).fetch() == []
        await asker.broker.share_states.delete(GROUP, [where])
    async with running(given, clock, catalog) as asker:
        assert await asker.broker.share_states.summarize(GROUP, [where]) == {where: Summary()}
    catalog.close()
