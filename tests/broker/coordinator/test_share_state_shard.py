"""What is durably known of share-partitions: snapshots, updates, and what reading the log again gives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.schemas.share_state import (
    SNAPSHOT,
    UPDATE,
    ShareKey,
    parse_key,
    parse_snapshot,
    parse_update,
    snapshot_key,
    update_key,
)
from drave.broker.coordinator.share.delivery import TERMINAL, Progress, RecordState, StateBatch, overlay
from drave.broker.coordinator.share.state import UNDECIDED_START, Summary
from drave.broker.coordinator.share.state_shard import Known, ShareStateShard
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.schema import SchemaError
from tests.broker.coordinator.virtual_shard import VirtualShard

JOBS = ShareKey("work", TopicId(b"\1" * 16), 3)
ACKNOWLEDGED, AVAILABLE, ARCHIVED = RecordState.ACKNOWLEDGED, RecordState.AVAILABLE, RecordState.ARCHIVED


class VirtualStates(VirtualShard[ShareStateShard]):
    """One shard; a snapshot after each three updates."""

    def fresh(self) -> ShareStateShard:
        return ShareStateShard(updates_max=3)

    def answer(self, outcome: Outcome, token: int) -> ErrorCode:
        self.carry_out(outcome)
        code: ErrorCode = self.answers[token]
        return code

    def initialize(self, start: int = UNDECIDED_START, *, state_epoch: int = 1) -> ErrorCode:
        token = self.token()
        return self.answer(self.shard.initialize(JOBS, start, state_epoch, token, self.now_ms), token)

    def write(self, start: int, *batches: StateBatch, complete: int = 0) -> ErrorCode:
        token = self.token()
        progress = Progress(start, complete, batches)
        return self.answer(self.shard.write(JOBS, progress, 7, token, self.now_ms), token)

    def delete(self) -> ErrorCode:
        token = self.token()
        return self.answer(self.shard.delete(JOBS, token), token)

    @property
    def known(self) -> Known:
        known = self.shard.get(JOBS)
        assert known is not None
        return known

    def kinds(self) -> list[int]:
        return [parse_key(key)[0] for key, _ in self.log]


@pytest.fixture
def states() -> VirtualStates:
    return VirtualStates()


def test_what_was_initialized_begins_there_with_nothing_delivered(states: VirtualStates) -> None:
    assert states.initialize(40) is ErrorCode.NONE
    assert states.known.summary == Summary(40, 0, 0)
    assert states.known.batches == []


def test_what_was_never_initialized_takes_no_writes(states: VirtualStates) -> None:
    assert states.write(5) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert states.log == []


def test_a_lower_state_epoch_is_fenced(states: VirtualStates) -> None:
    """An administrator has moved the start meanwhile: who begins anew for an older reason must not."""
    states.initialize(40, state_epoch=5)
    assert states.initialize(0, state_epoch=4) is ErrorCode.FENCED_STATE_EPOCH
    assert states.known.start_offset == 40
    assert states.initialize(0, state_epoch=5) is ErrorCode.NONE
    assert states.known.start_offset == 0


def test_updates_are_laid_over_what_was_known(states: VirtualStates) -> None:
    states.initialize(0)
    states.write(0, StateBatch(2, 9, AVAILABLE, 1))
    states.write(0, StateBatch(4, 5, ACKNOWLEDGED, 2), complete=2)
    assert states.known.batches == [
        StateBatch(2, 3, AVAILABLE, 1),
        StateBatch(4, 5, ACKNOWLEDGED, 2),
        StateBatch(6, 9, AVAILABLE, 1),
    ]
    assert states.known.summary == Summary(0, 7, 2)


def test_what_is_before_the_start_is_forgotten(states: VirtualStates) -> None:
    states.initialize(0)
    states.write(0, StateBatch(2, 9, AVAILABLE, 1))
    states.write(6, StateBatch(0, 5, ACKNOWLEDGED, 2))
    assert states.known.batches == [StateBatch(6, 9, AVAILABLE, 1)]


def test_now_and_then_a_snapshot_takes_the_place_of_an_update(states: VirtualStates) -> None:
    """Kafka: `share.coordinator.snapshot.update.records.per.snapshot`."""
    states.initialize(0)
    for offset in range(8):
        states.write(0, StateBatch(offset, offset, AVAILABLE, 1 + offset % 2))
    assert states.kinds() == [SNAPSHOT, *[UPDATE] * 3, SNAPSHOT, *[UPDATE] * 3, SNAPSHOT]
    snapshot = parse_snapshot(states.log[-1][1] or b"")
    assert snapshot.snapshot_epoch == 2
    assert [each.first_offset for each in snapshot.state_batches] == list(range(8))


def test_a_deleted_one_is_known_no_more(states: VirtualStates) -> None:
    states.initialize(0)
    assert states.delete() is ErrorCode.NONE
    assert states.shard.get(JOBS) is None
    states.restart()
    assert states.shard.get(JOBS) is None
    assert states.delete() is ErrorCode.NONE, "what is not there is deleted already"


def test_nothing_is_known_of_a_deleted_topic(states: VirtualStates) -> None:
    states.initialize(0)
    states.carry_out(states.shard.topic_deleted(TopicId(b"\2" * 16)))
    assert states.shard.get(JOBS) is not None
    states.carry_out(states.shard.topic_deleted(JOBS.topic_id))
    assert states.shard.get(JOBS) is None


def test_what_the_log_refuses_is_answered_so(states: VirtualStates) -> None:
    states.initialize(0)
    states.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    token = states.token()
    outcome = states.shard.write(JOBS, Progress(5, 0), 7, token, states.now_ms)
    states.shard.refuse(outcome, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    assert outcome.replies == [(token, ErrorCode.COORDINATOR_NOT_AVAILABLE)]


def test_reading_the_live_records_gives_the_same_state(states: VirtualStates) -> None:
    """What compaction of the coordinator writes anew."""
    states.initialize(0)
    for offset in range(7):
        states.write(offset, StateBatch(offset, offset + 3, AVAILABLE, 1), complete=offset)
    fresh = states.fresh()
    for key, value in states.shard.live_records():
        fresh.replay(key, value)
    again = fresh.get(JOBS)
    assert again is not None
    assert (again.batches, again.summary) == (states.known.batches, states.known.summary)


def test_keys_are_kafkas() -> None:
    """Type, group, topic id, partition: by hand, from Kafka's schema."""
    body = b"\0\4work" + b"\1" * 16 + b"\0\0\0\3"
    assert snapshot_key(JOBS) == b"\0\0" + body
    assert update_key(JOBS) == b"\0\1" + body
    assert parse_key(b"\0\1" + body) == (UPDATE, JOBS)


@pytest.mark.parametrize("key", [b"", b"\0", b"\0\2", b"\0\0\0\4wo", b"\xff\xff\0\0"])
def test_a_key_of_another_kind_is_not_read(key: bytes) -> None:
    with pytest.raises(SchemaError):
        parse_key(key)


def test_a_state_that_is_never_written_is_not_read(states: VirtualStates) -> None:
    states.initialize(0)
    states.write(0, StateBatch(0, 0, RecordState.ACKNOWLEDGED, 1))
    value = bytearray(states.log[-1][1] or b"")
    assert parse_update(bytes(value)).state_batches[0].delivery_state == 2
    at = value.rindex(b"\2\0\1")
    value[at] = RecordState.ACQUIRED
    with pytest.raises(SchemaError, match="no state"):
        states.shard.replay(update_key(JOBS), bytes(value))


BATCHES = st.builds(
    lambda first, size, state, count: StateBatch(first, first + size, state, count),
    st.integers(0, 40),
    st.integers(0, 12),
    st.sampled_from([AVAILABLE, *sorted(TERMINAL)]),
    st.integers(1, 4),
)


@given(st.lists(st.lists(BATCHES, max_size=6), max_size=6), st.integers(0, 30))
def test_of_each_offset_the_last_word_counts(words: list[list[StateBatch]], start: int) -> None:
    known: list[StateBatch] = []
    of_each: dict[int, tuple[RecordState, int]] = {}
    for batches in words:
        known = overlay(known, batches, start)
        of_each |= {
            at: (each.state, each.delivery_count)
            for each in batches
            for at in range(max(each.first, start), each.last + 1)
        }
    found = {at: (each.state, each.delivery_count) for each in known for at in range(each.first, each.last + 1)}
    assert found == of_each
    assert known == sorted(known)
    assert sum(each.last - each.first + 1 for each in known) == len(found), "none overlap"
    assert all(a.last + 1 < b.first or a[2:] != b[2:] for a, b in pairwise(known)), "none to join"
