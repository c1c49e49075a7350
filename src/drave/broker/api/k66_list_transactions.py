"""ListTransactions: which transactional ids this broker coordinates, filtered (KIP-664, 994, 1152)."""

from __future__ import annotations

import logging
from typing import Any, Final

from drave.broker.context import Context
from drave.broker.coordinator.transaction import TransactionState
from drave.broker.coordinator.transaction_shard import TransactionFilter
from drave.broker.core import Broker
from drave.broker.patterns import Pattern, check_work
from drave.model.errors import ErrorCode, Refused
from drave.wire.messages.k66_list_transactions import ListTransactionsRequest, ListTransactionsResponse

logger = logging.getLogger("drave.broker")

_STATES: Final = {state.title: state for state in TransactionState}


def list_transactions(broker: Broker, context: Context, request: ListTransactionsRequest) -> Any:
    """Answered when what is told is durable. A filter that names only unknown states lets none pass."""
    unknown = [name for name in request.state_filters if name not in _STATES]
    shards = broker.transactions.shards()
    if isinstance(shards, ErrorCode):
        return _refused(shards)
    try:
        pattern = Pattern(request.transactional_id_pattern) if request.transactional_id_pattern else None
        if pattern is not None:
            check_work([pattern], [name for shard in shards for name in shard.names()])
    except Refused as refusal:
        logger.info("%s asked for transactions: %s", context.client_id, refusal)
        return _refused(refusal.code)
    wanted = TransactionFilter(
        states=frozenset(_STATES[name] for name in request.state_filters if name in _STATES),
        producer_ids=frozenset(request.producer_id_filters),
        running_ms=request.duration_filter,
        pattern=pattern,
    )
    now_ms = broker.clock.wall_ms()
    none = bool(unknown) and not wanted.states
    found = [] if none else [each for shard in shards for each in shard.list(wanted, now_ms)]
    response = ListTransactionsResponse(unknown_state_filters=unknown, transaction_states=found)
    return broker.transactions.once_durable(response)


def _refused(code: ErrorCode) -> ListTransactionsResponse:
    return ListTransactionsResponse(error_code=code, unknown_state_filters=[], transaction_states=[])
