"""AlterClientQuotas: new limits for users and clients."""

from __future__ import annotations

from drave.schema import Struct, float64, int16, int32


class EntityData(Struct):
    entity_type: str
    entity_name: str | None


class OpData(Struct):
    key: str
    value: float64
    remove: bool


class EntryData(Struct):
    entity: list[EntityData]
    ops: list[OpData]


class AlterClientQuotasRequest(Struct, versions=(0, 1), flexible=1):
    entries: list[EntryData]
    validate_only: bool


class ResponseEntryData(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    entity: list[EntityData]


class AlterClientQuotasResponse(Struct, versions=(0, 1), flexible=1):
    throttle_time_ms: int32 = 0
    entries: list[ResponseEntryData]
