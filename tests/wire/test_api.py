"""The table of API keys agrees with the declarations, and with Kafka."""

from __future__ import annotations

from typing import Any

import pytest
from kio.schema.index import api_key_map, schema_name_map

from drave.schema.declaration import declaration_of
from drave.wire.api import API, Api, ApiKey

ADDED_BY_4_4 = {
    ApiKey.API_VERSIONS,
    ApiKey.TXN_OFFSET_COMMIT,
    ApiKey.DELETE_GROUPS,
    ApiKey.STREAMS_GROUP_HEARTBEAT,
    ApiKey.STREAMS_GROUP_DESCRIBE,
}
"""The keys of 4.3 that have one version more in 4.4."""

UNSTABLE = {ApiKey.INIT_PRODUCER_ID: 6}
"""Versions that Kafka itself serves only when told to."""

every_api = pytest.mark.parametrize("api", API.values(), ids=lambda api: api.key.name.lower())


def test_every_key_has_its_row() -> None:
    assert list(API) == list(ApiKey)


@every_api
def test_a_declaration_says_the_same_as_the_table(api: Api) -> None:
    for cls in (api.request, api.response):
        declaration = declaration_of(cls)
        assert declaration.versions == api.versions
        assert declaration.flexible_since == api.flexible_since


@every_api
def test_the_versions_are_those_of_kafka_4_3_and_what_4_4_added(api: Api) -> None:
    if api.key == ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE:
        assert api.key not in api_key_map
        return
    known: Any = set(schema_name_map[api_key_map[api.key]])
    known.discard(UNSTABLE.get(api.key))
    if api.key in ADDED_BY_4_4:
        known.add(max(known) + 1)
    assert set(range(api.versions[0], api.versions[1] + 1)) == known
