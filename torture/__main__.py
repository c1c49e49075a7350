"""`python -m torture`: power cuts in the fault layer, whole brokers in simulation, then kill -9 of a real one; a table,
and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from bench.brokers import BrokerProcess, Drave, Kafka
from torture import kills as kill_nine

POWER_CUTS: Final = {
    "power cuts": "tests/log/test_power_cuts.py",
    "power cuts under compaction": "tests/log/test_compaction_power_cuts.py",
}


@click.command()
@click.option(
    "--seeds", default=10_000, show_default=True, help="Power cuts, and so many under compaction; 0 leaves them out."
)
@click.option("--worlds", default=10_000, show_default=True, help="Seeds of the simulator; 0 leaves it out.")
@click.option("--kills", default=30, show_default=True, help="kill -9 of a real broker; 0 leaves them out.")
@click.option("--seed", default=None, type=int, help="What decides when the kills fall; default: the time.")
@click.option("--against", type=click.Choice(["drave", "kafka"]), default="drave", show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="A folder to leave the data in.")
def main(seeds: int, worlds: int, kills: int, seed: int | None, against: str, keep: Path | None) -> None:
    """Look for lost, doubled or reordered records, and for groups that go back."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title="Torture")
    table.add_column("")
    table.add_column("", justify="right")
    failed = False
    if seeds and against == "drave":
        for what, tests in POWER_CUTS.items():
            command = [sys.executable, "-m", "pytest", "-n", str(os.cpu_count() or 1), tests, "--timeout", "0"]
            failed = _failed(table, what, seeds, command, SEEDS=str(seeds)) or failed
    if worlds and against == "drave":
        command = [sys.executable, "-m", "simulation", "0", "--seeds", str(worlds)]
        failed = _failed(table, "simulated brokers", worlds, command) or failed
    if kills:
        seed = int(time.time()) if seed is None else seed
        with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
            kind: type[BrokerProcess] = Drave if against == "drave" else Kafka
            broker = kind(keep or Path(scratch))
            report = kill_nine.run(
                broker, kills=kills, seed=seed, progress=lambda text: console.print(text, style="dim")
            )
        _rows(table, report, seed)
        for violation in report.violations[:20]:
            console.print(f"[red]violation[/] {violation}")
        failed = failed or bool(report.violations)
    console.print(table)
    sys.exit(1 if failed else 0)


def _failed(table: Table, what: str, seeds: int, command: list[str], **environment: str) -> bool:
    """Run one that looks through seeds, and enter how it went."""
    began = time.monotonic()
    failed = bool(subprocess.run(command, env=os.environ | environment, check=False).returncode)
    table.add_row(f"{what}, seeds", f"{seeds:,}")
    table.add_row(f"{what}, outcome", "[red]failed[/]" if failed else "[green]nothing lost[/]")
    table.add_row(f"{what}, time", f"{time.monotonic() - began:.0f} s")
    return failed


def _rows(table: Table, report: kill_nine.Report, seed: int) -> None:
    table.add_row("kill -9, seed", str(seed))
    table.add_row("kill -9, kills", str(report.kills))
    table.add_row("kill -9, records acknowledged", f"{report.records:,}")
    table.add_row("kill -9, commits acknowledged", f"{report.commits:,}")
    table.add_row("kill -9, start to first answer", report.median_and_max(report.answers_s))
    table.add_row("kill -9, start to first acknowledgement", report.median_and_max(report.acknowledges_s))
    found = len(report.violations)
    table.add_row("kill -9, outcome", f"[red]{found} violations[/]" if found else "[green]nothing lost[/]")


if __name__ == "__main__":
    main()
