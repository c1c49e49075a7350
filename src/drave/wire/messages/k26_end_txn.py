"""EndTxn: a transaction commits or aborts."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class EndTxnRequest(Struct, versions=(0, 5), flexible=3):
    transactional_id: str
    producer_id: int64
    producer_epoch: int16
    committed: bool


class EndTxnResponse(Struct, versions=(0, 5), flexible=3):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    producer_id: int64 = since(5, default=-1)  # KIP-890
    producer_epoch: int16 = since(5, default=-1)  # KIP-890
