"""What is counted: requests as clients send them, answered by the whole broker, from the session to the disk's seam.

    bytes ─▶ Session ─▶ handler ─▶ log ─▶ flusher ─▶ SimulatedDisk
    bytes ◀─ Session ◀─ reply ◀─ high watermark ◀────┘

Time stands still, the loop's turns are taken by hand, and the commit thread is a place in the same queue. Versions are
those that librdkafka speaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, repeat
from typing import Any, Final

import msgspec

from drave.broker.coordinator.share.state import SharePartition
from drave.catalog import Topic
from drave.model.clock import Scheduler
from drave.model.errors import ErrorCode
from drave.model.ids import Offset
from drave.net.listener import Sessions
from drave.wire.api import ApiKey
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k78_share_fetch import AcknowledgementBatch, ShareFetchRequest
from drave.wire.messages.k78_share_fetch import FetchPartition as SharePlace
from drave.wire.messages.k78_share_fetch import FetchTopic as ShareTopic
from tests.broker.still import StillBroker, batch_of, produce_request
from tests.net import harness

PRODUCE: Final = 10
FETCH: Final = 16
METADATA: Final = 12
COMMIT: Final = 9
JOIN: Final = 5
SYNC: Final = 3
HEARTBEAT: Final = 3
INIT_PRODUCER_ID: Final = 4
SHARE_FETCH: Final = 2

RIDES: Final = "rides"
GROUP: Final = "prices"
SMALL: Final = b"x" * 100
CROWD: Final = 64
MANY: Final = 100
"""Partitions of one request, or of one session."""
QUEUE: Final = 8
"""Partitions of a queue."""
TOPICS: Final = 50
"""Those beside the one that is asked for."""
BULK_PRODUCE: Final = 900_000
BULK_BATCH: Final = 64_000
BULK_BATCHES: Final = 20
BULK_FETCH: Final = 1024 * 1024
"""librdkafka's `fetch.message.max.bytes`."""
WARM_UPS: Final = 32
STEPS: Final = 32
"""How often a request is counted; large ones count less often."""
FRAMES: Final = WARM_UPS + 2 * STEPS + 1
"""So many steps are taken of a scenario: see `counting.count`."""


class Thread:
    """The broker's other thread, as a place in the loop's queue. A `drave.log.driver.Lane`."""

    def __init__(self, name: str, done: Callable[[Any, BaseException | None], None], scheduler: Scheduler) -> None:
        self._done = done
        self._scheduler = scheduler

    def give(self, work: Any) -> None:
        self._scheduler.call_soon(self._do, work)

    def _do(self, work: Any) -> None:
        work.run()
        self._done(work, None)

    def stop(self, *, wait: bool) -> None:
        """Nothing to end."""


class Client(harness.Client):
    """A connection that keeps every reply, to be looked at when nothing is counted any more."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.sessions)
        self._run = machine.still.run
        self.frames: list[bytes] = []

    def tell(self, request: bytes) -> None:
        """Let one request arrive, and whatever follows from it happen."""
        self.send_bytes(request)
        self._run()

    def take(self) -> None:
        """Keep the reply that has come."""
        self.frames.append(bytes(self.received))
        self.received.clear()

    def ask(self, key: ApiKey, version: int, request: Any) -> Any:
        """The response to a request."""
        self.tell(frame_of(key, version, request))
        self.take()
        return response_in(self.frames.pop(), key, version)


class Machine:
    """A whole broker without threads, sockets, time and disk."""

    def __init__(self, *, durability: str = "fsync") -> None:
        self.still = StillBroker(durability=durability, listen="127.0.0.1:9092")
        self.still.logs.start(self.still.scheduler, _raise, Thread)
        self.sessions = Sessions(self.still.broker)
        self.still.run()

    def client(self) -> Client:
        return Client(self)

    def topic(self, partitions: int = 1) -> Topic:
        """The one that requests are about."""
        return self.still.create(RIDES, partitions)

    def member(self, client: Client) -> JoinGroupResponse:
        """Let the client be the one member of a stable group."""
        asyncio.run(self._ensure_groups())
        protocol = JoinGroupRequestProtocol(name="range", metadata=bytes(20))
        join = JoinGroupRequest(
            group_id=GROUP,
            session_timeout_ms=45_000,
            rebalance_timeout_ms=300_000,
            member_id="",
            protocol_type="consumer",
            protocols=[protocol],
        )
        join.member_id = client.ask(ApiKey.JOIN_GROUP, JOIN, join).member_id
        joined: JoinGroupResponse = client.ask(ApiKey.JOIN_GROUP, JOIN, join)
        mine = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=bytes(20))
        sync = SyncGroupRequest(
            group_id=GROUP, generation_id=joined.generation_id, member_id=joined.member_id, assignments=[mine]
        )
        assert client.ask(ApiKey.SYNC_GROUP, SYNC, sync).error_code == ErrorCode.NONE
        return joined

    def share(self, topic: Topic) -> None:
        """Let a share group read the topic from its beginning."""
        asyncio.run(self._initialize({SharePartition(topic.topic_id, each): Offset(0) for each in range(QUEUE)}))

    async def _initialize(self, starts: dict[SharePartition, Offset]) -> None:
        done = asyncio.create_task(self.still.broker.share_states.initialize(GROUP, starts, state_epoch=1))
        while not done.done():
            await asyncio.sleep(0)
            self.still.run()
        assert set(done.result().values()) == {ErrorCode.NONE}

    async def _ensure_groups(self) -> None:
        await self.still.broker.groups.ensure_topic()


class Scene:
    """One kind of request, to a broker that is ready for it: each step sends it once and has the reply."""

    def __init__(
        self, client: Client, key: ApiKey, version: int, frames: Iterable[bytes], *, steps: int = STEPS
    ) -> None:
        self.client = client
        self.key = key
        self.version = version
        self.steps = steps
        self._next = iter(frames).__next__

    def step(self) -> None:
        self.client.tell(self._next())
        self.client.take()

    def frames(self) -> Iterable[bytes]:
        """All replies."""
        return self.client.frames

    def check(self) -> None:
        """Whether every request was answered, by one reply without an error."""
        for frame in self.frames():
            assert not list(errors_in(response_in(frame, self.key, self.version)))


class WokenScene(Scene):
    """A fetch waits, and a producer's record wakes it: the step is all three."""

    def __init__(self, client: Client, version: int, frames: Iterable[bytes], producer: Client, record: bytes) -> None:
        super().__init__(client, ApiKey.FETCH, version, frames)
        self._producer = producer
        self._record = record

    def step(self) -> None:
        self.client.tell(self._next())
        assert not self.client.received, "the fetch waits"
        self._producer.tell(self._record)
        self.client.take()


class CrowdScene(Scene):
    """Clients that each send one request in the same turn of the loop: the step is all of them."""

    def __init__(self, clients: list[Client], key: ApiKey, version: int, frame: bytes) -> None:
        super().__init__(clients[0], key, version, repeat(frame), steps=4)
        self._clients = clients

    def step(self) -> None:
        frame = self._next()
        for client in self._clients[1:]:
            client.send_bytes(frame)
        self.client.tell(frame)
        for client in self._clients:
            client.take()

    def frames(self) -> Iterable[bytes]:
        return chain.from_iterable(client.frames for client in self._clients)


def frame_of(key: ApiKey, version: int, request: Any) -> bytes:
    """A request as it travels."""
    return b"".join(encode_request(key, version, 1, "rdkafka", request))


def response_in(frame: bytes, key: ApiKey, version: int) -> Any:
    """The message in the one reply that these bytes are."""
    assert frame[:4] == max(0, len(frame) - 4).to_bytes(4), "one reply, and whole"
    return decode_reply(key, version, frame[4:])[1]


def errors_in(message: Any) -> Iterator[int]:
    """Every error code in a response that is one."""
    if isinstance(message, list):
        for each in message:
            yield from errors_in(each)
    elif isinstance(message, msgspec.Struct):
        for name in message.__struct_fields__:
            value = getattr(message, name)
            if name.endswith("error_code") and value:
                yield value
            yield from errors_in(value)


def _raise(error: BaseException) -> None:
    raise error


# -- the scenarios


def produce(durability: str) -> Scene:
    """One record of 100 bytes."""
    machine = Machine(durability=durability)
    machine.topic()
    request = produce_request(RIDES, {0: batch_of(SMALL)})
    return Scene(machine.client(), ApiKey.PRODUCE, PRODUCE, repeat(frame_of(ApiKey.PRODUCE, PRODUCE, request)))


def produce_idempotent(durability: str) -> Scene:
    """The same, numbered by its producer."""
    machine = Machine(durability=durability)
    machine.topic()
    client = machine.client()
    init = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    producer_id = asyncio.run(_later(machine, client, init)).producer_id
    frames = [
        frame_of(
            ApiKey.PRODUCE,
            PRODUCE,
            produce_request(
                RIDES, {0: batch_of(SMALL, producer_id=producer_id, producer_epoch=0, base_sequence=number)}
            ),
        )
        for number in range(FRAMES)
    ]
    return Scene(client, ApiKey.PRODUCE, PRODUCE, frames)


def produce_crowd(durability: str) -> Scene:
    """The same from many clients at once, which share a commit."""
    machine = Machine(durability=durability)
    machine.topic()
    frame = frame_of(ApiKey.PRODUCE, PRODUCE, produce_request(RIDES, {0: batch_of(SMALL)}))
    return CrowdScene([machine.client() for _ in range(CROWD)], ApiKey.PRODUCE, PRODUCE, frame)


def produce_many(durability: str) -> Scene:
    """One batch for each of many partitions, in one request."""
    machine = Machine(durability=durability)
    machine.topic(MANY)
    request = produce_request(RIDES, dict.fromkeys(range(MANY), batch_of(SMALL)))
    return Scene(machine.client(), ApiKey.PRODUCE, PRODUCE, repeat(frame_of(ApiKey.PRODUCE, PRODUCE, request)), steps=4)


def produce_bulk(durability: str) -> Scene:
    """One batch of a megabyte less some."""
    machine = Machine(durability=durability)
    machine.topic()
    request = produce_request(RIDES, {0: batch_of(bytes(BULK_PRODUCE))})
    return Scene(machine.client(), ApiKey.PRODUCE, PRODUCE, repeat(frame_of(ApiKey.PRODUCE, PRODUCE, request)), steps=4)


def fetch_bulk() -> Scene:
    """As much as fits into a megabyte, in batches of 64 kB."""
    machine = Machine(durability="os")
    topic = machine.topic()
    for _ in range(BULK_BATCHES):
        machine.still.append(topic, bytes(BULK_BATCH))
    frame = frame_of(ApiKey.FETCH, FETCH, _fetch(topic, 0))
    return Scene(machine.client(), ApiKey.FETCH, FETCH, repeat(frame), steps=4)


def fetch_woken() -> Scene:
    """A long poll of librdkafka, which has no fetch sessions."""
    machine = Machine(durability="os")
    topic = machine.topic()
    frames = [frame_of(ApiKey.FETCH, FETCH, _fetch(topic, offset)) for offset in range(FRAMES)]
    return WokenScene(machine.client(), FETCH, frames, machine.client(), _record())


def fetch_session_woken() -> Scene:
    """A long poll of the Java client: a session over many partitions, one of which has news (KIP-227)."""
    machine = Machine(durability="os")
    topic = machine.topic(MANY)
    client = machine.client()
    begin = _fetch(topic, 0, epoch=0, partitions=MANY)
    session = client.ask(ApiKey.FETCH, FETCH, begin).session_id
    frames = [
        frame_of(ApiKey.FETCH, FETCH, _fetch(topic, number, session=session, epoch=number + 1))
        for number in range(FRAMES)
    ]
    return WokenScene(client, FETCH, frames, machine.client(), _record())


def metadata() -> Scene:
    """One topic of sixteen partitions, among others."""
    machine = Machine()
    machine.topic(16)
    for number in range(TOPICS):
        machine.still.create(f"other-{number}", 4)
    request = MetadataRequest(topics=[MetadataRequestTopic(name=RIDES)])
    return Scene(machine.client(), ApiKey.METADATA, METADATA, repeat(frame_of(ApiKey.METADATA, METADATA, request)))


def heartbeat() -> Scene:
    """The one member of a stable group."""
    machine = Machine()
    client = machine.client()
    member = machine.member(client)
    request = HeartbeatRequest(group_id=GROUP, generation_id=member.generation_id, member_id=member.member_id)
    return Scene(client, ApiKey.HEARTBEAT, HEARTBEAT, repeat(frame_of(ApiKey.HEARTBEAT, HEARTBEAT, request)))


def offset_commit(durability: str) -> Scene:
    """One offset of a member."""
    machine = Machine(durability=durability)
    machine.topic()
    client = machine.client()
    member = machine.member(client)
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=7, committed_metadata="")
    request = OffsetCommitRequest(
        group_id=GROUP,
        generation_id_or_member_epoch=member.generation_id,
        member_id=member.member_id,
        topics=[OffsetCommitRequestTopic(name=RIDES, partitions=[partition])],
    )
    return Scene(client, ApiKey.OFFSET_COMMIT, COMMIT, repeat(frame_of(ApiKey.OFFSET_COMMIT, COMMIT, request)))


def share_fetch(durability: str) -> Scene:
    """A worker accepts a record and is given the next one, of another partition of the queue (KIP-1206)."""
    machine = Machine(durability=durability)
    topic = machine.topic(QUEUE)
    machine.share(topic)
    client = machine.client()
    record = frame_of(ApiKey.PRODUCE, PRODUCE, produce_request(RIDES, dict.fromkeys(range(QUEUE), batch_of(SMALL))))
    for _ in range(-(-FRAMES // QUEUE) + 1):
        client.tell(record)
        client.take()
    client.frames.clear()
    client.ask(ApiKey.SHARE_FETCH, SHARE_FETCH, _share_fetch(topic, 0))
    frames = [frame_of(ApiKey.SHARE_FETCH, SHARE_FETCH, _share_fetch(topic, epoch + 1)) for epoch in range(FRAMES)]
    return Scene(client, ApiKey.SHARE_FETCH, SHARE_FETCH, frames)


SCENARIOS: Final[Mapping[str, Callable[[], Scene]]] = {
    "produce, fsync": partial(produce, "fsync"),
    "produce, os": partial(produce, "os"),
    "produce, idempotent, fsync": partial(produce_idempotent, "fsync"),
    "produce, idempotent, os": partial(produce_idempotent, "os"),
    "produce, 64 clients, fsync": partial(produce_crowd, "fsync"),
    "produce, 64 clients, os": partial(produce_crowd, "os"),
    "produce, 100 partitions, fsync": partial(produce_many, "fsync"),
    "produce, 100 partitions, os": partial(produce_many, "os"),
    "produce, bulk, fsync": partial(produce_bulk, "fsync"),
    "fetch, bulk": fetch_bulk,
    "fetch, woken by a produce": fetch_woken,
    "fetch, woken by a produce, session of 100 partitions": fetch_session_woken,
    "metadata, one topic": metadata,
    "heartbeat": heartbeat,
    "offset commit, fsync": partial(offset_commit, "fsync"),
    "offset commit, os": partial(offset_commit, "os"),
    "share fetch, one record of 8 partitions, fsync": partial(share_fetch, "fsync"),
    "share fetch, one record of 8 partitions, os": partial(share_fetch, "os"),
}


def _fetch(topic: Topic, offset: int, *, session: int = 0, epoch: int = -1, partitions: int = 1) -> FetchRequest:
    wanted = [
        FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=BULK_FETCH)
        for index in range(partitions)
    ]
    return FetchRequest(
        max_wait_ms=0 if epoch == 0 else 500,
        min_bytes=1,
        max_bytes=50 * BULK_FETCH,
        session_id=session,
        session_epoch=epoch,
        topics=[FetchTopic(topic_id=topic.topic_id, partitions=wanted)],
    )


def _share_fetch(topic: Topic, epoch: int) -> ShareFetchRequest:
    """A session's partitions come first in turn, so what it had last is of the one before."""
    places = [SharePlace(partition_index=index, acknowledgement_batches=[]) for index in range(QUEUE)]
    if epoch:
        at, partition = divmod(epoch - 1, QUEUE)
        accepted = AcknowledgementBatch(first_offset=at, last_offset=at, acknowledge_types=[1])
        places = [SharePlace(partition_index=partition, acknowledgement_batches=[accepted])]
    return ShareFetchRequest(
        group_id=GROUP,
        member_id="worker",
        share_session_epoch=epoch,
        max_wait_ms=500,
        min_bytes=1,
        max_bytes=50 * BULK_FETCH,
        max_records=1,
        batch_size=1,
        share_acquire_mode=1,
        topics=[ShareTopic(topic_id=topic.topic_id, partitions=places)],
        forgotten_topics_data=[],
    )


def _record() -> bytes:
    return frame_of(ApiKey.PRODUCE, PRODUCE, produce_request(RIDES, {0: batch_of(SMALL)}))


async def _later(machine: Machine, client: Client, request: Any) -> Any:
    """The response of a handler that is a coroutine."""
    client.tell(frame_of(ApiKey.INIT_PRODUCER_ID, INIT_PRODUCER_ID, request))
    while not client.received:
        await asyncio.sleep(0)
    client.take()
    return response_in(client.frames.pop(), ApiKey.INIT_PRODUCER_ID, INIT_PRODUCER_ID)
