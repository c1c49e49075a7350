"""What clients were told while the broker kept dying, and whether what is there now agrees with it.

The laws:

    kept        a record that was acknowledged is there, at the offset that was acknowledged
    once        an idempotent producer's record is there once, however often it had to be sent
    in order    one producer's records in one partition have the order of sending
    sent        what is there was sent by somebody, and offsets have no gaps
    onward      a group that resumes does so at or after the last offset whose commit was acknowledged
    complete    each group has seen every record
    named       a topic whose creation was acknowledged exists
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Mark(NamedTuple):
    """One record's name: who sent it, and which of theirs it is."""

    producer: int
    number: int


class Place(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


class Stand(NamedTuple):
    """Where a group may stand: one partition of its topic."""

    group: str
    partition: int


@dataclass
class History:
    """Everything that happened, as the clients saw it; filled by their threads."""

    sent: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Producer → how many records it has sent: 0 up to this."""
    acknowledged: dict[Mark, Place] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    committed: dict[Stand, int] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seen: dict[str, set[Place]] = field(default_factory=lambda: defaultdict(set))
    went_back: list[str] = field(default_factory=list)
    created: set[str] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    # -- told by producers

    def send(self, producer: int) -> Mark:
        """The next record of a producer."""
        with self.changed:
            number = self.sent[producer]
            self.sent[producer] = number + 1
        return Mark(producer, number)

    def acknowledge(self, mark: Mark, place: Place) -> None:
        with self.changed:
            if mark in self.acknowledged:
                self.refused.append(f"{mark} was acknowledged twice, at {self.acknowledged[mark]} and {place}")
            self.acknowledged[mark] = place
            self.changed.notify_all()

    def refuse(self, mark: Mark, why: str) -> None:
        """A delivery that failed for good; with idempotence and retries none may."""
        with self.changed:
            self.refused.append(f"{mark} was refused: {why}")
            self.changed.notify_all()

    # -- told by members of groups

    def standing(self, stand: Stand) -> int:
        """The last offset whose commit was acknowledged. To be asked before the broker is."""
        with self.changed:
            return self.committed.get(stand, 0)

    def resume(self, stand: Stand, offset: int, expected: int) -> None:
        """A member was given a partition and found this offset; `expected` is what `standing` said before it asked."""
        with self.changed:
            if offset < expected:
                self.went_back.append(f"{stand} resumed at {offset}, though the commit of {expected} was acknowledged")

    def commit(self, stand: Stand, offset: int) -> None:
        """A commit was acknowledged."""
        with self.changed:
            self.committed[stand] = max(offset, self.committed.get(stand, 0))
            self.commits[stand.group] += 1
            self.changed.notify_all()

    def see(self, group: str, place: Place) -> None:
        with self.changed:
            self.seen[group].add(place)

    def create(self, topic: str) -> None:
        with self.changed:
            self.created.add(topic)

    # -- judged at the end

    def violations(
        self,
        partitions: Mapping[int, Iterable[tuple[int, Mark]]],
        *,
        ends: Mapping[Stand, int],
        topics: Iterable[str],
    ) -> list[str]:
        """Every law that was broken, given all records (offset and name) of each partition, each group's committed
        offsets, and the topics there are."""
        places: dict[Mark, Place] = {}
        found = self.refused + self.went_back
        for partition, records in partitions.items():
            found += self._read_partition(partition, records, places)
        found += self._check_producers(places)
        found += self._check_groups(places, ends)
        found += [f"topic {topic} was created and is gone" for topic in sorted(self.created - set(topics))]
        return found

    def _read_partition(
        self, partition: int, records: Iterable[tuple[int, Mark]], places: dict[Mark, Place]
    ) -> Iterable[str]:
        last: dict[int, int] = {}
        for expected, (offset, mark) in enumerate(records):
            place = Place(partition, offset)
            if offset != expected:
                yield f"partition {partition}: offset {offset} follows {expected - 1}"
                return
            if not 0 <= mark.number < self.sent.get(mark.producer, 0):
                yield f"{place} holds {mark}, which nobody sent"
            if mark in places:
                yield f"{mark} is there twice, at {places[mark]} and {place}"
            elif mark.number <= last.get(mark.producer, -1):
                yield f"{place}: {mark} stands after number {last[mark.producer]} of the same producer"
            places[mark] = place
            last[mark.producer] = max(mark.number, last.get(mark.producer, -1))

    def _check_producers(self, places: Mapping[Mark, Place]) -> Iterable[str]:
        for mark, place in self.acknowledged.items():
            if mark not in places:
                yield f"{mark} was acknowledged at {place} and is gone"
            elif places[mark] != place:
                yield f"{mark} was acknowledged at {place} and lies at {places[mark]}"

    def _check_groups(self, places: Mapping[Mark, Place], ends: Mapping[Stand, int]) -> Iterable[str]:
        everything = set(places.values())
        for group, seen in self.seen.items():
            if missing := everything - seen:
                yield f"group {group} never saw {len(missing)} records, such as {min(missing)}"
            if strange := seen - everything:
                yield f"group {group} saw {len(strange)} records that are not there, such as {min(strange)}"
        for stand, offset in self.committed.items():
            if ends.get(stand, 0) < offset:
                yield f"{stand} stands at {ends.get(stand, 0)}, though the commit of {offset} was acknowledged"
