"""Laws about a partition's watermarks, as all clients together see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from simulation.clients.reading import EARLIEST, LATEST
from simulation.history import Moment, Partition, SentRecord
from simulation.laws.facts import Facts
from simulation.laws.law import law


class Level(NamedTuple):
    """What somebody was told of a watermark; or what it was at least, by what was told of something else."""

    at: int
    asked: Moment
    told: Moment
    who: str


Levels = dict[Partition, list[Level]]


def _falls(what: str, levels: Levels, floors: Levels) -> Iterator[str]:
    """Where a level is below one that was told before it was asked for."""
    for place, found in levels.items():
        floor = sorted([*found, *floors.get(place, ())], key=lambda each: each.told)
        passed, highest = 0, None
        for level in sorted(found, key=lambda each: each.asked):
            while passed < len(floor) and floor[passed].told < level.asked:
                if highest is None or floor[passed].at > highest.at:
                    highest = floor[passed]
                passed += 1
            if highest is not None and level.at < highest.at:
                yield f"{what} of {place} is {level.at} to {level.who}, after it was {highest.at} to {highest.who}"


def _looked_up(facts: Facts, timestamp_ms: int, *, committed_only: bool) -> Levels:
    found: Levels = defaultdict(list)
    for each in facts.history.lookups:
        if facts.is_fleeting(each.partition.topic):
            continue  # they are asked for by name
        if facts.delay_ms(each.partition.topic) and timestamp_ms == LATEST:
            continue  # a clock that is set back at a restart takes back what was due
        if each.timestamp_ms == timestamp_ms and each.committed_only == committed_only:
            found[each.partition].append(Level(each.offset, each.asked, each.told, each.by))
    return found


@law
def high_watermark_stays(facts: Facts) -> Iterator[str]:
    """The high watermark never falls, and what was acknowledged is below it."""
    levels = _looked_up(facts, LATEST, committed_only=False)
    for read in facts.history.reads:
        if facts.delay_ms(read.partition.topic):
            continue
        levels[read.partition].append(Level(read.high_watermark, read.asked, read.told, f"{read}"))
    floors: Levels = defaultdict(list)
    for sent in facts.history.records.values():
        if sent.is_done and sent.offset >= 0 and (sent.by_id or not facts.is_fleeting(sent.partition.topic)):
            floors[sent.partition].append(Level(sent.offset + 1, sent.asked, sent.told, f"{sent}"))
    yield from _falls("the high watermark", levels, floors)


@law
def last_stable_offset_stays(facts: Facts) -> Iterator[str]:
    """The last stable offset never falls."""
    levels = _looked_up(facts, LATEST, committed_only=True)
    for read in facts.history.reads:
        if read.last_stable_offset >= 0 and not facts.delay_ms(read.partition.topic):
            levels[read.partition].append(Level(read.last_stable_offset, read.asked, read.told, f"{read}"))
    yield from _falls("the last stable offset", levels, {})


@law
def log_start_stays(facts: Facts) -> Iterator[str]:
    """The log's start never falls, and is where a DeleteRecords was told that it is."""
    levels = _looked_up(facts, EARLIEST, committed_only=False)
    for read in facts.history.reads:
        if read.log_start >= 0:
            levels[read.partition].append(Level(read.log_start, read.asked, read.told, f"{read}"))
    floors: Levels = defaultdict(list)
    for trim in facts.history.trims:
        if trim.is_done:
            floors[trim.partition].append(Level(trim.low_watermark, trim.asked, trim.told, f"{trim}"))
    yield from _falls("the log start", levels, floors)


@law
def log_start_moves_only_when_told(facts: Facts) -> Iterator[str]:
    """The log's start is no higher than somebody asked for, unless the topic forgets by itself."""
    for read in facts.history.reads:
        limit = facts.trim_limit(read.partition)
        if read.log_start > limit:
            yield f"nobody asked for more than {limit} to be deleted: {read}"


@law
def watermarks_are_in_order(facts: Facts) -> Iterator[str]:
    """The log's start is not above the last stable offset, nor that above the high watermark, and these bound reads."""
    for read in facts.history.reads:
        stable = read.last_stable_offset if read.last_stable_offset >= 0 else read.high_watermark
        if not read.log_start <= stable <= read.high_watermark:
            yield f"out of order: {read}"
        end = stable if read.committed_only else read.high_watermark
        for batch in read.batches:
            if batch.last_offset >= end:
                yield f"the batch {batch.base_offset}..{batch.last_offset} lies past {end} in {read}"


@law
def what_is_there_is_given(facts: Facts) -> Iterator[str]:
    """A Fetch does not come back with nothing when it asks for what was acknowledged before."""
    placed: dict[Partition, list[SentRecord]] = defaultdict(list)
    for sent in facts.history.records.values():
        if sent.is_done and sent.offset >= 0 and (sent.by_id or not facts.is_fleeting(sent.partition.topic)):
            placed[sent.partition].append(sent)
    for fetch in facts.history.empty_fetches:
        if fetch.committed_only:
            continue  # a transaction may be open
        for place, position in fetch.positions.items():
            if facts.is_compacted(place.topic) or facts.is_deleted(place.topic, place.topic_id):
                continue
            if facts.delay_ms(place.topic):
                continue
            for sent in placed[place]:
                if sent.offset >= position and sent.told < fetch.asked:
                    yield f"{fetch} brought nothing of {place} from {position} on, though there is {sent}"
                    break


@law
def times_are_found(facts: Facts) -> Iterator[str]:
    """The first record that is not older than a time is found by it."""
    for each in facts.history.lookups:
        found = facts.ending.partitions.get(each.partition)
        if each.timestamp_ms < 0 or found is None or each.asked < facts.ending.since:
            continue
        records = [record for batch in found.batches for record in batch.records]
        later = [record for record in records if record.timestamp_ms >= each.timestamp_ms]
        expected = (later[0].offset, later[0].timestamp_ms) if later else (-1, -1)
        if (each.offset, each.found_timestamp_ms) != expected:
            yield (
                f"{each.timestamp_ms} is found at {each.offset} ({each.found_timestamp_ms}) of {each.partition}, and "
                f"should be at {expected[0]} ({expected[1]})"
            )
