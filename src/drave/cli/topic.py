"""`drave topic`: create, list, describe, delete."""

from __future__ import annotations

import os
import sys

import click

from drave.cli.options import KEY_VALUE, connection_options, json_option
from drave.cli.output import counted, is_terminal, note, print_json, print_table
from drave.client.connection import Connection
from drave.client.errors import ClientError
from drave.client.topics import BROKER_DEFAULT, TopicDescription, Topics


@click.group()
def topic() -> None:
    """Create, list, describe and delete topics."""


@topic.command()
@click.argument("name")
@click.option("--partitions", type=click.IntRange(min=1), metavar="N", help="Default: the broker's.")
@click.option("--replication-factor", type=click.IntRange(min=1), metavar="N", help="Default: the broker's.")
@click.option(
    "--config",
    "configs",
    metavar="KEY=VALUE",
    type=KEY_VALUE,
    multiple=True,
    help="A config of the topic, such as retention.ms=-1 or cleanup.policy=compact; repeatable.",
)
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
@json_option
def adopt(name: str, data: str | None, as_json: bool) -> None:
    """Take in folders of the topic NAME that the broker does not know.

    Copy them (NAME-0, NAME-1, …), from Apache Kafka's log.dirs for example, to the folder `topics` of the data folder
    of a broker that is stopped. The topic keeps its id, its offsets and its records.
    """
    import asyncio

    from drave.adopt import adopt as take_in  # the catalog: only this command needs it
    from drave.model.settings import BrokerSettings

    adopted = asyncio.run(take_in(BrokerSettings.load(None, {}, os.environ, data_folder=data), name))
    if as_json:
        print_json({"topic": name, "partitions": adopted.topic.partitions, "records": adopted.records})
    else:
        what = f"{counted(adopted.topic.partitions, 'partition')} and {counted(adopted.records, 'record')}"
        click.echo(f"Took in {name} with {what}; the broker can be started.")
