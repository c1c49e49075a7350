"""Laws about dead letters: what a share group gives up is kept, and nothing else is (KIP-1191)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from simulation.history import Judged, Letter, Partition, Said, SeenRecord, Taken
from simulation.laws.facts import Facts
from simulation.laws.law import law
from simulation.laws.shares import Place, takes_of, words_of


@law
def what_is_given_up_is_a_dead_letter(facts: Facts) -> Iterator[str]:
    """Who was told that a record is rejected finds it among the dead letters; and when a queue has been read to its
    end, each record was accepted, or is there."""
    history = facts.history
    if history.letters is None:
        return
    letters, words, takes = _letters(facts), words_of(facts), takes_of(facts)
    for place, said in words.items():
        for word in said:
            if place not in letters and word.said is Said.REJECT and _is_heeded(facts, word, takes.get(place, ())):
                yield f"{place[2]} of {place[1]} has no dead letter after {word}"
    for group in [group for group, is_done in history.drained.items() if is_done]:
        for partition in _read_by_groups(facts):
            for offset in facts.there[partition]:
                place = group, partition, offset
                is_accepted = any(word.said is Said.ACCEPT and word.may_have_happened for word in words.get(place, ()))
                if not is_accepted and place not in letters:
                    yield f"{offset} of {partition} was never accepted by {group}, and has no dead letter"


@law
def dead_letters_are_of_what_was_given_up(facts: Facts) -> Iterator[str]:
    """A dead letter says which record a group has given up, after how many deliveries and why: because it was rejected
    then, or delivered as often as it may be."""
    takes, words = takes_of(facts), words_of(facts)
    most = facts.history.share_deliveries_max
    for place, found in _letters(facts).items():
        rejected = {
            taken.count
            for taken in takes.get(place, ())
            for word in words.get(place, ())
            if word.said is Said.REJECT and word.may_have_happened and word.session == taken.session
        }
        for record, letter in found:
            is_rejected = letter.message == "A consumer rejected it."
            is_over = letter.count == most and letter.message.startswith(f"It was delivered {most} times,")
            if not (letter.count in rejected if is_rejected else is_over):
                yield f"{letter} at {record.offset}, of at most {most} deliveries, rejected at {sorted(rejected)}"


@law
def dead_letters_hold_what_is_wanted(facts: Facts) -> Iterator[str]:
    """A dead letter lies where it is wanted, names a record that is there, and holds it, too, where that is wanted."""
    wanted = facts.history.letters
    places = {(place.topic, place.index): place for place in _read_by_groups(facts)}
    for where, record, letter in _all_letters(facts):
        source = facts.there.get(places.get((letter.topic, letter.partition)), {}).get(letter.offset)
        if wanted is None or where.topic != wanted.topic:
            yield f"{letter} lies at {record.offset} of {where}"
        elif source is None or letter.group not in facts.history.drained:
            yield f"{letter} is of no record"
        elif not wanted.copies and (letter.mark, record.key, record.value) != (None, None, None):
            yield f"{letter} holds its record, and nobody wants that"
        elif wanted.copies and (letter.mark, record.key, record.value) != (source.mark, source.key, source.value):
            yield f"{letter} holds {record}, and is of {source}"


@law
def no_dead_letter_is_one_too_many(facts: Facts) -> Iterator[str]:
    """Where no life of the broker ended without warning, a record has one dead letter, and none if it was accepted."""
    if facts.history.crashes:
        return
    words, takes = words_of(facts), takes_of(facts)
    for place, found in _letters(facts).items():
        if len(found) > 1:
            yield f"{place[2]} of {place[1]} has {len(found)} dead letters"
        for word in words.get(place, ()):
            if word.said is Said.ACCEPT and _is_heeded(facts, word, takes.get(place, ())):
                yield f"{place[2]} of {place[1]} has a dead letter, after {word}"


def _is_heeded(facts: Facts, word: Judged, takes: Iterable[Taken]) -> bool:
    """Whether a member's word counts for sure: of what has come to an end it is told to be done, too, and does nothing,
    so the lock must not have ended."""
    return word.is_done and any(
        taken.session == word.session
        and taken.told < word.asked
        and word.told.ms < taken.asked.ms + facts.history.share_lock_ms
        for taken in takes
    )


def _read_by_groups(facts: Facts) -> list[Partition]:
    return [place for place in facts.there if place.topic in facts.history.share_topics]


def _all_letters(facts: Facts) -> Iterator[tuple[Partition, SeenRecord, Letter]]:
    for where, records in facts.there.items():
        for record in records.values():
            if record.letter is not None:
                yield where, record, record.letter


def _letters(facts: Facts) -> dict[Place, list[tuple[SeenRecord, Letter]]]:
    """All of them, by what they are of."""
    places = {(place.topic, place.index): place for place in _read_by_groups(facts)}
    found: dict[Place, list[tuple[SeenRecord, Letter]]] = defaultdict(list)
    for _, record, letter in _all_letters(facts):
        place = places.get((letter.topic, letter.partition))
        if place is not None:
            found[letter.group, place, letter.offset].append((record, letter))
    return found
