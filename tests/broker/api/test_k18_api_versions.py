"""ApiVersions: the table that requests are answered from, and nothing that is not served."""

from __future__ import annotations

import pytest

from drave.broker.api.k18_api_versions import FEATURES, FEATURES_EPOCH
from drave.broker.dispatch import HANDLERS, UnsupportedRequest, route, unsupported_api_versions
from drave.model.errors import ErrorCode
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply
from drave.wire.messages.k18_api_versions import ApiVersionsRequest, ApiVersionsResponse
from tests.broker.still import StillBroker

VERSIONS = range(6)


def table(response: ApiVersionsResponse) -> dict[int, tuple[int, int]]:
    return {each.api_key: (each.min_version, each.max_version) for each in response.api_keys}


def from_client(name: str = "some-client", version: str = "1.0", **meant: object) -> ApiVersionsRequest:
    return ApiVersionsRequest(client_software_name=name, client_software_version=version, **meant)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_tells_the_same_table(still: StillBroker, version: int) -> None:
    response = still.ask(from_client(), version)
    assert response.error_code == ErrorCode.NONE
    assert table(response).keys() == {int(key) for key in HANDLERS}


def test_what_is_advertised_is_served_in_every_version(still: StillBroker) -> None:
    """But Produce 0 to 2, which old clients take for a sign that they may compress (KAFKA-18659)."""
    for key, (low, high) in table(still.ask(from_client())).items():
        served = [version for version in range(low, high + 1) if is_served(key, version)]
        assert served == list(range(3 if key == ApiKey.PRODUCE else low, high + 1))
        assert not is_served(key, high + 1)
        assert API[ApiKey(key)].versions[1] == high


def is_served(key: int, version: int) -> bool:
    try:
        route(key, version)
    except UnsupportedRequest:
        return False
    return True


@pytest.mark.parametrize("version", [3, 4, 5])
def test_each_feature_is_in_use_at_its_highest_level(still: StillBroker, version: int) -> None:
    """KIP-890, KIP-584. Before v4 a feature whose levels begin with 0 is not told as supported (KAFKA-17011)."""
    response = still.ask(from_client(), version)
    levels = {each.name: (each.min_version_level, each.max_version_level) for each in response.finalized_features}
    assert levels == {name: (level, level) for name, level in FEATURES.items()}
    assert levels["transaction.version"] == (2, 2)
    assert levels["group.version"] == (1, 1)
    supported = [(each.name, each.min_version, each.max_version) for each in response.supported_features]
    assert supported == ([(name, 0, level) for name, level in FEATURES.items()] if version >= 4 else [])
    assert response.finalized_features_epoch == FEATURES_EPOCH, "Java ignores -1, and what is not above what it knows"


def test_a_version_from_the_future_is_answered_in_version_0_with_the_table() -> None:
    """KIP-511. Kafka tells only its own key there; clients take either."""
    (frame,) = unsupported_api_versions(77)
    correlation_id, response = decode_reply(ApiKey.API_VERSIONS, 0, bytes(frame)[4:])
    assert (correlation_id, response.error_code) == (77, ErrorCode.UNSUPPORTED_VERSION)
    assert table(response)[ApiKey.API_VERSIONS] == (0, 5)


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize(
    ("name", "software_version", "is_fine"),
    [
        ("librdkafka", "2.15.0", True),
        ("a.b-c", "1.2-3", True),
        ("a" * 300, "1", True),
        ("", "1", False),
        ("a", "", False),
        ("a b", "1", False),
        ("a_b", "1", False),
        ("-a", "1", False),
        ("a.", "1", False),
        ("ä", "1", False),
        ("a\n", "1", False),
        ("a", "1\n", False),
        ("a", "1+2", False),
    ],
)
def test_software_has_a_name_that_can_stand_in_a_metric(
    still: StillBroker, name: str, software_version: str, is_fine: bool, version: int
) -> None:
    """KIP-511."""
    response = still.ask(from_client(name, software_version), version)
    assert response.error_code == (ErrorCode.NONE if is_fine else ErrorCode.INVALID_REQUEST)
    assert bool(response.api_keys) is is_fine


@pytest.mark.parametrize("version", [0, 1, 2])
def test_software_without_a_name_was_fine_before(still: StillBroker, version: int) -> None:
    assert still.ask(ApiVersionsRequest(), version).error_code == ErrorCode.NONE


@pytest.mark.parametrize(
    ("cluster", "node", "is_right"),
    [
        ("this", "this", True),
        ("this", "another", False),
        ("another", "this", False),
        ("another", "unknown", False),
        ("this", "unknown", True),
        ("unknown", "unknown", True),
        ("unknown", "another", True),
    ],
)
def test_a_connection_that_was_meant_for_another_broker_is_told_so(
    still: StillBroker, cluster: str, node: str, is_right: bool
) -> None:
    """KIP-1242. A client that knows no cluster yet is not asked about the node."""
    broker = still.broker
    cluster_id = {"this": broker.catalog.cluster_id, "another": "somewhere-else", "unknown": None}[cluster]
    node_id = {"this": broker.node_id, "another": broker.node_id + 1, "unknown": -1}[node]
    response = still.ask(from_client(cluster_id=cluster_id, node_id=node_id), 5)
    assert response.error_code == (ErrorCode.NONE if is_right else ErrorCode.REBOOTSTRAP_REQUIRED)
    assert bool(response.api_keys) is is_right


def test_before_version_5_nobody_says_where_they_mean_to_be(still: StillBroker) -> None:
    assert still.ask(from_client(cluster_id="somewhere-else", node_id=9), 4).error_code == ErrorCode.NONE
