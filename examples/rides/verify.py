"""The proof: every part of the service is killed, again and again, while trips are replayed; every result is exact.

    replay ─▶ broker ─▶ pricing, locations, dashboard ─▶ broker ─▶ (read_committed) compare ◀─ exact answer ◀─ replay
                │           │           │          │
              kill -9     kill -9     kill -9    kill -9        and the web server, which must know it all again

The events are known beforehand, so the answer is (`exact.py`). What publishes them is not killed: what it has sent and
nobody has acknowledged is in no topic yet.
"""

from __future__ import annotations

import random
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from drave.client.connection import Connection
from drave.client.topics import TopicPartitionId, Topics
from drave.testing import Broker
from examples.rides.city import Event
from examples.rides.exact import CLOSING, Expected, Results, differences, expected_of, told
from examples.rides.model import APPS, MINUTE_MS, PARTITIONS, RESULTS, Position, Request, Trip, Zone
from examples.rides.parts import BROKER_SETTINGS, Part, PartDied, Parts, free_port, make_topics
from examples.rides.phones import CITY_SPEED, Phones, living_city, replayed_city

REPLAY_S: Final = 20.0
"""How long the replay takes."""

_TRIPS_MAX: Final = 1_200
_PAUSE_S: Final = (0.2, 1.0)
_STUCK_S: Final = 45.0
_LOOK_S: Final = 0.25
_SAY_S: Final = 5.0
_DAY_MS: Final = 24 * 60 * MINUTE_MS

Say = Callable[[str], None]


def prove(scratch: Path, trips: Path | None, *, rounds: int, seed: int, say: Say) -> bool:
    """Whether every result was exact. `rounds` is how often each part is killed."""
    zones, events = _day(trips, seed)
    expected = expected_of(events)
    began = time.monotonic()
    say(f"{len(events):,} events of {_hours(events):.1f} hours, replayed in some {REPLAY_S:.0f} s; seed {seed}")
    broker = Broker(scratch / "broker", process=True, durability="fsync", sets=BROKER_SETTINGS)
    with broker, Parts(scratch, broker.bootstrap, port=free_port(0)) as parts:
        connection = Connection(bootstrap=broker.bootstrap)
        make_topics(connection)
        chaos = Chaos(broker, parts, random.Random(seed), say)
        chaos.start_all()
        with Phones(connection) as phones:
            replay = Replay(phones, zones, events)
            replay.start()
            chaos.run(rounds, replay)
            replay.join()
        chaos.await_results(connection, expected)
        shown = page_shows(parts.url, expected)
        for name in APPS:
            parts.apps[name].end()  # what they have not committed yet would count
        results = read_results(connection)
    wrong = differences(expected, results)
    wrong["page"] = [] if shown else ["it does not show where the cars are now"]
    _verdict(wrong, expected, results, chaos, time.monotonic() - began, say)
    return not any(wrong.values())


def _day(trips: Path | None, seed: int) -> tuple[list[Zone], list[Event]]:
    if trips is None:
        city = living_city(seed, trips_max=_TRIPS_MAX)
    else:
        city, _ = replayed_city(trips, CITY_SPEED, trips_max=_TRIPS_MAX)
    return list(city.zones.values()), list(city.events())


def _hours(events: Sequence[Event]) -> float:
    return (events[-1].due_ms - events[0].due_ms) / (60 * MINUTE_MS)


class Replay(threading.Thread):
    """Publishes the day, then what closes it in every partition. `join` raises what went wrong."""

    def __init__(self, phones: Phones, zones: Sequence[Zone], events: Sequence[Event]) -> None:
        super().__init__(name="replay", daemon=True)
        self.published = 0
        self._phones = phones
        self._zones = zones
        self._events = events
        self._failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._phones.draw(self._zones)
            self._phones.publish(self._counted(), speed=_hours(self._events) * 3600 / REPLAY_S)
            self._close_the_day(self._events[-1].due_ms + _DAY_MS)
        except BaseException as error:
            self._failure = error

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout)
        if self._failure is not None:
            raise self._failure

    def _counted(self) -> Iterator[Event]:
        for event in self._events:
            yield event
            self.published += 1

    def _close_the_day(self, at: int) -> None:
        for partition in range(PARTITIONS):
            for topic, value in (
                ("requests", Request(CLOSING, CLOSING, CLOSING, 1, at)),
                ("trips", Trip(CLOSING, 0, CLOSING, CLOSING, 1, 1.0, 1.0, 100, at)),
                ("positions", Position(0, 0.0, 0.0, True, at)),
            ):
                self._phones.send(topic, value, at, partition=partition)

    @property
    def share(self) -> float:
        return self.published / len(self._events)


class Chaos:
    """Kills and restarts, in an order that a seed decides."""

    def __init__(self, broker: Broker, parts: Parts, chance: random.Random, say: Say) -> None:
        self.kills = 0
        self.deaths = 0
        """Parts that ended by themselves, and were started again as any supervisor would."""
        self._broker = broker
        self._parts: dict[str, Part] = {**parts.apps, "web": parts.web}
        self._chance = chance
        self._say = say

    def start_all(self) -> None:
        for part in self._parts.values():
            part.start()

    def run(self, rounds: int, replay: Replay) -> None:
        """Each part so often, the kills spread over the replay, with a rest before each."""
        names = ["broker", *self._parts]
        order = [name for _ in range(rounds) for name in self._chance.sample(names, len(names))]
        for number, name in enumerate(order):
            due = (number + 0.5 + self._chance.random() * 0.5) / (len(order) + 1)
            rests = time.monotonic() + self._chance.uniform(*_PAUSE_S)
            while (replay.share < due and replay.is_alive()) or time.monotonic() < rests:
                self._revive()
                time.sleep(_LOOK_S / 5)
            self._say(f"{replay.share:4.0%}  kill -9 {name}")
            self.kill(name)

    def kill(self, name: str) -> None:
        self.kills += 1
        if name == "broker":
            self._broker.kill()
            time.sleep(self._chance.uniform(*_PAUSE_S))
            self._broker.start()
            return
        self._parts[name].kill()
        self._parts[name].start()

    def await_results(self, connection: Connection, expected: Expected) -> None:
        """Until all of them are there, or nothing moves any more. What comes beyond them is looked for at the end."""
        moved = said = time.monotonic()
        before: dict[str, int] = {}
        while (now := time.monotonic()) - moved < _STUCK_S:
            self._revive()
            counts = read_results(connection).counts
            if all(counts.get(topic, 0) >= count for topic, count in expected.counts.items()):
                return
            if counts != before:
                before, moved = counts, now
            if now - said > _SAY_S:
                said = now
                self._say(f"      waiting: {_missing(expected.counts, counts)}")
            time.sleep(_LOOK_S)

    def _revive(self) -> None:
        for part in self._parts.values():
            try:
                part.check()
            except PartDied as death:
                self.deaths += 1
                self._say(f"      {death.name} ended by itself and is started again: {death.words.splitlines()[-1]}")
                part.start()


def _missing(expected: Mapping[str, int], counts: Mapping[str, int]) -> str:
    there = {topic: counts.get(topic, 0) for topic in expected}
    short = [f"{topic} {there[topic]:,} of {count:,}" for topic, count in expected.items() if there[topic] != count]
    return ", ".join(short) or "all results are there"


def read_results(connection: Connection) -> Results:
    """Everything that is committed in the topics of results."""
    from drave.client.librdkafka import OFFSET_BEGINNING, TopicPartition

    topics = Topics(connection)
    places = [each for topic in RESULTS for each in topics.partitions(topic)]
    decoders = {topic: msgspec.json.Decoder(plan.kind).decode for topic, plan in RESULTS.items()}
    consumer = connection.consumer(
        "rides-proof",
        **{"enable.auto.commit": False, "isolation.level": "read_committed", "enable.partition.eof": True},
    )
    results = Results()
    try:
        consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])
        left = set(places)
        while left:
            for message in consumer.consume(5_000, 1.0):
                place = TopicPartitionId(message.topic() or "", message.partition() or 0)
                error = message.error()
                if error is None:
                    results.add(place.topic, decoders[place.topic](message.value() or b""))
                elif error.name() == "_PARTITION_EOF":
                    left.discard(place)
    finally:
        consumer.close()
    return results


def page_shows(url: str, expected: Expected) -> bool:
    """Whether the page comes to know the last place of each car: it may be a moment behind."""
    last = sorted([number, car[-1].x, car[-1].y, car[-1].free] for number, car in expected.cars.items())
    give_up = time.monotonic() + _STUCK_S
    while time.monotonic() < give_up:
        with suppress(OSError), urllib.request.urlopen(f"{url}/state", timeout=5) as response:
            cars = msgspec.json.decode(response.read()).get("cars", [])
            if sorted(car for car in cars if car[0] != 0) == last:
                return True
        time.sleep(_LOOK_S)
    return False


def _verdict(
    wrong: Mapping[str, Sequence[str]], expected: Expected, results: Results, chaos: Chaos, seconds: float, say: Say
) -> None:
    for line in told(wrong):
        say(f"  {line}")
    for topic, count in expected.counts.items():
        exact = "inexact" if wrong[topic] else "exact"
        say(f"  {topic:<10} {count:>7,} records expected, {results.counts.get(topic, 0):>7,} read   {exact}")
    died = f", {chaos.deaths} ended by themselves and were started again" if chaos.deaths else ""
    say(f"  {'page':<10} {'wrong' if wrong['page'] else 'right'}")
    verdict = "INEXACT" if any(wrong.values()) else "EXACT: no loss, no duplicate, nothing out of order"
    say(f"{verdict}; {chaos.kills} kills{died}; {seconds:.0f} s")
