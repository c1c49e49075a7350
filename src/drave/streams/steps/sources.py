"""Where records come from, and the topics that the app makes in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.state import StoreSpec
from drave.streams.state.keyed import KeyedStore
from drave.streams.steps.base import Outputs, Receiver, Step, TaskView, Topic


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

    The topic itself is the store's changelog, so nothing is written twice.
    """

    kind: ClassVar[str] = "table"
    ttl_ms: int | None = None

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(self.topic.name, source=self.topic.name),)

    def prepare(self, task: TaskView) -> KeyedStore[Any]:
        store: KeyedStore[Any] = KeyedStore(self.stores[0], task.state, self.topic.keys, self.topic.values)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        store: KeyedStore[Any] = task.prepared(self)
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            store.put(key, value)
            forward(key, value, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Repartition(Step):
    """Records on their way to where their new key lives: a topic of the app's own, which ends this sub-topology.

    Beside the records it carries marks: how far each task upstream has come in event time, so that a slow one does not
    make its records late (`watermarks.py`).
    """

    kind: ClassVar[str] = "repartition"
    topic: Topic

    @property
    def details(self) -> Mapping[str, str]:
        return {"topic": self.topic.name}

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        return (sender(self, self.topic, task),)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sink(Step):
    """A topic that the app writes to. The record's timestamp is its event time."""

    kind: ClassVar[str] = "sink"
    topic: Topic

    @property
    def details(self) -> Mapping[str, str]:
        return {"topic": self.topic.name}

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        return (sender(self, self.topic, task),)


def sender(step: Step, topic: Topic, task: TaskView) -> Receiver:
    """Encode and send; what cannot be encoded is the step's failure."""
    name = topic.name
    send = task.send
    key_of = topic.key
    encode_key = topic.keys.encode
    encode = topic.values.encode

    def receive(key: Any, value: Any, time: int) -> None:
        try:
            if key_of is not None and value is not None:
                key = key_of(value)
            data = None if value is None else encode(value)
            key_data = None if key is None else encode_key(key)
        except Exception as error:
            task.failed(step, error, key, value, time)
            return
        send(name, key_data, data, time)

    return receive
