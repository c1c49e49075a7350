"""All groups of a broker over its real log: the topic they are kept in, restarts, expiry, compaction."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from drave.broker.context import Pending
from drave.broker.coordinator import partition as partitions
from drave.broker.coordinator import runtime
from drave.broker.coordinator.runtime import gathered
from drave.broker.core import Broker
from drave.catalog.memory import MemoryCatalog
from drave.log import Logs
from drave.model.errors import DraveError, ErrorCode
from drave.model.settings import BrokerSettings
from drave.model.system import SystemEntropy
from drave.store.disk import RealDisk
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequest
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k14_sync_group import SyncGroupRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k65_describe_transactions import DescribeTransactionsRequest
from tests.broker.conftest import Asker, ManualClock

WEEK_MS = 7 * 24 * 60 * 60 * 1000
"""When an offset or a transactional id that nobody uses is forgotten."""


class Life:
    """One broker's life after another over the same folder and catalog."""

    def __init__(self, folder: Path) -> None:
        self.settings = BrokerSettings.load(None, {}, {}, data_folder=folder, durability="fsync")
        self.clock = ManualClock()
        self.catalog = MemoryCatalog(SystemEntropy())
        self.asker: Asker
        self.broker: Broker
        self.logs: Logs

    async def begin(self) -> None:
        self.catalog._listeners.clear()
        self.logs = Logs.open(
            self.settings.data_folder,
            disk=RealDisk(),
            clock=self.clock,
            settings=self.settings.storage,
            topics=self.catalog.topics().values(),
            tombstones=self.catalog.tombstones(),
        )
        loop = asyncio.get_running_loop()
        self.broker = Broker(
            self.settings,
            clock=self.clock,
            entropy=SystemEntropy(),
            scheduler=loop,
            catalog=self.catalog,
            logs=self.logs,
        )
        self.logs.start(loop, lambda error: pytest.fail(str(error)))
        await self.broker.groups.start()
        self.asker = Asker(self.broker, self.clock)

    async def end(self) -> None:
        self.broker.end_waits()
        await self.broker.close()
        await self.logs.close()

    async def commit(self, group: str, offset: int) -> ErrorCode:
        partition = OffsetCommitRequestPartition(
            partition_index=0, committed_offset=offset, committed_metadata="x" * 50
        )
        topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
        response = await self.asker.ask(OffsetCommitRequest(group_id=group, member_id="", topics=[topic]), 9)
        return ErrorCode(response.topics[0].partitions[0].error_code)

    async def committed(self, group: str) -> list[int]:
        response = await self.asker.ask(OffsetFetchRequest(group_id=group, topics=None), 7)
        return [partition.committed_offset for topic in response.topics for partition in topic.partitions]

    async def join(self, group: str) -> str:
        protocol = JoinGroupRequestProtocol(name="range", metadata=b"")
        joined = await self.asker.ask(
            JoinGroupRequest(
                group_id=group, session_timeout_ms=60_000, member_id="", protocol_type="consumer", protocols=[protocol]
            ),
            3,
        )
        sync = SyncGroupRequest(group_id=group, generation_id=1, member_id=joined.member_id, assignments=[])
        assert (await self.asker.ask(sync, 3)).error_code == ErrorCode.NONE
        return str(joined.member_id)


@pytest.fixture
async def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(runtime, "LOAD_WAIT_S", 60)  # nobody asks before everything is loaded, however busy the machine
    life = Life(tmp_path)
    await life.begin()
    await life.asker.create_topic("t")
    yield life
    await life.end()


async def test_groups_and_offsets_are_there_again_after_a_restart(life: Life) -> None:
    members = {f"group {number}": await life.join(f"group {number}") for number in range(5)}
    for number in range(5):
        assert await life.commit(f"lonely {number}", number) == ErrorCode.NONE
    await life.end()
    await life.begin()
    listed = {group.group_id for group in (await life.asker.ask(ListGroupsRequest())).groups}
    assert listed == set(members) | {f"lonely {number}" for number in range(5)}
    for group, member_id in members.items():
        beat = HeartbeatRequest(group_id=group, generation_id=1, member_id=member_id)
        assert (await life.asker.ask(beat)).error_code == ErrorCode.NONE
    assert [await life.committed(f"lonely {number}") for number in range(5)] == [[0], [1], [2], [3], [4]]


async def test_a_commit_is_answered_when_it_is_durable(life: Life) -> None:
    assert await life.commit("g", 1) == ErrorCode.NONE
    groups = life.broker.groups
    log = groups._partition(groups.partition_for("g")).log
    assert log is not None
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=2, committed_metadata=None)
    topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
    pending = life.asker.start(OffsetCommitRequest(group_id="g", member_id="", topics=[topic]), 9)
    assert isinstance(pending, Pending)
    end = log.end
    answered = asyncio.get_running_loop().create_future()
    pending.attach(lambda _: answered.set_result(log.high_watermark))
    assert await answered >= end


async def test_requests_that_come_together_make_the_topic_once(life: Life) -> None:
    codes = await asyncio.gather(*(life.commit(f"group {number}", number) for number in range(10)))
    assert set(codes) == {ErrorCode.NONE}
    assert await life.committed("group 7") == [7]


async def test_where_the_topic_cannot_be_made_a_client_is_told_to_try_later(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise DraveError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(life.catalog, "create_topic", refuse)
        assert await life.commit("g", 1) == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert await life.commit("g", 1) == ErrorCode.NONE


async def test_a_topic_that_was_there_already_counts_with_its_partitions(life: Life) -> None:
    """An administrator has made it, or a folder was taken over."""
    await life.asker.create_topic("__consumer_offsets", 3)
    assert await life.commit("my-group", 1) == ErrorCode.NONE
    assert life.broker.groups.partition_for("my-group") == 1906497762 % 3
    assert await life.committed("my-group") == [1]


async def test_without_their_topic_groups_begin_anew(life: Life) -> None:
    await life.commit("g", 1)
    topic = life.catalog.topic("__consumer_offsets")
    assert topic is not None
    await life.catalog.delete_topic(topic.topic_id)
    assert await life.committed("g") == []
    assert await life.commit("h", 2) == ErrorCode.NONE
    assert await life.committed("h") == [2]


async def test_offsets_expire_while_the_broker_runs(life: Life) -> None:
    await life.commit("g", 1)
    life.broker.groups._expire()
    assert await life.committed("g") == [1]
    life.clock.advance(WEEK_MS)
    life.broker.groups._expire()
    assert await life.committed("g") == []
    assert (await life.asker.ask(ListGroupsRequest())).groups == []


async def _begins(life: Life) -> int:
    request = InitProducerIdRequest(transactional_id="tx", transaction_timeout_ms=60_000)
    made = await life.asker.ask(request)
    assert made.error_code == ErrorCode.NONE
    return int(made.producer_id)


async def _knows_it(life: Life) -> bool:
    described = await life.asker.ask(DescribeTransactionsRequest(transactional_ids=["tx"]))
    return bool(described.transaction_states[0].error_code == ErrorCode.NONE)


async def test_a_transactional_id_that_nobody_uses_is_forgotten_and_not_remembered_after_a_restart(
    life: Life,
) -> None:
    """`transactional.id.expiration.ms`, looked for as often as Kafka's `transaction.remove.expired.…` says."""
    await life.end()
    life.settings = dataclasses.replace(life.settings, transactional_id_check_interval_ms=1)
    await life.begin()
    await life.broker.transactions.start()
    first = await _begins(life)
    life.clock.advance(WEEK_MS - 1)
    assert await _knows_it(life)
    life.clock.advance(1)
    while await _knows_it(life):
        await asyncio.sleep(0)
    await life.end()
    await life.begin()
    await life.broker.transactions.start()
    assert not await _knows_it(life)
    assert await _begins(life) != first


async def test_the_time_of_a_transactional_id_goes_on_while_no_broker_runs(life: Life) -> None:
    await life.broker.transactions.start()
    await _begins(life)
    await life.end()
    life.clock.advance(WEEK_MS)
    await life.begin()
    await life.broker.transactions.start()
    assert await _knows_it(life)
    life.broker.transactions._expire()
    assert not await _knows_it(life)


async def test_partitions_in_which_something_expires_take_turns(life: Life) -> None:
    """Each may have very much that does, and others wait for the loop meanwhile."""
    names = ["a", "b", "c"]
    for name in names:
        await life.commit(name, 5)
    groups = life.broker.groups
    assert len({groups.partition_for(name) for name in names}) == len(names)

    def left() -> int:
        return sum(len(list(each.machine.live_records())) for each in groups._partitions.values())

    before = left()
    life.clock.advance(WEEK_MS)
    groups._expire()
    assert 0 < left() < before
    while left():
        await asyncio.sleep(0)


async def test_a_log_of_many_commits_is_compacted_and_read_again(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "COMPACT_BYTES_MIN", 8 * 1024)
    for offset in range(200):
        assert await life.commit("g", offset) == ErrorCode.NONE
    await life.broker.close()
    groups = life.broker.groups
    log = groups._partition(groups.partition_for("g")).log
    assert log is not None
    assert log.start > 0
    await life.end()
    await life.begin()
    assert await life.committed("g") == [199]


def test_answers_are_gathered_in_their_order_whenever_they_come() -> None:
    first, second = Pending(), Pending()
    whole = gathered(["now", first, second], "-".join)
    got: list[str] = []
    whole.attach(got.append)
    second.complete("later")
    assert got == []
    first.complete("soon")
    assert got == ["now-soon-later"]
    assert gathered(["a", "b"], "-".join) == "a-b"


async def test_a_partition_that_cannot_be_loaded_takes_no_other_along(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it, and if it is our own mistake."""
    groups = ["a", "b", "c"]
    for group in groups:
        await life.commit(group, 5)
    coordinator = life.broker.groups
    partitions = [coordinator._partition(coordinator.partition_for(group)) for group in groups]
    for partition in partitions:
        partition.loaded = False
    monkeypatch.setattr(partitions[0].machine, "replay", lambda key, value: 1 // 0)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await coordinator._load(partitions, done)
    assert [partition.loaded for partition in partitions] == [False, True, True]
    assert done.done()
