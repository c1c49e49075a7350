"""DescribeClientQuotas: the limits of users and clients."""

from __future__ import annotations

from drave.schema import Struct, float64, int8, int16, int32


class ComponentData(Struct):
    entity_type: str
    match_type: int8
    match: str | None


class DescribeClientQuotasRequest(Struct, versions=(0, 1), flexible=1):
    components: list[ComponentData]
    strict: bool


class EntityData(Struct):
    entity_type: str
    entity_name: str | None


class ValueData(Struct):
    key: str
    value: float64


class EntryData(Struct):
    entity: list[EntityData]
    values: list[ValueData]


class DescribeClientQuotasResponse(Struct, versions=(0, 1), flexible=1):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    entries: list[EntryData] | None
