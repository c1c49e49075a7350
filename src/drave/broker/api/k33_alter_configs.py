"""AlterConfigs: the whole set of a resource's own configs, replaced at once.

What the request does not name goes back to its default, which is why clients prefer IncrementalAlterConfigs.
"""

from __future__ import annotations

from drave.broker.altering import Alteration, Operation, Step, alter_configs
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.wire.messages.k33_alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


async def replace_configs(broker: Broker, context: Context, request: AlterConfigsRequest) -> AlterConfigsResponse:
    """Durable when answered; an error belongs to its resource alone."""
    alterations = [_alteration(resource) for resource in request.resources]
    outcomes = await alter_configs(broker, alterations, validate_only=request.validate_only)
    return AlterConfigsResponse(responses=[AlterConfigsResourceResponse(**each._asdict()) for each in outcomes])


def _alteration(resource: AlterConfigsResource) -> Alteration:
    steps = [Step(config.name, Operation.SET, config.value) for config in resource.configs]
    return Alteration(resource.resource_type, resource.resource_name, steps, replaces=True)
