"""`drave consume`: records on standard output, one a line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from drave.cli.options import TIME, connection_options
from drave.cli.output import is_terminal, note
from drave.cli.records import Template, record_json, value_line
from drave.client.connection import Connection
from drave.client.reading import FromBeginning, FromEnd, FromOffset, FromTime, Reader, Reading, Start

if TYPE_CHECKING:
    from confluent_kafka import Message


@click.command(short_help="Print the records of topics.")
@click.argument("topics", nargs=-1, required=True, metavar="TOPIC...")
@click.option("--from-beginning", is_flag=True, help="Everything that is still there.")
@click.option(
    "--from-time", type=TIME, metavar="TIME", help="2026-11-22T10:00 (UTC), milliseconds, or so long ago: 15m."
)
@click.option("--offset", type=int, metavar="N", help="From this offset; a negative one counts back from the end.")
@click.option("--partition", type=click.IntRange(min=0), metavar="N", help="Only this partition of one TOPIC.")
@click.option("--group", metavar="GROUP", help="As a member of GROUP: go on where it has committed, and commit.")
@click.option(
    "--follow/--no-follow", default=None, help="Wait for more, or stop at the end. See above for the default."
)
@click.option("--max", "records_max", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option("--json", "as_json", is_flag=True, help="Whole records as JSON, one a line.")
@click.option("--template", metavar="TEXT", help=r"For example '{time} {key}\t{value}'.")
@connection_options
def consume(
    topics: tuple[str, ...],
    from_beginning: bool,
    from_time: int | None,
    offset: int | None,
    partition: int | None,
    group: str | None,
    follow: bool | None,
    records_max: int | None,
    as_json: bool,
    template: str | None,
    connection: Connection,
) -> None:
    """Print the records of TOPIC: their values, or more with --json or --template.

    Told where to start, it prints what is there and stops at the end. Not told, it waits for what comes, until Ctrl-C
    or --max. --follow and --no-follow say otherwise. In a group, --from-beginning is for a group that has not committed
    yet; `drave group reset-offsets` moves one that has.

    \b
    drave consume rides --from-beginning
    drave consume rides --from-time 15m --template '{time} {key} {value}' --follow
    drave consume rides --partition 0 --offset -10 --json

    Fields of a template: topic, partition, offset, timestamp, time, key, value, headers.
    """
    if as_json and template is not None:
        raise click.UsageError("--json and --template exclude each other.")
    if partition is not None and (len(topics) > 1 or group is not None):
        raise click.UsageError("--partition is for one TOPIC, and not in a group.")
    start = _start(from_beginning, from_time, offset)
    if group is not None and isinstance(start, FromTime | FromOffset):
        raise click.UsageError("In a group, `drave group reset-offsets` sets time or offset.")
    reading = Reading(
        topics=topics,
        start=start,
        follow=isinstance(start, FromEnd) if follow is None else follow,
        partition=partition,
        group=group,
    )
    _print_records(connection, reading, _renderer(as_json, template), records_max)


def _start(from_beginning: bool, from_time: int | None, offset: int | None) -> Start:
    if from_beginning + (from_time is not None) + (offset is not None) > 1:
        raise click.UsageError("--from-beginning, --from-time and --offset exclude each other.")
    if from_time is not None:
        return FromTime(from_time)
    if offset is not None:
        return FromOffset(offset)
    return FromBeginning() if from_beginning else FromEnd()


def _renderer(as_json: bool, template: str | None) -> Callable[[Message], bytes]:
    if as_json:
        return record_json
    if template is None:
        return value_line
    try:
        return Template(template).render
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--template") from None


def _note_outage(away: bool) -> None:
    note("No broker answers; waiting for one. Ctrl-C ends." if away else "A broker answers again.")


def _print_records(
    connection: Connection, reading: Reading, render: Callable[[Message], bytes], records_max: int | None
) -> None:
    out = sys.stdout.buffer
    printed = 0
    with Reader(connection, reading, idle=out.flush, outage=_note_outage) as reader:
        if reading.follow and is_terminal():
            note("Waiting for records; Ctrl-C ends.")
        try:
            for message in reader:
                out.write(render(message) + b"\n")
                reader.processed(message)
                printed += 1
                if printed == records_max:
                    break
        except KeyboardInterrupt:
            if not reading.follow:
                raise
        out.flush()
