"""Quotas as they are stored: who may use how much of the cluster (KIP-13, 124, 546, 599, 612).

    entity                                      quotas
    (("client-id", "app"), ("user", None))      {"producer_byte_rate": 1000000.0}
    (("ip", "192.0.2.7"),)                      {"connection_creation_rate": 20.0}

An entity is one or two kinds, each with a name. None is a kind's default: it stands for all that have no quota of their
own. The checks are those of Kafka 4.3.1, which takes a rate that is no number, and a kind that is named twice.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from drave.model.config import INT_MAX
from drave.model.errors import ErrorCode, Refused

USER: Final = "user"
CLIENT_ID: Final = "client-id"
IP: Final = "ip"
KINDS: Final = (CLIENT_ID, IP, USER)

Entity: TypeAlias = tuple[tuple[str, str | None], ...]
"""Kinds and names, in the order of the kinds, so that equal entities are equal tuples."""

Quotas: TypeAlias = Mapping[str, float]
"""What one entity has, by the key of the quota."""

PRODUCER_BYTE_RATE: Final = "producer_byte_rate"
CONSUMER_BYTE_RATE: Final = "consumer_byte_rate"
REQUEST_PERCENTAGE: Final = "request_percentage"
CONTROLLER_MUTATION_RATE: Final = "controller_mutation_rate"
CONNECTION_CREATION_RATE: Final = "connection_creation_rate"

LONG_HIGH: Final = 2.0**63
"""The first float past a Java long, which Java takes for the last one of it."""


@dataclass(frozen=True, slots=True)
class QuotaKey:
    """What a quota's value may be, beside greater than zero."""

    high: float = math.inf
    whole: bool = False


OF_CLIENTS: Final[Mapping[str, QuotaKey]] = {
    PRODUCER_BYTE_RATE: QuotaKey(LONG_HIGH, whole=True),
    CONSUMER_BYTE_RATE: QuotaKey(LONG_HIGH, whole=True),
    REQUEST_PERCENTAGE: QuotaKey(),
    CONTROLLER_MUTATION_RATE: QuotaKey(),
}
"""What a user, a client id, or both together may have."""

OF_ADDRESSES: Final[Mapping[str, QuotaKey]] = {CONNECTION_CREATION_RATE: QuotaKey(INT_MAX, whole=True)}
"""What an address may have."""


def entity_of(parts: Iterable[tuple[str, str | None]]) -> Entity:
    """The entity of these kinds and names. Raises Refused where there is none."""
    parts = sorted(parts, key=lambda part: part[0])
    kinds = [kind for kind, _ in parts]
    if not kinds:
        raise _invalid("A quota needs a user, a client id or an address that it is for.")
    for kind, name in parts:
        if kind not in KINDS:
            raise _invalid(f"There are no quotas for {kind!r}: they are for {', '.join(KINDS)}.")
        if name == "":
            raise _invalid(f"The {kind} has an empty name; the default of all has none.")
    if len(set(kinds)) < len(kinds):
        raise _invalid("The quota names two of one kind.")
    if IP in kinds and len(kinds) > 1:
        raise _invalid("A quota of an address is for no user or client id.")
    if IP in kinds and (address := parts[0][1]) is not None and canonical_address(address) is None:
        raise _invalid(f"{address!r} is no IP address; names of hosts are not looked up.")
    return tuple(parts)


def check_quota(entity: Entity, key: str, value: float) -> None:
    """That an entity may have such a quota. Raises Refused."""
    keys = OF_ADDRESSES if entity[0][0] == IP else OF_CLIENTS
    if (known := keys.get(key)) is None:
        raise _invalid(f"{key!r} is no quota of {' and '.join(kind for kind, _ in entity)}; {', '.join(keys)} are.")
    if not value > 0:  # NaN neither
        raise _invalid(f"{key} must be greater than 0, not {value:g}; a quota that is removed limits nothing.")
    if value > known.high:
        raise _invalid(f"{key} must be at most {known.high:.0f}, not {value:g}.")
    if known.whole and value % 1 > 1e-6:
        raise _invalid(f"{key} must be a whole number, not {value:g}.")


def canonical_address(text: str) -> str | None:
    """An IP address in its one usual form, whichever a socket or a person gives it. None if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _invalid(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, why)
