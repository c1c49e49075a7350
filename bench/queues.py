"""Queue deliveries a second: records that members of a share group take and accept, Apache Kafka and Drave in turn.

    each member    ShareFetch(accept what came last, give me more) ──▶ records ──▶ ShareFetch(accept …) ──▶ …

One process plays all members, each on a connection of its own with one request under way. A delivery counts when the
answer to its acceptance has come; every record must come once and only once, or the run fails. *Batches*: up to 500
records an answer. *One at a time*: exactly one record an answer (KIP-1206), as a worker that does something slow.
Records are made before; both brokers have the same ones.

    python -m bench.queues --rounds 3
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from bench import reference
from bench.brokers import BrokerProcess, Drave, Kafka, receive
from bench.wire import Wrong
from drave.records import build_batch
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest
from drave.wire.messages.k19_create_topics import CreatableTopic, CreateTopicsRequest
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest
from drave.wire.messages.k78_share_fetch import AcknowledgementBatch, FetchPartition, FetchTopic, ShareFetchRequest

PRODUCE_VERSION: Final = 12
GROUP: Final = 32
ACCEPT: Final = 1
VALUE: Final = b"x" * 100
PARTITIONS: Final = 8
TIMEOUT_S: Final = 60.0
SETTINGS: Final = {
    "group.share.assignment.interval.ms": "0",
    "group.share.partition.max.record.locks": "10000",
    "group.share.max.partition.max.record.locks": "10000",
}
_KEYS: Final = {f"{key.name.title().replace('_', '')}Request": key for key in API}


@dataclass(frozen=True, slots=True)
class Work:
    """What is taken, and how."""

    name: str
    records: int
    per_batch: int
    """Records in each batch of the log."""
    at_a_time: int
    members: int


WORKS: Final = (
    Work("batches of 500", records=400_000, per_batch=100, at_a_time=500, members=8),
    Work("one at a time, one member", records=4_000, per_batch=1, at_a_time=1, members=1),
    Work("one at a time, 16 members", records=1_600, per_batch=1, at_a_time=1, members=16),
)


class Client:
    """One connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.settimeout(None)  # or MSG_WAITALL would not wait for all
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: Any, version: int | None = None) -> tuple[ApiKey, int]:
        key = _KEYS[type(request).__name__]
        version = API[key].versions[1] if version is None else version
        self.socket.sendall(b"".join(encode_request(key, version, 1, "bench", request)))
        return key, version

    def take(self, key: ApiKey, version: int) -> Any:
        return decode_reply(key, version, receive(self.socket)[4:])[1]

    def ask(self, request: Any, version: int | None = None) -> Any:
        return self.take(*self.send(request, version))


class Member:
    """A member of a share group, which accepts with each fetch what came with the last."""

    def __init__(self, port: int, group: str, name: str, topic_id: bytes, work: Work) -> None:
        self.client = Client(port)
        self._group, self._name, self._topic_id, self._work = group, name, topic_id, work
        self._epoch = 0
        self._held: list[tuple[int, int, int]] = []
        """Partition, first and last offset."""

    def fetch(self) -> None:
        """Accept what is held, and ask for more."""
        said: dict[int, list[AcknowledgementBatch]] = {}
        for partition, first, last in self._held:
            batch = AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=[ACCEPT])
            said.setdefault(partition, []).append(batch)
        named = said or ({index: [] for index in range(PARTITIONS)} if not self._epoch else {})
        partitions = [FetchPartition(partition_index=at, acknowledgement_batches=each) for at, each in named.items()]
        self._asked = self.client.send(
            ShareFetchRequest(
                group_id=self._group,
                member_id=self._name,
                share_session_epoch=self._epoch,
                max_wait_ms=100,
                min_bytes=1,
                max_bytes=50 * 1024 * 1024,
                max_records=self._work.at_a_time,
                batch_size=self._work.at_a_time,
                share_acquire_mode=int(self._work.at_a_time == 1),
                topics=[FetchTopic(topic_id=self._topic_id, partitions=partitions)] if partitions else [],
                forgotten_topics_data=[],
            )
        )
        self._epoch += 1

    def answer(self, seen: list[bytearray]) -> int:
        """Take the answer: how many deliveries it has made certain. Raises Wrong."""
        response = self.client.take(*self._asked)
        if response.error_code:
            raise Wrong(f"ShareFetch was answered with error {response.error_code}: {response.error_message}")
        certain = sum(last - first + 1 for _, first, last in self._held)
        held: list[tuple[int, int, int]] = []
        for topic in response.responses:
            for part in topic.partitions:
                if part.error_code or part.acknowledge_error_code:
                    raise Wrong(f"errors {part.error_code} and {part.acknowledge_error_code} for a partition")
                for each in part.acquired_records:
                    first, last = each.first_offset, each.last_offset
                    if any(seen[part.partition_index][first : last + 1]):
                        raise Wrong(f"offsets {first} to {last} came twice")
                    seen[part.partition_index][first : last + 1] = b"\1" * (last - first + 1)
                    held.append((part.partition_index, first, last))
        self._held = held
        return certain


def prepare(port: int, topic: str, work: Work) -> bytes:
    """A topic with the records, and a group that is to begin at its start; the topic's id."""
    client = Client(port)
    wanted = CreatableTopic(name=topic, num_partitions=PARTITIONS, replication_factor=1, assignments=[], configs=[])
    made = client.ask(CreateTopicsRequest(topics=[wanted])).topics[0]
    if made.error_code:
        raise Wrong(f"the topic could not be made: {made.error_message}")
    config = AlterableConfig(name="share.auto.offset.reset", config_operation=0, value="earliest")
    client.ask(
        IncrementalAlterConfigsRequest(
            resources=[AlterConfigsResource(resource_type=GROUP, resource_name=topic, configs=[config])],
            validate_only=False,
        )
    )
    batch = build_batch([(None, VALUE)] * work.per_batch, timestamp_ms=int(time.time() * 1000))
    batches = work.records // work.per_batch
    deadline = time.monotonic() + TIMEOUT_S
    for number in range(batches):
        data = PartitionProduceData(index=number % PARTITIONS, records=memoryview(batch))
        request = ProduceRequest(
            acks=1, timeout_ms=10_000, topic_data=[TopicProduceData(name=topic, partition_data=[data])]
        )
        while client.ask(request, PRODUCE_VERSION).responses[0].partition_responses[0].error_code:
            if time.monotonic() > deadline:
                raise Wrong("the records could not be written")
    return bytes(made.topic_id)


def join(port: int, group: str, name: str) -> None:
    """Be a member whose group reads the topic of its own name."""
    client, epoch = Client(port), 0
    client.ask(FindCoordinatorRequest(key=group), 2)  # the first group makes the broker create a topic
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        beat = client.ask(
            ShareGroupHeartbeatRequest(
                group_id=group, member_id=name, member_epoch=epoch, subscribed_topic_names=None if epoch else [group]
            )
        )
        epoch = epoch if beat.error_code else beat.member_epoch
        if beat.assignment is not None and beat.assignment.topic_partitions:
            return
        time.sleep(0.05)
    raise Wrong("the group never began to read its topic")


def deliveries_per_s(port: int, topic: str, work: Work) -> float:
    """Take and accept all records of a new topic. Raises Wrong."""
    topic_id = prepare(port, topic, work)
    join(port, topic, "member-0")
    members = [Member(port, topic, f"member-{number}", topic_id, work) for number in range(work.members)]
    seen = [bytearray(work.records) for _ in range(PARTITIONS)]
    by_socket = {member.client.socket.fileno(): member for member in members}
    poll = select.epoll()
    for handle in by_socket:
        poll.register(handle, select.EPOLLIN)
    certain, began = 0, time.perf_counter()
    for member in members:
        member.fetch()
    while certain < work.records:
        for handle, _ in poll.poll(TIMEOUT_S):
            member = by_socket[handle]
            certain += member.answer(seen)
            member.fetch()
    elapsed = time.perf_counter() - began
    for member in members:
        member.client.socket.close()
    poll.close()
    if sum(sum(each) for each in seen) != work.records:
        raise Wrong("records came that nobody wrote")
    return work.records / elapsed


@contextlib.contextmanager
def brokers(scratch: Path) -> Iterator[dict[str, BrokerProcess]]:
    """Kafka as it comes, Drave likewise (synced), and Drave with Kafka's own trade, the page cache."""
    reference.download()
    with contextlib.ExitStack() as stack:
        yield {
            "kafka": stack.enter_context(Kafka(scratch / "kafka", settings=SETTINGS)),
            "drave": stack.enter_context(Drave(scratch / "drave", settings=SETTINGS)),
            "drave, page cache": stack.enter_context(Drave(scratch / "os", settings=SETTINGS | {"durability": "os"})),
        }


@click.command()
@click.option("--rounds", default=3, help="How often each work is done on each broker, in turn, after a warm-up.")
@click.option("--warm-ups", default=3, help="How often before that, which does not count.")
def main(rounds: int, warm_ups: int) -> None:
    """Print deliveries a second, and how they compare with Apache Kafka's in the same run."""
    with tempfile.TemporaryDirectory(prefix="queues-") as scratch, brokers(Path(scratch)) as found:
        result: dict[str, dict[str, list[int]]] = {}
        for work in WORKS:
            rates = result[work.name] = {name: [] for name in found}
            for turn in range(-warm_ups, rounds):
                for name in list(found) if turn % 2 else list(found)[::-1]:
                    topic = f"{work.members}-{work.at_a_time}-{turn + warm_ups}"
                    rate = deliveries_per_s(found[name].port, topic, work)
                    if turn >= 0:
                        rates[name].append(round(rate))
            for name in found:
                ratios = [ours / theirs for ours, theirs in zip(rates[name], rates["kafka"], strict=True)]
                click.echo(
                    f"{work.name:28} {name:18} {statistics.median(rates[name]):9,.0f}/s   "
                    f"{statistics.median(ratios):5.2f} of Kafka ({min(ratios):.2f} to {max(ratios):.2f})"
                )
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()
