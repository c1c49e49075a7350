"""Laws about records: none is lost, none is there twice, and none changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulation.history import Mark, Outcome, Partition, SeenRecord, SentRecord
from simulation.laws.facts import Facts
from simulation.laws.law import law


def _acknowledged(facts: Facts) -> Iterator[SentRecord]:
    """Those whose place is known for sure: a topic that is made anew under its name may have taken the others."""
    for sent in facts.history.records.values():
        if sent.is_done and sent.offset >= 0 and (sent.by_id or not facts.is_fleeting(sent.partition.topic)):
            yield sent


@law
def kept(facts: Facts) -> Iterator[str]:
    """What was acknowledged is in the log at the offset that was told, unless somebody had it deleted."""
    for sent in _acknowledged(facts):
        found = facts.there.get(sent.partition, {}).get(sent.offset)
        if found is None:
            if not facts.may_be_gone(sent, sent.offset):
                yield f"{sent} is gone"
        elif found.mark != sent.mark:
            yield f"{sent} is not there, but {found.mark} is"


@law
def sent(facts: Facts) -> Iterator[str]:
    """What is read was sent, to this partition, with this key, value and timestamp."""
    seen: set[tuple[Partition, int, Mark | None]] = set()
    for place, record in _seen(facts):
        if (place, record.offset, record.mark) in seen or record.letter is not None:
            continue  # of dead letters there are laws of their own
        seen.add((place, record.offset, record.mark))
        known = facts.sent(record)
        where = f"offset {record.offset} of {place}"
        if known is None:
            yield f"{where} holds {record.mark or 'a record without a mark'}, which nobody sent"
        elif (known.key, known.value, known.timestamp_ms) != (record.key, record.value, record.timestamp_ms):
            yield f"{where} holds {record}, which was sent as {known}"
        elif (known.partition.topic, known.partition.index) != (place.topic, place.index) or (
            known.by_id and known.partition != place
        ):
            yield f"{where} holds {known}, which was sent to another partition"


@law
def not_before_its_time(facts: Facts) -> Iterator[str]:
    """A record of a topic with a delay is seen by nobody before it is as old as that."""
    for read in facts.history.reads:
        delay_ms = facts.delay_ms(read.partition.topic)
        for batch in read.batches if delay_ms else ():
            for record in batch.records:
                known = facts.sent(record)
                if known is not None and read.told.ms - known.asked.ms < delay_ms - facts.history.clock_slack_ms:
                    yield f"{known} was seen after {read.told.ms - known.asked.ms} ms, by {read}"


@law
def once(facts: Facts) -> Iterator[str]:
    """An idempotent producer's record is in the log once, another one not more often than it was sent."""
    offsets: dict[Mark | None, list[tuple[Partition, int]]] = defaultdict(list)
    for place, found in facts.there.items():
        for record in found.values():
            offsets[record.mark].append((place, record.offset))
    for mark, places in offsets.items():
        known = facts.history.records.get(mark) if mark else None
        if known is not None and len(places) > (1 if known.idempotent else known.tries):
            where = ", ".join(f"{offset} of {place}" for place, offset in places)
            yield f"{known}, sent {known.tries} times, lies at {where}"


@law
def in_order(facts: Facts) -> Iterator[str]:
    """An idempotent producer's records lie in a partition in the order in which they were sent."""
    for place, found in facts.there.items():
        last: dict[str, SentRecord] = {}
        for record in found.values():
            known = facts.sent(record)
            if known is None or not known.idempotent:
                continue
            before = last.get(known.mark.writer)
            if before is not None and before.mark.number > known.mark.number:
                yield f"{known} lies at {record.offset} of {place}, behind {before}"
            last[known.mark.writer] = known


@law
def acknowledged_in_order(facts: Facts) -> Iterator[str]:
    """What was acknowledged before something else was sent lies before it."""
    places: dict[Partition, list[SentRecord]] = defaultdict(list)
    for each in _acknowledged(facts):
        places[each.partition].append(each)
    for known in places.values():
        earliest: SentRecord | None = None
        for each in sorted(known, key=lambda each: each.offset, reverse=True):
            if earliest is not None and earliest.told < each.asked:
                yield f"{each} lies before {earliest}"
            if earliest is None or each.told < earliest.told:
                earliest = each


@law
def the_same_for_ever(facts: Facts) -> Iterator[str]:
    """An offset holds the same record for everybody, at all times."""
    known: dict[tuple[Partition, int], tuple[Mark | None, str]] = {}
    for each in _acknowledged(facts):
        _, other = known.setdefault((each.partition, each.offset), (each.mark, f"{each}"))
        if other != f"{each}":
            yield f"{each} was told the offset of {other}"
    for read in facts.history.reads:
        for batch in read.batches:
            for record in () if batch.control else batch.records:
                mark, other = known.setdefault((read.partition, record.offset), (record.mark, f"{read}"))
                if mark != record.mark:
                    yield f"offset {record.offset} holds {record.mark} in {read}, and {mark} in {other}"


@law
def without_gaps(facts: Facts) -> Iterator[str]:
    """Offsets follow one another, unless compaction took some."""
    for read in facts.history.reads:
        if facts.is_compacted(read.partition.topic):
            continue
        position = read.position
        for batch in read.batches:
            if batch.base_offset > position:
                yield f"nothing from {position} to {batch.base_offset} in {read}"
            if [each.offset for each in batch.records] != list(range(position, batch.last_offset + 1)):
                yield f"the batch {batch.base_offset}..{batch.last_offset} is not whole in {read}"
            position = batch.last_offset + 1


@law
def rising(facts: Facts) -> Iterator[str]:
    """A reader is given offsets that rise, from its position on."""
    for read in facts.history.reads:
        position = read.position
        for batch in read.batches:
            for record in batch.records:
                if record.offset < position:
                    yield f"offset {record.offset} follows {position - 1} in {read}"
                position = record.offset + 1
            position = max(position, batch.last_offset + 1)


@law
def refused_for_good(facts: Facts) -> Iterator[str]:
    """What was refused is nowhere."""
    told: set[Mark | None] = set()
    for place, record in _seen(facts):
        known = facts.sent(record)
        if known is not None and known.outcome is Outcome.REFUSED and known.mark not in told:
            told.add(known.mark)
            yield f"offset {record.offset} of {place} holds {known}"


@law
def no_reason_to_complain(facts: Facts) -> Iterator[str]:
    """Who does what is right is never told that it is wrong."""
    for complaint in facts.history.complaints:
        yield f"{complaint}"


@law
def tombstones_stay(facts: Facts) -> Iterator[str]:
    """Who has read a value, and goes on to the end in less than delete.retention.ms, has read that it was deleted."""
    passes: dict[tuple[str, Partition], tuple[int, dict[bytes | None, tuple[SeenRecord, int]]]] = {}
    for read in facts.history.reads:
        place = read.partition
        retention_ms = facts.config(place.topic, "delete.retention.ms")
        if not facts.is_compacted(place.topic) or not retention_ms:
            continue
        position, latest = passes.get((read.by, place), (-1, {}))
        if position != read.position:
            latest = {}
        for batch in read.batches:
            for record in () if batch.control else batch.records:
                known = facts.sent(record)
                if known is not None and (known.transaction is None or known.transaction.is_committed):
                    latest[record.key] = record, read.told.ms
        passes[read.by, place] = read.next_position, latest
        if read.next_position < read.high_watermark:
            continue
        for key, (record, at_ms) in latest.items():
            if record.value is None or read.told.ms >= at_ms + int(retention_ms) - facts.history.clock_slack_ms:
                continue
            for grave in facts.tombstones.get((place, key), ()):
                if (
                    grave.is_done
                    and record.offset < grave.offset < read.next_position
                    and (grave.transaction is None or grave.transaction.is_committed)
                ):
                    yield f"{read.by} read {record.mark} at {record.offset}, and by {read} never {grave}"


@law
def the_dead_stay_dead(facts: Facts) -> Iterator[str]:
    """While a value is there, so is the tombstone that follows it."""
    for (place, key), graves in facts.tombstones.items():
        found = facts.committed.get(place)
        if found is None:
            continue
        offsets = [offset for offset, record in found.items() if record.key == key]
        for grave in graves:
            certain = grave.is_done and (grave.transaction is None or grave.transaction.is_committed)
            if certain and offsets and max(offsets) < grave.offset:
                yield f"{found[max(offsets)]} of {place} is there, and {grave} is not"


def _seen(facts: Facts) -> Iterator[tuple[Partition, SeenRecord]]:
    """Every record that anybody ever read, also in the end."""
    for read in facts.history.reads:
        for batch in read.batches:
            if not batch.control:
                for record in batch.records:
                    yield read.partition, record
