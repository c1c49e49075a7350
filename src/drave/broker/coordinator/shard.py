"""All groups whose records are in one partition of `__consumer_offsets`: the state machine that the runtime drives.

    request, token, time ──→ Outcome ──→ the runtime appends ──→ replay(key, value) ──→ durable state

Groups and their offsets are two tables. A group is there because members join it (soft until their first generation is
stable), because its record is in the log, or because somebody committed offsets under its id: such a *simple* group is
empty and has no protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from drave.broker.coordinator.classic import JOIN, NO_MEMBER_ID, SYNC, ClassicGroup
from drave.broker.coordinator.kinds import GroupLimits, GroupState, Join, Joiner
from drave.broker.coordinator.members import SESSION
from drave.broker.coordinator.offsets import GroupOffsets, IsCurrent, commit_offsets
from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName, Token, Writer
from drave.broker.coordinator.refusals import commit_refused, refused, sync_refused
from drave.broker.coordinator.schemas.offsets_topic import (
    OffsetKey,
    group_key,
    offset_key,
    offset_key_prefix,
    parse_group,
    parse_key,
    parse_offset,
)
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.model.errors import ErrorCode
from drave.schema import SchemaError
from drave.wire.messages.k08_offset_commit import OffsetCommitRequest
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from drave.wire.messages.k11_join_group import JoinGroupRequest
from drave.wire.messages.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from drave.wire.messages.k14_sync_group import SyncGroupRequest
from drave.wire.messages.k15_describe_groups import DescribedGroup, DescribedGroupMember
from drave.wire.messages.k16_list_groups import ListedGroup
from drave.wire.messages.k42_delete_groups import DeletableGroupResult, DeleteGroupsResponse
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

GROUP_TYPE: Final = "classic"

_GROUP_NOT_FOUND_SINCE: Final = 9
"""OffsetCommit versions that know GROUP_ID_NOT_FOUND (KIP-848)."""
_MEMBERS_SINCE: Final = 3
"""LeaveGroup versions that name several members (KIP-345)."""


class GroupShard:
    """The groups of one partition. Every method that takes a token answers it through its outcome."""

    def __init__(self, limits: GroupLimits) -> None:
        self.undecided: Final = UndecidedRecords()
        """Offsets that wait for the end of a transaction. What takes a committed one back takes these along, or the
        transaction would bring them to life again."""
        self._limits = limits
        self._groups: dict[str, ClassicGroup] = {}
        self._offsets: dict[str, GroupOffsets] = {}
        self._foreign: dict[bytes, bytes] = {}
        """Records of kinds that are not known here: kept as they came, for a version that knows them."""

    # -- membership

    def join(self, request: JoinGroupRequest, joiner: Joiner, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        limits = self._limits
        join = Join(request, joiner, token)
        if not limits.session_timeout_ms_min <= request.session_timeout_ms <= limits.session_timeout_ms_max:
            join.refuse(ErrorCode.INVALID_SESSION_TIMEOUT, request.member_id, out)
            return out
        group = self._groups.get(request.group_id)
        if group is None:
            if request.member_id != NO_MEMBER_ID:
                join.refuse(ErrorCode.UNKNOWN_MEMBER_ID, request.member_id, out)
                return out
            group = self._create(request.group_id)
        group.join(join, now_ms, out)
        self._tidy(group)
        return out

    def sync(self, request: SyncGroupRequest, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        group = self._groups.get(request.group_id)
        if group is None:
            out.reply(token, sync_refused(ErrorCode.UNKNOWN_MEMBER_ID))
        else:
            group.sync(request, token, now_ms, out)
        return out

    def heartbeat(self, request: HeartbeatRequest, token: Token) -> Outcome:
        out = Outcome()
        group = self._groups.get(request.group_id)
        if group is None:
            code = ErrorCode.UNKNOWN_MEMBER_ID
        else:
            code = group.heartbeat(request.member_id, request.group_instance_id, request.generation_id, out)
        out.reply(token, HeartbeatResponse(error_code=code))
        return out

    def leave(self, request: LeaveGroupRequest, api_version: int, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        identities = request.members
        if api_version < _MEMBERS_SINCE:
            identities = [MemberIdentity(member_id=request.member_id, group_instance_id=None)]
        group = self._groups.get(request.group_id)
        if group is None:
            responses = [
                MemberResponse(
                    member_id=each.member_id,
                    group_instance_id=each.group_instance_id,
                    error_code=ErrorCode.UNKNOWN_MEMBER_ID,
                )
                for each in identities
            ]
        else:
            responses = group.leave(identities, now_ms, out)
        # Versions that name one member have no other place for its error.
        code = responses[0].error_code if api_version < _MEMBERS_SINCE else ErrorCode.NONE
        out.reply(token, LeaveGroupResponse(error_code=code, members=responses))
        return out

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome:
        out = Outcome()
        kind, group_id, member_id = name
        group = self._groups.get(group_id)
        if group is None:
            return out
        match kind:
            case _ if kind == SESSION:
                group.session_time_is_up(member_id, now_ms, out)
            case _ if kind == JOIN:
                group.join_time_is_up(now_ms, out)
            case _ if kind == SYNC:
                group.sync_time_is_up(now_ms, out)
        self._tidy(group)
        return out

    # -- offsets

    def commit(
        self,
        request: OffsetCommitRequest,
        api_version: int,
        token: Token,
        now_ms: int,
        writer: Writer | None = None,
    ) -> Outcome:
        """Commit to topics that exist; their names and ids are filled in. What a producer commits in its transaction
        counts when that does."""
        out = Outcome()
        out.writer = writer
        code = self._may_commit(request, api_version, out)
        if code is ErrorCode.NONE:
            if writer is not None and request.group_id not in self._groups:
                self._create(request.group_id)
            response = commit_offsets(request, now_ms, self._limits.offset_metadata_max, out.records)
            out.reply(token, response)
        else:
            out.reply(token, commit_refused(request, code))
        return out

    def _may_commit(self, request: OffsetCommitRequest, api_version: int, out: Outcome) -> ErrorCode:
        generation = request.generation_id_or_member_epoch
        group = self._groups.get(request.group_id)
        if group is None:
            if generation < 0:
                return ErrorCode.NONE
            known = api_version >= _GROUP_NOT_FOUND_SINCE
            return ErrorCode.GROUP_ID_NOT_FOUND if known else ErrorCode.ILLEGAL_GENERATION
        in_transaction = out.writer is not None
        return group.may_commit(
            request.member_id, request.group_instance_id, generation, out, in_transaction=in_transaction
        )

    def fetch(self, asked: OffsetFetchRequestGroup, is_current: IsCurrent) -> OffsetFetchResponseGroup:
        """What a group has committed: in the topics that are named, or everywhere."""
        found = self._offsets.get(asked.group_id) or GroupOffsets(asked.group_id)
        topics = found.fetch_all(is_current) if asked.topics is None else found.fetch(asked.topics, is_current)
        return OffsetFetchResponseGroup(group_id=asked.group_id, topics=topics)

    def delete_offsets(self, request: OffsetDeleteRequest, token: Token) -> Outcome:
        """Delete offsets in topics that exist and that no member reads (KIP-496)."""
        out = Outcome()
        group = self._groups.get(request.group_id)
        code = ErrorCode.NONE
        topics: list[OffsetDeleteResponseTopic] = []
        if group is None:
            code = ErrorCode.GROUP_ID_NOT_FOUND
        elif group.state is not GroupState.EMPTY and not group.is_consumer_group:
            code = ErrorCode.NON_EMPTY_GROUP
        else:
            for topic in request.topics:
                indexes = [partition.partition_index for partition in topic.partitions]
                reads = group.is_subscribed_to(topic.name)
                if not reads:
                    out.records.extend(self._delete_offsets(request.group_id, topic.name, indexes))
                topic_code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if reads else ErrorCode.NONE
                answers = [OffsetDeleteResponsePartition(partition_index=at, error_code=topic_code) for at in indexes]
                topics.append(OffsetDeleteResponseTopic(name=topic.name, partitions=answers))
        out.reply(token, OffsetDeleteResponse(error_code=code, topics=topics))
        return out

    def _delete_offsets(self, group_id: str, topic: str, indexes: Iterable[int]) -> Iterator[KeyValue]:
        committed = self._offsets.get(group_id, ())
        for index in indexes:
            key = offset_key(group_id, topic, index)
            if (topic, index) in committed or key in self.undecided:
                yield key, None

    def topic_deleted(self, name: str, topic_id: bytes) -> Outcome:
        """Nobody can read on in a topic that is no more."""
        out = Outcome()
        for committed in self._offsets.values():
            out.records.extend(committed.delete_topic(name, topic_id))
        out.records.extend((key, None) for key, named in self._waiting() if named.topic == name)
        return out

    def expire(self, now_ms: int) -> Outcome:
        """Take back offsets that nobody has needed for the retention time, and empty groups that have none."""
        out = Outcome()
        waiting = {named.group_id for _, named in self._waiting()}
        for group in list(self._groups.values()):
            committed = self._offsets.get(group.group_id)
            kept = 0
            if committed is not None:
                expired = self._expire_offsets(group, committed, now_ms)
                out.records.extend(expired)
                kept = len(committed) - len(expired)
            is_needed = kept > 0 or group.group_id in waiting
            if not is_needed and group.state is GroupState.EMPTY and not group.members.pending:
                out.records.append((group_key(group.group_id), None))
        return out

    def _expire_offsets(self, group: ClassicGroup, committed: GroupOffsets, now_ms: int) -> list[KeyValue]:
        """Members keep what they read alive; while they gather, nobody knows what that is."""
        retention_ms = self._limits.offsets_retention_ms
        expired: list[KeyValue] = []
        if group.state is GroupState.EMPTY:
            empty_since_ms = None if group.protocol_type is None else group.since_ms
            expired = committed.expire(now_ms, retention_ms, empty_since_ms, group.is_subscribed_to)
        elif group.state is GroupState.STABLE and group.topics is not None:
            expired = committed.expire(now_ms, retention_ms, None, group.is_subscribed_to)
        return [(key, value) for key, value in expired if key not in self.undecided]

    # -- for people

    def describe(self, group_id: str) -> DescribedGroup | None:
        group = self._groups.get(group_id)
        if group is None:
            return None
        is_stable = group.state is GroupState.STABLE
        return DescribedGroup(
            group_id=group_id,
            group_state=group.state,
            protocol_type=group.protocol_type or "",
            protocol_data=(group.protocol or "") if is_stable else "",
            members=[
                DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.metadata(group.protocol) if is_stable else b"",
                    member_assignment=member.assignment,
                )
                for member in group.members
            ],
        )

    def list(self, states: frozenset[str], types: frozenset[str]) -> list[ListedGroup]:
        """The groups in these states and of these types, both in small letters; an empty filter lets all pass."""
        if types and GROUP_TYPE not in types:
            return []
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type or "",
                group_state=group.state,
                group_type=GROUP_TYPE,
            )
            for group in self._groups.values()
            if not states or group.state.lower() in states
        ]

    def delete_groups(self, group_ids: Iterable[str], token: Token) -> Outcome:
        """Delete groups that are empty, with all that they have committed."""
        out = Outcome()
        results = []
        for group_id in group_ids:
            group = self._groups.get(group_id)
            code = ErrorCode.NONE
            if group is None:
                code = ErrorCode.GROUP_ID_NOT_FOUND
            elif group.state is not GroupState.EMPTY:
                code = ErrorCode.NON_EMPTY_GROUP
            else:
                self._delete(group, out)
            results.append(DeletableGroupResult(group_id=group_id, error_code=code))
        out.reply(token, DeleteGroupsResponse(results=results))
        return out

    def _delete(self, group: ClassicGroup, out: Outcome) -> None:
        committed = self._offsets.get(group.group_id)
        keys = dict.fromkeys(self._keys_waiting(group.group_id))
        if committed is not None:
            keys |= dict.fromkeys(key for key, _ in committed.delete_all())
        out.records.extend((key, None) for key in keys)
        out.records.append((group_key(group.group_id), None))

    # -- the log

    def replay(self, key: bytes, value: bytes | None) -> None:
        """Take one record into the durable state. Raises `SchemaError` for one that cannot be read."""
        named = parse_key(key)
        if named is None:
            self.keep_unread(key, value)
        elif isinstance(named, OffsetKey):
            self._replay_offset(named, value)
        elif value is None:
            self._replay_deletion(named.group_id)
        else:
            group = self._groups.get(named.group_id) or self._create(named.group_id)
            group.replay(parse_group(value), value)

    def _replay_offset(self, named: OffsetKey, value: bytes | None) -> None:
        group_id = named.group_id
        committed = self._offsets.get(group_id)
        place = named.topic, named.partition
        if value is not None:
            if committed is None:
                committed = self._offsets[group_id] = GroupOffsets(group_id)
                if group_id not in self._groups:
                    self._create(group_id)
            committed.put(place, parse_offset(value))
        elif committed is not None:
            committed.take_back(place)
            if not len(committed):
                del self._offsets[group_id]

    def _replay_deletion(self, group_id: str) -> None:
        if group_id in self._groups and group_id not in self._offsets:
            self._groups.pop(group_id).state = GroupState.DEAD
        elif group_id in self._groups:
            self._groups[group_id] = ClassicGroup(group_id, self._limits)

    def keep_unread(self, key: bytes, value: bytes | None) -> None:
        """Keep a record that cannot be read as it is."""
        if value is None:
            self._foreign.pop(key, None)
        else:
            self._foreign[key] = value

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The records that, replayed alone, give this durable state. Each is true at the moment when it is given."""
        for group_id in list(self._groups):
            group = self._groups.get(group_id)
            if group is not None and group.record is not None:
                yield group_key(group_id), group.record
        for group_id in list(self._offsets):
            committed = self._offsets.get(group_id)
            if committed is not None:
                yield from committed.live_records()
        for key in list(self._foreign):
            if key in self._foreign:
                yield key, self._foreign[key]

    def loaded(self, now_ms: int) -> Outcome:
        """The log has been read to its end."""
        out = Outcome()
        for _, named in self._waiting():
            if named.group_id not in self._groups:
                self._create(named.group_id)
        for group in self._groups.values():
            group.loaded(now_ms, out)
        return out

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None:
        """The log refused the outcome's records: turn its answers into errors.

        Nothing durable has changed, and what is soft is as if the answers had been lost on their way.
        """
        outcome.records.clear()
        outcome.replies[:] = [reply._replace(response=refused(reply.response, code)) for reply in outcome.replies]

    def _tidy(self, group: ClassicGroup) -> None:
        """Forget a group that is nowhere but here, and in which nobody is left."""
        if group.is_forgettable and group.group_id not in self._offsets and not any(self._keys_waiting(group.group_id)):
            del self._groups[group.group_id]

    def _waiting(self) -> Iterator[tuple[bytes, OffsetKey]]:
        """The offsets of all groups that wait for the end of a transaction."""
        for key in self.undecided:
            try:
                named = parse_key(key)
            except SchemaError:
                continue  # whoever replays it will say so
            if isinstance(named, OffsetKey):
                yield key, named

    def _keys_waiting(self, group_id: str) -> Iterator[bytes]:
        """The same of one group."""
        prefix = offset_key_prefix(group_id)
        return (key for key in self.undecided if key.startswith(prefix))

    def _create(self, group_id: str) -> ClassicGroup:
        group = self._groups[group_id] = ClassicGroup(group_id, self._limits)
        return group
