"""An app without a broker: topics in memory, a clock that goes on when it is told to, crashes on demand.

    with app.test(seed=1) as t:
        t.send(requests, Request("r1", "soho", 0))
        t.advance("6m")
        assert t.read("demand") == [...]
        t.crash()
        t.recover()

The engine, the tasks and the state are the real ones; only what is below `transport.py` is in memory. Everything runs
on the caller's thread, and the same calls with the same seed give the same results.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from drave.streams.durations import Duration, milliseconds
from drave.streams.engine import Engine, EngineSettings
from drave.streams.errors import StreamsError
from drave.streams.state.memory import MemoryStates
from drave.streams.steps.base import Topic
from drave.streams.steps.sources import Source
from drave.streams.stream import Stream
from drave.streams.tables import Table
from drave.streams.testing.cluster import Cluster, MemoryTransport
from drave.streams.transport import Headers

if TYPE_CHECKING:
    from drave.streams.app import App

_STEP_MS: Final = 1000
_STEPS_MAX: Final = 500


class HandClock:
    """Goes on when it is told to."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a test reads it. `time` is in milliseconds since the epoch."""

    key: Any
    value: Any
    time: int
    partition: int
    headers: Headers = ()


class Crash(BaseException):
    """Raised in the middle of a call, as far as the engine knows for ever."""


class TestDriver:
    """Sends, reads, and lets time pass. After each call everything that can be processed has been."""

    __test__ = False  # pytest: not a class of tests

    def __init__(self, app: App, *, seed: int = 0, partitions: int = 1) -> None:
        self.app = app
        self.topology = app.topology()
        self.clock = HandClock()
        self.cluster = Cluster(partitions=partitions)
        self.states = MemoryStates()
        self.random = random.Random(seed)
        self.on_call: Callable[[str], None] = lambda call: None
        """Told of each call to the cluster; a test may raise Crash from it."""
        self._engine: Engine | None = None
        self._transport: MemoryTransport | None = None
        self._read: dict[str, list[int]] = {}
        self._topics = {step.topic.name: step.topic for step in self.topology.steps if isinstance(step, Source)}
        self._topics |= {topic.name: topic for topic in self.topology.outputs}
        own = {*self.topology.upstream, *self.topology.own_topics}
        for name in self._topics.keys() - own:
            self.cluster.create(name, self._topics[name].partitions or partitions)

    def __enter__(self) -> Self:
        self.recover()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._engine is not None:
            if kind is None:
                self._engine.close()
            else:
                self._engine.abandon()
            self._engine = None

    @property
    def now_ms(self) -> int:
        """The virtual clock, in milliseconds since the epoch; it begins at 0."""
        return self.clock.now_ms

    # -- what comes in

    def send(self, topic: str | Stream[Any], *values: Any, key: Any = None, at: Duration | None = None) -> None:
        """Publish values, and process them. `at` is the records' timestamp; by default it is now."""
        self.publish(topic, *values, key=key, at=at)
        self.run()

    def publish(
        self, topic: str | Stream[Any] | Table[Any], *values: Any, key: Any = None, at: Duration | None = None
    ) -> None:
        """Publish values; they are processed by the next call that processes."""
        target = self._topic(topic)
        for value in values:
            record_key = target.key(value) if key is None and target.key is not None else key
            self.cluster.append(
                target.name,
                None if record_key is None else target.keys.encode(record_key),
                None if value is None else target.values.encode(value),
                self.now_ms if at is None else milliseconds(at),
            )

    def put(self, table: Table[Any], *values: Any, key: Any = None) -> None:
        """New rows of a table. With `key` and None as the value the row is deleted."""
        self.publish(table, *values, key=key)
        self.run()

    def advance(self, span: Duration) -> None:
        """Let time pass, in steps, so that what is due on the way happens on the way."""
        left = milliseconds(span)
        step = max(_STEP_MS, left // _STEPS_MAX)
        while left > 0:
            self.clock.now_ms += min(step, left)
            left -= step
            self.run()

    # -- what comes out

    def read(self, topic: str | Stream[Any]) -> list[Any]:
        """The values that were published to `topic` since it was read last, by event time, then partition."""
        return [record.value for record in self.records(topic)]

    def records(self, topic: str | Stream[Any]) -> list[Record]:
        """The same, with keys, times and headers."""
        target = self._topic(topic)
        logs = self.cluster.topics.get(target.name, [])
        seen = self._read.setdefault(target.name, [0] * len(logs))
        found: list[Record] = []
        for partition, log in enumerate(logs):
            for message in log[seen[partition] :]:
                key, value = message.key(), message.value()
                found.append(
                    Record(
                        None if key is None else target.keys.decode(key),
                        None if value is None else target.values.decode(value),
                        message.timestamp()[1],
                        partition,
                        message.headers() or (),
                    )
                )
            seen[partition] = len(log)
        return sorted(found, key=lambda record: record.time) if len(logs) > 1 else found

    # -- what goes wrong

    def crash(self) -> None:
        """The process dies; what it has not committed is gone. Its state folder stays."""
        if self._transport is None:
            raise StreamsError("the app is not running; recover() starts it")
        self._transport.fence()
        self._engine = self._transport = None

    def recover(self) -> None:
        """A new process of the app, which goes on where the last one was."""
        if self._engine is not None:
            raise StreamsError("the app is running; crash() ends it")
        self._transport = MemoryTransport(
            self.cluster,
            exactly_once=self.app.guarantee == "exactly_once",
            on_call=self._called,
        )
        settings = EngineSettings(commit_interval_s=0.0, idle_s=self.app.idle_s, on_error=self.app.on_error)
        self._engine = Engine(
            self.topology, self._transport, self.states, self.clock, settings, async_loop=lambda: None
        )
        self._engine.start()
        self.run()

    def lose_state(self) -> None:
        """The state folder is gone, as on a new machine: `recover` restores it from the changelogs."""
        self.states = MemoryStates()

    def run(self) -> None:
        """Process until nothing is left to do."""
        if self._engine is None:
            return
        before = -1
        while before != (before := self._written()) or self._engine.restoring:
            while self._engine.turn(0.0) or self._engine.restoring:
                pass

    def _called(self, call: str) -> None:
        self.on_call(call)

    def _written(self) -> int:
        return sum(len(log) for logs in self.cluster.topics.values() for log in logs)

    def _topic(self, topic: str | Stream[Any] | Table[Any]) -> Topic:
        name = topic if isinstance(topic, str) else topic.output.step.name
        found = self._topics.get(name)
        if found is None:
            raise StreamsError(f"the app has no topic {name}; it has {', '.join(self._topics)}")
        return found

    @property
    def engine(self) -> Engine:
        """The running process, for a closer look."""
        if self._engine is None:
            raise StreamsError("the app is not running; recover() starts it")
        return self._engine
