"""DescribeCluster: the cluster's id and its brokers."""

from __future__ import annotations

from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.topics import CLUSTER_OPERATIONS
from drave.model.errors import ErrorCode
from drave.wire.messages.k60_describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS: Final = 1
CONTROLLERS: Final = 2


def describe_cluster(broker: Broker, context: Context, request: DescribeClusterRequest) -> DescribeClusterResponse:
    """This broker, which is its own controller."""
    if request.endpoint_type == CONTROLLERS:  # KIP-919
        return _refused(ErrorCode.MISMATCHED_ENDPOINT_TYPE, "This endpoint is a broker's; there are no controllers.")
    if request.endpoint_type != BROKERS:
        return _refused(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"There are no endpoints of type {request.endpoint_type}.")
    host, port = broker.advertised(context)
    rack = broker.settings.rack or None
    response = DescribeClusterResponse(
        cluster_id=broker.catalog.cluster_id,
        controller_id=broker.node_id,
        brokers=[DescribeClusterBroker(broker_id=broker.node_id, host=host, port=port, rack=rack)],
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _refused(code: ErrorCode, message: str) -> DescribeClusterResponse:
    return DescribeClusterResponse(error_code=code, error_message=message, cluster_id="", brokers=[])
