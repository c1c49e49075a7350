"""IncrementalAlterConfigs: checked against what Apache Kafka 4.3.1 answers."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.altering import Alteration, Operation, Step, altered
from drave.broker.configs import ResourceType
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def request(*resources, validate_only=False):
    return IncrementalAlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=type_,
                resource_name=name,
                configs=[
                    AlterableConfig(name=config, config_operation=operation, value=value)
                    for config, operation, value in steps
                ],
            )
            for type_, name, *steps in resources
        ],
        validate_only=validate_only,
    )


@pytest.fixture
def alter(see):
    """`await alter((TOPIC, "rides", ("retention.ms", SET, "5")), …)`: the error code for each resource."""

    async def alter(*resources, version=None, **options):
        responses = (await see(request(*resources, **options), version)).responses
        assert [(each.resource_type, each.resource_name) for each in responses] == [each[:2] for each in resources]
        assert all((each.error_message is None) == (each.error_code == 0) for each in responses)
        return [each.error_code for each in responses]

    return alter


def configs(broker, name="rides"):
    return dict(broker.catalog.topic(name).configs)


@pytest.mark.parametrize("version", [0, 1])
async def test_a_config_is_set_and_deleted_and_the_others_stay(alter, asker, broker, version):
    await asker.create_topic("rides", flush_ms="9")
    steps = ("retention.ms", SET, " 5 "), ("segment.ms", SET, "7")
    assert await alter((TOPIC, "rides", *steps), version=version) == [0]
    assert configs(broker) == {"flush.ms": "9", "retention.ms": " 5 ", "segment.ms": "7"}
    assert await alter((TOPIC, "rides", ("segment.ms", DELETE, None), ("no.such", DELETE, "x"))) == [0]
    assert configs(broker) == {"flush.ms": "9", "retention.ms": " 5 "}


async def test_the_log_acts_on_it_when_it_is_answered(alter, asker, broker):
    topic = await asker.create_topic("rides", partitions=2)
    await alter((TOPIC, "rides", ("retention.ms", SET, "5"), ("cleanup.policy", SET, "compact")))
    for index in range(2):
        config = broker.logs.partition(topic.topic_id, index).config
        assert (config.retention_ms, config.cleanup_compact, config.cleanup_delete) == (5, True, False)


async def test_lists_grow_and_shrink_from_their_default(alter, asker, broker):
    await asker.create_topic("rides")
    seen = []
    for operation, items in [
        (APPEND, "compact"),
        (APPEND, " delete , compact"),
        (SUBTRACT, "delete,x"),
        (SUBTRACT, "compact"),
    ]:
        assert await alter((TOPIC, "rides", ("cleanup.policy", operation, items))) == [0]
        seen.append(configs(broker)["cleanup.policy"])
    assert seen == ["delete,compact", "delete,compact", "compact", ""]


ITEMS = st.lists(st.sampled_from("abcd"), max_size=5)


@given(start=ITEMS, steps=st.lists(st.tuples(st.sampled_from([APPEND, SUBTRACT]), ITEMS), max_size=4))
def test_lists_behave_as_ordered_sets(start, steps):
    configs = {"a.list": ",".join(start)}
    expected = dict.fromkeys(start)
    for operation, items in steps:
        step = Step("a.list", operation, ",".join(items))
        configs = altered(configs, Alteration(ResourceType.TOPIC, "rides", [step]), lambda _: "default")
        expected = (
            {**expected, **dict.fromkeys(items)}
            if operation == APPEND
            else {item: None for item in expected if item not in items}
        )
    assert list(dict.fromkeys(filter(None, configs["a.list"].split(",")))) == list(expected)


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        (ErrorCode.INVALID_CONFIG, [("no.such", SET, "1")]),
        (ErrorCode.INVALID_CONFIG, [("", SET, "1")]),
        (ErrorCode.INVALID_CONFIG, [("retention.ms", SET, "x")]),
        (ErrorCode.INVALID_CONFIG, [("retention.ms", SET, "")]),
        (ErrorCode.INVALID_CONFIG, [("retention.ms", SET, "-2")]),
        (ErrorCode.INVALID_CONFIG, [("segment.ms", SET, "5"), ("retention.ms", SET, "-2")]),
        (ErrorCode.INVALID_CONFIG, [("cleanup.policy", SET, "compact,,delete")]),
        (ErrorCode.INVALID_CONFIG, [("cleanup.policy", APPEND, "shred")]),
        (ErrorCode.INVALID_CONFIG, [("retention.ms", APPEND, "5")]),
        (ErrorCode.INVALID_CONFIG, [("retention.ms", SUBTRACT, "5")]),
        (ErrorCode.INVALID_CONFIG, [("no.such", APPEND, "5")]),
        (ErrorCode.INVALID_CONFIG, [("remote.storage.enable", SET, "true")]),
        (ErrorCode.INVALID_CONFIG, [("preallocate", SET, "true")]),
        (ErrorCode.INVALID_CONFIG, [("message.downconversion.enable", SET, "true")]),
        (ErrorCode.INVALID_REQUEST, [("retention.ms", SET, None)]),
        (ErrorCode.INVALID_REQUEST, [("cleanup.policy", APPEND, None)]),
        (ErrorCode.INVALID_REQUEST, [("retention.ms", 7, "1")]),
        (ErrorCode.INVALID_REQUEST, [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)]),
    ],
)
async def test_what_is_wrong_is_refused_and_changes_nothing(alter, asker, broker, code, steps):
    await asker.create_topic("rides", retention_ms="5")
    assert await alter((TOPIC, "rides", *steps)) == [code]
    assert configs(broker) == {"retention.ms": "5"}


async def test_what_a_broker_of_this_durability_cannot_honour_is_refused(alter, asker):
    """The one under test leaves it to the operating system when to write."""
    await asker.create_topic("rides")
    assert await alter((TOPIC, "rides", ("flush.ms", SET, "5"))) == [ErrorCode.INVALID_CONFIG]


async def test_an_old_config_that_can_no_longer_be_honoured_does_not_stand_in_the_way(alter, asker, broker):
    await asker.create_topic("rides", flush_ms="5")
    assert await alter((TOPIC, "rides", ("retention.ms", SET, "5"))) == [0]


async def test_each_resource_is_changed_or_refused_by_itself(alter, asker, broker):
    await asker.create_topic("rides")
    await asker.create_topic("fares")
    five = ("retention.ms", SET, "5")
    codes = await alter(
        (TOPIC, "rides", five), (TOPIC, "nope", five), (TOPIC, "fares", five), (TOPIC, "fares", ("flush.ms", SET, "1"))
    )
    assert codes == [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST]
    assert (configs(broker), configs(broker, "fares")) == ({"retention.ms": "5"}, {})


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ((TOPIC, "a b", ("retention.ms", SET, "3")), ErrorCode.INVALID_TOPIC_EXCEPTION),
        ((TOPIC, "", ("retention.ms", SET, "3")), ErrorCode.INVALID_REQUEST),
        ((TOPIC, "nope"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ((TOPIC, "nope", ("no.such", SET, "3")), ErrorCode.INVALID_CONFIG),
        ((TOPIC, "nope", ("retention.ms", SET, None)), ErrorCode.INVALID_REQUEST),
        ((BROKER, "7", ("max.connections", SET, "5")), ErrorCode.INVALID_REQUEST),
        ((BROKER, "x", ("max.connections", SET, "5")), ErrorCode.INVALID_REQUEST),
        ((BROKER, "1", ("num.partitions", SET, "5")), ErrorCode.INVALID_REQUEST),
        ((BROKER, "1", ("max.connections", SET, "x")), ErrorCode.INVALID_REQUEST),
        ((BROKER, "", ("max.connections", SET, "-1")), ErrorCode.INVALID_REQUEST),
        ((BROKER, "1", ("max.connections", APPEND, "1")), ErrorCode.INVALID_CONFIG),
        ((BROKER, "1", ("no.such", SET, "1")), ErrorCode.INVALID_REQUEST),
        ((LOGGER, "7", ("drave.log", SET, "INFO")), ErrorCode.INVALID_REQUEST),
        ((LOGGER, "", ("drave.log", SET, "INFO")), ErrorCode.INVALID_REQUEST),
        ((LOGGER, "1", ("drave.log", SET, "info")), ErrorCode.INVALID_CONFIG),
        ((LOGGER, "1", ("drave.log", SUBTRACT, "INFO")), ErrorCode.INVALID_REQUEST),
        ((LOGGER, "1", ("root", SET, "INFO")), ErrorCode.INVALID_CONFIG),
        ((METRICS, "m", ("interval.ms", SET, "5000")), ErrorCode.INVALID_REQUEST),
        ((METRICS, ""), ErrorCode.INVALID_REQUEST),
        ((GROUP, "g", ("consumer.session.timeout.ms", SET, "70000")), ErrorCode.INVALID_CONFIG),
        ((GROUP, "g", ("consumer.session.timeout.ms", SET, "44999")), ErrorCode.INVALID_CONFIG),
        ((GROUP, "g", ("consumer.session.timeout.ms", APPEND, "50000")), ErrorCode.INVALID_CONFIG),
        ((GROUP, "g", ("retention.ms", SET, "50000")), ErrorCode.INVALID_CONFIG),
        ((GROUP, ""), ErrorCode.INVALID_REQUEST),
        ((3, "x", ("a", SET, "3")), ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_has_no_such_configs_is_refused(alter, resource, code):
    assert await alter(resource) == [code]


async def test_nothing_to_do_is_done(alter, asker):
    await asker.create_topic("rides")
    assert await alter((TOPIC, "rides"), (BROKER, "1"), (BROKER, ""), (LOGGER, "1"), (METRICS, "m"), (GROUP, "g")) == [
        0,
        0,
        0,
        0,
        0,
        0,
    ]
    assert await alter((GROUP, "g", ("any", DELETE, None)), (METRICS, "m", ("any", DELETE, None))) == [0, 0]


async def test_validation_alone_refuses_the_same_and_changes_nothing(alter, asker, broker):
    await asker.create_topic("rides")
    codes = await alter(
        (TOPIC, "rides", ("retention.ms", SET, "5")),
        (BROKER, "1", ("max.connections", SET, "5")),
        (LOGGER, "1", ("drave.log", SET, "ERROR")),
        (BROKER, "", ("max.connections", SET, "x")),
        validate_only=True,
    )
    assert codes == [0, 0, 0, ErrorCode.INVALID_REQUEST]
    assert (configs(broker), broker.catalog.broker_configs(1)) == ({}, {})
    assert logging.getLogger("drave.log").level == logging.NOTSET


async def test_two_alterations_at_the_same_time_both_take_effect(alter, asker, broker):
    await asker.create_topic("rides")
    await asyncio.gather(
        alter((TOPIC, "rides", ("retention.ms", SET, "5"))), alter((TOPIC, "rides", ("segment.ms", SET, "7")))
    )
    assert configs(broker) == {"retention.ms": "5", "segment.ms": "7"}


# -- the broker's own


async def test_what_a_broker_is_set_to_wins_over_all_brokers_and_both_over_its_start(alter, broker):
    assert broker.settings.connections_max == 10_000
    await alter((BROKER, "", ("max.connections", SET, "600")))
    assert broker.settings.connections_max == 600
    await alter((BROKER, "01", ("max.connections", SET, "500")))
    assert broker.settings.connections_max == 500
    await alter((BROKER, "1", ("max.connections", DELETE, None)))
    assert broker.settings.connections_max == 600
    await alter((BROKER, "", ("max.connections", DELETE, None), ("num.partitions", DELETE, None)))
    assert broker.settings.connections_max == 10_000


async def test_topics_inherit_at_once_what_they_do_not_say_themselves(alter, asker, broker):
    plain, own = await asker.create_topic("rides"), await asker.create_topic("fares", retention_ms="5")
    await alter((BROKER, "1", ("log.retention.ms", SET, "7"), ("message.max.bytes", SET, "900")))
    seen = [(broker.logs.partition(each.topic_id, 0).config, broker.catalog.topic(each.name)) for each in (plain, own)]
    assert [(config.retention_ms, config.max_message_bytes) for config, _ in seen] == [(7, 900), (5, 900)]
    assert all(config == topic.config for config, topic in seen)
    assert (await asker.create_topic("later")).config.retention_ms == 7


async def test_a_broker_that_comes_back_has_what_was_set_on_it(alter, asker, broker):
    """Catalog and logs are opened with what the command line says; the broker tells them the rest."""
    topic = await asker.create_topic("rides")
    await alter((BROKER, "", ("max.connections", SET, "9"), ("log.retention.ms", SET, "8")))
    catalog = broker.catalog.reopened()
    catalog.set_topic_defaults({})
    broker.logs.configure(topic.topic_id, catalog.topic("rides").config)
    assert broker.logs.partition(topic.topic_id, 0).config.retention_ms == 604_800_000
    again = Broker(
        broker.layers.started,
        clock=broker.clock,
        entropy=broker.entropy,
        scheduler=broker.scheduler,
        catalog=catalog,
        logs=broker.logs,
    )
    assert again.settings.connections_max == 9
    assert again.topic("rides").config.retention_ms == 8
    assert broker.logs.partition(topic.topic_id, 0).config.retention_ms == 8


async def test_a_logger_says_as_much_as_it_is_told_to(alter):
    logger = logging.getLogger("drave.log")
    try:
        assert await alter((LOGGER, "1", ("drave.log", SET, "FATAL"))) == [0]
        assert logger.level == logging.CRITICAL
        refused = ("drave.log", SET, "TRACE"), ("drave.nope", SET, "TRACE")
        assert await alter((LOGGER, "1", *refused)) == [ErrorCode.INVALID_CONFIG]
        assert logger.level == logging.CRITICAL
    finally:
        assert await alter((LOGGER, "1", ("drave.log", DELETE, None))) == [0]
    assert logger.level == logging.NOTSET


def test_operations_are_the_protocols():
    assert [Operation.SET, Operation.DELETE, Operation.APPEND, Operation.SUBTRACT] == [0, 1, 2, 3]


async def test_what_a_group_is_set_to_its_members_are_told_at_once(alter, broker):
    config = broker.groups.config
    assert await alter((GROUP, "readers", ("consumer.heartbeat.interval.ms", SET, "6000"))) == [0]
    assert config("readers").number("consumer.heartbeat.interval.ms") == 6000
    assert config("others").number("consumer.heartbeat.interval.ms") == 5000
    assert await alter((GROUP, "readers", ("consumer.heartbeat.interval.ms", DELETE, None))) == [0]
    assert config("readers").number("consumer.heartbeat.interval.ms") == 5000
    assert not broker.catalog.group_configs()


async def test_a_group_whose_alteration_is_only_tried_stays_as_it_was(alter, broker):
    assert await alter((GROUP, "g", ("consumer.session.timeout.ms", SET, "50000")), validate_only=True) == [0]
    assert not broker.catalog.group_configs()
