"""What the clients of one seed do.

    topics    orders, ledger    never deleted: the strictest laws hold in them
              copies            what copiers write
              keys              compacted
              trimmed           an administrator deletes records from it
              fleeting          is deleted and made anew, and grows
              brief             forgets what is old

Each seed draws who is there. A client is a row of processes: each may be killed at any moment, and the next one may
begin before the last has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from simulation.clients.administering import Administrator
from simulation.clients.caller import Caller
from simulation.clients.copying import Copier
from simulation.clients.grouping import GroupReader, Member
from simulation.clients.looking import look
from simulation.clients.offsets import Bookkeeper
from simulation.clients.producing import IdempotentProducer, PlainProducer
from simulation.clients.reading import Reader
from simulation.clients.transacting import TransactionalProducer, TransactionalWriter
from simulation.world import World

STABLE: Final = ("orders", "ledger")
COPIES: Final = "copies"
COMPACTED: Final = "keys"
TRIMMED: Final = "trimmed"
FLEETING: Final = "fleeting"
BRIEF: Final = "brief"
KEYS: Final = tuple(b"key-%d" % number for number in range(7))
CLOCK_JUMP_MS: Final = 3_000
"""So far the wall clock jumps from one life to the next, at most."""
DELETE_RETENTION_MS: Final = 2_000

Work = Callable[[Caller, int], Awaitable[None]]
"""What one process does, about so many steps long."""


@dataclass(frozen=True, slots=True)
class Role:
    """A client that may be there."""

    name: str
    work: Work
    weight: float
    """How often it is there."""
    mortal: bool = True
    """Whether its processes are killed."""


class Workload:
    """The clients of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._steps = world.plan.steps

    async def live(self) -> None:
        """Everything that clients do, to the last look."""
        world = self._world
        administrator = Administrator(self._caller("administrator/0"))
        await self._make_topics(administrator)
        roles = [role for role in self._roles() if self._random.random() < role.weight]
        tasks = [world.spawn(self._live_row(role), role.name) for role in roles]
        await asyncio.gather(*tasks)
        administrator.caller.close()
        while not world.is_healed:
            await world.sleep(100)
        await self._look_twice()
        self._tell_of_the_world()

    def _tell_of_the_world(self) -> None:
        """What the laws have to know of it."""
        world, history = self._world, self._world.history
        history.is_calm = world.plan.kind == "calm"
        history.crashes = world.plan.crashes
        history.clock_slack_ms = CLOCK_JUMP_MS * len(world.machine.lives)

    def _caller(self, name: str) -> Caller:
        return Caller(self._world, name, Random(self._random.getrandbits(64)))

    async def _look_twice(self) -> None:
        """And between the two, sometimes, the power fails once more, or the broker restarts."""
        world, history = self._world, self._world.history
        caller = self._caller("last look/0")
        history.ending = await look(caller)
        caller.close()
        end = self._random.choice(("stay", "stop", "power"))
        if end != "stay":
            if end == "stop":
                world.machine.stop()
            else:
                world.machine.crash(power=True)
            caller = self._caller("last look/1")
            history.ending = await look(caller)
            caller.close()

    async def _make_topics(self, administrator: Administrator) -> None:
        random = self._random
        for topic in (*STABLE, COPIES, TRIMMED, FLEETING):
            await administrator.create(topic, random.randint(1, 3), {})
        compacted = {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": random.choice(("0.01", "0.3")),
            "delete.retention.ms": str(DELETE_RETENTION_MS),
            "segment.ms": random.choice(("500", "3000")),
        }
        await administrator.create(COMPACTED, random.randint(1, 2), compacted)
        await administrator.create(BRIEF, 1, {"retention.ms": "3000", "segment.ms": "500"})

    # -- processes

    async def _live_row(self, role: Role) -> None:
        """One process after another, until one has come to its end."""
        random, world = self._random, self._world
        left, number = self._steps, 0
        zombies: list[asyncio.Task[None]] = []
        while left > 0:
            caller = self._caller(f"{role.name}/{number}")
            number += 1
            share = left if not role.mortal or number > 4 else random.randint(1, left)
            left -= share
            process = asyncio.create_task(self._live_once(role, caller, share), name=caller.name)
            zombies.append(process)
            if role.mortal and random.random() < 0.3:
                await world.sleep(random.randint(1, 3_000))
                if random.random() < 0.6:
                    process.cancel()  # killed; or else the next one begins beside it
            else:
                await asyncio.wait([process])
            await world.sleep(random.choice((0, 0, 50, 1_000)))
        for result in await asyncio.gather(*zombies, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _live_once(self, role: Role, caller: Caller, steps: int) -> None:
        try:
            await role.work(caller, steps)
        finally:
            caller.close()

    # -- who is there

    def _roles(self) -> Iterator[Role]:
        random = self._random
        yield Role("plain", lambda caller, steps: PlainProducer(caller, STABLE).live(steps), 0.7)
        yield Role(
            "fleeting",
            lambda caller, steps: PlainProducer(caller, (FLEETING, TRIMMED, BRIEF)).live(steps),
            0.7,
        )
        for number in range(2):
            yield Role(
                f"idempotent-{number}", lambda caller, steps: IdempotentProducer(caller, STABLE).live(steps), 0.7
            )
        yield Role("trimming writer", lambda caller, steps: IdempotentProducer(caller, (TRIMMED,)).live(steps), 0.5)
        yield Role("keyed", lambda caller, steps: IdempotentProducer(caller, (COMPACTED,), keys=KEYS).live(steps), 0.6)
        yield from self._transactional()
        yield from self._readers()
        yield from self._groups()
        yield Role("bookkeeper", lambda caller, steps: Bookkeeper(caller, "books", STABLE).live(steps), 0.5)
        yield Role("administrator", self._administer, random.choice((0.3, 1.0)), mortal=False)

    def _transactional(self) -> Iterator[Role]:
        random = self._random

        def writer(
            transactional_id: str, version: int, topics: Sequence[str], keys: Sequence[bytes | None] = (None,)
        ) -> Work:
            def work(caller: Caller, steps: int) -> Awaitable[None]:
                producer = TransactionalProducer(caller, transactional_id, version=version, keys=keys)
                return TransactionalWriter(producer, topics).live(max(1, steps // 4))

            return work

        for number in range(2):
            version = random.choice((1, 2, 2))
            yield Role(f"transactional-{number}", writer(f"t-{number}", version, STABLE), 0.7)
        yield Role("trimming transactional", writer("t-trimmed", random.choice((1, 2)), (TRIMMED, "orders")), 0.4)
        yield Role("keyed transactional", writer("t-keys", random.choice((1, 2)), (COMPACTED,), KEYS), 0.4)

    def _readers(self) -> Iterator[Role]:
        def reader(topics: Sequence[str], *, committed_only: bool) -> Work:
            by_id = FLEETING in topics
            return lambda caller, steps: Reader(caller, topics, committed_only=committed_only, by_id=by_id).live(steps)

        yield Role("reader", reader(STABLE, committed_only=False), 0.7)
        yield Role("committed reader", reader(STABLE, committed_only=True), 0.8)
        yield Role("reader of all", reader((FLEETING, TRIMMED, BRIEF, COMPACTED), committed_only=False), 0.5)
        yield Role("committed reader of all", reader((TRIMMED, COMPACTED, COPIES), committed_only=True), 0.5)

    def _groups(self) -> Iterator[Role]:
        def member(group: str, topics: Sequence[str], *, instance: str | None, committed_only: bool) -> Work:
            return lambda caller, steps: GroupReader(
                Member(caller, group, topics, instance=instance), committed_only=committed_only
            ).live(steps)

        def copier(group: str, transactional_id: str, version: int, *, alone: bool) -> Work:
            def work(caller: Caller, steps: int) -> Awaitable[None]:
                producer = TransactionalProducer(caller, transactional_id, version=version)
                place = None if alone else Member(caller, group, ("orders",))
                return Copier(producer, group, "orders", COPIES, member=place).live(steps)

            return work

        random = self._random
        if random.random() < 0.7:
            committed_only = random.random() < 0.5
            for number in range(random.randint(1, 3)):
                instance = f"instance-{number}" if random.random() < 0.4 else None
                work = member("group", STABLE, instance=instance, committed_only=committed_only)
                yield Role(f"member-{number}", work, 0.9)
        if random.random() < 0.4:
            yield Role("copier", copier("copiers", "t-copier", random.choice((1, 2)), alone=True), 1.0)
        elif random.random() < 0.5:
            for number in range(random.randint(1, 2)):
                work = copier("copiers", f"t-copier-{number}", random.choice((1, 2)), alone=False)
                yield Role(f"copier-{number}", work, 1.0)

    async def _administer(self, caller: Caller, steps: int) -> None:
        random, world = self._random, self._world
        administrator = Administrator(caller)
        for _ in range(max(1, steps // 3)):
            await world.sleep(random.choice((10, 100, 1_000)))
            match random.choice(("trim", "trim", "delete", "grow", "alter", "group")):
                case "trim":
                    await administrator.trim_some(TRIMMED)
                case "delete":
                    await administrator.delete(FLEETING)
                    await administrator.create(FLEETING, random.randint(1, 3), {})
                case "grow":
                    await administrator.grow(random.choice((FLEETING, TRIMMED)))
                case "alter":
                    await administrator.alter(COMPACTED, {"segment.ms": random.choice(("200", "2000", None))})
                case "group":
                    await administrator.delete_group("books")
