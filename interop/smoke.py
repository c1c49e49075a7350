"""Kafka's own smoke test of Kafka Streams (StreamsSmokeTest, from its system tests), which judges itself.

    driver ──data──> broker ──> two processes: minimum, maximum, sum, count, average, windows, suppression, joins
       └────────────── reads all that they made of it, and compares ──┘

The driver writes for a minute and a half; the blows fall meanwhile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from interop.programs import Library, Program
from interop.reading import PATIENCE_S, Findings, following
from interop.stage import PARTITIONS, Outcome, Stage

MAIN: Final = "org.apache.kafka.streams.tests.StreamsSmokeTest"
PROCESSES: Final = 2
TOPICS: Final = (
    *("data", "echo", "max", "min", "min-suppressed", "min-raw", "dif", "sum", "sws-raw", "sws-suppressed", "cnt"),
    *("avg", "tagg", "fk"),
)
BLOWS: Final = ("broker killed", "process killed", "broker and process killed")
RECORDS: Final = 20_000
"""20 keys of 1,000 numbers: what the driver writes to `data`."""
DELIVERED: Final = "ALL-RECORDS-DELIVERED"
SUCCESS: Final = "SUCCESS"


def run(stage: Stage) -> Outcome:
    """Let the driver write, strike meanwhile, and hear its judgement."""
    library = Library("kafka")
    stage.create(*TOPICS)
    processes = [Program(f"process-{number}", _command(stage, library, number), stage.folder) for number in range(2)]
    driver = Program("driver", library.java(MAIN, _configs(stage, "driver"), "run", heap_mib=256), stage.folder)
    findings = Findings()
    try:
        with following(stage.bootstrap, "echo", PARTITIONS, findings) as follower:
            for program in (*processes, driver):
                program.start()
            for blow in stage.blows(BLOWS):
                follower.wait_for(stage.chance.randrange(1, RECORDS * 2 // 3 // stage.kills))
                victim = processes[stage.chance.randrange(PROCESSES)]
                if "process" in blow:
                    victim.kill()
                if "broker" in blow:
                    stage.kill_the_broker()
                if "process" in blow:
                    victim.start()
        code = driver.wait(2 * PATIENCE_S)
    finally:
        for program in (driver, *processes):
            program.stop()
    violations = judged(driver.said(), code)
    return Outcome(library.version("kafka-streams"), [stage.deaths(), f"{RECORDS:,} records"], violations)


def judged(said: str, code: int) -> list[str]:
    """What the driver has said and how it has ended, held against what it says when all is well."""
    lines = set(said.split())
    found = [f"the driver did not say {word}" for word in (DELIVERED, SUCCESS) if word not in lines]
    found += [line for line in said.splitlines() if "fail" in line.lower() and "fail: " in line]
    return found + ([f"the driver ended with {code}"] if code else [])


def _command(stage: Stage, library: Library, number: int) -> list[str]:
    return library.java(MAIN, _configs(stage, f"process-{number}"), "process")


def _configs(stage: Stage, name: str) -> Path:
    """The file of settings that it is told."""
    configs = {
        "bootstrap.servers": stage.bootstrap,
        "processing.guarantee": "exactly_once_v2",
        "state.dir": stage.folder / f"{name}-state",
        "session.timeout.ms": 6_000,
        "transaction.timeout.ms": 6_000,
        "reconnect.backoff.max.ms": 200,
    }
    path = stage.folder / f"{name}.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in configs.items()))
    return path
