"""Configs that change while a real broker runs: what they change is seen by the next request, and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drave.model.errors import ErrorCode
from drave.testing import Broker
from drave.wire.api import ApiKey
from drave.wire.messages.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.net.raw import Connection, good_batch

TOPIC, BROKER = 2, 4
SET, DELETE = 0, 1


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


def alter(client: Connection, type_: int, name: str, config: str, value: str | None) -> ErrorCode:
    step = AlterableConfig(name=config, config_operation=DELETE if value is None else SET, value=value)
    resource = AlterConfigsResource(resource_type=type_, resource_name=name, configs=[step])
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)
    return ErrorCode(client.ask(ApiKey.INCREMENTAL_ALTER_CONFIGS, 1, request).responses[0].error_code)


def value(client: Connection, type_: int, name: str, config: str) -> str | None:
    resource = DescribeConfigsResource(resource_type=type_, resource_name=name, configuration_keys=[config])
    answer = client.ask(ApiKey.DESCRIBE_CONFIGS, 4, DescribeConfigsRequest(resources=[resource]))
    (found,) = answer.results[0].configs
    return found.value


def test_the_next_produce_meets_the_new_limit_of_its_topic(running: Broker) -> None:
    batch = good_batch(b"x" * 200)
    with Connection(running.port) as client:
        client.create("rides")
        assert client.produce("rides", batch) == (ErrorCode.NONE, 0)
        assert alter(client, BROKER, "", "message.max.bytes", "100") == ErrorCode.NONE
        assert client.produce("rides", batch)[0] == ErrorCode.MESSAGE_TOO_LARGE
        assert alter(client, TOPIC, "rides", "max.message.bytes", "1000") == ErrorCode.NONE
        assert client.produce("rides", batch) == (ErrorCode.NONE, 1)


def test_the_next_connection_meets_the_new_limit_of_the_broker(running: Broker) -> None:
    with Connection(running.port) as client:
        assert alter(client, BROKER, "1", "max.connections", "1") == ErrorCode.NONE
        with Connection(running.port) as second:
            assert second.rest() == b""
        assert alter(client, BROKER, "1", "max.connections", None) == ErrorCode.NONE
        with Connection(running.port) as third:
            assert third.create("rides") == ErrorCode.NONE


def test_all_of_it_outlives_a_restart(running: Broker) -> None:
    batch = good_batch(b"x" * 200)
    with Connection(running.port) as client:
        client.create("rides")
        alter(client, BROKER, "", "message.max.bytes", "100")
        alter(client, BROKER, "1", "producer.id.expiration.ms", "5000")
        alter(client, TOPIC, "rides", "retention.ms", "7000")
    running.restart()
    with Connection(running.port) as client:
        assert value(client, TOPIC, "rides", "retention.ms") == "7000"
        assert value(client, BROKER, "1", "producer.id.expiration.ms") == "5000"
        assert value(client, TOPIC, "rides", "max.message.bytes") == "100"
        assert client.produce("rides", batch)[0] == ErrorCode.MESSAGE_TOO_LARGE
