"""`python -m conformance`: run the clients, print the table, and write docs/conformance.md after a whole run."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import click

from bench.brokers import Drave
from conformance import table
from conformance.clients import CACHE, CLIENTS, ROOT
from conformance.contract import SCENARIOS, Outcome, Report
from conformance.run import run

PAGE: Final = ROOT.parent / "docs" / "conformance.md"


def _said(client: str, outcome: Outcome) -> None:
    note = f"  {outcome.detail}" if outcome.detail else ""
    click.echo(f"{table.SIGNS[outcome.ok]} {client}: {outcome.scenario}{note}")


@click.command()
@click.option("--only", multiple=True, type=click.Choice([each.name for each in CLIENTS]), help="Only these clients.")
@click.option("--scenario", "wanted", multiple=True, type=click.Choice(SCENARIOS), help="Only these scenarios.")
@click.option("--bootstrap", metavar="127.0.0.1:PORT", help="A broker that runs already, on this machine.")
def main(only: tuple[str, ...], wanted: tuple[str, ...], bootstrap: str | None) -> None:
    """Run real clients against Drave, and say what they were seen to do."""
    began = time.monotonic()
    whole = not (only or wanted or bootstrap)
    name = f"c{os.getpid()}"
    reports: list[Report] = []
    with contextlib.ExitStack() as stack:
        if bootstrap is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-"))
            settings = {"log.initial.task.delay.ms": "86400000"}  # no retention yet: the records are years old
            port = stack.enter_context(Drave(Path(folder), settings=settings)).port
        else:
            host, _, given = bootstrap.rpartition(":")
            if host not in ("127.0.0.1", "localhost") or not given.isdigit():
                raise click.UsageError("The witness looks at brokers on this machine: --bootstrap 127.0.0.1:PORT")
            port = int(given)
        for client in CLIENTS:
            if only and client.name not in only:
                continue
            its = f"{name}-{len(reports)}"
            scenarios = [each for each in SCENARIOS if each in (wanted or SCENARIOS)]
            report = run(client, port, its, scenarios, CACHE / "logs", partial(_said, client.shown))
            if report.skipped:
                click.echo(f"– {client.shown}: {report.skipped}")
            reports.append(report)
    page = table.full(reports)
    if whole:
        PAGE.write_text(page)
    click.echo(f"\n{page}\n{table.short(reports)}\nIt took {time.monotonic() - began:.0f} s; logs: {CACHE / 'logs'}")
    sys.exit(1 if any(report.failed for report in reports) else 0)


if __name__ == "__main__":
    main()
