"""AlterClientQuotas: checked case by case against Apache Kafka 4.3.1; what a quota may be is tested with the model."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k49_alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData

ANN = (("user", "ann"),)
PRODUCE = "producer_byte_rate"


@pytest.fixture
def alter(see):
    """`await alter((ANN, {PRODUCE: 5, "colour": None}), …)`: the error of each; None takes a quota."""

    async def alter(*entries, validate_only=False, version=None):
        asked = [
            EntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                ops=[
                    OpData(key=key, value=0.0 if value is None else value, remove=value is None)
                    for key, value in (ops.items() if isinstance(ops, dict) else ops)
                ],
            )
            for entity, ops in entries
        ]
        response = await see(AlterClientQuotasRequest(entries=asked, validate_only=validate_only), version)
        for entry in response.entries:
            assert bool(entry.error_code) == bool(entry.error_message)
        return [ErrorCode(entry.error_code) for entry in response.entries]

    return alter


@pytest.mark.parametrize("version", [0, 1])
async def test_quotas_are_given_and_taken(alter, broker, version):
    assert await alter((ANN, {PRODUCE: 5.0, "request_percentage": 0.5}), version=version) == [ErrorCode.NONE]
    assert await alter((ANN, {PRODUCE: None, "consumer_byte_rate": 6.0}), version=version) == [ErrorCode.NONE]
    assert broker.catalog.client_quotas() == {ANN: {"request_percentage": 0.5, "consumer_byte_rate": 6.0}}


async def test_what_is_not_there_may_be_taken(alter, broker):
    assert await alter((ANN, {PRODUCE: None, "colour": None}), ((("user", "bob"),), {})) == [ErrorCode.NONE] * 2
    assert broker.catalog.client_quotas() == {}


async def test_an_entity_is_altered_whole_or_not_and_its_neighbours_by_themselves(alter, broker):
    codes = await alter((ANN, {PRODUCE: 5.0, "colour": 1.0}), ((("client-id", "app"),), {PRODUCE: 6.0}), ((), {}))
    assert codes == [ErrorCode.INVALID_REQUEST, ErrorCode.NONE, ErrorCode.INVALID_REQUEST]
    assert broker.catalog.client_quotas() == {(("client-id", "app"),): {PRODUCE: 6.0}}


async def test_an_entity_that_comes_twice_is_refused_once_and_not_altered(alter, broker):
    """Kafka alters it as the first says, and answers that it did not."""
    both = [("user", "ann"), ("client-id", "app")]
    codes = await alter((both, {PRODUCE: 5.0}), (both[::-1], {PRODUCE: 6.0}))
    assert codes == [ErrorCode.INVALID_REQUEST]
    assert broker.catalog.client_quotas() == {}


async def test_a_quota_that_comes_twice_is_refused(alter, broker):
    assert await alter((ANN, [(PRODUCE, 5.0), (PRODUCE, 6.0)])) == [ErrorCode.INVALID_REQUEST]
    assert broker.catalog.client_quotas() == {}


async def test_a_trial_changes_nothing(alter, broker):
    assert await alter((ANN, {PRODUCE: 5.0}), validate_only=True) == [ErrorCode.NONE]
    assert await alter((ANN, {PRODUCE: 0.0}), validate_only=True) == [ErrorCode.INVALID_REQUEST]
    assert broker.catalog.client_quotas() == {}


async def test_a_quota_counts_when_it_is_answered(alter, broker):
    await alter(((("client-id", "test"),), {PRODUCE: 5.0}))
    assert broker.quotas.limits_of("test").produce.bound == 5
    await alter(((("client-id", "test"),), {PRODUCE: None}))
    assert not broker.quotas.are_set


async def test_nothing_asked_for_is_nothing_answered(alter):
    assert await alter() == []
