"""DescribeClientQuotas: who has quotas, and which (KIP-546).

component    "user" is exactly "ann"        ("user", None), the default     a user of whatever name, the default too
strict       the entity has no other kinds than those that are asked for
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.quotas import IP, KINDS, Entity
from drave.wire.messages.k48_describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)


class Match(enum.IntEnum):
    """What a name has to be; the numbers are the protocol's."""

    EXACT = 0
    DEFAULT = 1
    ANY = 2


def describe_client_quotas(
    broker: Broker, context: Context, request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    """Without components, everybody's; a filter that is wrong fails the request."""
    try:
        _check(request.components)
    except ProtocolError as refusal:
        return DescribeClientQuotasResponse(error_code=refusal.code, error_message=str(refusal), entries=None)
    return DescribeClientQuotasResponse(
        error_message="",
        entries=[
            EntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                values=[ValueData(key=key, value=value) for key, value in quotas.items()],
            )
            for entity, quotas in broker.catalog.client_quotas().items()
            if _matches(entity, request)
        ],
    )


def _check(components: Sequence[ComponentData]) -> None:
    """That a filter means something. Raises Refused."""
    kinds = [component.entity_type for component in components]
    for number, component in enumerate(components):
        kind, match, name = component.entity_type, component.match_type, component.match
        if not kind:
            raise _invalid("A component of the filter has an empty type.")
        if kind in kinds[:number]:
            raise _invalid(f"The filter names {kind} more than once.")
        if kind not in KINDS:
            raise Refused(
                ErrorCode.UNSUPPORTED_VERSION, f"There are no quotas for {kind!r}: they are for {', '.join(KINDS)}."
            )
        if match not in Match.__members__.values():
            raise _invalid(f"{kind}: there is no match of type {match}.")
        if (name is None) is (match == Match.EXACT):
            raise _invalid(f"{kind}: an exact match needs a name, and no other match has one.")
    if IP in kinds and len(kinds) > 1:
        raise _invalid("A quota of an address is for no user or client id: no entity is matched by this filter.")


def _matches(entity: Entity, request: DescribeClientQuotasRequest) -> bool:
    names = dict(entity)
    if request.strict and len(names) != len(request.components):
        return False
    return all(
        component.entity_type in names
        and (component.match_type == Match.ANY or names[component.entity_type] == component.match)
        for component in request.components
    )


def _invalid(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, why)
