"""What is in flight, against a model that knows each record by itself, however slowly.

Members take, say what became of what they hold, go away, let locks end; the log loses its beginning; the broker
crashes and reads what was written down. After every step both must agree on every record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drave.broker.coordinator.share.acquiring import Asked, Span
from drave.broker.coordinator.share.delivery import TERMINAL, Progress, RecordState, StateBatch, overlay
from drave.broker.coordinator.share.in_flight import (
    Acknowledgement,
    AcknowledgeType,
    Changes,
    DeliveryLimits,
    GivenUp,
    InFlight,
    Leaving,
)
from drave.model.errors import ProtocolError

LIMITS: Final = DeliveryLimits(lock_ms=100, deliveries_max=2, in_flight_max=30)
LOG_END: Final = 60
MEMBERS: Final = ("a", "b", "c")
HELD: Final = RecordState.ACQUIRED
FREE: Final = RecordState.AVAILABLE


@dataclass
class One:
    """One record, as the model knows it."""

    state: RecordState = FREE
    count: int = 0
    member: str = ""
    until: int = 0
    written: tuple[RecordState, int] = (FREE, 0)


class Model:
    """Records from the start to the end, each by itself."""

    def __init__(self, limits: DeliveryLimits) -> None:
        self.limits = limits
        self.start = 0
        self.records: dict[int, One] = {}

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def give(self, offset: int, member: str, now: int) -> int:
        assert offset <= self.end, "nothing is left out"
        one = self.records.setdefault(offset, One())
        assert one.state is FREE, f"{offset} is not to be had: {one}"
        assert one.until <= now, f"{offset} is kept back: {one}"
        one.state, one.member, one.count, one.until = HELD, member, one.count + 1, now + self.limits.lock_ms
        return one.count

    def end_one(self, offset: int, kind: int, now: int) -> None:
        one = self.records[offset]
        one.member = ""
        if kind == AcknowledgeType.RELEASE and one.count < self.limits.deliveries_max:
            one.state = FREE
            one.until = now + self.limits.redelivery_delay_ms if self.limits.redelivery_delay_ms else 0
        elif kind == AcknowledgeType.ACCEPT:
            one.state, one.until = RecordState.ACKNOWLEDGED, 0
        elif kind != AcknowledgeType.GAP and self.limits.dead_letters:
            one.state, one.until = RecordState.LEAVING, 0
            return
        else:
            one.state, one.until = RecordState.ARCHIVED, 0
        one.written = one.state, one.count

    def is_held(self, offset: int, member: str) -> bool:
        one = self.records.get(offset)
        return one is not None and one.state is HELD and one.member == member

    def move(self) -> None:
        while self.records and self.records[self.start].state in TERMINAL:
            del self.records[self.start]
            self.start += 1


class InFlightAgainstItsModel(RuleBasedStateMachine):
    limits = LIMITS

    @initialize(
        sizes=st.lists(st.integers(1, 9), min_size=20, max_size=20), gaps=st.sets(st.integers(0, 19), max_size=3)
    )
    def begin(self, sizes: list[int], gaps: set[int]) -> None:
        """Batches of a log, some of which compaction has taken."""
        self.spans: list[Span] = []
        at = 0
        for number, size in enumerate(sizes):
            if number not in gaps:
                self.spans.append(Span(at, at + size - 1))
            at += size
        self.now = 1
        self.model = Model(self.limits)
        self.tested = InFlight(0)
        self.known: list[StateBatch] = []
        self.known_start = 0
        self.leaving: list[Leaving] = []

    def write(self, changes: Changes | None = None) -> None:
        progress: Progress = self.tested.progress(changes)
        self.known = overlay(self.known, progress.batches, progress.start_offset)
        self.known_start = progress.start_offset
        self.leaving += changes.leaving if changes is not None else []

    @rule(
        member=st.sampled_from(MEMBERS),
        most=st.integers(1, 12),
        batch_size=st.integers(1, 8),
        exactly=st.booleans(),
        batches=st.integers(1, 6),
    )
    def take(self, member: str, most: int, batch_size: int, exactly: bool, batches: int) -> None:
        offset = self.tested.next_offset(self.limits, self.now)
        free = [at for at, one in self.model.records.items() if one.state is FREE and one.until <= self.now]
        if offset is None:
            assert not free, "there is something to be had"
            assert len(self.model.records) >= self.limits.in_flight_max
            return
        assert offset == (free[0] if free else self.model.end)
        spans = [span for span in self.spans if span.last >= offset][:batches]
        if not spans:
            return
        self.pass_over(offset, spans[0].first)
        acquired = self.tested.acquire(Asked(member, most, batch_size, exactly), spans, offset, self.limits, self.now)
        for first, last, count in acquired:
            for at in range(first, last + 1):
                assert spans[0].first <= at <= spans[-1].last, "only what was read is given"
                assert self.model.give(at, member, self.now) == count
        given = sum(last - first + 1 for first, last, _ in acquired)
        assert given or spans[0].first > offset, "whoever asks gets what there is"
        if exactly:
            assert given <= most
        self.model.move()
        self.write()

    def pass_over(self, offset: int, first: int) -> None:
        """What the log has no more is over, in the model."""
        if not self.model.records and first > offset:
            self.model.start = first
        for at in range(max(offset, self.model.start), first):
            one = self.model.records.setdefault(at, One(state=FREE))
            if one.state is FREE:
                one.state, one.until = RecordState.ARCHIVED, 0
        self.model.move()

    @rule(
        member=st.sampled_from(MEMBERS),
        pick=st.integers(0, 1000),
        size=st.integers(1, 12),
        kinds=st.lists(st.sampled_from(list(AcknowledgeType)), min_size=12, max_size=12),
        alike=st.booleans(),
        honest=st.integers(0, 4),
    )
    def say(self, member: str, pick: int, size: int, kinds: list[AcknowledgeType], alike: bool, honest: int) -> None:
        """Mostly of what somebody holds, and mostly by who holds it."""
        held = [at for at, one in self.model.records.items() if one.state is HELD]
        first = held[pick % len(held)] if held and honest else pick % (LOG_END + 1)
        if held and honest > 1:
            member = self.model.records[first].member
            size = next((more for more in range(1, size) if not self.model.is_held(first + more, member)), size)
        last = first + size - 1
        said = Acknowledgement(first, last, kinds[:1] if alike else kinds[:size])
        named = range(max(first, self.model.start), last + 1)
        rightly = last < self.model.start or all(self.model.is_held(at, member) for at in named)
        try:
            changes = self.tested.acknowledge(member, [said], self.limits, self.now)
        except ProtocolError:
            assert not rightly
            return
        assert rightly, "only who holds a record may speak for it"
        for at in named if last >= self.model.start else ():
            kind = kinds[0] if alike else kinds[at - first]
            if kind is AcknowledgeType.RENEW:
                self.model.records[at].until = self.now + self.limits.lock_ms
            else:
                self.end(at, kind)
        self.model.move()
        self.write(changes)

    def end(self, offset: int, kind: AcknowledgeType) -> None:
        self.model.end_one(offset, kind, self.now)

    @rule(member=st.sampled_from(MEMBERS))
    def go(self, member: str) -> None:
        for at, one in self.model.records.items():
            if one.state is HELD and one.member == member:
                self.end(at, AcknowledgeType.RELEASE)
        self.model.move()
        self.write(self.tested.release(member, self.limits, self.now))

    @rule(ms=st.integers(1, 120))
    def wait(self, ms: int) -> None:
        self.now += ms
        due = [at for at, one in self.model.records.items() if one.state is HELD and one.until <= self.now]
        moment = self.tested.next_moment()
        held = [one.until for one in self.model.records.values() if one.until]
        assert moment == min(held, default=None)
        for at in due:
            self.end(at, AcknowledgeType.RELEASE)
        for one in self.model.records.values():
            if one.state is FREE and one.until <= self.now:
                one.until = 0
        self.model.move()
        self.write(self.tested.expire(self.limits, self.now))

    @rule(by=st.integers(1, 12), rarely=st.integers(0, 3))
    def lose_the_beginning_of_the_log(self, by: int, rarely: int) -> None:
        if rarely:
            return
        start = min(self.model.start + by, self.spans[-1].first)
        self.spans = [span for span in self.spans if span.last >= start]
        if start <= self.model.start:
            return
        for at in range(self.model.start, start):
            self.model.records.pop(at, None)
        self.model.start = start
        self.model.move()
        self.tested.begin_at(start)
        self.write()

    @rule()
    def bury(self) -> None:
        leaving, self.leaving = self.leaving, []
        for each in leaving:
            for at in range(each.first, each.last + 1):
                one = self.model.records.get(at)
                if one is not None:
                    assert one.state is RecordState.LEAVING
                    assert each.why is not GivenUp.DELIVERIES or one.count >= self.limits.deliveries_max
                    one.state, one.written = RecordState.ARCHIVED, (RecordState.ARCHIVED, one.count)
        self.model.move()
        self.write(self.tested.bury(leaving))

    @rule(rarely=st.integers(0, 3))
    def crash(self, rarely: int) -> None:
        """What was written down is all that is left; what is held is available."""
        if rarely:
            return
        self.tested = InFlight(self.known_start, self.known)
        self.leaving = []
        for one in self.model.records.values():
            (one.state, one.count), one.member, one.until = one.written, "", 0
        last = max((at for at, one in self.model.records.items() if one.written != (FREE, 0)), default=-1)
        for at in [at for at in self.model.records if at > last]:
            del self.model.records[at]
        self.model.move()
        self.write()

    @invariant()
    def both_agree_on_every_record(self) -> None:
        if not hasattr(self, "model"):
            return
        assert (self.tested.start, self.tested.end) == (self.model.start, self.model.end)
        at = self.tested.start
        complete = 0
        for run in self.tested:
            assert run.first == at <= run.last, "runs leave no gap and do not overlap"
            for at in range(run.first, run.last + 1):
                one = self.model.records[at]
                assert (run.state in TERMINAL) == (one.state in TERMINAL), at
                if run.state not in TERMINAL:
                    assert (run.state, run.count, run.member, run.until) == (
                        one.state,
                        one.count,
                        one.member,
                        one.until,
                    ), at
                complete += run.state in TERMINAL
            at = run.last + 1
        assert self.tested.progress().delivery_complete_count == complete


class WithDeadLettersAndDelays(InFlightAgainstItsModel):
    limits = DeliveryLimits(lock_ms=100, deliveries_max=3, in_flight_max=30, redelivery_delay_ms=40, dead_letters=True)


TestInFlight = InFlightAgainstItsModel.TestCase
TestInFlight.settings = settings(max_examples=80, stateful_step_count=50)
TestWithDeadLetters = WithDeadLettersAndDelays.TestCase
TestWithDeadLetters.settings = settings(max_examples=80, stateful_step_count=50)
