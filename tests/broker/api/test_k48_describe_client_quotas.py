"""DescribeClientQuotas: checked filter by filter against Apache Kafka 4.3.1."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.model.quotas import entity_of
from drave.wire.messages.k48_describe_client_quotas import ComponentData, DescribeClientQuotasRequest

EXACT, DEFAULT, ANY = 0, 1, 2

STORED = {
    "ann": [("user", "ann")],
    "all users": [("user", None)],
    "ann with app": [("user", "ann"), ("client-id", "app")],
    "all with app": [("user", None), ("client-id", "app")],
    "app": [("client-id", "app")],
    "here": [("ip", "127.0.0.1")],
    "anywhere": [("ip", None)],
}


@pytest.fixture
async def describe(see, broker):
    """`await describe(("user", ANY, None), strict=True)`: the error, and whose quotas are shown."""
    changes = {}
    for number, parts in enumerate(STORED.values(), 1):
        key = "connection_creation_rate" if parts[0][0] == "ip" else "producer_byte_rate"
        changes[entity_of(parts)] = {key: float(number)}
    await broker.catalog.alter_client_quotas(changes)

    async def describe(*components, strict=False, version=None):
        asked = [ComponentData(entity_type=kind, match_type=match, match=name) for kind, match, name in components]
        response = await see(DescribeClientQuotasRequest(components=asked, strict=strict), version)
        if response.error_code:
            assert (response.entries, bool(response.error_message)) == (None, True)
            return ErrorCode(response.error_code)
        names = {entity_of(parts): name for name, parts in STORED.items()}
        shown = [entity_of((part.entity_type, part.entity_name) for part in each.entity) for each in response.entries]
        return {names[entity] for entity in shown}

    return describe


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("components", "loosely", "strictly"),
    [
        ([], set(STORED), set()),
        ([("user", EXACT, "ann")], {"ann", "ann with app"}, {"ann"}),
        ([("user", DEFAULT, None)], {"all users", "all with app"}, {"all users"}),
        ([("user", ANY, None)], {"ann", "all users", "ann with app", "all with app"}, {"ann", "all users"}),
        ([("client-id", EXACT, "app")], {"app", "ann with app", "all with app"}, {"app"}),
        ([("user", ANY, None), ("client-id", ANY, None)], *[{"ann with app", "all with app"}] * 2),
        ([("user", DEFAULT, None), ("client-id", EXACT, "app")], *[{"all with app"}] * 2),
        ([("ip", ANY, None)], *[{"here", "anywhere"}] * 2),
        ([("ip", EXACT, "127.0.0.1")], *[{"here"}] * 2),
        ([("user", EXACT, "bob")], set(), set()),
        ([("user", EXACT, "")], set(), set()),
    ],
)
async def test_a_filter_finds_whom_it_means(describe, version, components, loosely, strictly):
    assert await describe(*components, version=version) == loosely
    assert await describe(*components, strict=True, version=version) == strictly


@pytest.mark.parametrize(
    "components",
    [
        [("", EXACT, "ann")],
        [("user", EXACT, None)],
        [("user", DEFAULT, "ann")],
        [("user", ANY, "ann")],
        [("user", 3, None)],
        [("user", -1, None)],
        [("user", EXACT, "ann"), ("user", DEFAULT, None)],
        [("ip", ANY, None), ("user", ANY, None)],
        [("client-id", ANY, None), ("ip", EXACT, "::1")],
    ],
)
async def test_a_filter_that_means_nothing_is_refused(describe, components):
    assert await describe(*components) is ErrorCode.INVALID_REQUEST


async def test_a_kind_that_is_unknown_may_be_a_later_versions(describe):
    assert await describe(("group", EXACT, "g")) is ErrorCode.UNSUPPORTED_VERSION


async def test_the_values_are_shown_as_they_were_given(see, broker):
    given = {"request_percentage": 12.5, "producer_byte_rate": 3.0}
    await broker.catalog.alter_client_quotas({(("user", "ann"),): given})
    (entry,) = (await see(DescribeClientQuotasRequest(components=[], strict=False))).entries
    assert {value.key: value.value for value in entry.values} == given
