"""Kafka Streams counts words (kafka/src/interop/Words.java), and is exact whatever dies.

    feeder ──lines──> broker ──> two processes of the application ──counts──> broker ──> follower
                        ✗              ✗ killed, frozen, robbed of their state              │
                                                                                            └─> the next blow falls
                                                                                                after so much progress

What is judged in the end: the counts of each word and of each word and minute, and both stores' changelogs.
"""

from __future__ import annotations

import shutil
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from interop.programs import Library, Program
from interop.reading import PATIENCE_S, Findings, Follower, following, read
from interop.stage import PARTITIONS, Outcome, Stage
from interop.text import MINUTE_MS, Feeder, lines
from interop.verdicts import Record, counted, unchanged

NAME: Final = "words"
PROCESSES: Final = 2
BLOWS: Final = (
    "broker killed",
    "process killed",
    "process killed and its state deleted",
    "broker and process killed",
    "process frozen until it was replaced",
)

REPLACED: Final = "A thread is replaced: "
"""What Words.java says then."""
IN_FLIGHT_WORDS: Final = 200
"""More than what a process that freezes may just have sent to be committed, of one partition."""

WINDOW_TAIL: Final = struct.Struct(">qi")
"""Behind the key of a window store's changelog: the window's start, and a number that tells equal keys apart."""


def run(stage: Stage, protocol: str = "classic") -> Outcome:
    """Count words until so many blows have fallen, and a little longer; `protocol` is that of the application's group.
    Raises Missing, Broken or Stuck."""
    library = Library("kafka")
    stage.create(f"{NAME}-lines", f"{NAME}-counts", f"{NAME}-minutes", retention_ms="-1")
    folders = [stage.folder / f"state-{number}" for number in range(PROCESSES)]
    processes = [
        Program(f"words-{number}", library.java("interop.Words", stage.bootstrap, NAME, folder, protocol), stage.folder)
        for number, folder in enumerate(folders)
    ]
    findings = Findings()
    start_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    text = lines(stage.chance.randrange(2**32), start_ms)
    try:
        with following(stage.bootstrap, f"{NAME}-counts", PARTITIONS, findings) as follower:
            feeder = Feeder(stage.bootstrap, f"{NAME}-lines", PARTITIONS, text, follower, findings)
            for process in processes:
                process.start()
            follower.wait_for_each_partition(1)
            for blow in stage.blows(BLOWS):
                follower.wait_for(stage.chance.choice((1, stage.chance.randrange(100), stage.chance.randrange(8_000))))
                _strike(blow, stage, processes, folders, follower)
            follower.wait_for(2_000)
            feeder.end()
            feeder.join(time.monotonic() + PATIENCE_S)
            wanted = feeder.words.total()
            findings.until(
                lambda: len(follower.records) >= wanted, lambda: f"{wanted} counts; there are {len(follower.records)}"
            )
    finally:
        for process in processes:
            process.stop()
    found, compacted = _judge_changelogs(stage.bootstrap, feeder)
    replaced = sum(process.said().count(REPLACED) for process in processes)
    facts = [
        stage.deaths(),
        f"{feeder.lines:,} lines of {wanted:,} words",
        f"{compacted:,} of {2 * wanted:,} counts in the changelogs were compacted away",
        *([f"{replaced} threads of Streams replaced"] if replaced else []),
    ]
    violations = _judge(stage.bootstrap, feeder, follower.records) + found
    return Outcome(library.version("kafka-streams"), facts, violations)


def _strike(blow: str, stage: Stage, processes: Sequence[Program], folders: Sequence[Path], follower: Follower) -> None:
    victim = stage.chance.randrange(PROCESSES)
    process = processes[victim]
    if "frozen" in blow:
        process.freeze()
        try:
            follower.wait_for_each_partition(IN_FLIGHT_WORDS)
        finally:
            process.thaw()
        return
    if "process" in blow:
        process.kill()
    if "state" in blow:
        shutil.rmtree(folders[victim], ignore_errors=True)  # it may have died before it had any
    if "broker" in blow:
        stage.kill_the_broker()
    if "process" in blow:
        process.start()


def _judge(bootstrap: str, feeder: Feeder, shown: Sequence[Record]) -> list[str]:
    """Both outputs, each count of them."""
    counts = read(bootstrap, f"{NAME}-counts", PARTITIONS)
    minutes = read(bootstrap, f"{NAME}-minutes", PARTITIONS)
    return [
        *unchanged("counts", shown, counts),
        *counted("counts", feeder.words, _counts(counts, bytes.decode)),
        *counted("minutes", feeder.by_minute, _counts(minutes, bytes.decode)),
    ]


def _judge_changelogs(bootstrap: str, feeder: Feeder) -> tuple[list[str], int]:
    """What compaction has left of both changelogs, and how many counts it has taken."""
    counts = read(bootstrap, f"{NAME}-counts-changelog", PARTITIONS)
    minutes = read(bootstrap, f"{NAME}-minutes-changelog", PARTITIONS)
    found = [
        *counted("changelog of counts", feeder.words, _counts(counts, bytes.decode), compacted=True),
        *counted("changelog of minutes", feeder.by_minute, _counts(minutes, _window), compacted=True),
    ]
    return found, feeder.words.total() + feeder.by_minute.total() - len(counts) - len(minutes)


def _counts(records: Iterable[Record], name: Callable[[bytes], str]) -> Iterable[tuple[str, int]]:
    return ((name(record.key), int.from_bytes(record.value, "big")) for record in records)


def _window(key: bytes) -> str:
    """`word@minute` of a key in a window store's changelog."""
    start_ms, _ = WINDOW_TAIL.unpack_from(key, len(key) - WINDOW_TAIL.size)
    return f"{key[: -WINDOW_TAIL.size].decode()}@{start_ms}"
