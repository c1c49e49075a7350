"""The scenarios of the contract, for any client that has an adapter, a member and an administrator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from conformance import contract
from conformance.contract import CODECS, CUT, FIRST_TIMESTAMP, HALF, PARTITIONS, RECORDS, STEP_MS
from conformance.drive import Lacks, Scenario, same, table_of, until
from conformance.python.administrators import ADMINISTRATORS
from conformance.python.groups import begin_at_earliest, new_groups, settle
from drave.model.errors import ErrorCode
from tests.clients.adapters import Client, ConfluentKafka, Refusal, Send
from tests.clients.members import MEMBERS, Member, Read, poll_for, poll_until, shared

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its schemas in a way that Python calls old
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

ALL: Final = frozenset(range(PARTITIONS))
COOPERATIVE: Final[Mapping[str, Any]] = {
    "confluent-kafka": "cooperative-sticky",
    "kafka-python": [CooperativeStickyAssignor],
}
"""Who has it, and how it is asked for."""


class Scenarios:
    """One client at work under a name of its own."""

    def __init__(self, kind: type[Client], bootstrap: str, name: str) -> None:
        self.client = kind(bootstrap)
        self.admin = ADMINISTRATORS[kind.name](bootstrap)
        self._member = next(member for member in MEMBERS if member.name == kind.name)
        self._beside = ConfluentKafka(bootstrap)
        self._bootstrap = bootstrap
        self._name = name

    def table(self) -> Mapping[str, Scenario]:
        """Every scenario by its name."""
        special = {codec: partial(self.write_and_read, codec, codec=codec) for codec in CODECS} | {
            "records": partial(self.write_and_read, "records", large=True),
            "idempotent": partial(self.write_and_read, "idempotent", idempotent=True),
            "rebalance": partial(self.rebalance, "rebalance"),
        }
        return table_of(self, special)

    # -- what scenarios are made of

    def _create(self, scenario: str) -> str:
        topic = f"{self._name}-{scenario}"
        self.client.create(topic, partitions=PARTITIONS, retention_ms="-1")
        # Kafka creates behind its answer. A batch that its leader is not there for is sent again, and overtaken.
        for partition in range(PARTITIONS):
            self._beside.ends(topic, partition)
        return topic

    def _fill(
        self, topic: str, partition: int, *, start: int = 0, end: int = RECORDS, large: bool = False, **how: Any
    ) -> None:
        wanted = (contract.record(topic, partition, number, large=large) for number in range(start, end))
        sent = [Send(each.value, each.key, each.headers, each.timestamp) for each in wanted]
        self.client.produce(topic, sent, partition=partition, **how)

    def _fill_all(self, topic: str, **how: Any) -> None:
        for partition in range(PARTITIONS):
            self._fill(topic, partition, **how)

    def _check(self, topic: str, partition: int, *, start: int = 0, end: int = RECORDS, large: bool = False) -> None:
        """That the partition has exactly these records, and ends there."""
        for number, got in enumerate(
            self.client.consume(topic, end - start, partition=partition, start=start), start=start
        ):
            written = contract.record(topic, partition, number, large=large)
            what = f"record {number} of {topic}-{partition}"
            same((got.key, got.value, got.headers, got.timestamp), tuple(written), what)
            same(got.offset, number, f"the offset of {what}")
        same(self.client.ends(topic, partition)[1], end, f"the end of {topic}-{partition}")

    @contextmanager
    def _members(self) -> Iterator[Callable[..., Member]]:
        """Make members that are closed at the end, whatever happens."""
        members = []

        def make(topic: str, **configs: Any) -> Member:
            members.append(self._member(self._bootstrap, topic, topic, **configs))
            return members[-1]

        try:
            yield make
        finally:
            for member in members:
                member.close()

    @staticmethod
    def _read(members: Sequence[Member], topic: str, start: int, end: int) -> None:
        """That the members read exactly these records of every partition, in order, each of its own partitions."""
        read = poll_for(members, (end - start) * PARTITIONS)
        for member, its in read.items():
            same({each.partition for each in its}, set(member.partitions), "the partitions that a member reads")
        together = [each for its in read.values() for each in its]
        for partition in range(PARTITIONS):
            wanted = [
                Read(partition, number, contract.value(topic, partition, number) or b"") for number in range(start, end)
            ]
            got = [Read(each.partition, each.offset, each.value or b"") for each in together]
            same([each for each in got if each.partition == partition], wanted, f"{topic}-{partition}")

    @staticmethod
    def _refused(code: ErrorCode, work: Callable[[], object]) -> None:
        try:
            work()
        except Refusal as refusal:
            same(refusal.code, int(code), f"the refusal ({refusal})")
        else:
            raise AssertionError(f"it was not refused with {code.name}")

    # -- topics and records

    def topics(self) -> None:
        topic = self._create("topics")
        until(lambda: self.client.topics().get(topic) == PARTITIONS, "the new topic is listed")
        same(set(self.admin.leaders(topic)), set(ALL), "the partitions that have been described")
        same(min(self.admin.leaders(topic).values()) >= 0, True, "every partition has a leader")
        self._refused(ErrorCode.TOPIC_ALREADY_EXISTS, lambda: self._create("topics"))
        self.client.delete(topic)
        until(lambda: topic not in self.client.topics(), "the topic is gone")

    def write_and_read(self, scenario: str, *, large: bool = False, **how: Any) -> None:
        if how.get("codec", "none") not in {*self.client.codecs, "none"}:
            raise Lacks(f"{self.client.name} has no {scenario} here")
        topic = self._create(scenario)
        for partition in range(PARTITIONS):
            self._fill(topic, partition, large=large, **how)
            self._check(topic, partition, large=large)

    def acks(self) -> None:
        topic = self._create("acks")
        # Backwards: where nobody answers, the topic has to be there for sure.
        for partition, acks in reversed(tuple(enumerate(("0", "1", "all")))):
            self._fill(topic, partition, acks=acks)
            self._check(topic, partition)

    def time(self) -> None:
        topic = self._create("time")
        self._fill_all(topic)
        asked = FIRST_TIMESTAMP + HALF * STEP_MS
        for partition in range(PARTITIONS):
            find = partial(self.client.offset_for_time, topic, partition=partition)
            same(find(asked), HALF, "the offset of a record's own time")
            same(find(asked + 1), HALF + 1, "the offset of a time between two records")
            same(find(FIRST_TIMESTAMP + RECORDS * STEP_MS), None, "the offset of a time past the end")
            self._check(topic, partition, start=HALF)

    # -- groups

    def group(self) -> None:
        topic = self._create("group")
        self._fill_all(topic, end=HALF)
        with self._members() as join:
            first = join(topic)
            self._read([first], topic, 0, HALF)
            first.commit()
            first.close()
            self._fill_all(topic, start=HALF)
            self._read([join(topic)], topic, HALF, RECORDS)

    def rebalance(self, scenario: str, **configs: Any) -> None:
        topic = self._create(scenario)
        with self._members() as join:
            first = join(topic, **configs)
            poll_until([first], lambda: first.partitions == ALL, "the first has all")
            pair = [first, join(topic, **configs)]
            poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
            self._fill_all(topic, end=HALF)
            self._read(pair, topic, 0, HALF)
            for member in pair:
                member.commit()
            first.close()
            (last,) = pair[1:]
            early = poll_until([last], lambda: last.partitions == ALL, "the other has all")
            same(early[last], [], "what is read again")
            self._fill_all(topic, start=HALF)
            self._read([last], topic, HALF, RECORDS)

    def cooperative(self) -> None:
        strategy = COOPERATIVE.get(self.client.name)
        if strategy is None:
            raise Lacks(f"{self.client.name} has no cooperative assignor")
        topic = self._create("cooperative")
        configs = {"partition_assignment_strategy": strategy}
        with self._members() as join:
            first = join(topic, **configs)
            poll_until([first], lambda: first.partitions == ALL, "the first has all")
            pair = [first, join(topic, **configs)]
            poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
            same(first.revoked, [pair[1].partitions], "what the first had to give up")
            self._fill_all(topic)
            self._read(pair, topic, 0, RECORDS)

    def static(self) -> None:
        topic = self._create("static")
        with self._members() as join:
            pair = [join(topic, group_instance_id=instance) for instance in "ab"]
            poll_until(pair, lambda: shared(pair, PARTITIONS), "two share")
            first, second = pair
            before, revoked = (first.partitions, second.partitions), list(first.revoked)
            second.close()
            again = join(topic, group_instance_id="b")
            poll_until([first, again], lambda: bool(again.partitions), "it is back")
            same((first.partitions, again.partitions), before, "the partitions of both")
            same(first.revoked, revoked, "what the other had to give up")
            self._fill_all(topic)
            self._read([first, again], topic, 0, RECORDS)

    def new_groups(self) -> None:
        if self.client.name != "confluent-kafka":
            raise Lacks(f"{self.client.name} has no groups of the new protocol")
        self.rebalance("new-groups", group_protocol="consumer")
        listed = f"{self._name}-new-groups" in new_groups(self._bootstrap)
        same(listed, True, "it is listed as a group of the new protocol")

    def share_groups(self) -> str:
        if self.client.name != "confluent-kafka":
            raise Lacks(f"{self.client.name} has no share groups")
        topic = self._create("share-groups")
        begin_at_earliest(self._bootstrap, group=topic)
        self._fill_all(topic, end=HALF)
        settle(self._bootstrap, topic, 0, HALF, workers=2)
        self._fill_all(topic, start=HALF)
        settle(self._bootstrap, topic, HALF, RECORDS, workers=1)
        return "not renewed: confluent-kafka has no renew"

    def groups(self) -> str:
        topic = self._create("groups")
        with self._members() as join:
            member = join(topic)
            poll_until([member], lambda: member.partitions == ALL, "it has all")
            same(topic in self.admin.groups(), True, "the group is listed")
            described = self.admin.describe_group(topic)
            same(described, ("Stable", (ALL,)), "the group with its member")
            try:
                self._refused(ErrorCode.NON_EMPTY_GROUP, lambda: self.admin.delete_group(topic))
            except Lacks as lacks:
                return f"not deleted: {lacks}"
            self._fill_all(topic)
            self._read([member], topic, 0, RECORDS)
            member.commit()
        same(self.admin.describe_group(topic), ("Empty", ()), "the group without its member")
        self.admin.delete_group(topic)
        same(topic in self.admin.groups(), False, "the group is listed")
        return ""

    def offsets(self) -> str:
        topic = self._create("offsets")
        self._fill_all(topic)
        to = {0: 10, 1: 20, 2: 30}
        self.admin.set_offsets(topic, topic, to)
        same(dict(self.admin.offsets(topic, topic)), to, "the offsets of the group")
        lacking = ""
        try:
            self.admin.delete_offset(topic, topic, 2)
        except Lacks as lacks:
            lacking = f"not deleted: {lacks}"
        else:
            del to[2]
            same(dict(self.admin.offsets(topic, topic)), to, "the offsets after one was deleted")
        with self._members() as join:
            member = join(topic)
            starts = [to.get(partition, 0) for partition in range(PARTITIONS)]
            read = poll_for([member], sum(RECORDS - start for start in starts))[member]
            for partition, start in enumerate(starts):
                its = [each.offset for each in read if each.partition == partition]
                same(its, list(range(start, RECORDS)), f"what a member reads of {topic}-{partition}")
        return lacking

    # -- administration

    def partitions(self) -> None:
        topic = self._create("partitions")
        self.admin.grow(topic, PARTITIONS + 2)
        until(lambda: len(self.admin.leaders(topic)) == PARTITIONS + 2, "the topic has grown")
        self._refused(ErrorCode.INVALID_PARTITIONS, lambda: self.admin.grow(topic, PARTITIONS))
        for partition in range(PARTITIONS + 2):
            self._fill(topic, partition)
            self._check(topic, partition)

    def configs(self) -> None:
        topic = self._create("configs")
        described = self.admin.configs(topic)
        same(described["retention.ms"], "-1", "retention.ms as the topic was created")
        same(described["max.message.bytes"], "1048588", "the default of max.message.bytes")
        self.admin.set_config(topic, "retention.ms", "7200000")
        until(lambda: self.admin.configs(topic)["retention.ms"] == "7200000", "retention.ms is changed")
        self._refused(ErrorCode.INVALID_CONFIG, lambda: self.admin.set_config(topic, "retention.ms", "soon"))
        same(self.admin.configs(topic)["retention.ms"], "7200000", "retention.ms after a refusal")
        self.admin.reset_config(topic, "retention.ms")
        until(lambda: self.admin.configs(topic)["retention.ms"] == "604800000", "retention.ms is the default")

    def delete_records(self) -> None:
        topic = self._create("delete-records")
        self._fill_all(topic)
        self.admin.delete_before(topic, dict.fromkeys(ALL, CUT))
        for partition in range(PARTITIONS):
            same(self.client.ends(topic, partition), (CUT, RECORDS), f"the ends of {topic}-{partition}")
            self._check(topic, partition, start=CUT)

    def log_dirs(self) -> None:
        topic = self._create("log-dirs")
        for partition in range(PARTITIONS):
            self._fill(topic, partition)
        sizes = self.admin.log_sizes(topic)
        same(set(sizes), set(ALL), "the partitions that have a size")
        for partition, size in sizes.items():
            values = (contract.value(topic, partition, number) or b"" for number in range(RECORDS))
            same(size > sum(map(len, values)), True, f"{topic}-{partition} has more bytes than its values ({size})")
