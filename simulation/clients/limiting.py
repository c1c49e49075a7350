"""Who gives others quotas, and takes them again: while they live, they are held to rates that change under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drave.model.errors import ErrorCode
from drave.model.quotas import CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE, PRODUCER_BYTE_RATE
from drave.wire.messages.k48_describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from drave.wire.messages.k49_alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    EntityData,
    EntryData,
    OpData,
)
from simulation.clients.caller import Caller, Unanswered
from simulation.history import Outcome, QuotaChange

PROCESSES: Final = 2
"""So many of a client's processes may be given one."""
BYTE_RATES: Final = (4_000.0, 12_000.0, None)
"""In two windows of a second: bursts are more, and waits seldom longer than the patience of clients."""
MUTATION_RATES: Final = (0.5, 5.0, None)
ANY: Final = 2


class Limiter:
    """Gives quotas to the processes of some clients, one at a time, and says what it was told."""

    def __init__(self, caller: Caller, clients: Sequence[str]) -> None:
        self._caller = caller
        self._clients = clients

    async def live(self, steps: int) -> None:
        """Change so many quotas."""
        random, world = self._caller.random, self._caller.world
        for _ in range(steps):
            await world.sleep(random.choice((0, 10, 100, 1_000)))
            client_id = f"{random.choice(self._clients)}/{random.randrange(PROCESSES)}"
            key = random.choice((PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE))
            rates = MUTATION_RATES if key == CONTROLLER_MUTATION_RATE else BYTE_RATES
            await self._alter(client_id, key, random.choice(rates))

    async def _alter(self, client_id: str, key: str, rate: float | None) -> None:
        """Once."""
        history = self._caller.history
        change = QuotaChange(by=self._caller.name, asked=history.now(), client_id=client_id, key=key, rate=rate)
        history.quota_changes.append(change)
        operation = OpData(key=key, value=rate or 0.0, remove=rate is None)
        entity = [EntityData(entity_type="client-id", entity_name=client_id)]
        request = AlterClientQuotasRequest(entries=[EntryData(entity=entity, ops=[operation])], validate_only=False)
        try:
            reply: AlterClientQuotasResponse = await self._caller.ask(request)
        except Unanswered:
            await self._caller.back_off()
            return
        (entry,) = reply.entries
        if entry.error_code:
            history.complain(self._caller.name, ErrorCode(entry.error_code), f"{client_id}: {entry.error_message}")
        else:
            history.tell(change, Outcome.DONE)


async def quotas_of_clients(caller: Caller) -> dict[tuple[str, str], float]:
    """All that there are, by client id and key."""
    component = ComponentData(entity_type="client-id", match_type=ANY, match=None)
    reply: DescribeClientQuotasResponse = await caller.insist(
        DescribeClientQuotasRequest(components=[component], strict=True)
    )
    return {
        (entry.entity[0].entity_name or "", value.key): value.value
        for entry in reply.entries or []
        for value in entry.values
    }
