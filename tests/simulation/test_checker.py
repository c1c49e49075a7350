"""The checker itself: a history with one flaw is judged by the law that it breaks, and a clean one by none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.checker import LAWS
from simulation.history import Moment, Outcome, Said, SeenBatch
from simulation.laws.facts import BEGINNING, Write, may_be
from tests.simulation import letter_flaws, stream_flaws
from tests.simulation.chronicle import KEYS, RIDES, Chronicle, altered
from tests.simulation.flaws import FLAWS, Story, copied


def test_every_law_has_a_flaw_that_it_finds() -> None:
    assert set(FLAWS) == set(LAWS)


@pytest.mark.parametrize(
    ("law", "story"),
    [pytest.param(law, story, id=story.__name__) for law, stories in FLAWS.items() for story in stories],
)
def test_a_flaw_is_judged_by_its_law(law: str, story: Story) -> None:
    tale = Chronicle()
    story(tale)
    assert law in tale.verdicts()


# -- what looks strange, and is lawful


def records_that_somebody_had_deleted_may_be_gone(tale: Chronicle) -> None:
    tale.send()
    tale.trim(1, told=Outcome.UNKNOWN)
    tale.end(rides=[0])


def a_delayed_record_may_be_seen_when_it_is_old_enough(tale: Chronicle) -> None:
    tale.delay(1_000)
    tale.send()
    tale.pass_ms(1_000)
    tale.read()


def a_record_whose_lock_has_ended_may_be_given_to_another(tale: Chronicle) -> None:
    tale.send()
    tale.take(session="s/0")
    tale.pass_ms(1_001)
    tale.take(session="s/1", count=2)
    tale.say(Said.ACCEPT, session="s/1")
    tale.say(Said.RENEW, session="s/0")
    tale.history.drained["queue"] = True


def an_older_record_of_a_key_may_be_compacted_away(tale: Chronicle) -> None:
    old = tale.send(KEYS, key=b"k")
    tale.send(KEYS, key=b"k")
    tale.end(keys=[old.offset])


def a_key_and_its_tombstone_may_both_be_gone(tale: Chronicle) -> None:
    old = tale.send(KEYS, key=b"k")
    grave = tale.send(KEYS, key=b"k", value=None)
    tale.end(keys=[old.offset, grave.offset])


def a_slow_reader_may_miss_a_tombstone(tale: Chronicle) -> None:
    tale.send(KEYS, key=b"k")
    tale.read(KEYS)
    tale.send(KEYS, key=b"k", value=None)
    tale.send(KEYS, key=b"other")
    del tale.logs[KEYS][:2]
    tale.pass_ms(1_500)
    tale.read(KEYS, 1)


def a_record_that_was_never_answered_may_be_there_or_not(tale: Chronicle) -> None:
    tale.send(told=Outcome.UNKNOWN, lands=False)
    tale.send(told=Outcome.UNKNOWN)
    tale.read()


def a_plain_record_may_be_there_as_often_as_it_was_sent(tale: Chronicle) -> None:
    sent = tale.send(idempotent=False)
    sent.tries = 2
    tale.land(sent)


def a_transaction_whose_end_was_never_answered_may_be_committed(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    tale.decide(transaction, commit=True, told=Outcome.UNKNOWN)
    tale.read(committed_only=True)


def an_aborted_transaction_is_passed(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence())
    tale.send(transaction=transaction)
    tale.decide(transaction, commit=False)
    tale.read(committed_only=True)


def a_transaction_whose_time_is_up_is_passed(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence(), timeout_ms=1_000)
    tale.send(transaction=transaction)
    tale.pass_ms(1_000)
    tale.mark_records(transaction, commit=False)
    tale.read(committed_only=True)


def what_a_fenced_producer_had_sent_before_may_be_there(tale: Chronicle) -> None:
    transaction = tale.begin(tale.fence("t/0", epoch=0))
    tale.send(transaction=transaction, told=Outcome.UNKNOWN)
    tale.mark_records(transaction, commit=False)
    tale.fence("t/1", epoch=1)


def a_commit_that_was_never_answered_may_come_to_count_at_any_time(tale: Chronicle) -> None:
    tale.commit(3, told=Outcome.UNKNOWN)
    tale.commit(5)
    tale.find(5)
    tale.find(3)


def a_partition_goes_from_one_member_to_another_in_the_next_generation(tale: Chronicle) -> None:
    tale.join(1, 0, member="a", leader="a")
    tale.join(2, 0, member="b", leader="b")


def a_record_is_copied_once(tale: Chronicle) -> None:
    copied(tale, copies=1)


@pytest.mark.parametrize(
    "story",
    [
        records_that_somebody_had_deleted_may_be_gone,
        a_delayed_record_may_be_seen_when_it_is_old_enough,
        a_record_whose_lock_has_ended_may_be_given_to_another,
        an_older_record_of_a_key_may_be_compacted_away,
        a_key_and_its_tombstone_may_both_be_gone,
        a_slow_reader_may_miss_a_tombstone,
        a_record_that_was_never_answered_may_be_there_or_not,
        a_plain_record_may_be_there_as_often_as_it_was_sent,
        a_transaction_whose_end_was_never_answered_may_be_committed,
        an_aborted_transaction_is_passed,
        a_transaction_whose_time_is_up_is_passed,
        what_a_fenced_producer_had_sent_before_may_be_there,
        a_commit_that_was_never_answered_may_come_to_count_at_any_time,
        a_partition_goes_from_one_member_to_another_in_the_next_generation,
        a_record_is_copied_once,
        *letter_flaws.LAWFUL,
        *stream_flaws.LAWFUL,
    ],
    ids=lambda story: story.__name__,
)
def test_what_looks_strange_and_is_lawful_is_not_judged(story: Story) -> None:
    tale = Chronicle()
    story(tale)
    assert tale.verdicts() == set()


STEPS = (
    "send",
    "send unheard",
    "refused",
    "read",
    "read committed",
    "commit",
    "abort",
    "unheard end",
    "fence",
    "stand",
    "find",
    "wait",
)


@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_a_broker_that_does_what_it_says_is_never_judged(steps: list[str]) -> None:
    tale = Chronicle()
    epoch, offset = 0, 0
    fence = tale.fence()
    transaction = tale.begin(fence)
    for step in steps:
        match step:
            case "send":
                tale.send()
                tale.send(by=fence.by, transaction=transaction)
            case "send unheard":
                tale.send(told=Outcome.UNKNOWN)
            case "refused":
                tale.send(told=Outcome.REFUSED, lands=False)
            case "read":
                tale.read(stable=_first_open(tale))
            case "read committed":
                _read_committed(tale)
            case "commit" | "abort" | "unheard end" | "fence":
                told = Outcome.UNKNOWN if step == "unheard end" else Outcome.DONE
                tale.decide(transaction, commit=step == "commit", told=told)
                epoch += 1
                fence = tale.fence(f"t/{epoch}", epoch=epoch)
                transaction = tale.begin(fence)
            case "stand":
                offset += 1
                tale.commit(offset)
            case "find":
                tale.find(offset or -1)
            case "wait":
                tale.pass_ms(500)
    tale.decide(transaction, commit=False)
    assert tale.verdicts() == set()


def _first_open(tale: Chronicle) -> int:
    """Where the oldest transaction begins that has no marker yet."""
    open_names = {each.name for each in tale.history.transactions if each.commit is None}
    for batch in tale.logs[RIDES]:
        for record in batch.records:
            sent = tale.history.records[record.mark] if record.mark is not None else None
            if sent is not None and sent.transaction is not None and sent.transaction.name in open_names:
                return batch.base_offset
    return tale.end_of(RIDES)


def _read_committed(tale: Chronicle) -> None:
    stable = _first_open(tale)
    read = tale.read(committed_only=True, stable=stable)
    batches = [batch for batch in read.batches if batch.base_offset < stable]
    tale.history.reads[-1] = altered(read, batches=batches, next_position=stable)


# -- what may have been written


def at(number: int) -> Moment:
    return Moment(number, number)


@pytest.mark.parametrize(
    ("writes", "value", "lawful"),
    [
        ([Write(1, at(1), at(2))], 1, True),
        ([Write(1, at(1), at(2)), Write(2, at(3), at(4))], 1, False),
        ([Write(1, at(1), at(2)), Write(2, at(3), at(4))], 2, True),
        ([Write(1, at(1), at(4)), Write(2, at(2), at(3))], 1, True),
        ([Write(1, at(1), at(2)), Write(2, at(3), at(99))], 1, True),
        ([Write(1, at(1), at(99)), Write(2, at(3), at(4))], 1, True),
        ([Write(1, at(11), at(12))], 1, False),
        ([Write(1, BEGINNING, BEGINNING)], 1, True),
        ([], 1, False),
    ],
    ids=["written", "overwritten", "the last", "at once", "meanwhile", "late", "later", "at first", "never"],
)
def test_who_asks_is_told_what_no_other_write_has_wholly_replaced(
    writes: list[Write], value: int, lawful: bool
) -> None:
    assert may_be(writes, value, at(9), at(10)) is lawful


def test_an_outcome_that_is_known_stays_known() -> None:
    tale = Chronicle()
    sent = tale.send()
    told = sent.told
    tale.history.tell(sent, Outcome.REFUSED)
    assert (sent.outcome, sent.told) == (Outcome.DONE, told)


def test_a_batch_of_nothing_is_no_offence() -> None:
    """Compaction leaves empty batches, markers among them."""
    tale = Chronicle()
    tale.logs[KEYS].append(SeenBatch(0, 3, 7, 0, True, True, False, []))
    tale.logs[KEYS].append(SeenBatch(5, 6, -1, -1, False, False, True, []))
    tale.read(KEYS)
    assert tale.verdicts() == set()
