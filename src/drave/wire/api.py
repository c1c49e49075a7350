"""The table of API keys: what each is called, in which versions it is declared, and where.

    ApiKey.FETCH = 1  ──▶  messages/k01_fetch.py  ──▶  FetchRequest, FetchResponse

Keys and versions are those of Kafka 4.4 without what its brokers and controllers say among themselves. A declaration is
imported when it is first asked for, so that starting costs nothing for what nobody uses.
"""

from __future__ import annotations

import enum
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, cast

NEVER: Final = 1 << 15
"""As `flexible_since`: no version is flexible (KIP-482)."""


class ApiKey(enum.IntEnum):
    """What a request asks for."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    SASL_HANDSHAKE = 17
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    WRITE_TXN_MARKERS = 27
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_ACLS = 29
    CREATE_ACLS = 30
    DELETE_ACLS = 31
    DESCRIBE_CONFIGS = 32
    ALTER_CONFIGS = 33
    ALTER_REPLICA_LOG_DIRS = 34
    DESCRIBE_LOG_DIRS = 35
    SASL_AUTHENTICATE = 36
    CREATE_PARTITIONS = 37
    CREATE_DELEGATION_TOKEN = 38
    RENEW_DELEGATION_TOKEN = 39
    EXPIRE_DELEGATION_TOKEN = 40
    DESCRIBE_DELEGATION_TOKEN = 41
    DELETE_GROUPS = 42
    ELECT_LEADERS = 43
    INCREMENTAL_ALTER_CONFIGS = 44
    ALTER_PARTITION_REASSIGNMENTS = 45
    LIST_PARTITION_REASSIGNMENTS = 46
    OFFSET_DELETE = 47
    DESCRIBE_CLIENT_QUOTAS = 48
    ALTER_CLIENT_QUOTAS = 49
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50
    ALTER_USER_SCRAM_CREDENTIALS = 51
    UPDATE_FEATURES = 57
    DESCRIBE_CLUSTER = 60
    DESCRIBE_PRODUCERS = 61
    DESCRIBE_TRANSACTIONS = 65
    LIST_TRANSACTIONS = 66
    CONSUMER_GROUP_HEARTBEAT = 68
    CONSUMER_GROUP_DESCRIBE = 69
    LIST_CONFIG_RESOURCES = 74
    DESCRIBE_TOPIC_PARTITIONS = 75
    SHARE_GROUP_HEARTBEAT = 76
    SHARE_GROUP_DESCRIBE = 77
    SHARE_FETCH = 78
    SHARE_ACKNOWLEDGE = 79
    STREAMS_GROUP_HEARTBEAT = 88
    STREAMS_GROUP_DESCRIBE = 89
    DESCRIBE_SHARE_GROUP_OFFSETS = 90
    ALTER_SHARE_GROUP_OFFSETS = 91
    DELETE_SHARE_GROUP_OFFSETS = 92
    STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93


@dataclass(frozen=True)
class Api:
    """One key: its versions, and the classes of its messages."""

    key: ApiKey
    versions: tuple[int, int]
    """The lowest and the highest that are declared."""
    flexible_since: int
    """The first version with compact lengths and tagged fields, in the headers too."""

    @cached_property
    def request(self) -> type[Any]:
        """The class that declares the request."""
        return self._declared("Request")

    @cached_property
    def response(self) -> type[Any]:
        """The class that declares the response."""
        return self._declared("Response")

    def _declared(self, suffix: str) -> type[Any]:
        module = importlib.import_module(f"drave.wire.messages.k{self.key:02}_{self.key.name.lower()}")
        return cast("type[Any]", getattr(module, self.key.name.title().replace("_", "") + suffix))


_APIS: Final = (
    Api(ApiKey.PRODUCE, versions=(3, 13), flexible_since=9),
    Api(ApiKey.FETCH, versions=(4, 18), flexible_since=12),
    Api(ApiKey.LIST_OFFSETS, versions=(1, 11), flexible_since=6),
    Api(ApiKey.METADATA, versions=(0, 13), flexible_since=9),
    Api(ApiKey.OFFSET_COMMIT, versions=(2, 10), flexible_since=8),
    Api(ApiKey.OFFSET_FETCH, versions=(1, 10), flexible_since=6),
    Api(ApiKey.FIND_COORDINATOR, versions=(0, 6), flexible_since=3),
    Api(ApiKey.JOIN_GROUP, versions=(0, 9), flexible_since=6),
    Api(ApiKey.HEARTBEAT, versions=(0, 4), flexible_since=4),
    Api(ApiKey.LEAVE_GROUP, versions=(0, 5), flexible_since=4),
    Api(ApiKey.SYNC_GROUP, versions=(0, 5), flexible_since=4),
    Api(ApiKey.DESCRIBE_GROUPS, versions=(0, 6), flexible_since=5),
    Api(ApiKey.LIST_GROUPS, versions=(0, 5), flexible_since=3),
    Api(ApiKey.SASL_HANDSHAKE, versions=(0, 1), flexible_since=NEVER),
    Api(ApiKey.API_VERSIONS, versions=(0, 5), flexible_since=3),
    Api(ApiKey.CREATE_TOPICS, versions=(2, 7), flexible_since=5),
    Api(ApiKey.DELETE_TOPICS, versions=(1, 6), flexible_since=4),
    Api(ApiKey.DELETE_RECORDS, versions=(0, 2), flexible_since=2),
    Api(ApiKey.INIT_PRODUCER_ID, versions=(0, 5), flexible_since=2),
    Api(ApiKey.OFFSET_FOR_LEADER_EPOCH, versions=(2, 4), flexible_since=4),
    Api(ApiKey.ADD_PARTITIONS_TO_TXN, versions=(0, 5), flexible_since=3),
    Api(ApiKey.ADD_OFFSETS_TO_TXN, versions=(0, 4), flexible_since=3),
    Api(ApiKey.END_TXN, versions=(0, 5), flexible_since=3),
    Api(ApiKey.WRITE_TXN_MARKERS, versions=(1, 2), flexible_since=1),
    Api(ApiKey.TXN_OFFSET_COMMIT, versions=(0, 6), flexible_since=3),
    Api(ApiKey.DESCRIBE_ACLS, versions=(1, 3), flexible_since=2),
    Api(ApiKey.CREATE_ACLS, versions=(1, 3), flexible_since=2),
    Api(ApiKey.DELETE_ACLS, versions=(1, 3), flexible_since=2),
    Api(ApiKey.DESCRIBE_CONFIGS, versions=(1, 4), flexible_since=4),
    Api(ApiKey.ALTER_CONFIGS, versions=(0, 2), flexible_since=2),
    Api(ApiKey.ALTER_REPLICA_LOG_DIRS, versions=(1, 2), flexible_since=2),
    Api(ApiKey.DESCRIBE_LOG_DIRS, versions=(1, 5), flexible_since=2),
    Api(ApiKey.SASL_AUTHENTICATE, versions=(0, 2), flexible_since=2),
    Api(ApiKey.CREATE_PARTITIONS, versions=(0, 3), flexible_since=2),
    Api(ApiKey.CREATE_DELEGATION_TOKEN, versions=(1, 3), flexible_since=2),
    Api(ApiKey.RENEW_DELEGATION_TOKEN, versions=(1, 2), flexible_since=2),
    Api(ApiKey.EXPIRE_DELEGATION_TOKEN, versions=(1, 2), flexible_since=2),
    Api(ApiKey.DESCRIBE_DELEGATION_TOKEN, versions=(1, 3), flexible_since=2),
    Api(ApiKey.DELETE_GROUPS, versions=(0, 3), flexible_since=2),
    Api(ApiKey.ELECT_LEADERS, versions=(0, 2), flexible_since=2),
    Api(ApiKey.INCREMENTAL_ALTER_CONFIGS, versions=(0, 1), flexible_since=1),
    Api(ApiKey.ALTER_PARTITION_REASSIGNMENTS, versions=(0, 1), flexible_since=0),
    Api(ApiKey.LIST_PARTITION_REASSIGNMENTS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.OFFSET_DELETE, versions=(0, 0), flexible_since=NEVER),
    Api(ApiKey.DESCRIBE_CLIENT_QUOTAS, versions=(0, 1), flexible_since=1),
    Api(ApiKey.ALTER_CLIENT_QUOTAS, versions=(0, 1), flexible_since=1),
    Api(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.UPDATE_FEATURES, versions=(0, 2), flexible_since=0),
    Api(ApiKey.DESCRIBE_CLUSTER, versions=(0, 2), flexible_since=0),
    Api(ApiKey.DESCRIBE_PRODUCERS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.DESCRIBE_TRANSACTIONS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.LIST_TRANSACTIONS, versions=(0, 2), flexible_since=0),
    Api(ApiKey.CONSUMER_GROUP_HEARTBEAT, versions=(0, 1), flexible_since=0),
    Api(ApiKey.CONSUMER_GROUP_DESCRIBE, versions=(0, 1), flexible_since=0),
    Api(ApiKey.LIST_CONFIG_RESOURCES, versions=(0, 1), flexible_since=0),
    Api(ApiKey.DESCRIBE_TOPIC_PARTITIONS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.SHARE_GROUP_HEARTBEAT, versions=(1, 1), flexible_since=0),
    Api(ApiKey.SHARE_GROUP_DESCRIBE, versions=(1, 1), flexible_since=0),
    Api(ApiKey.SHARE_FETCH, versions=(1, 2), flexible_since=0),
    Api(ApiKey.SHARE_ACKNOWLEDGE, versions=(1, 2), flexible_since=0),
    Api(ApiKey.STREAMS_GROUP_HEARTBEAT, versions=(0, 1), flexible_since=0),
    Api(ApiKey.STREAMS_GROUP_DESCRIBE, versions=(0, 1), flexible_since=0),
    Api(ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS, versions=(0, 1), flexible_since=0),
    Api(ApiKey.ALTER_SHARE_GROUP_OFFSETS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.DELETE_SHARE_GROUP_OFFSETS, versions=(0, 0), flexible_since=0),
    Api(ApiKey.STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE, versions=(0, 0), flexible_since=0),
)

API: Final[Mapping[ApiKey, Api]] = MappingProxyType({api.key: api for api in _APIS})
