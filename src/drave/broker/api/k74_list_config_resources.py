"""ListConfigResources: what has configs of its own (KIP-1142).

Every topic, this broker and its loggers do, and groups that somebody has set something on. There are no subscriptions
to client metrics, which is all that the first version could ask for, under the name of ListClientMetricsResources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from drave.broker.configs import ResourceType
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k74_list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

TYPES_SINCE: Final = 1
"""KIP-1142. The version before lists client metrics."""


def list_config_resources(
    broker: Broker, context: Context, request: ListConfigResourcesRequest
) -> ListConfigResourcesResponse:
    """No types at all ask for everything; one that is unknown fails the request, as in Kafka."""
    if context.api_version < TYPES_SINCE:
        wanted: Iterable[int] = (ResourceType.CLIENT_METRICS,)
    else:
        wanted = dict.fromkeys(request.resource_types) or NAMES
    if not NAMES.keys() >= set(wanted):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, config_resources=[])
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=type_) for type_ in wanted for name in NAMES[type_](broker)
        ]
    )


def _topics(broker: Broker) -> Iterable[str]:
    return broker.catalog.topics()


def _brokers(broker: Broker) -> Iterable[str]:
    return (str(broker.node_id),)


def _groups(broker: Broker) -> Iterable[str]:
    """Those that somebody has set something on."""
    return broker.catalog.group_configs()


def _none(broker: Broker) -> Iterable[str]:
    return ()


NAMES: Final[Mapping[int, Callable[[Broker], Iterable[str]]]] = {
    ResourceType.TOPIC: _topics,
    ResourceType.BROKER: _brokers,
    ResourceType.BROKER_LOGGER: _brokers,
    ResourceType.CLIENT_METRICS: _none,
    ResourceType.GROUP: _groups,
}
