"""`python -m conformance.tools BOOTSTRAP NAME SCENARIO…`: Kafka's own command-line tools as a driver.

    kafka-topics, kafka-configs, kafka-consumer-groups, kafka-get-offsets, kafka-delete-records, kafka-log-dirs,
    kafka-console-producer and -consumer, kafka-verifiable-producer and -consumer, and the two performance tests,
    kafka-console-share-consumer, kafka-verifiable-share-consumer, kafka-share-groups

The console producer can say neither the partition nor the timestamp of a record, so topics have one partition; where
a scenario needs several, the verifiable producer fills them with the numbers from 0 on, and says where each went.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench import reference
from conformance.clients import TOOLS
from conformance.contract import CODECS, CUT, HALF, PARTITIONS, RECORDS, Written
from conformance.drive import Scenario, drive, same, table_of, until
from conformance.processes import Room, Running, run

TOPICS: Final = "org.apache.kafka.tools.TopicCommand"
CONFIGS: Final = "kafka.admin.ConfigCommand"
CONSOLE_PRODUCER: Final = "org.apache.kafka.tools.ConsoleProducer"
CONSOLE_CONSUMER: Final = "org.apache.kafka.tools.consumer.ConsoleConsumer"
GROUPS: Final = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
OFFSETS: Final = "org.apache.kafka.tools.GetOffsetShell"
DELETE_RECORDS: Final = "org.apache.kafka.tools.DeleteRecordsCommand"
LOG_DIRS: Final = "org.apache.kafka.tools.LogDirsCommand"
VERIFIABLE_PRODUCER: Final = "org.apache.kafka.tools.VerifiableProducer"
VERIFIABLE_CONSUMER: Final = "org.apache.kafka.tools.VerifiableConsumer"
CONSOLE_SHARE_CONSUMER: Final = "org.apache.kafka.tools.consumer.ConsoleShareConsumer"
VERIFIABLE_SHARE_CONSUMER: Final = "org.apache.kafka.tools.VerifiableShareConsumer"
SHARE_GROUPS: Final = "org.apache.kafka.tools.consumer.group.ShareGroupCommand"
PRODUCER_PERFORMANCE: Final = "org.apache.kafka.tools.ProducerPerformance"
CONSUMER_PERFORMANCE: Final = "org.apache.kafka.tools.ConsumerPerformance"

COOPERATIVE: Final = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
ALL: Final = frozenset(range(PARTITIONS))
NULL: Final = "NULL"
SESSION_MS: Final = "60000"
"""Longer than a Java program takes to start again, on a slow machine too; in groups of the new protocol it is the
broker's."""
PERFORMANCE_RECORDS: Final = 5_000
QUICK: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
"""For programs that live for a second."""


class Member:
    """A verifiable consumer: it prints each thing that happens to it as a line of JSON."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def _events(self, *names: str) -> list[dict[str, Any]]:
        events = (json.loads(line) for line in self.running.lines if line.startswith("{"))
        return [event for event in events if event["name"] in names]

    @property
    def partitions(self) -> frozenset[int]:
        owned: frozenset[int] = frozenset()
        for event in self._events("partitions_assigned", "partitions_revoked"):
            which = _numbers(event)
            owned = owned | which if event["name"] == "partitions_assigned" else owned - which
        return owned

    @property
    def revoked(self) -> list[frozenset[int]]:
        return [which for event in self._events("partitions_revoked") if (which := _numbers(event))]

    @property
    def read(self) -> list[tuple[int, int, str]]:
        """Partition, offset and value of each record."""
        return [(event["partition"], event["offset"], event["value"]) for event in self._events("record_data")]

    @property
    def committed(self) -> dict[int, int]:
        return {
            each["partition"]: each["offset"]
            for event in self._events("offsets_committed")
            if event["success"]
            for each in event["offsets"]
        }


def _numbers(event: Mapping[str, Any]) -> frozenset[int]:
    return frozenset(each["partition"] for each in event["partitions"])


class Tools:
    """One broker, and a name of its own."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self._bootstrap = bootstrap
        self._name = name

    def table(self) -> Mapping[str, Scenario]:
        special = {codec: partial(self._write_and_read, codec, "--compression-codec", codec) for codec in CODECS} | {
            "records": partial(self._write_and_read, "records", large=True),
            "rebalance": partial(self._rebalance, "rebalance", "--session-timeout", SESSION_MS),
        }
        return table_of(self, special)

    # -- what scenarios are made of

    def _command(self, tool: str, *arguments: str) -> list[str]:
        return reference.java(*QUICK, tool, "--bootstrap-server", self._bootstrap, *arguments)

    def _run(self, tool: str, *arguments: str, stdin: bytes = b"", fails: bool = False) -> str:
        return run(self._command(tool, *arguments), stdin=stdin, fails=fails)

    def _create(self, scenario: str, *, partitions: int = 1) -> str:
        topic = f"{self._name}-{scenario}"
        self._run(TOPICS, "--create", "--topic", topic, "--partitions", str(partitions), "--config", "retention.ms=-1")
        return topic

    def _fill(self, topic: str, *options: str, start: int = 0, end: int = RECORDS, large: bool = False) -> None:
        written = TOOLS.records(topic, 0, start=start, end=end, large=large)
        properties = {
            "parse.key": "true",
            "parse.headers": "true",
            "null.marker": NULL,
            "headers.delimiter": "\t",
            "key.separator": "\t",
        }
        own = [word for key, value in properties.items() for word in ("--reader-property", f"{key}={value}")]
        # Without idempotence, one request at a time: one that is sent again would be overtaken.
        configs = ("enable.idempotence=false", "max.in.flight.requests.per.connection=1", "linger.ms=20")
        plain = [word for config in configs for word in ("--command-property", config)]
        lines = b"".join(_line(each) for each in written)
        self._run(CONSOLE_PRODUCER, "--topic", topic, *own, *plain, *options, stdin=lines)

    def _read(self, topic: str, *options: str, count: int) -> list[tuple[int, int, Written]]:
        """Offset, timestamp and content of so many records."""
        return [_parsed(line) for line in self._lines(CONSOLE_CONSUMER, topic, *options, count=count)]

    def _lines(self, tool: str, topic: str, *options: str, count: int) -> list[str]:
        """What a console consumer prints of so many records."""
        properties = {
            "print.timestamp": "true",
            "print.offset": "true",
            "print.headers": "true",
            "print.key": "true",
            "null.literal": NULL,
        }
        own = [word for key, value in properties.items() for word in ("--formatter-property", f"{key}={value}")]
        patience = ("--max-messages", str(count), "--timeout-ms", "20000")
        said = self._run(tool, "--topic", topic, *own, *patience, *options)
        return [line for line in said.splitlines() if line.startswith("CreateTime:")]

    def _check(
        self, topic: str, *options: str, start: int = 0, end: int = RECORDS, large: bool = False
    ) -> list[tuple[int, int, Written]]:
        """That reading gives exactly these records, and that the partition ends there."""
        got = self._read(topic, *(options or ("--partition", "0", "--offset", str(start))), count=end - start)
        _compare(topic, got, start, end, large=large)
        return got

    def _offset(self, topic: str, time: str) -> int | None:
        """What kafka-get-offsets says of a time, or of `earliest` or `latest`."""
        said = self._run(OFFSETS, "--topic", topic, "--time", time)
        found = re.search(rf"^{re.escape(topic)}:0:(\d*)$", said, re.MULTILINE)
        return int(found[1]) if found and found[1] else None

    # -- topics and records

    def topics(self) -> None:
        topic = self._create("topics", partitions=PARTITIONS)
        until(lambda: topic in self._run(TOPICS, "--list").split(), "the new topic is listed")
        described = self._run(TOPICS, "--describe", "--topic", topic)
        led = re.findall(r"Partition: (\d+)\s+Leader: (\d+)", described)
        same([int(partition) for partition, _ in led], sorted(ALL), "the partitions that have a leader")
        same("retention.ms=-1" in described, True, "its config is shown")
        refusal = self._run(TOPICS, "--create", "--topic", topic, fails=True)
        same(_names(refusal, topic), True, f"the second creation is refused for the topic's sake ({refusal[-200:]})")
        self._run(TOPICS, "--delete", "--topic", topic)
        until(lambda: topic not in self._run(TOPICS, "--list").split(), "the topic is gone")

    def _write_and_read(self, scenario: str, *options: str, large: bool = False) -> None:
        topic = self._create(scenario)
        self._fill(topic, *options, large=large)
        self._check(topic, large=large)

    def acks(self) -> str:
        for acks in ("0", "1", "all"):
            topic = self._create("acks" if acks == "0" else f"acks-{acks}")
            self._fill(topic, "--command-property", f"acks={acks}")
            self._check(topic)
        topic = self._create("performance")
        count = str(PERFORMANCE_RECORDS)
        sizes = ("--num-records", count, "--record-size", "200", "--throughput", "-1")
        said = self._run(PRODUCER_PERFORMANCE, "--topic", topic, *sizes)
        same(f"{count} records sent" in said, True, "the producer's performance tool has sent all")
        same(self._offset(topic, "latest"), PERFORMANCE_RECORDS, "the end of the topic")
        read = self._run(CONSUMER_PERFORMANCE, "--topic", topic, "--num-records", count, "--hide-header")
        same(int(read.strip().splitlines()[-1].split(",")[4]), PERFORMANCE_RECORDS, "what its other half has read")
        return "with the producer's and the consumer's performance tools"

    def idempotent(self) -> str:
        self._write_and_read("idempotent", "--command-property", "enable.idempotence=true")
        topic = self._create("verifiable")
        same(len(self._number(topic, RECORDS)), RECORDS, "what the verifiable producer was told has arrived")
        return "the console producer; the verifiable producer too"

    def _number(self, topic: str, count: int) -> list[tuple[int, int, str]]:
        """Send the numbers from 0 on; where each one went: partition, offset, value."""
        said = self._run(VERIFIABLE_PRODUCER, "--topic", topic, "--max-messages", str(count), "--acks", "-1")
        events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        (total,) = (event for event in events if event["name"] == "tool_data")
        same((total["sent"], total["acked"]), (count, count), "what the verifiable producer sent, and what was heard")
        sent = [event for event in events if event["name"] == "producer_send_success"]
        return sorted((each["partition"], each["offset"], each["value"]) for each in sent)

    def time(self) -> None:
        topic = self._create("time")
        self._fill(topic)
        got = self._check(topic)
        same((self._offset(topic, "earliest"), self._offset(topic, "latest")), (0, RECORDS), "the ends")
        times = [timestamp for _, timestamp, _ in got]
        same(self._offset(topic, str(times[HALF])), times.index(times[HALF]), "the offset of a record's own time")
        same(self._offset(topic, str(times[0] - 1)), 0, "the offset of a time before the first")
        same(self._offset(topic, str(times[-1] + 1)), None, "the offset of a time past the end")

    # -- groups

    def group(self) -> str:
        topic = self._create("group")
        member = ("--group", topic, "--from-beginning")
        self._fill(topic, end=HALF)
        self._check(topic, *member, end=HALF)
        self._fill(topic, start=HALF)
        self._check(topic, *member, start=HALF)
        return ""

    def _join(self, room: Room, topic: str, *options: str) -> Member:
        settings = ("--topic", topic, "--group-id", topic, "--reset-policy", "earliest", "--verbose")
        return Member(room.start(self._command(VERIFIABLE_CONSUMER, *settings, *options)))

    def _two(self, room: Room, topic: str, first: Sequence[str], second: Sequence[str]) -> tuple[Member, Member]:
        one = self._join(room, topic, *first)
        room.until(lambda: one.partitions == ALL, "the first has all")
        two = self._join(room, topic, *second)
        room.until(lambda: _share(one.partitions, two.partitions), "two share")
        return one, two

    @staticmethod
    def _group_reads(room: Room, sent: Sequence[tuple[int, int, str]], *members: Member) -> None:
        """That these have been read, each once and in order, by whoever owns the partition, and committed."""

        def committed() -> dict[int, int]:
            return {partition: at for member in members for partition, at in member.committed.items()}

        ends = {partition: max(at for where, at, _ in sent if where == partition) + 1 for partition, *_ in sent}
        room.until(lambda: committed() == ends, "all is read and committed")
        read = [each for member in members for each in member.read]
        for partition in ends:
            wanted = [each for each in sent if each[0] == partition]
            same([each for each in read if each[0] == partition], wanted, f"what is read of partition {partition}")
        for member in members:
            same({partition for partition, *_ in member.read} <= member.partitions, True, "who reads what")

    def _rebalance(self, scenario: str, *options: str) -> str:
        topic = self._create(scenario, partitions=PARTITIONS)
        with Room() as room:
            first, second = self._two(room, topic, options, options)
            self._group_reads(room, self._number(topic, RECORDS), first, second)
            seen = len(second.read)
            first.running.end()
            room.until(lambda: second.partitions == ALL, "the other has all")
            same(len(second.read), seen, "nothing is read again")
            more = self._number(topic, RECORDS)
            room.until(lambda: len(second.read) == seen + RECORDS, "the other reads on")
            same(sorted(second.read[seen:]), more, "what the other reads")
        return "two verifiable consumers"

    def cooperative(self) -> None:
        topic = self._create("cooperative", partitions=PARTITIONS)
        strategy = ("--session-timeout", SESSION_MS, "--assignment-strategy", COOPERATIVE)
        with Room() as room:
            first, second = self._two(room, topic, strategy, strategy)
            same(first.revoked, [second.partitions], "what the first had to give up")
            self._group_reads(room, self._number(topic, RECORDS), first, second)

    def static(self) -> None:
        topic = self._create("static", partitions=PARTITIONS)
        with Room() as room:
            a, b = (("--session-timeout", SESSION_MS, "--group-instance-id", instance) for instance in "ab")
            first, second = self._two(room, topic, a, b)
            before, revoked = (first.partitions, second.partitions), first.revoked
            second.running.end()
            again = self._join(room, topic, *b)
            room.until(lambda: bool(again.partitions), "it is back")
            same((first.partitions, again.partitions), before, "the partitions of both")
            same(first.revoked, revoked, "what the other had to give up")
            self._group_reads(room, self._number(topic, RECORDS), first, again)

    def new_groups(self) -> str:
        self._rebalance("new-groups", "--group-protocol", "consumer")
        topic = self._create("new-groups-console")
        member = ("--group", topic, "--from-beginning", "--command-property", "group.protocol=consumer")
        self._fill(topic, end=HALF)
        self._check(topic, *member, end=HALF)
        self._fill(topic, start=HALF)
        self._check(topic, *member, start=HALF)
        listed = self._run(GROUPS, "--list", "--type", "consumer").split()
        same({topic, f"{self._name}-new-groups"} <= {*listed}, True, "they are listed as groups of the new protocol")
        rows = self._run(GROUPS, "--describe", "--group", topic)
        found = re.search(rf"{re.escape(topic)}\s+0\s+(\d+)\s+(\d+)\s+(\d+)", rows)
        same(found and found.groups(), (str(RECORDS), str(RECORDS), "0"), "offset, end and lag")
        return "two verifiable consumers; the console consumer too"

    def share_groups(self) -> str:
        topic = self._create("share-groups")
        which = ("--entity-type", "groups", "--entity-name", topic)
        self._run(CONFIGS, "--alter", *which, "--add-config", "share.auto.offset.reset=earliest")
        self._fill(topic, end=HALF)
        self._deliver(topic, "--release", end=HALF, delivery=1)
        self._deliver(topic, end=HALF, delivery=2)
        self._fill(topic, start=HALF)
        self._deliver(topic, "--reject", start=HALF, delivery=1)
        same(topic in self._run(SHARE_GROUPS, "--list").split(), True, "the group is listed")
        same(self._share_offset(topic), (RECORDS, 0), "the offset and the lag, when all is accepted or rejected")
        group = ("--group", topic)
        self._run(SHARE_GROUPS, "--reset-offsets", *group, "--topic", topic, "--to-earliest", "--execute")
        same(self._share_offset(topic), (0, RECORDS), "the offset and the lag after a reset")
        sync = ("--max-messages", str(RECORDS), "--verbose", "--acknowledgement-mode", "sync")
        said = self._run(VERIFIABLE_SHARE_CONSUMER, "--topic", topic, "--group-id", topic, *sync)
        events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        read = [event["offset"] for event in events if event["name"] == "record_data"]
        same(read, list(range(RECORDS)), "what the verifiable share consumer reads")
        answered = [event for event in events if event["name"] == "offsets_acknowledged"]
        same({event["success"] for event in answered}, {True}, "whether what it said was heard")
        same(sum(event["count"] for event in answered), RECORDS, "what it accepted")
        same(self._share_offset(topic), (RECORDS, 0), "the offset and the lag when it has accepted all")
        self._run(SHARE_GROUPS, "--delete", *group)
        same(topic in self._run(SHARE_GROUPS, "--list").split(), False, "the group is listed")
        return "the console share consumer and the verifiable one; neither renews"

    def _deliver(self, topic: str, *options: str, start: int = 0, end: int = RECORDS, delivery: int) -> None:
        """That the console share consumer is given exactly these records, each delivered for the `delivery`-th time."""
        own = ("--group", topic, "--formatter-property", "print.delivery=true")
        lines = self._lines(CONSOLE_SHARE_CONSUMER, topic, *own, *options, count=end - start)
        times = {time for line in lines for time in re.findall(r"\tDelivery:(\d+)\t", line)}
        same(times, {str(delivery)}, f"the delivery counts of {start} to {end}")
        _compare(topic, [_parsed(re.sub(r"\tDelivery:\d+", "", line)) for line in lines], start, end)

    def _share_offset(self, topic: str) -> tuple[int, int] | None:
        """Where the share group stands, and its lag."""
        said = self._run(SHARE_GROUPS, "--describe", "--group", topic, "--offsets")
        found = re.search(rf"{re.escape(topic)}\s+0\s+(\d+)\s+(\d+)", said)
        return (int(found[1]), int(found[2])) if found else None

    def groups(self) -> None:
        topic = self._create("groups", partitions=PARTITIONS)
        with Room() as room:
            member = self._join(room, topic, "--session-timeout", SESSION_MS)
            room.until(lambda: member.partitions == ALL, "it has all")
            self._group_reads(room, self._number(topic, RECORDS), member)
            same(topic in self._run(GROUPS, "--list").split(), True, "the group is listed")
            state = self._run(GROUPS, "--describe", "--group", topic, "--state")
            same(re.findall(r"(Stable|Empty)\s+(\d+)", state), [("Stable", "1")], "the group with its member")
            rows = self._run(GROUPS, "--describe", "--group", topic)
            lag = re.findall(rf"{re.escape(topic)}\s+{re.escape(topic)}\s+(\d)\s+(?:-\s+)?(\d+)\s+(\d+)\s+(\d+)", rows)
            same({int(partition): int(at) for partition, at, *_ in lag}, member.committed, "the offsets that are shown")
            same([each for *_, each in lag], ["0"] * len(member.committed), "the lag that is shown")
            refusal = self._run(GROUPS, "--delete", "--group", topic)
            same("GroupNotEmptyException" in refusal, True, f"a group with members is not deleted ({refusal})")
        state = self._run(GROUPS, "--describe", "--group", topic, "--state")
        same(re.findall(r"(Stable|Empty)\s+(\d+)", state), [("Empty", "0")], "the group without its member")
        self._run(GROUPS, "--delete", "--group", topic)
        same(topic in self._run(GROUPS, "--list").split(), False, "the group is listed")

    def offsets(self) -> None:
        topic = self._create("offsets")
        self._fill(topic)
        which = ("--group", topic, "--topic", f"{topic}:0")
        self._run(GROUPS, "--reset-offsets", *which, "--to-offset", str(CUT), "--execute")
        rows = self._run(GROUPS, "--describe", "--group", topic, "--offsets")
        found = re.search(rf"{re.escape(topic)}\s+0\s+(?:-\s+)?(\d+)\s+(\d+)\s+(\d+)", rows)
        same(found and found.groups(), (str(CUT), str(RECORDS), str(RECORDS - CUT)), "offset, end and lag")
        self._check(topic, "--group", topic, "--from-beginning", start=CUT)
        self._run(GROUPS, "--delete-offsets", "--group", topic, "--topic", topic)
        self._check(topic, "--group", topic, "--from-beginning")

    # -- administration

    def partitions(self) -> None:
        topic = self._create("partitions")
        self._run(TOPICS, "--alter", "--topic", topic, "--partitions", str(PARTITIONS))

        def count() -> int:
            return len(re.findall(r"Leader: \d+", self._run(TOPICS, "--describe", "--topic", topic)))

        until(lambda: count() == PARTITIONS, "the topic has grown")
        refusal = self._run(TOPICS, "--alter", "--topic", topic, "--partitions", "2", fails=True)
        same(_names(refusal, topic), True, f"a topic does not shrink ({refusal[-200:]})")
        same(count(), PARTITIONS, "the partitions after a refusal")
        self._fill(topic)  # records with a key go where its hash says: to old partitions and new ones
        said = self._run(OFFSETS, "--topic", topic)
        ends = [int(end) for end in re.findall(rf"^{re.escape(topic)}:\d+:(\d+)$", said, re.MULTILINE)]
        same((len(ends), sum(ends), sum(ends[1:]) > 0), (PARTITIONS, RECORDS, True), f"the ends {ends}")
        got = [record for *_, record in self._read(topic, "--from-beginning", count=RECORDS)]
        same(sorted(map(str, got)), sorted(map(str, TOOLS.records(topic, 0))), "what is read of all partitions")

    def configs(self) -> None:
        topic = self._create("configs")
        entity = ("--entity-type", "topics", "--entity-name", topic)

        def retention() -> str | None:
            found = re.search(r"retention\.ms=(\S+)", self._run(CONFIGS, "--describe", *entity))
            return found[1] if found else None

        same(retention(), "-1", "retention.ms as the topic was created")
        self._run(CONFIGS, "--alter", *entity, "--add-config", "retention.ms=7200000")
        until(lambda: retention() == "7200000", "retention.ms is changed")
        refusal = self._run(CONFIGS, "--alter", *entity, "--add-config", "retention.ms=soon", fails=True)
        same("InvalidConfigurationException" in refusal, True, f"nonsense is refused as such ({refusal[-200:]})")
        same(retention(), "7200000", "retention.ms after a refusal")
        self._run(CONFIGS, "--alter", *entity, "--delete-config", "retention.ms")
        until(lambda: retention() is None, "retention.ms is no longer the topic's own")
        defaults = self._run(CONFIGS, "--describe", "--all", *entity)
        same(re.findall(r"^\s*retention\.ms=(\d+)", defaults, re.MULTILINE), ["604800000"], "its default")

    def delete_records(self) -> None:
        topic = self._create("delete-records")
        self._fill(topic)
        wanted = {"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": CUT}]}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "offsets.json"
            file.write_text(json.dumps(wanted))
            said = self._run(DELETE_RECORDS, "--offset-json-file", str(file))
        same(f"low_watermark: {CUT}" in said, True, "the new start, as the tool says it")
        same(self._offset(topic, "earliest"), CUT, "the start of the topic")
        self._check(topic, "--from-beginning", start=CUT)

    def log_dirs(self) -> None:
        topic = self._create("log-dirs")
        self._fill(topic)
        said = self._run(LOG_DIRS, "--describe", "--topic-list", topic)
        (answer,) = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
        found = [each for node in answer["brokers"] for folder in node["logDirs"] for each in folder["partitions"]]
        same([each["partition"] for each in found], [f"{topic}-0"], "the partitions that have a size")
        least = sum(len(each.value or b"") for each in TOOLS.records(topic, 0))
        same(found[0]["size"] > least, True, f"{topic}-0 has more bytes than its values ({found[0]['size']})")


def _line(record: Written) -> bytes:
    """A record as the console producer reads it: headers, key and value."""
    headers = ",".join(f"{name}:{value.decode()}" for name, value in record.headers)
    parts = (headers.encode() or NULL.encode(), record.key, record.value)
    return b"\t".join(NULL.encode() if part is None else part for part in parts) + b"\n"


def _parsed(line: str) -> tuple[int, int, Written]:
    """A record as the console consumer prints it: time, offset, headers, key and value."""
    time, offset, headers, key, value = line.split("\t")
    pairs = tuple(tuple(each.split(":", 1)) for each in headers.split(",")) if headers != "NO_HEADERS" else ()
    return (
        int(offset.removeprefix("Offset:")),
        int(time.removeprefix("CreateTime:")),
        Written(
            None if key == NULL else key.encode(),
            None if value == NULL else value.encode(),
            tuple((name, it.encode()) for name, it in pairs),
            -1,
        ),
    )


def _compare(topic: str, got: Sequence[tuple[int, int, Written]], start: int, end: int, *, large: bool = False) -> None:
    """That these are exactly the records from `start` to `end`."""
    wanted = TOOLS.records(topic, 0, start=start, end=end, large=large)
    same([offset for offset, *_ in got], list(range(start, end)), f"the offsets of {topic}")
    for (offset, _, record), written in zip(got, wanted, strict=True):
        same(record, written, f"record {offset} of {topic}")


def _names(refusal: str, topic: str) -> bool:
    """Whether the broker has refused something about this topic, in whatever words."""
    return re.search(rf"Error while executing topic command : .*{re.escape(topic)}", refusal) is not None


def _share(first: frozenset[int], second: frozenset[int]) -> bool:
    return bool(first) and bool(second) and not first & second and first | second == ALL


def main(bootstrap: str, name: str, *wanted: str) -> None:
    drive(reference.VERSION, Tools(bootstrap, name).table(), wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
