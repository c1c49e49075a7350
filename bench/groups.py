"""How long a group of the new kinds (KIP-848, 1071) takes until everybody has its part, and whom that keeps waiting.

    members ─▶ join, all at once ─▶ heartbeats, and at once after a change ─▶ 1,000 partitions, each with one member

Members speak the protocol by hand, many on one event loop, and do as Java's client does: they answer a new
assignment at once, and otherwise wait for the interval that the broker names. A passer-by asks the smallest question
meanwhile: its longest wait is how long the broker's loop, or Kafka's thread, was held.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from bench import reference
from bench.brokers import BrokerProcess, Drave, Kafka
from bench.scale import Passerby
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest
from drave.wire.messages.k19_create_topics import CreatableTopic, CreateTopicsRequest
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions
from drave.wire.messages.k88_streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    Subtopology,
    TaskIds,
    Topology,
)

PARTITIONS: Final = 1_000
SIZES: Final = (10, 100, 1_000)
PER_CONNECTION: Final = 10
TOPIC: Final = "rides"
PATIENCE_S: Final = 180.0
WARM_UPS: Final = 2
COMING: Final = (14, 15, 16)
"""The coordinator is being loaded, or not there yet."""
RETRY_S: Final = 0.05
RESULTS: Final = Path("bench-results")
APPLICATION: Final = Topology(
    epoch=0,
    subtopologies=[
        Subtopology(
            subtopology_id="0",
            source_topics=[TOPIC],
            source_topic_regex=[],
            state_changelog_topics=[],
            repartition_sink_topics=[],
            repartition_source_topics=[],
            copartition_groups=[],
        )
    ],
)
_LENGTH: Final = struct.Struct(">i")


@dataclass(frozen=True, slots=True)
class Row:
    """What one group of so many members took."""

    broker: str
    members: int
    stable_s: float
    """From the first join until each partition has one member and all have as many as the others."""
    heartbeats: int
    longest_ms: float
    """The longest answer to somebody else meanwhile."""
    cpu_s: float


class Line:
    """A connection that several members share, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, key: int, version: int, request: Any) -> Any:
        async with self._turn:
            for part in encode_request(key, version, 1, "bench", request):
                self._writer.write(part)
            (length,) = _LENGTH.unpack(await self._reader.readexactly(4))
            return decode_reply(key, version, await self._reader.readexactly(length))[1]

    def close(self) -> None:
        self._writer.close()


class Gathering:
    """A group that is coming together; it knows when everybody has its part."""

    def __init__(self, members: int) -> None:
        self.stable = asyncio.Event()
        self.heartbeats = 0
        self._least, more = divmod(PARTITIONS, members)
        self._most = self._least + bool(more)
        self._sizes = [0] * members
        self._fair = members if self._is_fair(0) else 0

    def has(self, number: int, size: int) -> None:
        """A member has so many partitions now."""
        self._fair += self._is_fair(size) - self._is_fair(self._sizes[number])
        self._sizes[number] = size
        if self._fair == len(self._sizes) and sum(self._sizes) == PARTITIONS:
            self.stable.set()

    def _is_fair(self, size: int) -> bool:
        return self._least <= size <= self._most


async def _live(line: Line, group: str, number: int, gathering: Gathering) -> None:
    """One member, until it is cancelled."""
    epoch, owned = 0, dict[Any, list[int]]()
    while True:
        request = ConsumerGroupHeartbeatRequest(
            group_id=group,
            member_id=f"{group}-{number}",
            member_epoch=epoch,
            topic_partitions=[TopicPartitions(topic_id=topic, partitions=each) for topic, each in owned.items()],
        )
        if not epoch:
            request.rebalance_timeout_ms, request.subscribed_topic_names = 60_000, [TOPIC]
        answer = await line.ask(68, 1, request)
        gathering.heartbeats += 1
        if answer.error_code in COMING:
            await asyncio.sleep(RETRY_S)
            continue
        if answer.error_code:
            raise RuntimeError(f"member {number}: error {answer.error_code}, {answer.error_message}")
        epoch = answer.member_epoch
        if answer.assignment is not None:
            given = {each.topic_id: each.partitions for each in answer.assignment.topic_partitions}
            if given != owned:
                owned = given
                gathering.has(number, sum(map(len, owned.values())))
                continue  # it says at once what it has now
        await asyncio.sleep(answer.heartbeat_interval_ms / 1000)


async def _live_in_streams(line: Line, group: str, number: int, gathering: Gathering) -> None:
    """The same of a streams group (KIP-1071), whose tasks are the partitions: a thread, four to a process."""
    epoch, owned = 0, dict[str, list[int]]()
    while True:
        request = StreamsGroupHeartbeatRequest(
            group_id=group,
            member_id=f"{group}-{number}",
            member_epoch=epoch,
            endpoint_information_epoch=0,
            active_tasks=[TaskIds(subtopology_id=name, partitions=each) for name, each in owned.items()],
            standby_tasks=[],
            warmup_tasks=[],
        )
        if not epoch:
            request.rebalance_timeout_ms, request.topology = 60_000, APPLICATION
            request.process_id, request.client_tags = f"process {number // 4}", []
        answer = await line.ask(88, 0, request)
        gathering.heartbeats += 1
        if answer.error_code in COMING:
            await asyncio.sleep(RETRY_S)
            continue
        if answer.error_code:
            raise RuntimeError(f"member {number}: error {answer.error_code}, {answer.error_message}")
        epoch = answer.member_epoch
        if answer.active_tasks is not None:
            given = {each.subtopology_id: each.partitions for each in answer.active_tasks}
            if given != owned:
                owned = given
                gathering.has(number, sum(map(len, owned.values())))
                continue
        await asyncio.sleep(answer.heartbeat_interval_ms / 1000)


LIVES: Final = {"consumer": _live, "streams": _live_in_streams}


async def _gather(port: int, kind: str, group: str, members: int) -> tuple[float, int]:
    lines = [await Line.open(port) for _ in range(-(-members // PER_CONNECTION))]
    await lines[0].ask(10, 4, FindCoordinatorRequest(key=group, coordinator_keys=[group]))
    gathering = Gathering(members)
    began = time.perf_counter()
    lives = [
        asyncio.create_task(LIVES[kind](lines[number % len(lines)], group, number, gathering))
        for number in range(members)
    ]
    stable = asyncio.create_task(gathering.stable.wait())
    done, _ = await asyncio.wait([stable, *lives], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
    took = time.perf_counter() - began
    for task in [stable, *lives]:
        task.cancel()
    results = await asyncio.gather(*lives, return_exceptions=True)
    for line in lines:
        line.close()
    failed = next((each for each in results if isinstance(each, Exception)), None)
    if failed is not None:
        raise failed
    return (took if stable in done else float("inf")), gathering.heartbeats


async def _prepare(port: int) -> None:
    """The topic, and the coordinator's own."""
    line = await Line.open(port)
    topic = CreatableTopic(name=TOPIC, num_partitions=PARTITIONS, replication_factor=1, assignments=[], configs=[])
    await line.ask(19, 7, CreateTopicsRequest(topics=[topic], timeout_ms=60_000, validate_only=False))
    while (await line.ask(10, 4, FindCoordinatorRequest(key="g", coordinator_keys=["g"]))).coordinators[0].error_code:
        await asyncio.sleep(0.1)
    line.close()


def measure(broker: BrokerProcess, name: str, kind: str, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Each size once, after some groups that only warm the broker up."""
    asyncio.run(_prepare(broker.port))
    for number in range(WARM_UPS):
        asyncio.run(_gather(broker.port, kind, f"warm-{number}", 10))
    for members in sizes:
        passerby, used = Passerby(broker.port), broker.cpu_seconds()
        stable_s, heartbeats = asyncio.run(_gather(broker.port, kind, f"group-{members}", members))
        yield Row(name, members, stable_s, heartbeats, passerby.end(), broker.cpu_seconds() - used)


@click.command()
@click.option("--only", type=click.Choice(["drave", "kafka"]), default=None, help="Only this broker.")
@click.option("--of", type=click.Choice(list(LIVES)), default="consumer", show_default=True, help="What kind of group.")
@click.option("--members", multiple=True, type=int, help="So many members (repeatable); default: 10, 100 and 1,000.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A setting of both brokers (repeatable).")
def main(only: str | None, of: str, members: tuple[int, ...], sets: tuple[str, ...]) -> None:
    """Time until a group is stable: Drave and Apache Kafka in turn."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    settings = dict(each.split("=", 1) for each in sets)
    rows: list[Row] = []
    for name, kind in (("drave", Drave), ("kafka", Kafka)):
        if only not in (None, name):
            continue
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="groups-"))
            if name == "kafka":
                reference.download()
            broker = stack.enter_context(kind(Path(folder), settings=settings))
            for row in measure(broker, kind.product, of, members or SIZES):
                rows.append(row)
                click.echo(
                    f"{row.broker:14}{row.members:6} members {row.stable_s:8.2f} s {row.heartbeats:7} heartbeats, "
                    f"somebody else waited {row.longest_ms:7.1f} ms at most, {row.cpu_s:6.2f} s of processor time"
                )
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "groups.json"
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    click.echo(f"Written to {path}.")


if __name__ == "__main__":
    main()
