"""FindCoordinator: this broker, for every group and transactional producer."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest

GROUP, TRANSACTION, SHARE = 0, 1, 2


def find(*keys: str, key_type: int = GROUP) -> FindCoordinatorRequest:
    return FindCoordinatorRequest(key=keys[0] if keys else "", key_type=key_type, coordinator_keys=list(keys))


@pytest.mark.parametrize("version", range(4))
async def test_a_groups_coordinator_is_this_broker(see, version):
    response = await see(find("g"), version)
    assert (response.error_code, response.node_id, response.host, response.port) == (0, 1, "127.0.0.1", 9092)
    assert response.error_message == ("NONE" if version else "")


@pytest.mark.parametrize("version", [4, 5, 6])
async def test_several_keys_are_answered_one_by_one(see, version):
    """KIP-699. A key that comes twice is answered twice, as in Kafka."""
    response = await see(find("a", "", "a"), version)
    assert [(each.key, each.error_code, each.error_message, each.node_id) for each in response.coordinators] == [
        ("a", 0, "", 1),
        ("", 0, "", 1),
        ("a", 0, "", 1),
    ]
    assert {(each.host, each.port) for each in response.coordinators} == {("127.0.0.1", 9092)}
    assert (await see(find(), version)).coordinators == []


async def test_looking_for_a_coordinator_creates_nothing(see, broker):
    await see(find("g"))
    assert not broker.catalog.topics()


@pytest.mark.parametrize("version", [1, 3, 4, 6])
async def test_a_transactional_producers_coordinator_is_this_broker(see, version):
    response = await see(find("tx", key_type=TRANSACTION), version)
    found = response if version < 4 else response.coordinators[0]
    assert (found.error_code, found.node_id, found.port) == (0, 1, 9092)


@pytest.mark.parametrize("key_type", [3, -1])
async def test_other_types_of_coordinators_do_not_exist(see, key_type):
    (answer,) = (await see(find("x", key_type=key_type))).coordinators
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert answer.error_message
    assert (await see(find("x", key_type=key_type), 3)).error_code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("group", ["g", "with:colons"])
async def test_a_share_partitions_coordinator_is_this_broker(see, group):
    (found,) = (await see(find(f"{group}:AAAAAAAAAAAAAAAAAAAAAQ:0", key_type=SHARE), 6)).coordinators
    assert (found.error_code, found.node_id, found.port) == (0, 1, 9092)


@pytest.mark.parametrize(
    "key", ["", "g", "g:0", "g:short:0", "g:AAAAAAAAAAAAAAAAAAAAAQ:x", ":AAAAAAAAAAAAAAAAAAAAAQ:0"]
)
async def test_what_is_no_share_partition_has_no_coordinator(see, key):
    (answer,) = (await see(find(key, key_type=SHARE), 6)).coordinators
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert key in answer.error_message


@pytest.mark.parametrize("version", [3, 5])
async def test_share_coordinators_are_not_found_by_versions_of_before_share_groups(see, version):
    response = await see(find("g:AAAAAAAAAAAAAAAAAAAAAQ:0", key_type=SHARE), version)
    found = response if version < 4 else response.coordinators[0]
    assert found.error_code == ErrorCode.INVALID_REQUEST
