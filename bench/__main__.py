"""`python -m bench`: run the comparison and print it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from bench import picture, reference, report, rows
from bench.brokers import BrokerProcess, Drave, Kafka
from bench.meter import Meter
from bench.row import Effort, Row

RESULTS: Final = Path("bench-results")
ARMS: Final = {
    "Drave fsync": (Drave, {}),
    "Kafka fsync": (Kafka, {"log.flush.interval.messages": "1"}),
    "Drave os": (Drave, {"durability": "os"}),
    "Kafka os": (Kafka, {}),
}
"""Each product as it comes, and with the other's durability."""


class Run:
    """One comparison from start to end."""

    def __init__(self, arms: list[str], folder: Path, effort: Effort, only: tuple[str, ...], console: Console) -> None:
        self.arms = arms
        self.folder = folder
        self.effort = effort
        self.rows = [row for row in rows.ROWS if not only or _is_asked_for(row, only)]
        self.console = console
        self.results = report.Results()
        self.brokers: dict[str, BrokerProcess] = {}

    def broker(self, arm: str, folder: str) -> BrokerProcess:
        kind, settings = ARMS[arm]
        return kind(self.folder / folder, settings=settings)

    def prepare(self, stack: contextlib.ExitStack) -> None:
        """Start every broker, look at its memory, then warm it. Rows that take brokers of their own need none."""
        if all(row.alone for row in self.rows):
            return
        for arm in self.arms:
            broker = self.brokers[arm] = self.broker(arm, arm.replace(" ", "-"))
            stack.callback(broker.stop)
            broker.start()
            self.results.add(arm, {rows.IDLE.name: broker.resident_bytes() / 1e6})
            for progress in rows.warm(broker):
                self.console.print(f"warming {arm}: {progress}", style="dim")

    def round(self, number: int) -> None:
        """Every row from every broker; the order turns around each time."""
        order = self.arms[:: 1 if number % 2 == 0 else -1]
        for row in self.rows:
            if row.rounds_max is not None and number >= row.rounds_max:
                continue
            for arm in order:
                rows.settle(2 * self.effort.bulk_bytes)
                try:
                    self.measure(row, arm)
                except Exception as error:  # one row of one broker: said, and the others go on
                    self.results.failures.append(f"{arm}, {row.metrics[0].name}: {type(error).__name__}: {error}")
        for arm, broker in self.brokers.items():
            self.results.add(arm, {rows.LOADED.name: broker.resident_bytes() / 1e6})

    def measure(self, row: Row, arm: str) -> None:
        """One row, from the broker that all rows share or from one that is new."""
        with contextlib.ExitStack() as stack:
            if row.alone:
                broker = self.broker(arm, f"alone {arm}".replace(" ", "-"))
                stack.callback(shutil.rmtree, broker.folder)
                stack.callback(broker.kill)
            else:
                broker = self.brokers[arm]
            meter = Meter(broker)
            self.results.add(arm, dict(row.measure(broker, self.effort, meter)))
            self.results.add_spans(arm, meter.spans)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often every row is measured.")
@click.option("--seconds", default=1.5, show_default=True, help="How long a closed loop or a latency row runs.")
@click.option("--megabytes", default=150, show_default=True, help="How much a bulk row moves.")
@click.option("--recovery-megabytes", default=500, show_default=True, help="The log that a killed broker recovers.")
@click.option("--only", multiple=True, metavar="TEXT", help="Only rows whose name contains this (repeatable).")
@click.option(
    "--publish", type=click.Path(file_okay=False, path_type=Path), help="A folder for bench.json and bench.svg."
)
@click.option("--arm", "asked", multiple=True, type=click.Choice(list(ARMS)), help="Only these brokers (repeatable).")
def main(
    rounds: int,
    seconds: float,
    megabytes: int,
    recovery_megabytes: int,
    only: tuple[str, ...],
    publish: Path | None,
    asked: tuple[str, ...],
) -> None:
    """Measure Drave beside Apache Kafka: medians and ratios of several rounds in one run."""
    console = Console(width=None if sys.stdout.isatty() else 170)
    arms = [arm for arm in ARMS if not asked or arm in asked]
    try:
        reference.download()
    except reference.Missing as missing:
        console.print(f"[yellow]Drave alone, nothing to compare with:[/] {missing}")
        arms = [arm for arm in arms if ARMS[arm][0] is not Kafka]
    if (load := os.getloadavg()[0]) > (os.cpu_count() or 1) / 4:
        console.print(f"[yellow]This machine is busy (load {load:.1f}): ratios hold better than figures.[/]")
    effort = Effort(seconds, megabytes * 1_000_000, recovery_megabytes * 1_000_000)
    began = time.monotonic()
    _allow_many_connections()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=_scratch()) as folder, contextlib.ExitStack() as stack:
        run = Run(arms, Path(folder), effort, only, console)
        run.prepare(stack)
        for number in range(rounds):
            console.print(f"round {number + 1} of {rounds}", style="dim")
            run.round(number)
    report.show(run.results, arms, console)
    path = report.write(run.results, arms, RESULTS)
    console.print(f"Every sample is in {path}. It took {time.monotonic() - began:.0f} s.")
    if publish is not None:
        picture.publish(path, publish)
        console.print(f"Published in {publish}.")
    for line in run.results.behind():
        console.print(f"behind, {line}", style="red")
    sys.exit(1 if run.results.failures else 0)


def _is_asked_for(row: Row, only: tuple[str, ...]) -> bool:
    return any(text in metric.name for metric in row.metrics for text in only)


def _allow_many_connections() -> None:
    """As many descriptors as this process may have; the brokers it starts inherit that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _scratch() -> Path:
    """The disk the project lies on: a temporary folder may be in memory, where a sync costs nothing."""
    RESULTS.mkdir(exist_ok=True)
    return RESULTS


if __name__ == "__main__":
    main()
