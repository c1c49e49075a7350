"""What members of share groups ask.

    heartbeat ──→ who it is, what it wants ──→ has all that a state? ──→ target ──→ its epoch, what it is to read
                                                  └ no: Initialize, and the answer waits for it

Kafka answers before there is anything to read, and the member learns of it with its next heartbeat, five seconds later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH, check_topics_named
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import share_heartbeat_refused
from drave.broker.coordinator.share.administration import ShareAdministration
from drave.broker.coordinator.share.assignor import NAME, NOTHING, Partitions
from drave.broker.coordinator.share.duties import Initialize, ShareDuty, UnderWay, Waiting
from drave.broker.coordinator.share.group import Change, ShareGroup, ShareMember
from drave.broker.coordinator.share.partitions import by_topic
from drave.broker.coordinator.share.state import UNDECIDED_START, SharePartition
from drave.broker.coordinator.table import GroupTable
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import TopicId
from drave.wire.messages import k77_share_group_describe as k77
from drave.wire.messages.k76_share_group_heartbeat import (
    Assignment,
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
    TopicPartitions,
)


class ShareRequests:
    """The share groups of one shard. Every method that takes a token answers it through its outcome, or, when a duty
    has ended, through that one's."""

    def __init__(self, table: GroupTable) -> None:
        self._table = table
        self._under_way = UnderWay()
        self.administration: Final = ShareAdministration(table, self._under_way)

    # -- heartbeats

    def heartbeat(
        self,
        request: ShareGroupHeartbeatRequest,
        caller: Caller,
        token: Token,
        now_ms: int,
        *,
        may_wait: bool = True,
    ) -> Outcome:
        """A member joins, lives, wants something else or leaves. Where it `may_wait`, its partitions get their state
        first."""
        out = Outcome()
        try:
            if request.member_epoch == LEAVE_EPOCH:
                out.reply(token, self._leave(request, out))
                return out
            check_topics_named(request.subscribed_topic_names)
            group = self._group(request)
            member = _said(self._member(group, request), request, caller)
        except ProtocolError as refusal:
            out.reply(token, share_heartbeat_refused(refusal.code, str(refusal)))
            return out
        change = Change(group, out)
        group.heartbeat(member, change)
        if may_wait:
            self._begin(group, change)
        is_full = request.member_epoch == JOIN_EPOCH or request.subscribed_topic_names is not None
        is_under_way = group.group_id in self._under_way
        if may_wait and is_full and is_under_way:
            self._under_way.park(Waiting(request, caller, token))
            return out
        if change.target_epoch < change.epoch and group.may_aim(now_ms) and not is_under_way:
            change.aim(now_ms)
        led = change.lead(member)
        out.reply(token, _answer(group, led, with_assignment=is_full or led.assigned != member.assigned))
        return out

    def _group(self, request: ShareGroupHeartbeatRequest) -> ShareGroup:
        group_id = request.group_id
        group = self._table.groups.get(group_id)
        if group is None:
            if request.member_epoch != JOIN_EPOCH:
                raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Share group {group_id} not found.")
            return ShareGroup(group_id, self._table.surroundings)
        if not isinstance(group, ShareGroup):
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a share group.")
        return group

    def _member(self, group: ShareGroup, request: ShareGroupHeartbeatRequest) -> ShareMember:
        member = group.members.get(request.member_id)
        size_max = self._table.surroundings.limits.share_size_max
        if member is None and len(group.members) >= size_max:
            raise Refused(
                ErrorCode.GROUP_MAX_SIZE_REACHED,
                f"The share group has reached its maximum capacity of {size_max} members.",
            )
        if request.member_epoch == JOIN_EPOCH:
            return member or ShareMember(member_id=request.member_id)
        if member is None:
            raise Refused(
                ErrorCode.UNKNOWN_MEMBER_ID,
                f"Member {request.member_id} is not a member of group {group.group_id}.",
            )
        if request.member_epoch not in (member.member_epoch, member.previous_epoch):
            raise Refused(
                ErrorCode.FENCED_MEMBER_EPOCH,
                f"The member's epoch is {member.member_epoch}, the request says {request.member_epoch}. "
                "The member must give up its partitions and join again.",
            )
        return member

    def _leave(self, request: ShareGroupHeartbeatRequest, out: Outcome) -> ShareGroupHeartbeatResponse:
        group = self._group(request)
        if request.member_id not in group.members:
            raise Refused(
                ErrorCode.UNKNOWN_MEMBER_ID,
                f"Member {request.member_id} is not a member of group {group.group_id}.",
            )
        group.remove(request.member_id, out)
        return ShareGroupHeartbeatResponse(
            member_id=request.member_id, member_epoch=LEAVE_EPOCH, heartbeat_interval_ms=0
        )

    # -- share-partitions get their state

    def _begin(self, group: ShareGroup, change: Change) -> None:
        """Have a state made for what the members read and has none."""
        missing = group.places.missing(group.surroundings.topics, change.topic_names)
        missing -= self._under_way.initializing(group.group_id)
        if missing:
            change.places(group.places.begun(missing))
            starts = dict.fromkeys(sorted(missing), UNDECIDED_START)
            duty = Initialize(group_id=group.group_id, starts=starts, state_epoch=change.epoch)
            self._under_way.begin(duty, change.out)

    def loaded(self, out: Outcome) -> None:
        """Go on with what a restart has interrupted. A start that was being moved stays where it was."""
        for group in self._table.groups.values():
            if isinstance(group, ShareGroup) and group.places.initializing:
                missing = group.places.initializing - group.places.initialized
                starts = dict.fromkeys(sorted(missing), UNDECIDED_START)
                self._under_way.begin(Initialize(group_id=group.group_id, starts=starts, state_epoch=group.epoch), out)

    def ended(self, duty: ShareDuty, results: Mapping[SharePartition, ErrorCode]) -> Outcome:
        """A duty has ended. What got a state may be read, which is a new epoch for those who wait for it."""
        if not isinstance(duty, Initialize):
            return self.administration.deleted(duty, results)
        out = Outcome()
        self._under_way.end(duty)
        self.administration.initialized(duty, results, out)
        group = self._table.get(duty.group_id, ShareGroup)
        if group is not None:
            change = Change(group, out)
            done = frozenset(each for each in duty.starts if results[each] is ErrorCode.NONE)
            change.places(group.places.ended(done, frozenset(duty.starts) - done))
            if done and group.members:
                change.next_epoch()
        return out

    def resumed(self, group_id: str) -> list[Waiting]:
        """The heartbeats that waited, to be made once more now that nothing is under way for their group."""
        return self._under_way.resume(group_id)

    def abandon(self, duty: ShareDuty, code: ErrorCode, out: Outcome) -> None:
        """The log has refused to write down what is to be done, so nobody does it."""
        self._under_way.end(duty)
        self.administration.abandon(duty, code, out)
        for waiting in self._under_way.resume(duty.group_id):
            out.reply(waiting.token, share_heartbeat_refused(code))

    def topic_deleted(self, topic_id: TopicId) -> Outcome:
        """Nothing of it is left, and those who keep its share-partitions' state know that themselves."""
        out = Outcome()
        for group in self._table.groups.values():
            if isinstance(group, ShareGroup):
                left = group.places.without((topic_id,))
                if left != group.places:
                    Change(group, out).places(left)
        return out

    # -- for people

    def describe(self, group_id: str) -> k77.DescribedGroup | None:
        """None where no share group has this id."""
        group = self._table.get(group_id, ShareGroup)
        if group is None:
            return None
        return k77.DescribedGroup(
            group_id=group_id,
            group_state=group.state,
            group_epoch=group.epoch,
            assignment_epoch=group.target_epoch,
            assignor_name=NAME,
            members=[self._described(member) for member in group.members.values()],
        )

    def _described(self, member: ShareMember) -> k77.Member:
        topics = self._table.surroundings.topics
        return k77.Member(
            member_id=member.member_id,
            rack_id=member.rack_id,
            member_epoch=member.member_epoch,
            client_id=member.client_id,
            client_host=member.client_host,
            subscribed_topic_names=sorted(member.topics),
            assignment=k77.Assignment(
                topic_partitions=[
                    k77.TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=indexes)
                    for topic_id, indexes in by_topic(member.assigned).items()
                    if (topic := topics.topic_by_id(topic_id)) is not None
                ]
            ),
        )

    def initialized_partitions(self, group_id: str) -> Partitions:
        """The share-partitions that have a state."""
        group = self._table.get(group_id, ShareGroup)
        return NOTHING if group is None else group.places.initialized


def _said(member: ShareMember, request: ShareGroupHeartbeatRequest, caller: Caller) -> ShareMember:
    """The member, with what it says of itself now."""
    names = request.subscribed_topic_names
    return msgspec.structs.replace(
        member,
        rack_id=member.rack_id if request.rack_id is None else request.rack_id,
        topics=member.topics if names is None else frozenset(names),
        client_id=caller.client_id,
        client_host=caller.client_host,
    )


def _answer(group: ShareGroup, member: ShareMember, *, with_assignment: bool) -> ShareGroupHeartbeatResponse:
    assigned = [
        TopicPartitions(topic_id=topic_id, partitions=indexes)
        for topic_id, indexes in by_topic(member.assigned).items()
    ]
    return ShareGroupHeartbeatResponse(
        member_id=member.member_id,
        member_epoch=member.member_epoch,
        heartbeat_interval_ms=group.heartbeat_interval_ms,
        assignment=Assignment(topic_partitions=assigned) if with_assignment else None,
    )
