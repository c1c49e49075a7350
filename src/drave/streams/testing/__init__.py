"""An app without a broker: topics in memory, a clock that goes on when it is told to, crashes on demand.

    with app.test(seed=1) as t:
        t.send(requests, Request("r1", "soho", 0))
        t.advance("6m")
        assert t.read("demand") == [...]
        t.crash()
        t.recover()

The engine, the tasks and the state are the real ones; only what is below `transport.py` is in memory. Everything runs
on the caller's thread, and the same calls with the same seed give the same results: with a seed, records come in
portions and in an order of partitions that it decides; without one, in order.
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
from drave.streams.loops import AsyncLoop
from drave.streams.state.memory import MemoryStates
from drave.streams.steps.base import Topic
from drave.streams.steps.sources import Source
from drave.streams.stream import Stream
from drave.streams.tables import Table
from drave.streams.task import Observe, unobserved
from drave.streams.testing.cluster import Cluster, Crash, MemoryTransport
from drave.streams.transport import Headers

__all__ = ["Crash", "Record", "TestDriver"]

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


@dataclass(slots=True)
class Process:
    """One process of the app: what it keeps on its disk, and, while it lives, its engine."""

    states: MemoryStates
    engine: Engine | None = None
    transport: MemoryTransport | None = None


class TestDriver:
    """Sends, reads, and lets time pass. After each call everything that can be processed has been.

    With several `processes` they share the partitions, as they would on a cluster; each has a number, from 0.
    """

    __test__ = False  # pytest: not a class of tests

    def __init__(self, app: App, *, seed: int | None = None, partitions: int = 1, processes: int = 1) -> None:
        self.app = app
        self.topology = app.topology()
        self.clock = HandClock()
        self.cluster = Cluster(partitions=partitions)
        self.processes = [Process(MemoryStates()) for _ in range(processes)]
        self.on_call: Callable[[str], None] = lambda call: None
        """Told of each call of a process to the cluster. Raise Crash from it, and the process dies there."""
        self.observe: Observe = unobserved
        """Put around each step of the processes that start from now on: metrics, for one."""
        self._chance = None if seed is None else random.Random(seed)
        self._loop = AsyncLoop()
        self._read: dict[str, list[int]] = {}
        self._topics = {step.topic.name: step.topic for step in self.topology.steps if isinstance(step, Source)}
        self._topics |= {topic.name: topic for topic in self.topology.outputs}
        own = {*self.topology.upstream, *self.topology.own_topics}
        for name in self._topics.keys() - own:
            self.cluster.create(name, self._topics[name].partitions or partitions)

    def __enter__(self) -> Self:
        for number in range(len(self.processes)):
            self._start(self.processes[number])
        self.run()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for process in self.processes:
            if process.engine is not None:
                if kind is None:
                    process.engine.close()
                else:
                    process.engine.abandon()
                process.engine = process.transport = None
        self._loop.close()

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

    def crash(self, process: int = 0) -> None:
        """A process dies; what it has not committed is gone. Its state folder stays. The others take its share."""
        self._die(self._running(process))
        self.run()

    def recover(self, process: int = 0) -> None:
        """Start it again, or, with the number after the last, one more; it goes on where its state is."""
        if process == len(self.processes):
            self.processes.append(Process(MemoryStates()))
        found = self.processes[process]
        if found.engine is not None:
            raise StreamsError(f"process {process} is running; crash() ends it")
        self._start(found)
        self.run()

    def stop(self, process: int = 0) -> None:
        """It commits and leaves, as on a signal."""
        found = self._running(process)
        assert found.engine is not None
        try:
            found.engine.close()
        except Crash:
            self._die(found)
        found.engine = found.transport = None
        self.run()

    def lose_state(self, process: int = 0) -> None:
        """Its state folder is gone, as on a new machine: `recover` restores it from the changelogs."""
        self.processes[process].states = MemoryStates()

    def is_running(self, process: int = 0) -> bool:
        """Whether it has been started, and has neither crashed nor stopped since."""
        return self.processes[process].engine is not None

    def run(self) -> None:
        """Process until nothing is left to do."""
        while self.turn():
            pass

    def turn(self) -> bool:
        """One turn of each process; whether any of them did something."""
        order = list(self.processes)
        if self._chance is not None:
            self._chance.shuffle(order)
        did = [self._turn(process) for process in order]
        return any(did)

    def _turn(self, process: Process) -> bool:
        engine, transport = process.engine, process.transport
        if engine is None or transport is None:
            return False
        before = self._written(), transport.aborts
        try:
            came = 0 if transport.is_dead else engine.turn(0.0)
        except Crash:
            self._die(process)
            return True
        if transport.is_dead:  # in a rebalance that another one's turn began, or that its own did
            self._die(process)
            return True
        return (
            came > 0 or bool(engine.restoring) or engine.standbys.took or (self._written(), transport.aborts) != before
        )

    def _start(self, process: Process) -> None:
        exactly_once = self.app.guarantee == "exactly_once"
        transport = process.transport = MemoryTransport(
            self.cluster,
            f"process-{self.processes.index(process)}",
            exactly_once=exactly_once,
            chance=self._chance,
            on_call=self._called,
        )
        settings = EngineSettings(
            commit_interval_s=0.0, idle_s=self.app.idle_s, on_error=self.app.on_error, standby=self.app.standby
        )
        process.engine = Engine(
            self.topology, transport, process.states, self.clock, settings, async_loop=self._loop, observe=self.observe
        )  # fmt: skip
        try:
            process.engine.start()
        except Crash:
            self._die(process)

    def _die(self, process: Process) -> None:
        engine, transport = process.engine, process.transport
        assert engine is not None
        assert transport is not None
        process.engine = process.transport = None
        for task in engine.tasks.values():
            task.close()  # what it awaits would go with it
        transport.die()

    def _running(self, process: int) -> Process:
        found = self.processes[process]
        if found.engine is None:
            raise StreamsError(f"process {process} is not running; recover() starts it")
        return found

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
        """The first process, for a closer look."""
        engine = self._running(0).engine
        assert engine is not None
        return engine
