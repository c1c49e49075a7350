"""Where records come from, and the topics that the app makes in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.errors import BadRecord
from drave.streams.state import StoreSpec
from drave.streams.state.keyed import KeyedStore
from drave.streams.steps.aggregating import expiring
from drave.streams.steps.base import Outputs, Receiver, Step, TaskView, Topic
from drave.streams.watermarks import SEEN


@dataclass(frozen=True, eq=False, kw_only=True)
class Source(Step):
    """A topic, read as a stream of records."""

    kind: ClassVar[str] = "topic"
    topic: Topic

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        return (outputs["out"],)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableSource(Source):
    """A compacted topic, read as a table: its newest value of each key. A record without a value deletes its key.

    The topic itself is the store's changelog, so nothing is written twice; but rows that expire are not in it, so with
    a `ttl_ms` the app keeps a changelog of its own.
    """

    kind: ClassVar[str] = "table"
    ttl_ms: int | None = None

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        name = self.topic.name
        if self.ttl_ms is None:
            return (StoreSpec(name, source=name),)
        return (StoreSpec(name), StoreSpec(f"{name}-times"))

    def prepare(self, task: TaskView) -> KeyedStore[Any]:
        store: KeyedStore[Any] = KeyedStore(self.stores[0], task.state, self.topic.keys, self.topic.values)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        store: KeyedStore[Any] = task.prepared(self)
        forward = outputs["out"]
        expiry = expiring(self, self.ttl_ms, store, task, forward)

        def receive(key: Any, value: Any, time: int) -> None:
            if key is None:
                task.failed(self, BadRecord("a table's record has no key"), key, value, time)
                return
            store.put(key, value)
            if expiry is not None and value is not None:
                expiry.touch(key, time)
            forward(key, value, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Repartition(Step):
    """Records on their way to where their new key lives: a topic of the app's own, which ends this sub-topology.

    Beside the records it carries marks: how far each task upstream has come in event time, so that a slow one does not
    make its records late. A record that is behind its source partition says by how much (`watermarks.py`).
    """

    kind: ClassVar[str] = "repartition"
    topic: Topic

    @property
    def details(self) -> Mapping[str, str]:
        return {"topic": self.topic.name}

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        send, clock = task.send, task.clock
        lag = task.lag_of(self)

        def send_with_seen(name: str, key: bytes | None, value: bytes | None, time: int) -> None:
            seen = clock.seen - lag
            if key is None:
                return
            if time >= seen:
                send(name, key, value, time)
            else:
                send(name, key, value, time, ((SEEN, b"%d" % seen),))

        return (encoding(self, self.topic, task, send_with_seen),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sink(Step):
    """A topic that the app writes to. The record's timestamp is its event time."""

    kind: ClassVar[str] = "sink"
    topic: Topic

    @property
    def details(self) -> Mapping[str, str]:
        return {"topic": self.topic.name}

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        return (encoding(self, self.topic, task, task.send),)


def encoding(
    step: Step, topic: Topic, task: TaskView, send: Callable[[str, bytes | None, bytes | None, int], None]
) -> Receiver:
    """Makes records bytes, and sends them. What cannot be encoded is the step's failure."""
    name = topic.name
    key_of = topic.key
    encode_key = topic.keys.encode
    encode_value = topic.values.encode

    def receive(key: Any, value: Any, time: int) -> None:
        try:
            data = None
            if value is not None:
                data = encode_value(value)
                if key_of is not None:
                    key = key_of(value)
            key_data = None if key is None else encode_key(key)
        except Exception as error:
            task.failed(step, error, key, value, time)
            return
        send(name, key_data, data, time)

    return receive
