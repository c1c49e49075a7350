"""Flink (flink/src/interop/Copy.java) copies numbers through its Kafka connector, and is exact whatever dies.

    in ──KafkaSource──> Flink ──KafkaSink, exactly once──> out, each in the partition of its original ──> follower
                          │ each half second: offsets, and the transactions that are to be committed
                          └──> checkpoints, from which the next life goes on

A process that dies between a checkpoint and its commits leaves transactions that only the next life can commit, in the
dead one's name; what came after the checkpoint it has to abort.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from interop.numbers import fill, numbers
from interop.programs import Library, Program
from interop.reading import Findings, Follower, following, read
from interop.stage import PARTITIONS, Outcome, Stage
from interop.verdicts import copied, unchanged

NAME: Final = "flink"
NUMBERS_PER_BLOW: Final = 10_000
"""In each partition; more are put there before each blow."""
BLOWS: Final = ("broker killed", "process killed", "broker and process killed")


def run(stage: Stage) -> Outcome:
    """Copy until all blows have fallen and all is copied."""
    library = Library("flink")
    stage.create(f"{NAME}-in", f"{NAME}-out", retention_ms="-1")
    went_in = numbers(PARTITIONS, NUMBERS_PER_BLOW * (stage.kills + 1))
    size = sum(map(len, went_in.values()))
    findings = Findings()
    flink = _Flink(library, stage)
    try:
        with following(stage.bootstrap, f"{NAME}-out", PARTITIONS, findings) as follower:
            fill(stage.bootstrap, f"{NAME}-in", _share(went_in, 0))
            flink.start()
            for number, blow in enumerate(stage.blows(BLOWS), 1):
                _progress(stage, follower)
                fill(stage.bootstrap, f"{NAME}-in", _share(went_in, number))
                flink.strike(blow)
            follower.wait_for(size - len(follower.records))
    finally:
        flink.stop()
    there = read(stage.bootstrap, f"{NAME}-out", PARTITIONS)
    violations = unchanged(f"{NAME}-out", follower.records, there) + copied(f"{NAME}-out", went_in, there)
    facts = [stage.deaths(), f"{size:,} numbers", f"{flink.restores} lives from a checkpoint"]
    connector = library.version("flink-connector-kafka")
    return Outcome(f"{library.version('flink-streaming-java')}, connector {connector}", facts, violations)


def _share(went_in: dict[int, list[bytes]], number: int) -> dict[int, list[bytes]]:
    """What is put there before this blow."""
    some = slice(number * NUMBERS_PER_BLOW, (number + 1) * NUMBERS_PER_BLOW)
    return {partition: those[some] for partition, those in went_in.items()}


def _progress(stage: Stage, follower: Follower) -> None:
    """Until something of what was put there last was committed."""
    whole = NUMBERS_PER_BLOW * PARTITIONS
    before = stage.struck.total() * whole
    follower.wait_for(before + stage.chance.choice((1, whole // 4, whole)) - len(follower.records))


class _Flink:
    """A whole cluster in one process, life after life."""

    def __init__(self, library: Library, stage: Stage) -> None:
        self._library, self._stage = library, stage
        self._checkpoints = stage.folder / "checkpoints"
        self._life: Program | None = None
        self._lives = 0
        self.restores = 0

    def start(self) -> None:
        """From the last checkpoint that is complete, if there is one."""
        last = latest(self._checkpoints)
        self.restores += last is not None
        self._lives += 1
        arguments = [self._stage.bootstrap, NAME, self._checkpoints.as_uri(), *([last.as_uri()] if last else [])]
        command = self._library.java("interop.Copy", *arguments, heap_mib=768)
        self._life = Program(f"flink-{self._lives}", command, self._stage.folder)
        self._life.start()

    def strike(self, blow: str) -> None:
        assert self._life is not None, "it has been started"
        if "process" in blow:
            self._life.kill()
        if "broker" in blow:
            self._stage.kill_the_broker()
        if "process" in blow:
            self.start()

    def stop(self) -> None:
        if self._life is not None:
            self._life.stop()


def latest(checkpoints: Path) -> Path | None:
    """The folder of the last complete checkpoint of any life: the one whose metadata were written last."""
    complete = list(checkpoints.glob("*/chk-*/_metadata"))
    return max(complete, key=lambda path: path.stat().st_mtime_ns).parent if complete else None
