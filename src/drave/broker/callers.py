"""Who sends a request, in the words of the groups."""

from __future__ import annotations

from drave.broker.context import Context
from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.group import Caller
from drave.broker.core import Broker


def caller_of(context: Context) -> Caller:
    """As tools show it, which have it from Java."""
    return Caller(context.client_id or "", f"/{context.connection.client_host}")


def joiner_of(broker: Broker, context: Context) -> Joiner:
    """The same of who may need an id for a member."""
    caller = caller_of(context)
    return Joiner(caller.client_id, caller.client_host, context.api_version, broker.entropy.uuid_text())
