"""What the clients of one seed do.

    topics    orders, ledger    never deleted: the strictest laws hold in them
              copies            what copiers write
              keys              compacted
              trimmed           an administrator deletes records from it
              fleeting          is deleted and made anew, and grows
              brief             forgets what is old
              late              shows its records after a delay
              letters           what the share group gives up, where a seed wants that

Each seed draws who is there. A client is a row of processes: each may be killed at any moment, and the next one may
begin before the last has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from simulation.clients.administering import Administrator
from simulation.clients.caller import Caller
from simulation.clients.consuming import ConsumerMember
from simulation.clients.copying import Copier
from simulation.clients.grouping import GroupReader, Member
from simulation.clients.limiting import Limiter
from simulation.clients.looking import look
from simulation.clients.offsets import Bookkeeper, Watcher
from simulation.clients.onlooking import Onlooker
from simulation.clients.producing import IdempotentProducer, PlainProducer
from simulation.clients.reading import Reader
from simulation.clients.sharing import ShareMember, ShareReader, drain
from simulation.clients.streaming import Gathering, StreamsMember, counting, passing_on
from simulation.clients.transacting import TransactionalProducer, TransactionalWriter
from simulation.history import Letters
from simulation.world import World

STABLE: Final = ("orders", "ledger")
SOURCE: Final = "orders"
COPIES: Final = "copies"
APPLICATION: Final = counting("application", *STABLE)
BETWEEN: Final = "application-between"
"""What it sends on to itself; the broker makes it."""
COPYING: Final = passing_on("copiers", SOURCE)
GROUPS: Final = ("group", "consumers", "copiers", APPLICATION.group)
COMPACTED: Final = "keys"
TRIMMED: Final = "trimmed"
FLEETING: Final = "fleeting"
BRIEF: Final = "brief"
LATE: Final = "late"
WATCHED: Final = (*STABLE, COPIES, TRIMMED)
EVERYTHING: Final = "everything"
"""The theme in which all may be there."""
LIMITED: Final = ("plain", "fleeting", "idempotent-0", "idempotent-1", "reader", "committed reader", "administrator")
"""Who may be given quotas; for the others, a wait might be longer than what they have to be back in."""
QUEUE: Final = "queue"
"""The share group."""
LETTERS: Final = "letters"
"""Its dead letters, where they are wanted: by the topics that it reads, or by itself."""
REDELIVERY_MS: Final = (0, 0, 500, 2_000)
ASIDE: Final = 0.15
"""How much more seldom those are there who are not of the theme."""
KEYS: Final = (2, 7, 40)
"""How many keys a compacted topic may have."""
CLOCK_JUMP_MS: Final = 3_000
"""So far the wall clock jumps from one life to the next, at most."""
DELAY_MS: Final = 30_000
"""Of the topic that has one: more than the clock jumps in most seeds."""
DELETE_RETENTION_MS: Final = ("1000", "120000")
"""Tombstones go during the run, or never."""

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
        self._theme = world.plan.theme
        self._keys = tuple(b"key-%d" % number for number in range(self._random.choice(KEYS)))

    async def live(self) -> None:
        """Everything that clients do, to the last look."""
        world = self._world
        world.history.share_lock_ms = world.plan.settings.group_share_record_lock_duration_ms
        administrator = Administrator(self._caller("administrator/0"))
        await self._make_topics(administrator)
        world.trouble()
        roles = [role for role in self._roles() if self._random.random() < role.weight]
        tasks = [world.spawn(self._live_row(role), role.name) for role in roles]
        await asyncio.gather(*tasks)
        administrator.caller.close()
        while not world.is_healed:
            await world.sleep(100)
        await world.sleep(DELAY_MS + CLOCK_JUMP_MS * (len(world.machine.lives) + 1))  # until all can be seen
        names = {role.name for role in roles}
        if any(name.startswith(QUEUE) for name in names):
            caller = self._caller("drain/0")
            await drain(caller, QUEUE, STABLE)
            caller.close()
        if any(name.startswith("stream-") for name in names):
            await self._gather()
        await self._look_twice()
        self._tell_of_the_world()

    async def _gather(self) -> None:
        """Let the application's group come together once more, with nothing to disturb it but what is asked for."""
        callers = [self._caller(f"gathering/{number}") for number in range(self._random.randint(1, 5))]
        administrator, gathering = Administrator(callers[0]), Gathering(callers, APPLICATION)
        first, last = self._random.sample(range(3), 2)
        for copies in (first, last):
            await administrator.set_group(APPLICATION.group, {"streams.num.standby.replicas": str(copies)})
            await gathering.come_together(copies=copies)
        if gathering.may_shrink:
            await gathering.leave()
            await gathering.come_together(copies=last)
        for caller in callers:
            caller.close()  # the others are missed

    def _tell_of_the_world(self) -> None:
        """What the laws have to know of it."""
        world, history = self._world, self._world.history
        history.is_calm = world.plan.kind == "calm"
        history.crashes = world.plan.crashes
        history.session_ms = world.plan.settings.group_consumer_session_timeout_ms
        history.disk_refuses = any(trouble in ("full", "failing write") for trouble in world.plan.troubles)
        history.share_deliveries_max = world.plan.settings.group_share_delivery_count_limit
        history.share_topics = STABLE
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
        of_topics, of_group = self._letters()
        for topic in STABLE:
            await administrator.create(topic, random.randint(1, 3), of_topics)
        for topic in (COPIES, TRIMMED, FLEETING):
            await administrator.create(topic, random.randint(1, 3), {})
        compacted = {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": random.choice(("0.01", "0.3")),
            "delete.retention.ms": random.choice(DELETE_RETENTION_MS),
            "segment.ms": random.choice(("500", "3000")),
        }
        await administrator.create(COMPACTED, random.randint(1, 2), compacted)
        if self._world.history.letters is not None and random.random() < 0.5:
            await administrator.create(LETTERS, random.randint(1, 3), {"errors.deadletterqueue.group.enable": "true"})
        await administrator.set_group(QUEUE, {"share.auto.offset.reset": "earliest"} | of_group)
        await administrator.create(BRIEF, 1, {"retention.ms": "3000", "segment.ms": "500"})
        await administrator.create(LATE, 1, {"drave.delivery.delay.ms": str(DELAY_MS)})

    def _letters(self) -> tuple[dict[str, str], dict[str, str]]:
        """What the configs of topics and of the share group say of what is given up, or released."""
        random, history = self._random, self._world.history
        of_topics, of_group = {}, {}
        match random.choice(("nobody", "topics", "group", "group, with the record")):
            case "topics":
                of_topics["drave.dead.letter.topic"] = LETTERS
                history.letters = Letters(LETTERS, copies=True)
            case "group":
                of_group["errors.deadletterqueue.topic.name"] = LETTERS
                history.letters = Letters(LETTERS, copies=False)
            case "group, with the record":
                of_group["errors.deadletterqueue.topic.name"] = LETTERS
                of_group["errors.deadletterqueue.copy.record.enable"] = "true"
                history.letters = Letters(LETTERS, copies=True)
        history.redelivery_ms = random.choice(REDELIVERY_MS)
        if history.redelivery_ms:
            of_topics["drave.redelivery.delay.ms"] = str(history.redelivery_ms)
        return of_topics, of_group

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
            if role.mortal and random.random() < 0.4:
                await world.sleep(random.randint(1, 3_000))
                if random.random() < 0.5:
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
        """Everybody who may be there; who is of the seed's theme mostly is, and who is not seldom."""
        for theme, role in self._all_roles():
            if self._theme == theme:
                yield replace(role, weight=1.0 - (1.0 - role.weight) ** 2)
            else:
                yield replace(role, weight=role.weight * (1.0 if self._theme == EVERYTHING else ASIDE))

    def _all_roles(self) -> Iterator[tuple[str, Role]]:
        for theme, roles in (
            ("records", self._producers()),
            ("transactions", self._transactional()),
            ("keys", self._keyed()),
            ("groups", self._members()),
            ("consumers", self._consumers()),
            ("copies", self._copiers()),
            ("queues", self._queues()),
            ("streams", self._streams()),
        ):
            for role in roles:
                yield theme, role
        for role in (*self._readers(), *self._others()):
            yield self._theme, role

    def _producers(self) -> Iterator[Role]:
        yield Role("plain", lambda caller, steps: PlainProducer(caller, STABLE).live(steps), 0.7)
        yield Role("fleeting", lambda caller, steps: PlainProducer(caller, (FLEETING, TRIMMED, BRIEF)).live(steps), 0.7)
        for number in range(2):
            yield Role(
                f"idempotent-{number}", lambda caller, steps: IdempotentProducer(caller, STABLE).live(steps), 0.8
            )
        yield Role("trimming writer", lambda caller, steps: IdempotentProducer(caller, (TRIMMED,)).live(steps), 0.5)

    def _writer(
        self,
        transactional_id: str,
        topics: Sequence[str],
        *,
        keys: Sequence[bytes | None] = (None,),
        pauses_ms: Sequence[int] = (0, 0, 5, 50),
    ) -> Work:
        version = self._random.choice((1, 2))

        def work(caller: Caller, steps: int) -> Awaitable[None]:
            producer = TransactionalProducer(caller, transactional_id, version=version, keys=keys)
            return TransactionalWriter(producer, topics, pauses_ms=pauses_ms).live(max(1, steps // 4))

        return work

    def _transactional(self) -> Iterator[Role]:
        for number in range(3):
            yield Role(f"transactional-{number}", self._writer(f"t-{number}", STABLE), 0.7)
        yield Role("trimming transactional", self._writer("t-trimmed", (TRIMMED, "orders")), 0.5)

    def _keyed(self) -> Iterator[Role]:
        for number in range(2):
            yield Role(
                f"keyed-{number}",
                lambda caller, steps: IdempotentProducer(caller, (COMPACTED,), keys=self._keys).live(steps),
                0.7,
            )
        slowly = (50, 300, 1_000)
        yield Role("keyed transactional", self._writer("t-keys", (COMPACTED,), keys=self._keys), 0.6)
        yield Role(
            "slow keyed transactional",
            self._writer("t-slow-keys", (COMPACTED,), keys=self._keys, pauses_ms=slowly),
            0.8,
        )
        for name, committed_only in (("reader of keys", False), ("committed reader of keys", True)):
            yield Role(name, self._reader((COMPACTED,), committed_only=committed_only), 0.6)

    def _reader(self, topics: Sequence[str], *, committed_only: bool) -> Work:
        by_id = FLEETING in topics
        return lambda caller, steps: Reader(caller, topics, committed_only=committed_only, by_id=by_id).live(steps)

    def _readers(self) -> Iterator[Role]:
        yield Role("reader", self._reader(STABLE, committed_only=False), 0.5)
        yield Role("committed reader", self._reader(STABLE, committed_only=True), 0.7)
        yield Role("reader of all", self._reader((FLEETING, TRIMMED, BRIEF, COMPACTED), committed_only=False), 0.3)
        yield Role("committed reader of all", self._reader((TRIMMED, COMPACTED, COPIES), committed_only=True), 0.3)

    def _members(self) -> Iterator[Role]:
        random = self._random
        committed_only = random.random() < 0.5
        for number in range(random.randint(1, 3)):
            instance = f"instance-{number}" if random.random() < 0.5 else None
            yield Role(f"member-{number}", self._member(instance, committed_only=committed_only), 0.9)

    def _member(self, instance: str | None, *, committed_only: bool) -> Work:
        return lambda caller, steps: GroupReader(
            Member(caller, "group", STABLE, instance=instance), committed_only=committed_only
        ).live(steps)

    def _consumers(self) -> Iterator[Role]:
        random = self._random
        committed_only = random.random() < 0.5
        for number in range(random.randint(2, 4)):
            instance = f"static-{number}" if random.random() < 0.4 else None
            yield Role(f"consumer-{number}", self._consumer(instance, committed_only=committed_only), 0.9)

    def _consumer(self, instance: str | None, *, committed_only: bool) -> Work:
        return lambda caller, steps: GroupReader(
            ConsumerMember(caller, "consumers", STABLE, instance=instance), committed_only=committed_only
        ).live(steps)

    def _copiers(self) -> Iterator[Role]:
        """One alone, or some in a group of one kind or another."""
        random = self._random
        kind = random.choice(("alone", "group", "streams"))
        for number in range(1 if kind == "alone" else random.randint(1, 3)):
            yield Role(f"copier-{number}", self._copier(f"t-copier-{number}", kind), 0.9)
        yield Role("source", lambda caller, steps: IdempotentProducer(caller, (SOURCE,)).live(steps), 0.5)
        yield Role("transactional source", self._writer("t-source", (SOURCE,)), 0.5)

    def _copier(self, transactional_id: str, kind: str) -> Work:
        version = self._random.choice((1, 2))

        def work(caller: Caller, steps: int) -> Awaitable[None]:
            producer = TransactionalProducer(caller, transactional_id, version=version)
            place: Member | None = None
            if kind == "group":
                place = Member(caller, "copiers", (SOURCE,))
            elif kind == "streams":
                place = StreamsMember(caller, COPYING, process=transactional_id)
            return Copier(producer, "copiers", SOURCE, COPIES, member=place).live(steps)

        return work

    def _queues(self) -> Iterator[Role]:
        for number in range(self._random.randint(1, 3)):
            yield Role(
                f"{QUEUE}-{number}",
                lambda caller, steps: ShareReader(ShareMember(caller, QUEUE, STABLE)).live(2 * steps),
                0.8,
            )
        yield Role("filler", lambda caller, steps: IdempotentProducer(caller, STABLE).live(steps), 0.6)

    def _streams(self) -> Iterator[Role]:
        random = self._random
        committed_only, threads = random.random() < 0.5, random.choice((1, 2, 3))
        for number in range(random.randint(2, 5)):
            process = f"process-{number // threads}"
            yield Role(f"stream-{number}", self._stream(process, committed_only=committed_only), 0.9)
        yield Role("sender between", self._send_between, 0.5)
        yield Role("streams administrator", self._administer_streams, 0.7, mortal=False)

    def _stream(self, process: str, *, committed_only: bool) -> Work:
        def work(caller: Caller, steps: int) -> Awaitable[None]:
            topology_epoch = caller.random.choice((0, 0, 1, 1, 2))
            member = StreamsMember(caller, APPLICATION, process=process, topology_epoch=topology_epoch)
            return GroupReader(member, committed_only=committed_only).live(steps)

        return work

    async def _send_between(self, caller: Caller, steps: int) -> None:
        """What the application would send on to itself, once its topic is there."""
        while not await caller.partitions(BETWEEN):
            if self._world.is_healed:
                return
            await caller.back_off()
        await IdempotentProducer(caller, (BETWEEN,)).live(steps)

    async def _administer_streams(self, caller: Caller, steps: int) -> None:
        """Change what assignments are made by, and at times begin the group anew."""
        administrator, random = Administrator(caller), caller.random
        for _ in range(max(1, steps // 4)):
            await self._world.sleep(random.choice((100, 1_000, 5_000)))
            match random.choice(("copies", "copies", "interval", "delete")):
                case "copies":
                    configs = {"streams.num.standby.replicas": random.choice("012")}
                    await administrator.set_group(APPLICATION.group, configs)
                case "interval":
                    configs = {"streams.assignment.interval.ms": random.choice(("0", "500", "2000"))}
                    await administrator.set_group(APPLICATION.group, configs)
                case "delete":
                    await administrator.delete_group(APPLICATION.group)

    def _others(self) -> Iterator[Role]:
        yield Role("bookkeeper", lambda caller, steps: Bookkeeper(caller, "books", STABLE).live(steps), 0.5)
        yield Role("watcher", lambda caller, steps: Watcher(caller, GROUPS, STABLE).live(steps), 0.6, mortal=False)
        yield Role("onlooker", lambda caller, steps: Onlooker(caller, WATCHED, GROUPS).live(steps), 0.9, mortal=False)
        yield Role("limiter", lambda caller, steps: Limiter(caller, LIMITED).live(steps), 0.6, mortal=False)
        yield Role("administrator", self._administer, 0.6, mortal=False)
        yield Role("late writer", lambda caller, steps: IdempotentProducer(caller, (LATE,)).live(steps), 0.5)
        yield Role("late reader", self._reader((LATE,), committed_only=False), 0.7)

    async def _administer(self, caller: Caller, steps: int) -> None:
        random, world = self._random, self._world
        administrator = Administrator(caller)
        for number in range(max(1, steps // 3)):
            await world.sleep(random.choice((10, 100, 1_000)))
            match random.choice(("trim", "trim", "delete", "make", "grow", "alter", "group")):
                case "trim":
                    await administrator.trim_some(TRIMMED)
                case "delete":
                    await administrator.delete(FLEETING)
                    await administrator.create(FLEETING, random.randint(1, 3), {})
                case "make":
                    await administrator.create(f"more-{number}", random.randint(1, 2), {})
                case "grow":
                    await administrator.grow(random.choice((FLEETING, TRIMMED)))
                case "alter":
                    await administrator.alter(COMPACTED, {"segment.ms": random.choice(("200", "2000", None))})
                case "group":
                    await administrator.delete_group("books")
