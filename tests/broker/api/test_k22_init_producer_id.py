"""InitProducerId: an id of its own for every idempotent producer."""

from __future__ import annotations

import asyncio

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest


def init(transactional_id=None, producer_id=-1, producer_epoch=-1) -> InitProducerIdRequest:
    return InitProducerIdRequest(
        transactional_id=transactional_id,
        transaction_timeout_ms=60_000,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
    )


@pytest.mark.parametrize("version", range(6))
async def test_a_producer_gets_an_id_and_epoch_zero(see, version):
    response = await see(init(), version)
    assert (response.error_code, response.producer_id, response.producer_epoch) == (0, 0, 0)


async def test_no_two_producers_get_the_same_id_also_across_blocks_and_at_once(see):
    """KIP-98. A block has a thousand ids."""
    answers = await asyncio.gather(*(see(init()) for _ in range(2500)))
    assert len({answer.producer_id for answer in answers}) == 2500
    assert {answer.error_code for answer in answers} == {0}


async def test_from_a_block_at_hand_the_answer_is_immediate(asker):
    await asker.ask(init())
    assert asker.start(init()).producer_id == 1


async def test_a_producer_that_had_an_id_gets_another(see):
    """KIP-360: only a transactional id carries an id on."""
    response = await see(init(producer_id=5, producer_epoch=3))
    assert (response.error_code, response.producer_id, response.producer_epoch) == (0, 0, 0)


@pytest.mark.parametrize(("producer_id", "producer_epoch"), [(5, -1), (-1, 3)])
async def test_an_id_without_its_epoch_is_refused(see, producer_id, producer_epoch):
    response = await see(init(producer_id=producer_id, producer_epoch=producer_epoch))
    assert response.error_code == ErrorCode.INVALID_REQUEST
    assert (response.producer_id, response.producer_epoch) == (-1, -1)


async def test_an_empty_transactional_id_is_refused(see):
    assert (await see(init(""))).error_code == ErrorCode.INVALID_REQUEST


async def test_transactions_are_refused_for_good(see):
    assert (await see(init("tx"))).error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
