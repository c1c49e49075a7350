"""Quotas in force: what a client has used, and how long it must wait before it asks for more (KIP-13, 124, 599, 612).

    catalog ──▶ ClientQuotas ──▶ Limits of one client ──▶ Rate, TokenBucket        (what was used, and when)
    socket ──▶ Session ──▶ MeteredWay ──▶ handler ──▶ MeteredWay ──▶ reply with throttle_time_ms, Session muted

Who has no quota is not metered: while nobody has one, a request costs what it did without this room. Nothing here
waits or looks at a clock of its own: it is given times, and says how long.
"""

from drave.broker.quotas.clients import NO_LIMITS, ClientQuotas, Limits
from drave.broker.quotas.metering import MeteredWay, Way, can_be_metered
from drave.broker.quotas.mutations import Mutations, ThrottlingQuotaExceeded
from drave.broker.quotas.rates import Rate, TokenBucket, Windows

__all__ = [
    "NO_LIMITS",
    "ClientQuotas",
    "Limits",
    "MeteredWay",
    "Mutations",
    "Rate",
    "ThrottlingQuotaExceeded",
    "TokenBucket",
    "Way",
    "Windows",
    "can_be_metered",
]
