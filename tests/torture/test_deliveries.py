"""The judge of a share group: it finds each kind of wrong, and nothing where all is right."""

from __future__ import annotations

from torture.deliveries import ACCEPT, REJECT, RELEASE, Deliveries
from torture.history import Place

LOCK_S = 15.0
JOB = Place(0, 7)


def a_run() -> Deliveries:
    """One record was given to `a`, released, given to `b`, and accepted."""
    deliveries = Deliveries(lock_s=LOCK_S, limit=5)
    deliveries.given("a", 1.0, [(JOB, 1)])
    deliveries.said("a", 1.1, [(JOB, RELEASE)])
    deliveries.given("b", 2.0, [(JOB, 2)])
    deliveries.said("b", 2.1, [(JOB, ACCEPT)])
    deliveries.taken("b", 2.2, [JOB])
    return deliveries


def holding() -> Deliveries:
    """`a` has the record, and then `b` is given it."""
    deliveries = Deliveries(lock_s=LOCK_S, limit=5)
    deliveries.given("a", 10.0, [(JOB, 1)])
    deliveries.given("b", 12.0, [(JOB, 1)])
    deliveries.said("b", 12.1, [(JOB, ACCEPT)])
    return deliveries


def test_a_run_in_which_all_went_well_has_no_violations() -> None:
    assert a_run().violations([JOB]) == []


def test_the_order_in_which_members_are_heard_does_not_matter() -> None:
    """Their lines come through pipes of their own; what counts is the time that is in them."""
    late = Deliveries(lock_s=LOCK_S, limit=5)
    late.given("b", 2.0, [(JOB, 2)])
    late.said("b", 2.1, [(JOB, ACCEPT)])
    late.given("a", 1.0, [(JOB, 1)])
    late.said("a", 1.1, [(JOB, RELEASE)])
    assert late.violations([JOB]) == []


def test_what_nobody_accepted_is_lost() -> None:
    deliveries = Deliveries(lock_s=LOCK_S, limit=5)
    deliveries.given("a", 1.0, [(JOB, 1)])
    deliveries.said("a", 1.1, [(JOB, REJECT)])
    assert len(deliveries.violations([JOB])) == 1
    deliveries.buried(JOB)
    assert deliveries.violations([JOB]) == []


def test_what_was_accepted_for_certain_comes_to_nobody_again() -> None:
    deliveries = a_run()
    deliveries.given("c", 3.0, [(JOB, 3)])
    assert deliveries.violations([JOB]) == [f"{JOB} came to c though b had accepted it"]


def test_what_was_accepted_without_an_answer_may_come_again() -> None:
    deliveries = Deliveries(lock_s=LOCK_S, limit=5)
    deliveries.given("a", 1.0, [(JOB, 1)])
    deliveries.said("a", 1.1, [(JOB, ACCEPT)])
    deliveries.given("b", 2.0, [(JOB, 1)])
    assert deliveries.violations([JOB]) == []


def test_what_was_accepted_for_certain_has_no_dead_letter() -> None:
    deliveries = a_run()
    deliveries.buried(JOB)
    assert deliveries.violations([JOB]) == [f"{JOB} has a dead letter, though b had accepted it"]


def test_a_letter_that_a_dying_broker_has_written_is_no_contradiction() -> None:
    """What it had not noted yet is that the record had gone, so it came again (docs/queues.md)."""
    deliveries = a_run()
    deliveries.buried(JOB)
    deliveries.broker_ends.append(1.5)
    assert deliveries.violations([JOB]) == []
    deliveries.broker_ends[:] = [2.5]
    assert len(deliveries.violations([JOB])) == 1


def test_two_do_not_have_one_record_at_a_time() -> None:
    assert holding().violations([JOB]) == [f"{JOB} came to b while a had it"]


def test_the_record_of_a_member_that_has_ended_is_for_others() -> None:
    deliveries = holding()
    deliveries.ends["a"] = 11.0
    assert deliveries.violations([JOB]) == []


def test_a_member_that_ends_afterwards_is_no_excuse() -> None:
    deliveries = holding()
    deliveries.ends["a"] = 13.0
    assert len(deliveries.violations([JOB])) == 1


def test_a_brokers_end_ends_all_locks() -> None:
    deliveries = holding()
    deliveries.broker_ends.append(11.0)
    assert deliveries.violations([JOB]) == []


def test_a_lock_that_is_over_frees_its_record() -> None:
    deliveries = Deliveries(lock_s=LOCK_S, limit=5)
    deliveries.given("a", 10.0, [(JOB, 1)])
    deliveries.given("b", 10.0 + LOCK_S, [(JOB, 2)])
    deliveries.said("b", 26.0, [(JOB, ACCEPT)])
    assert deliveries.violations([JOB]) == []


def test_nothing_is_delivered_more_often_than_the_limit_says() -> None:
    deliveries = a_run()
    deliveries.given("b", 1.5, [(JOB, 6)])
    deliveries.said("b", 1.6, [(JOB, RELEASE)])
    assert deliveries.violations([JOB]) == [f"{JOB} came for the 6th time; the limit is 5"]
