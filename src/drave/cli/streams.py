"""`drave streams`: run an app, and show what it is made of."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from drave.cli.options import ADDRESS, connection_options
from drave.cli.output import note
from drave.client.connection import Connection

if TYPE_CHECKING:
    from drave.streams import App

_LOOK_S: Final = 0.1
_WORKERS_MAX: Final = 256


@click.group()
def streams() -> None:
    """Run stream-processing apps, and show what they are made of."""


@streams.command()
@click.argument("target", metavar="APP")
@click.option(
    "--workers", type=click.IntRange(1, _WORKERS_MAX), default=1, show_default=True, help="Processes of the app."
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the app keeps its state.  [default: ./drave-streams/NAME]",
)
@click.option(
    "--store",
    type=click.Choice(("sqlite", "rocksdb", "memory")),
    default="sqlite",
    show_default=True,
    help="What keeps the state; the changelogs in Kafka restore each of them.",
)
@click.option("--metrics", type=ADDRESS, help="Serve metrics for Prometheus there; one process only.")
@click.option("--serve", type=ADDRESS, help="Answer `app.query(…)` there; port 0 is any that is free.")
@click.option("--advertise", metavar="HOST:PORT", help="Where others reach what --serve listens at.  [default: there]")
@connection_options
def run(
    target: str,
    workers: int,
    state: Path | None,
    store: str,
    metrics: tuple[str, int] | None,
    serve: tuple[str, int] | None,
    advertise: str | None,
    connection: Connection,
) -> None:
    """Run the stream app at APP until Ctrl-C: FILE.py or MODULE, and :NAME where there are several.

    Start it again, here or on another machine, and the processes share the work. One that fails says why and ends with
    exit code 1; with --workers the others then end too.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    if workers > 1:
        if metrics is not None:
            raise click.UsageError("--metrics is for one process: start each with a port of its own, without --workers")
        if advertise is not None or (serve is not None and serve[1] != 0):
            raise click.UsageError(
                "several workers cannot share a port: --serve 0 gives each its own, without --advertise"
            )
        _run_workers(workers)
        return
    from drave.streams.errors import BadRecord, StepFailed
    from drave.streams.kafka.patience import await_broker
    from drave.streams.loading import load_app
    from drave.streams.metrics import Metrics, serve_metrics
    from drave.streams.run import Runner, default_folder, stopping

    app = load_app(target)
    await_broker(connection)
    folder = state or default_folder(app.name)
    runner: Runner
    hooks: dict[str, Any] = {"on_start": lambda: _welcome(app, connection, folder, runner.address)}
    if metrics is not None:
        meters = Metrics(app.name)
        hooks |= {"observe": meters.observe, "on_turn": meters.look}
        serve_metrics(meters, *metrics)
    with (
        Runner(app, connection, folder, store=store, serve=serve, advertise=advertise, **hooks) as runner,
        stopping(runner.stop),
    ):
        try:
            runner.run()
        except StepFailed as failure:  # the app's own code: its author wants the lines
            if not isinstance(failure.error, BadRecord):
                traceback.print_exception(failure.error)
            raise
    note(f"{app.name} has stopped; everything that it did is committed.")


@streams.command()
@click.argument("target", metavar="APP")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "mermaid", "svg")),
    default="text",
    show_default=True,
    help="Trees for a terminal, a flowchart for GitHub and wikis, or a picture.",
)
def topology(target: str, form: str) -> None:
    """Show the steps of APP, the topics between them and their state. Nothing is run."""
    from drave.streams.drawing import as_mermaid, as_svg, as_text
    from drave.streams.loading import load_app

    draw = {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}[form]
    click.echo(draw(load_app(target).topology()), nl=False)


def _welcome(app: App, connection: Connection, folder: Path, address: str) -> None:
    topology = app.topology()
    reads = ", ".join(topic for topic in topology.inputs if topic not in topology.upstream)
    writes = ", ".join(topic.name for topic in topology.outputs)
    answers = f"\n  answers    http://{address}" if address else ""
    note(f"{app.name} is running.")
    note(f"""
  reads      {reads}
  writes     {writes or "nothing"}
  guarantee  {app.guarantee.replace("_", " ")}
  state      {folder.resolve()}
  cluster    {connection.bootstrap}{answers}

Ctrl-C stops.""")


def _run_workers(workers: int) -> None:
    """The same command without --workers, so many times; the first that fails ends all."""
    command = [sys.executable, "-m", "drave", *_without_workers(sys.argv[1:])]
    processes = [subprocess.Popen(command) for _ in range(workers)]
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        note("Stopping the workers.")
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        codes = [process.wait() for process in processes]
    failed = next((code for code in codes if code != 0), 0)
    if failed:
        raise click.ClickException("a worker has failed; what it said stands above")


def _without_workers(arguments: list[str]) -> list[str]:
    left: list[str] = []
    values = iter(arguments)
    for argument in values:
        if argument == "--workers":
            next(values, None)
        elif not argument.startswith("--workers="):
            left.append(argument)
    return left
