"""ListConfigResources: checked against what Apache Kafka 4.3.1 answers."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k74_list_config_resources import ListConfigResourcesRequest

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32


async def listed(see, *types, version=1):
    response = await see(ListConfigResourcesRequest(resource_types=list(types)), version)
    assert response.error_code == 0
    return [(each.resource_type, each.resource_name) for each in response.config_resources]


async def test_topics_this_broker_and_its_loggers_have_configs(see, asker):
    await asker.create_topic("rides")
    assert await listed(see) == [(TOPIC, "rides"), (BROKER, "1"), (LOGGER, "1")]


async def test_only_the_types_that_were_asked_for_are_listed_once(see, asker):
    await asker.create_topic("rides")
    assert await listed(see, BROKER, BROKER) == [(BROKER, "1")]
    assert await listed(see, METRICS, GROUP) == []


@pytest.mark.parametrize("types", [[99], [0], [TOPIC, 99]])
async def test_a_type_that_does_not_exist_fails_the_request(see, types):
    response = await see(ListConfigResourcesRequest(resource_types=types))
    assert (response.error_code, response.config_resources) == (ErrorCode.UNSUPPORTED_VERSION, [])


async def test_the_first_version_lists_client_metrics_of_which_there_are_none(see, asker):
    await asker.create_topic("rides")
    assert await listed(see, version=0) == []


async def test_a_group_is_listed_once_somebody_has_set_something_on_it(see, broker):
    await broker.catalog.alter_group_configs("readers", lambda _: {"consumer.session.timeout.ms": "50000"})
    assert await listed(see, GROUP) == [(GROUP, "readers")]
