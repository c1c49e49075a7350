"""Standby copies: where they lie, what they hold, and what a task that comes to one still has to read."""

from __future__ import annotations

from collections import Counter
from itertools import count as numbers
from typing import Any

import pytest

from drave.streams import App, BadTopology, agg, count, tumbling
from drave.streams.errors import StepFailed
from drave.streams.placement import heirs, range_owner
from drave.streams.standby import WAITING_MAX
from drave.streams.state import TaskId
from drave.streams.testing import Crash, TestDriver
from drave.streams.testing.cluster import MemoryTransport
from tests.streams.rides import Ride, Zone, ride


def build(standby: int = 1, guarantee: str = "exactly_once") -> App:
    """Windows behind a repartition topic, a topic that is a table, and an aggregate in place."""
    app = App("app", standby=standby, guarantee=guarantee)
    rides = app.topic("rides", Ride, key="id", time="time")
    zones = app.table("zones", Zone, key="id")
    rides.group_by("zone").window(tumbling(10)).agg(n=count(), fare=agg.sum("fare")).final().to("windows")
    rides.join(zones, on="zone", name="priced").map(
        lambda ride, zone: ride.fare + zone.base, name="price", type=int
    ).to("prices")
    rides.by_key().agg(n=count(), name="per-id").to("counts")
    return app


def feed(t: TestDriver, rides: int = 40) -> None:
    t.publish("zones", *(Zone(f"z{number}", number) for number in range(7)), at=0)
    t.publish("rides", *(ride(number, zone=f"z{number % 7}", id=f"r{number % 11}") for number in range(rides)))
    t.run()
    t.advance("3s")


def states(t: TestDriver, process: int) -> dict[TaskId, dict[str, dict[bytes, bytes]]]:
    """Each task's state as it lies with a process."""
    found = {}
    for task_id in t.processes[process].states.tasks():
        state = t.processes[process].states.open(task_id)
        sub = next(sub for sub in t.topology.subs if sub.name == task_id.name)
        found[task_id] = {spec.name: dict(state.scan(spec.name, b"", None)) for spec in sub.stores}
    return found


class Reads:
    """Counts what is read to restore tasks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offsets: Counter[str] = Counter()
        read = MemoryTransport.read

        def counted(transport: MemoryTransport, place: Any, start: int, end: int) -> Any:
            self.offsets[place[0]] += end - start
            return read(transport, place, start, end)

        monkeypatch.setattr(MemoryTransport, "read", counted)


def test_a_copy_is_the_state_that_its_task_has():
    with build().test(partitions=3, processes=3, seed=1) as t:
        feed(t)
        where = [states(t, number) for number in range(3)]
        for process in t.processes:
            assert process.engine is not None
            for task_id, task in process.engine.tasks.items():
                copies = [each[task_id] for each in where if task_id in each]
                assert len(copies) == (2 if task.sub.stores else 1)
                assert copies[0] == copies[-1]
                assert any(copies[0].values())


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_who_takes_over_finds_its_copy_and_reads_nothing_more(processes: int, monkeypatch: pytest.MonkeyPatch):
    with build().test(partitions=5, processes=processes) as t:
        feed(t)
        restored = Reads(monkeypatch)
        t.crash(1)
        assert sum(restored.offsets.values()) == 0
        t.publish("rides", *(ride(100 + number, id=f"r{number}") for number in range(11)))
        t.run()
        t.advance("1m")
        assert {each.key: each.value.n for each in t.records("counts")}["r1"] == 5


def test_without_copies_who_takes_over_reads_everything(monkeypatch: pytest.MonkeyPatch):
    with build(standby=0).test(partitions=5, processes=2) as t:
        feed(t)
        restored = Reads(monkeypatch)
        t.crash(1)
        assert restored.offsets["app-per-id-changelog"] > 5
        assert restored.offsets["zones"] > 0


def test_two_copies_survive_two_deaths(monkeypatch: pytest.MonkeyPatch):
    with build(standby=2).test(partitions=4, processes=3) as t:
        feed(t)
        restored = Reads(monkeypatch)
        t.crash(2)
        t.advance("3s")
        t.crash(0)
        assert sum(restored.offsets.values()) == 0


def test_a_copy_of_a_table_s_topic_does_not_run_ahead_of_its_owner():
    """Rows that the owner has not processed would be seen too early by whoever takes over."""
    app = App("app", standby=1)
    zones = app.table("zones", Zone, key="id")
    app.topic("rides", Ride, key="zone", time="time").join(zones).map(
        lambda ride, zone: zone.base, name="base", type=int
    ).to("bases")
    with app.test(processes=2) as t:
        t.publish("zones", Zone("soho", 1), at=10)
        t.publish("rides", ride(20))
        t.run()
        t.advance("2s")
        owner = next(number for number in (0, 1) if t.processes[number].engine.tasks)
        (task,) = t.processes[owner].engine.tasks.values()
        position = task.inputs["zones", 0].position
        task.tables_read = lambda: {"zones": position}  # what follows is read, and not processed
        t.publish("zones", *(Zone("soho", number) for number in range(WAITING_MAX + 2)), at=30)
        t.run()
        (copy,) = t.processes[1 - owner].engine.standbys.copies.values()
        assert copy.positions["zones", 0] == position == 1
        assert copy.held == {("zones", 0)}
        del task.tables_read
        t.advance("3s")
        assert copy.positions["zones", 0] == WAITING_MAX + 3
        assert copy.held == set()


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_a_crash_in_any_call_loses_nothing_and_repeats_nothing(guarantee: str):
    def run(victim: int) -> tuple[dict[str, set[str]], dict[str, list[str]], bool]:
        with build(guarantee=guarantee).test(partitions=2, processes=2) as t:
            calls = numbers(1)

            def on_call(call: str) -> None:
                if next(calls) == victim:
                    raise Crash

            t.on_call = on_call
            for portion in range(3):
                feed(t, rides=5 * (portion + 1))
                for number in (0, 1):
                    if not t.is_running(number):
                        t.recover(number)
            t.on_call = lambda call: None
            t.advance("2m")
            rows = {topic: sorted(str(each.value) for each in t.records(topic)) for topic in ("windows", "prices")}
            return {topic: set(found) for topic, found in rows.items()}, rows, next(calls) > victim

    sets, rows, _ = run(0)
    for victim in numbers(1, 11):
        found_sets, found_rows, died = run(victim)
        if guarantee == "exactly_once":
            assert found_rows == rows, f"crash in call {victim}"
        else:
            assert sets["prices"] <= found_sets["prices"], f"crash in call {victim}"
        if not died:
            assert victim > 60
            break


def test_a_changelog_that_was_made_anew_is_copied_anew():
    with build().test(processes=2) as t:
        feed(t)
        keeper = next(process for process in t.processes if process.engine.standbys.copies)
        task_id, copy = next(iter(keeper.engine.standbys.copies.items()))
        place, position = next((place, position) for place, position in copy.positions.items() if position)
        copy.positions[place] = position + 1  # as after a longer life of the topic
        keeper.engine.standbys._follow_anew = True
        log = t.cluster.log(place)
        keeper.engine.standbys._take(place, log[:1], 0.0)
        t.run()
        assert copy.positions[place] == len(log)
        assert dict(
            keeper.states.open(task_id).scan(place[0].removeprefix("app-").removesuffix("-changelog"), b"", None)
        )


def test_who_fails_commits_no_half_of_what_it_was_doing_when_it_leaves_the_group():
    app = App("app", standby=1)
    rides = app.topic("rides", Ride, key="zone", time="time")
    rides.to("copied")
    rides.map(lambda ride: 1 // ride.fare, name="share", type=int).to("shares")
    t = app.test().__enter__()
    engine, transport = t.engine, t.processes[0].transport
    assert transport is not None
    t.send("rides", ride(1))
    with pytest.raises(StepFailed):
        t.send("rides", ride(2, fare=0))
    transport.close = lambda: engine.revoked([("rides", 0)])  # as librdkafka does
    engine.abandon()
    assert t.cluster.log(("app-instances", 0))
    assert len(t.cluster.log(("copied", 0))) == 1


def test_what_comes_behind_a_record_that_is_out_of_order_is_read_once_more():
    with build().test(processes=2) as t:
        feed(t)
        keeper = next(process for process in t.processes if process.engine.standbys.copies)
        standbys = keeper.engine.standbys
        task_id, copy = next(iter(standbys.copies.items()))
        before = states(t, t.processes.index(keeper))[task_id]
        place = next(place for place, position in copy.positions.items() if position > 3)
        log, other = t.cluster.log(place), ("app-instances", 0)
        standbys._following.poll = lambda wait_s, records_max: [log[0], t.cluster.log(other)[-1], *log[1:]]
        keeper.engine.turn(0.0)
        assert copy.positions[place] == 0
        del standbys._following.poll
        t.run()
        assert states(t, t.processes.index(keeper))[task_id] == before


def test_who_stops_gives_its_copies_back_and_says_so():
    with build().test(partitions=2, processes=2) as t:
        feed(t)
        t.stop(0)
        last = {each.key(): each.value() for each in t.cluster.log(("app-instances", 0))}
        assert last[b"process-0"] is None
        assert b'"copies":[]' in (last[b"process-1"] or b"") or b"copies" not in (last[b"process-1"] or b"")


def test_a_negative_number_of_copies_is_refused():
    with pytest.raises(BadTopology, match="standby is how many copies"):
        App("app", standby=-1)


# -- where they lie


def test_members_have_runs_of_partitions_the_first_ones_one_more():
    assert [range_owner(each, 7, ["a", "b", "c"]) for each in range(7)] == list("aaabbcc")
    assert [range_owner(each, 2, ["a", "b", "c"]) for each in range(2)] == list("ab")


@pytest.mark.parametrize("members", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("partitions", [1, 2, 5, 12])
def test_a_copy_lies_where_its_task_goes_whoever_goes(members: int, partitions: int):
    names = [f"m{number}" for number in range(members)]
    for gone in names:
        left = [name for name in names if name != gone]
        for partition in range(partitions):
            if range_owner(partition, partitions, names) == gone:
                assert heirs(partition, partitions, names, gone, 1) == [range_owner(partition, partitions, left)]


def test_there_are_no_more_copies_than_others():
    assert heirs(0, 1, ["a", "b", "c"], "a", 5) == ["b", "c"]
    assert heirs(0, 1, ["a"], "a", 1) == []
