"""A group under chaos, a seed at a time: members come, go, die, restart and repeat themselves, the coordinator
restarts, its log refuses, time passes. A checker watches every answer.

A failing seed is reproduced with `run(seed)`.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from drave.broker.coordinator.group import GroupState
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, parse_group, parse_key
from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual import Era, VirtualGroups, subscription

STEPS = 400
PARTITIONS = 6
TOPIC = "t"


class Checker:
    """What must hold whatever happens."""

    def __init__(self, groups: VirtualGroups) -> None:
        self.groups = groups
        self.leaders: dict[tuple[Era, int], str] = {}
        self.owners: dict[tuple[int, int, int], str] = {}
        self.committed: dict[tuple[str, int], int] = {}

    def leads(self, consumer: Consumer, generation: int, era: Era) -> None:
        """One generation has one leader; only a static member's next start may follow it."""
        leader = self.leaders.setdefault((era, generation), consumer.slot)
        assert leader == consumer.slot, f"generation {generation} has two leaders"

    def assigned(self, consumer: Consumer, generation: int, era: Era, partitions: list[int]) -> None:
        """One generation gives a partition to one member, also across restarts: what was given is durable."""
        for partition in partitions:
            owner = self.owners.setdefault((era.deletions, generation, partition), consumer.slot)
            assert owner == consumer.slot, f"generation {generation} gave partition {partition} to two members"

    def check_state(self) -> None:
        groups = self.groups
        live = sorted(groups.shard.live_records())
        assert live == sorted(groups.replayed().live_records()), "replay gives another state than the live one"
        assert groups.committed() == self.committed, "an offset was lost, or came from nowhere"
        generation = 0
        for key, value in groups.log:
            if isinstance(parse_key(key), GroupKey):
                next_generation = 0 if value is None else parse_group(value).generation
                assert value is None or next_generation >= generation, "a durable generation went back"
                generation = next_generation


class Consumer:
    """A client that keeps to the protocol. `slot` is who it is: a static member's next start has the same."""

    def __init__(self, groups: VirtualGroups, checker: Checker, number: int, instance_id: str | None) -> None:
        self.groups = groups
        self.checker = checker
        self.instance_id = instance_id
        self.slot = instance_id or f"dynamic {number}"
        self.version = 9
        self.session_ms = 10_000
        self.rebalance_ms = 60_000
        self.topics = [TOPIC]
        self.member_id = ""
        self.generation = -1
        self.waits_for: tuple[str, int] | None = None
        self.partitions: list[int] | None = None
        self.alive = True

    # -- what it does

    def join(self) -> None:
        self.partitions = None
        token = self.groups.join(
            self.member_id,
            instance_id=self.instance_id,
            protocols={"range": subscription(*self.topics)},
            version=self.version,
            session_ms=self.session_ms,
            rebalance_ms=self.rebalance_ms,
        )
        self.waits_for = "join", token

    def sync(self, plan: dict[str, bytes]) -> None:
        token = self.groups.sync(self.member_id, self.generation, plan, instance_id=self.instance_id)
        self.waits_for = "sync", token

    def go_on(self) -> None:
        """One turn of a client's loop."""
        if self.waits_for is not None:
            kind, token = self.waits_for
            if token in self.groups.answers:
                self.waits_for = None
                after = {"join": self._after_join, "sync": self._after_sync}[kind]
                after(self.groups.answers[token], self.groups.answered_in[token])
        elif self.partitions is None:
            self.join()
        else:
            code = self.groups.heartbeat(self.member_id, self.generation, instance_id=self.instance_id)
            if code != ErrorCode.NONE:
                self._after_error(code)

    def commit(self, random: random.Random) -> None:
        if not self.partitions or self.waits_for is not None:
            return
        place = TOPIC, random.choice(self.partitions)
        offset = self.checker.committed.get(place, 0) + random.randrange(5)
        (code,) = self.groups.commit({place: offset}, self.member_id, self.generation, instance_id=self.instance_id)
        if code == ErrorCode.NONE:
            self.checker.committed[place] = offset
        elif code != ErrorCode.COORDINATOR_NOT_AVAILABLE:
            self._after_error(code)

    def linger(self) -> None:
        """It is busy with what it has read: it lives, and does not join again."""
        if self.waits_for is None and self.partitions is not None:
            self.groups.heartbeat(self.member_id, self.generation, instance_id=self.instance_id)

    def ask_too_late(self) -> None:
        """Requests of a generation that it was in once."""
        if self.generation < 1 or self.partitions is None or self.waits_for is not None:
            return
        old = self.generation - 1
        token = self.groups.sync(self.member_id, old, {self.member_id: b"[0]"}, instance_id=self.instance_id)
        assert self.groups.answers[token].error_code != ErrorCode.NONE
        codes = self.groups.commit({(TOPIC, 0): 10**9}, self.member_id, old, instance_id=self.instance_id)
        assert codes != [ErrorCode.NONE]
        assert self.groups.heartbeat(self.member_id, old, instance_id=self.instance_id) != ErrorCode.NONE

    def leave(self) -> None:
        self.alive = False
        self.groups.leave((self.member_id, self.instance_id))

    def repeat(self) -> None:
        """The connection broke before the answer came, and the client asks again."""
        if self.waits_for is not None and self.waits_for[0] == "join":
            self.join()

    def disconnected(self) -> None:
        self.waits_for = None
        self.partitions = self.partitions if self.generation >= 0 else None

    # -- what it makes of answers

    def _after_join(self, answer: Any, era: Era) -> None:
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
            self.join()
        elif answer.error_code != ErrorCode.NONE:
            self._after_error(ErrorCode(answer.error_code))
        else:
            self.member_id, self.generation = answer.member_id, answer.generation_id
            if answer.leader == self.member_id and not answer.skip_assignment:
                self.checker.leads(self, self.generation, era)
                self.sync(self._plan(sorted(member.member_id for member in answer.members)))
            else:
                self.sync({})

    @staticmethod
    def _plan(members: list[str]) -> dict[str, bytes]:
        shares = {member: list(range(number, PARTITIONS, len(members))) for number, member in enumerate(members)}
        return {member: json.dumps(share).encode() for member, share in shares.items()}

    def _after_sync(self, answer: Any, era: Era) -> None:
        if answer.error_code != ErrorCode.NONE:
            self._after_error(ErrorCode(answer.error_code))
            return
        self.partitions = json.loads(answer.assignment or b"[]")
        self.checker.assigned(self, self.generation, era, self.partitions)

    def _after_error(self, code: ErrorCode) -> None:
        self.partitions = None
        match code:
            case ErrorCode.UNKNOWN_MEMBER_ID | ErrorCode.GROUP_ID_NOT_FOUND:
                self.member_id = ""
            case ErrorCode.FENCED_INSTANCE_ID | ErrorCode.GROUP_MAX_SIZE_REACHED:
                self.alive = False
            case ErrorCode.REBALANCE_IN_PROGRESS | ErrorCode.ILLEGAL_GENERATION | ErrorCode.COORDINATOR_NOT_AVAILABLE:
                pass
            case _:
                raise AssertionError(f"no client expects {code!r}")


class Chaos:
    """Decides what happens next."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.groups = VirtualGroups(
            initial_rebalance_delay_ms=self.random.choice([0, 0, 3000]), size_max=self.random.choice([3, 1000, 1000])
        )
        self.session_ms = self.random.choice([6000, 10_000, 45_000])
        self.rebalance_ms = self.random.choice([5000, 60_000])
        self.checker = Checker(self.groups)
        self.consumers: list[Consumer] = []
        self.started = 0
        self.acts = {
            self.turn: 40,
            self.commit: 15,
            self.pass_time: 15,
            self.start: 4,
            self.restart_static: 2,
            self.die: 2,
            self.leave: 2,
            self.repeat: 2,
            self.linger: 20,
            self.ask_too_late: 1,
            self.resubscribe: 1,
            self.restart_coordinator: 1,
            self.break_or_mend_log: 1,
            self.delete: 1,
        }

    def run(self) -> None:
        acts, weights = list(self.acts), list(self.acts.values())
        for _ in range(STEPS):
            self.random.choices(acts, weights)[0]()
            self.checker.check_state()
        self.settle()

    def settle(self) -> None:
        """Without further trouble, all who live end up in one stable generation that covers every partition."""
        self.groups.log_refuses_with = None
        for _ in range(400):
            if not self.alive:
                self.start()
            for consumer in self.alive:
                consumer.go_on()
            self.groups.advance(1000)
        self.checker.check_state()
        described = self.groups.described()
        assert described.group_state == GroupState.STABLE
        assert {member.member_id for member in described.members} == {one.member_id for one in self.alive}
        covered = [partition for one in self.alive for partition in one.partitions or []]
        assert sorted(covered) == list(range(PARTITIONS))
        assert not self.groups.parked, "a request was never answered"

    # -- what can happen

    @property
    def alive(self) -> list[Consumer]:
        return [consumer for consumer in self.consumers if consumer.alive]

    def anyone(self) -> Consumer:
        return self.random.choice(self.alive) if self.alive else self.start()

    def turn(self) -> None:
        self.anyone().go_on()

    def commit(self) -> None:
        self.anyone().commit(self.random)

    def pass_time(self) -> None:
        self.groups.advance(self.random.choice([10, 500, 3000, 3000, 9000, 30_000]))

    def start(self) -> Consumer:
        self.started += 1
        if len(self.alive) >= 6:
            return self.random.choice(self.alive)
        taken = {consumer.instance_id for consumer in self.alive}
        instance_id = self.random.choice([None, None, "a", "b"])
        consumer = Consumer(self.groups, self.checker, self.started, None if instance_id in taken else instance_id)
        consumer.version = self.random.choice([3, 5, 9]) if consumer.instance_id is None else self.random.choice([5, 9])
        self.consumers.append(consumer)
        self.configure(consumer)
        consumer.join()
        return consumer

    def configure(self, consumer: Consumer) -> None:
        consumer.session_ms, consumer.rebalance_ms = self.session_ms, self.rebalance_ms

    def restart_static(self) -> None:
        """The next start of a static member, while the one before it may still believe to be it."""
        old = next((consumer for consumer in self.alive if consumer.instance_id), None)
        if old is None:
            return
        self.started += 1
        new = Consumer(self.groups, self.checker, self.started, old.instance_id)
        new.version = old.version
        if self.random.random() < 0.7:
            old.alive = False
        self.consumers.append(new)
        self.configure(new)
        new.join()

    def die(self) -> None:
        self.anyone().alive = False

    def leave(self) -> None:
        self.anyone().leave()

    def repeat(self) -> None:
        self.anyone().repeat()

    def linger(self) -> None:
        self.anyone().linger()

    def ask_too_late(self) -> None:
        self.anyone().ask_too_late()

    def delete(self) -> None:
        if self.groups.delete() == ErrorCode.NONE:
            self.checker.committed.clear()

    def resubscribe(self) -> None:
        consumer = self.anyone()
        consumer.topics = [TOPIC, f"u{self.random.randrange(3)}"]
        if consumer.waits_for is None:
            consumer.join()

    def restart_coordinator(self) -> None:
        self.groups.restart()
        for consumer in self.consumers:
            consumer.disconnected()

    def break_or_mend_log(self) -> None:
        broken = self.groups.log_refuses_with is None
        self.groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE if broken else None


def run(seed: int) -> None:
    Chaos(seed).run()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_a_group_keeps_its_promises_and_comes_to_rest(seed: int) -> None:
    """One leader and one assignment for each generation, no offset lost, no answer missing, replay equals life."""
    run(seed)
