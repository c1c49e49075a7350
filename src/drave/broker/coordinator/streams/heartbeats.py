"""What one heartbeat of a member does to its group.

    1  the member as it says it is          new or changed ──┐
    2  the topology that it brings          new ─────────────┤
    3  the topics that it needs             others, or fit ──┼─▶ group epoch + 1
       the group's configs                  others ──────────┘         │
    4  the target, if the epoch has gone past it ◀─────────────────────┘
    5  the member, one step nearer to its target

What can be refused is refused before anything is written. Internal topics that are missing are made before the
heartbeat goes on: it answers `MissingTopics`, and is asked once more. Kafka makes them while the member waits for its
next heartbeat, some five seconds later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH, SETTLING_MS, SOON_MS
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord
from drave.broker.coordinator.streams.configuring import Configuration, InternalTopic, Status
from drave.broker.coordinator.streams.describing import endpoints
from drave.broker.coordinator.streams.group import INITIAL_DELAY, NOT_VALIDATED, StreamsGroup
from drave.broker.coordinator.streams.member import StreamsMember, check_epoch, reconcile, told
from drave.broker.coordinator.streams.tasks import NOTHING, Tasks, task_ids, task_set
from drave.broker.coordinator.streams.topology import Topology, check_topology
from drave.model.errors import ErrorCode, Refused
from drave.wire.messages.k88_streams_group_heartbeat import Status as StatusSaid
from drave.wire.messages.k88_streams_group_heartbeat import StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse

LEAVE_FOR_A_WHILE_EPOCH: Final = -2
"""What a static member says when it will be back. Streams groups have none yet."""
_NO_TIMEOUT: Final = -1


class MissingTopics(NamedTuple):
    """The heartbeat's answer when topics have to be made first."""

    topics: Mapping[str, InternalTopic]


# -- what is refused, whatever the group is


def check_request(request: StreamsGroupHeartbeatRequest) -> None:
    """That the request makes sense in itself, and asks for nothing that is not there. Raises Refused."""
    _refuse(request.instance_id is not None, "Static membership is not yet supported.")
    _refuse(request.task_offsets is not None, "TaskOffsets are not supported yet.")
    _refuse(request.task_end_offsets is not None, "TaskEndOffsets are not supported yet.")
    _refuse(bool(request.warmup_tasks), "WarmupTasks are not supported yet.")
    topology = request.topology
    if topology is not None:
        patterns = any(subtopology.source_topic_regex for subtopology in topology.subtopologies)
        _refuse(patterns, "Regular expressions for source topics are not supported yet.")
    _refuse(not request.member_id.strip(), "MemberId can't be empty.")
    _refuse(not request.group_id.strip(), "GroupId can't be empty.")
    _refuse(request.rack_id is not None and not request.rack_id.strip(), "RackId can't be empty.")
    if request.member_epoch == JOIN_EPOCH:
        _check_joining(request)
    elif request.member_epoch == LEAVE_FOR_A_WHILE_EPOCH:
        _refuse(True, "InstanceId can't be null.")
    else:
        _refuse(
            request.member_epoch < LEAVE_FOR_A_WHILE_EPOCH,
            f"MemberEpoch is {request.member_epoch}, but must be greater than or equal to -2.",
        )
        _refuse(topology is not None, "Topology can only be provided when (re-)joining.")
    said = [tasks is not None for tasks in (request.active_tasks, request.standby_tasks, request.warmup_tasks)]
    _refuse(any(said) and not all(said), "If one task-type is non-null, all must be non-null.")


def _check_joining(request: StreamsGroupHeartbeatRequest) -> None:
    _refuse(request.rebalance_timeout_ms == _NO_TIMEOUT, "RebalanceTimeoutMs must be provided in first request.")
    _refuse(bool(request.active_tasks), "ActiveTasks must be empty when (re-)joining.")
    _refuse(bool(request.standby_tasks), "StandbyTasks must be empty when (re-)joining.")
    _refuse(request.topology is None, "Topology must be non-null when (re-)joining.")
    if request.topology is not None:
        check_topology(request.topology)


def _refuse(is_wrong: bool, why: str) -> None:
    if is_wrong:
        raise Refused(ErrorCode.INVALID_REQUEST, why)


# -- leaving


def leave(group: StreamsGroup, request: StreamsGroupHeartbeatRequest, out: Outcome) -> StreamsGroupHeartbeatResponse:
    """Take the member out. Raises Refused."""
    member = _known(group, request.member_id)
    if request.shutdown_application:
        group.shutdown_asked_by = group.shutdown_asked_by or member.member_id
    group.fence(member, out)
    return StreamsGroupHeartbeatResponse(
        member_id=request.member_id,
        member_epoch=LEAVE_EPOCH,
        heartbeat_interval_ms=0,
        task_offset_interval_ms=0,
        status=[],
        endpoint_information_epoch=0,
    )


def _known(group: StreamsGroup, member_id: str) -> StreamsMember:
    member = group.members.get(member_id)
    if member is None:
        raise Refused(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.group_id}.")
    return member


# -- staying


class Heartbeat:
    """One heartbeat, from its request to its answer."""

    def __init__(self, group: StreamsGroup, request: StreamsGroupHeartbeatRequest, caller: Caller, now_ms: int) -> None:
        """Look at everything that may be wrong. Raises Refused, InvalidTopology."""
        self._group = group
        self._request = request
        self._now_ms = now_ms
        self._is_joining = request.member_epoch == JOIN_EPOCH
        self._owned = _owned(request)
        self._before = self._member()
        check_epoch(self._before, request.member_epoch, self._owned)
        self._member_now = replace(self._before, said=told(self._before.said, request, caller))
        self._topology = self._topology_now()
        self._configuration, self._metadata_hash = group.configured(self._topology)
        if self._configuration.is_ready and self._owned is not None:
            _check_owned(self._owned, self._configuration)
        self._status: list[StatusSaid] = []
        self._epoch, self._targeted_ms = group.epoch, group.targeted_ms

    @property
    def missing(self) -> Mapping[str, InternalTopic]:
        """The internal topics to make first."""
        return self._configuration.missing

    def _member(self) -> StreamsMember:
        group, member_id = self._group, self._request.member_id
        member = group.members.get(member_id)
        if member is None and self._is_joining:
            size_max = group.limits.size_max
            if len(group.members) >= size_max:
                raise Refused(
                    ErrorCode.GROUP_MAX_SIZE_REACHED,
                    f"The streams group has reached its maximum capacity of {size_max} members.",
                )
            return StreamsMember(member_id)
        return _known(group, member_id)

    def _topology_now(self) -> Topology:
        """The group's topology; the one that is brought along, if the group has none. Raises Refused."""
        known, said = self._group.topology, self._request.topology
        if said is None:
            assert known is not None, "who joined brought one, and it stays for as long as the group"
            return known
        brought = Topology(said.epoch, said.subtopologies)
        if known is None:
            return brought
        if known.epoch <= brought.epoch and known != brought:
            raise Refused(ErrorCode.INVALID_REQUEST, "Topology updates are not supported yet.")
        return known

    def go_on(self, out: Outcome, creation_failures: str = "") -> StreamsGroupHeartbeatResponse:
        """Do it all. From here on nothing is refused, but by reconciling with a member of a state that is unknown."""
        group, topology, member_id = self._group, self._topology, self._request.member_id
        said = self._member_now.said
        if said.topology_epoch < topology.epoch:
            behind = f"topology epoch {said.topology_epoch} is behind the group's topology epoch {topology.epoch}."
            self._tell(Status.STALE_TOPOLOGY, f"The member's {behind}")
        epoch = self._write_what_changed(out)
        target_epoch, target = self._target(epoch, out)
        self._epoch = epoch
        member = reconcile(self._member_now, target, target_epoch, self._owned, group.holders)
        if member != self._member_now:
            group.write(out, GroupRecord.STREAMS_CURRENT, member.as_record(), member_id)
            group.expect_back(member, out)
        group.heard_from(member, out)
        if self._request.shutdown_application:
            group.shutdown_asked_by = group.shutdown_asked_by or member_id
        if self._configuration.problem is not None:
            status, detail = self._configuration.problem
            self._tell(status, detail + creation_failures)
        if group.shutdown_asked_by is not None:
            self._tell(
                Status.SHUTDOWN_APPLICATION,
                f"Streams group member {group.shutdown_asked_by} encountered a fatal error and requested a shutdown "
                "for the entire application.",
            )
        return self._response(member)

    def _tell(self, status: Status, detail: str) -> None:
        self._status.append(StatusSaid(status_code=status, status_detail=detail))

    def _write_what_changed(self, out: Outcome) -> int:
        """The group's epoch, raised if what it counts has changed."""
        group = self._group
        is_changed = self._member_now.said != self._before.said or self._before.member_id not in group.members
        if is_changed:
            group.write(out, GroupRecord.STREAMS_MEMBER, self._member_now.said, self._before.member_id)
        if group.topology is None:
            group.write(out, GroupRecord.STREAMS_TOPOLOGY, self._topology.as_record())
        validated = self._topology.epoch if self._configuration.is_ready else NOT_VALIDATED
        configs = group.limits.assignment_configs
        is_raised = (
            is_changed
            or self._metadata_hash != group.metadata_hash
            or validated != group.validated_topology_epoch
            or configs != group.assignment_configs
        )
        if not is_raised:
            return group.epoch
        group.write_epoch(out, group.epoch + 1, self._metadata_hash, validated, configs)
        return group.epoch + 1

    def _target(self, epoch: int, out: Outcome) -> tuple[int, Tasks]:
        """The member's target, computed anew if it is of an epoch that has passed; and the epoch that it is of."""
        group, member = self._group, self._member_now
        limits = group.limits
        if not group.members and limits.initial_rebalance_delay_ms and not group.is_delayed:
            group.is_delayed = True
            out.timer((INITIAL_DELAY, group.group_id, ""), limits.initial_rebalance_delay_ms)
        if group.is_delayed:
            self._tell(Status.ASSIGNMENT_DELAYED, "Assignment delayed due to the configured initial rebalance delay.")
            return group.target_epoch, NOTHING
        known = group.target_epoch, group.targets.get(member.member_id, NOTHING)
        if group.target_epoch >= epoch:
            return known
        interval_ms = limits.assignment_interval_ms
        if group.targeted_ms and interval_ms and self._now_ms < group.targeted_ms + interval_ms:
            self._tell(Status.ASSIGNMENT_DELAYED, "Assignment delayed due to the configured assignment interval.")
            return known
        members = {**group.members, member.member_id: member}
        targets = group.write_targets(out, epoch, members, self._configuration, self._now_ms)
        self._targeted_ms = self._now_ms
        return epoch, targets[member.member_id]

    def _response(self, member: StreamsMember) -> StreamsGroupHeartbeatResponse:
        group = self._group
        response = StreamsGroupHeartbeatResponse(
            member_id=member.member_id,
            member_epoch=member.member_epoch,
            heartbeat_interval_ms=self._interval_ms(member),
            task_offset_interval_ms=0,
            status=self._status,
            endpoint_information_epoch=0,
        )
        endpoints_epoch = group.endpoints_epoch
        if self._is_joining or member.tasks != self._before.tasks:
            response.active_tasks = task_ids(member.tasks.active)
            response.standby_tasks = task_ids(member.tasks.standby)
            response.warmup_tasks = task_ids(member.tasks.warmup)
            if member.said.user_endpoint is not None:
                endpoints_epoch += 1
        if endpoints_epoch != self._request.endpoint_information_epoch:
            response.partitions_by_user_endpoint = endpoints(
                [*(each for each in group.members.values() if each.member_id != member.member_id), member],
                self._configuration,
                group.surroundings.topics,
            )
        if group.is_written:  # a group that is just being made counts from its second answer on, as in Kafka
            group.endpoints_epoch = endpoints_epoch
        response.endpoint_information_epoch = group.endpoints_epoch
        return response

    def _interval_ms(self, member: StreamsMember) -> int:
        """When the member is to be heard from again: sooner while its group comes together, for it learns by heartbeats
        alone what others have given up."""
        group = self._group
        usual_ms = group.limits.heartbeat_interval_ms
        if self._now_ms >= self._targeted_ms + SETTLING_MS and member.is_reconciled_to(self._epoch):
            return usual_ms
        return min(usual_ms, max(SOON_MS, len(group.members)))


def _owned(request: StreamsGroupHeartbeatRequest) -> Tasks | None:
    """The tasks that the member says it has; None where it does not say."""
    active, standby, warmup = request.active_tasks, request.standby_tasks, request.warmup_tasks
    if active is None or standby is None or warmup is None:
        return None
    return Tasks(task_set(active), task_set(standby), task_set(warmup))


def _check_owned(owned: Tasks, configuration: Configuration) -> None:
    for task in owned.all:
        subtopology = configuration.subtopologies.get(task.subtopology_id)
        if subtopology is None:
            raise Refused(
                ErrorCode.INVALID_REQUEST, f"Subtopology {task.subtopology_id} does not exist in the topology."
            )
        if not 0 <= task.partition < subtopology.tasks:
            raise Refused(
                ErrorCode.INVALID_REQUEST,
                f"Task {task.partition} for subtopology {task.subtopology_id} is invalid: it has "
                f"{subtopology.tasks} tasks.",
            )
