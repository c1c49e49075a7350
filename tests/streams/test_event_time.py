"""Event time: how far a task has come, who holds it up, and what is late."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drave.streams import App, count, session, tumbling
from drave.streams.steps.base import ALWAYS
from drave.streams.testing import TestDriver
from drave.streams.watermarks import Mark, Progress, seen_in
from tests.streams.rides import Ride, ride, rides_app, span


def put(t: TestDriver, partition: int, *rides: Ride, topic: str = "rides") -> None:
    """Into this partition, whatever their key."""
    for each in rides:
        t.cluster.append(topic, b"k", msgspec.json.encode(each), each.time, partition=partition)
    t.run()


def counting() -> App:
    """Counts by zone, through a repartition topic."""
    app = App("app")
    windows = app.topic("rides", Ride, time="time").group_by("zone").window(tumbling(10)).count()
    windows.final().to("out")
    windows.late().to("late")
    return app


def test_a_partition_that_is_behind_holds_up_the_windows_of_all():
    with counting().test(partitions=2) as t:
        put(t, 0, ride(1), ride(50))
        assert not t.read("out")
        put(t, 1, ride(5), ride(9))
        assert not t.read("out")
        put(t, 1, ride(20))
        assert [span(each) for each in t.read("out")] == [(0, 10, 3)]


def test_what_is_late_is_decided_by_the_record_s_own_partition_and_travels_with_it():
    with counting().test(partitions=2) as t:
        put(t, 0, ride(50), ride(1))
        put(t, 1, ride(5))
        assert [each.time for each in t.read("late")] == [1]
        t.advance("1m")
        assert [span(each) for each in t.read("out")] == [(0, 10, 1), (50, 60, 1)]


def test_a_partition_that_never_had_a_record_holds_up_nobody_once_it_is_idle():
    with counting().test(partitions=2) as t:
        put(t, 0, ride(1), ride(50))
        t.advance("9s")
        put(t, 0, ride(51))
        assert not t.read("out")
        t.advance("2s")
        assert [span(each) for each in t.read("out")] == [(0, 10, 1)]


def test_when_all_is_quiet_event_time_follows_the_clock_so_windows_end():
    app, rides = rides_app()
    rides.by_key().window(tumbling("1m", grace="30s")).count().final().to("out")
    with app.test() as t:
        t.send("rides", ride(1))
        t.advance("89s")
        assert not t.read("out")
        t.advance("2s")
        assert [each.value for each in t.read("out")] == [1]


def test_a_task_with_results_to_come_is_not_idle_for_those_who_wait_for_them():
    """Or its windows would end after theirs, and be late."""
    app, rides = rides_app()
    first = rides.by_key().window(tumbling("1h", grace="1h")).count().final()
    second = first.group_by("start", name="by-start").window(tumbling("1h")).agg(n=count())
    second.final().to("out")
    second.late().to("late")
    with app.test(partitions=2) as t:
        put(t, 0, ride(1))
        put(t, 1, ride(2, zone="camden"))
        t.advance("1h")
        put(t, 1, ride(9_000_000, zone="camden"))
        t.advance("5h")
        assert [each.value.n for each in t.read("out")] == [2, 1]
        assert not t.read("late")


def test_an_app_that_nobody_writes_to_becomes_quiet():
    with counting().test() as t:
        put(t, 0, ride(1))
        t.advance("1h")
        before = t._written()
        t.advance("1d")
        assert t._written() - before < 100


def test_tables_are_no_measure_of_time_beside_a_stream():
    app, rides = rides_app()
    zones = app.table("zones", Ride, key="zone")
    rides.left_join(zones).map(lambda ride, zone: ride, name="ride", type=Ride).by_key().window(
        tumbling(10)
    ).count().final().to("out")
    with app.test() as t:
        t.publish(zones, ride(0), at=0)
        t.send("rides", ride(1), ride(11))
        assert [each.value for each in t.read("out")] == [1]


def test_a_watermark_outlives_a_restart():
    app, rides = rides_app()
    windows = rides.by_key().window(tumbling(10)).count()
    windows.final().to("out")
    windows.late().to("late")
    with app.test() as t:
        t.send("rides", ride(1), ride(30))
        t.crash()
        t.recover()
        t.send("rides", ride(2))
        assert [each.time for each in t.read("late")] == [2]
        assert [span(each) for each in t.read("out")] == [(0, 10, 1)]


def test_sessions_of_a_partition_do_not_depend_on_how_unevenly_others_are_read():
    app = App("app")
    app.topic("rides", Ride, time="time").group_by("zone").window(session(10)).count().final().to("out")
    with app.test(partitions=2) as t:
        put(t, 0, *(ride(time) for time in (0, 100, 200)))
        put(t, 1, *(ride(time) for time in (5, 95, 195)))
        t.advance("1m")
        assert [span(each) for each in t.read("out")] == [(0, 6, 2), (95, 101, 2), (195, 201, 2)]


times = st.integers(-5, 10**13) | st.just(ALWAYS)


@given(time=times, watermark=times, marks=st.lists(st.none() | st.tuples(times, st.booleans()), max_size=5))
def test_what_is_saved_of_an_input_comes_back(
    time: int, watermark: int, marks: list[tuple[int, bool] | None]
):  # fmt: skip
    progress = Progress(len(marks), time)
    progress.marks = {task: mark for task, mark in enumerate(marks) if mark is not None}
    again = Progress(len(marks))
    assert again.load(progress.saved(watermark)) == watermark
    assert (again.time, again.marks) == (progress.time, progress.marks)


def test_marks_of_a_thousand_tasks_fit_what_a_broker_takes_beside_an_offset():
    progress = Progress(400, 1_700_000_000_000)
    progress.marks = {task: (1_700_000_000_000 + task * 20, False) for task in range(400)}
    assert len(progress.saved(1_700_000_000_000)) < 4096


def test_time_upstream_is_the_least_of_all_tasks_that_are_not_idle_once_all_have_spoken():
    progress = Progress(2)
    progress.note(Mark(0, 2, 50, idle=False))
    assert progress.time == ALWAYS
    progress.note(Mark(1, 2, 20, idle=False))
    assert progress.time == 20
    progress.note(Mark(1, 2, 20, idle=True))
    assert progress.time == 50
    progress.note(Mark(0, 2, 30, idle=False))
    assert progress.time == 50


def test_a_header_of_others_says_nothing_of_time():
    assert seen_in([("other", b"1"), ("drave.seen", b"77")]) == 77
    assert seen_in([("other", b"1")]) == ALWAYS


def test_an_input_from_tasks_of_ours_is_idle_when_they_say_so_and_not_because_they_are_slow():
    with counting().test() as t:
        put(t, 0, ride(1))
        (task,) = (task for task in t.engine.tasks.values() if "repartition" in task.id.name)
        (each,) = task.inputs.values()
        task.tick(3600.0)
        assert not each.progress.idle
        t.advance("30s")
        put(t, 0, ride(2, zone="camden"))
        t.advance("1h")
        assert each.progress.idle
