"""A table of an app, looked at from outside: what is committed, whether the app runs or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from drave.streams import App, count
from drave.streams.errors import ClusterTrouble
from drave.streams.run import Runner
from drave.streams.view import TableView
from tests.streams.kafka.conftest import Cluster


class Ride(msgspec.Struct):
    zone: str


class Rides(msgspec.Struct):
    count: int


@contextmanager
def running(app: App, cluster: Cluster, folder: Path) -> Iterator[None]:
    """Until it has made its topics, and then while the block lasts."""
    started = threading.Event()
    with Runner(app, cluster.connection, folder, on_start=started.set) as runner:
        thread = threading.Thread(target=runner.run)
        thread.start()
        started.wait()
        try:
            yield
        finally:
            runner.stop()
            thread.join()


def until(view: TableView[object], seen: Callable[[], bool]) -> None:
    while not seen():
        view.wait(0.1)  # what has changed since it was looked at is not waited for


def test_a_table_is_seen_as_it_changes_and_when_the_app_has_ended(cluster: Cluster, tmp_path: Path) -> None:
    rides = cluster.topic(3)
    app = App(cluster.app)
    by_zone = app.topic(rides, Ride).group_by("zone").agg(Rides, count=count())
    busy = by_zone.map(lambda row: f"{row.count} rides", type=str).filter(lambda text: text != "1 rides")
    with running(app, cluster, tmp_path):
        cluster.write(rides, '{"zone": "soho"}', '{"zone": "city"}', partition=1)
        with app.view(by_zone, cluster.broker.bootstrap) as view:
            until(view, lambda: view.get("soho") == Rides(1))
            assert view.get("nowhere") is None
            cluster.write(rides, '{"zone": "soho"}', partition=2)
            until(view, lambda: view.get("soho") == Rides(2))
            until(view, lambda: dict(view.items()) == {"soho": Rides(2), "city": Rides(1)})
    with app.view(busy, cluster.broker.bootstrap) as view:
        assert dict(view.items()) == {"soho": "2 rides"}
        assert view.get("city") is None


def test_a_topic_that_is_a_table_is_seen_without_any_app(cluster: Cluster) -> None:
    zones = cluster.topic(2)
    app = App(cluster.app)
    table = app.table(zones, str)
    cluster.write(zones, "a", partition=1)
    with app.view(table, cluster.broker.bootstrap) as view:
        assert view.get("a") == "a"
        cluster.write(zones, "b", partition=0)
        until(view, lambda: len(dict(view.items())) == 2)


def test_what_no_app_has_made_yet_cannot_be_seen(cluster: Cluster) -> None:
    app = App(cluster.app)
    table = app.topic(cluster.topic(), Ride).group_by("zone").count()
    with pytest.raises(ClusterTrouble, match=r"nothing more can be seen of .*: topic .*-changelog does not exist"):
        app.view(table, cluster.broker.bootstrap).__enter__()
