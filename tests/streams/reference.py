"""Streams beside an independent reference: SQL over the whole topics, by DuckDB.

    seed ─▶ records (late, out of order, many partitions) ─▶ topics ─▶ the app, on 1 to 3 processes that crash in any
                                                                │       call, lose their state, leave and come
                                                                └─▶ SQL ─▶ the same rows?

Exactly once: the outputs are the reference's rows, each once. At least once: each of them is there, or has grown.
What is late is part of the answer: a record is late when its own source partition has shown `seen` before it.

    python -m tests.streams.reference 1000          seeds 0 to 999 of every case
    python -m tests.streams.reference 17 18 joins   one seed of one case
"""

from __future__ import annotations

import logging
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import msgspec

from drave.streams import App, Windowed, agg, count, distinct, hopping, session, sliding, tumbling
from drave.streams.errors import Aborted
from drave.streams.testing import Crash, TestDriver

Row = tuple[Any, ...]


class Ride(msgspec.Struct):
    """A record of any of the topics."""

    id: int
    zone: str
    fare: int
    time: int


@dataclass(frozen=True)
class Case:
    """An app, and what it must give. `rows` reads an output's values; growing columns are numbers that may be more."""

    build: Callable[[App], None]
    topics: dict[str, str | None]
    """Each topic that is read, and the field that it is keyed by."""
    expected: dict[str, str]
    """For each output the query that gives its rows."""
    keys: dict[str, int] = field(default_factory=dict)
    """How many of an output's columns say what a row is about; the others only grow when records come twice."""
    in_order: bool = False
    """Partitions are in order, times differ, and everything is there before the app starts."""
    newest: frozenset[str] = frozenset()
    """Outputs of which only the newest row per key counts."""


# -- the apps


def windowed(result: Windowed[Any]) -> list[Any]:
    return [result.key, result.start, result.end, *msgspec.structs.astuple(result.value)]


def ident(ride: Ride) -> list[Any]:
    return [ride.id]


def tumbling_in_place(app: App) -> None:
    rides = app.topic("rides", Ride, key="zone", time="time")
    windows = rides.group_by("zone").window(tumbling(50, grace=10)).agg(
        rides=count(), fare=agg.sum("fare"), least=agg.min("fare"), most=agg.max("fare"), kinds=distinct("fare")
    )  # fmt: skip
    windows.final().map(windowed, name="final", type=list).to("final")
    windows.late().map(ident, name="late").to("late")


def hopping_after_repartition(app: App) -> None:
    rides = app.topic("rides", Ride, time="time")
    windows = rides.group_by("zone").window(hopping(60, every=20, grace=5)).agg(
        rides=count(), earliest=agg.first("time"), latest=agg.last("time")
    )  # fmt: skip
    windows.final().map(windowed, name="final", type=list).to("final")
    windows.late().map(ident, name="late").to("late")


def sessions(app: App) -> None:
    rides = app.topic("rides", Ride, time="time")
    windows = rides.group_by("zone").window(session(12, grace=20)).agg(rides=count(), fare=agg.sum("fare"))
    windows.final().map(windowed, name="final", type=list).to("final")
    windows.late().map(ident, name="late").to("late")


def slidings(app: App) -> None:
    rides = app.topic("rides", Ride, time="time")
    windows = rides.group_by("zone").window(sliding(30, grace=8)).agg(rides=count(), fare=agg.sum("fare"))
    windows.final().map(windowed, name="final", type=list).to("final")
    windows.late().map(ident, name="late").to("late")


def windows_of_windows(app: App) -> None:
    rides = app.topic("rides", Ride, key="zone", time="time")
    first = rides.group_by("zone").window(tumbling(20, grace=15)).count().final()
    second = first.group_by("start", name="by-start").window(tumbling(40)).agg(
        zones=count(), rides=agg.sum("value")
    )  # fmt: skip
    second.final().map(windowed, name="final", type=list).to("final")
    second.late().map(lambda result: [result.start], name="late", type=list).to("late")


def joins(app: App) -> None:
    left = app.topic("rides", Ride, time="time").key_by("zone", name="rides-by-zone")
    right = app.topic("cars", Ride, time="time").key_by("zone", name="cars-by-zone")
    inner = left.join(right, within=15, grace=10, name="inner")
    outer = left.outer_join(right, within=9, name="outer")

    def pair(one: Ride | None, other: Ride | None) -> list[Any]:
        return [one and one.id, other and other.id]

    inner.map(pair, name="inner-pairs").to("inner")
    outer.map(pair, name="outer-pairs").to("outer")
    late_left, late_right = inner.late()
    late_left.map(ident, name="late-left").to("late_left")
    late_right.map(ident, name="late-right").to("late_right")


def table_join(app: App) -> None:
    rides = app.topic("rides", Ride, key="zone", time="time")
    cars = app.table("cars", Ride, key="zone")

    def pair(ride: Ride, car: Ride | None) -> list[Any]:
        return [ride.id, car and car.id]

    rides.left_join(cars).map(pair, name="pairs").to("pairs")


def tables(app: App) -> None:
    rides = (
        app.topic("rides", Ride, time="time")
        .group_by("zone")
        .agg(rides=count(), fare=agg.sum("fare"), name="rides-table")
    )
    cars = app.topic("cars", Ride, time="time").group_by("zone").count(name="cars-table")

    def row(zone: Any, cars: int | None) -> list[Any]:
        return [zone and zone.rides, zone and zone.fare, cars]

    rides.outer_join(cars).map(row, name="row").to("zones")


SEEN = "max(time) over (partition by partition order by position rows unbounded preceding) as seen"
RIDES = f"rides as (select *, {SEEN} from rides_topic)"
CARS = f"cars as (select *, {SEEN} from cars_topic)"

HOPS = f"""with {RIDES}, hops as (
    select *, unnest(generate_series(greatest(time // 20 * 20 - 40, 0), time // 20 * 20, 20)) as start from rides)"""
SLIDES = f"""with {RIDES}, ends as (select distinct zone, time as last from rides where time + 1 + 8 > seen)"""
IN_TIME = f"""with {RIDES}, {CARS},
    l as (select * from rides where time + {{grace}} >= seen), r as (select * from cars where time + {{grace}} >= seen),
    pairs as (select l.id as one, r.id as other from l join r
              on l.zone = r.zone and abs(l.time - r.time) <= {{within}})"""

CASES = {
    "tumbling": Case(
        tumbling_in_place,
        {"rides": "zone"},
        {
            "final": f"""with {RIDES} select zone, time // 50 * 50 as start, start + 50, count(*), sum(fare), min(fare),
                max(fare), count(distinct fare) from rides where start + 50 + 10 > seen group by zone, start""",
            "late": f"with {RIDES} select id from rides where time // 50 * 50 + 50 + 10 <= seen",
        },
        keys={"final": 3},
    ),
    "hopping": Case(
        hopping_after_repartition,
        {"rides": None},
        {
            "final": f"""{HOPS} select zone, start, start + 60, count(*), min(time), max(time) from hops
                where start + 60 + 5 > seen group by zone, start""",
            "late": f"{HOPS} select id from hops group by id having max(start + 60 + 5) <= any_value(seen)",
        },
        keys={"final": 3},
    ),
    "sessions": Case(
        sessions,
        {"rides": None},
        {
            "final": f"""with {RIDES}, steps as (
                select *, time - lag(time) over (partition by zone order by time) > 12 as begins from rides
                where time + 20 >= seen),
                numbered as (select *, sum(begins::int) over (partition by zone order by time) as number from
                    (select * replace (coalesce(begins, true) as begins) from steps))
                select zone, min(time), max(time) + 1, count(*), sum(fare) from numbered group by zone, number""",
            "late": f"with {RIDES} select id from rides where time + 20 < seen",
        },
        keys={"final": 3},
    ),
    "sliding": Case(
        slidings,
        {"rides": None},
        {
            "final": f"""{SLIDES} select zone, last - 30, last + 1, count(*), sum(fare)
                from ends join rides using (zone)
                where time between last - 30 and last and last + 1 + 8 > seen group by zone, last""",
            "late": f"with {RIDES} select id from rides where time + 30 + 1 + 8 <= seen",
        },
        keys={"final": 3},
    ),
    "windows-of-windows": Case(
        windows_of_windows,
        {"rides": "zone"},
        {
            "final": f"""with {RIDES}, first as (select zone, time // 20 * 20 as start, count(*) as rides from rides
                where start + 20 + 15 > seen group by zone, start)
                select start, start // 40 * 40 as begin, begin + 40, count(*), sum(rides) from first
                group by start""",
            "late": "select 1 where false",
        },
        keys={"final": 3, "late": 0},
    ),
    "joins": Case(
        joins,
        {"rides": None, "cars": None},
        {
            "inner": f"{IN_TIME.format(grace=10, within=15)} select one, other from pairs",
            "outer": f"""{IN_TIME.format(grace=9, within=9)} select one, other from pairs
                union all select id, null from l where id not in (select one from pairs)
                union all select null, id from r where id not in (select other from pairs)""",
            "late_left": f"with {RIDES} select id from rides where time + 10 < seen",
            "late_right": f"with {CARS} select id from cars where time + 10 < seen",
        },
    ),
    "table-join": Case(
        table_join,
        {"rides": "zone", "cars": "zone"},
        {
            "pairs": """select rides_topic.id, cars_topic.id from rides_topic asof left join cars_topic
                on rides_topic.zone = cars_topic.zone and rides_topic.time >= cars_topic.time"""
        },
        in_order=True,
    ),
    "tables": Case(
        tables,
        {"rides": None, "cars": None},
        {
            "zones": """with l as (select zone, count(*) as n, sum(fare) as fare from rides_topic group by zone),
                r as (select zone, count(*) as cars from cars_topic group by zone)
                select zone, n, fare, cars from l full join r using (zone)"""
        },
        newest=frozenset({"zones"}),
        keys={"zones": 1},
    ),
}


# -- a run


def run(name: str, seed: int, *, exactly_once: bool) -> None:
    """One case with one seed. Raises AssertionError with what differs."""
    case, chance = CASES[name], random.Random(f"{name} {seed} {exactly_once}")
    guarantee = "exactly_once" if exactly_once else "at_least_once"
    app = App("reference", guarantee=guarantee, standby=chance.choice((0, 0, 1, 2)))
    case.build(app)
    faults = Faults(chance, exactly_once)
    driver = app.test(seed=seed, partitions=chance.randint(1, 4), processes=chance.randint(1, 3))
    pending = records(case, chance)
    if case.in_order:
        publish(driver, case, pending, chance)
        pending = []
    with driver:
        driver.on_call = faults
        while pending or faults.left > 0:
            publish(driver, case, pending[: (portion := chance.randint(1, 40))], chance)
            pending = pending[portion:]
            faults.left -= 1
            for _ in range(chance.randint(0, 6)):
                driver.turn()
            come_and_go(driver, chance)
        faults.stop()
        for number in range(len(driver.processes)):
            if not driver.is_running(number):
                driver.recover(number)
        driver.run()
        driver.advance(3000)
        for _ in range(20):
            driver.advance("10s")
    compare(name, seed, driver, case, exactly_once=exactly_once)


class Faults:
    """Crashes in any call, and transactions that are aborted."""

    def __init__(self, chance: random.Random, exactly_once: bool) -> None:
        self.left = 8
        """Rounds that it goes on at least."""
        self._chance = chance
        self._often = chance.choice((0.0, 0.003, 0.02, 0.1))
        self._exactly_once = exactly_once

    def stop(self) -> None:
        self._often = 0.0

    def __call__(self, call: str) -> None:
        if self._chance.random() < self._often:
            if call == "commit" and self._exactly_once and self._chance.random() < 0.5:
                raise Aborted("by chance")
            raise Crash


def records(case: Case, chance: random.Random) -> list[tuple[str, Ride]]:
    """In the order in which they are published: times go on, with some that are behind, and some far behind."""
    topics = list(case.topics)
    zones = [f"z{number}" for number in range(chance.randint(1, 5))]
    found: list[tuple[str, Ride]] = []
    now = 0
    for number in range(chance.randint(20, 150)):
        now += chance.choice((1, 1, 2, 3, 8)) if chance.random() < 0.97 else 60
        behind = 0 if case.in_order or chance.random() < 0.6 else chance.choice((1, 3, 10, 25, 80))
        ride = Ride(number, chance.choice(zones), chance.randint(1, 9), max(0, now - behind))
        found.append((chance.choice(topics), ride))
    return found


def publish(driver: TestDriver, case: Case, portion: Iterable[tuple[str, Ride]], chance: random.Random) -> None:
    for topic, ride in portion:
        keyed_by = case.topics[topic]
        key = (ride.zone if keyed_by else str(chance.randint(0, 99))).encode()
        driver.cluster.append(topic, key, msgspec.json.encode(ride), ride.time)


def come_and_go(driver: TestDriver, chance: random.Random) -> None:
    for number in range(len(driver.processes)):
        if not driver.is_running(number):
            if chance.random() < 0.3:
                driver.lose_state(number)
            if chance.random() < 0.7:
                driver.recover(number)
        elif chance.random() < 0.05:
            driver.stop(number)
    if len(driver.processes) < 3 and chance.random() < 0.1:
        driver.recover(len(driver.processes))


# -- the judgement


def compare(name: str, seed: int, driver: TestDriver, case: Case, *, exactly_once: bool) -> None:
    database = duckdb.connect(config={"threads": 1})
    for topic in case.topics:
        load(database, driver, topic)
    for output, query in case.expected.items():
        expected = [tuple(row) for row in database.execute(query).fetchall()]
        found = read(driver, output, newest=output in case.newest)
        place = f"{name}, seed {seed}, {'exactly' if exactly_once else 'at least'} once, {output}"
        if exactly_once:
            missing, more = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
            assert not missing, f"{place}: missing {sorted(missing.items(), key=str)}, instead {sorted(more, key=str)}"
            assert not more, f"{place}: too much {sorted(more.items(), key=str)}"
        else:
            keys = case.keys.get(output)
            lost = [row for row in expected if not any(covers(each, row, keys) for each in found)]
            assert not lost, f"{place}: lost {lost}"
    database.close()


def covers(found: Row, expected: Row, keys: int | None) -> bool:
    """Whether a row says what was expected. The first column behind the keys is a count: it may have grown."""
    if keys is None:
        return found == expected
    if found[:keys] != expected[:keys]:
        return False
    ours, theirs = found[keys : keys + 1], expected[keys : keys + 1]
    return ours == theirs or (None not in (*ours, *theirs) and ours >= theirs)


def load(database: duckdb.DuckDBPyConnection, driver: TestDriver, topic: str) -> None:
    database.execute(f"create table {topic}_topic (partition int, position int, id int, zone text, fare int, time int)")
    rows = [
        (partition, message.offset(), *msgspec.json.decode(message.value() or b"").values())
        for partition, log in enumerate(driver.cluster.topics[topic])
        for message in log
    ]
    if rows:
        database.executemany(f"insert into {topic}_topic values (?, ?, ?, ?, ?, ?)", rows)


def read(driver: TestDriver, output: str, *, newest: bool) -> list[Row]:
    messages = [message for log in driver.cluster.topics[output] for message in log]
    if newest:
        values = {message.key(): message.value() for message in messages}
        return [((key or b"").decode(), *msgspec.json.decode(value or b"")) for key, value in values.items()]
    return [tuple(msgspec.json.decode(message.value() or b"")) for message in messages]


def main(arguments: list[str]) -> int:
    first, last = (0, int(arguments[0])) if len(arguments) < 2 else (int(arguments[0]), int(arguments[1]))
    failures = 0
    logging.disable(logging.WARNING)
    for name in arguments[2:] or CASES:
        for seed in range(first, last):
            for exactly_once in (True, False):
                try:
                    run(name, seed, exactly_once=exactly_once)
                except Exception as error:
                    failures += 1
                    print(f"{name} {seed} {exactly_once}: {type(error).__name__}: {error}"[:1500])
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
