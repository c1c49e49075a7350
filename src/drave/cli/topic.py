"""`drave topic`: create, list, describe, alter, add-partitions, delete-records, delete."""

from __future__ import annotations

import os
import sys

import click

from drave.cli.options import TIME, TOPIC_PART, connection_options, json_option, topic_configs_option
from drave.cli.output import counted, is_terminal, note, print_json, print_table
from drave.client.connection import Connection
from drave.client.deleting import Deletion, delete_records, plan_deletions
from drave.client.errors import ClientError
from drave.client.resets import Target, Toward
from drave.client.topics import BROKER_DEFAULT, TopicDescription, Topics


@click.group()
def topic() -> None:
    """Create, list, describe, change and delete topics."""


@topic.command()
@click.argument("name")
@click.option("--partitions", type=click.IntRange(min=1), metavar="N", help="Default: the broker's.")
@click.option("--replication-factor", type=click.IntRange(min=1), metavar="N", help="Default: the broker's.")
@topic_configs_option("A config of the topic, such as retention.ms=-1 or cleanup.policy=compact")
@click.option("--if-not-exists", is_flag=True, help="Be content when it is there already.")
@json_option
@connection_options
def create(
    name: str,
    partitions: int | None,
    replication_factor: int | None,
    configs: tuple[tuple[str, str], ...],
    if_not_exists: bool,
    as_json: bool,
    connection: Connection,
) -> None:
    """Create the topic NAME."""
    topics = Topics(connection)
    created = True
    try:
        topics.create(
            name,
            partitions=partitions or BROKER_DEFAULT,
            replication_factor=replication_factor or BROKER_DEFAULT,
            configs=dict(configs),
        )
    except ClientError as error:
        if not if_not_exists or error.name != "TOPIC_ALREADY_EXISTS":
            raise
        created = False
    if as_json:
        print_json({"topic": name, "created": created})
    else:
        click.echo(f"Created topic {name}." if created else f"Topic {name} is there already.")


@topic.command(name="list")
@click.option("--internal", is_flag=True, help="Kafka's own topics too, such as __consumer_offsets.")
@json_option
@connection_options
def list_topics(internal: bool, as_json: bool, connection: Connection) -> None:
    """List topics, with their partitions and records."""
    found = Topics(connection).summaries(internal=internal)
    if as_json:
        print_json([{"topic": each.name, "partitions": each.partitions, "records": each.records} for each in found])
    elif found:
        print_table(("TOPIC", "PARTITIONS", "RECORDS"), [(each.name, each.partitions, each.records) for each in found])
    else:
        note("There are no topics yet; `drave topic create NAME` creates one.")


@topic.command()
@click.argument("name")
@json_option
@connection_options
def describe(name: str, as_json: bool, connection: Connection) -> None:
    """Show the partitions, offsets and configs of the topic NAME."""
    found = Topics(connection).describe(name)
    if as_json:
        print_json(found)
    else:
        _print_description(found)


def _print_description(found: TopicDescription) -> None:
    click.echo(f"Topic    {found.name}")
    click.echo(f"Id       {found.topic_id}")
    click.echo(f"Configs  {', '.join(f'{name}={value}' for name, value in found.configs.items()) or 'all defaults'}")
    click.echo()
    print_table(
        ("PARTITION", "START", "END", "LEADER", "REPLICAS", "IN SYNC"),
        [
            (
                each.partition,
                each.start,
                each.end,
                each.leader,
                ",".join(map(str, each.replicas)),
                ",".join(map(str, each.in_sync)),
            )
            for each in found.partitions
        ],
    )


@topic.command()
@click.argument("name")
@topic_configs_option("Set a config of the topic, such as retention.ms=-1")
@click.option(
    "--delete-config",
    "deleted",
    metavar="KEY",
    multiple=True,
    help="Let the topic have the broker's default again; repeatable.",
)
@json_option
@connection_options
def alter(
    name: str, configs: tuple[tuple[str, str], ...], deleted: tuple[str, ...], as_json: bool, connection: Connection
) -> None:
    """Change configs of the topic NAME, all of them or none. They count at once, for old records too."""
    if not configs and not deleted:
        raise click.UsageError("Give what is to change: --config KEY=VALUE or --delete-config KEY.")
    Topics(connection).alter(name, configs=dict(configs), deleted=deleted)
    if as_json:
        print_json({"topic": name, "set": dict(configs), "deleted": deleted})
    else:
        changes = [f"{key}={value}" for key, value in dict(configs).items()]
        changes += [f"{key} as the broker has it" for key in deleted]
        click.echo(f"Altered topic {name}: {', '.join(changes)}.")


@topic.command()
@click.argument("name")
@click.argument("count", type=click.IntRange(min=1))
@json_option
@connection_options
def add_partitions(name: str, count: int, as_json: bool, connection: Connection) -> None:
    """Give the topic NAME so many partitions more: COUNT.

    What is there stays where it is; new records with a key may go to another partition than older ones with the same
    key. A topic never has fewer partitions again.
    """
    total = Topics(connection).add_partitions(name, count)
    if as_json:
        print_json({"topic": name, "partitions": total, "added": count})
    else:
        click.echo(f"Topic {name} has {counted(total, 'partition')} now.")


@topic.command(name="delete-records")
@click.argument("part", type=TOPIC_PART, metavar="NAME[:PARTITION]")
@click.option("--before-offset", type=click.IntRange(min=0), metavar="N", help="Those with a lower offset.")
@click.option(
    "--before-time",
    type=TIME,
    metavar="TIME",
    help="Those before the first one of that time: 2026-11-22T10:00 (UTC), milliseconds, or so long ago: 15m.",
)
@click.option("--all", "all_records", is_flag=True, help="All that are there.")
@click.option("--execute", is_flag=True, help="Do it. Without this the plan is only shown.")
@json_option
@connection_options
def delete_records_of(
    part: tuple[str, int | None],
    before_offset: int | None,
    before_time: int | None,
    all_records: bool,
    execute: bool,
    as_json: bool,
    connection: Connection,
) -> None:
    """Delete the oldest records of the topic NAME. Shows the plan; with --execute carries it out.

    There is no way back. Each partition begins later then, at the given place, or at its end where that lies beyond.
    """
    target = _first_to_stay(before_offset, before_time, all_records)
    topics = Topics(connection)
    plan = plan_deletions(topics, *part, target)
    if execute:
        delete_records(topics, plan)
    if as_json:
        print_json({"topic": part[0], "executed": execute, "partitions": [_deletion_document(each) for each in plan]})
        return
    print_table(
        ("PARTITION", "START", "NEW START", "END", "RECORDS DELETED"),
        [(each.partition.partition, each.bounds.start, each.offset, each.bounds.end, each.records) for each in plan],
    )
    if not execute:
        note("Nothing has been deleted; --execute does it.")


def _first_to_stay(before_offset: int | None, before_time: int | None, all_records: bool) -> Target:
    given = []
    if before_offset is not None:
        given.append(Target(Toward.OFFSET, before_offset))
    if before_time is not None:
        given.append(Target(Toward.TIME, before_time))
    if all_records:
        given.append(Target(Toward.LATEST))
    if len(given) != 1:
        raise click.UsageError("Give one of --before-offset, --before-time and --all.")
    return given[0]


def _deletion_document(deletion: Deletion) -> dict[str, object]:
    return {
        "partition": deletion.partition.partition,
        "start": deletion.bounds.start,
        "new_start": deletion.offset,
        "end": deletion.bounds.end,
        "records": deletion.records,
    }


@topic.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask. Only a terminal is asked.")
@json_option
@connection_options
def delete(names: tuple[str, ...], yes: bool, as_json: bool, connection: Connection) -> None:
    """Delete topics with all their records. There is no way back."""
    topics = Topics(connection)
    if not yes and is_terminal(sys.stdin):
        click.confirm(f"Delete {counted(len(names), 'topic')} with all records: {', '.join(names)}?", abort=True)
    topics.delete(names)
    if as_json:
        print_json({"deleted": names})
    else:
        click.echo(f"Deleted {', '.join(names)}.")


@topic.command()
@click.argument("name")
@click.option("--data", metavar="DIR", help="The stopped broker's data folder.  [default: ./drave-data]")
@topic_configs_option("A config of the topic, such as retention.ms=-1, for its folders do not hold them")
@json_option
def adopt(name: str, data: str | None, configs: tuple[tuple[str, str], ...], as_json: bool) -> None:
    """Take in the topic NAME from folders that the broker does not know.

    Copy them (NAME-0, NAME-1, …), from Apache Kafka's log.dirs for example, to the folder `topics` of the data folder
    of a broker that is stopped. The topic keeps its id, its offsets and its records. The groups' offsets come along in
    the same way: their topic is __consumer_offsets.
    """
    import asyncio

    from drave.adopt import adopt as take_in  # the catalog: only this command needs it
    from drave.model.settings import BrokerSettings

    adopted = asyncio.run(take_in(BrokerSettings.load(None, {}, os.environ, data_folder=data), name, dict(configs)))
    if as_json:
        print_json({"topic": name, "partitions": adopted.topic.partitions, "records": adopted.records})
    else:
        what = f"{counted(adopted.topic.partitions, 'partition')} and {counted(adopted.records, 'record')}"
        click.echo(f"Took in {name} with {what}; the broker can be started.")
