"""Fetch: a disk that must be waited for stops nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from drave.catalog import Topic
from drave.model.errors import ErrorCode
from tests.broker.api.fetching import ALL, fetch, part, partitions, seen, send
from tests.broker.still import StillBroker


async def finish(still: StillBroker) -> None:
    """What was spawned comes to its end."""
    await still.broker.close()
    still.run()


async def test_what_is_not_in_memory_is_read_without_stopping_the_loop(still: StillBroker, rides: Topic) -> None:
    still = cold(still)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    assert not call.is_answered
    await finish(still)
    assert seen(call.response) == [(0, [0, 3, 5, 9]), (1, [0, 2]), (2, [])]


def cold(still: StillBroker) -> StillBroker:
    """Nothing of it is in memory, nor where anything lies."""
    still.disk.cold = True
    for log in still.logs:
        log._opened_size = 1 << 30
        if log.files is not None:
            for segment in log.files.segments:
                segment.hints.clear()
    return still


async def test_a_cold_read_obeys_the_bounds(still: StillBroker, rides: Topic) -> None:
    cold(still)
    call = send(still, fetch((rides, ALL), bytes_max=1, wait_ms=500))
    await finish(still)
    assert seen(call.response) == [(0, [0]), (1, []), (2, [])]


async def test_a_parked_fetch_may_meet_a_cold_disk(still: StillBroker, rides: Topic) -> None:
    call = send(still, fetch((rides, [part(0, 10), part(1, 4)]), wait_ms=500, epoch=0))
    cold(still)
    still.append(rides, b"new")
    if not call.is_answered:
        await finish(still)
    assert seen(call.response) == [(0, [10]), (1, [])]


async def test_a_client_that_goes_while_the_disk_is_read_is_not_answered(still: StillBroker, rides: Topic) -> None:
    cold(still)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    call.hang_up()
    await finish(still)
    assert not call.is_answered


async def test_a_disk_that_cannot_be_read_is_answered_and_not_tried_for_ever(
    still: StillBroker, rides: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold(still)

    async def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(still.disk, "run", broken)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    await finish(still)
    storage_error = ErrorCode.KAFKA_STORAGE_ERROR
    assert [data.error_code for data in partitions(call.response)] == [storage_error, storage_error, 0]


async def test_a_topic_may_be_deleted_while_its_disk_is_read(still: StillBroker, rides: Topic) -> None:
    cold(still)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    still.delete(rides)
    await finish(still)
    assert {data.error_code for data in partitions(call.response)} == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}


async def test_a_mistake_of_ours_in_a_fetch_that_waited_costs_its_connection(
    still: StillBroker, rides: Topic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call = send(still, fetch((rides, [part(0, 10)]), wait_ms=500))
    monkeypatch.setattr("drave.broker.api.k01_fetch.check_leader_epoch", None)
    still.append(rides, b"new")
    assert call.connection.closed
    assert not call.is_answered
    assert any(record.exc_info for record in caplog.records)
