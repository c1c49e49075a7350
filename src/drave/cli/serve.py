"""`drave serve`: the broker, and the first screen that a newcomer sees."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from drave.cli.options import KEY_VALUE
from drave.cli.output import print_json
from drave.client.connection import DEFAULT_BOOTSTRAP

if TYPE_CHECKING:
    from drave.model.setting import Address
    from drave.model.settings import BrokerSettings

_EVERY_INTERFACE: Final = {"", "0.0.0.0", "::"}
_LOOPBACK: Final = {"127.0.0.1", "::1"}
_DURABILITY: Final = {
    "fsync": "fsync: a record is acknowledged once it is on the disk",
    "os": "os: a record is acknowledged once the operating system has it; a power cut may take the newest",
}


@click.command()
@click.option("--data", metavar="DIR", help="Where records and topics are kept.  [default: ./drave-data]")
@click.option(
    "--listen", metavar="HOST:PORT", help="Where clients connect; several with commas.  [default: localhost:9092]"
)
@click.option(
    "--advertise", metavar="HOST:PORT", help="What clients are told.  [default: the address that they dialled]"
)
@click.option(
    "--durability", metavar="fsync|os", help="When a record counts as written: on the disk, or in the page cache."
)
@click.option(
    "--config",
    metavar="FILE.toml",
    envvar="DRAVE_CONFIG",
    show_envvar=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Settings, under Kafka's names or ours.",
)
@click.option("--set", "sets", metavar="KEY=VALUE", type=KEY_VALUE, multiple=True, help="One setting; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Say as JSON, in one line, where it listens.")
def serve(
    data: str | None,
    listen: str | None,
    advertise: str | None,
    durability: str | None,
    config: Path | None,
    sets: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Run a broker until Ctrl-C. Nothing has to be configured.

    Every setting can stand in a --config file, in the environment (DRAVE_DATA_FOLDER, DRAVE_NUM_PARTITIONS, …) or after
    --set, under Kafka's name or ours; the command line wins, then the environment.
    """
    if sys.platform == "win32":
        raise click.ClickException("The broker does not run on Windows yet; it does in WSL 2. Clients may be anywhere.")
    from drave.model.settings import BrokerSettings

    settings = BrokerSettings.load(
        config,
        dict(sets),
        os.environ,
        data_folder=data,
        listen=listen,
        advertise=advertise,
        durability=durability,
    )
    from drave import server  # the broker: heavy, and no other command needs it

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)

    def ready(started: server.Server) -> None:
        if as_json:
            print_json(_document(settings, started.addresses))
        else:
            _print_welcome(settings, started.addresses)

    server.serve(settings, ready=ready)
    if not as_json:
        click.echo("Stopped; everything is on the disk.")


def _document(settings: BrokerSettings, addresses: Sequence[Address]) -> dict[str, object]:
    return {
        "listening": [str(address) for address in addresses],
        "bootstrap": _bootstrap(settings, addresses),
        "data": str(settings.data_folder.resolve()),
        "durability": settings.storage.durability,
        "pid": os.getpid(),
    }


def _print_welcome(settings: BrokerSettings, addresses: Sequence[Address]) -> None:
    bootstrap = _bootstrap(settings, addresses)
    option = "" if bootstrap == DEFAULT_BOOTSTRAP else f" --bootstrap {bootstrap}"
    drave = _name()
    click.secho("Drave is ready.", bold=True)
    click.echo(f"""
  listens on  {", ".join(map(str, addresses))}
  data        {settings.data_folder.resolve()}
  durability  {_DURABILITY[settings.storage.durability]}
""")
    click.secho("Send a first record, and read it:", bold=True)
    click.echo(f"""
  echo hello | {drave} produce greetings{option}
  {drave} consume greetings --from-beginning{option}
""")
    click.secho("The same in Python, with any Kafka client:", bold=True)
    click.echo(f"""
  from confluent_kafka import Consumer, Producer
  producer = Producer({{"bootstrap.servers": "{bootstrap}"}})
  producer.produce("greetings", "hello"), producer.flush()
  consumer = Consumer({{"bootstrap.servers": "{bootstrap}", "group.id": "me", "auto.offset.reset": "earliest"}})
  consumer.subscribe(["greetings"]), print(consumer.poll(10).value())

Ctrl-C stops.""")


def _name() -> str:
    """What starts a command of ours: the path that was typed, where the name alone would not be found."""
    typed = sys.argv[0]
    return typed if Path(typed).name == "drave" and shutil.which("drave") is None else "drave"


def _bootstrap(settings: BrokerSettings, addresses: Sequence[Address]) -> str:
    """What somebody on this machine gives to a client."""
    if settings.advertise is not None:
        return str(settings.advertise)
    hosts = {address.host for address in addresses}
    if hosts & _EVERY_INTERFACE or hosts >= _LOOPBACK:
        return f"localhost:{addresses[0].port}"
    return str(addresses[0])
