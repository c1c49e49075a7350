"""ShareAcknowledge: what a member may say of what it holds, and what of it a power cut leaves (KIP-932)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drave.broker.context import Pending
from drave.broker.coordinator.schemas.share_state import ShareKey
from drave.broker.coordinator.share.in_flight import GivenUp, Leaving
from drave.broker.coordinator.share.state import SharePartition, Summary
from drave.broker.coordinator.share.states import coordinator_key
from drave.broker.sharing.dead_letters import Destination
from drave.catalog import Topic
from drave.log import PartitionLog
from drave.model.errors import ErrorCode
from tests.broker.sharing import ACCEPT, GAP, REJECT, RELEASE, RENEW, Batch, Member, durably, subscribe
from tests.broker.still import StillBroker


@pytest.fixture
async def jobs(still: StillBroker) -> Topic:
    """Ten records, and a group that has subscribed to them."""
    topic = still.create("jobs")
    still.append(topic, *[b"job"] * 10)
    await subscribe(still, topic)
    return topic


@pytest.fixture
def one(still: StillBroker, jobs: Topic) -> Member:
    """Who holds all ten."""
    member = Member(still, jobs, name="one")
    assert member.take() == [(0, 9, 1)]
    return member


async def summary(still: StillBroker, topic: Topic, group: str = "work") -> Summary | ErrorCode:
    where = SharePartition(topic.topic_id, 0)
    return (await durably(still, still.broker.share_states.summarize(group, [where])))[where]


async def test_it_is_answered_when_it_is_durable(still: StillBroker, one: Member) -> None:
    call = still.send(one.request((0, 4, ACCEPT), max_records=0), 2)
    assert not call.is_answered
    still.commit()
    assert call.response.responses[0].partitions[0].acknowledge_error_code == ErrorCode.NONE


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([(0, 9, ACCEPT)], ErrorCode.NONE),
        ([(3, 3, ACCEPT), (4, 4, RELEASE)], ErrorCode.NONE),
        ([(0, 3, ACCEPT), (3, 4, ACCEPT)], ErrorCode.INVALID_RECORD_STATE),
        ([(0, 3, ACCEPT), (2, 4, ACCEPT)], ErrorCode.INVALID_REQUEST),
        ([(4, 3, ACCEPT)], ErrorCode.INVALID_REQUEST),
        ([(0, 3, [])], ErrorCode.INVALID_REQUEST),
        ([(0, 3, [ACCEPT] * 3)], ErrorCode.INVALID_REQUEST),
        ([(0, 3, 5)], ErrorCode.INVALID_REQUEST),
        ([(0, 3, RENEW)], ErrorCode.INVALID_REQUEST),
        ([(0, 10, ACCEPT)], ErrorCode.INVALID_REQUEST),
        ([(10, 10, ACCEPT)], ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_may_be_said_and_what_not(one: Member, said: list[Batch], code: ErrorCode) -> None:
    """As Apache Kafka 4.3.1 answers."""
    assert one.say(*said) == code


async def test_of_a_refused_word_nothing_is_done(still: StillBroker, one: Member) -> None:
    assert one.say((0, 3, ACCEPT), (4, 12, ACCEPT)) == ErrorCode.INVALID_REQUEST
    assert one.say((0, 9, RELEASE)) == ErrorCode.NONE


async def test_nobody_speaks_for_another(still: StillBroker, jobs: Topic, one: Member) -> None:
    other = Member(still, jobs, name="other")
    other.take()
    assert other.say((0, 3, ACCEPT)) == ErrorCode.INVALID_RECORD_STATE


async def test_a_word_that_comes_after_the_lock_has_ended_is_refused(still: StillBroker, one: Member) -> None:
    still.advance(30_000)
    assert one.say((0, 9, ACCEPT)) == ErrorCode.INVALID_RECORD_STATE


async def test_what_is_over_already_may_be_said_again(one: Member) -> None:
    """The answer to the first time may have been lost."""
    assert one.say((0, 3, ACCEPT)) == ErrorCode.NONE
    assert one.say((0, 3, ACCEPT)) == ErrorCode.NONE


async def test_a_record_is_given_up_after_as_many_deliveries_as_the_group_wants(
    still: StillBroker, jobs: Topic
) -> None:
    one = Member(still, jobs)
    counts = []
    while held := one.take(max_records=1, share_acquire_mode=1):
        first, last, count = held[0]
        if first:
            break
        counts.append(count)
        one.say((first, last, RELEASE))
    assert counts == [1, 2, 3, 4, 5]


# -- what is durable


async def test_the_summary_says_how_far_it_has_come(still: StillBroker, jobs: Topic, one: Member) -> None:
    one.say((0, 1, ACCEPT), (2, 2, RELEASE), (3, 4, [GAP, REJECT]), (5, 6, ACCEPT))
    assert await summary(still, jobs) == Summary(2, 0, 4)


async def test_after_a_crash_what_was_held_is_available_and_the_rest_as_it_was(
    still: StillBroker, jobs: Topic, one: Member
) -> None:
    one.say((0, 1, ACCEPT), (2, 3, RELEASE), (4, 4, REJECT))
    crash(still, jobs)
    again = Member(still, jobs, name="again")
    assert again.take() == [(2, 3, 2), (5, 9, 1)]


async def test_where_a_group_begins_is_durable_before_anything_is_said(still: StillBroker) -> None:
    """Kafka decides `latest` anew after a restart: what came meanwhile is lost to the group."""
    topic = still.create("jobs")
    still.append(topic, b"before")
    await subscribe(still, topic, start=-1)
    assert Member(still, topic).take() == []
    still.commit()
    still.append(topic, b"after")
    crash(still, topic)
    assert Member(still, topic, name="again").take() == [(1, 1, 1)]


async def test_a_start_that_an_administrator_has_moved_counts_at_once(
    still: StillBroker, jobs: Topic, one: Member
) -> None:
    await subscribe(still, jobs, start=7, state_epoch=2)
    assert one.say((0, 9, ACCEPT)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert one.take() == [(7, 9, 1)]


def crash(still: StillBroker, topic: Topic, group: str = "work") -> None:
    """Lose what is in memory only, and read the coordinator's log again."""
    broker = still.broker
    states = broker.share_states
    key = ShareKey(group, topic.topic_id, 0)
    index = states.partition_for(coordinator_key(key))
    machine = states._machine()
    state_topic = broker.catalog.topic("__share_group_state")
    assert state_topic is not None
    for record in still.read(state_topic, index):
        assert record.key is not None
        machine.replay(record.key, record.value)
    states._partitions[index].machine = machine
    broker.sharing._drop(key)


# -- dead letters


class Letters:
    """Somebody who wants what is given up, and takes its time."""

    def __init__(self) -> None:
        self.taken: list[tuple[Leaving, Pending]] = []

    def destination(self, group_id: str, topic: Topic) -> Destination:
        return Destination("letters", copies=True)

    def take(self, key: ShareKey, log: PartitionLog, leaving: Sequence[Leaving]) -> Pending:
        pending = Pending()
        self.taken += [(each, pending) for each in leaving]
        return pending


def want_letters(still: StillBroker) -> Letters:
    letters = Letters()
    still.broker.sharing.dead_letters = letters
    return letters


async def test_what_is_rejected_is_over_once_its_dead_letter_is_durable(still: StillBroker, jobs: Topic) -> None:
    letters = want_letters(still)
    one = Member(still, jobs)
    one.take()
    call = still.send(one.request((0, 1, REJECT), (2, 9, ACCEPT), max_records=0), 2)
    still.commit()
    assert not call.is_answered
    ((leaving, pending),) = letters.taken
    assert leaving == Leaving(0, 1, 1, GivenUp.REJECTED)
    assert await summary(still, jobs) == Summary(0, 0, 8), "the start stays before what has not left yet"
    pending.complete(ErrorCode.NONE)
    still.commit()
    assert call.is_answered
    assert await summary(still, jobs) == Summary(10, 0, 0)


async def test_a_crash_before_the_dead_letter_loses_nothing(still: StillBroker, jobs: Topic) -> None:
    want_letters(still)
    one = Member(still, jobs)
    one.take()
    still.send(one.request((0, 1, REJECT), (2, 9, ACCEPT), max_records=0), 2)
    still.commit()
    crash(still, jobs)
    assert Member(still, jobs, name="again").take() == [(0, 1, 1)]
