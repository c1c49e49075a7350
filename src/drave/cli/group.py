"""`drave group`: list, describe with lag, reset offsets, delete."""

from __future__ import annotations

import sys

import click

from drave.cli.options import TIME, TOPIC_PART, connection_options, json_option
from drave.cli.output import counted, is_terminal, note, print_json, print_table
from drave.client.connection import Connection
from drave.client.groups import GroupDescription, Groups
from drave.client.resets import Reset, Target, Toward


@click.group()
def group() -> None:
    """List, describe, move and delete consumer groups."""


@group.command(name="list")
@json_option
@connection_options
def list_groups(as_json: bool, connection: Connection) -> None:
    """List consumer groups and their states."""
    found = Groups(connection).summaries()
    if as_json:
        print_json(found)
    elif found:
        print_table(("GROUP", "STATE", "TYPE"), [(each.group, each.state, each.type) for each in found])
    else:
        note("There are no groups yet; `drave consume TOPIC --group NAME` makes one.")


@group.command()
@click.argument("name", metavar="GROUP")
@json_option
@connection_options
def describe(name: str, as_json: bool, connection: Connection) -> None:
    """Show the members of GROUP, and how far it is behind in each partition."""
    found = Groups(connection).describe(name)
    if as_json:
        print_json(_as_document(found))
    else:
        _print_description(found)


def _as_document(found: GroupDescription) -> dict[str, object]:
    return {
        "group": found.group,
        "state": found.state,
        "type": found.type,
        "assignor": found.assignor,
        "coordinator": found.coordinator,
        "lag": found.lag,
        "members": [
            {
                "member_id": member.member_id,
                "instance_id": member.instance_id,
                "client_id": member.client_id,
                "host": member.host,
                "partitions": [each._asdict() for each in member.partitions],
            }
            for member in found.members
        ],
        "partitions": [
            {
                **each.partition._asdict(),
                "committed": each.committed,
                "end": each.end,
                "lag": each.lag,
                "member_id": each.member,
            }
            for each in found.progress
        ],
    }


def _print_description(found: GroupDescription) -> None:
    click.echo(f"Group        {found.group}")
    click.echo(f"State        {found.state}, {counted(len(found.members), 'member')}")
    click.echo(f"Assignor     {found.assignor or '-'}")
    click.echo(f"Coordinator  {found.coordinator or '-'}")
    click.echo(f"Lag          {found.lag}")
    members = {member.member_id: member for member in found.members}
    if found.progress:
        click.echo()
        rows = []
        for each in found.progress:
            member = members.get(each.member or "")
            reader = (member.client_id, member.host) if member else ("", "")
            rows.append((each.partition.topic, each.partition.partition, each.committed, each.end, each.lag, *reader))
        print_table(("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "CLIENT", "HOST"), rows)
    idle = [member for member in found.members if not member.partitions]
    if idle:
        click.echo()
        click.echo("Without a partition: " + ", ".join(f"{member.client_id} ({member.host})" for member in idle))


@group.command()
@click.argument("name", metavar="GROUP")
@click.option(
    "--topic",
    "scope",
    type=TOPIC_PART,
    metavar="TOPIC[:PARTITION]",
    multiple=True,
    help="Default: wherever the group has committed; repeatable.",
)
@click.option("--to-earliest", is_flag=True, help="To the first record that is still there.")
@click.option("--to-latest", is_flag=True, help="To the end: what is there is skipped.")
@click.option("--to-time", type=TIME, metavar="TIME", help="2026-11-22T10:00 (UTC), milliseconds, or so long ago: 15m.")
@click.option("--to-offset", type=click.IntRange(min=0), metavar="N", help="To this offset.")
@click.option("--shift-by", type=int, metavar="N", help="On by so many records; back with a negative number.")
@click.option("--execute", is_flag=True, help="Do it. Without this the plan is only shown.")
@json_option
@connection_options
def reset_offsets(
    name: str,
    scope: tuple[tuple[str, int | None], ...],
    to_earliest: bool,
    to_latest: bool,
    to_time: int | None,
    to_offset: int | None,
    shift_by: int | None,
    execute: bool,
    as_json: bool,
    connection: Connection,
) -> None:
    """Move GROUP to other offsets. Shows the plan; with --execute carries it out.

    The group must have no members at that moment. A target before the first record or past the end becomes that record
    or the end.
    """
    target = _target(to_earliest, to_latest, to_time, to_offset, shift_by)
    groups = Groups(connection)
    plan = groups.plan(name, target, scope)
    if execute:
        groups.carry_out(name, plan)
    if as_json:
        print_json({"group": name, "executed": execute, "partitions": [_reset_document(each) for each in plan]})
        return
    print_table(
        ("TOPIC", "PARTITION", "COMMITTED", "NEW", "LAG"),
        [(*each.partition, each.committed, each.offset, each.bounds.end - each.offset) for each in plan],
    )
    if not execute:
        note("Nothing has been changed; --execute does it.")


def _target(
    to_earliest: bool, to_latest: bool, to_time: int | None, to_offset: int | None, shift_by: int | None
) -> Target:
    given = []
    if to_earliest:
        given.append(Target(Toward.EARLIEST))
    if to_latest:
        given.append(Target(Toward.LATEST))
    if to_time is not None:
        given.append(Target(Toward.TIME, to_time))
    if to_offset is not None:
        given.append(Target(Toward.OFFSET, to_offset))
    if shift_by is not None:
        given.append(Target(Toward.SHIFT, shift_by))
    if len(given) != 1:
        raise click.UsageError("Give one of --to-earliest, --to-latest, --to-time, --to-offset and --shift-by.")
    return given[0]


def _reset_document(reset: Reset) -> dict[str, object]:
    return {
        **reset.partition._asdict(),
        "committed": reset.committed,
        "offset": reset.offset,
        "lag": reset.bounds.end - reset.offset,
    }


@group.command()
@click.argument("names", nargs=-1, required=True, metavar="GROUP...")
@click.option("--yes", is_flag=True, help="Do not ask. Only a terminal is asked.")
@json_option
@connection_options
def delete(names: tuple[str, ...], yes: bool, as_json: bool, connection: Connection) -> None:
    """Delete groups with their committed offsets. A group with members stays."""
    groups = Groups(connection)
    if not yes and is_terminal(sys.stdin):
        click.confirm(f"Delete {counted(len(names), 'group')} with committed offsets: {', '.join(names)}?", abort=True)
    groups.delete(names)
    if as_json:
        print_json({"deleted": names})
    else:
        click.echo(f"Deleted {', '.join(names)}.")
