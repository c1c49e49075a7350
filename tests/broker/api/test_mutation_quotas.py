"""The controller_mutation_rate: partitions made and deleted, by requests that know of it and by those that do not.

KIP-599, as Apache Kafka 4.3.1 answers. The rate is 1 a second, so 11 partitions may be changed at once.
"""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic
from drave.wire.messages.k19_create_topics import CreatableTopic, CreateTopicsRequest
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from drave.wire.messages.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic

EXCEEDED = ErrorCode.THROTTLING_QUOTA_EXCEEDED
OLD_CREATE, NEW_CREATE = 5, 6
OLD_DELETE, NEW_DELETE = 4, 5
OLD_GROW, NEW_GROW = 2, 3


@pytest.fixture
async def limited(broker):
    await broker.catalog.alter_client_quotas({(("client-id", "test"),): {"controller_mutation_rate": 1.0}})


@pytest.fixture
def create(see):
    async def create(*names, partitions=1, version=NEW_CREATE, validate_only=False):
        topics = [
            CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, assignments=[], configs=[])
            for name in names
        ]
        response = await see(CreateTopicsRequest(topics=topics, validate_only=validate_only), version)
        return response.throttle_time_ms, [result.error_code for result in response.topics]

    return create


@pytest.fixture
def delete(see):
    async def delete(*names, version=NEW_DELETE):
        states = [DeleteTopicState(name=name, topic_id=ZERO_TOPIC_ID) for name in names]
        response = await see(DeleteTopicsRequest(topics=states, topic_names=list(names), timeout_ms=9), version)
        return response.throttle_time_ms, [result.error_code for result in response.responses]

    return delete


@pytest.fixture
def grow(see):
    async def grow(name, count, version=NEW_GROW):
        topics = [CreatePartitionsTopic(name=name, count=count, assignments=None)]
        response = await see(CreatePartitionsRequest(topics=topics, timeout_ms=9, validate_only=False), version)
        return response.throttle_time_ms, [result.error_code for result in response.results]

    return grow


async def test_nobody_waits_without_a_quota(create):
    assert await create("rides", partitions=1000) == (0, [0])


@pytest.mark.usefixtures("limited")
async def test_the_bucket_may_be_overdrawn_and_then_nothing_is_made_until_it_has_filled(create, broker, clock):
    assert await create("rides", partitions=16) == (0, [0])
    assert await create("fares") == (5000, [EXCEEDED])
    assert "fares" not in broker.catalog.topics()
    clock.advance(5000)
    assert await create("fares") == (0, [0])


@pytest.mark.usefixtures("limited")
async def test_of_several_topics_those_are_made_for_which_something_is_left(create):
    assert await create("a", "b", "c", partitions=7) == (3000, [0, 0, EXCEEDED])


@pytest.mark.usefixtures("limited")
async def test_a_client_that_does_not_know_the_error_has_what_it_wants_and_waits_afterwards(create, broker):
    assert await create("rides", partitions=16, version=OLD_CREATE) == (5000, [0])
    assert await create("fares", version=OLD_CREATE) == (6000, [0])
    assert set(broker.catalog.topics()) == {"rides", "fares"}


@pytest.mark.usefixtures("limited")
async def test_what_is_refused_for_another_reason_costs_nothing(create, delete, grow):
    assert await create("a b", partitions=1000) == (0, [ErrorCode.INVALID_TOPIC_EXCEPTION])
    assert await delete("nope") == (0, [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    assert await grow("nope", 1000) == (0, [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    assert await create("rides", partitions=12) == (0, [0])
    assert await create("rides") == (0, [ErrorCode.TOPIC_ALREADY_EXISTS])


@pytest.mark.usefixtures("limited")
async def test_a_trial_costs_as_much_as_the_change(create):
    assert await create("rides", partitions=12, validate_only=True) == (0, [0])
    assert await create("rides") == (1000, [EXCEEDED])


@pytest.mark.usefixtures("limited")
async def test_deleting_costs_the_partitions_that_go(create, delete, clock, broker):
    await create("rides", "fares", partitions=11)
    clock.advance(22_000)
    assert await delete("rides", "fares") == (0, [0, 0])
    assert await delete("nope") == (0, [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    assert await create("rides") == (11_000, [EXCEEDED])


@pytest.mark.usefixtures("limited")
async def test_topics_stay_while_the_bucket_is_overdrawn(create, delete, broker):
    await create("rides", partitions=12)
    assert await delete("rides") == (1000, [EXCEEDED])
    assert await delete("rides", version=OLD_DELETE) == (13_000, [0])


@pytest.mark.usefixtures("limited")
async def test_more_partitions_cost_what_is_added(create, grow):
    await create("rides", partitions=2)
    assert await grow("rides", 12) == (0, [0])
    assert await grow("rides", 13) == (1000, [EXCEEDED])
    assert await grow("rides", 13, version=OLD_GROW) == (2000, [0])


@pytest.mark.usefixtures("limited")
async def test_a_topic_that_appears_by_asking_appears_when_something_is_left(create, see, clock):
    """Until then it is unknown, and clients ask again."""
    await create("rides", partitions=12)
    wanted = MetadataRequest(topics=[MetadataRequestTopic(name="fares")], allow_auto_topic_creation=True)
    (fares,) = (await see(wanted)).topics
    assert fares.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    clock.advance(1000)
    (fares,) = (await see(wanted)).topics
    assert fares.error_code == 0
