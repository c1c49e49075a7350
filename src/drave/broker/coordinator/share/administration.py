"""What administrators of share groups ask: another start, and that what a group remembers goes.

    alter           start offsets of an empty group; an id that nobody has becomes one
    delete_offsets  what an empty group remembers of some topics
    delete          an empty group, and with it all that it remembers

Each is written down, done by those who keep the state, written down again and then answered (`duties.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import share_alteration_refused, share_deletion_refused
from drave.broker.coordinator.share.duties import Delete, Initialize, ShareDuty, UnderWay
from drave.broker.coordinator.share.group import Change, ShareGroup
from drave.broker.coordinator.share.state import SharePartition
from drave.broker.coordinator.table import GroupTable
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import ZERO_TOPIC_ID, Offset, TopicId
from drave.wire.messages import k91_alter_share_group_offsets as k91
from drave.wire.messages import k92_delete_share_group_offsets as k92
from drave.wire.messages.k42_delete_groups import DeletableGroupResult, DeleteGroupsResponse

NO_TOPIC = "This broker has no such topic or partition."
NO_OFFSETS = "There is no offset information to delete."
HAS_MEMBERS = "The group has members."


class ShareAdministration:
    """The share groups of one shard. What takes a token answers it through its outcome, or that of a duty's end."""

    def __init__(self, table: GroupTable, under_way: UnderWay) -> None:
        self._table = table
        self._under_way = under_way

    # -- another start

    def alter(self, request: k91.AlterShareGroupOffsetsRequest, token: Token) -> Outcome:
        out = Outcome()
        try:
            group = self._empty_group(request.group_id) or ShareGroup(request.group_id, self._table.surroundings)
        except ProtocolError as refusal:
            out.reply(token, share_alteration_refused(refusal.code, str(refusal)))
            return out
        starts: dict[SharePartition, Offset] = {}
        response = k91.AlterShareGroupOffsetsResponse(
            responses=[self._altered(topic, starts) for topic in request.topics]
        )
        if not starts:
            out.reply(token, response)
            return out
        change = Change(group, out)
        change.places(group.places.begun(frozenset(starts)))
        duty = Initialize(group_id=group.group_id, starts=starts, state_epoch=group.epoch, answer=(token, response))
        self._under_way.begin(duty, out)
        return out

    def _altered(
        self, asked: k91.AlterShareGroupOffsetsRequestTopic, starts: dict[SharePartition, Offset]
    ) -> k91.AlterShareGroupOffsetsResponseTopic:
        """The answer about one topic if all goes well; the starts that are to be set are added."""
        topic = self._table.surroundings.topics.topic(asked.topic_name)
        partitions = []
        for partition in asked.partitions:
            answer = k91.AlterShareGroupOffsetsResponsePartition(partition_index=partition.partition_index)
            if topic is not None and 0 <= partition.partition_index < topic.partitions:
                starts[SharePartition(topic.topic_id, partition.partition_index)] = partition.start_offset
            else:
                answer.error_code, answer.error_message = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, NO_TOPIC
            partitions.append(answer)
        return k91.AlterShareGroupOffsetsResponseTopic(
            topic_name=asked.topic_name,
            topic_id=ZERO_TOPIC_ID if topic is None else topic.topic_id,
            partitions=partitions,
        )

    # -- an end

    def delete_offsets(self, request: k92.DeleteShareGroupOffsetsRequest, token: Token) -> Outcome:
        out = Outcome()
        try:
            group = self._empty_group(request.group_id)
            if group is None:
                raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {request.group_id} not found.")
        except ProtocolError as refusal:
            out.reply(token, share_deletion_refused(refusal.code, str(refusal)))
            return out
        topics = self._table.surroundings.topics
        unknown: list[k92.DeleteShareGroupOffsetsResponseTopic] = []
        doomed: frozenset[SharePartition] = frozenset()
        for asked in dict.fromkeys(topic.topic_name for topic in request.topics):
            topic = topics.topic(asked)
            those = frozenset() if topic is None else group.places.to_delete(topics, topic.topic_id)
            if not those:
                message = NO_TOPIC if topic is None else NO_OFFSETS
                unknown.append(_deleted(asked, ZERO_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message))
            doomed |= those
        response = k92.DeleteShareGroupOffsetsResponse(responses=unknown)
        if not doomed:
            out.reply(token, response)
            return out
        Change(group, out).places(group.places.giving_up(each.topic_id for each in doomed))
        self._under_way.begin(Delete(group_id=group.group_id, partitions=doomed, token=token, answer=response), out)
        return out

    def delete(self, group: ShareGroup, token: Token) -> Outcome:
        """Begin to delete a group that has no members."""
        out = Outcome()
        doomed = group.places.to_delete(self._table.surroundings.topics)
        if not doomed:
            out.records.extend(group.tombstones())
            out.reply(token, group_deleted(group.group_id))
            return out
        Change(group, out).places(group.places.giving_up(each.topic_id for each in doomed))
        self._under_way.begin(Delete(group_id=group.group_id, partitions=doomed, token=token), out)
        return out

    def _empty_group(self, group_id: str) -> ShareGroup | None:
        """The group of this id, if there is one. Raises Refused where it is of another kind, or has members."""
        group = self._table.groups.get(group_id)
        if group is None:
            return None
        if not isinstance(group, ShareGroup):
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a share group.")
        if not group.is_empty:
            raise Refused(ErrorCode.NON_EMPTY_GROUP, HAS_MEMBERS)
        return group

    # -- a duty has ended

    def abandon(self, duty: ShareDuty, code: ErrorCode, out: Outcome) -> None:
        """What was to be written down first was refused, so nothing was done."""
        if isinstance(duty, Initialize):
            if duty.answer is not None:
                out.reply(duty.answer[0], share_alteration_refused(code))
        elif duty.answer is None:
            out.reply(duty.token, group_deleted(duty.group_id, code))
        else:
            out.reply(duty.token, share_deletion_refused(code))

    def initialized(self, duty: Initialize, results: Mapping[SharePartition, ErrorCode], out: Outcome) -> None:
        """Tell the administrator who asked for it, if it was one."""
        if duty.answer is None:
            return
        token, response = duty.answer
        for topic in response.responses:
            for partition in topic.partitions:
                code = results.get(SharePartition(topic.topic_id, partition.partition_index), ErrorCode.NONE)
                if code is not ErrorCode.NONE:
                    partition.error_code, partition.error_message = code, code.name
        out.reply(token, response)

    def deleted(self, duty: Delete, results: Mapping[SharePartition, ErrorCode]) -> Outcome:
        """What was forgotten is so now; what was not stays noted as something to delete."""
        out = Outcome()
        self._under_way.end(duty)
        failed = {each.topic_id: code for each, code in results.items() if code is not ErrorCode.NONE}
        done = {each.topic_id for each in duty.partitions} - failed.keys()
        group = self._table.get(duty.group_id, ShareGroup)
        if duty.answer is None:
            code = self._group_deleted(group, failed, out)
            out.reply(duty.token, group_deleted(duty.group_id, code))
        else:
            codes = {**dict.fromkeys(sorted(done), ErrorCode.NONE), **failed}
            answers = [self._deleted(topic_id, code) for topic_id, code in codes.items()]
            out.reply(duty.token, k92.DeleteShareGroupOffsetsResponse(responses=[*answers, *duty.answer.responses]))
        if group is not None and not out.records:
            Change(group, out).places(group.places.without(done & group.places.deleting))
        return out

    def _group_deleted(self, group: ShareGroup | None, failed: Mapping[TopicId, ErrorCode], out: Outcome) -> ErrorCode:
        """Delete the rest of a group whose share-partitions' state is gone."""
        if group is None:
            return ErrorCode.GROUP_ID_NOT_FOUND
        if failed:
            return next(iter(failed.values()))
        if not group.is_empty:
            return ErrorCode.NON_EMPTY_GROUP
        out.records.extend(group.tombstones())
        return ErrorCode.NONE

    def _deleted(self, topic_id: TopicId, code: ErrorCode) -> k92.DeleteShareGroupOffsetsResponseTopic:
        topic = self._table.surroundings.topics.topic_by_id(topic_id)
        return _deleted("" if topic is None else topic.name, topic_id, code, code.name if code else None)


def _deleted(
    name: str, topic_id: TopicId, code: ErrorCode, message: str | None
) -> k92.DeleteShareGroupOffsetsResponseTopic:
    return k92.DeleteShareGroupOffsetsResponseTopic(
        topic_name=name, topic_id=topic_id, error_code=code, error_message=message
    )


def group_deleted(group_id: str, code: ErrorCode = ErrorCode.NONE) -> DeleteGroupsResponse:
    """The answer about one group."""
    return DeleteGroupsResponse(results=[DeletableGroupResult(group_id=group_id, error_code=code)])
