"""Metadata: checked case by case against Apache Kafka 4.3.1; where Drave differs, the test says so."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.model.setting import Address
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic

STRANGER = TopicId(b"\x07" * 16)
NOT_ASKED = -(2**31)


def ask_for(*topics: str | TopicId | None, auto: bool = False, operations: bool = False) -> MetadataRequest:
    asked = [
        MetadataRequestTopic(name=None, topic_id=topic)
        if isinstance(topic, bytes)
        else MetadataRequestTopic(name=topic)
        for topic in topics
    ]
    return MetadataRequest(
        topics=asked,
        allow_auto_topic_creation=auto,
        include_topic_authorized_operations=operations,
        include_cluster_authorized_operations=operations,
    )


def codes(response) -> list[tuple[str | None, int]]:
    return [(topic.name, topic.error_code) for topic in response.topics]


@pytest.fixture
async def rides(asker):
    return await asker.create_topic("rides", partitions=3)


async def test_it_tells_the_cluster_the_broker_and_every_partitions_leader(see, broker, rides):
    response = await see(ask_for("rides"))
    assert response.cluster_id == broker.catalog.cluster_id
    assert response.controller_id == 1
    assert [(each.node_id, each.host, each.port, each.rack) for each in response.brokers] == [
        (1, "127.0.0.1", 9092, None)
    ]
    (topic,) = response.topics
    assert (topic.error_code, topic.name, topic.topic_id, topic.is_internal) == (0, "rides", rides.topic_id, False)
    assert [partition.partition_index for partition in topic.partitions] == [0, 1, 2]
    for partition in topic.partitions:
        assert (partition.error_code, partition.leader_id) == (0, 1)
        assert (partition.replica_nodes, partition.isr_nodes, partition.offline_replicas) == ([1], [1], [])
        assert partition.leader_epoch == broker.partition(rides, 0).leader_epoch


async def test_clients_are_told_the_address_that_they_dialled_unless_another_is_configured(see, broker):
    broker.settings = dataclasses.replace(broker.settings, advertise=Address("kafka.example", 19092), rack="r1")
    (told,) = (await see(ask_for())).brokers
    assert (told.host, told.port, told.rack) == ("kafka.example", 19092, "r1")


@pytest.mark.parametrize(("version", "request_topics"), [(0, []), (1, None), (12, None), (13, None)])
async def test_all_topics_are_asked_for_with_null_and_in_version_0_with_an_empty_list(
    see, asker, rides, version, request_topics
):
    await asker.create_topic("cars")
    response = await see(MetadataRequest(topics=request_topics), version)
    assert sorted(codes(response)) == [("cars", 0), ("rides", 0)]


@pytest.mark.parametrize("version", [1, 13])
async def test_an_empty_list_asks_for_no_topic_from_version_1(see, rides, version):
    assert codes(await see(ask_for(), version)) == []


async def test_an_unknown_topic_is_unknown(see):
    assert codes(await see(ask_for("nope"))) == [("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]


async def test_a_topic_asked_for_twice_is_answered_once(see, rides):
    assert codes(await see(ask_for("rides", "nope", "rides", "nope"))) == [("rides", 0), ("nope", 3)]


@pytest.mark.parametrize("auto", [True, False])
async def test_an_illegal_name_is_an_invalid_topic(see, auto):
    response = await see(ask_for("a b", "", "x" * 250, auto=auto))
    assert [code for _, code in codes(response)] == [ErrorCode.INVALID_TOPIC_EXCEPTION] * 3


class TestByIds:
    """KIP-516."""

    @pytest.mark.parametrize("version", [12, 13])
    async def test_a_topic_is_found_by_its_id(self, see, rides, version):
        assert codes(await see(ask_for(rides.topic_id), version)) == [("rides", 0)]

    async def test_an_unknown_id_is_unknown_and_has_no_name(self, see):
        (topic,) = (await see(ask_for(STRANGER))).topics
        assert (topic.error_code, topic.name, topic.topic_id) == (ErrorCode.UNKNOWN_TOPIC_ID, None, STRANGER)

    async def test_a_deleted_topic_is_unknown_by_id(self, see, broker, rides):
        await broker.catalog.delete_topic(rides.topic_id)
        assert codes(await see(ask_for(rides.topic_id))) == [(None, ErrorCode.UNKNOWN_TOPIC_ID)]

    @pytest.mark.parametrize("version", [10, 11])
    async def test_versions_10_and_11_have_the_field_and_refuse_it(self, see, rides, version):
        response = await see(ask_for(rides.topic_id), version)
        assert codes(response) == [("", ErrorCode.INVALID_REQUEST)]
        assert response.brokers == []

    async def test_the_id_counts_where_the_name_says_otherwise(self, see, rides):
        request = MetadataRequest(topics=[MetadataRequestTopic(name="other", topic_id=rides.topic_id)])
        assert codes(await see(request)) == [("rides", 0)]

    async def test_names_are_passed_over_beside_an_id(self, see, rides):
        assert codes(await see(ask_for("nope", rides.topic_id, rides.topic_id, auto=True))) == [("rides", 0)]

    async def test_neither_name_nor_id_is_an_invalid_request(self, see):
        """Kafka fails with UNKNOWN_SERVER_ERROR here."""
        request = MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=ZERO_TOPIC_ID)])
        assert codes(await see(request)) == [(None, ErrorCode.INVALID_REQUEST)]


class TestAutoCreation:
    """Asking creates. Kafka answers UNKNOWN_TOPIC_OR_PARTITION first; Drave has created when it answers."""

    @pytest.mark.parametrize("version", [0, 3])
    async def test_before_version_4_asking_always_creates(self, see, broker, version):
        assert codes(await see(ask_for("fresh"), version)) == [("fresh", 0)]
        assert broker.catalog.topic("fresh").partitions == 1

    async def test_from_version_4_the_client_says_whether_it_does(self, see, broker):
        await see(ask_for("fresh", auto=False), 4)
        assert broker.catalog.topic("fresh") is None
        response = await see(ask_for("fresh", "other", auto=True), 4)
        assert codes(response) == [("fresh", 0), ("other", 0)]

    async def test_it_has_the_brokers_number_of_partitions(self, see, broker):
        broker.settings = dataclasses.replace(broker.settings, num_partitions=4)
        (topic,) = (await see(ask_for("fresh", auto=True))).topics
        assert len(topic.partitions) == 4

    async def test_the_broker_may_forbid_it(self, see, broker):
        broker.settings = dataclasses.replace(broker.settings, auto_create_topics=False)
        assert codes(await see(ask_for("fresh", auto=True))) == [("fresh", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]

    async def test_two_who_ask_at_once_get_the_same_topic(self, see):
        first, second = await asyncio.gather(see(ask_for("fresh", auto=True)), see(ask_for("fresh", auto=True)))
        assert first.topics[0].topic_id == second.topics[0].topic_id != ZERO_TOPIC_ID

    async def test_a_name_that_collides_is_invalid(self, see, asker):
        """Kafka says UNKNOWN_TOPIC_OR_PARTITION for ever, and clients ask for ever."""
        await asker.create_topic("a.b")
        assert codes(await see(ask_for("a_b", auto=True))) == [("a_b", ErrorCode.INVALID_TOPIC_EXCEPTION)]

    async def test_the_groups_topic_is_created_as_its_coordinator_does(self, see, broker):
        (topic,) = (await see(ask_for("__consumer_offsets", auto=True))).topics
        assert (topic.error_code, topic.is_internal, len(topic.partitions)) == (0, True, 50)
        assert broker.catalog.topic("__consumer_offsets").config.cleanup_compact

    async def test_topics_of_what_is_not_served_are_not_created(self, see):
        response = await see(ask_for("__transaction_state", "__share_group_state", "__cluster_metadata", auto=True))
        assert [(topic.error_code, topic.is_internal) for topic in response.topics] == [
            (3, True),
            (3, True),
            (3, False),
        ]


class TestAuthorizedOperations:
    """KIP-430: without authorization everybody may do everything; only who asks is told."""

    async def test_who_asks_is_told(self, see, rides):
        response = await see(ask_for("rides", "nope", operations=True), 10)
        assert response.cluster_authorized_operations == 8096
        assert [topic.topic_authorized_operations for topic in response.topics] == [3576, 3576]

    async def test_who_does_not_ask_is_not(self, see, rides):
        response = await see(ask_for("rides"), 10)
        assert response.cluster_authorized_operations == NOT_ASKED
        assert response.topics[0].topic_authorized_operations == NOT_ASKED

    async def test_an_unknown_id_has_none(self, see):
        (topic,) = (await see(ask_for(STRANGER, operations=True))).topics
        assert topic.topic_authorized_operations == NOT_ASKED
