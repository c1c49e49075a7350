"""Whether what came out is what went in: the laws of each program, as functions of what was read.

    counted    each key's counts are 1, 2, 3, … up to its number: none wrong, left out or repeated
    copied     what went into a partition came out, each once, and in its order
    carried    the same where what takes part in no transaction may be written again
    unchanged  what a reader was shown while everything died around it is what is there at the end

Each returns the violations, in words; an empty list is what one wants.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple


class Place(NamedTuple):
    """Where a record lies."""

    partition: int
    offset: int


class Record(NamedTuple):
    """One record as a reader of committed records is shown it."""

    place: Place
    key: bytes
    value: bytes


def counted(
    what: str, expected: Mapping[str, int], shown: Iterable[tuple[str, int]], *, compacted: bool = False
) -> list[str]:
    """Of every key its counts, in the order in which they were written. Compaction may have taken any but the last."""
    found: list[str] = []
    last: dict[str, int] = defaultdict(int)
    for key, count in shown:
        if count <= last[key] if compacted else count != last[key] + 1:
            found.append(f"{what}: {key!r} is counted {count} after {last[key]}")
        last[key] = count
    ends = ((key, last.get(key, 0), expected.get(key, 0)) for key in sorted(expected.keys() | last.keys()))
    return found + [f"{what}: {key!r} ends at {end} instead of {right}" for key, end, right in ends if end != right]


def copied(what: str, went_in: Mapping[int, Sequence[bytes]], came_out: Iterable[Record]) -> list[str]:
    """Of each partition the values that went in, and all that came out of the topic they were copied to. Values are
    not repeated in a partition, and a copy has the partition of its original."""
    out: dict[int, list[bytes]] = defaultdict(list)
    for record in came_out:
        out[record.place.partition].append(record.value)
    found: list[str] = []
    for partition in sorted(went_in.keys() | out.keys()):
        wanted, came = went_in.get(partition, ()), out[partition]
        where = f"{what}, partition {partition}"
        rank = {value: number for number, value in enumerate(wanted)}
        found += [f"{where}: {value!r} came out {times} times" for value, times in Counter(came).items() if times > 1]
        if strange := [value for value in came if value not in rank]:
            found.append(f"{where}: {len(strange)} came out that never went in, such as {strange[0]!r}")
        if missing := sorted(rank.keys() - set(came)):
            found.append(f"{where}: {len(missing)} did not come out, such as {missing[0]!r}")
        for before, after in pairwise(value for value in came if value in rank):
            if rank[after] < rank[before]:
                found.append(f"{where}: {after!r} came out after {before!r}")
    return found


def carried(what: str, went_in: Sequence[bytes], came_out: Iterable[bytes]) -> list[str]:
    """Each line came out at least once, and no line was first seen before one that went in earlier."""
    first = list(dict.fromkeys(came_out))
    found: list[str] = []
    if strange := set(first) - set(went_in):
        found.append(f"{what}: {len(strange)} lines came out that never went in, such as {min(strange)!r}")
    if missing := set(went_in) - set(first):
        found.append(f"{what}: {len(missing)} lines did not come out, such as {min(missing)!r}")
    rank = {line: number for number, line in enumerate(went_in)}
    for before, after in pairwise(line for line in first if line in rank):
        if rank[after] < rank[before]:
            found.append(f"{what}: {after!r} was first seen after {before!r}")
    return found


def unchanged(what: str, shown: Sequence[Record], there: Sequence[Record]) -> list[str]:
    """What a reader was shown as it came is there at the end, in its place, and nothing lies between."""
    end = {record.place: record for record in there}
    seen: dict[Place, Record] = {}
    found: list[str] = []
    for record in shown:
        if record.place in seen:
            found.append(f"{what}: {record.place} was shown twice")
        seen[record.place] = record
        if end.get(record.place) != record:
            found.append(f"{what}: {record} was shown, and {end.get(record.place)} is there")
    if missing := sorted(end.keys() - seen.keys()):
        found.append(f"{what}: {len(missing)} records are there and were never shown, such as {missing[0]}")
    return found
