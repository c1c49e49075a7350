"""An app: its topics, its steps, and how it is run.

    app = App("pricing")
    requests = app.topic("requests", Request, key="zone", time="requested_at")

    @app.stream(requests.group_by("zone").window(tumbling("1m")).count().final(), to="demand")
    def busy(zone: Windowed[int]) -> Demand | None: ...

`app.topology()` can be printed, drawn and tested; `app.test()` runs it without a broker; `app.run()`, or
`drave streams run app.py`, on Drave or any Kafka.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from drave.streams.durations import Duration, milliseconds
from drave.streams.errors import BadTopology
from drave.streams.fields import Selector, getter, is_generator, selected_type
from drave.streams.formats import Format, format_for, key_format_for
from drave.streams.steps.base import OnError, Output, Step, Topic
from drave.streams.steps.sources import Source, TableSource
from drave.streams.stream import Policy, Stream
from drave.streams.tables import Table
from drave.streams.topology import Topology

if TYPE_CHECKING:
    from drave.streams.query import TableQuery
    from drave.streams.testing import TestDriver
    from drave.streams.view import TableView

V = TypeVar("V")
StepT = TypeVar("StepT", bound=Step)

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,150}")


class App:
    """A stream-processing app. `name` is its consumer group, and the prefix of every topic that it makes for itself.

    `guarantee` is "exactly_once" or "at_least_once"; `on_error` is what becomes of records that cannot be processed:
    "fail", "skip" or "dead-letter". With `standby=1` another process keeps a copy of each task's state up to date, and
    takes the task over at once when its own goes. Raises BadTopology.
    """

    def __init__(
        self,
        name: str,
        *,
        guarantee: str = "exactly_once",
        on_error: OnError | str = OnError.FAIL,
        commit_interval: Duration = "100ms",
        idle: Duration = "10s",
        standby: int = 0,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise BadTopology(f"{name!r} cannot be an app's name: letters, digits, '.', '_' and '-', at most 150")
        if guarantee not in ("exactly_once", "at_least_once"):
            raise BadTopology(f"the guarantee is exactly_once or at_least_once, not {guarantee!r}")
        if standby < 0:
            raise BadTopology(f"standby is how many copies of each task there are to be: 0, 1, 2; not {standby}")
        self.name = name
        self.standby = standby
        """Standby copies of each task. Kafka: `num.standby.replicas`."""
        self.guarantee = guarantee
        self.on_error = OnError(on_error)
        self.commit_interval_s = milliseconds(commit_interval) / 1000
        self.idle_s = milliseconds(idle) / 1000
        self._steps: list[Step] = []
        self._sources: dict[str, Stream[Any] | Table[Any]] = {}
        self._outputs: dict[str, Topic] = {}

    # -- what it reads

    def topic(
        self,
        name: str,
        value_type: type[V],
        *,
        key: Selector | None = None,
        key_type: Any = None,
        time: Selector | None = None,
        format: Format[V] | None = None,  # noqa: A002 - what it is
        partitions: int | None = None,
        on_error: Policy = None,
    ) -> Stream[V]:
        """A topic as a stream of `value_type`.

        `key` is the field that the topic is keyed by, and `time` the field with the event time (milliseconds, or a
        datetime with its zone); by default they are the record's own key and timestamp. With `partitions` the app
        makes the topic where it is missing.
        """
        topic = self._topic(name, value_type, key, key_type, time, format, partitions)
        step = Source(
            name=name, key_type=topic.key_type, value_type=value_type, topic=topic,
            on_error=None if on_error is None else OnError(on_error),
        )  # fmt: skip
        self._read(name)
        self.add(step)
        stream: Stream[V] = Stream(self, Output(step), topic.key_type, value_type, keyed_by=topic.key_field)
        self._sources[name] = stream
        return stream

    def table(
        self,
        name: str,
        value_type: type[V],
        *,
        key: Selector | None = None,
        key_type: Any = None,
        format: Format[V] | None = None,  # noqa: A002
        partitions: int | None = None,
        ttl: Duration | None = None,
        on_error: Policy = None,
    ) -> Table[V]:
        """A compacted topic as a table: the newest value of each key.

        A row that was not written for `ttl` of event time is forgotten here; without it rows stay.
        """
        topic = self._topic(name, value_type, key, key_type, None, format, partitions)
        step = TableSource(
            name=name, key_type=topic.key_type, value_type=value_type, topic=topic,
            on_error=None if on_error is None else OnError(on_error),
            ttl_ms=None if ttl is None else milliseconds(ttl),
        )  # fmt: skip
        self._read(name)
        self.add(step)
        table: Table[V] = Table(self, Output(step), topic.key_type, value_type)
        self._sources[name] = table
        return table

    def stream(
        self,
        source: Stream[Any],
        *,
        to: str | Stream[Any] | None = None,
        key: Selector | None = None,
        name: str | None = None,
        on_error: Policy = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator: the function is a step on `source`; what it returns (or yields) goes to the topic `to`."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            step = source.flat_map if is_generator(function) else source.map
            result: Stream[Any] = step(function, name=name, on_error=on_error)
            if to is not None:
                result.to(to, key=key)
            return function

        return add

    # -- what it is

    def topology(self) -> Topology:
        """Its steps. Raises BadTopology for what cannot run."""
        if not self._steps:
            raise BadTopology(f"the app {self.name} has no steps yet; begin with app.topic(…)")
        return Topology(self.name, tuple(self._steps))

    def test(self, *, seed: int | None = None, partitions: int = 1, processes: int = 1) -> TestDriver:
        """The app without a broker, on a virtual clock; see `drave.streams.testing`."""
        from drave.streams.testing import TestDriver

        return TestDriver(self, seed=seed, partitions=partitions, processes=processes)

    def run(
        self,
        bootstrap: str = "localhost:9092",
        *,
        state: str | Path | None = None,
        store: str = "sqlite",
        serve: tuple[str, int] | None = None,
        advertise: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """One process of the app, until SIGINT or SIGTERM; start it again, anywhere, for more.

        `state` is the app's state folder (./drave-streams/<name>), `store` what keeps it ("sqlite", "rocksdb",
        "memory"), `properties` are librdkafka's. At `serve`, a host and a port (0: any that is free), it answers
        `query`; `advertise` is the HOST:PORT at which others reach it, where that is another. Raises StreamsError's
        kinds, StepFailed above all.
        """
        from drave.streams.run import default_folder, run

        folder = default_folder(self.name) if state is None else Path(state)
        run(self, bootstrap, folder=folder, store=store, serve=serve, advertise=advertise, properties=properties)

    def view(
        self, table: Table[V], bootstrap: str = "localhost:9092", *, properties: Mapping[str, str] | None = None
    ) -> TableView[V]:
        """The committed rows of a table, for whoever looks: `with app.view(table) as view: view.get("soho")`.

        It follows the table's changelogs, so it needs no running app. Raises ClusterTrouble.
        """
        from drave.client.connection import Connection
        from drave.streams.view import TableView

        return TableView(self, table, Connection(bootstrap=bootstrap, properties=properties or {}))

    def query(
        self,
        table: Table[V],
        bootstrap: str = "localhost:9092",
        *,
        timeout: Duration = "10s",
        properties: Mapping[str, str] | None = None,
    ) -> TableQuery[V]:
        """A table's rows, asked of the processes that keep them: `with app.query(table) as query: query.get("soho")`.

        They must be run with `serve`. For tables that are too large to be kept by who looks, which `view` does. An
        answer is waited for as long as `timeout`. Raises ClusterTrouble.
        """
        from drave.client.connection import Connection
        from drave.streams.query import TableQuery

        return TableQuery(self, table, Connection(bootstrap=bootstrap, properties=properties or {}), timeout)

    # -- for the steps

    def add(self, step: StepT) -> StepT:
        """Put a step into the topology. Raises BadTopology."""
        for other in self._steps:
            if other.name == step.name:
                raise BadTopology(
                    f"two steps are named {step.name!r} (a {other.kind} and a {step.kind}); give one of them name="
                )
        self._steps.append(step)
        return step

    def output(
        self,
        topic: str | Stream[Any] | Topic,
        key_type: Any,
        value_type: Any,
        key: Selector | None,
        format: Format[Any] | None = None,  # noqa: A002
    ) -> Topic:
        """The topic that a stream is written to."""
        if isinstance(topic, Stream):
            source = topic.output.step
            if not isinstance(source, Source):
                raise BadTopology(f"{source.name} is no topic; name one, or what app.topic() returned")
            topic = source.topic
        if isinstance(topic, Topic):
            found = topic
        else:
            found = self._outputs.get(topic) or Topic(
                name=topic,
                key_type=key_type,
                value_type=value_type,
                keys=key_format_for(key_type),
                values=format or self.format_for(value_type),
                partitions=None,
            )
            self._outputs[topic] = found
        if key is not None:
            kind = selected_type(key, value_type)
            kind = str if kind is Any else kind
            found = replace(found, key=getter(key, value_type), key_type=kind, keys=key_format_for(kind))
        return found

    def format_for(self, kind: Any) -> Format[Any]:
        """How values of this type are written where nobody says otherwise."""
        return format_for(kind)

    def policy_of(self, step: Step) -> OnError | None:
        """What a step, or the first above it that says so, does with records that cannot be processed."""
        while step.on_error is None and step.parents:
            step = step.parents[0].step
        return step.on_error

    def _read(self, name: str) -> None:
        if name in self._sources:
            raise BadTopology(f"the topic {name} is read twice; keep what app.topic() or app.table() returned")

    def _topic(
        self,
        name: str,
        value_type: Any,
        key: Selector | None,
        key_type: Any,
        time: Selector | None,
        format: Format[Any] | None,  # noqa: A002
        partitions: int | None,
    ) -> Topic:
        declared = key_type
        if declared is None:
            declared = str if key is None else selected_type(key, value_type)
        kind = str if declared is Any else declared
        return Topic(
            name=name,
            key_type=kind,
            value_type=value_type,
            keys=key_format_for(kind),
            values=format or self.format_for(value_type),
            key_field=key if isinstance(key, str) else None,
            key=None if key is None else getter(key, value_type),
            time=None if time is None else _time_of(time, value_type),
            partitions=partitions,
        )


def _time_of(selector: Selector, kind: Any) -> Callable[[Any], int]:
    """The event time of a value in milliseconds."""
    take = getter(selector, kind)
    declared = selected_type(selector, kind)
    if declared is int:
        return take

    def time_of(value: Any) -> int:
        moment = take(value)
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                raise ValueError(f"{moment} has no time zone")
            return round(moment.timestamp() * 1000)
        if isinstance(moment, int | float):
            return round(moment)
        if isinstance(moment, str):
            return time_of(datetime.fromisoformat(moment))
        raise ValueError(f"{moment!r} is no time")

    return time_of
