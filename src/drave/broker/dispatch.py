"""The table of what is served, and the way from a frame to its handler.

ApiVersions is answered from the same table, so nothing can be advertised that is not served. Versions are the whole
range of the key unless the table says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from drave.broker.api import (
    k00_produce,
    k01_fetch,
    k02_list_offsets,
    k03_metadata,
    k08_offset_commit,
    k09_offset_fetch,
    k10_find_coordinator,
    k11_join_group,
    k12_heartbeat,
    k13_leave_group,
    k14_sync_group,
    k15_describe_groups,
    k16_list_groups,
    k18_api_versions,
    k19_create_topics,
    k20_delete_topics,
    k21_delete_records,
    k22_init_producer_id,
    k23_offset_for_leader_epoch,
    k24_add_partitions_to_txn,
    k25_add_offsets_to_txn,
    k26_end_txn,
    k27_write_txn_markers,
    k28_txn_offset_commit,
    k32_describe_configs,
    k33_alter_configs,
    k34_alter_replica_log_dirs,
    k35_describe_log_dirs,
    k37_create_partitions,
    k42_delete_groups,
    k43_elect_leaders,
    k44_incremental_alter_configs,
    k45_alter_partition_reassignments,
    k46_list_partition_reassignments,
    k47_offset_delete,
    k48_describe_client_quotas,
    k49_alter_client_quotas,
    k50_describe_user_scram_credentials,
    k57_update_features,
    k60_describe_cluster,
    k61_describe_producers,
    k65_describe_transactions,
    k66_list_transactions,
    k68_consumer_group_heartbeat,
    k69_consumer_group_describe,
    k74_list_config_resources,
    k75_describe_topic_partitions,
    k76_share_group_heartbeat,
    k77_share_group_describe,
    k78_share_fetch,
    k79_share_acknowledge,
    k88_streams_group_heartbeat,
    k89_streams_group_describe,
    k90_describe_share_group_offsets,
    k91_alter_share_group_offsets,
    k92_delete_share_group_offsets,
)
from drave.broker.asking import bounded
from drave.model.errors import DraveError, ErrorCode
from drave.wire.api import API, ApiKey
from drave.wire.frames import body_decoder, encode_reply, reply_encoder

Encode = Callable[[int, Any], list[bytes | bytearray | memoryview]]


@dataclass(frozen=True, slots=True)
class Handler:
    """Who answers a key."""

    function: Callable[..., Any]
    advertised_from: int | None = None
    """The lowest version to advertise, where that is not the lowest that is served."""
    alone: bool = False
    """Starts only when its session owes no reply: what it answers with may be large, and one is enough to hold."""
    large: bool = False
    """Its requests carry others' bytes, and may be as large as `socket.request.max.bytes` lets them."""


_advertised: Final[dict[ApiKey, tuple[int, int]]] = {}

HANDLERS: Final[Mapping[ApiKey, Handler]] = {
    ApiKey.PRODUCE: Handler(k00_produce.produce, advertised_from=0, large=True),  # KAFKA-18659
    ApiKey.FETCH: Handler(k01_fetch.fetch, alone=True),
    ApiKey.LIST_OFFSETS: Handler(k02_list_offsets.list_offsets),
    ApiKey.METADATA: Handler(k03_metadata.metadata, alone=True),
    ApiKey.OFFSET_COMMIT: Handler(k08_offset_commit.offset_commit),
    ApiKey.OFFSET_FETCH: Handler(k09_offset_fetch.offset_fetch, alone=True),
    ApiKey.FIND_COORDINATOR: Handler(k10_find_coordinator.find_coordinator),
    ApiKey.JOIN_GROUP: Handler(k11_join_group.join_group, large=True),
    ApiKey.HEARTBEAT: Handler(k12_heartbeat.heartbeat),
    ApiKey.LEAVE_GROUP: Handler(k13_leave_group.leave_group),
    ApiKey.SYNC_GROUP: Handler(k14_sync_group.sync_group, large=True),
    ApiKey.DESCRIBE_GROUPS: Handler(k15_describe_groups.describe_groups, alone=True),
    ApiKey.LIST_GROUPS: Handler(k16_list_groups.list_groups, alone=True),
    ApiKey.API_VERSIONS: Handler(partial(k18_api_versions.api_versions, _advertised)),
    ApiKey.CREATE_TOPICS: Handler(k19_create_topics.create_topics),
    ApiKey.DELETE_TOPICS: Handler(k20_delete_topics.delete_topics),
    ApiKey.DELETE_RECORDS: Handler(k21_delete_records.delete_records),
    ApiKey.INIT_PRODUCER_ID: Handler(k22_init_producer_id.init_producer_id),
    ApiKey.OFFSET_FOR_LEADER_EPOCH: Handler(k23_offset_for_leader_epoch.offset_for_leader_epoch),
    ApiKey.ADD_PARTITIONS_TO_TXN: Handler(k24_add_partitions_to_txn.add_partitions_to_txn),
    ApiKey.ADD_OFFSETS_TO_TXN: Handler(k25_add_offsets_to_txn.add_offsets_to_txn),
    ApiKey.END_TXN: Handler(k26_end_txn.end_txn),
    ApiKey.WRITE_TXN_MARKERS: Handler(k27_write_txn_markers.write_txn_markers),
    ApiKey.TXN_OFFSET_COMMIT: Handler(k28_txn_offset_commit.txn_offset_commit),
    ApiKey.DESCRIBE_CONFIGS: Handler(k32_describe_configs.describe_configs, alone=True),
    ApiKey.ALTER_CONFIGS: Handler(k33_alter_configs.replace_configs),
    ApiKey.ALTER_REPLICA_LOG_DIRS: Handler(k34_alter_replica_log_dirs.alter_replica_log_dirs),
    ApiKey.DESCRIBE_LOG_DIRS: Handler(k35_describe_log_dirs.describe_log_dirs, alone=True),
    ApiKey.CREATE_PARTITIONS: Handler(k37_create_partitions.create_partitions),
    ApiKey.DELETE_GROUPS: Handler(k42_delete_groups.delete_groups),
    ApiKey.ELECT_LEADERS: Handler(k43_elect_leaders.elect_leaders, alone=True),
    ApiKey.INCREMENTAL_ALTER_CONFIGS: Handler(k44_incremental_alter_configs.incremental_alter_configs),
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: Handler(
        k45_alter_partition_reassignments.alter_partition_reassignments, alone=True
    ),
    ApiKey.LIST_PARTITION_REASSIGNMENTS: Handler(k46_list_partition_reassignments.list_partition_reassignments),
    ApiKey.OFFSET_DELETE: Handler(k47_offset_delete.offset_delete),
    ApiKey.DESCRIBE_CLIENT_QUOTAS: Handler(k48_describe_client_quotas.describe_client_quotas, alone=True),
    ApiKey.ALTER_CLIENT_QUOTAS: Handler(k49_alter_client_quotas.alter_client_quotas),
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: Handler(
        k50_describe_user_scram_credentials.describe_user_scram_credentials, alone=True
    ),
    ApiKey.UPDATE_FEATURES: Handler(k57_update_features.update_features),
    ApiKey.DESCRIBE_CLUSTER: Handler(k60_describe_cluster.describe_cluster),
    ApiKey.DESCRIBE_PRODUCERS: Handler(k61_describe_producers.describe_producers, alone=True),
    ApiKey.DESCRIBE_TRANSACTIONS: Handler(k65_describe_transactions.describe_transactions, alone=True),
    ApiKey.LIST_TRANSACTIONS: Handler(k66_list_transactions.list_transactions, alone=True),
    ApiKey.CONSUMER_GROUP_HEARTBEAT: Handler(k68_consumer_group_heartbeat.consumer_group_heartbeat),
    ApiKey.CONSUMER_GROUP_DESCRIBE: Handler(k69_consumer_group_describe.consumer_group_describe, alone=True),
    ApiKey.LIST_CONFIG_RESOURCES: Handler(k74_list_config_resources.list_config_resources, alone=True),
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: Handler(k75_describe_topic_partitions.describe_topic_partitions, alone=True),
    ApiKey.SHARE_GROUP_HEARTBEAT: Handler(k76_share_group_heartbeat.share_group_heartbeat),
    ApiKey.SHARE_GROUP_DESCRIBE: Handler(k77_share_group_describe.share_group_describe, alone=True),
    ApiKey.SHARE_FETCH: Handler(k78_share_fetch.share_fetch, alone=True),
    ApiKey.SHARE_ACKNOWLEDGE: Handler(k79_share_acknowledge.share_acknowledge),
    ApiKey.STREAMS_GROUP_HEARTBEAT: Handler(k88_streams_group_heartbeat.streams_group_heartbeat),
    ApiKey.STREAMS_GROUP_DESCRIBE: Handler(k89_streams_group_describe.streams_group_describe, alone=True),
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: Handler(
        k90_describe_share_group_offsets.describe_share_group_offsets, alone=True
    ),
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: Handler(k91_alter_share_group_offsets.alter_share_group_offsets),
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: Handler(k92_delete_share_group_offsets.delete_share_group_offsets),
}

LARGE: Final = tuple(key for key, handler in HANDLERS.items() if handler.large)
"""Who may send much. Other requests are lists of small things, and millions of them would hold everybody."""

for _key, _handler in HANDLERS.items():
    _low, _high = API[_key].versions
    _advertised[_key] = (_low if _handler.advertised_from is None else _handler.advertised_from, _high)


class UnsupportedRequest(DraveError):
    """A key or a version that this broker does not serve. The connection is closed, as Kafka does."""

    def __init__(self, key: int, version: int) -> None:
        self.key = key
        self.version = version

    def __str__(self) -> str:
        try:
            key = ApiKey(self.key)
            low, high = API[key].versions
        except ValueError:
            return f"API key {self.key} (version {self.version}) is none that this broker knows."
        if key not in HANDLERS:
            return f"{key.name} (API key {self.key}) is not served by this broker."
        return f"{key.name} v{self.version} is not served: this broker takes v{low} to v{high}."


class Route:
    """All that is needed to answer one key in one version."""

    __slots__ = ("alone", "decode", "encode", "handler", "key", "version")

    def __init__(self, key: int, version: int) -> None:
        handler = HANDLERS.get(ApiKey(key)) if key in ApiKey.__members__.values() else None
        if handler is None:
            raise UnsupportedRequest(key, version)
        low, high = API[ApiKey(key)].versions
        if not low <= version <= high:
            raise UnsupportedRequest(key, version)
        self.key = key
        self.version = version
        self.handler = handler.function
        self.alone = handler.alone
        self.decode = bounded(ApiKey(key), body_decoder(key, version))
        self.encode: Encode = reply_encoder(key, version)


_routes: Final[dict[tuple[int, int], Route]] = {}


def route(key: int, version: int) -> Route:
    """The way of this key and version. Raises UnsupportedRequest."""
    found = _routes.get((key, version))
    if found is None:
        found = _routes[key, version] = Route(key, version)
    return found


def unsupported_api_versions(correlation_id: int) -> list[bytes | bytearray | memoryview]:
    """The frame for an ApiVersions of a version from the future: version 0, the error, and the table (KIP-511)."""
    answer = k18_api_versions.answer(_advertised, ErrorCode.UNSUPPORTED_VERSION)
    return encode_reply(ApiKey.API_VERSIONS, 0, correlation_id, answer)
