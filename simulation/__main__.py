"""`python -m simulation SEED` repeats one run; `python -m simulation FIRST --seeds N` looks for one worth repeating."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulation import faults, hunt

if TYPE_CHECKING:
    from simulation.run import Report

KINDS = ("calm", "network", "crashes", "disk", "all")


@click.command()
@click.argument("seed", type=int, default=0)
@click.option("--seeds", type=int, default=1, show_default=True, help="So many seeds, from SEED on.")
@click.option("--steps", type=int, default=40, show_default=True, help="About how much each client does.")
@click.option("--kind", type=click.Choice(KINDS), default=None, help="The kind of trouble; else the seed decides.")
@click.option("--fault", type=click.Choice(sorted(faults.FAULTS)), default=None, help="Plant this fault first.")
@click.option("--trace", is_flag=True, help="Print all that happens.")
@click.option("--jobs", type=int, default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option(
    "--hunt",
    "page",
    type=click.Path(path_type=Path),
    default=None,
    help="Hunt for all faults, or for the one of --fault; write a page.",
)
@click.option("--missing", is_flag=True, help="Of the hunt, what the page does not tell to have been found.")
def main(
    seed: int,
    seeds: int,
    steps: int,
    kind: str | None,
    fault: str | None,
    trace: bool,
    jobs: int,
    page: Path | None,
    missing: bool,
) -> None:
    """A whole broker on a virtual clock, network and disk: what clients see is judged."""
    if page is not None:
        known = hunt.read(page.read_text(encoding="utf-8")) if page.exists() and (missing or fault) else []
        wanted = [fault] if fault else list(faults.FAULTS)
        sys.exit(hunt_for(wanted, page, known, missing=missing, seeds=seeds, steps=steps, jobs=jobs))
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    failed = 0
    for report in reports(range(seed, seed + seeds), steps, kind, fault, trace=trace, jobs=jobs):
        kinds[report.kind] += 1
        if seeds == 1:
            click.echo(
                f"seed {report.seed}, {report.kind}: {report.events:,} events in {report.virtual_s:.0f} s of virtual "
                f"time, {report.lives} lives of the broker, digest {report.digest}"
            )
        if report.findings:
            failed += 1
            show(report, kind, fault)
    took = time.monotonic() - began
    each = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))
    click.echo(f"{seeds:,} seeds ({each}) in {took:.0f} s: {f'{failed} failed' if failed else 'nothing found'}")
    sys.exit(1 if failed else 0)


def hunt_for(
    wanted: Sequence[str],
    page: Path,
    known: Sequence[hunt.Catch],
    *,
    missing: bool,
    seeds: int,
    steps: int,
    jobs: int,
) -> int:
    """Plant these faults, one at a time, and tell which ones were found; the page has what is known beside. 1 when one
    of them was not."""
    catches = {each.fault: each for each in known}
    if missing:
        over = {each.fault for each in known if each.is_found or each.seeds >= seeds}
        wanted = [name for name in wanted if name not in over]
    for catch in hunt.hunts(wanted, seeds=seeds, steps=steps, jobs=jobs):
        catches[catch.fault] = catch
        click.echo(catch)
        page.write_text(hunt.page(catches.values()), encoding="utf-8")
    return int(any(not catches[name].is_found for name in wanted))


def show(report: Report, kind: str | None, fault: str | None) -> None:
    """What is wrong, and the line that repeats it."""
    for finding in report.findings:
        click.echo(f"  {finding}")
    options = (f" --kind {kind}" if kind else "") + (f" --fault {fault!r}" if fault else "")
    click.echo(f"repeat: python -m simulation {report.seed} --steps {report.steps}{options}")


def reports(
    seeds: range, steps: int, kind: str | None, fault: str | None, *, trace: bool = False, jobs: int = 1
) -> Iterator[Report]:
    """Runs of seeds, in order; several seeds in processes of their own."""
    if len(seeds) == 1 or jobs == 1:
        yield from (one(seed, steps, kind, fault, trace=trace) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs) as processes:
        yield from processes.map(one, seeds, repeat(steps), repeat(kind), repeat(fault), chunksize=4)


def one(seed: int, steps: int, kind: str | None, fault: str | None, *, trace: bool = False) -> Report:
    """One run, in this process."""
    if fault is not None:
        faults.plant(fault)
    from simulation.run import run  # only now: a fault changes modules as they are loaded

    return run(seed, steps=steps, kind=kind, out=sys.stdout if trace else None)


if __name__ == "__main__":
    main()
