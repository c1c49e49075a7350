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


async def test_a_transactional_id_keeps_its_producer_id_and_gets_the_next_epoch(see):
    """KIP-98: so the one who had it before is fenced."""
    first, second = await see(init("tx")), await see(init("tx"))
    assert (first.error_code, first.producer_epoch) == (second.error_code, 0) == (0, 0)
    assert (second.producer_id, second.producer_epoch) == (first.producer_id, 1)


@pytest.mark.parametrize(("version", "code"), [(3, ErrorCode.INVALID_PRODUCER_EPOCH), (4, ErrorCode.PRODUCER_FENCED)])
async def test_who_was_fenced_is_told_so_in_words_that_its_version_knows(see, version, code):
    """KIP-360."""
    first = await see(init("tx"))
    await see(init("tx"))
    again = await see(init("tx", first.producer_id, first.producer_epoch), version)
    assert (again.error_code, again.producer_id, again.producer_epoch) == (code, -1, -1)
