"""Fetch: who reads only what is committed, and what it is told of the rest."""

from __future__ import annotations

import pytest

from drave.catalog import Topic
from drave.records import ControlKind, parse_header
from tests.broker.api.fetching import BY_NAME, READ_COMMITTED, VERSIONS, bases, fetch, only, part, send
from tests.broker.still import NOW_MS, Call, StillBroker, batch_of

COMMIT, ABORT = ControlKind.COMMIT, ControlKind.ABORT


@pytest.fixture
def cars(still: StillBroker) -> Topic:
    return still.create("cars")


def write(still: StillBroker, topic: Topic, producer: int, sequence: int = 0) -> int:
    """One record in a producer's transaction; its offset."""
    data = batch_of(producer_id=producer, producer_epoch=0, base_sequence=sequence, transactional=True)
    base = still.log(topic).append(data, parse_header(data), now_ms=NOW_MS).base_offset
    still.commit()
    return base


def end(still: StillBroker, topic: Topic, producer: int, kind: ControlKind) -> None:
    still.log(topic).append_marker(kind, producer, 0, 0, now_ms=NOW_MS, transaction_version=1)
    still.commit()


def read(still: StillBroker, topic: Topic, offset: int, version: int = BY_NAME, *, wait_ms: int = 0) -> Call:
    request = fetch(
        (topic, [part(0, offset)]), by_id=version >= 13, isolation=READ_COMMITTED, wait_ms=wait_ms, epoch=-1
    )
    return send(still, request, version)


def aborted(call: Call) -> list[tuple[int, int]]:
    told = only(call.response).aborted_transactions
    assert told is not None
    return [(each.producer_id, each.first_offset) for each in told]


@pytest.mark.parametrize("version", VERSIONS)
def test_aborted_transactions_are_told_by_their_first_offset(still: StillBroker, cars: Topic, version: int) -> None:
    """Their records come all the same, and so do the markers: the client leaves them out."""
    for producer in (1, 2, 3):
        write(still, cars, producer)
    end(still, cars, 3, ABORT)
    end(still, cars, 2, COMMIT)
    end(still, cars, 1, ABORT)
    call = read(still, cars, 0, version)
    assert aborted(call) == [(1, 0), (3, 2)]
    assert bases(only(call.response)) == [0, 1, 2, 3, 4, 5]
    assert aborted(read(still, cars, 4, version)) == [(1, 0)]


def test_an_open_transaction_is_waited_for(still: StillBroker, cars: Topic) -> None:
    still.append(cars)
    write(still, cars, 1)
    still.append(cars)
    first = only(read(still, cars, 0).response)
    assert (bases(first), first.last_stable_offset, first.high_watermark) == ([0], 1, 3)
    call = read(still, cars, 1, wait_ms=60_000)
    still.append(cars)
    assert not call.is_answered, "there is more, but nothing stable"
    end(still, cars, 1, ABORT)
    assert bases(only(call.response)) == [1, 2, 3, 4]
    assert aborted(call) == [(1, 1)]


def test_who_reads_everything_does_not_wait_and_is_told_nothing(still: StillBroker, cars: Topic) -> None:
    write(still, cars, 1)
    data = only(send(still, fetch((cars, [part(0, 0)]))).response)
    assert (bases(data), data.last_stable_offset, data.aborted_transactions) == ([0], 0, None)


async def test_an_index_that_is_not_in_memory_is_read_without_stopping_the_loop(
    still: StillBroker, cars: Topic
) -> None:
    write(still, cars, 1)
    end(still, cars, 1, ABORT)
    still.logs.flusher.begin_checkpoint()
    still.logs.flush()
    still.disk.cold = True
    call = read(still, cars, 0)
    assert not call.is_answered
    await still.broker.close()
    still.run()
    assert aborted(call) == [(1, 0)]
