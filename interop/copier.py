"""Kafka's own transactional copier, from its system tests, copies numbers, and is exact whatever dies.

    numbers, partition 0 ──> copier ──┐
    numbers, partition 1 ──> copier ──┴──> copies, each in the partition of its original ──> follower

Each transaction holds some numbers and the offsets up to which they were read; one in three is aborted on purpose. Once
each copier has its partition, once both are members of a group. A copier that was replaced while it was frozen finds
itself fenced when it wakes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from interop.numbers import fill, numbers
from interop.programs import Library, Program
from interop.reading import PATIENCE_S, Findings, Follower, following, read
from interop.stage import Outcome, Stage
from interop.verdicts import copied, unchanged
from torture.kills import Stuck

MAIN: Final = "org.apache.kafka.tools.TransactionalMessageCopier"
COPIERS: Final = 2
TRANSACTION_SIZE: Final = 40
NUMBERS_PER_BLOW: Final = 6_000
MODES: Final = {"of a partition": (), "of a group": ("--group-mode",)}
LOOK_S: Final = 0.5
"""How often it is looked for copiers that have given up."""
HAS_COPIED: Final = re.compile(r'"totalProcessed":[1-9]')
"""What a copier says after its first transaction. It reads where to begin before it fences whoever has its
transactional id: if that one went on meanwhile, it would begin too early, and what was copied would be copied again."""
BLOWS: Final = ("broker killed", "copier killed", "broker and copier killed", "copier frozen until it was replaced")


def run(stage: Stage) -> Outcome:
    """Copy in both modes, each until half the blows have fallen and all is copied."""
    library = Library("kafka")
    violations: list[str] = []
    size = 0
    for mode, options in MODES.items():
        run_of = _Run(stage, library, mode, options)
        violations += run_of.play()
        size += run_of.size
    facts = [stage.deaths(), f"{size:,} numbers copied"]
    return Outcome(library.version("kafka-tools"), facts, violations)


class _Run:
    """One mode."""

    def __init__(self, stage: Stage, library: Library, mode: str, options: Sequence[str]) -> None:
        self._stage, self._mode, self._options, self._library = stage, mode, options, library
        self._name = mode.replace(" ", "-")
        self._findings = Findings()
        self._lives = 0
        each = (stage.kills // len(MODES) + 1) * NUMBERS_PER_BLOW // COPIERS
        self._numbers = numbers(COPIERS, each)

    @property
    def size(self) -> int:
        return sum(map(len, self._numbers.values()))

    def play(self) -> list[str]:
        """What went wrong."""
        self._stage.create(f"{self._name}-in", f"{self._name}-out", partitions=COPIERS)
        fill(self._stage.bootstrap, f"{self._name}-in", self._numbers)
        copiers = [self._copier(number) for number in range(COPIERS)]
        out = f"{self._name}-out"
        try:
            with following(self._stage.bootstrap, out, COPIERS, self._findings) as follower:
                for blow in self._stage.blows(BLOWS, share=1 / len(MODES)):
                    self._progress(copiers, follower, self._stage.chance.choice((1, 100, NUMBERS_PER_BLOW // 2)))
                    self._strike(blow, copiers, follower)
                self._progress(copiers, follower, self.size - len(follower.records))
        finally:
            for copier in copiers:
                copier.stop()
        there = read(self._stage.bootstrap, out, COPIERS)
        return unchanged(out, follower.records, there) + copied(out, self._numbers, there)

    def _copier(self, number: int) -> Program:
        """A copier that is started, with the transactional id of its place."""
        self._lives += 1
        options = (
            *("--broker-list", self._stage.bootstrap, "--transactional-id", f"{self._name}-{number}"),
            *("--input-topic", f"{self._name}-in", "--input-partition", str(number)),
            *("--output-topic", f"{self._name}-out", "--consumer-group", self._name, "--use-group-metadata"),
            *("--transaction-size", str(TRANSACTION_SIZE), "--transaction-timeout", "10000", "--enable-random-aborts"),
        )
        command = self._library.java(MAIN, *options, *self._options, heap_mib=192)
        copier = Program(f"{self._name}-{number}-life-{self._lives}", command, self._stage.folder)
        copier.start()
        return copier

    def _progress(self, copiers: list[Program], follower: Follower, more: int) -> None:
        """Wait until so many more numbers were copied, or all."""
        wanted = min(len(follower.records) + more, self.size)
        self._until(copiers, lambda: len(follower.records) >= wanted, f"{wanted} numbers")

    def _until(self, copiers: list[Program], holds: Callable[[], bool], what: str) -> None:
        """Wait until it holds, and start those copiers again that have given up meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if self._findings.failures or time.monotonic() > deadline:
                raise Stuck(
                    f"not within {PATIENCE_S:.0f} s: {what}; {[*self._findings.failures, copiers[0].last_words()]}"
                )
            with self._findings.changed:
                self._findings.changed.wait(LOOK_S)
            for number, copier in enumerate(copiers):
                if copier.ended:
                    copiers[number] = self._copier(number)

    def _is_replaced(self, copier: Program, follower: Follower) -> bool:
        """Whether a copier has copied something, or can find nothing more to copy."""
        empty = any(follower.of_partition[each] >= len(those) for each, those in self._numbers.items())
        return empty or HAS_COPIED.search(copier.said()) is not None

    def _strike(self, blow: str, copiers: list[Program], follower: Follower) -> None:
        victim = self._stage.chance.randrange(COPIERS)
        old = copiers[victim]
        if "frozen" in blow:
            old.freeze()
            copiers[victim] = self._copier(victim)
            self._until(copiers, lambda: self._is_replaced(copiers[victim], follower), "the frozen copier is replaced")
            old.thaw()
            self._progress(copiers, follower, 1_000)
            old.stop()
            return
        if "copier" in blow:
            old.kill()
        if "broker" in blow:
            self._stage.kill_the_broker()
        if "copier" in blow:
            copiers[victim] = self._copier(victim)
