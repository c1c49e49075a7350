"""Laws about share groups: each record is somebody's, one at a time, until it comes to an end (KIP-932)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from simulation.history import NEVER, Judged, Moment, Partition, Said, Taken
from simulation.laws.facts import Facts
from simulation.laws.law import law

_ENDS: Final = (Said.ACCEPT, Said.REJECT)
Place = tuple[str, Partition, int]


@law
def held_by_one(facts: Facts) -> Iterator[str]:
    """While a member holds a record, nobody else is given it; unless the broker could not write down what became of
    others, and so has begun anew in the partition with what it had written before, as in Kafka."""
    if facts.history.disk_refuses:
        return
    words = words_of(facts)
    for place, takes in takes_of(facts).items():
        for taken in takes:
            until, deadline_ms = _held(facts, taken, words.get(place, []))
            for other in takes:
                if (
                    other.session != taken.session
                    and taken.told < other.asked
                    and other.told < until
                    and other.told.ms < deadline_ms
                ):
                    yield f"{taken} was held until {until}, and given away as {other}"


def _held(facts: Facts, taken: Taken, words: list[Judged]) -> tuple[Moment, int]:
    """Up to which moment it is sure that a record was held: to the member's first word about it, but no longer than
    its session is known to have been there; and the time at which its lock may have ended."""
    own = [word for word in words if word.session == taken.session and word.asked > taken.told]
    until = facts.history.share_sessions.get(taken.session, taken.told)
    until = min([until, *(word.asked for word in own if word.said is not Said.RENEW)])
    deadline_ms = taken.asked.ms + facts.history.share_lock_ms
    for word in own:
        if word.said is Said.RENEW and word.is_done and word.told.ms < deadline_ms:  # a late one is for nothing
            deadline_ms = word.asked.ms + facts.history.share_lock_ms
    return until, deadline_ms


@law
def what_is_over_stays_over(facts: Facts) -> Iterator[str]:
    """A record that was accepted or rejected is not delivered again."""
    words = words_of(facts)
    for place, takes in takes_of(facts).items():
        ends = [word for word in words.get(place, []) if word.said in _ENDS and word.is_done]
        for taken in takes:
            for word in ends:
                if word.told < taken.asked:
                    yield f"{taken} after {word}"


@law
def deliveries_are_counted(facts: Facts) -> Iterator[str]:
    """Each delivery of a record has a higher count than those before it; what was not said to have ended may be
    forgotten by a crash, as in Kafka."""
    words = words_of(facts)
    for place, takes in takes_of(facts).items():
        for taken in takes:
            certain = taken.told
            if facts.history.crashes:
                releases = [
                    word.told
                    for word in words.get(place, [])
                    if word.said is Said.RELEASE
                    and word.is_done
                    and word.session == taken.session
                    and word.asked > taken.told
                ]
                certain = min(releases, default=NEVER)
            for other in takes:
                if certain < other.asked and other.count <= taken.count:
                    yield f"{other} after {taken}"


@law
def no_record_is_delivered_too_often(facts: Facts) -> Iterator[str]:
    """None is delivered more often than the group's limit."""
    for taken in facts.history.taken:
        if not 1 <= taken.count <= facts.history.share_deliveries_max:
            yield f"{taken}, of at most {facts.history.share_deliveries_max}"


@law
def what_is_released_is_kept_back(facts: Facts) -> Iterator[str]:
    """A record that was released does not come again before its delay is over; a restart ends the wait."""
    delay_ms = facts.history.redelivery_ms
    if facts.history.crashes or not delay_ms:
        return
    takes = takes_of(facts)
    for place, words in words_of(facts).items():
        for word in words:
            if word.said is Said.RELEASE and word.is_done:
                for taken in takes.get(place, []):
                    if word.asked < taken.asked and taken.told.ms < word.asked.ms + delay_ms:
                        yield f"{taken} less than {delay_ms} ms after {word}"


@law
def queues_are_read_to_their_end(facts: Facts) -> Iterator[str]:
    """When all others have gone, one member comes to an end of what there is."""
    for group, is_done in facts.history.drained.items():
        if not is_done:
            yield f"{group} still has records to give, or will not give them"


@law
def no_record_is_left_out(facts: Facts) -> Iterator[str]:
    """Each record was accepted or rejected, or delivered as often as it may be."""
    words, takes = words_of(facts), takes_of(facts)
    history = facts.history
    for group, is_done in history.drained.items():
        if not is_done:
            continue
        unknown = history.lost_share_fetches[group]
        for partition, records in facts.there.items():
            if partition.topic not in history.share_topics:
                continue
            for offset in records:
                place = group, partition, offset
                ends = (word for word in words.get(place, []) if word.said in _ENDS and word.may_have_happened)
                most = max((taken.count for taken in takes.get(place, [])), default=0)
                if next(ends, None) is None and most + unknown < history.share_deliveries_max:
                    yield f"{offset} of {partition} was never ended by {group}, after {most} deliveries"


def takes_of(facts: Facts) -> dict[Place, list[Taken]]:
    """What members were given, by group, partition and offset."""
    found: dict[Place, list[Taken]] = defaultdict(list)
    for taken in facts.history.taken:
        found[taken.group, taken.partition, taken.offset].append(taken)
    return found


def words_of(facts: Facts) -> dict[Place, list[Judged]]:
    """What they said of it."""
    found: dict[Place, list[Judged]] = defaultdict(list)
    for word in facts.history.judged:
        for offset in range(word.first, word.last + 1):
            found[word.group, word.partition, offset].append(word)
    return found
