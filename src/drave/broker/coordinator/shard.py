"""All groups whose records are in one partition of `__consumer_offsets`: the state machine that the runtime drives.

    request, token, time ──→ Outcome ──→ the runtime appends ──→ replay(key, value) ──→ durable state

    shard.classic, …    what members of each kind of group ask      ┐
    shard.offsets       what is asked about offsets                 ├─ on one table of groups and offsets
    shard itself        what does not mind the kind of group        ┘

Groups and their offsets are two tables. A group is there because members join it (soft until something of it is in the
log), because its records are in the log, or because somebody committed offsets under its id: such a *simple* group is
empty and has no protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from drave.broker.coordinator.classic_requests import ClassicRequests
from drave.broker.coordinator.committing import OffsetRequests
from drave.broker.coordinator.consumer.requests import ConsumerRequests
from drave.broker.coordinator.group import SESSION, Group, GroupType, Surroundings
from drave.broker.coordinator.kinds import KIND_OF_RECORD
from drave.broker.coordinator.offsets import GroupOffsets
from drave.broker.coordinator.outcome import Outcome, TimerName, Token
from drave.broker.coordinator.refusals import refused
from drave.broker.coordinator.schemas.offsets_topic import OFFSETS_TOPIC, GroupKey, OffsetKey, parse_key, parse_offset
from drave.broker.coordinator.share.duties import ShareDuty
from drave.broker.coordinator.share.group import ShareGroup
from drave.broker.coordinator.share.requests import ShareRequests
from drave.broker.coordinator.streams.requests import StreamsRequests
from drave.broker.coordinator.table import GroupTable
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.broker.coordinator.unread import UnreadRecords
from drave.model.errors import ErrorCode
from drave.schema import SchemaError
from drave.wire.messages.k16_list_groups import ListedGroup
from drave.wire.messages.k42_delete_groups import DeletableGroupResult, DeleteGroupsResponse

RETRY_MS: Final = 1_000
"""When to try again to take out a member that the log has kept in."""


class GroupShard:
    """The groups of one partition. Every method that takes a token answers it through its outcome."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._table: Final = GroupTable(surroundings)
        self.undecided: Final[UndecidedRecords] = self._table.undecided
        self.offsets: Final = OffsetRequests(self._table)
        self.classic: Final = ClassicRequests(self._table)
        self.consumers: Final = ConsumerRequests(self._table)
        self.shares: Final = ShareRequests(self._table)
        self.streams: Final = StreamsRequests(self._table)
        self.unread: Final = UnreadRecords()
        """Also those of kinds that are not known here."""

    # -- for tools

    def type_of(self, group_id: str) -> GroupType | None:
        """What kind of group has this id, if there is one."""
        group = self._table.groups.get(group_id)
        return None if group is None else group.type

    def list(self, states: frozenset[str], types: frozenset[str]) -> list[ListedGroup]:
        """The groups in these states and of these types, both in small letters; an empty filter lets all pass."""
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.listed_protocol,
                group_state=group.state,
                group_type=group.type,
            )
            for group in self._table.groups.values()
            if (not states or group.state.lower() in states) and (not types or group.type.lower() in types)
        ]

    def delete_group(self, group_id: str, token: Token) -> Outcome:
        """Delete a group that is empty, with all that it remembers."""
        out = Outcome()
        group = self._table.groups.get(group_id)
        code = ErrorCode.NONE
        if group is None:
            code = ErrorCode.GROUP_ID_NOT_FOUND
        elif not group.is_empty:
            code = ErrorCode.NON_EMPTY_GROUP
        elif isinstance(group, ShareGroup):
            return self.shares.administration.delete(group, token)
        else:
            out.records.extend(self._table.delete_all_offsets(group_id))
            out.records.extend(group.tombstones())
        result = DeletableGroupResult(group_id=group_id, error_code=code)
        out.reply(token, DeleteGroupsResponse(results=[result]))
        return out

    # -- what happens by itself

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome:
        out = Outcome()
        kind, group_id, member_id = name
        group = self._table.groups.get(group_id)
        if group is not None:
            group.timer_fired(kind, member_id, now_ms, out)
            self._table.tidy(group)
        return out

    def expire(self, now_ms: int) -> Outcome:
        return self.offsets.expire(list(self._table.groups.values()), now_ms)

    # -- the log

    def replay(self, key: bytes, value: bytes | None) -> None:
        """Take one record into the durable state. Raises `SchemaError` for one that cannot be read."""
        named = parse_key(key)
        if isinstance(named, OffsetKey):
            self._replay_offset(named, value)
        elif named is None or named.record not in KIND_OF_RECORD:
            self.unread.keep(key, value)
        elif value is None:
            self._replay_tombstone(key, named)
        else:
            self._group_for(named).replay(named, value)

    def _replay_offset(self, named: OffsetKey, value: bytes | None) -> None:
        group_id, place = named.group_id, (named.topic, named.partition)
        committed = self._table.offsets.get(group_id)
        if value is not None:
            if committed is None:
                committed = self._table.offsets[group_id] = GroupOffsets(group_id)
                self._table.ensure_simple(group_id)
            committed.put(place, parse_offset(value))
        elif committed is not None:
            committed.take_back(place)
            if not len(committed):
                del self._table.offsets[group_id]

    def _group_for(self, named: GroupKey) -> Group:
        """The group that a record is about, made if it is not there yet."""
        group_id, kind = named.group_id, KIND_OF_RECORD[named.record]
        group = self._table.groups.get(group_id)
        if group is None or (type(group) is not kind and group.is_empty):
            group = self._table.place(group_id, kind)
        elif type(group) is not kind:
            raise SchemaError(OFFSETS_TOPIC, 0, f"{named.record.name} is about {group_id!r}, a {group.type} group")
        return group

    def _replay_tombstone(self, key: bytes, named: GroupKey) -> None:
        self.unread.pop(key, None)
        group_id = named.group_id
        group = self._table.groups.get(group_id)
        if group is None or named.record not in group.records:
            return  # of a group that has become one of another kind since
        group.replay(named, None)
        if group.is_gone:
            del self._table.groups[group_id]
            if group_id in self._table.offsets:
                self._table.ensure_simple(group_id)

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The records that, replayed alone, give this durable state. Each is true at the moment when it is given.

        Those that could not be read come first: what has come since under the same key counts.
        """
        yield from self.unread.live_records()
        for group_id in list(self._table.groups):
            group = self._table.groups.get(group_id)
            if group is not None:
                yield from group.live_records()
        for group_id in list(self._table.offsets):
            committed = self._table.offsets.get(group_id)
            if committed is not None:
                yield from committed.live_records()

    def loaded(self, now_ms: int) -> Outcome:
        """The log has been read to its end."""
        out = Outcome()
        for _, named in self._table.waiting():
            self._table.ensure_simple(named.group_id)
        for group in self._table.groups.values():
            group.loaded(now_ms, out)
        self.shares.loaded(out)
        return out

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None:
        """The log refused the outcome's records: turn its answers into errors.

        Nothing durable has changed, and what is soft is as if the answers had been lost on their way. Whoever was to be
        taken out is still there, and so is its deadline.
        """
        self._table.forget_refused(outcome.records)
        outcome.records.clear()
        outcome.timers[:] = [
            change if change.after_ms is not None else change._replace(after_ms=RETRY_MS)
            for change in outcome.timers
            if change.after_ms is not None or change.name[0] == SESSION
        ]
        outcome.replies[:] = [reply._replace(response=refused(reply.response, code)) for reply in outcome.replies]
        for duty in outcome.duties:
            if isinstance(duty, ShareDuty):
                self.shares.abandon(duty, code, outcome)
        outcome.duties.clear()
