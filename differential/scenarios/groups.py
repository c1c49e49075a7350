"""Classic groups: joining, syncing, beating, leaving, alone and several, with every version and what can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from differential.calls import assignment, join, subscription, sync
from differential.client import Connection
from differential.scenario import scenario
from differential.stage import Stage
from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k11_join_group import JoinGroupRequestProtocol
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest

JOIN = ApiKey.JOIN_GROUP
SYNC = ApiKey.SYNC_GROUP
HEARTBEAT = ApiKey.HEARTBEAT
LEAVE = ApiKey.LEAVE_GROUP
ID_FIRST = 4
"""From this version of JoinGroup on, a member is first given its id (KIP-394)."""

OLD_AND_NEW = (0, 3, 4, 5, 7, 9)
"""Versions of JoinGroup: whose answers have another form, or whose members are treated otherwise."""

SHORT_MS = 1_000
"""A time-out that is waited for: long enough for a machine that stalls between two requests."""


@dataclass
class Member:
    """A member on a connection of its own, where it can wait."""

    connection: Connection
    id: str = ""
    generation: int = -1


def _member(stage: Stage) -> Member:
    return Member(stage.connect())


def _id_first(stage: Stage, member: Member, group: str, version: int, **more: Any) -> None:
    """Get the id that newer versions give before they let a member in."""
    if version >= ID_FIRST and not member.id and more.get("group_instance_id") is None:
        member.id = stage.ask(join(group, "", **more), version, on=member.connection).member_id


def _join(stage: Stage, member: Member, group: str, version: int, **more: Any) -> Any:
    _id_first(stage, member, group, version, **more)
    return _joined(member, stage.ask(join(group, member.id, **more), version, on=member.connection))


def _joined(member: Member, answer: Any) -> Any:
    if answer is not None and not answer.error_code:
        member.id, member.generation = answer.member_id, answer.generation_id
    return answer


def _sync(
    stage: Stage, member: Member, group: str, assignments: dict[str, bytes] | None, version: int = 5, **more: Any
) -> Any:
    request = sync(group, member.generation, member.id, assignments, **more)
    return stage.ask(request, version, on=member.connection)


def _alone(stage: Stage, group: str, version: int = 9, **more: Any) -> Member:
    """A group of one, stable."""
    member = _member(stage)
    _join(stage, member, group, version, **more)
    _sync(stage, member, group, {member.id: b"all"})
    return member


def _beat(stage: Stage, group: str, member: Member, version: int = 4, **more: Any) -> None:
    stage.ask(HeartbeatRequest(group_id=group, generation_id=member.generation, member_id=member.id, **more), version)


def _wait(stage: Stage, group: str, until: Callable[[Any], bool]) -> None:
    stage.wait(DescribeGroupsRequest(groups=[group]), lambda answer: until(answer.groups[0]))


def _until_members(stage: Stage, group: str, count: int, state: str = "PreparingRebalance") -> None:
    _wait(stage, group, lambda found: found.group_state == state and len(found.members) == count)


def _describe(stage: Stage, group: str, version: int = 6) -> None:
    stage.ask(DescribeGroupsRequest(groups=[group]), version)


def _two(stage: Stage, group: str, version: int = 9) -> tuple[Member, Member]:
    """A stable group of two; the first is its leader."""
    first = _alone(stage, group, version)
    second = _member(stage)
    _id_first(stage, second, group, version)
    waiting = stage.send(join(group, second.id), version, on=second.connection)
    _until_members(stage, group, 2)
    _join(stage, first, group, version)
    _joined(second, stage.answer(waiting))
    parked = stage.send(sync(group, second.generation, second.id), 5, on=second.connection)
    _sync(stage, first, group, {first.id: b"one", second.id: b"two"})
    stage.answer(parked)
    return first, second


# -- one member


@scenario(JOIN)
def one_member_joins_syncs_beats_and_leaves(stage: Stage, version: int) -> None:
    group, member = stage.group(), _member(stage)
    _join(stage, member, group, version)
    _describe(stage, group)
    _sync(stage, member, group, {member.id: b"all"})
    _describe(stage, group)
    _beat(stage, group, member)
    stage.ask(LeaveGroupRequest(group_id=group, member_id=member.id), 2)
    _describe(stage, group)
    _beat(stage, group, member)


@scenario(JOIN)
def joining_again_makes_a_new_generation(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group, version)
    _join(stage, member, group, version)
    _sync(stage, member, group, {member.id: b"anew"})
    _join(stage, member, group, version, protocols=("roundrobin",))
    _describe(stage, group)


@scenario(JOIN)
def an_id_that_nobody_gave(stage: Stage, version: int) -> None:
    group = stage.group()
    stage.ask(join(group, "nobody"), version)
    _describe(stage, group)


@scenario(JOIN, since=ID_FIRST)
def an_id_is_used_in_another_group(stage: Stage, version: int) -> None:
    member = _member(stage)
    _id_first(stage, member, stage.group("first"), version)
    stage.ask(join(stage.group("second"), member.id), version)


@scenario(JOIN, timeout_ms=(0, 99, 100, 1_800_000, 1_800_001, -1))
def session_timeouts(stage: Stage, version: int, timeout_ms: int) -> None:
    stage.ask(join(stage.group(), session_timeout_ms=timeout_ms), version)


@scenario(JOIN)
def without_a_name(stage: Stage, version: int) -> None:
    stage.ask(join(""), version)


@scenario(JOIN)
def without_protocols(stage: Stage, version: int) -> None:
    group = stage.group()
    stage.ask(join(group, protocols=()), version)
    stage.ask(join(group, protocol_type=""), version)
    stage.ask(join(group, protocol_type="", protocols=()), version)
    _describe(stage, group)


@scenario(JOIN)
def another_protocol_type(stage: Stage, version: int) -> None:
    group = stage.group()
    _alone(stage, group, version)
    second = _member(stage)
    _join(stage, second, group, version, protocol_type="connect")
    _describe(stage, group)


@scenario(JOIN)
def no_protocol_in_common(stage: Stage, version: int) -> None:
    group = stage.group()
    _alone(stage, group, version)
    second = _member(stage)
    _join(stage, second, group, version, protocols=("sticky",))
    _describe(stage, group)


@scenario(version=(3, 9))
def the_same_protocol_twice(stage: Stage, version: int) -> None:
    group, member = stage.group(), _member(stage)
    _id_first(stage, member, group, version)
    protocols = [JoinGroupRequestProtocol(name="range", metadata=data) for data in map(subscription, "12")]
    request = join(group, member.id)
    request.protocols = protocols
    stage.ask(request, version, on=member.connection, patience_s=0.5)


@scenario(JOIN, since=8)
def a_reason_is_given(stage: Stage, version: int) -> None:
    member = _member(stage)
    _join(stage, member, stage.group(), version, reason="because" * 50)


@scenario(version=OLD_AND_NEW)
def consumers_are_described_with_their_subscription(stage: Stage, version: int) -> None:
    topic, group, member = stage.topic(partitions=2), stage.group(), _member(stage)
    _join(stage, member, group, version, metadata=subscription(topic))
    _sync(stage, member, group, {member.id: assignment(topic, 0, 1)})
    _describe(stage, group)


# -- several members


@scenario(JOIN)
def a_second_member_makes_the_first_one_join_again(stage: Stage, version: int) -> None:
    group = stage.group()
    first = _alone(stage, group, version)
    second = _member(stage)
    _id_first(stage, second, group, version)
    waiting = stage.send(join(group, second.id, protocols=("sticky", "range")), version, on=second.connection)
    _until_members(stage, group, 2)
    _describe(stage, group)
    _beat(stage, group, first)
    _join(stage, first, group, version)
    _joined(second, stage.answer(waiting))
    parked = stage.send(sync(group, second.generation, second.id), 5, on=second.connection)
    _sync(stage, first, group, {first.id: b"one", second.id: b"two"})
    stage.answer(parked)
    _describe(stage, group)
    _beat(stage, group, first)
    _beat(stage, group, second)


@scenario(version=OLD_AND_NEW)
def the_protocol_that_all_know_and_most_prefer(stage: Stage, version: int) -> None:
    group = stage.group()
    members = [_member(stage) for _ in range(3)]
    _join(stage, members[0], group, version, protocols=("a", "b", "c"))
    waiting = []
    for count, member in enumerate(members[1:], 2):
        said: dict[str, Any] = {"protocols": ("c", "b"), "metadata": subscription(f"topic {count}")}
        _id_first(stage, member, group, version, **said)
        waiting.append(stage.send(join(group, member.id, **said), version, on=member.connection))
        _until_members(stage, group, count)
    _join(stage, members[0], group, version, protocols=("a", "b", "c"))
    for asked in waiting:
        stage.answer(asked)


@scenario(version=OLD_AND_NEW)
def a_member_leaves_and_the_other_joins_again(stage: Stage, version: int) -> None:
    group = stage.group()
    first, second = _two(stage, group, version)
    stage.ask(LeaveGroupRequest(group_id=group, member_id=second.id), 2)
    _beat(stage, group, first)
    _beat(stage, group, second)
    _join(stage, first, group, version)
    _describe(stage, group)


@scenario(version=OLD_AND_NEW)
def the_leader_leaves(stage: Stage, version: int) -> None:
    group = stage.group()
    first, second = _two(stage, group, version)
    stage.ask(LeaveGroupRequest(group_id=group, member_id=first.id), 2)
    _join(stage, second, group, version)
    _describe(stage, group)


@scenario(version=OLD_AND_NEW)
def a_follower_joins_again_with_the_same_protocols(stage: Stage, version: int) -> None:
    """It is told what it knows already; nobody else notices."""
    group = stage.group()
    first, second = _two(stage, group, version)
    _join(stage, second, group, version)
    _beat(stage, group, first)
    _describe(stage, group)


@scenario(version=OLD_AND_NEW)
def a_follower_joins_again_with_other_metadata(stage: Stage, version: int) -> None:
    group = stage.group()
    first, second = _two(stage, group, version)
    waiting = stage.send(join(group, second.id, metadata=subscription("other")), version, on=second.connection)
    _until_members(stage, group, 2)
    _beat(stage, group, first)
    _join(stage, first, group, version)
    stage.answer(waiting)


@scenario(version=OLD_AND_NEW)
def the_leader_joins_again_with_the_same_protocols(stage: Stage, version: int) -> None:
    group = stage.group()
    first, second = _two(stage, group, version)
    waiting = stage.send(join(group, first.id), version, on=first.connection)
    _until_members(stage, group, 2)
    _beat(stage, group, second)
    _join(stage, second, group, version)
    stage.answer(waiting)


@scenario(version=OLD_AND_NEW)
def a_join_while_the_leader_has_yet_to_assign(stage: Stage, version: int) -> None:
    group, first, second = stage.group(), _member(stage), _member(stage)
    _join(stage, first, group, version)
    _id_first(stage, second, group, version)
    waiting = stage.send(join(group, second.id), version, on=second.connection)
    _until_members(stage, group, 2)
    _sync(stage, first, group, {first.id: b"too late"})
    _join(stage, first, group, version)
    _joined(second, stage.answer(waiting))
    _describe(stage, group)


@scenario(version=OLD_AND_NEW)
def who_does_not_join_again_in_time_is_out(stage: Stage, version: int) -> None:
    group = stage.group()
    first, timeout_ms = (
        _member(stage),
        {"rebalance_timeout_ms": SHORT_MS} if version else {"session_timeout_ms": SHORT_MS},
    )
    _join(stage, first, group, version, **timeout_ms)
    _sync(stage, first, group, {first.id: b"all"})
    second = _member(stage)
    _join(stage, second, group, version, **timeout_ms)
    _beat(stage, group, first)
    _describe(stage, group)


@scenario(version=OLD_AND_NEW)
def a_session_ends_without_heartbeats(stage: Stage, version: int) -> None:
    group, member = stage.group(), _member(stage)
    _join(stage, member, group, version, session_timeout_ms=SHORT_MS)
    _sync(stage, member, group, {member.id: b"all"})
    _wait(stage, group, lambda found: found.group_state == "Empty")
    _beat(stage, group, member)
    _describe(stage, group)


# -- SyncGroup


@scenario(SYNC)
def sync_with_what_is_wrong(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group)
    stage.ask(sync(group, member.generation, "nobody"), version)
    stage.ask(sync(group, member.generation + 1, member.id), version)
    stage.ask(sync(group, member.generation - 1, member.id), version)
    stage.ask(sync(group, member.generation, ""), version)
    stage.ask(sync(stage.name("nothing"), 1, member.id), version)
    stage.ask(sync("", 1, member.id), version)
    stage.ask(sync(group, member.generation, member.id, {member.id: b"other"}), version)


@scenario(SYNC, since=5)
def sync_with_another_protocol(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group)
    stage.ask(sync(group, member.generation, member.id, protocol_type="connect"), version)
    stage.ask(sync(group, member.generation, member.id, protocol_name="sticky"), version)
    stage.ask(sync(group, member.generation, member.id, protocol_type=None), version)
    stage.ask(sync(group, member.generation, member.id, protocol_name=None, protocol_type=None), version)


@scenario(SYNC)
def the_leader_assigns_to_some_only(stage: Stage, version: int) -> None:
    group, member = stage.group(), _member(stage)
    _join(stage, member, group, 9)
    _sync(stage, member, group, {"nobody": b"something"}, version)
    _describe(stage, group)


@scenario(SYNC)
def the_leader_assigns_nothing(stage: Stage, version: int) -> None:
    group, member = stage.group(), _member(stage)
    _join(stage, member, group, 9)
    _sync(stage, member, group, None, version)
    _sync(stage, member, group, None, version)
    _describe(stage, group)


@scenario(SYNC)
def sync_before_joining_again(stage: Stage, version: int) -> None:
    group = stage.group()
    first = _alone(stage, group)
    second = _member(stage)
    _id_first(stage, second, group, 9)
    stage.send(join(group, second.id), 9, on=second.connection)
    _until_members(stage, group, 2)
    _sync(stage, first, group, {first.id: b"x"}, version)


# -- Heartbeat


@scenario(HEARTBEAT)
def heartbeats_with_what_is_wrong(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group)
    for generation, who in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, 2)):
        identity = (member.id, "nobody", "")[who]
        stage.ask(
            HeartbeatRequest(group_id=group, generation_id=member.generation + generation, member_id=identity), version
        )
    stage.ask(HeartbeatRequest(group_id=stage.name("nothing"), generation_id=1, member_id=member.id), version)
    stage.ask(HeartbeatRequest(group_id="", generation_id=1, member_id=member.id), version)


@scenario(HEARTBEAT)
def heartbeats_in_each_state(stage: Stage, version: int) -> None:
    group, first, second = stage.group(), _member(stage), _member(stage)
    _join(stage, first, group, 9)
    _beat(stage, group, first, version)
    _sync(stage, first, group, {first.id: b"x"})
    _beat(stage, group, first, version)
    _id_first(stage, second, group, 9)
    _beat(stage, group, second, version)
    stage.send(join(group, second.id), 9, on=second.connection)
    _until_members(stage, group, 2)
    _beat(stage, group, first, version)
    stage.ask(LeaveGroupRequest(group_id=group, member_id=first.id), 2)
    _beat(stage, group, first, version)


# -- LeaveGroup


@scenario(LEAVE)
def leaving_with_what_is_wrong(stage: Stage, version: int) -> None:
    group = stage.group()
    _alone(stage, group)
    for name, who in ((group, "nobody"), (group, ""), (stage.name("nothing"), "nobody"), ("", "nobody")):
        request = LeaveGroupRequest(group_id=name, member_id=who, members=[MemberIdentity(member_id=who)])
        stage.ask(request, version)
    _describe(stage, group)


@scenario(LEAVE, since=3)
def several_leave_at_once(stage: Stage, version: int) -> None:
    group = stage.group()
    first, second = _two(stage, group)
    members = [MemberIdentity(member_id=each) for each in (first.id, "nobody", second.id)]
    stage.ask(LeaveGroupRequest(group_id=group, members=members), version)
    stage.ask(LeaveGroupRequest(group_id=group, members=[]), version)
    _describe(stage, group)


@scenario(LEAVE)
def leaving_twice(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group)
    request = LeaveGroupRequest(group_id=group, member_id=member.id, members=[MemberIdentity(member_id=member.id)])
    stage.ask(request, version)
    stage.ask(request, version)


@scenario(LEAVE)
def leaving_with_an_id_that_was_not_used_yet(stage: Stage, version: int) -> None:
    group, member = stage.group(), _member(stage)
    _id_first(stage, member, group, 9)
    request = LeaveGroupRequest(group_id=group, member_id=member.id, members=[MemberIdentity(member_id=member.id)])
    stage.ask(request, version)
    _describe(stage, group)


# -- static members (KIP-345)


@scenario(JOIN, since=5)
def a_static_member_comes_back_under_a_new_id(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group, version, group_instance_id="one")
    old, member.id = Member(member.connection, member.id, member.generation), ""
    _join(stage, member, group, version, group_instance_id="one")
    _sync(stage, member, group, None, group_instance_id="one")
    _beat(stage, group, member, group_instance_id="one")
    _beat(stage, group, old, group_instance_id="one")
    _beat(stage, group, old)
    _describe(stage, group)


@scenario(JOIN, since=5)
def a_static_member_comes_back_with_other_metadata(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group, version, group_instance_id="one")
    member.id = ""
    _join(stage, member, group, version, group_instance_id="one", metadata=subscription("other"))
    _describe(stage, group)


@scenario(JOIN, since=5)
def a_static_member_with_an_id_that_is_not_its_own(stage: Stage, version: int) -> None:
    group = stage.group()
    _alone(stage, group, version, group_instance_id="one")
    stage.ask(join(group, "nobody", group_instance_id="one"), version)
    stage.ask(join(group, "nobody", group_instance_id="two"), version)
    _describe(stage, group)


@scenario(JOIN, since=5)
def two_static_members(stage: Stage, version: int) -> None:
    group = stage.group()
    first = _alone(stage, group, version, group_instance_id="one")
    second = _member(stage)
    waiting = stage.send(join(group, group_instance_id="two"), version, on=second.connection)
    _until_members(stage, group, 2)
    _join(stage, first, group, version, group_instance_id="one")
    _joined(second, stage.answer(waiting))
    _describe(stage, group)
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id="", group_instance_id="two")]), 3)
    _describe(stage, group)


@scenario(LEAVE, since=3)
def a_static_member_is_removed_by_its_instance(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group, group_instance_id="one")
    for who, instance in (("", "nobody"), ("nobody", "one"), (member.id, "other"), ("", "one"), ("", "one")):
        identity = MemberIdentity(member_id=who, group_instance_id=instance)
        stage.ask(LeaveGroupRequest(group_id=group, members=[identity]), version)
    _describe(stage, group)


@scenario(HEARTBEAT, since=3)
def heartbeats_of_static_members(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group, group_instance_id="one")
    _beat(stage, group, member, version, group_instance_id="one")
    _beat(stage, group, member, version, group_instance_id="two")
    _beat(stage, group, Member(member.connection, "nobody", member.generation), version, group_instance_id="one")
    _beat(stage, group, Member(member.connection, "nobody", member.generation), version, group_instance_id="two")


@scenario(JOIN, since=5, instance=("", ".", "..", "a b", "ü", "a" * 250))
def names_of_instances(stage: Stage, version: int, instance: str) -> None:
    stage.ask(join(stage.group(), group_instance_id=instance), version)


@scenario(JOIN)
def the_id_of_a_member_that_has_left(stage: Stage, version: int) -> None:
    group = stage.group()
    member = _alone(stage, group, version)
    stage.ask(LeaveGroupRequest(group_id=group, member_id=member.id), 2)
    answer = stage.ask(join(group, member.id), version)
    assert answer.error_code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE)
    _describe(stage, group)
