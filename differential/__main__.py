"""`python -m differential`: every scenario on both brokers, what differs without a reason, and an exit code."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from bench import reference
from differential import brokers
from differential.compare import Difference, differences
from differential.differences import ON_PURPOSE
from differential.judging import Judge
from differential.play import FAILED, Player, record, recorded
from differential.scenario import Case, matching
from differential.stage import Step

SHOWN_MAX: Final = 12


@dataclass
class Tally:
    """What a run came to."""

    scenarios: set[str] = field(default_factory=set)
    cases: int = 0
    failed: int = 0
    differences: int = 0

    def count(self, case: Case, unexplained: Sequence[Difference]) -> None:
        self.scenarios.add(case.name.partition("(")[0])
        self.cases += 1
        self.failed += bool(unexplained)
        self.differences += len(unexplained)


@click.command()
@click.option("--only", default="", metavar="TEXT", help="Only cases whose name contains this.")
@click.option(
    "--against",
    type=click.Choice(["kafka", "drave"]),
    default=None,
    help="Play on this broker alone, and compare with what Kafka was seen to do when it was recorded.",
)
@click.option("--seeds", default=0, help="How many random programs of each kind to play on both, too.")
@click.option("--seed", default=None, type=int, help="What the random programs are drawn from; default: the time.")
@click.option("--record", "recording", is_flag=True, help="Keep what Kafka is seen to do for the tests.")
@click.option("--kafka-port", default=0, metavar="PORT", help="A Kafka that is running already.")
@click.option("--drave-port", default=0, metavar="PORT", help="A Drave that is running already.")
@click.option("--show", is_flag=True, help="Show what was seen, step by step.")
def main(
    only: str,
    against: str | None,
    seeds: int,
    seed: int | None,
    recording: bool,
    kafka_port: int,
    drave_port: int,
    show: bool,
) -> None:
    """Ask Apache Kafka and Drave the same, and say where they answer differently."""
    chosen = dict(matching(only))
    if not chosen and not seeds:
        raise click.UsageError(f"no case's name contains {only!r}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="differential-") as scratch, contextlib.ExitStack() as stack:
        try:
            kafka = None if against == "drave" else _kafka(stack, Path(scratch), kafka_port)
        except reference.Missing as missing:
            raise click.ClickException(f"{missing}. With --against drave, the recordings stand in for Kafka") from None
        drave = None if against == "kafka" or recording else _drave(stack, Path(scratch), drave_port)
        tally, judge = Tally(), Judge(() if against == "kafka" else ON_PURPOSE)
        for module, cases in chosen.items():
            _module(module, cases, kafka, drave, tally, judge, recording=recording, show=show)
        differing = kafka is not None and drave is not None and _programs(kafka, drave, only, seeds, seed)
    gone = [] if recording else judge.gone()
    for reason in gone:
        click.echo(f"no longer differs: {reason.cases} {reason.place}: {reason.why}")
    click.echo(
        f"{len(tally.scenarios)} scenarios, {tally.cases} cases in {time.monotonic() - began:.0f} s: "
        f"{tally.differences} differences without a reason in {tally.failed} cases"
    )
    sys.exit(1 if tally.failed or gone or differing else 0)


def _kafka(stack: contextlib.ExitStack, scratch: Path, port: int) -> Player:
    if port:
        return Player(port, settle_s=brokers.KAFKA_SETTLE_S, first=_unused())
    reference.download()
    player = Player(stack.enter_context(brokers.kafka(scratch / "kafka")).port, settle_s=brokers.KAFKA_SETTLE_S)
    player.stage().ready_to_play()
    return player


def _drave(stack: contextlib.ExitStack, scratch: Path, port: int) -> Player:
    if port:
        return Player(port, first=_unused())
    return Player(stack.enter_context(brokers.drave(scratch / "drave")).port)


def _unused() -> int:
    """A number that no earlier run on the same broker is likely to have begun with."""
    return int(time.time() * 200) % 0xFFFFF


def _module(
    module: str,
    cases: Sequence[Case],
    kafka: Player | None,
    drave: Player | None,
    tally: Tally,
    judge: Judge,
    *,
    recording: bool,
    show: bool,
) -> None:
    """Play one module's cases; where only one broker plays, the recording is the other."""
    kept = recorded(module)
    seen: dict[str, list[Step]] = {}
    alike: dict[tuple[str, ...], list[str]] = {}
    for case in cases:
        theirs = kept.get(case.name, []) if kafka is None else kafka.play(case)
        ours = (theirs if recording else kept.get(case.name, [])) if drave is None else drave.play(case)
        seen[case.name] = theirs
        unexplained = judge.unexplained(case.name, differences(case.name, theirs, ours))
        unexplained += [Difference(case.name, FAILED, seen, "") for label, seen in theirs if label == FAILED]
        tally.count(case, unexplained)
        if show:
            _show(case, ours if drave is not None else theirs)
        if unexplained:
            scenario, _, parameters = case.name.partition("(")
            alike.setdefault((scenario, *map(str, unexplained)), []).append(f"({parameters}" if parameters else "")
    _report(alike)
    if recording and kafka is not None:
        record(module, _kept(kept, seen, cases))


def _programs(kafka: Player, drave: Player, only: str, seeds: int, seed: int | None) -> bool:
    """Random programs on both brokers; whether one of them differed."""
    if not seeds:
        return False
    from differential import programs  # hypothesis is no part of what users install

    number = int(time.time()) if seed is None else seed
    differing = False
    for kind in programs.KINDS:
        if not only or only in f"programs/{kind}":
            differs = programs.run(kafka, drave, kind=kind, count=seeds, number=number)
            click.echo(
                f"programs/{kind}: {seeds} programs of seed {number}: {'alike' if differs is None else 'differ'}"
            )
            if differs is not None:
                click.echo(f"{differs}\n    again: --only programs/{kind} --seeds {seeds} --seed {number}")
                differing = True
    return differing


def _kept(
    before: Mapping[str, list[Step]], seen: Mapping[str, list[Step]], cases: Sequence[Case]
) -> dict[str, list[Step]]:
    """What is to be kept: all that was played to its end now, and of the rest what is still a case."""
    from differential.scenario import cases as all_cases

    module = cases[0].name.partition("/")[0]
    seen = {name: steps for name, steps in seen.items() if all(label != FAILED for label, _ in steps)}
    return {
        case.name: steps
        for case in all_cases(module)
        if (steps := seen.get(case.name, before.get(case.name))) is not None
    }


def _show(case: Case, steps: Sequence[Step]) -> None:
    click.echo(case.name)
    for number, (label, seen) in enumerate(steps, 1):
        click.echo(f"    {number}.{label}: {seen}")


def _report(alike: Mapping[tuple[str, ...], Sequence[str]]) -> None:
    """Cases of one scenario with the same differences are said together."""
    for (scenario, *found), parameters in alike.items():
        click.echo(f"{scenario} {' '.join(parameters)}")
        for difference in found[:SHOWN_MAX]:
            click.echo(f"    {difference}")
        if len(found) > SHOWN_MAX:
            click.echo(f"    and {len(found) - SHOWN_MAX} more")


if __name__ == "__main__":
    main()
