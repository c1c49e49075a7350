"""`drave produce`: lines, JSON records, or recorded data in its own time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from drave.cli.options import AS_FAST_AS_IT_CAN, KEY_VALUE, SPEED, connection_options
from drave.cli.output import counted, is_terminal, note, print_json
from drave.cli.records import parse_record
from drave.client.connection import Connection
from drave.client.errors import ClientError, NotFound
from drave.client.publishing import Headers, Publisher
from drave.client.recordings import Format, Pace, Recording, Row, open_recording
from drave.client.times import time_text

if TYPE_CHECKING:
    from rich.progress import Progress

_WAIT_S: Final = 0.1
"""The longest wait at a time, so that Ctrl-C and refusals are heard."""

_USUAL_RETENTION_MS: Final = 7 * 24 * 3600 * 1000
"""How long Kafka keeps a topic's records when nobody has said anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How lines become records."""

    key: bytes | None
    key_separator: bytes | None
    headers: Headers
    partition: int | None
    as_json: bool


@click.command(short_help="Send lines, or the rows of a file, to a topic.")
@click.argument("topic")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--key", metavar="KEY|COLUMN", help="Lines: the key of every record. FILE: the column that is the key.")
@click.option("--key-separator", metavar="TEXT", help="Lines: what stands between key and value, as in KEY:VALUE.")
@click.option("--header", "headers", metavar="KEY=VALUE", type=KEY_VALUE, multiple=True, help="On every record.")
@click.option("--partition", type=click.IntRange(min=0), metavar="N", help="Default: by the key, else spread.")
@click.option(
    "--time", "time_column", metavar="COLUMN", help="FILE: the column that is the time. Sorts the rows by it."
)
@click.option(
    "--speed",
    type=SPEED,
    metavar="N|max",
    default="max",
    show_default=True,
    help="FILE with --time: replay N times as fast as it was recorded; 1 is as it was.",
)
@click.option(
    "--format", "format_name", type=click.Choice([each.value for each in Format]), help="Default: FILE's suffix."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Lines are records as consume --json prints them; the summary is JSON too."
)
@connection_options
def produce(
    topic: str,
    file: Path | None,
    key: str | None,
    key_separator: str | None,
    headers: tuple[tuple[str, str], ...],
    partition: int | None,
    time_column: str | None,
    speed: float,
    format_name: str | None,
    as_json: bool,
    connection: Connection,
) -> None:
    """Send records to TOPIC: each line of standard input, or each row of FILE (CSV or JSONL).

    \b
    echo hello | drave produce greetings
    drave produce rides trips.csv --key pickup_zone --time pickup --speed 3600

    A CSV row is sent as a JSON object of its cells, a JSONL line as it stands. With --time the rows are put in time
    order and carry their own timestamps (without an offset, UTC). Brokers delete records by their timestamps: give a
    topic for old data --config retention.ms=-1.

    With --json a line is {"value": …} with key, headers and timestamp if you like; topic, partition and offset in it
    are left aside, so the output of consume --json can be sent on.
    """
    given = [(name, value.encode()) for name, value in headers]
    if file is None:
        if time_column or format_name or speed != AS_FAST_AS_IT_CAN:
            raise click.UsageError("--time, --speed and --format are for a FILE.")
        lines = Lines(
            key=None if key is None else key.encode(),
            key_separator=_separator(key, key_separator, as_json),
            headers=given,
            partition=partition,
            as_json=as_json,
        )
        _produce(connection, topic, as_json, lambda publisher: _send_lines(publisher, lines))
        return
    if key_separator is not None:
        raise click.UsageError("--key-separator is for lines; a FILE has --key COLUMN.")
    if speed != AS_FAST_AS_IT_CAN and time_column is None:
        raise click.UsageError("--speed needs --time COLUMN.")
    recording = open_recording(file, format_name=format_name, key=key, time=time_column)
    _produce(
        connection, topic, as_json, lambda publisher: _replay(connection, publisher, recording, speed, given, partition)
    )


def _separator(key: str | None, separator: str | None, as_json: bool) -> bytes | None:
    if separator is None:
        return None
    if not separator or key is not None or as_json:
        raise click.UsageError("--key-separator is a text, and neither goes with --key nor with --json.")
    return separator.replace("\\t", "\t").encode()


def _produce(connection: Connection, topic: str, as_json: bool, send: Any) -> None:
    started = time.monotonic()
    publisher = Publisher(connection, topic)
    try:
        with publisher:
            send(publisher)
    except (ClientError, KeyboardInterrupt):
        note(f"{counted(publisher.delivered, 'record')} sent to {topic} before it ended")
        raise
    seconds = time.monotonic() - started
    if as_json:
        print_json({"topic": topic, "records": publisher.delivered, "seconds": round(seconds, 3)})
    else:
        note(f"{counted(publisher.delivered, 'record')} sent to {topic} in {seconds:.1f} s")


# -- lines


def _send_lines(publisher: Publisher, lines: Lines) -> None:
    if is_terminal(sys.stdin):
        note("One record a line; Ctrl-D ends.")
    for number, line in enumerate(sys.stdin.buffer, 1):
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            _send_line(publisher, lines, line)
        except ValueError as error:
            raise ClientError(f"line {number}: {error}") from None


def _send_line(publisher: Publisher, lines: Lines, line: bytes) -> None:
    if lines.as_json:
        if line.strip():
            record = parse_record(line)
            key = record.key if record.key is not None else lines.key
            headers = (*record.headers, *lines.headers)
            publisher.send(
                key, record.value, headers=headers, timestamp_ms=record.timestamp_ms, partition=lines.partition
            )
        return
    key, value = lines.key, line
    if lines.key_separator is not None:
        key, found, value = line.partition(lines.key_separator)
        if not found:
            raise ValueError(f"no {lines.key_separator.decode()!r} between key and value")
    publisher.send(key, value, headers=lines.headers, partition=lines.partition)


# -- recordings


def _replay(
    connection: Connection,
    publisher: Publisher,
    recording: Recording,
    speed: float,
    headers: Headers,
    partition: int | None,
) -> None:
    rows = list(recording.rows()) if recording.time else recording.rows()
    if isinstance(rows, list):
        _warn_of_retention(connection, publisher.topic, rows)
    with _progress(rows) as shown:
        for row in _paced(rows, speed, publisher):
            publisher.send(row.key, row.value, headers=headers, timestamp_ms=row.time_ms, partition=partition)
            shown(row)


def _paced(rows: Iterator[Row] | list[Row], speed: float, publisher: Publisher) -> Iterator[Row]:
    if speed == AS_FAST_AS_IT_CAN:
        yield from rows
        return
    pace = Pace(speed)
    started = time.monotonic()
    for row in rows:
        due = started + pace.due_s(row.time_ms or 0)
        while (left := due - time.monotonic()) > 0:
            publisher.wait(min(left, _WAIT_S))
        yield row


def _warn_of_retention(connection: Connection, topic: str, rows: list[Row]) -> None:
    """Say so when the broker would delete the records as soon as it looks."""
    from drave.client.topics import Topics

    oldest_ms = rows[0].time_ms if rows else None
    if oldest_ms is None:
        return
    age_ms = time.time() * 1000 - oldest_ms
    try:
        retention_ms = int(Topics(connection).config(topic, "retention.ms") or -1)
    except NotFound:
        if age_ms > _USUAL_RETENTION_MS:
            note(
                f"Note: {topic} does not exist yet, and these begin at {time_text(oldest_ms)}: a broker that makes it "
                f"by itself may delete them. `drave topic create {topic} --config retention.ms=-1` makes one that "
                "keeps them."
            )
        return
    except (ClientError, ValueError):
        return  # not for us to read
    if 0 <= retention_ms < age_ms:
        note(
            f"Note: {topic} keeps records for {retention_ms / 86_400_000:g} days, and these begin at "
            f"{time_text(oldest_ms)}: the broker may delete them. A topic with retention.ms=-1 keeps them."
        )


@contextlib.contextmanager
def _progress(rows: Iterator[Row] | list[Row]) -> Iterator[Any]:
    """A function to call with each row sent; it moves a bar when somebody looks."""
    if not is_terminal(sys.stderr):
        yield lambda row: None
        return
    with _bar() as bar:
        task = bar.add_task("", total=len(rows) if isinstance(rows, list) else None, clock="")

        def shown(row: Row) -> None:
            bar.update(task, advance=1, clock=time_text(row.time_ms or -1)[:19])

        yield shown


def _bar() -> Progress:
    from rich.console import Console  # heavy: only where there is a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("[bold]{task.fields[clock]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
