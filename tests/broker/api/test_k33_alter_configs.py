"""AlterConfigs: checked against what Apache Kafka 4.3.1 answers; what it shares with key 44 is tested there."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k33_alter_configs import AlterableConfig, AlterConfigsRequest, AlterConfigsResource

TOPIC, BROKER, LOGGER = 2, 4, 8


@pytest.fixture
def replace(see):
    """`await replace(TOPIC, "rides", ("retention.ms", "5"))`: the error code."""

    async def replace(type_, name, *configs, version=None, validate_only=False):
        resource = AlterConfigsResource(
            resource_type=type_,
            resource_name=name,
            configs=[AlterableConfig(name=config, value=value) for config, value in configs],
        )
        asked = AlterConfigsRequest(resources=[resource], validate_only=validate_only)
        (response,) = (await see(asked, version)).responses
        return response.error_code

    return replace


def configs(broker):
    return dict(broker.catalog.topic("rides").configs)


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_what_is_not_named_goes_back_to_its_default(replace, asker, broker, version):
    topic = await asker.create_topic("rides", retention_ms="5", flush_ms="9")
    assert await replace(TOPIC, "rides", ("retention.bytes", "1"), version=version) == 0
    assert configs(broker) == {"retention.bytes": "1"}
    assert broker.logs.partition(topic.topic_id, 0).config.retention_ms == 604_800_000
    assert await replace(TOPIC, "rides", version=version) == 0
    assert configs(broker) == {}


async def test_a_brokers_settings_are_replaced_too(replace, broker):
    assert await replace(BROKER, "1", ("max.connections", "5")) == 0
    assert await replace(BROKER, "1", ("producer.id.expiration.ms", "6")) == 0
    assert (broker.settings.connections_max, broker.settings.storage.producer_id_expiration_ms) == (10_000, 6)


@pytest.mark.parametrize(
    ("type_", "name", "asked", "code"),
    [
        (TOPIC, "rides", [("retention.ms", None)], ErrorCode.INVALID_REQUEST),
        (TOPIC, "rides", [("retention.ms", "1"), ("retention.ms", "2")], ErrorCode.INVALID_REQUEST),
        (TOPIC, "rides", [("retention.ms", "x")], ErrorCode.INVALID_CONFIG),
        (TOPIC, "rides", [("no.such", "1")], ErrorCode.INVALID_CONFIG),
        (TOPIC, "nope", [], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (BROKER, "1", [("num.partitions", "1")], ErrorCode.INVALID_REQUEST),
        (LOGGER, "1", [("drave.log", "INFO")], ErrorCode.INVALID_REQUEST),
        (99, "x", [], ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_is_wrong_is_refused_and_changes_nothing(replace, asker, broker, type_, name, asked, code):
    await asker.create_topic("rides", retention_ms="5")
    assert await replace(type_, name, *asked) == code
    assert configs(broker) == {"retention.ms": "5"}


async def test_validation_alone_changes_nothing(replace, asker, broker):
    await asker.create_topic("rides", retention_ms="5")
    assert await replace(TOPIC, "rides", ("segment.ms", "7"), validate_only=True) == 0
    assert configs(broker) == {"retention.ms": "5"}
