"""Kafka's own tool for transactions that hang (kafka-transactions), beside transactions that are open.

list, describe, describe-producers     show what is open, since when, and where it began
find-hanging                           finds none, for each has a coordinator that knows of it
abort                                  ends one in one partition by its first offset
forceTerminateTransaction              ends one everywhere; who had it is fenced
"""

from __future__ import annotations

import logging
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from conformance.processes import run as run_to_its_end
from interop.programs import Library
from interop.reading import read
from interop.stage import Outcome, Stage
from torture.clients import PATIENCE_S

MAIN: Final = "org.apache.kafka.tools.TransactionsCommand"
TOPIC: Final = "open"
VALUES: Final = (b"one", b"two")

Row = dict[str, str]

_SILENCE: Final = logging.Logger("interop")
"""librdkafka prints that it was fenced, which is what is wanted of it, whatever its log level says."""
_SILENCE.addHandler(logging.NullHandler())


def run(stage: Stage) -> Outcome:
    """Open transactions, look at them with the tool, and let it end them."""
    play = _Tool(stage, Library("kafka"))
    stage.create(TOPIC, partitions=1)
    play.looks()
    play.aborts()
    play.terminates()
    facts = [f"{len(play.done)} commands: {', '.join(sorted(set(play.done)))}"]
    return Outcome(play.library.version("kafka-tools"), facts, play.violations)


def rows(printed: str) -> list[Row]:
    """The table that the tool prints, by the names of its columns. It has no word with a blank in it, and prints
    warnings of its logger in front."""
    lines = [line.split() for line in printed.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line[0] in ("TransactionalId", "CoordinatorId", "ProducerId", "Topic"):
            return [dict(zip(line, cells, strict=False)) for cells in lines[number + 1 :]]
    return []


class _Tool:
    """The tool, and what it should have said and did not."""

    def __init__(self, stage: Stage, library: Library) -> None:
        self.library = library
        self.done: list[str] = []
        self.violations: list[str] = []
        self._bootstrap = stage.bootstrap

    def looks(self) -> None:
        producer = self._open("looked-at")
        listed = {row["TransactionalId"]: row for row in self._run("list")}
        self._same("list", listed.get("looked-at", {}).get("TransactionState"), "Ongoing")
        (described,) = self._run("describe", "--transactional-id", "looked-at")
        self._same("describe", (described["TransactionState"], described["TopicPartitions"]), ("Ongoing", f"{TOPIC}-0"))
        self._same("describe-producers", self._starts(), ["0"])
        hanging = self._run("find-hanging", "--broker-id", described["CoordinatorId"], "--max-transaction-timeout", "1")
        self._same("find-hanging", hanging, [])
        producer.commit_transaction(PATIENCE_S)
        self._same("describe-producers after the commit", self._starts(), ["None"])
        self._same("what is committed", self._committed(), list(VALUES))

    def aborts(self) -> None:
        self._open("aborted")
        (start,) = [start for start in self._starts() if start != "None"]
        self._run("abort", "--topic", TOPIC, "--partition", "0", "--start-offset", start)
        self._same("describe-producers after abort", set(self._starts()), {"None"})
        self._same("what is committed after abort", self._committed(), list(VALUES))

    def terminates(self) -> None:
        producer = self._open("terminated")
        self._run("forceTerminateTransaction", "--transactionalId", "terminated")
        (described,) = self._run("describe", "--transactional-id", "terminated")
        self._same("describe after forceTerminateTransaction", described["TransactionState"], "Empty")
        self._same("what is committed after forceTerminateTransaction", self._committed(), list(VALUES))
        try:
            producer.commit_transaction(PATIENCE_S)
        except KafkaException as error:
            self._same("the producer that was terminated is fenced", error.args[0].fatal(), True)
        else:
            self.violations.append("the producer that was terminated could commit")

    def _open(self, name: str) -> Any:
        """A transaction with two records that is neither committed nor aborted."""
        producer = Producer({"bootstrap.servers": self._bootstrap, "transactional.id": name, "logger": _SILENCE})
        producer.init_transactions(PATIENCE_S)
        producer.begin_transaction()
        for value in VALUES:
            producer.produce(TOPIC, value)
        producer.flush(PATIENCE_S)
        return producer

    def _starts(self) -> list[str]:
        """Where the open transaction of each producer began."""
        producers = self._run("describe-producers", "--topic", TOPIC, "--partition", "0")
        return [row["CurrentTransactionStartOffset"] for row in producers]

    def _committed(self) -> list[bytes]:
        return [record.value for record in read(self._bootstrap, TOPIC, 1)]

    def _run(self, command: str, *options: str) -> list[Row]:
        self.done.append(command)
        tool = self.library.java(MAIN, "--bootstrap-server", self._bootstrap, command, *options)
        return rows(run_to_its_end(tool))

    def _same(self, what: str, came: object, right: object) -> None:
        if came != right:
            self.violations.append(f"{what}: {came} instead of {right}")
