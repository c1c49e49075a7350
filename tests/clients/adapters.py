"""Three Kafka clients behind one small surface, so that one law is one test.

Each adapter uses its library as its users do and adds nothing of its own: no retry, no waiting beyond a deadline. What
a client refuses, or is refused, comes out as `Refusal` with Kafka's error code.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar

import aiokafka
import aiokafka.admin
import aiokafka.errors
import confluent_kafka
import confluent_kafka.admin

from drave.model.errors import ErrorCode

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its schemas in a way that Python calls old
    import kafka
    import kafka.admin
    import kafka.errors

DEADLINE_S: Final = 120.0
BYTES_MAX: Final = 10_000_000
"""What clients may send: above the broker's own bound, so that it is the broker who refuses."""

T = TypeVar("T")


class Running(Protocol):
    """A broker that clients can reach."""

    @property
    def bootstrap(self) -> str: ...


class Restartable(Running, Protocol):
    """A broker that can be ended and brought back on the same folder and port."""

    def start(self) -> Any: ...

    def restart(self) -> Any: ...

    def kill(self) -> None: ...


class Send(NamedTuple):
    """A record as a producer has it."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int | None = None


class Got(NamedTuple):
    """A record as a consumer has it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Refusal(Exception):
    """An error code of the broker's, as the client reported it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Late(AssertionError):
    """What was awaited did not come before the deadline."""


class Client(Protocol):
    """What the tests ask of every client."""

    name: ClassVar[str]
    codecs: ClassVar[frozenset[str]]

    def __init__(self, bootstrap: str) -> None: ...

    def produce(
        self,
        topic: str,
        records: Sequence[Send],
        *,
        partition: int | None = 0,
        acks: str = "all",
        idempotent: bool = False,
        codec: str = "none",
    ) -> list[int]:
        """Send, wait for every acknowledgement, and return the offsets (meaningless with acks=0)."""
        ...

    def consume(self, topic: str, count: int, *, partition: int = 0, start: int = 0) -> list[Got]:
        """Read so many records from an offset on. Raises Late."""
        ...

    def consume_in_group(self, topic: str, count: int, *, group: str) -> list[Got]:
        """Join, read so many records from where the group stands, commit, leave. Raises Late."""
        ...

    def ends(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """The log's start and its high watermark."""
        ...

    def offset_for_time(self, topic: str, timestamp_ms: int, partition: int = 0) -> int | None:
        """The first offset whose timestamp is at or after this; None when there is none."""
        ...

    def create(self, topic: str, *, partitions: int = 1, replicas: int = 1, **configs: str) -> None: ...

    def delete(self, topic: str) -> None: ...

    def grow(self, topic: str, partitions: int) -> None:
        """To so many partitions."""
        ...

    def delete_records(self, topic: str, before: int, *, partition: int = 0) -> int:
        """Those before an offset; -1 stands for the end. Returns where the log begins then."""
        ...

    def topics(self) -> Mapping[str, int]:
        """Every topic, and how many partitions it has."""
        ...


def poll_until(poll: Callable[[], Sequence[T]], count: int) -> list[T]:
    """Poll until so many things have come. Raises Late."""
    deadline = time.monotonic() + DEADLINE_S
    things: list[T] = []
    while len(things) < count:
        if time.monotonic() > deadline:
            raise Late(f"{len(things)} of {count} came within {DEADLINE_S:.0f} s")
        things += poll()
    return things


class ConfluentKafka:
    """confluent-kafka, which is librdkafka."""

    name = "confluent-kafka"
    codecs = frozenset({"none", "gzip", "snappy", "lz4", "zstd"})

    def __init__(self, bootstrap: str) -> None:
        self._common: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}

    def produce(
        self,
        topic: str,
        records: Sequence[Send],
        *,
        partition: int | None = 0,
        acks: str = "all",
        idempotent: bool = False,
        codec: str = "none",
    ) -> list[int]:
        offsets: list[int] = []
        errors: list[confluent_kafka.KafkaError] = []

        def delivered(error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
            if error is not None:
                errors.append(error)
            else:
                offsets.append(message.offset() or 0)

        own = {"acks": acks, "enable.idempotence": idempotent, "compression.type": codec}
        producer = confluent_kafka.Producer({**self._common, **own, "message.max.bytes": BYTES_MAX, "linger.ms": 1})
        where = {} if partition is None else {"partition": partition}
        for record in records:
            when = {} if record.timestamp is None else {"timestamp": record.timestamp}
            producer.produce(
                topic, record.value, record.key, headers=list(record.headers), on_delivery=delivered, **where, **when
            )
        left = producer.flush(DEADLINE_S)
        producer.close()
        if errors:
            raise Refusal(errors[0].code(), errors[0].str())
        if left:
            raise Late(f"{left} of {len(records)} were not acknowledged within {DEADLINE_S:.0f} s")
        return offsets

    def _consumer(self, **own: Any) -> confluent_kafka.Consumer:
        return confluent_kafka.Consumer(
            {**self._common, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "earliest", **own}
        )

    def consume(self, topic: str, count: int, *, partition: int = 0, start: int = 0) -> list[Got]:
        consumer = self._consumer()
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, partition, start)])
            return poll_until(lambda: self._take(consumer, count), count)[:count]
        finally:
            consumer.close()

    def consume_in_group(self, topic: str, count: int, *, group: str) -> list[Got]:
        consumer = self._consumer(**{"group.id": group})
        try:
            consumer.subscribe([topic])
            got = poll_until(lambda: self._take(consumer, 1), count)
            consumer.commit(asynchronous=False)
            return got
        finally:
            consumer.close()

    @staticmethod
    def _take(consumer: confluent_kafka.Consumer, count: int) -> list[Got]:
        got = []
        for message in consumer.consume(count, timeout=0.1):
            if (error := message.error()) is not None:
                raise Refusal(error.code(), error.str())
            headers = tuple(message.headers() or ())
            _, timestamp = message.timestamp()
            got.append(Got(message.offset() or 0, timestamp, message.key(), message.value(), headers))
        return got

    def ends(self, topic: str, partition: int = 0) -> tuple[int, int]:
        consumer = self._consumer()
        try:
            return self._ends(consumer, confluent_kafka.TopicPartition(topic, partition))
        finally:
            consumer.close()

    @staticmethod
    def _ends(consumer: confluent_kafka.Consumer, where: confluent_kafka.TopicPartition) -> tuple[int, int]:
        """The other clients ask again by themselves while a broker that has just started does not lead yet."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                ends: tuple[int, int] = consumer.get_watermark_offsets(where, timeout=DEADLINE_S)
            except confluent_kafka.KafkaException as error:
                if error.args[0].code() != ErrorCode.NOT_LEADER_OR_FOLLOWER or time.monotonic() > deadline:
                    raise
            else:
                return ends

    def offset_for_time(self, topic: str, timestamp_ms: int, partition: int = 0) -> int | None:
        consumer = self._consumer()
        try:
            asked = confluent_kafka.TopicPartition(topic, partition, timestamp_ms)
            offset = consumer.offsets_for_times([asked], timeout=DEADLINE_S)[0].offset
            return None if offset == confluent_kafka.OFFSET_END else offset
        finally:
            consumer.close()

    def _admin(self) -> confluent_kafka.admin.AdminClient:
        return confluent_kafka.admin.AdminClient(self._common)

    def create(self, topic: str, *, partitions: int = 1, replicas: int = 1, **configs: str) -> None:
        wanted = confluent_kafka.admin.NewTopic(topic, partitions, replicas, config=_dotted(configs))
        admin = self._admin()
        self._wait(admin.create_topics([wanted]))

    def delete(self, topic: str) -> None:
        admin = self._admin()
        self._wait(admin.delete_topics([topic]))

    def grow(self, topic: str, partitions: int) -> None:
        admin = self._admin()
        self._wait(admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, partitions)]))

    def delete_records(self, topic: str, before: int, *, partition: int = 0) -> int:
        admin = self._admin()
        (done,) = self._wait(admin.delete_records([confluent_kafka.TopicPartition(topic, partition, before)]))
        return int(done.low_watermark)

    @staticmethod
    def _wait(futures: Mapping[Any, Any]) -> list[Any]:
        results = []
        for future in futures.values():
            try:
                results.append(future.result(DEADLINE_S))
            except confluent_kafka.KafkaException as error:
                raise Refusal(error.args[0].code(), error.args[0].str()) from error
        return results

    def topics(self) -> Mapping[str, int]:
        topics = self._admin().list_topics(timeout=DEADLINE_S).topics
        return {name: len(topic.partitions) for name, topic in topics.items()}


class KafkaPython:
    """kafka-python."""

    name = "kafka-python"
    codecs = frozenset({"none", "gzip", "lz4", "zstd"} | ({"snappy"} if kafka.codec.has_snappy() else set()))

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def produce(
        self,
        topic: str,
        records: Sequence[Send],
        *,
        partition: int | None = 0,
        acks: str = "all",
        idempotent: bool = False,
        codec: str = "none",
    ) -> list[int]:
        with (
            _kafka_errors(kafka.errors.KafkaError),
            kafka.KafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks=acks if acks == "all" else int(acks),
                enable_idempotence=idempotent,
                compression_type=None if codec == "none" else codec,
                max_request_size=BYTES_MAX,
            ) as producer,
        ):
            sent = [
                producer.send(
                    topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=partition,
                    timestamp_ms=record.timestamp,
                )
                for record in records
            ]
            return [future.get(DEADLINE_S).offset for future in sent]

    def _consumer(self, *topics: str, **own: Any) -> Any:
        return kafka.KafkaConsumer(
            *topics,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **own,
        )

    def consume(self, topic: str, count: int, *, partition: int = 0, start: int = 0) -> list[Got]:
        consumer = self._consumer()
        try:
            where = kafka.TopicPartition(topic, partition)
            consumer.assign([where])
            consumer.seek(where, start)
            return poll_until(lambda: self._take(consumer, count), count)[:count]
        finally:
            consumer.close()

    def consume_in_group(self, topic: str, count: int, *, group: str) -> list[Got]:
        consumer = self._consumer(topic, group_id=group, max_poll_records=1)
        try:
            got = poll_until(lambda: self._take(consumer, 1), count)
            consumer.commit()
            return got
        finally:
            consumer.close()

    @staticmethod
    def _take(consumer: Any, count: int) -> list[Got]:
        # Patient, for a poll of kafka-python 3.0 that times out while it rejoins its group forgets the assignment.
        polled = consumer.poll(timeout_ms=5_000, max_records=count)
        return [
            Got(record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
            for records in polled.values()
            for record in records
        ]

    def ends(self, topic: str, partition: int = 0) -> tuple[int, int]:
        consumer = self._consumer()
        try:
            where = kafka.TopicPartition(topic, partition)
            return consumer.beginning_offsets([where])[where], consumer.end_offsets([where])[where]
        finally:
            consumer.close()

    def offset_for_time(self, topic: str, timestamp_ms: int, partition: int = 0) -> int | None:
        consumer = self._consumer()
        try:
            where = kafka.TopicPartition(topic, partition)
            found = consumer.offsets_for_times({where: timestamp_ms})[where]
            return None if found is None else found.offset
        finally:
            consumer.close()

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        with _kafka_errors(kafka.errors.KafkaError):
            admin = kafka.admin.KafkaAdminClient(bootstrap_servers=self._bootstrap)
            try:
                yield admin
            finally:
                admin.close()

    def create(self, topic: str, *, partitions: int = 1, replicas: int = 1, **configs: str) -> None:
        with self._admin() as admin:
            admin.create_topics([kafka.admin.NewTopic(topic, partitions, replicas, topic_configs=_dotted(configs))])

    def delete(self, topic: str) -> None:
        with self._admin() as admin:
            admin.delete_topics([topic])

    def grow(self, topic: str, partitions: int) -> None:
        with self._admin() as admin:
            admin.create_partitions({topic: partitions})

    def delete_records(self, topic: str, before: int, *, partition: int = 0) -> int:
        where = kafka.TopicPartition(topic, partition)
        with self._admin() as admin:
            return int(admin.delete_records({where: before})[where]["low_watermark"])

    def topics(self) -> Mapping[str, int]:
        with self._admin() as admin:
            return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}


class AioKafka:
    """aiokafka, each call in an event loop of its own."""

    name = "aiokafka"
    codecs = frozenset({"none", "gzip", "snappy", "lz4", "zstd"})

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def produce(
        self,
        topic: str,
        records: Sequence[Send],
        *,
        partition: int | None = 0,
        acks: str = "all",
        idempotent: bool = False,
        codec: str = "none",
    ) -> list[int]:
        async def work() -> list[int]:
            async with aiokafka.AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks=acks if acks == "all" else int(acks),
                enable_idempotence=idempotent,
                compression_type=None if codec == "none" else codec,
                max_request_size=BYTES_MAX,
            ) as producer:
                sent = [
                    await producer.send(
                        topic,
                        record.value,
                        record.key,
                        partition=partition,
                        headers=list(record.headers),
                        timestamp_ms=record.timestamp,
                    )
                    for record in records
                ]
                done = await asyncio.gather(*sent)
                return [0 if one is None else one.offset for one in done]

        return _run(work())

    async def _take(self, consumer: aiokafka.AIOKafkaConsumer, count: int) -> list[Got]:
        got: list[Got] = []
        async with asyncio.timeout(DEADLINE_S):
            while len(got) < count:
                record = await consumer.getone()
                got.append(Got(record.offset, record.timestamp, record.key, record.value, tuple(record.headers)))
        return got

    def consume(self, topic: str, count: int, *, partition: int = 0, start: int = 0) -> list[Got]:
        async def work() -> list[Got]:
            async with self._consumer() as consumer:
                where = aiokafka.TopicPartition(topic, partition)
                consumer.assign([where])
                consumer.seek(where, start)
                return await self._take(consumer, count)

        return _run(work())

    def consume_in_group(self, topic: str, count: int, *, group: str) -> list[Got]:
        async def work() -> list[Got]:
            async with self._consumer(topic, group_id=group) as consumer:
                got = await self._take(consumer, count)
                await consumer.commit()
                return got

        return _run(work())

    def _consumer(self, *topics: str, **own: Any) -> aiokafka.AIOKafkaConsumer:
        return aiokafka.AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **own,
        )

    def ends(self, topic: str, partition: int = 0) -> tuple[int, int]:
        async def work() -> tuple[int, int]:
            async with self._consumer() as consumer:
                where = aiokafka.TopicPartition(topic, partition)
                start, end = await consumer.beginning_offsets([where]), await consumer.end_offsets([where])
                return start[where], end[where]

        return _run(work())

    def offset_for_time(self, topic: str, timestamp_ms: int, partition: int = 0) -> int | None:
        async def work() -> int | None:
            async with self._consumer() as consumer:
                where = aiokafka.TopicPartition(topic, partition)
                found = (await consumer.offsets_for_times({where: timestamp_ms}))[where]
                return None if found is None else found.offset

        return _run(work())

    def create(self, topic: str, *, partitions: int = 1, replicas: int = 1, **configs: str) -> None:
        wanted = aiokafka.admin.NewTopic(topic, partitions, replicas, topic_configs=_dotted(configs))

        async def work() -> None:
            async with _aio_admin(self._bootstrap) as admin:
                _check_aio(await admin.create_topics([wanted]))

        _run(work())

    def delete(self, topic: str) -> None:
        async def work() -> None:
            async with _aio_admin(self._bootstrap) as admin:
                _check_aio(await admin.delete_topics([topic]))

        _run(work())

    def grow(self, topic: str, partitions: int) -> None:
        async def work() -> None:
            async with _aio_admin(self._bootstrap) as admin:
                await admin.create_partitions({topic: aiokafka.admin.NewPartitions(partitions)})

        _run(work())

    def delete_records(self, topic: str, before: int, *, partition: int = 0) -> int:
        where = aiokafka.TopicPartition(topic, partition)

        async def work() -> int:
            async with _aio_admin(self._bootstrap) as admin:
                done = await admin.delete_records({where: aiokafka.admin.RecordsToDelete(before_offset=before)})
                return int(done[where])

        return _run(work())

    def topics(self) -> Mapping[str, int]:
        async def work() -> Mapping[str, int]:
            async with _aio_admin(self._bootstrap) as admin:
                return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}

        return _run(work())


CLIENTS: Final[tuple[type[Client], ...]] = (ConfluentKafka, AioKafka, KafkaPython)


class _aio_admin:  # noqa: N801  # a context manager that reads as a function
    """aiokafka's admin client has no `async with` of its own."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = aiokafka.admin.AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> Any:
        await self._admin.start()
        return self._admin

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()


def _check_aio(response: Any) -> None:
    """aiokafka hands out the response as it came."""
    errors = getattr(response, "topic_errors", None) or response.topic_error_codes
    for _, code, *message in errors:
        if code:
            raise Refusal(code, str(message))


def _run(work: Coroutine[Any, Any, T]) -> T:
    with _kafka_errors(aiokafka.errors.KafkaError):
        return asyncio.run(work)


@contextmanager
def _kafka_errors(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        raise Refusal(getattr(error, "errno", -1), str(error)) from error


def _dotted(configs: Mapping[str, str]) -> dict[str, str]:
    """Keyword arguments cannot have dots: `retention_ms` stands for `retention.ms`."""
    return {name.replace("_", "."): value for name, value in configs.items()}
