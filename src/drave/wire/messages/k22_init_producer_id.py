"""InitProducerId: an identity for an idempotent producer, or the next epoch of a transactional one."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class InitProducerIdRequest(Struct, versions=(0, 5), flexible=2):
    transactional_id: str | None
    transaction_timeout_ms: int32
    producer_id: int64 = since(3, default=-1)  # KIP-360
    producer_epoch: int16 = since(3, default=-1)  # KIP-360


class InitProducerIdResponse(Struct, versions=(0, 5), flexible=2):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    producer_id: int64 = -1
    producer_epoch: int16
