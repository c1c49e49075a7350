"""The command: puts a broker, a city, three groups and a screen together, and says what came of it."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from drave.cli.demo.city import invented_rides, recorded_rides
from drave.cli.demo.run import PARTITIONS, Run
from drave.cli.demo.screen import LiveScreen, PlainScreen
from drave.cli.demo.views import all_views
from drave.cli.options import AS_FAST_AS_IT_CAN, KEY_VALUE, SPEED, json_option
from drave.cli.output import is_terminal, note, print_json
from drave.client.connection import Connection
from drave.client.groups import Groups
from drave.client.topics import Topics

_CITY_SECONDS: Final = 30.0
_CITY_SPEED: Final = 120.0
_FRAME_S: Final = 0.12


@click.command(short_help="Watch a small city: producers, a topic, three groups.")
@click.option(
    "--trips",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Replay these trips instead of making a city up: CSV or JSONL with pickup, dropoff, passengers, pickup_zone "
    "and dropoff_zone.",
)
@click.option(
    "--speed",
    type=SPEED,
    metavar="N|max",
    help="So many times as fast as life.  [default: 120; with --trips as fast as it can]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    metavar="N",
    help="Stop after so long.  [default: 30; with --trips at their end]",
)
@click.option(
    "--bootstrap", metavar="HOST:PORT", help="Use this Kafka, and clean up after.  [default: a broker of its own]"
)
@click.option(
    "--set", "properties", metavar="KEY=VALUE", type=KEY_VALUE, multiple=True, help="A client property; repeatable."
)
@json_option
def demo(
    trips: Path | None,
    speed: float | None,
    seconds: float | None,
    bootstrap: str | None,
    properties: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """A small city publishes its rides; three groups read the same stream: prices, cars, riders.

    It ends by itself, or with Ctrl-C, and says how many rides each group saw: all of them, each once.
    """
    if trips is None:
        rides, speed = invented_rides(random.Random(), time.time_ns() // 1_000_000), speed or _CITY_SPEED
        seconds = seconds or _CITY_SECONDS
    else:
        rides, speed = iter(list(recorded_rides(trips))), speed or AS_FAST_AS_IT_CAN
    with _kafka(bootstrap, dict(properties)) as (connection, topic, prefix):
        run = Run(connection, topic, rides, all_views(), group_prefix=prefix)
        run.start(speed=speed, seconds=seconds, as_recorded=trips is not None)
        heading = f"{connection.bootstrap}, topic {topic}, {PARTITIONS} partitions"
        try:
            _watch(run, heading, quiet=as_json)
        finally:
            run.abandon()
            if bootstrap is not None:
                _clean_up(connection, run)
    if as_json:
        print_json({"published": run.published, "groups": {view.name: view.rides for view in run.views}})
        return
    for view in run.views:
        click.echo(f"{view.name}: {view.rides} rides")


@contextlib.contextmanager
def _kafka(bootstrap: str | None, properties: dict[str, str]) -> Iterator[tuple[Connection, str, str]]:
    """A connection, a topic to make, and what the groups' names start with."""
    if bootstrap is not None:
        topic = f"rides-{uuid.uuid4().hex[:8]}"
        yield Connection(bootstrap=bootstrap, properties=properties), topic, f"{topic}-"
        return
    from drave.testing import Broker  # the broker: heavy, and not needed against another Kafka

    with Broker(durability="fsync") as broker:
        yield Connection(bootstrap=broker.bootstrap, properties=properties), "rides", ""


def _watch(run: Run, heading: str, *, quiet: bool) -> None:
    """Show the run until it is over. The first Ctrl-C ends the publishing only."""
    if quiet:
        _wait(run, None)
        return
    with LiveScreen(heading) if is_terminal() else PlainScreen(heading) as screen:
        _wait(run, screen)


def _wait(run: Run, screen: LiveScreen | PlainScreen | None) -> None:
    over = False
    while not over:
        try:
            over = run.wait(_FRAME_S)
            if screen is not None:
                screen.show(run)
        except KeyboardInterrupt:
            if run.ending:
                raise
            run.end()


def _clean_up(connection: Connection, run: Run) -> None:
    """Take away what the demo made on somebody's Kafka."""
    Groups(connection).delete(run.groups)
    Topics(connection).delete([run.topic])
    note(f"The topic {run.topic} and its groups are deleted again.")
