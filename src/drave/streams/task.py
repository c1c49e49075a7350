"""One partition's share of a sub-topology: its inputs, its steps as functions, its state, its event time.

    messages ─▶ Input: decode ─▶ (queue, where there are several inputs) ─▶ receivers ─▶ send
                                          │
                                     watermark ─▶ fire what is due

A task with one input runs each record as it comes. With several it takes the one with the least event time, and waits
for an input that has more to come, so that joins see what they would have seen live.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from drave.streams.errors import BadRecord, StepFailed
from drave.streams.state import Change, TaskId, TaskState, TaskStore
from drave.streams.steps.base import (
    ALWAYS,
    NEVER,
    Clock,
    OnError,
    Outcome,
    Outputs,
    Receiver,
    Send,
    Step,
    Timed,
    fan_out,
    nowhere,
)
from drave.streams.steps.sources import Repartition, Source, TableSource
from drave.streams.topology import SubTopology
from drave.streams.transport import Committed, Message, Place
from drave.streams.watermarks import Mark, Progress, decode_mark, encode_mark, reached, seen_in

logger = logging.getLogger("drave.streams")

QUEUE_MAX: Final = 2_000
"""Records that wait in one input; beyond it its place is paused."""

_TELL_MS: Final = 1_000
"""An idle task tells others no smaller steps of event time."""

Item = tuple[Any, Any, int, Message]


Observe = Callable[[Step, Receiver], Receiver]
"""Puts something around a step's receiver, such as a count."""


def unobserved(step: Step, receive: Receiver) -> Receiver:
    """Nothing."""
    return receive


class Surroundings:
    """What a task needs of the process around it. The engine makes one for all its tasks."""

    def __init__(
        self,
        *,
        send: Send,
        at_end: Callable[[Place], bool],
        on_error: OnError,
        dead_letters: str,
        idle_s: float,
        partitions: Mapping[str, int],
        async_loop: Callable[[], Any],
        observe: Observe,
    ) -> None:
        self.send = send
        self.at_end = at_end
        self.on_error = on_error
        self.dead_letters = dead_letters
        self.idle_s = idle_s
        self.partitions = partitions
        self.async_loop = async_loop
        self.observe = observe
        self.skipped: Counter[str] = Counter()
        """Records that a step could not process, by the step's name, since the start."""


@dataclass(frozen=True, slots=True)
class _Unread:
    """A record that could not be read, on its way to where failures go; in its turn, so that it goes there once."""

    error: Exception
    message: Message


class Input:
    """One place that a task reads."""

    def __init__(self, place: Place, source: Source, upstream: int) -> None:
        self.place = place
        self.source = source
        self.position: int | None = None
        """The offset behind what has been processed; None: nothing yet."""
        self.progress = Progress(upstream)
        self.queue: deque[Item | Mark | _Unread] = deque()
        self.positions: deque[int] = deque()
        self.receive: Receiver = nowhere
        self.read = _reader(source)
        self.saved: Committed | None = None


def _reader(source: Source) -> Callable[[Message], Item | None]:
    """Make a record of a message; None for one that a stream has no use for. Raises BadRecord."""
    topic = source.topic
    decode_key, decode = topic.keys.decode, topic.values.decode
    key_of, time_of = topic.key, topic.time
    is_table = isinstance(source, TableSource)

    def read(message: Message) -> Item | None:
        data = message.value()
        if data is None:
            if not is_table:
                return None
            value = None
        else:
            value = decode(data)
        key_data = message.key()
        if key_data is not None:
            key = decode_key(key_data)
        elif key_of is not None and value is not None:
            key = key_of(value)
        else:
            key = None
        if time_of is not None and value is not None:
            try:
                return key, value, time_of(value), message
            except Exception as error:
                raise BadRecord(f"its time cannot be read: {error}") from error
        return key, value, message.timestamp()[1], message

    return read


class Task:
    """Its state has been restored before it is made. It begins with `start_from`."""

    def __init__(
        self,
        task_id: TaskId,
        sub: SubTopology,
        tasks: int,
        inputs: Sequence[Input],
        state: TaskState,
        around: Surroundings,
        now_s: float,
    ) -> None:
        self.id = task_id
        self.sub = sub
        inputs = sorted(inputs, key=lambda each: not isinstance(each.source, TableSource))
        self.inputs = {each.place: each for each in inputs}
        """Tables first: of what has the same time, a row comes before the records that look for it."""
        self.state = state
        self.clock = Clock()
        self.message: Message | None = None
        self.stores: list[TaskStore] = []
        self.records = 0
        """Records processed since the start."""
        self._tasks = tasks
        self._around = around
        self._timed: list[tuple[Timed, int]] = []
        self._outcomes: list[Outcome] = []
        self._prepared: dict[Step, Any] = {}
        self._told: dict[Step, tuple[int, bool]] = {}
        self._moved = False
        self._reached = ALWAYS
        streams = [each for each in inputs if not isinstance(each.source, TableSource)]
        self._measures = [each.progress for each in streams or inputs]
        self._repartitions = [step for step in sub.steps if isinstance(step, Repartition)]
        for each in inputs:
            each.progress.quiet_since = now_s

    def __repr__(self) -> str:
        return f"<Task {self.id}>"

    @property
    def partition(self) -> int:
        return self.id.partition

    @property
    def send(self) -> Send:
        return self._around.send

    # -- what steps ask for

    def adopt(self, store: TaskStore) -> None:
        self.stores.append(store)

    def prepared(self, step: Step) -> Any:
        return self._prepared[step]

    def fire_at(self, step: Step, timed: Timed) -> None:
        self._timed.append((timed, self.sub.steps.index(step)))

    def await_all(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)

    def lag_of(self, step: Step) -> int:
        return self.sub.lags[step]

    def async_loop(self) -> Any:
        return self._around.async_loop()

    def failed(self, step: Step, error: Exception, key: Any, value: Any, time: int) -> None:
        policy = self._policy(step)
        message = self.message
        where = "" if message is None else f", at offset {message.offset()} of {message.topic()}-{message.partition()}"
        if policy is OnError.FAIL:
            raise StepFailed(step.name, where, error) from error
        self._around.skipped[step.name] += 1
        logger.warning("%s: %s%s: %s: %s", self._around.dead_letters if policy is OnError.DEAD_LETTER else "skipped",
                       step.name, where, type(error).__name__, error)  # fmt: skip
        if policy is OnError.DEAD_LETTER:
            self._bury(step, error, message, key, value, time)

    def _policy(self, step: Step) -> OnError:
        while step.on_error is None:
            if not step.parents:
                return self._around.on_error
            step = step.parents[0].step
        return step.on_error

    def _bury(self, step: Step, error: Exception, message: Message | None, key: Any, value: Any, time: int) -> None:
        """The record as it was read, or as well as it can be told, with what happened to it in the headers."""
        headers: list[tuple[str, bytes | None]] = [
            ("drave.step", step.name.encode()),
            ("drave.error", f"{type(error).__name__}: {error}".encode()),
            ("drave.trace", "".join(traceback.format_exception(error)).encode()),
            ("drave.time", str(time).encode()),
        ]
        if message is None:
            self.send(self._around.dead_letters, repr(key).encode(), repr(value).encode(), max(time, 0), headers, None)
            return
        headers += [
            ("drave.topic", message.topic().encode()),
            ("drave.partition", str(message.partition()).encode()),
            ("drave.offset", str(message.offset()).encode()),
            *(message.headers() or ()),
        ]
        self.send(self._around.dead_letters, message.key(), message.value(), max(time, 0), headers, None)

    # -- building

    def _build(self) -> None:
        for step in self.sub.steps:
            self._prepared[step] = step.prepare(self)
        receivers: dict[Step, tuple[Receiver, ...]] = {}
        for step in reversed(self.sub.steps):
            made = step.receivers(self, _outputs(self.sub, step, receivers))
            receivers[step] = tuple(self._around.observe(step, receive) for receive in made)
        by_source: dict[str, list[Receiver]] = {}
        for source in self.sub.sources:
            by_source.setdefault(source.topic.name, []).append(receivers[source][0])
        for each in self.inputs.values():
            each.receive = fan_out(by_source[each.place[0]])
        self._timed.sort(key=lambda pair: pair[1])

    # -- records

    def take(self, place: Place, messages: Iterable[Message], now_s: float) -> None:
        """Run what came, or queue it. Raises StepFailed."""
        each = self.inputs[place]
        if len(self.inputs) == 1:
            self._run_all(each, messages)
        else:
            self._queue(each, messages)  # the engine calls `drain` when its neighbours' are queued too
        if not each.progress.upstream_idle:
            each.progress.idle = False
            each.progress.quiet_since = now_s

    def _run_all(self, each: Input, messages: Iterable[Message]) -> None:
        read, receive, clock, progress = each.read, each.receive, self.clock, each.progress
        marked = progress.upstream > 0
        records = 0
        offset = -1
        for message in messages:
            offset = message.offset()
            self.message = message
            if marked and message.key() is None:
                progress.note(decode_mark(message.value() or b""))
                self._advance(progress.time)
                continue
            try:
                item = read(message)
            except Exception as error:
                self.failed(each.source, error, None, None, message.timestamp()[1])
                continue
            if item is None:
                continue
            key, value, time, _ = item
            if marked:
                headers = message.headers()
                clock.seen = max(time if headers is None else seen_in(headers), clock.watermark)
            elif time > progress.time:
                progress.time = time
                if time > clock.watermark:
                    self._advance(time)
            receive(key, value, time)
            records += 1
        self.message = None
        if offset >= 0:
            each.position = offset + 1
            self._moved = True
            self.records += records

    def _queue(self, each: Input, messages: Iterable[Message]) -> None:
        for message in messages:
            item: Item | Mark | _Unread | None
            if each.progress.upstream and message.key() is None:
                item = decode_mark(message.value() or b"")
            else:
                try:
                    item = each.read(message)
                except Exception as error:
                    item = _Unread(error, message)
            if item is None:
                if not each.queue:  # what comes before it has been processed
                    each.position = message.offset() + 1
                    self._moved = True
                continue
            each.queue.append(item)
            each.positions.append(message.offset() + 1)

    def drain(self) -> None:
        """Of what is queued, run what no input that has more to come could precede."""
        while (each := self._next()) is not None:
            item = each.queue.popleft()
            each.position = each.positions.popleft()
            self._moved = True
            if isinstance(item, Mark):
                each.progress.note(item)
                self._advance(self._least())
                continue
            if isinstance(item, _Unread):
                self.message = item.message
                self.failed(each.source, item.error, None, None, item.message.timestamp()[1])
                continue
            key, value, time, self.message = item
            self._see(each, time, item[3])
            each.receive(key, value, time)
            self.records += 1
        self.message = None

    def _next(self) -> Input | None:
        best: Input | None = None
        best_time = NEVER
        for each in self.inputs.values():
            if not each.queue:
                if not self._around.at_end(each.place):
                    return None
                continue
            head = each.queue[0]
            time = head[2] if isinstance(head, tuple) else ALWAYS
            if time < best_time:
                best, best_time = each, time
        return best

    # -- event time

    def _see(self, each: Input, time: int, message: Message) -> None:
        """The record at hand came: its own topic's time goes on, and with it, perhaps, the task's."""
        progress = each.progress
        if progress.upstream:
            headers = message.headers()
            seen = time if headers is None else seen_in(headers)
        else:
            if time > progress.time:
                progress.time = time
                self._advance(self._least())
            seen = progress.time
        self.clock.seen = max(seen, self.clock.watermark)

    def _advance(self, watermark: int) -> None:
        clock = self.clock
        if watermark <= clock.watermark:
            return
        if watermark >= clock.deadline:
            self._fire(watermark)
        clock.watermark = watermark
        if clock.seen < watermark:
            clock.seen = watermark

    def _fire(self, watermark: int) -> None:
        """What is due, one moment after the other, each moment in the order of the steps.

        While a moment is fired, steps see the watermark before it, so nothing that one fires is late for the next.
        """
        clock = self.clock
        then = self.message, clock.seen
        self.message = None
        while True:
            for outcome in self._outcomes:
                outcome.settle()
            self._reckon_deadline()
            due = clock.deadline
            if due > watermark:
                break
            clock.seen = clock.watermark
            for timed, _ in self._timed:
                if timed.deadline <= due:
                    timed.fire(due)
            clock.watermark = max(clock.watermark, due)
        self.message, clock.seen = then

    def _reckon_deadline(self) -> None:
        self.clock.deadline = min((timed.deadline for timed, _ in self._timed), default=NEVER)

    def _least(self) -> int:
        """The watermark by what was read; it never goes back."""
        self._reached = max(self._reached, reached((each.time, each.idle) for each in self._measures))
        return self._reached

    def tick(self, now_s: float) -> None:
        """The clock went on: who has been quiet for long is idle, and a task that is idle follows the clock."""
        for each in self.inputs.values():
            progress = each.progress
            quiet = progress.upstream_idle or (
                not progress.upstream and now_s - progress.quiet_since >= self._around.idle_s
            )  # who writes to a topic of ours says so itself
            progress.idle = quiet and not each.queue and self._around.at_end(each.place)
        watermark = self._least()
        if self.is_idle and watermark > ALWAYS:
            watermark = self._followed(watermark, now_s)
        before = self.clock.watermark
        self._advance(watermark)
        self._moved |= self.clock.watermark != before

    def _followed(self, since: int, now_s: float) -> int:
        """How far the clock has carried event time since everything became quiet, where somebody waits for that.

        What comes from tasks of ours is carried on there, and told by marks: ever more rarely, so that a quiet app
        does not write for ever.
        """
        quiet = [now_s - progress.quiet_since for progress in self._measures if not progress.upstream]
        if not quiet:
            return since
        quiet_ms = round(min(quiet) * 1000)
        watermark = since + quiet_ms
        step_ms = max(_TELL_MS, quiet_ms // 16)
        is_due = watermark >= self.clock.deadline
        return watermark if is_due or (self._repartitions and watermark >= self.clock.watermark + step_ms) else since

    @property
    def is_idle(self) -> bool:
        return all(progress.idle for progress in self._measures)

    # -- committing

    @property
    def moved(self) -> bool:
        """Whether there is anything to commit."""
        return self._moved or any(self._untold(step) for step in self._repartitions)

    def poll(self) -> None:
        """Hand on what asynchronous steps have ready."""
        for outcome in self._outcomes:
            outcome.poll()

    def settle(self) -> None:
        """Wait for asynchronous steps, and for what their results make due."""
        if self._outcomes:
            self._fire(self.clock.watermark)

    def close(self) -> None:
        """Nothing that is not committed counts any more."""
        for outcome in self._outcomes:
            outcome.cancel()
        self.state.close()

    def flush(self) -> dict[str, list[Change]]:
        """Tell downstream how far we are; what changed in each store since the last time."""
        for step in self._repartitions:
            if self._untold(step):
                self._tell(step)
        return {store.spec.name: store.changes() for store in self.stores}

    def _untold(self, step: Step) -> bool:
        return self._told.get(step, (ALWAYS, False)) != self._telling(step)

    def _telling(self, step: Step) -> tuple[int, bool]:
        watermark = self.clock.watermark
        told = watermark if watermark == ALWAYS else watermark - self.lag_of(step)
        has_more = any(timed.has_results and timed.deadline < NEVER for timed, _ in self._timed)
        return told, self.is_idle and not has_more

    def _tell(self, step: Repartition) -> None:
        time, idle = self._told[step] = self._telling(step)
        mark = encode_mark(Mark(self.partition, self._tasks, time, idle))
        for partition in range(self._around.partitions[step.topic.name]):
            self.send(step.topic.name, None, mark, max(time, 0), (), partition)

    def offsets(self) -> dict[Place, Committed]:
        """Where each input goes on after this commit."""
        watermark = self.clock.watermark
        found: dict[Place, Committed] = {}
        for place, each in self.inputs.items():
            if each.position is not None:
                committed = Committed(each.position, each.progress.saved(watermark))
                if committed != each.saved:
                    each.saved = found[place] = committed
        self._moved = False
        return found

    def tables_read(self) -> dict[str, int]:
        """Of each input that is a table's changelog too, how far it was processed."""
        found: dict[str, int] = {}
        for spec in self.sub.stores:
            if spec.source is not None and (position := self.inputs[spec.source, self.partition].position) is not None:
                found[spec.source] = position
        return found

    def start_from(self, committed: Mapping[Place, Committed]) -> None:
        """Take up what an earlier run has committed, and put the steps together. Once, and before all else."""
        for place, each in self.inputs.items():
            if (found := committed.get(place)) is not None:
                each.position = found.offset
                each.saved = found
                self.clock.watermark = max(self.clock.watermark, each.progress.load(found.metadata))
        self._reached = self.clock.seen = self.clock.watermark
        self._build()
        self._reckon_deadline()


def _outputs(sub: SubTopology, step: Step, receivers: Mapping[Step, Sequence[Receiver]]) -> Outputs:
    ports: dict[str, list[Receiver]] = {}
    for port, child, index in sub.children[step]:
        ports.setdefault(port, []).append(receivers[child][index])
    return _Ports({port: fan_out(found) for port, found in ports.items()})


class _Ports(dict[str, Receiver]):
    """An output that nobody reads goes nowhere."""

    def __missing__(self, port: str) -> Receiver:
        return nowhere
