"""DescribeCluster: checked against what Apache Kafka 4.3.1 answers."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k60_describe_cluster import DescribeClusterRequest


@pytest.mark.parametrize("version", range(3))
async def test_it_tells_the_cluster_and_its_one_broker(see, broker, version):
    response = await see(DescribeClusterRequest(include_cluster_authorized_operations=False), version)
    assert (response.error_code, response.error_message) == (0, None)
    assert response.cluster_id == broker.catalog.cluster_id
    assert response.controller_id == 1
    assert [(each.broker_id, each.host, each.port, each.rack, each.is_fenced) for each in response.brokers] == [
        (1, "127.0.0.1", 9092, None, False)
    ]
    assert response.cluster_authorized_operations == -(2**31)


async def test_who_asks_is_told_what_may_be_done(see):
    """KIP-430."""
    response = await see(DescribeClusterRequest(include_cluster_authorized_operations=True))
    assert response.cluster_authorized_operations == 8096


@pytest.mark.parametrize(
    ("endpoint_type", "code"), [(2, ErrorCode.MISMATCHED_ENDPOINT_TYPE), (3, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)]
)
async def test_there_are_no_controllers_to_describe(see, endpoint_type, code):
    """KIP-919."""
    request = DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=endpoint_type)
    response = await see(request)
    assert (response.error_code, response.brokers, response.cluster_id) == (code, [], "")
    assert response.error_message
