"""IncrementalAlterConfigs: single configs that are set, removed, or changed as lists (KIP-339).

Two requests at the same time both take effect: each works on what the one before has left.
"""

from __future__ import annotations

from drave.broker.altering import Alteration, Step, alter_configs
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


async def incremental_alter_configs(
    broker: Broker, context: Context, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    """Durable when answered; an error belongs to its resource alone."""
    alterations = [_alteration(resource) for resource in request.resources]
    outcomes = await alter_configs(broker, alterations, validate_only=request.validate_only)
    return IncrementalAlterConfigsResponse(
        responses=[AlterConfigsResourceResponse(**each._asdict()) for each in outcomes]
    )


def _alteration(resource: AlterConfigsResource) -> Alteration:
    steps = [Step(config.name, config.config_operation, config.value) for config in resource.configs]
    return Alteration(resource.resource_type, resource.resource_name, steps)
