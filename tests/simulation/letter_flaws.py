"""Stories of dead letters with one flaw each, under the law that the flaw breaks; and some that are lawful."""

from __future__ import annotations

from simulation.history import Outcome, Said
from tests.simulation.chronicle import Chronicle
from tests.simulation.flaws import breaks

TOO_OFTEN = "It was delivered 5 times, as often as the group wants it to be."


@breaks("what is released is kept back")
def a_released_record_comes_again_too_soon(tale: Chronicle) -> None:
    tale.history.redelivery_ms = 500
    tale.take()
    tale.say(Said.RELEASE)
    tale.pass_ms(499)
    tale.take(count=2)


@breaks("what is given up is a dead letter")
def a_rejected_record_has_no_dead_letter(tale: Chronicle) -> None:
    tale.want_letters()
    tale.history.drained.clear()
    tale.take()
    tale.say(Said.REJECT)


@breaks("what is given up is a dead letter")
def a_record_is_gone_that_was_delivered_too_often(tale: Chronicle) -> None:
    tale.want_letters()
    tale.take(count=5)


@breaks("dead letters are of what was given up")
def a_dead_letter_is_of_what_nobody_gave_up(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take()
    tale.bury(sent)


@breaks("dead letters are of what was given up")
def a_record_is_given_up_before_it_was_delivered_as_often_as_it_may_be(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take(count=4)
    tale.bury(sent, count=4, message="It was delivered 4 times, as often as the group wants it to be.")


@breaks("dead letters are of what was given up")
def a_dead_letter_tells_another_count(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take(count=2)
    tale.say(Said.REJECT)
    tale.bury(sent, count=3)


@breaks("dead letters hold what is wanted")
def a_dead_letter_lacks_its_record(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take()
    tale.say(Said.REJECT)
    tale.bury(sent, value=None)


@breaks("dead letters hold what is wanted")
def a_dead_letter_holds_a_record_that_nobody_wants_there(tale: Chronicle) -> None:
    sent = tale.want_letters(copies=False)
    tale.take()
    tale.say(Said.REJECT)
    tale.bury(sent)


@breaks("dead letters hold what is wanted")
def a_dead_letter_names_no_record(tale: Chronicle) -> None:
    tale.bury(tale.want_letters(), offset=7)


@breaks("dead letters hold what is wanted")
def a_dead_letter_lies_where_nobody_wants_it(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.history.letters = None
    tale.take()
    tale.say(Said.REJECT)
    tale.bury(sent)


@breaks("no dead letter is one too many")
def an_accepted_record_has_a_dead_letter(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take(count=5)
    tale.say(Said.ACCEPT)
    tale.bury(sent, count=5, message=TOO_OFTEN)


@breaks("no dead letter is one too many")
def a_record_has_two_dead_letters(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take()
    tale.say(Said.REJECT)
    tale.bury(sent)
    tale.bury(sent)


# -- what looks strange, and is lawful


def a_rejected_record_is_a_dead_letter(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take()
    tale.say(Said.REJECT)
    tale.bury(sent)


def a_dead_letter_may_only_tell_where_the_record_is(tale: Chronicle) -> None:
    sent = tale.want_letters(copies=False)
    tale.take()
    tale.say(Said.REJECT)
    tale.bury(sent, mark=None, key=None, value=None)


def a_crash_may_bring_a_second_dead_letter(tale: Chronicle) -> None:
    tale.history.crashes = True
    sent = tale.want_letters()
    tale.take()
    tale.say(Said.REJECT, told=Outcome.UNKNOWN)
    tale.bury(sent)
    tale.take(session="s/1", count=5)
    tale.bury(sent, count=5, message=TOO_OFTEN)


def a_word_that_came_too_late_counts_for_nothing(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.take(count=5)
    tale.pass_ms(1_000)
    tale.bury(sent, count=5, message=TOO_OFTEN)
    tale.say(Said.ACCEPT)


def who_was_given_a_record_unheard_may_have_had_it_too_often(tale: Chronicle) -> None:
    sent = tale.want_letters()
    tale.history.lost_share_fetches["queue"] = 5
    tale.bury(sent, count=5, message=TOO_OFTEN)


def a_released_record_comes_again_when_its_delay_is_over(tale: Chronicle) -> None:
    tale.history.redelivery_ms = 500
    tale.take()
    tale.say(Said.RELEASE)
    tale.pass_ms(500)
    tale.take(count=2)


def after_a_crash_a_released_record_does_not_wait(tale: Chronicle) -> None:
    tale.history.crashes = True
    tale.history.redelivery_ms = 500
    tale.take()
    tale.say(Said.RELEASE)
    tale.take(count=2)


LAWFUL = (
    a_rejected_record_is_a_dead_letter,
    a_dead_letter_may_only_tell_where_the_record_is,
    a_crash_may_bring_a_second_dead_letter,
    a_word_that_came_too_late_counts_for_nothing,
    who_was_given_a_record_unheard_may_have_had_it_too_often,
    a_released_record_comes_again_when_its_delay_is_over,
    after_a_crash_a_released_record_does_not_wait,
)
