"""One process of an app: a consumer, a producer, and the tasks whose places it was given.

    turn:    restore a little │ poll ─▶ tasks ─▶ produce │ tick │ every commit interval: commit
    commit:  settle asynchronous steps ─▶ changelogs, marks ─▶ offsets ─▶ the transaction ─▶ local state

The order of a commit is the law of exactly once: local state is written last, so it is always a committed prefix of its
changelog, and a crash leaves it behind, never ahead. A transaction that is aborted drops the tasks and makes them anew
from what was committed. Whoever is fenced ends.

One thread calls `start`, `turn`, `close`; the test driver does it by hand, `run.py` until a signal comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from drave.model.clock import Clock
from drave.streams.errors import Aborted
from drave.streams.inputs import Input
from drave.streams.instances import AGAIN_S, ALIVE_S, Announcer
from drave.streams.placement import LOOKED_AT, PlacementWatch
from drave.streams.restoring import Restoring
from drave.streams.standby import Standbys
from drave.streams.state import Change, States, TaskId, TaskState
from drave.streams.state.memory import MemoryTaskState
from drave.streams.steps.base import OnError
from drave.streams.task import Observe, Surroundings, Task, unobserved
from drave.streams.topology import SubTopology, Topology
from drave.streams.transport import Message, Place, Transport

logger = logging.getLogger("drave.streams")

POLL_RECORDS_MAX: Final = 5_000
TICK_S: Final = 0.1
PURGE_S: Final = 30.0
"""How often repartition topics are rid of what was processed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What can be set of a run."""

    commit_interval_s: float = 0.1
    held_bytes_max: int = 64 << 20
    """How much may wait for records of other places, in all places together."""
    idle_s: float = 10.0
    """After so long without records an input is idle."""
    on_error: OnError = OnError.FAIL
    standby: int = 0
    """How many standby copies of each task the processes keep."""
    address: str = ""
    """HOST:PORT where queries are answered; empty when they are not."""


class Engine:
    """Raises what the transport raises, BadTopology at the start, and StepFailed."""

    def __init__(
        self,
        topology: Topology,
        transport: Transport,
        states: States,
        clock: Clock,
        settings: EngineSettings,
        *,
        async_loop: Callable[[], Any],
        observe: Observe = unobserved,
    ) -> None:
        self.topology = topology
        self.tasks: dict[TaskId, Task] = {}
        self.restoring: dict[TaskId, Restoring] = {}
        self._transport = transport
        self._states = states
        self._clock = clock
        self._settings = settings
        self._async_loop = async_loop
        self._observe = observe
        self.commits = 0
        self.standbys = Standbys(transport, topology, states, per_task=settings.standby)
        self._announcer = (
            Announcer(topology.app, transport.name, settings.address, again_s=ALIVE_S if settings.standby else AGAIN_S)
            if settings.standby or settings.address
            else None
        )
        self._keys = PlacementWatch()
        self._by_place: dict[Place, Task] = {}
        self._next: dict[Place, int] = {}
        """The offset behind what each task has taken."""
        self._sub_of = {topic: sub for sub in topology.subs for topic in sub.topics}
        self._waiting: dict[Task, None] = {}
        """Tasks with records that have not been run, in the order in which they came."""
        self._asynchronous: list[Task] = []
        self._held: set[Place] = set()
        self._paused: set[Place] = set()
        self._counts: dict[SubTopology, int] = {}
        self._around: Surroundings | None = None
        self._commit_at = 0.0
        self._tick_at = 0.0
        self._purge_at = 0.0
        self._processed: dict[Place, int] = {}
        """Of repartition topics, since the last purge."""

    @property
    def skipped(self) -> dict[str, int]:
        """Records that a step could not process, by the step's name."""
        return dict(self._around.skipped) if self._around else {}

    def lag(self) -> dict[Place, int]:
        """Records that are still to be processed, where the end is known."""
        found: dict[Place, int] = {}
        for place, task in self._by_place.items():
            end = self._transport.end(place)
            if end is not None:
                found[place] = max(0, end - (task.inputs[place].position or 0))
        return found

    def runs(self, task_id: TaskId) -> bool | None:
        """Whether a task runs here; None when there is not even a copy of it. Any thread may ask."""
        return True if task_id in self.tasks else False if task_id in self.standbys.copies else None

    # -- a life

    def start(self) -> None:
        """Check the topics, make the app's own, and join the group. Raises BadTopology."""
        transport, topology = self._transport, self.topology
        names = [*topology.inputs, *(topic.name for topic in topology.outputs), *topology.own_topics]
        existing = transport.partition_counts(names)
        transport.create_topics(
            topology.new_topics(existing, self._settings.on_error, instances=self._announcer is not None)
        )
        existing = transport.partition_counts(names)
        self._counts = topology.partitions(existing)
        self._around = Surroundings(
            send=transport.produce,
            at_end=transport.at_end,
            on_error=self._settings.on_error,
            dead_letters=topology.dead_letters,
            idle_s=self._settings.idle_s,
            partitions=existing,
            async_loop=self._async_loop,
            observe=self._observe,
            wall_ms=self._clock.wall_ms,
        )
        now = self._clock.monotonic()
        self._commit_at, self._purge_at = now + self._settings.commit_interval_s, now + PURGE_S
        transport.subscribe(topology.inputs, self)

    def turn(self, timeout_s: float) -> int:
        """Do what there is to do, waiting at most so long for records. How many records came."""
        transport = self._transport
        try:
            self._make_tasks()
            self._restore()
            busy = bool(self.restoring) or self._follow()
            messages = transport.poll(POLL_RECORDS_MAX, 0.0 if busy else timeout_s)
            now = self._clock.monotonic()
            transport.begin()
            self._run(messages, now)
            self._drain()
            self._tick(now)
            if now >= self._commit_at:
                self.commit()
            if now >= self._purge_at:
                self._purge(now)
        except Aborted as error:
            logger.warning("the transaction was aborted, and is done again: %s", error)
            self._rewind()
            return 0
        return len(messages)

    def close(self) -> None:
        """Commit, and leave the group. Raises what the commit raises."""
        try:
            with suppress(Aborted):  # the same records come again, to whoever is next
                self.commit(leaving=True)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave as a crash would: what was not committed is gone."""
        self._announcer = (
            None  # who leaves the group commits what is new, and half of a record may be in the transaction
        )
        for task in list(self.tasks.values()):
            self._drop(task)
        for restoring in list(self.restoring.values()):
            restoring.state.close()
        self.restoring.clear()
        self.standbys.close()
        self._transport.close()

    # -- places come and go

    def assigned(self, places: Sequence[Place]) -> None:
        self._transport.pause(places)
        self._held.update(places)

    def revoked(self, places: Sequence[Place]) -> None:
        try:
            self.commit()
        except Aborted as error:
            logger.warning("what was not committed is left to the next process: %s", error)
            self._rewind()
        self._let_go(places)

    def lost(self, places: Sequence[Place]) -> None:
        """What was made of them is in the transaction, and must not be committed with what comes next."""
        self._rewind()
        self._let_go(places)

    def _let_go(self, places: Sequence[Place]) -> None:
        self._held.difference_update(places)
        gone = set(places)
        for task in [task for task in self.tasks.values() if not gone.isdisjoint(task.inputs)]:
            self._drop(task)
        for restoring in [each for each in self.restoring.values() if not gone.isdisjoint(each.places)]:
            restoring.state.close()
            del self.restoring[restoring.task_id]

    def _make_tasks(self) -> None:
        """Begin to restore each task whose places are all here."""
        if len(self._by_place) == len(self._held):
            return
        wanted: dict[TaskId, SubTopology] = {}
        for topic, partition in sorted(self._held - self._by_place.keys()):
            sub = self._sub_of[topic]
            task_id = TaskId(sub.name, partition)
            if task_id not in self.restoring and self._held.issuperset(_places(sub, partition)):
                wanted[task_id] = sub
        if not wanted:
            return
        asked = [place for task_id, sub in wanted.items() for place in _places(sub, task_id.partition)]
        committed = self._transport.committed(asked)  # of all of them at once
        for task_id, sub in wanted.items():
            places = _places(sub, task_id.partition)
            of_task = {place: committed[place] for place in places if place in committed}
            self.restoring[task_id] = Restoring(
                self._transport, self.topology, task_id, sub, places, of_task, self._state(task_id, sub)
            )

    def _state(self, task_id: TaskId, sub: SubTopology) -> TaskState:
        if not sub.stores:
            return MemoryTaskState()  # nothing is written there, and a file would be made, and synced, for nothing
        return self.standbys.hand_over(task_id) or self._states.open(task_id)

    def _restore(self) -> None:
        for restoring in list(self.restoring.values()):
            if restoring.step():
                del self.restoring[restoring.task_id]
                self._begin_task(restoring)

    def _follow(self) -> bool:
        """Keep standby copies up to date; whether there was anything to do."""
        if not self._settings.standby:
            return False
        mine = self.tasks.keys() | self.restoring.keys()
        return self.standbys.turn(self._counts, mine, self._clock.monotonic())

    def _begin_task(self, restored: Restoring) -> None:
        assert self._around is not None
        upstream = {topic: self._counts[sub] for topic, sub in self.topology.upstream.items()}
        sources = {source.topic.name: source for source in restored.sub.sources}
        inputs = [Input(place, sources[place[0]], upstream.get(place[0], 0)) for place in restored.places]
        now = self._clock.monotonic()
        task = Task(
            restored.task_id, restored.sub, self._counts[restored.sub], inputs, restored.state, self._around, now
        )
        task.start_from(restored.committed)
        self.tasks[task.id] = task
        if task.is_asynchronous:
            self._asynchronous.append(task)
        for place in restored.places:
            self._by_place[place] = task
            committed = restored.committed.get(place)
            start = self._transport.start_offset(place) if committed is None else committed.offset
            self._transport.seek(place, start)
            self._next[place] = start
        self._transport.resume(restored.places)

    def _drop(self, task: Task) -> None:
        del self.tasks[task.id]
        self._waiting.pop(task, None)
        if task.is_asynchronous:
            self._asynchronous.remove(task)
        for place in task.inputs:
            del self._by_place[place]
            del self._next[place]
            self._paused.discard(place)
        task.close()

    def _forget_all(self) -> None:
        for task in list(self.tasks.values()):
            self._transport.pause(list(task.inputs))
            self._drop(task)

    def _rewind(self) -> None:
        """Undo the transaction, and make all tasks anew from what is committed."""
        self._transport.abort()
        self._forget_all()

    # -- records

    def _run(self, messages: Sequence[Message], now: float) -> None:
        for place, run in groupby(messages, _place):
            task = self._by_place.get(place)
            if task is None:
                continue  # it is being restored, and seeks to where it was
            records = self._new_ones(place, list(run))
            if len(task.inputs) > 1:
                self._look_at_keys(place, records)
            task.take(place, records, now)
            self._waiting[task] = None

    def _new_ones(self, place: Place, records: list[Message]) -> list[Message]:
        """Those that were not taken before: librdkafka may begin a place anew that it should only go on with."""
        expected = self._next[place]
        first, last = records[0].offset(), records[-1].offset()
        if first < expected or last - first < len(records) - 1:
            logger.warning("%s-%d: records before offset %d came again, and are left out", *place, expected)
            records = list(_rising(records, expected))
        if records:
            self._next[place] = records[-1].offset() + 1
        return records

    def _look_at_keys(self, place: Place, records: Sequence[Message]) -> None:
        topic = place[0]
        if topic not in self.topology.upstream:
            for message in records[:LOOKED_AT]:
                self._keys.look(message, self._counts[self._sub_of[topic]])

    def _drain(self) -> None:
        """Tasks run what came; but records stay where a neighbour of theirs may still have earlier ones."""
        for task in list(self._waiting):
            task.drain()
            if not task.is_waiting:
                del self._waiting[task]
            if len(task.inputs) > 1:
                self._hold_back(task)

    def _hold_back(self, task: Task) -> None:
        """Pause the places of which too much waits. Not lightly: librdkafka drops what it has fetched of them."""
        bound = self._settings.held_bytes_max // len(self._by_place)
        for place, each in task.inputs.items():
            if place in self._paused:
                if each.held_bytes <= bound // 2:
                    self._paused.discard(place)
                    self._transport.resume([place])
            elif each.queue and each.held_bytes > bound:
                self._paused.add(place)
                self._transport.pause([place])

    def _tick(self, now: float) -> None:
        for task in self._asynchronous:
            task.poll()
        if now >= self._tick_at:
            self._tick_at = now + TICK_S
            for task in list(self.tasks.values()):
                task.tick(now)

    # -- commits

    def commit(self, *, leaving: bool = False) -> None:
        """Make everything up to now true, or raise Aborted or Fenced."""
        self._commit_at = self._clock.monotonic() + self._settings.commit_interval_s
        for task in self.tasks.values():
            task.settle()
        moved = [task for task in self.tasks.values() if task.moved]
        transport = self._transport
        announces = self._announce(leaving=leaving)
        if not moved and not announces:
            return
        changes = {task: task.flush() for task in moved}
        transport.flush()  # at least once: a result goes out before its window's end does, or a crash could lose it
        for task, changed in changes.items():
            for store, rows in self._logged(task, changed):
                topic = self.topology.changelog(store)
                for key, value in rows:
                    transport.produce(topic, key, value, max(task.clock.watermark, 0), (), task.partition)
        offsets = {place: committed for task in moved for place, committed in task.offsets().items()}
        ends = transport.commit(offsets)
        self.commits += 1
        if self._announcer is not None:
            self._announcer.committed()
        self._processed |= {place: done.offset for place, done in offsets.items() if place[0] in self.topology.upstream}
        for task, changed in changes.items():
            if changed:
                task.state.commit(changed, self._state_offsets(task, ends))
        self._commit_at = self._clock.monotonic() + self._settings.commit_interval_s

    def _announce(self, *, leaving: bool) -> bool:
        """Tell the other processes what is here; whether there is anything new."""
        if self._announcer is None:
            return False
        if leaving:
            news = self._announcer.farewell()
        else:
            tables: dict[TaskId, dict[str, int]] = {task_id: {} for task_id in self.restoring}
            tables |= {task.id: task.tables_read() for task in self.tasks.values()}
            news = self._announcer.news(tables, self.standbys.copies, self._clock.monotonic())
        if news:
            self._transport.begin()
        for announcement in news:
            self._transport.produce(*announcement, self._clock.wall_ms())
        return bool(news)

    def _purge(self, now: float) -> None:
        """Whose records nobody will ask for again, for their offsets are committed."""
        self._purge_at = now + PURGE_S
        if self._processed:
            processed, self._processed = self._processed, {}
            self._transport.purge(processed)

    def _logged(self, task: Task, changed: dict[str, list[Change]]) -> Iterator[tuple[str, list[Change]]]:
        for store in task.stores:
            if store.spec.source is None and changed[store.spec.name]:
                yield store.spec.name, changed[store.spec.name]

    def _state_offsets(self, task: Task, ends: dict[Place, int]) -> dict[str, int]:
        """Where each store's changelog goes on."""
        found: dict[str, int] = {}
        for store in task.stores:
            name, source = store.spec.name, store.spec.source
            if source is not None:
                position = task.inputs[source, task.partition].position
            else:
                position = ends.get((self.topology.changelog(name), task.partition))
            if position is not None:
                found[name] = position
        return found


def _places(sub: SubTopology, partition: int) -> list[Place]:
    return [(topic, partition) for topic in sub.topics]


def _place(message: Message) -> Place:
    return message.topic(), message.partition()


def _rising(records: Iterable[Message], expected: int) -> Iterator[Message]:
    for message in records:
        if message.offset() >= expected:
            expected = message.offset() + 1
            yield message
