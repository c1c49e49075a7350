"""Rows of a table that lies with several processes, asked of whoever has them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drave.streams import App, count
from drave.streams.errors import ClusterTrouble
from drave.streams.placement import partition_of
from drave.streams.query import NotAnswered
from tests.streams.kafka.conftest import Cluster
from tests.streams.kafka.test_standby import Process

ZONES = [f"z{number}" for number in range(8)]


class Ride(msgspec.Struct):
    zone: str


class Rides(msgspec.Struct):
    count: int


def rides_by_zone(cluster: Cluster, topic: str, standby: int = 0) -> tuple[App, object]:
    app = App(cluster.app, standby=standby)
    return app, app.topic(topic, Ride).group_by("zone").agg(Rides, count=count())


def test_whoever_has_a_key_is_asked_and_after_its_death_its_copy_and_its_heir(cluster: Cluster, tmp_path: Path) -> None:
    topic = cluster.topic(4)
    app, table = rides_by_zone(cluster, topic, standby=1)
    with Process(app, cluster, tmp_path, serve=("127.0.0.1", 0)) as one:
        one.wait_for(lambda: len(one.tasks) == 8)
        with Process(app, cluster, tmp_path, serve=("127.0.0.1", 0)) as other:
            other.wait_for(lambda: len(other.tasks) == 4 and len(other.copies) == 2)
            for partition in range(4):
                cluster.write(topic, *(f'{{"zone": "{zone}"}}' for zone in ZONES), partition=partition)
            with app.query(table, cluster.broker.bootstrap, timeout="100s") as query:
                other.wait_for(lambda: all(query.get(zone) == Rides(4) for zone in ZONES))
                assert query.get("nowhere") is None
                owners = {zone: query.ask(zone).address for zone in ZONES}
                assert set(owners.values()) == {one.runner.address, other.runner.address}
                assert not any(query.ask(zone).stale for zone in ZONES)
                assert dict(query.items()) == dict.fromkeys(ZONES, Rides(4))
                assert dict(query.items("z2", "z4")) == {"z2": Rides(4), "z3": Rides(4)}

                (gone,) = [zone for zone in ZONES if owners[zone] == other.runner.address][:1]
                task_id = next(each for each in other.tasks if each.name != topic and each.partition == at(gone, 4))
                one.wait_for(lambda: one.copies[task_id].positions[f"{app.name}-{table.name}-changelog", at(gone, 4)])
                other.runner.server.close()  # as if it was cut off
                query._lines.close()
                answer = query.ask(gone, stale=True)
                assert (answer.row, answer.address, answer.stale) == (Rides(4), one.runner.address, True)
        cluster.dismiss(other.runner.slot.worker)
        with app.query(table, cluster.broker.bootstrap, timeout="100s") as query:
            answer = query.ask(gone)
            assert (answer.row, answer.address, answer.stale) == (Rides(4), one.runner.address, False)


def at(key: str, partitions: int) -> int:
    return partition_of(key.encode(), partitions)


def test_a_key_that_another_s_partitioner_put_elsewhere_is_found_all_the_same(cluster: Cluster, tmp_path: Path) -> None:
    topic = cluster.topic(3)
    app = App(cluster.app)
    table = app.table(topic, str)
    elsewhere = (at("soho", 3) + 1) % 3
    cluster.write(topic, "soho", partition=elsewhere)
    with Process(app, cluster, tmp_path, serve=("127.0.0.1", 0)) as one:
        one.wait_for(lambda: len(one.tasks) == 3)
        with app.query(table, cluster.broker.bootstrap, timeout="100s") as query:
            one.wait_for(lambda: query.get("soho") == "soho")


def test_nobody_who_answers_is_said_with_the_reason(cluster: Cluster, tmp_path: Path) -> None:
    app, table = rides_by_zone(cluster, cluster.topic(), standby=1)
    with Process(app, cluster, tmp_path) as one:
        one.wait_for(lambda: len(one.tasks) == 2)
        with (
            app.query(table, cluster.broker.bootstrap, timeout="0s") as query,
            pytest.raises(NotAnswered, match=r"partition 0 of .* within 0 s: no running process .* --serve"),
        ):
            query.get("soho")


def test_an_app_that_never_ran_is_one_sentence(cluster: Cluster) -> None:
    app, table = rides_by_zone(cluster, cluster.topic())
    with pytest.raises(ClusterTrouble, match=r"does not exist.*announces itself when it runs with --serve"):
        app.query(table, cluster.broker.bootstrap).__enter__()
