"""Standby copies on a real broker: two processes, one of which goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from drave.streams import App
from drave.streams.run import Runner
from drave.streams.standby import Copy
from drave.streams.state import TaskId
from drave.streams.state.sqlite import SqliteStates
from drave.streams.task import Task
from tests.streams.kafka.conftest import Cluster


class Ride(msgspec.Struct):
    zone: str


class Process:
    """A worker on a thread, for as long as the block lasts."""

    def __init__(self, app: App, cluster: Cluster, folder: Path, **more: Any) -> None:
        self.turned = threading.Condition()
        self.runner = Runner(app, cluster.connection, folder, on_turn=self._turned, **more)
        self.engine = self.runner.engine
        self._thread = threading.Thread(target=self.runner.run)

    def __enter__(self) -> Process:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Also twice."""
        self.runner.stop()
        self._thread.join()
        self.runner.__exit__()

    def wait_for(self, seen: Callable[[], object]) -> None:
        while not seen():
            with self.turned:
                assert self.turned.wait(100)

    @property
    def tasks(self) -> dict[TaskId, Task]:
        return dict(self.engine.tasks)

    @property
    def copies(self) -> dict[TaskId, Copy]:
        return dict(self.engine.standbys.copies)

    def _turned(self, engine: object) -> None:
        with self.turned:
            self.turned.notify_all()


def test_copies_follow_on_a_real_broker_where_the_group_will_want_them(cluster: Cluster, tmp_path: Path) -> None:
    rides, zones = cluster.topic(3), cluster.topic(3)
    app = App(cluster.app, standby=1)
    stream = app.topic(rides, Ride, key="zone")
    stream.join(app.table(zones, str)).map(lambda ride, zone: zone, name="joined", type=str).to(cluster.topic(3))
    stream.by_key().count(name="count")
    counted = f"{cluster.app}-count-changelog"
    with Process(app, cluster, tmp_path) as one:
        one.wait_for(lambda: len(one.tasks) == 3)
        with Process(app, cluster, tmp_path) as other:
            for process, neighbour in ((one, other), (other, one)):
                process.wait_for(lambda p=process, n=neighbour: p.copies and p.copies.keys() == n.tasks.keys())
            for partition in range(3):
                cluster.write(zones, *"abc", partition=partition)
                cluster.write(rides, *('{"zone": "a"}' for _ in range(10)), partition=partition)
            for process in (one, other):
                for copy in process.copies.values():
                    process.wait_for(lambda copy=copy: copy.positions[zones, copy.task_id.partition] == 3)
                    process.wait_for(lambda copy=copy: copy.positions[counted, copy.task_id.partition] > 0)
            copied = {**one.copies, **other.copies}
    for task_id in copied:
        for slot in ("0", "1"):
            state = SqliteStates(tmp_path / slot / "tasks").open(task_id)
            assert state.get("count", b'{"zone": "a"}') == b"\x0a"
            assert [key for key, _ in state.scan(zones, b"", None)] == [b"a", b"b", b"c"]
            state.close()


def test_a_task_goes_where_it_was_foreseen_and_its_copy_is_there(cluster: Cluster, tmp_path: Path) -> None:
    """The group's leader is librdkafka, which assigns by range over the names of static members."""
    rides = cluster.topic(5)
    app = App(cluster.app, standby=1)
    app.topic(rides, Ride, key="zone").by_key().count(name="count")
    with (
        Process(app, cluster, tmp_path) as one,
        Process(app, cluster, tmp_path) as other,
        Process(app, cluster, tmp_path) as last,
    ):
        processes = (one, other, last)
        one.wait_for(lambda: all(1 <= len(process.tasks) <= 2 for process in processes))
        one.wait_for(lambda: sum(len(process.copies) for process in processes) == 5)
        foreseen = {process: process.copies.keys() & other.tasks.keys() for process in (one, last)}
        assert set().union(*foreseen.values()) == other.tasks.keys()
        other.__exit__()
        cluster.dismiss(other.runner.slot.worker)
        one.wait_for(lambda: len(one.tasks) + len(last.tasks) == 5)
        for process, expected in foreseen.items():
            assert expected <= process.tasks.keys()


def test_what_is_purged_is_gone(cluster: Cluster) -> None:
    topic = cluster.topic()
    cluster.write(topic, *"abc")
    transport = cluster.transport()
    transport.purge({(topic, 0): 2})
    while transport.start_offset((topic, 0)) == 0:
        """The broker does it when it comes to it."""
    assert transport.start_offset((topic, 0)) == 2
