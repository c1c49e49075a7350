"""The share-partitions whose records are in one partition of `__share_group_state`: a machine that the runtime drives.

    initialize, write, delete ──→ Outcome ──→ the runtime appends ──→ replay(key, value) ──→ what is known

A write is an update, what has changed; now and then it is a snapshot instead, everything, and the updates begin anew.
Updates are laid over what was known when somebody asks, not each as it comes: most are never looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from drave.broker.coordinator.outcome import Outcome, Reply, TimerName, Token
from drave.broker.coordinator.schemas.share_state import (
    SNAPSHOT,
    ShareKey,
    ShareSnapshotValue,
    ShareUpdateValue,
    encode_value,
    parse_key,
    parse_snapshot,
    parse_update,
    snapshot_key,
    update_key,
)
from drave.broker.coordinator.share.delivery import Progress, StateBatch, batch_values, overlay, read_batches
from drave.broker.coordinator.share.state import UNDECIDED_START, UNKNOWN_COUNT, Summary
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.broker.coordinator.unread import UnreadRecords
from drave.model.errors import ErrorCode
from drave.model.ids import Offset, TopicId

UNKNOWN_EPOCH: Final = -1


class Known:
    """What is durably known of one share-partition, or will be in a moment."""

    __slots__ = (
        "_batches",
        "_updates",
        "created_ms",
        "delivery_complete_count",
        "leader_epoch",
        "snapshot_epoch",
        "start_offset",
        "state_epoch",
        "updates",
        "written_ms",
    )

    def __init__(self, snapshot: ShareSnapshotValue) -> None:
        """Raises SchemaError."""
        self._batches = read_batches(snapshot.state_batches)
        self._updates: list[StateBatch] = []
        """Not laid over `_batches` yet."""
        self.updates = 0
        """Since the snapshot."""
        self.snapshot_epoch = snapshot.snapshot_epoch
        self.state_epoch = snapshot.state_epoch
        self.leader_epoch = snapshot.leader_epoch
        self.start_offset = snapshot.start_offset
        self.delivery_complete_count = snapshot.delivery_complete_count
        self.created_ms = snapshot.create_timestamp
        self.written_ms = snapshot.write_timestamp

    def update(self, update: ShareUpdateValue) -> None:
        """Learn what has changed. Raises SchemaError."""
        self._updates += read_batches(update.state_batches)
        self.updates += 1
        if update.start_offset != UNDECIDED_START:
            self.start_offset = update.start_offset
        if update.leader_epoch != UNKNOWN_EPOCH:
            self.leader_epoch = update.leader_epoch
        self.delivery_complete_count = update.delivery_complete_count

    @property
    def batches(self) -> list[StateBatch]:
        """What is known from the start on, in order."""
        if self._updates:
            self._batches = overlay(self._batches, self._updates, self.start_offset)
            self._updates = []
        return self._batches

    @property
    def summary(self) -> Summary:
        return Summary(Offset(self.start_offset), self.leader_epoch, self.delivery_complete_count)

    def snapshot(self) -> ShareSnapshotValue:
        """All of it, as it was written."""
        return ShareSnapshotValue(
            snapshot_epoch=self.snapshot_epoch,
            state_epoch=self.state_epoch,
            leader_epoch=self.leader_epoch,
            start_offset=self.start_offset,
            delivery_complete_count=self.delivery_complete_count,
            create_timestamp=self.created_ms,
            write_timestamp=self.written_ms,
            state_batches=batch_values(self.batches),
        )


class ShareStateShard:
    """The share-partitions of one partition. Every method that takes a token answers it with an ErrorCode."""

    def __init__(self, updates_max: int) -> None:
        self.undecided: Final = UndecidedRecords()
        """Stays empty: these records are part of no transaction."""
        self._updates_max = updates_max
        """Updates between two snapshots of a share-partition."""
        self._known: dict[ShareKey, Known] = {}
        self.unread: Final = UnreadRecords()

    def get(self, key: ShareKey) -> Known | None:
        """What is known of a share-partition; None when it was not initialized, or is forgotten."""
        return self._known.get(key)

    # -- requests

    def initialize(self, key: ShareKey, start: int, state_epoch: int, token: Token, now_ms: int) -> Outcome:
        """Begin anew, with nothing delivered."""
        out = Outcome()
        was = self._known.get(key)
        if was is not None and state_epoch != UNKNOWN_EPOCH and was.state_epoch > state_epoch:
            out.reply(token, ErrorCode.FENCED_STATE_EPOCH)
            return out
        snapshot = ShareSnapshotValue(
            snapshot_epoch=0 if was is None else was.snapshot_epoch + 1,
            state_epoch=state_epoch,
            leader_epoch=0,
            start_offset=start,
            delivery_complete_count=UNKNOWN_COUNT if start == UNDECIDED_START else 0,
            create_timestamp=now_ms,
            write_timestamp=now_ms,
            state_batches=[],
        )
        out.records.append((snapshot_key(key), encode_value(snapshot)))
        out.reply(token, ErrorCode.NONE)
        return out

    def write(self, key: ShareKey, progress: Progress, leader_epoch: int, token: Token, now_ms: int) -> Outcome:
        """Note how far a share-partition has come."""
        out = Outcome()
        known = self._known.get(key)
        if known is None:
            out.reply(token, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            return out
        if known.updates >= self._updates_max:
            out.records.append((snapshot_key(key), encode_value(_next(known, progress, leader_epoch, now_ms))))
        else:
            update = ShareUpdateValue(
                snapshot_epoch=known.snapshot_epoch,
                leader_epoch=leader_epoch,
                start_offset=progress.start_offset,
                delivery_complete_count=progress.delivery_complete_count,
                state_batches=batch_values(progress.batches),
            )
            out.records.append((update_key(key), encode_value(update)))
        out.reply(token, ErrorCode.NONE)
        return out

    def delete(self, key: ShareKey, token: Token) -> Outcome:
        """Forget a share-partition."""
        out = Outcome()
        if key in self._known:
            out.records.append((snapshot_key(key), None))
        out.reply(token, ErrorCode.NONE)
        return out

    def topic_deleted(self, topic_id: TopicId) -> Outcome:
        """Nobody reads it any more."""
        out = Outcome()
        out.records += [(snapshot_key(key), None) for key in self._known if key.topic_id == topic_id]
        return out

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None:
        outcome.replies = [Reply(token, code) for token, _ in outcome.replies]

    # -- durable state

    def replay(self, key: bytes, value: bytes | None) -> None:
        kind, named = parse_key(key)
        self.unread.pop(key, None)
        if kind == SNAPSHOT:
            if value is None:
                self._known.pop(named, None)
            else:
                self._known[named] = Known(parse_snapshot(value))
        elif value is not None and (known := self._known.get(named)) is not None:
            known.update(parse_update(value))

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        for key in list(self._known):
            known = self._known.get(key)
            if known is not None:
                yield snapshot_key(key), encode_value(known.snapshot())
        yield from self.unread.live_records()

    # -- what nobody asks for

    def loaded(self, now_ms: int) -> Outcome:
        return Outcome()

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome:
        raise AssertionError(f"no share-partition's state waits for a time: {name}")

    def expire(self, now_ms: int) -> Outcome:
        return Outcome()


def _next(known: Known, progress: Progress, leader_epoch: int, now_ms: int) -> ShareSnapshotValue:
    """The snapshot that takes the place of an update."""
    return ShareSnapshotValue(
        snapshot_epoch=known.snapshot_epoch + 1,
        state_epoch=known.state_epoch,
        leader_epoch=leader_epoch,
        start_offset=progress.start_offset,
        delivery_complete_count=progress.delivery_complete_count,
        create_timestamp=now_ms,
        write_timestamp=now_ms,
        state_batches=batch_values(overlay(known.batches, progress.batches, progress.start_offset)),
    )
