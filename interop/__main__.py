"""`python -m interop`: run the programs, and write down what was seen in docs/interop.md."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import click

from bench import reference
from bench.brokers import BrokerProcess, Drave, Kafka
from conformance.building import Missing
from interop import page
from interop.page import Report
from interop.plays import PLAYS, Play
from interop.programs import ROOT
from interop.stage import Outcome, Stage

PAGE: Final = ROOT.parent / "docs" / "interop.md"
KEPT: Final = PAGE.with_suffix(".json")
PRODUCTS: Final[dict[str, type[BrokerProcess]]] = {"drave": Drave, "kafka": Kafka}


@click.command()
@click.option("--only", multiple=True, type=click.Choice([each.name for each in PLAYS]), help="Only these.")
@click.option("--kills", default=None, type=int, help="How many blows fall in each; default: as many as each has.")
@click.option("--seed", default=None, type=int, help="What decides who dies when; default: the time.")
@click.option("--against", type=click.Choice(list(PRODUCTS)), default="drave", show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="A folder to leave data and logs in.")
def main(only: tuple[str, ...], kills: int | None, seed: int | None, against: str, keep: Path | None) -> None:
    """Run programs that were written for Kafka, kill them and their broker, and judge what they wrote."""
    began = time.monotonic()
    seed = int(time.time()) if seed is None else seed
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        for play in PLAYS:
            if only and play.name not in only:
                continue
            folder = (keep or Path(scratch)) / play.name
            report = play_it(play, PRODUCTS[against], folder, seed, play.kills if kills is None else kills)
            click.echo(page.line(report))
            reports.append(report)
            if against == "drave" and kills is None:
                PAGE.write_text(page.full(PLAYS, page.keep(KEPT, [report])))
    click.echo(f"Seed {seed}; it took {time.monotonic() - began:.0f} s")
    sys.exit(1 if any(report.failed for report in reports) else 0)


def play_it(play: Play, product: type[BrokerProcess], folder: Path, seed: int, kills: int) -> Report:
    """One program on a broker of its own."""

    def progress(text: str) -> None:
        click.echo(f"  {play.name}, {text}", err=True)

    try:
        with product(folder / "broker", settings=play.settings) as broker:
            stage = Stage(broker, folder, random.Random(f"{seed} {play.name}"), kills, progress)
            return Report(play, play.run(stage))
    except (Missing, reference.Missing) as missing:
        return Report(play, None, skipped=str(missing))
    except Exception as error:  # whatever ends a program's run early is a finding, and the others are run all the same
        return Report(play, Outcome("?", (), (f"{type(error).__name__}: {error}",)))


if __name__ == "__main__":
    main()
