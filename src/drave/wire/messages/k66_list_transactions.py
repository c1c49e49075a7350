"""ListTransactions: which transactions this broker coordinates."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class ListTransactionsRequest(Struct, versions=(0, 2), flexible=0):
    state_filters: list[str]
    producer_id_filters: list[int64]
    duration_filter: int64 = since(1, default=-1)  # KIP-994
    transactional_id_pattern: str | None = since(2, default=None)  # KIP-1152


class TransactionState(Struct):
    transactional_id: str
    producer_id: int64
    transaction_state: str


class ListTransactionsResponse(Struct, versions=(0, 2), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    unknown_state_filters: list[str]
    transaction_states: list[TransactionState]
