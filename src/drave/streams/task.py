"""One partition's share of a sub-topology: its inputs, its steps as functions, its state, its event time.

    messages ─▶ Input: queue ─▶ head ─▶ receivers ─▶ send
                                  │
                             watermark ─▶ fire what is due

Of several inputs it takes the one with the least event time, and waits for one that has more to come, so that joins see
what they would have seen live. An input runs until it is another's turn, so a record pays nothing for the others.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from drave.streams.errors import StepFailed
from drave.streams.inputs import Input
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
    Woken,
    fan_out,
    nowhere,
)
from drave.streams.steps.sources import Repartition, TableSource
from drave.streams.topology import SubTopology
from drave.streams.transport import Committed, Message, Place
from drave.streams.watermarks import Mark, encode_mark, reached, seen_in

logger = logging.getLogger("drave.streams")

_TELL_MS: Final = 1_000
"""An idle task tells others no smaller steps of event time."""

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
        wall_ms: Callable[[], int],
    ) -> None:
        self.send = send
        self.at_end = at_end
        self.on_error = on_error
        self.dead_letters = dead_letters
        self.idle_s = idle_s
        self.partitions = partitions
        self.async_loop = async_loop
        self.observe = observe
        self.wall_ms = wall_ms
        self.skipped: Counter[str] = Counter()
        """Records that a step could not process, by the step's name, since the start."""


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
        self.wall_ms = around.wall_ms
        self._tasks = tasks
        self._around = around
        self._timed: list[tuple[Timed, int]] = []
        self._woken: list[Woken] = []
        self._outcomes: list[Outcome] = []
        self._prepared: dict[Step, Any] = {}
        self._told: dict[Step, tuple[int, bool]] = {}
        self._moved = False
        self._reached = ALWAYS
        streams = [each for each in inputs if not isinstance(each.source, TableSource)]
        for each in streams or inputs:
            each.measures = True
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

    def wake_by_clock(self, woken: Woken) -> None:
        self._woken.append(woken)

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
        """Queue what came; `drain` runs it, when its neighbours' is queued too."""
        each = self.inputs[place]
        each.queue.extend(messages)
        if not each.progress.upstream_idle:
            each.progress.idle = False
            each.progress.quiet_since = now_s

    def drain(self) -> None:
        """Of what is queued, run what no input that has more to come could precede. Raises StepFailed."""
        if len(self.inputs) == 1:
            for each in self.inputs.values():
                self._run(each, NEVER)
        else:
            while (found := self._next()) is not None:
                self._run(*found)
        self.message = None

    @property
    def is_waiting(self) -> bool:
        """Whether anything is queued."""
        return any(each.is_waiting for each in self.inputs.values())

    def _next(self) -> tuple[Input, int] | None:
        """The input whose turn it is, and the time at which it is another's."""
        first: Input | None = None
        first_time, bound = NEVER, NEVER
        for each in self.inputs.values():
            if each.head is None and each.queue:
                self._run(each, ALWAYS)
            if each.head is None:
                if not self._around.at_end(each.place):
                    return None
                continue
            time = each.head[2]
            if time < first_time:
                first, first_time, bound = each, time, first_time
            else:
                bound = min(bound, time + 1)  # of what has the same time, the first input's comes first
        return None if first is None else (first, bound)

    def _run(self, each: Input, bound: int) -> None:
        """Run an input's records up to the first that is not before `bound`, which becomes its head.

        Everything that is done for each record is done here or in a receiver.
        """
        read, receive, clock, progress = each.read, each.receive, self.clock, each.progress
        marked = progress.upstream > 0
        clock.seen = max(progress.time, clock.watermark)
        queue = each.queue
        take = queue.popleft
        item, each.head = each.head, None
        last: Message | None = None
        records = 0
        while True:
            if item is None:
                if not queue:
                    break
                self.message = message = take()
                try:
                    item = read(message)
                except Exception as error:
                    self.failed(each.source, error, None, None, message.timestamp()[1])
                if item is None:
                    last = message
                    continue
            key, value, time, message = item
            if time >= bound:
                each.head = item
                break
            item = None
            last = self.message = message
            if marked:
                if value.__class__ is Mark:
                    self._note(each, value)
                    continue
                headers = message.headers()
                clock.seen = max(time if headers is None else seen_in(headers), clock.watermark)
            elif time > progress.time:
                self._go_on(each, time)
            receive(key, value, time)
            records += 1
        if last is not None:
            each.position = last.offset() + 1
            self._moved = True
            self.records += records

    # -- event time

    def _note(self, each: Input, mark: Mark) -> None:
        each.progress.note(mark)
        self._advance(self._least())

    def _go_on(self, each: Input, time: int) -> None:
        """A record is newer than all before it: its own topic's time goes on, and with it, perhaps, the task's."""
        progress = each.progress
        before, progress.time = progress.time, time
        if before <= self._reached and each.measures:  # else others are further behind
            self._advance(self._least())
        self.clock.seen = max(time, self.clock.watermark)

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
            progress.idle = quiet and not each.is_waiting and self._around.at_end(each.place)
        watermark = self._least()
        if self.is_idle and watermark > ALWAYS:
            watermark = self._followed(watermark, now_s)
        before = self.clock.watermark
        self._advance(watermark)
        self._moved |= self.clock.watermark != before
        if self._woken:
            self._wake(self.wall_ms())

    def _wake(self, now_ms: int) -> None:
        """What waits for the clock, in the order of the steps; its results have the time of the watermark."""
        clock = self.clock
        if clock.watermark == ALWAYS:
            return  # not every task upstream has told the time yet
        then, clock.seen = clock.seen, clock.watermark
        for woken in self._woken:
            if woken.alarm <= now_ms:
                woken.wake(now_ms)
                for each in self.inputs.values():
                    each.saved = None  # offsets are what a process that was replaced is fenced by (KIP-447)
                self._moved = True
        clock.seen = max(then, clock.watermark)

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

    @property
    def is_asynchronous(self) -> bool:
        """Whether it has to be polled."""
        return bool(self._outcomes)

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
