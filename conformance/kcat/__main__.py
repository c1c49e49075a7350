"""`python -m conformance.kcat BOOTSTRAP NAME SCENARIO…`: kcat as a driver.

It has no administration, so its topics are made beside it; timestamps are the moment of sending.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from conformance.clients import LINES
from conformance.contract import CODECS, HALF, PARTITIONS, RECORDS, Written
from conformance.drive import Lacks, Scenario, drive, same
from conformance.processes import Room, Running, run
from tests.clients.adapters import ConfluentKafka

ALL: Final = frozenset(range(PARTITIONS))
COOPERATIVE: Final = "partition.assignment.strategy=cooperative-sticky"
SOON: Final = ("heartbeat.interval.ms=200", "session.timeout.ms=6000", "auto.offset.reset=earliest")


class Member:
    """`kcat -G`: what it says of rebalances, and the records it prints."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def _rebalances(self) -> list[tuple[bool, frozenset[int]]]:
        """Gained or lost, and which, in their order."""
        told = [line for line in self.running.errors if " rebalanced" in line]
        return [
            (re.search(r"\): assigned|incremental assignment", line) is not None, _numbers(line.partition("): ")[2]))
            for line in told
        ]

    @property
    def partitions(self) -> frozenset[int]:
        owned: frozenset[int] = frozenset()
        for gained, which in self._rebalances():
            owned = owned | which if gained else owned - which
        return owned

    @property
    def revoked(self) -> list[frozenset[int]]:
        return [which for gained, which in self._rebalances() if not gained and which]

    def take(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.running.take()]


def _numbers(listed: str) -> frozenset[int]:
    return frozenset(int(number) for number in re.findall(r"\[(\d+)\]", listed))


class Kcat:
    """One broker, and a name of its own."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self._bootstrap = bootstrap
        self._name = name
        self._beside = ConfluentKafka(bootstrap)

    def table(self) -> Mapping[str, Scenario]:
        lacking = {
            scenario: partial(_lacks, f"kcat {what}")
            for scenario, what in {
                "new-groups": "with this librdkafka has no groups of the new protocol",
                "share-groups": "has no share groups",
                "groups": "does not administer groups",
                "offsets": "does not administer offsets",
                "partitions": "does not add partitions",
                "configs": "does not describe or change configs",
                "delete-records": "does not delete records",
                "log-dirs": "does not ask for log dirs",
            }.items()
        }
        return {
            "topics": self.topics,
            "records": self.records,
            **{codec: partial(self._write_and_read, codec, "-z", codec) for codec in CODECS},
            "acks": self.acks,
            "idempotent": partial(self._write_and_read, "idempotent", "-X", "enable.idempotence=true"),
            "time": self.time,
            "group": self.group,
            "rebalance": self.rebalance,
            "cooperative": self.cooperative,
            "static": self.static,
            **lacking,
        }

    # -- what scenarios are made of

    def _kcat(self, *arguments: str, stdin: bytes = b"") -> str:
        return run(["kcat", "-b", self._bootstrap, *arguments], stdin=stdin)

    def _create(self, scenario: str) -> str:
        topic = f"{self._name}-{scenario}"
        self._beside.create(topic, partitions=PARTITIONS, retention_ms="-1")
        # Kafka creates behind its answer. A batch that its leader is not there for is sent again, and overtaken.
        for partition in range(PARTITIONS):
            self._beside.ends(topic, partition)
        return topic

    def _fill(
        self, topic: str, partition: int, *options: str, start: int = 0, end: int = RECORDS, large: bool = False
    ) -> None:
        written = LINES.records(topic, partition, start=start, end=end, large=large)
        lines = b"".join(b"%s\t%s\n" % (each.key, each.value) for each in written)
        self._kcat("-P", "-t", topic, "-p", str(partition), "-K", r"\t", *options, stdin=lines)

    def _fill_all(self, topic: str, *options: str, **how: Any) -> None:
        for partition in range(PARTITIONS):
            self._fill(topic, partition, *options, **how)

    def _read(self, topic: str, partition: int, start: int | str = 0) -> list[dict[str, Any]]:
        """From there to the end."""
        said = self._kcat("-C", "-t", topic, "-p", str(partition), "-o", str(start), "-e", "-J", "-q")
        return [json.loads(line) for line in said.splitlines()]

    @staticmethod
    def _check(
        got: Sequence[dict[str, Any]],
        topic: str,
        partition: int,
        *,
        start: int = 0,
        end: int = RECORDS,
        large: bool = False,
    ) -> None:
        wanted = LINES.records(topic, partition, start=start, end=end, large=large)
        same([each["offset"] for each in got], list(range(start, end)), f"the offsets of {topic}-{partition}")
        for record, written in zip(got, wanted, strict=True):
            same(_written(record), written, f"record {record['offset']} of {topic}-{partition}")

    # -- topics and records

    def topics(self) -> str:
        topic = self._create("topics")
        listed = json.loads(self._kcat("-L", "-J"))["topics"]
        (found,) = (each for each in listed if each["topic"] == topic)
        same([each["partition"] for each in found["partitions"]], list(range(PARTITIONS)), "the partitions")
        same(min(each["leader"] for each in found["partitions"]) >= 0, True, "every partition has a leader")
        return "listed and described: kcat neither creates nor deletes topics"

    def _write_and_read(self, scenario: str, *options: str, large: bool = False) -> str:
        topic = self._create(scenario)
        for partition in range(PARTITIONS):
            self._fill(topic, partition, *options, large=large)
            self._check(self._read(topic, partition), topic, partition, large=large)
        return ""

    def records(self) -> None:
        self._write_and_read("records", large=True)
        topic = self._create("records-of-all-kinds")
        headers = ("-H", "number=1", "-H", "empty=")
        where = ("-P", "-t", topic, "-p", "0", "-K", r"\t")
        self._kcat(*where, "-Z", *headers, stdin=b"k1\tv1\n\tv2\nk3\t\n")
        self._kcat(*where, stdin=b"\t\n")
        got = [(each["key"], each["payload"], each.get("headers", [])) for each in self._read(topic, 0)]
        both = ["number", "1", "empty", ""]
        wanted = [("k1", "v1", both), (None, "v2", both), ("k3", None, both), ("", "", [])]
        same(got, wanted, "records with headers, nulls and empty values")

    def acks(self) -> None:
        topic = self._create("acks")
        # Backwards: where nobody answers, the topic has to be there for sure.
        for partition, acks in reversed(tuple(enumerate(("0", "1", "all")))):
            self._fill(topic, partition, "-X", f"acks={acks}")
            with Room() as room:  # not to the end: what nobody acknowledged may still be on its way
                reading = ("-C", "-t", topic, "-p", str(partition), "-J", "-q", "-u")
                reader = Member(room.start(["kcat", "-b", self._bootstrap, *reading]))
                room.until(lambda: len(reader.running.lines) >= RECORDS, "all have arrived")  # noqa: B023  # called here
                self._check(reader.take(), topic, partition)

    def time(self) -> None:
        topic = self._create("time")
        self._fill_all(topic)
        for partition in range(PARTITIONS):
            times = [each["ts"] for each in self._read(topic, partition)]
            first = times.index(times[HALF])
            same(self._offset_for(topic, partition, times[HALF]), first, "the offset of a record's own time")
            same(self._offset_for(topic, partition, times[0] - 1), 0, "the offset of a time before the first")
            same(self._offset_for(topic, partition, times[-1] + 1), -1, "the offset of a time past the end")
            self._check(self._read(topic, partition, f"s@{times[HALF]}"), topic, partition, start=first)

    def _offset_for(self, topic: str, partition: int, timestamp: int) -> int:
        said = self._kcat("-Q", "-t", f"{topic}:{partition}:{timestamp}")
        return int(said.split()[-1])

    # -- groups

    def _join(self, room: Room, topic: str, *options: str) -> Member:
        settings = [word for setting in (*SOON, *options) for word in ("-X", setting)]
        return Member(room.start(["kcat", "-b", self._bootstrap, "-G", topic, "-J", "-u", *settings, topic]))

    def _group_reads(self, room: Room, topic: str, start: int, end: int, *members: Member) -> None:
        wanted = (end - start) * PARTITIONS
        room.until(lambda: sum(len(member.running.lines) for member in members) >= wanted, f"{wanted} records are read")
        together: list[dict[str, Any]] = []
        for member in members:
            read = member.take()
            same({each["partition"] for each in read}, set(member.partitions), "the partitions that a member reads")
            together += read
        for partition in range(PARTITIONS):
            its = [each for each in together if each["partition"] == partition]
            self._check(its, topic, partition, start=start, end=end)

    def group(self) -> None:
        topic = self._create("group")
        self._fill_all(topic, end=HALF)
        with Room() as room:
            first = self._join(room, topic)
            self._group_reads(room, topic, 0, HALF, first)
            first.running.end()
            self._fill_all(topic, start=HALF)
            self._group_reads(room, topic, HALF, RECORDS, self._join(room, topic))

    def rebalance(self) -> None:
        topic = self._create("rebalance")
        with Room() as room:
            first, second = self._two(room, topic)
            self._fill_all(topic, end=HALF)
            self._group_reads(room, topic, 0, HALF, first, second)
            first.running.end()
            room.until(lambda: second.partitions == ALL, "the other has all")
            self._fill_all(topic, start=HALF)
            self._group_reads(room, topic, HALF, RECORDS, second)

    def _two(self, room: Room, topic: str, *options: str, each: Callable[[str], str] | None = None) -> list[Member]:
        first = self._join(room, topic, *options, *((each("a"),) if each else ()))
        room.until(lambda: first.partitions == ALL, "the first has all")
        second = self._join(room, topic, *options, *((each("b"),) if each else ()))
        room.until(lambda: _share(first.partitions, second.partitions), "two share")
        return [first, second]

    def cooperative(self) -> None:
        topic = self._create("cooperative")
        with Room() as room:
            first, second = self._two(room, topic, COOPERATIVE)
            same(first.revoked, [second.partitions], "what the first had to give up")
            self._fill_all(topic)
            self._group_reads(room, topic, 0, RECORDS, first, second)

    def static(self) -> None:
        topic = self._create("static")
        with Room() as room:
            first, second = self._two(room, topic, each=lambda instance: f"group.instance.id={instance}")
            before, revoked = (first.partitions, second.partitions), first.revoked
            second.running.end()
            again = self._join(room, topic, "group.instance.id=b")
            room.until(lambda: bool(again.partitions), "it is back")
            same((first.partitions, again.partitions), before, "the partitions of both")
            same(first.revoked, revoked, "what the other had to give up")
            self._fill_all(topic)
            self._group_reads(room, topic, 0, RECORDS, first, again)


def _written(record: Mapping[str, Any]) -> Written:
    return Written(record["key"].encode(), record["payload"].encode(), tuple(record.get("headers", ())), -1)


def _share(first: frozenset[int], second: frozenset[int]) -> bool:
    return bool(first) and bool(second) and not first & second and first | second == ALL


def _lacks(what: str) -> str:
    raise Lacks(what)


def main(bootstrap: str, name: str, *wanted: str) -> None:
    version = re.search(r"Version (\S+) .*librdkafka ([\d.]+)", run(["kcat", "-V"]))
    drive(" with librdkafka ".join(version.groups()) if version else "?", Kcat(bootstrap, name).table(), wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
