"""DescribeCluster: the cluster's id and its brokers."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since


class DescribeClusterRequest(Struct, versions=(0, 2), flexible=0):
    include_cluster_authorized_operations: bool
    endpoint_type: int8 = since(1, default=1)  # KIP-919
    include_fenced_brokers: bool = since(2, default=False)  # KIP-1073


class DescribeClusterBroker(Struct):
    broker_id: int32
    host: str
    port: int32
    rack: str | None = None
    is_fenced: bool = since(2, default=False)  # KIP-1073


class DescribeClusterResponse(Struct, versions=(0, 2), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    endpoint_type: int8 = since(1, default=1)
    cluster_id: str
    controller_id: int32 = -1
    brokers: list[DescribeClusterBroker]
    cluster_authorized_operations: int32 = -(2**31)
