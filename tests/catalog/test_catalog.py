"""What a catalog promises, whichever keeps it."""

from __future__ import annotations

import asyncio

import pytest

from drave.catalog import InvalidPartitions, InvalidTopic, NoSuchTopic, TopicAlreadyExists, TopicIdTaken
from drave.model.config import InvalidConfig
from drave.model.ids import ZERO_TOPIC_ID


async def test_a_topic_is_found_by_name_and_by_id_with_its_configs_parsed(catalog, entropy):
    topic_id = entropy.topic_id()
    topic = await catalog.create_topic("rides", topic_id, 3, {"retention.ms": " 5 "})
    assert catalog.topic("rides") is catalog.topic_by_id(topic_id) is catalog.topics()["rides"] is topic
    assert (topic.name, topic.topic_id, topic.partitions) == ("rides", topic_id, 3)
    assert topic.configs == {"retention.ms": " 5 "}
    assert topic.config.retention_ms == 5
    assert not topic.internal


async def test_everything_is_there_after_a_restart(place, entropy):
    catalog = place.catalog
    rides = await catalog.create_topic("rides", entropy.topic_id(), 3, {"cleanup.policy": "compact"})
    gone = await catalog.create_topic("gone", entropy.topic_id(), 1, {})
    await catalog.delete_topic(gone.topic_id)
    rides = await catalog.set_partitions(rides.topic_id, 7)
    await catalog.alter_broker_configs(None, lambda _: {"log.retention.ms": "é"})
    await catalog.next_producer_ids()
    again = place.reopen()
    assert again.cluster_id == catalog.cluster_id
    assert again.version == catalog.version == 4
    assert again.topics() == {"rides": rides}
    assert again.topic_by_id(rides.topic_id) == rides
    assert again.tombstones() == {gone.topic_id}
    assert again.broker_configs() == {"log.retention.ms": "é"}
    assert await again.next_producer_ids() == range(1000, 2000)


async def test_a_name_is_taken_once(catalog, entropy):
    await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    with pytest.raises(TopicAlreadyExists):
        await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    assert catalog.version == 1


async def test_two_topics_may_not_differ_in_dots_and_underscores_only(catalog, entropy):
    dots = await catalog.create_topic("a.b", entropy.topic_id(), 1, {})
    with pytest.raises(InvalidTopic, match=r"a\.b"):
        await catalog.create_topic("a_b", entropy.topic_id(), 1, {})
    await catalog.delete_topic(dots.topic_id)
    await catalog.create_topic("a_b", entropy.topic_id(), 1, {})


@pytest.mark.parametrize(
    ("name", "partitions", "configs", "refusal"),
    [
        ("a/b", 1, {}, InvalidTopic),
        ("a", 0, {}, InvalidPartitions),
        ("a", -1, {}, InvalidPartitions),
        ("a", 1, {"retention.ms": "x"}, InvalidConfig),
        ("a", 1, {"no.such": "x"}, InvalidConfig),
    ],
)
async def test_what_cannot_be_a_topic_is_refused_and_leaves_nothing(
    catalog, entropy, name, partitions, configs, refusal
):
    with pytest.raises(refusal):
        catalog.check_new_topic(name, partitions, configs)
    with pytest.raises(refusal):
        await catalog.create_topic(name, entropy.topic_id(), partitions, configs)
    assert not catalog.topics()
    assert catalog.version == 0


async def test_an_id_is_never_used_twice_nor_zero(catalog, entropy):
    first = await catalog.create_topic("first", entropy.topic_id(), 1, {})
    with pytest.raises(TopicIdTaken):
        await catalog.create_topic("second", first.topic_id, 1, {})
    await catalog.delete_topic(first.topic_id)
    with pytest.raises(TopicIdTaken):
        await catalog.create_topic("second", first.topic_id, 1, {})
    with pytest.raises(TopicIdTaken):
        await catalog.create_topic("second", ZERO_TOPIC_ID, 1, {})


async def test_a_deleted_topic_leaves_a_tombstone_until_it_is_forgotten(catalog, entropy):
    topic = await catalog.create_topic("rides", entropy.topic_id(), 2, {})
    assert await catalog.delete_topic(topic.topic_id) == topic
    assert catalog.topic("rides") is None
    assert catalog.topic_by_id(topic.topic_id) is None
    assert catalog.tombstones() == {topic.topic_id}
    with pytest.raises(NoSuchTopic):
        await catalog.delete_topic(topic.topic_id)
    await catalog.forget_tombstone(topic.topic_id)
    assert catalog.tombstones() == frozenset()
    await catalog.forget_tombstone(topic.topic_id)


async def test_a_deleted_name_can_be_taken_again_under_a_new_id(catalog, entropy):
    old = await catalog.create_topic("rides", entropy.topic_id(), 2, {})
    await catalog.delete_topic(old.topic_id)
    new = await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    assert catalog.topic("rides") is new
    assert catalog.topic_by_id(old.topic_id) is None


async def test_partitions_only_grow(catalog, entropy):
    topic = await catalog.create_topic("rides", entropy.topic_id(), 2, {})
    for asked in (2, 1, 0):
        with pytest.raises(InvalidPartitions):
            await catalog.set_partitions(topic.topic_id, asked)
    assert (await catalog.set_partitions(topic.topic_id, 3)).partitions == 3
    assert catalog.topic("rides").partitions == 3


async def test_configs_are_replaced_as_a_whole_or_not_at_all(catalog, entropy):
    topic = await catalog.create_topic("rides", entropy.topic_id(), 2, {"retention.ms": "5"})
    with pytest.raises(InvalidConfig):
        await catalog.alter_topic_configs(topic.topic_id, lambda _: {"retention.bytes": "1", "segment.ms": "x"})
    assert catalog.topic("rides").configs == {"retention.ms": "5"}
    await catalog.alter_topic_configs(topic.topic_id, lambda _: {"retention.bytes": "1"})
    assert catalog.topic("rides").configs == {"retention.bytes": "1"}
    assert catalog.topic("rides").config.retention_ms == 604_800_000


async def test_a_change_to_an_unknown_topic_is_refused(catalog, entropy):
    stranger = entropy.topic_id()
    for change in (
        catalog.delete_topic(stranger),
        catalog.set_partitions(stranger, 2),
        catalog.alter_topic_configs(stranger, lambda _: {}),
    ):
        with pytest.raises(NoSuchTopic):
            await change


async def test_listeners_hear_of_each_change_in_order_when_it_can_be_seen(catalog, entropy):
    heard = []
    catalog.subscribe(lambda change: heard.append((change.kind, change.version, catalog.topic(change.topic.name))))
    topic = await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    grown = await catalog.set_partitions(topic.topic_id, 2)
    retained = await catalog.alter_topic_configs(topic.topic_id, lambda _: {"retention.ms": "5"})
    await catalog.delete_topic(topic.topic_id)
    assert heard == [("created", 1, topic), ("partitions", 2, grown), ("configs", 3, retained), ("deleted", 4, None)]


async def test_a_listener_that_fails_keeps_nobody_from_hearing_what_has_happened(catalog, entropy, caplog):
    heard = []

    def failing(*_: object) -> None:
        raise RuntimeError("not my day")

    for subscribe in (catalog.subscribe, catalog.on_broker_configs):
        subscribe(failing)
        subscribe(lambda *what: heard.append(what))
    topic = await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    await catalog.alter_broker_configs(None, lambda _: {"max.connections": "5"})
    assert [change.topic for (change,) in heard[:1]] == [topic]
    assert heard[1:] == [()]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


async def test_a_view_of_the_topics_never_changes(catalog, entropy):
    view = catalog.topics()
    await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    assert dict(view) == {}
    with pytest.raises(TypeError):
        catalog.topics()["x"] = None


async def test_what_is_asked_for_at_once_happens_in_that_order(catalog, entropy):
    creations = [catalog.create_topic("rides", entropy.topic_id(), number, {}) for number in (1, 2, 3)]
    outcomes = await asyncio.gather(*creations, return_exceptions=True)
    assert outcomes[0].partitions == 1
    assert [type(outcome) for outcome in outcomes[1:]] == [TopicAlreadyExists, TopicAlreadyExists]


async def test_producer_ids_are_never_given_twice(place):
    blocks = [await place.catalog.next_producer_ids(10), await place.catalog.next_producer_ids(5)]
    blocks += await asyncio.gather(*(place.reopen().next_producer_ids(7) for _ in range(1)))
    assert blocks == [range(10), range(10, 15), range(15, 22)]


async def test_alterations_at_the_same_time_work_on_what_the_one_before_has_left(place, entropy):
    topic = await place.catalog.create_topic("rides", entropy.topic_id(), 1, {})

    def adding(name):
        return lambda configs: {**configs, name: "5"}

    names = ["retention.ms", "segment.ms", "flush.ms"]
    await asyncio.gather(
        *(place.catalog.alter_topic_configs(topic.topic_id, adding(name)) for name in names),
        *(place.catalog.alter_broker_configs(1, adding(name)) for name in names),
    )
    again = place.reopen()
    assert again.topic("rides").configs == again.broker_configs(1) == dict.fromkeys(names, "5")


async def test_what_an_alteration_refuses_is_not_changed(catalog, entropy):
    topic = await catalog.create_topic("rides", entropy.topic_id(), 1, {})

    def refuse(configs):
        raise InvalidConfig("any", None, "no")

    for change in (catalog.alter_topic_configs(topic.topic_id, refuse), catalog.alter_broker_configs(None, refuse)):
        with pytest.raises(InvalidConfig):
            await change
    assert (catalog.topic("rides"), catalog.broker_configs()) == (topic, {})


async def test_an_alteration_that_changes_nothing_is_no_change(catalog, entropy):
    heard = []
    topic = await catalog.create_topic("rides", entropy.topic_id(), 1, {"retention.ms": "5"})
    catalog.subscribe(heard.append)
    catalog.on_broker_configs(lambda: heard.append("broker"))
    assert await catalog.alter_topic_configs(topic.topic_id, dict) is topic
    await catalog.alter_broker_configs(None, dict)
    assert (heard, catalog.version) == ([], topic.version)


async def test_listeners_of_broker_configs_hear_when_they_can_be_seen(catalog):
    heard = []
    catalog.on_broker_configs(lambda: heard.append((dict(catalog.broker_configs()), dict(catalog.broker_configs(1)))))
    await catalog.alter_broker_configs(None, lambda _: {"max.connections": "5"})
    await catalog.alter_broker_configs(1, lambda _: {"max.connections": "6"})
    assert heard == [({"max.connections": "5"}, {}), ({"max.connections": "5"}, {"max.connections": "6"})]


ANN = (("user", "ann"),)
APP_OF_ALL = (("client-id", "app"), ("user", None))


async def test_quotas_are_given_and_taken_one_by_one_and_outlive_a_restart(place):
    catalog = place.catalog
    await catalog.alter_client_quotas({ANN: {"a": 1.0, "b": 0.25}, APP_OF_ALL: {"a": 2.0}})
    await catalog.alter_client_quotas({ANN: {"a": None, "c": 3.0}})
    assert catalog.client_quotas() == {ANN: {"b": 0.25, "c": 3.0}, APP_OF_ALL: {"a": 2.0}}
    assert place.reopen().client_quotas() == catalog.client_quotas()


async def test_who_has_lost_the_last_quota_is_forgotten(place):
    await place.catalog.alter_client_quotas({ANN: {"a": 1.0}})
    await place.catalog.alter_client_quotas({ANN: {"a": None}})
    assert (place.catalog.client_quotas(), place.reopen().client_quotas()) == ({}, {})


async def test_listeners_of_quotas_hear_of_every_change_when_it_can_be_seen(catalog):
    heard = []
    catalog.on_client_quotas(lambda: heard.append(dict(catalog.client_quotas())))
    await catalog.alter_client_quotas({ANN: {"a": 1.0}})
    await catalog.alter_client_quotas({ANN: {"a": 1.0}, APP_OF_ALL: {"b": None}})
    assert heard == [{ANN: {"a": 1.0}}]


async def test_other_defaults_change_the_topics_that_do_not_say_otherwise(catalog, entropy):
    await catalog.create_topic("plain", entropy.topic_id(), 1, {})
    await catalog.create_topic("own", entropy.topic_id(), 1, {"retention.ms": "5"})
    changed = catalog.set_topic_defaults({"retention.ms": "7"})
    assert [(topic.name, topic.config.retention_ms) for topic in changed] == [("plain", 7)]
    assert catalog.topic("plain") is changed[0] is catalog.topic_by_id(changed[0].topic_id)
    assert catalog.topic("own").config.retention_ms == 5
    assert catalog.set_topic_defaults({"retention.ms": "7"}) == []
    assert [topic.config.retention_ms for topic in catalog.set_topic_defaults({})] == [604_800_000]


async def test_the_brokers_defaults_stand_behind_a_topics_own(place, entropy):
    place.catalog.set_topic_defaults({"retention.ms": "7"})
    topic = await place.catalog.create_topic("rides", entropy.topic_id(), 1, {"segment.ms": "9"})
    assert (topic.config.retention_ms, topic.config.segment_ms) == (7, 9)
    assert topic.configs == {"segment.ms": "9"}


async def test_an_internal_topic_is_marked(catalog, entropy):
    assert (await catalog.create_topic("__consumer_offsets", entropy.topic_id(), 50, {})).internal
