"""`python -m examples.rides`, or `make demo`: a broker, a city, three stream apps and a page; or the proof."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from drave.client.connection import Connection
from drave.client.errors import ClientError
from drave.testing import Broker
from examples.rides.parts import BROKER_SETTINGS, Part, PartDied, Parts, free_port, make_topics
from examples.rides.verify import prove

_LOOK_S: Final = 0.25
_PORT: Final = 8000
_STARTS_MAX: Final = 5


@click.command()
@click.option("--trips", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Replay these real trips.")
@click.option("--speed", type=click.FloatRange(min=0.1), help="So many times as fast as life.")
@click.option("--seconds", type=click.FloatRange(min=1), help="End after so long, and say what was seen.")
@click.option("--port", default=_PORT, show_default=True, type=click.IntRange(1, 65535), help="The page's.")
@click.option("--verify", is_flag=True, help="Kill every part while trips are replayed, and check every result.")
@click.option("--kills", default=3, show_default=True, type=click.IntRange(1), help="With --verify: rounds of kills.")
@click.option("--keep", type=click.Path(path_type=Path), help="A folder to leave the data and what was said in.")
@click.option("--seed", default=3, show_default=True, help="Of the city.")
def main(
    trips: Path | None,
    speed: float | None,
    seconds: float | None,
    port: int,
    verify: bool,
    kills: int,
    keep: Path | None,
    seed: int,
) -> None:
    """A ride-sharing service on Drave Streams, with a page to watch it."""
    with ending_signals(), _folder(keep) as folder:
        try:
            if verify:
                sys.exit(0 if prove(folder, trips, rounds=kills, seed=seed, say=click.echo) else 1)
            options = _city_options(trips, speed, seed)
            with contextlib.suppress(KeyboardInterrupt):
                _show(folder, options, free_port(port), seconds)
        except (ClientError, PartDied, TimeoutError) as error:
            raise click.ClickException(str(error)) from None


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="rides-") as scratch:
        yield Path(scratch)


def _city_options(trips: Path | None, speed: float | None, seed: int) -> list[str]:
    options = ["--seed", str(seed)]
    if trips is not None:
        options += ["--trips", str(trips.resolve())]
    if speed is not None:
        options += ["--speed", str(speed)]
    return options


def _show(scratch: Path, city: list[str], port: int, seconds: float | None) -> None:
    with Broker(scratch / "broker", durability="fsync", sets=BROKER_SETTINGS) as broker:
        make_topics(Connection(bootstrap=broker.bootstrap))
        with Parts(scratch, broker.bootstrap, port=port, city=city) as parts:
            for part in parts.all:
                part.start()
            parts.await_web()
            click.echo(f"The city is at {parts.url}   (broker {broker.bootstrap}; Ctrl-C ends it)")
            with contextlib.suppress(KeyboardInterrupt):
                _watch(parts, seconds)
            click.echo(seen(_state(parts.url)))


def _watch(parts: Parts, seconds: float | None) -> None:
    began = time.monotonic()
    while seconds is None or time.monotonic() - began < seconds:
        for part in parts.all:
            _look_after(part)
        time.sleep(_LOOK_S)


def _look_after(part: Part) -> None:
    """Start a part again that ended by itself, and say so. Raises PartDied when it does nothing else."""
    try:
        part.check()
    except PartDied as death:
        if part.starts > _STARTS_MAX:
            raise
        click.echo(f"{death}\nIt is started again.", err=True)
        part.start()


def seen(state: dict[str, Any]) -> str:
    """What the page knows, in one line."""
    cars = state.get("cars", [])
    riders = sum(riders for _, riders in state.get("riders", []))
    quotes = [cents for _, cents, *_ in state.get("quotes", [])]
    prices = f"quotes from ${min(quotes) / 100:.2f} to ${max(quotes) / 100:.2f}" if quotes else "no quotes yet"
    free = sum(1 for *_, is_free in cars if is_free)
    lags = ", ".join(f"{each['group']} {each['lag']}" for [groups] in [state.get("groups", [[]])] for each in groups)
    return (
        f"{len(state.get('zones', []))} zones, {len(cars)} cars of which {free} are free, "
        f"{riders} riders in the last quarter of an hour, {prices}; lag: {lags or 'unknown'}"
    )


def _state(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/state", timeout=10) as response:
        found: dict[str, Any] = msgspec.json.decode(response.read())
    return found


@contextlib.contextmanager
def ending_signals() -> Iterator[None]:
    """A block in which SIGTERM and SIGHUP are what Ctrl-C is, so that no process is left behind."""

    def ended(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, ended) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
