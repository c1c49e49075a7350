"""FindCoordinator: which broker looks after a group or a transactional producer."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since, until


class FindCoordinatorRequest(Struct, versions=(0, 6), flexible=3):
    key: str = until(3, default="")
    key_type: int8 = since(1, default=0)  # KIP-98
    coordinator_keys: list[str] = since(4, default=[])  # KIP-699


class Coordinator(Struct):
    key: str
    node_id: int32
    host: str
    port: int32
    error_code: int16 = 0
    error_message: str | None = None


class FindCoordinatorResponse(Struct, versions=(0, 6), flexible=3):
    throttle_time_ms: int32 = since(1, default=0)
    error_code: int16 = until(3, default=0)
    error_message: str | None = since(1, until=3, default="")
    node_id: int32 = until(3, default=0)
    host: str = until(3, default="")
    port: int32 = until(3, default=0)
    coordinators: list[Coordinator] = since(4, default=[])  # KIP-699
