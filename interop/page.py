"""docs/interop.md: what programs that were written for Kafka were seen to do on Drave.

What was seen last of each is kept in docs/interop.json, so that one may be run by itself, and the page is made of all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interop.stage import Outcome

if TYPE_CHECKING:
    from interop.plays import Play  # which imports the programs, and they need not be here for a page

SHOWN_MAX: Final = 20

HEAD: Final = """\
# What programs written for Kafka were seen to do

Made by `make interop`, which runs whole programs, unchanged or with the few lines of ours that such a program needs,
against `drave serve` as it comes, every write synced (for the first one it also looks each second, and from its first
second on, for what is to be compacted). Programs and broker are killed with `kill -9` in an order that a seed decides,
at moments that depend on progress and not on the clock. A reader of committed records follows everything while it
happens, and is held against what is there at the end. What was seen last of each is in [interop.json](interop.json).

```
make interop                                       # all of it, half an hour; needs Java 17 and Maven
make interop ONLY=words KILLS=50                   # one of them, longer
make interop ONLY=words ARGS="--seed 7"            # with the same choices again
make interop ONLY=words ARGS="--against kafka"     # the same on Apache Kafka 4.3.1, for comparison
make interop ONLY=mirror ARGS="--against kafka"    # from Apache Kafka to Drave
```

✓ nothing lost, doubled, out of order or shown before it was committed · – not run · ✗ it went wrong

"""

NOTES: Final = """
## What this shows, and what it does not

- **The judge can find something.** The same counting under `at_least_once` in place of `exactly_once_v2`, ten blows,
  gave 487 violations.
- **Apache Kafka 4.3.1** in Drave's place was as exact: ten blows, 29,662 words.
- **From Apache Kafka 4.3.1 to Drave** MirrorMaker 2 brought 40,000 numbers, each once and in order, and a group's
  offsets, while Kafka, Drave and MirrorMaker were killed, two times each.
- **MirrorMaker 2 stood still once**, in one run of two with eight blows on a machine under heavy load: after the target
  broker's death nothing more was mirrored within four minutes. The same seed again went through; why is not known yet.
- **Kafka Streams 4.4.0** is not on Maven Central (2026-11-23), and 4.3.1 does not start with the client 4.4.0, which is
  there (`NoClassDefFoundError: org/apache/kafka/common/utils/LogContext`). `make conformance` runs that client.
- **Kafka's system tests** need machines of their own to be run as a whole. These are their programs, which are in the
  jars `kafka-tools` and `kafka-streams`, classifier `test`; the verifiable producer and consumer run in
  `make conformance`. `EosTestDriver` is no longer part of Kafka 4.3.
- **The transactional copier** reads where to begin before it fences whoever has its transactional id. So one that was
  frozen wakes here only when another has replaced it; woken earlier, both may begin at the same offset.
- **A transaction that truly hangs** cannot be made on Drave: like Kafka since KIP-890 it takes no transactional record
  that its coordinator does not know of. So the tool finds none here, and its `abort` is shown on one that is merely
  open. One that hangs comes with a topic that is adopted from Kafka without its coordinator: there the tool finds it,
  and aborts it (`tests/interop/test_adopting_a_kafka_folder.py`).
"""


@dataclass(frozen=True, slots=True)
class Report:
    """One program's outcome, or why there is none."""

    play: Play
    outcome: Outcome | None
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome is not None and bool(self.outcome.violations)

    @property
    def sign(self) -> str:
        if self.outcome is None:
            return "–"
        return "✗" if self.failed else "✓"


def line(report: Report) -> str:
    """For the terminal, with the first violations below it."""
    if report.outcome is None:
        return f"{report.sign} {report.play.title}: {report.skipped}"
    said = f"{report.sign} {report.play.title} {report.outcome.version}: {'; '.join(report.outcome.facts)}"
    violations = report.outcome.violations
    shown = "".join(f"\n    {each}" for each in violations[:SHOWN_MAX])
    return f"{said}\n  {len(violations)} violations:{shown}" if violations else said


def keep(path: Path, reports: Iterable[Report]) -> dict[str, Outcome]:
    """Write down what was seen, beside what was seen of others before, and return it all."""
    seen = kept(path) | {report.play.name: report.outcome for report in reports if report.outcome is not None}
    written = {name: asdict(outcome) | {"violations": outcome.violations[:SHOWN_MAX]} for name, outcome in seen.items()}
    path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    return seen


def kept(path: Path) -> dict[str, Outcome]:
    """What was written down before."""
    written = json.loads(path.read_text()) if path.exists() else {}
    return {name: Outcome(**each) for name, each in written.items()}


def full(plays: Iterable[Play], seen: Mapping[str, Outcome]) -> str:
    """The whole page, with what was seen last of each."""
    return _page([Report(play, seen.get(play.name), skipped="not run yet") for play in plays])


def _page(reports: Sequence[Report]) -> str:
    rows = "".join(f"| {' | '.join(_cells(report))} |\n" for report in reports)
    table = (
        f"| program | version | what it does, and what has to hold | seen | |\n| --- | --- | --- | --- | :-: |\n{rows}"
    )
    return f"{HEAD}{table}{NOTES}"


def _cells(report: Report) -> tuple[str, ...]:
    outcome = report.outcome
    if outcome is None:
        return report.play.title, "–", report.play.does, report.skipped, report.sign
    seen = "; ".join([*outcome.facts, *outcome.violations[:1]])
    return report.play.title, outcome.version, report.play.does, seen, report.sign
