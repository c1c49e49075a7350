"""Markers are written everywhere, however often that takes."""

from __future__ import annotations

import asyncio

import pytest

from drave.broker.coordinator import markers
from drave.broker.coordinator.outcome import Writer
from drave.log import PartitionLog
from drave.log.errors import InvalidProducerEpoch
from drave.model.errors import ErrorCode
from drave.store.errors import StorageError
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k26_end_txn import EndTxnRequest
from drave.wire.messages.k65_describe_transactions import DescribeTransactionsRequest
from tests.broker.conftest import Asker, answered

PLACES = [("rides", 0), ("rides", 1)]


async def decided(asker: Asker) -> None:
    """A transaction over both partitions, about to be carried out."""
    await asker.create_topic("rides", 2)
    made = await asker.ask(InitProducerIdRequest(transactional_id="tx", transaction_timeout_ms=60_000))
    added = asker.broker.transactions.add("tx", Writer(made.producer_id, made.producer_epoch), PLACES, 0)
    assert (added if isinstance(added, ErrorCode) else await answered(added)) is ErrorCode.NONE
    request = EndTxnRequest(
        transactional_id="tx", producer_id=made.producer_id, producer_epoch=made.producer_epoch, committed=True
    )
    assert (await asker.ask(request, 3)).error_code == ErrorCode.NONE


async def until_complete(asker: Asker) -> None:
    while True:
        described = await asker.ask(DescribeTransactionsRequest(transactional_ids=["tx"]))
        if described.transaction_states[0].transaction_state == "CompleteCommit":
            return
        await asyncio.sleep(0)  # let timers that are due be called


@pytest.mark.parametrize(
    ("error", "ends"),
    [(StorageError("rides-1", "the disk is full"), [1, 1]), (InvalidProducerEpoch(0, 0, 9), [1, 0])],
    ids=["refused for now", "ended there by an administrator"],
)
async def test_a_refused_marker_is_written_later_unless_somebody_else_did(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, error: Exception, ends: list[int]
) -> None:
    monkeypatch.setattr(markers, "RETRY_S", 0)
    whole = PartitionLog.append_marker
    refusals = 3

    def refusing(log: PartitionLog, *args: object, **more: object) -> object:
        nonlocal refusals
        if log.index == 1 and refusals:
            refusals -= 1
            raise error
        return whole(log, *args, **more)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(PartitionLog, "append_marker", refusing)
    await decided(asker)
    await until_complete(asker)
    topic = asker.broker.topic("rides")
    assert [asker.broker.partition(topic, index).end for index in (0, 1)] == ends
