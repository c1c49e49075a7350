"""AlterClientQuotas: quotas are given to users, client ids and addresses, and taken from them (KIP-546, 612).

Each entity of a request is altered or refused, whole and by itself. Whose quotas change feels it with the next request;
what was used before still counts. (Kafka alters an entity that comes twice and then says that it did not.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.quotas import Entity, check_quota, entity_of
from drave.wire.messages.k49_alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntryData,
    OpData,
    ResponseEntryData,
)


async def alter_client_quotas(
    broker: Broker, context: Context, request: AlterClientQuotasRequest
) -> AlterClientQuotasResponse:
    """Durable, and in effect, when answered."""
    times = Counter(map(_named, request.entries))
    changes: dict[Entity, Mapping[str, float | None]] = {}
    answers: list[ResponseEntryData] = []
    for entry in {_named(entry): entry for entry in request.entries}.values():
        answer = ResponseEntryData(entity=entry.entity)
        answers.append(answer)
        try:
            if times[_named(entry)] > 1:
                raise Refused(ErrorCode.INVALID_REQUEST, "The request names this entity more than once.")
            entity = entity_of(_parts(entry))
            changes[entity] = _changes(entity, entry.ops)
        except ProtocolError as refusal:
            answer.error_code, answer.error_message = refusal.code, str(refusal)
    if not request.validate_only:
        await broker.catalog.alter_client_quotas(changes)
    return AlterClientQuotasResponse(entries=answers)


def _parts(entry: EntryData) -> list[tuple[str, str | None]]:
    return [(part.entity_type, part.entity_name) for part in entry.entity]


def _named(entry: EntryData) -> frozenset[tuple[str, str | None]]:
    """Whom an entry means, whether there is such an entity or not."""
    return frozenset(_parts(entry))


def _changes(entity: Entity, ops: Sequence[OpData]) -> dict[str, float | None]:
    """None for a quota that is taken, which may be any."""
    changes: dict[str, float | None] = {}
    for op in ops:
        if op.key in changes:
            raise Refused(ErrorCode.INVALID_REQUEST, f"The request names {op.key} more than once.")
        if not op.remove:
            check_quota(entity, op.key, op.value)
        changes[op.key] = None if op.remove else op.value
    return changes
