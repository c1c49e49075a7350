"""What is asked about the offsets of groups, of whatever kind: commit, fetch, delete; and what happens by itself.

A group says who may; what is committed lies beside it, so that a group can change its kind, or go and come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from drave.broker.coordinator.group import Commit, Group, PartitionCheck
from drave.broker.coordinator.offsets import GroupOffsets, IsCurrent, commit_offsets
from drave.broker.coordinator.outcome import KeyValue, Outcome, Token, Writer
from drave.broker.coordinator.refusals import commit_refused
from drave.broker.coordinator.table import GroupTable
from drave.model.errors import ErrorCode
from drave.wire.messages.k08_offset_commit import OffsetCommitRequest
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

_GROUP_NOT_FOUND_SINCE: Final = 9
"""OffsetCommit versions that know GROUP_ID_NOT_FOUND (KIP-848)."""


class OffsetRequests:
    """The offsets of one shard's groups."""

    def __init__(self, table: GroupTable) -> None:
        self._table = table

    def commit(
        self, request: OffsetCommitRequest, api_version: int, token: Token, now_ms: int, writer: Writer | None = None
    ) -> Outcome:
        """Commit to topics that exist; their names and ids are filled in. What a producer commits in its transaction
        counts when that does."""
        out = Outcome()
        out.writer = writer
        allowed = self._may_commit(request, api_version, out)
        if isinstance(allowed, ErrorCode) and allowed is not ErrorCode.NONE:
            out.reply(token, commit_refused(request, allowed))
            return out
        if writer is not None:
            self._table.ensure_simple(request.group_id)
        check = None if isinstance(allowed, ErrorCode) else allowed
        note_max = self._table.surroundings.limits.offset_metadata_max
        out.reply(token, commit_offsets(request, now_ms, note_max, out.records, check))
        return out

    def _may_commit(self, request: OffsetCommitRequest, api_version: int, out: Outcome) -> ErrorCode | PartitionCheck:
        generation = request.generation_id_or_member_epoch
        group = self._table.groups.get(request.group_id)
        if group is None:
            if generation < 0:
                return ErrorCode.NONE
            known = api_version >= _GROUP_NOT_FOUND_SINCE
            return ErrorCode.GROUP_ID_NOT_FOUND if known else ErrorCode.ILLEGAL_GENERATION
        in_transaction = out.writer is not None
        commit = Commit(request.member_id, request.group_instance_id, generation, api_version, in_transaction)
        return group.may_commit(commit, out)

    def fetch(self, asked: OffsetFetchRequestGroup, is_current: IsCurrent) -> OffsetFetchResponseGroup:
        """What a group has committed: in the topics that are named, or everywhere."""
        group = self._table.groups.get(asked.group_id)
        code = ErrorCode.NONE if group is None else group.may_fetch(asked.member_id, asked.member_epoch)
        if code is not ErrorCode.NONE:
            return OffsetFetchResponseGroup(group_id=asked.group_id, topics=[], error_code=code)
        found = self._table.offsets.get(asked.group_id) or GroupOffsets(asked.group_id)
        topics = found.fetch_all(is_current) if asked.topics is None else found.fetch(asked.topics, is_current)
        return OffsetFetchResponseGroup(group_id=asked.group_id, topics=topics)

    def delete(self, request: OffsetDeleteRequest, token: Token) -> Outcome:
        """Delete offsets in topics that exist and that no member reads (KIP-496)."""
        out = Outcome()
        group = self._table.groups.get(request.group_id)
        code = ErrorCode.GROUP_ID_NOT_FOUND if group is None else group.may_delete_offsets()
        topics: list[OffsetDeleteResponseTopic] = []
        if group is not None and code is ErrorCode.NONE:
            for topic in request.topics:
                indexes = [partition.partition_index for partition in topic.partitions]
                reads = group.is_subscribed_to(topic.name)
                if not reads:
                    out.records.extend(self._table.delete_offsets(request.group_id, topic.name, indexes))
                topic_code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if reads else ErrorCode.NONE
                answers = [OffsetDeleteResponsePartition(partition_index=at, error_code=topic_code) for at in indexes]
                topics.append(OffsetDeleteResponseTopic(name=topic.name, partitions=answers))
        out.reply(token, OffsetDeleteResponse(error_code=code, topics=topics))
        return out

    def topic_deleted(self, name: str, topic_id: bytes) -> Outcome:
        """Nobody can read on in a topic that is no more."""
        out = Outcome()
        for committed in self._table.offsets.values():
            out.records.extend(committed.delete_topic(name, topic_id))
        out.records.extend((key, None) for key, named in self._table.waiting() if named.topic == name)
        return out

    def expire(self, groups: Iterable[Group], now_ms: int) -> Outcome:
        """Take back offsets that nobody has needed for the retention time, and empty groups that have none."""
        out = Outcome()
        waiting = {named.group_id for _, named in self._table.waiting()}
        for group in groups:
            committed = self._table.offsets.get(group.group_id)
            kept = 0
            if committed is not None:
                expired = self._expired(group, committed, now_ms)
                out.records.extend(expired)
                kept = len(committed) - len(expired)
            is_needed = kept > 0 or group.group_id in waiting
            if not is_needed and group.expires:
                out.records.extend(group.tombstones())
        return out

    def _expired(self, group: Group, committed: GroupOffsets, now_ms: int) -> list[KeyValue]:
        """Members keep what they read alive; while they gather, nobody knows what that is."""
        expiry = group.offsets_expire
        if expiry is None:
            return []
        retention_ms = self._table.surroundings.limits.offsets_retention_ms
        expired = committed.expire(now_ms, retention_ms, expiry.since_ms, group.is_subscribed_to)
        return [(key, value) for key, value in expired if key not in self._table.undecided]
