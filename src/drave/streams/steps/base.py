"""A step of the topology: data that can be printed, and that knows how to become a function.

    parents ──▶ Step ──▶ "out", "late", … ──▶ the receivers of its children

A receiver is a plain function `(key, value, time)`: keys and values as Python objects, the time in milliseconds since
the epoch (event time). A record goes through its sub-topology by one call per step, and nothing is queued between two.
Steps are shared by all tasks; what they keep for one task lives in the closures that `receivers` makes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol

from drave.streams.formats import Format
from drave.streams.state import StoreSpec, TaskState, TaskStore
from drave.streams.transport import Headers, Message

Receiver = Callable[[Any, Any, int], None]
Outputs = Mapping[str, Receiver]

NEVER: Final = 1 << 62
"""A deadline that does not come."""
ALWAYS: Final = -(1 << 62)
"""A watermark before all records."""


class OnError(StrEnum):
    """What becomes of a record that cannot be read or processed."""

    FAIL = "fail"
    """The app ends with the error and exit code 1; after a restart the record comes again."""
    SKIP = "skip"
    """It is logged and counted."""
    DEAD_LETTER = "dead-letter"
    """It goes to the app's topic of dead letters, with the reason, the place and the trace in headers."""


class Clock:
    """A task's event time. Steps that wait for a moment lower `deadline`; the task fires them when it is reached."""

    __slots__ = ("deadline", "seen", "watermark")

    def __init__(self) -> None:
        self.watermark = ALWAYS
        """Whatever waits for this moment has been fired."""
        self.seen = ALWAYS
        """What the record at hand may be late for: the newest time that its own source partition had by then.

        It is never behind the watermark, and, unlike that, depends on no other partition: so what is late is a
        property of the topics, and no race between tasks decides it.
        """
        self.deadline = NEVER


class Timed(Protocol):
    """What waits for event time."""

    @property
    def deadline(self) -> int:
        """When it wants to be fired next, in the task's watermark; NEVER if it does not."""
        ...

    @property
    def has_results(self) -> bool:
        """Whether others may wait for what it fires; not so for what only expires."""
        ...

    def fire(self, watermark: int) -> None:
        """Everything that is due at `watermark`. After it `deadline` is later than that."""
        ...


class Woken(Protocol):
    """What waits for the clock on the wall."""

    @property
    def alarm(self) -> int:
        """When it wants to be woken next, in milliseconds since the epoch; NEVER if it does not."""
        ...

    def wake(self, now_ms: int) -> None:
        """Everything that is due at `now_ms`. After it `alarm` is later than that."""
        ...


class Outcome(Protocol):
    """What may still be to come of a step: asynchronous work."""

    def settle(self) -> None:
        """Wait until all of it has been handed on."""
        ...

    def poll(self) -> None:
        """Hand on what is ready, without waiting."""
        ...

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        ...


class Send(Protocol):
    """`Transport.produce`."""

    def __call__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None: ...


class TaskView(Protocol):
    """What a step may ask of the task that it becomes a part of."""

    clock: Clock
    message: Message | None
    """The record that is being processed; None while event time fires."""
    state: TaskState

    @property
    def partition(self) -> int: ...
    def adopt(self, store: TaskStore) -> None:
        """Commit and restore this store with the task."""
        ...

    def prepared(self, step: Step) -> Any:
        """What the step's `prepare` has returned for this task."""
        ...

    def fire_at(self, step: Step, timed: Timed) -> None:
        """Fire `timed` when it is due; what is due at once in the order of the topology."""
        ...

    def wake_by_clock(self, woken: Woken) -> None: ...
    def wall_ms(self) -> int:
        """The clock on the wall, in milliseconds since the epoch."""
        ...

    def await_all(self, outcome: Outcome) -> None: ...
    @property
    def send(self) -> Send:
        """Queue a record for a topic."""
        ...

    def failed(self, step: Step, error: Exception, key: Any, value: Any, time: int) -> None:
        """By the step's policy: raises StepFailed, or has skipped the record or sent it to the dead letters."""
        ...

    def lag_of(self, step: Step) -> int:
        """By how much the watermark at this step is behind the task's."""
        ...

    def async_loop(self) -> Any:
        """The event loop, on a thread of its own, for asynchronous steps."""
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """One of a step's outputs."""

    step: Step
    port: str = "out"


@dataclass(frozen=True, eq=False, kw_only=True)
class Step(ABC):
    """One box of the topology."""

    kind: ClassVar[str] = "step"
    """What people call it, for pictures."""

    name: str
    parents: tuple[Output, ...] = field(default=(), repr=False)
    key_type: Any = str
    value_type: Any = Any
    """Of the main output."""
    on_error: OnError | None = None
    """None: as the parent's; and at the top as the app's."""

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return ()

    def delay_ms(self, port: str) -> int:
        """By how much the results of an output may be behind the watermark that makes them."""
        return 0

    @property
    def details(self) -> Mapping[str, str]:
        """For people: what a picture writes below the name."""
        return {}

    def prepare(self, task: TaskView) -> Any:  # noqa: B027 - most steps keep nothing
        """What the step keeps in a task, its stores above all. All steps are prepared before the first is connected."""

    @abstractmethod
    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        """One function for each parent, that hands its results to `outputs`."""


def nowhere(key: Any, value: Any, time: int) -> None:
    """The receiver of an output that nobody reads."""


def fan_out(receivers: Iterable[Receiver]) -> Receiver:
    """One receiver for several, in their order."""
    all_of_them = tuple(receivers)
    if not all_of_them:
        return nowhere
    if len(all_of_them) == 1:
        return all_of_them[0]
    if len(all_of_them) == 2:
        first, second = all_of_them

        def both(key: Any, value: Any, time: int) -> None:
            first(key, value, time)
            second(key, value, time)

        return both

    def each(key: Any, value: Any, time: int) -> None:
        for receive in all_of_them:
            receive(key, value, time)

    return each


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the app reads or writes it: types, formats, and what the key and the time of a value are.

    `key` and `time` take a field of the value out of it; None: the record's own.
    """

    name: str
    key_type: Any
    value_type: Any
    keys: Format[Any]
    values: Format[Any]
    key_field: str | None = None
    key: Callable[[Any], Any] | None = None
    time: Callable[[Any], int] | None = None
    partitions: int | None = None
    """How many it should have when the app has to make it; None: the app does not make it."""
