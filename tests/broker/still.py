"""A broker on which nothing happens by itself: no thread, no timer, no disk.

    call = still.send(request)    what the handler did at once
    still.commit()                what was appended becomes durable
    still.run(), advance(ms)      what waits for its turn, or for a time, happens
    call.response                 the reply, when there is one

Requests and replies pass through the codec of their version, in a buffer that is overwritten once the handler returned.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from drave import records
from drave.broker.context import Context, Pending
from drave.broker.core import Broker
from drave.broker.dispatch import route
from drave.catalog import Topic
from drave.catalog.memory import MemoryCatalog
from drave.log import Logs, PartitionLog
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.model.settings import BrokerSettings
from drave.records import NewRecord, Record
from drave.testing.disk import SimulatedDisk
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply, decode_request, encode_request
from drave.wire.messages.k00_produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)

NOW_MS = 1_750_000_000_000


class StillClock:
    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000


class Numbers:
    """Entropy that counts."""

    def __init__(self) -> None:
        self._next = itertools.count(1)

    def topic_id(self) -> TopicId:
        return TopicId(next(self._next).to_bytes(16))

    def uuid_text(self) -> str:
        return f"00000000-0000-0000-0000-{next(self._next):012}"

    def uniform(self, low: float, high: float) -> float:
        return min(low + next(self._next), high)


class Timer:
    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., Any] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None


class StillScheduler:
    """A loop whose turns are taken by hand."""

    def __init__(self, clock: StillClock) -> None:
        self._clock = clock
        self._soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self._clock.monotonic()

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self._soon.append((callback, args))

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        timer = Timer(callback, args)
        heapq.heappush(self._timers, (self._clock.now_ms + delay * 1000, next(self._numbers), timer))
        return timer

    def run(self) -> None:
        """Everything whose turn it is."""
        while self._soon or (self._timers and self._timers[0][0] <= self._clock.now_ms):
            if self._soon:
                callback, args = self._soon.popleft()
                callback(*args)
            else:
                timer = heapq.heappop(self._timers)[2]
                if timer.callback is not None:
                    timer.callback(*timer.args)

    @property
    def timers(self) -> int:
        """Those that somebody still waits for."""
        return sum(timer.callback is not None for _, _, timer in self._timers)


class Call:
    """One request, and what became of it."""

    def __init__(self, connection: RecordedConnection, key: ApiKey, version: int) -> None:
        self.connection = connection
        self.response: Any = None
        self.pending: Pending | None = None
        self._key = key
        self._version = version

    @property
    def is_answered(self) -> bool:
        return self.response is not None

    def deliver(self, response: Any) -> None:
        assert not self.is_answered, "a request is answered once"
        parts = route(self._key, self._version).encode(1, response)
        self.response = decode_reply(self._key, self._version, b"".join(parts)[4:])[1]

    def hang_up(self) -> None:
        """The client goes."""
        assert self.pending is not None
        self.pending.cancel()


class RecordedConnection:
    """What a handler did to the connection that asked."""

    client_host = local_host = "127.0.0.1"
    local_port = 9092

    def __init__(self) -> None:
        self.closed: str | None = None

    def close(self, reason: str) -> None:
        self.closed = reason

    def asks_anybody(self) -> None:
        pass

    def asks_the_way(self, client_id: str | None) -> None:
        pass


class StillBroker:
    """See the module."""

    def __init__(self, *, durability: str = "fsync", **given: Any) -> None:
        self.clock = StillClock()
        self.scheduler = StillScheduler(self.clock)
        self.disk = SimulatedDisk()
        settings = BrokerSettings.load(None, {}, {}, data_folder=Path("/data"), durability=durability, **given)
        entropy = Numbers()
        catalog = MemoryCatalog(entropy)
        self.logs = Logs.open(
            settings.data_folder, disk=self.disk, clock=self.clock, settings=settings.storage, topics=[]
        )
        self.broker = Broker(
            settings, clock=self.clock, entropy=entropy, scheduler=self.scheduler, catalog=catalog, logs=self.logs
        )

    # -- time

    def run(self) -> None:
        self.scheduler.run()

    def advance(self, ms: int) -> None:
        self.clock.now_ms += ms
        self.run()

    def commit(self) -> None:
        """What was appended becomes durable, and whoever waited for it is told."""
        self.logs.flush()
        self.run()

    # -- topics

    def create(self, name: str, partitions: int = 1, **configs: str) -> Topic:
        """A topic with configs under Kafka's names, `_` for `.`."""
        named = {key.replace("_", "."): value for key, value in configs.items()}
        topic_id = self.broker.entropy.topic_id()
        return at_once(self.broker.catalog.create_topic(name, topic_id, partitions, named))

    def delete(self, topic: Topic) -> None:
        at_once(self.broker.catalog.delete_topic(topic.topic_id))

    def log(self, topic: Topic, partition: int = 0) -> PartitionLog:
        log = self.logs.partition(topic.topic_id, partition)
        assert log is not None
        return log

    def read(self, topic: Topic, partition: int = 0) -> list[Record]:
        """Every record that is visible."""
        return [record for batch in self.batches(topic, partition) for record in records.read_records(batch)]

    def batches(self, topic: Topic, partition: int = 0) -> list[memoryview]:
        """Every batch that is visible, as it lies on the disk."""
        log = self.log(topic, partition)
        found = log.read_now(log.start, bytes_max=1 << 30, limit=log.high_watermark, whole_first=True)
        assert found is not None
        return [batch for part in found.parts for _, batch in records.split(part)]

    # -- requests

    def send(self, request: Any, version: int | None = None, *, client_id: str | None = "test") -> Call:
        key = ApiKey(next(key for key, api in API.items() if api.request is type(request)))
        version = API[key].versions[1] if version is None else version
        frame = bytearray(b"".join(encode_request(key, version, 1, client_id, request))[4:])
        connection = RecordedConnection()
        call = Call(connection, key, version)
        context = Context(version, client_id, connection)
        result = route(key, version).handler(self.broker, context, decode_request(frame)[1])
        if inspect.iscoroutine(result):
            result = at_once(result)
        frame[:] = b"\xee" * len(frame)
        if isinstance(result, Pending):
            call.pending = result
            result.attach(call.deliver)
        elif result is not None:
            call.deliver(result)
        return call

    def ask(self, request: Any, version: int | None = None) -> Any:
        """The response to a request that is answered at once, or once what it wrote is durable."""
        call = self.send(request, version)
        if not call.is_answered:
            self.commit()
        assert call.is_answered
        return call.response

    def produce(
        self, topic: Topic, batch: bytes | None, partition: int = 0, *, version: int = 12, acks: int = -1
    ) -> PartitionProduceResponse:
        """The answer to one batch for one partition."""
        return (
            self.ask(produce_request(topic.name, {partition: batch}, acks=acks), version)
            .responses[0]
            .partition_responses[0]
        )

    def append(self, topic: Topic, *values: bytes, partition: int = 0, **options: Any) -> int:
        """Append one batch, and make it durable; its base offset."""
        answer = self.produce(topic, batch_of(*values, **options), partition)
        assert answer.error_code == ErrorCode.NONE
        return answer.base_offset


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the coroutine waits")


def batch_of(*values: bytes, key: bytes | None = b"key", timestamp_ms: int = NOW_MS, **options: Any) -> bytes:
    """A batch of records with these values."""
    return records.build_batch([(key, value) for value in values or (b"value",)], timestamp_ms=timestamp_ms, **options)


def batch_at(*timestamps_ms: int, **options: Any) -> bytes:
    """A batch of records with these timestamps."""
    return records.build_batch([NewRecord(b"key", b"value", timestamp) for timestamp in timestamps_ms], **options)


def produce_request(name: str, batches: dict[int, bytes | None], *, acks: int = -1) -> ProduceRequest:
    data = [PartitionProduceData(index=index, records=batch) for index, batch in batches.items()]
    return ProduceRequest(acks=acks, timeout_ms=5000, topic_data=[TopicProduceData(name=name, partition_data=data)])
