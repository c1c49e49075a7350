"""ShareFetch: what a member is given, and for how long it is its own (KIP-932)."""

from __future__ import annotations

import pytest

from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k78_share_fetch import PartitionData
from tests.broker.api.fetching import bases
from tests.broker.sharing import ACCEPT, GAP, REJECT, RELEASE, RENEW, Member, subscribe
from tests.broker.still import StillBroker

LOCK_MS = 30_000


@pytest.fixture
async def jobs(still: StillBroker) -> Topic:
    """Ten records in batches of 4, 4 and 2, and a group that has subscribed to them."""
    topic = still.create("jobs")
    for size in (4, 4, 2):
        still.append(topic, *[b"job"] * size)
    await subscribe(still, topic)
    return topic


# -- giving


async def test_what_one_member_holds_no_other_gets(still: StillBroker, jobs: Topic) -> None:
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    assert a.take(max_records=4) == [(0, 3, 1)]
    assert b.take(max_records=4) == [(4, 7, 1)]
    assert a.take() == [(8, 9, 1)]
    assert b.take() == []


async def test_whole_batches_are_sent_and_no_others(still: StillBroker, jobs: Topic) -> None:
    Member(still, jobs, name="a").take(max_records=4)
    (part,) = Member(still, jobs, name="b").fetch(max_records=4)
    assert bases(part) == [4]


async def test_a_limit_inside_a_batch_is_where_the_batch_ends(still: StillBroker, jobs: Topic) -> None:
    """KIP-932: otherwise the same batch would go to several members."""
    assert Member(still, jobs).take(max_records=5) == [(0, 7, 1)]


async def test_a_record_limit_gives_exactly_as_many(still: StillBroker, jobs: Topic) -> None:
    """KIP-1206."""
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    assert a.take(max_records=5, share_acquire_mode=1) == [(0, 4, 1)]
    assert b.take(max_records=2, share_acquire_mode=1) == [(5, 6, 1)]


async def test_what_was_acquired_comes_in_pieces_of_about_the_batch_size(still: StillBroker, jobs: Topic) -> None:
    assert Member(still, jobs).take(batch_size=4) == [(0, 3, 1), (4, 7, 1), (8, 9, 1)]


# -- taking back


async def test_accepted_records_do_not_come_again(still: StillBroker, jobs: Topic) -> None:
    a = Member(still, jobs)
    a.take()
    assert a.say((0, 9, ACCEPT)) == ErrorCode.NONE
    assert a.take() == []


async def test_released_records_come_again_and_are_counted(still: StillBroker, jobs: Topic) -> None:
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    a.take()
    a.say((0, 1, ACCEPT), (2, 2, RELEASE), (3, 9, ACCEPT))
    assert b.take() == [(2, 2, 2)]


async def test_each_record_of_a_batch_may_be_told_something_else(still: StillBroker, jobs: Topic) -> None:
    a = Member(still, jobs)
    a.take()
    assert a.say((0, 9, [ACCEPT, RELEASE, REJECT, GAP, RELEASE, RELEASE, ACCEPT, ACCEPT, ACCEPT, ACCEPT])) == 0
    assert a.take() == [(1, 1, 2), (4, 5, 2)]


async def test_a_fetch_may_say_what_became_of_the_last_one(still: StillBroker, jobs: Topic) -> None:
    a = Member(still, jobs)
    a.take(max_records=4)
    assert a.take((0, 3, ACCEPT), max_records=4) == [(4, 7, 1)]


async def test_a_lock_that_ends_makes_the_record_available(still: StillBroker, jobs: Topic) -> None:
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    a.take()
    still.advance(LOCK_MS - 1)
    assert b.take() == []
    still.advance(1)
    assert b.take() == [(0, 9, 2)]


async def test_a_renewed_lock_ends_later(still: StillBroker, jobs: Topic) -> None:
    """KIP-1222."""
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    a.take()
    still.advance(LOCK_MS - 1)
    assert a.say((0, 3, RENEW), is_renew_ack=True) == ErrorCode.NONE
    still.advance(1)
    assert b.take() == [(4, 9, 2)]
    still.advance(LOCK_MS)
    assert [first for first, _, _ in b.take()] == [0, 4]


async def test_a_parked_fetch_is_woken_by_what_is_produced(still: StillBroker, jobs: Topic) -> None:
    a = Member(still, jobs)
    a.take()
    call = a.send(max_wait_ms=1000)
    assert not call.is_answered
    still.append(jobs, b"more")
    assert call.response.responses[0].partitions[0].acquired_records[0].first_offset == 10


async def test_a_parked_fetch_is_woken_by_what_is_given_back(still: StillBroker, jobs: Topic) -> None:
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    a.take()
    b.take()
    call = b.send(max_wait_ms=1000)
    assert not call.is_answered
    a.say((0, 9, RELEASE))
    assert call.response.responses[0].partitions[0].acquired_records[0].delivery_count == 2


async def test_a_member_that_hangs_up_holds_nothing(still: StillBroker, jobs: Topic) -> None:
    a, b = Member(still, jobs, name="a"), Member(still, jobs, name="b")
    call = a.send()
    still.broker.sharing.gone(call.connection)
    still.commit()
    assert b.take() == [(0, 9, 2)]


async def test_a_client_that_hangs_up_leaves_none_of_its_sessions_behind(still: StillBroker, jobs: Topic) -> None:
    """However many members it speaks for: the broker keeps only so many sessions."""
    a, b, c = (Member(still, jobs, name=name) for name in "abc")
    a.take(max_records=4)
    call = b.send(max_records=4)
    sessions = still.broker.sharing.sessions
    sessions.begin("work", "c", call.connection, sessions_max=10)
    assert len(sessions) == 3
    still.broker.sharing.gone(call.connection)
    still.commit()
    assert len(sessions) == 1
    assert c.take(max_records=4) == [(4, 7, 2)]


# -- several partitions


@pytest.fixture
async def many(still: StillBroker) -> Topic:
    """Three partitions of two records each, and a group that has subscribed to them."""
    topic = still.create("many", 3)
    for partition in range(3):
        still.append(topic, b"first", partition=partition)
        still.append(topic, b"second", partition=partition)
    await subscribe(still, topic)
    return topic


def acquired(parts: list[PartitionData]) -> list[int]:
    """The partitions of which something was acquired."""
    return [part.partition_index for part in parts if part.acquired_records]


async def test_each_partition_has_its_turn_to_come_first(still: StillBroker, many: Topic) -> None:
    """A worker that takes one record at a time starves none of them."""
    a = Member(still, many)
    turns = [acquired(a.fetch(max_records=1, share_acquire_mode=1)) for _ in range(6)]
    assert turns == [[0], [1], [2], [0], [1], [2]]


async def test_the_first_answer_of_a_session_names_every_partition(still: StillBroker, many: Topic) -> None:
    """Though the first one had all that was asked for."""
    parts = Member(still, many).fetch(max_records=1, share_acquire_mode=1)
    assert sorted(part.partition_index for part in parts) == [0, 1, 2]
    assert acquired(parts) == [0]


async def test_a_later_answer_names_those_that_something_came_of(still: StillBroker, many: Topic) -> None:
    a = Member(still, many)
    a.fetch(max_records=1)
    assert [part.partition_index for part in a.fetch(max_records=3)] == [1, 2]


async def test_a_topic_that_was_deleted_is_told_when_its_turn_comes(still: StillBroker, many: Topic) -> None:
    a = Member(still, many)
    assert acquired(a.fetch(max_records=1, share_acquire_mode=1)) == [0]
    still.delete(many)
    assert {part.error_code for part in a.fetch()} == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
