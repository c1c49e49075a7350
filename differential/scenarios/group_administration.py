"""Groups seen from outside: FindCoordinator, DescribeGroups, ListGroups and DeleteGroups."""

from __future__ import annotations

from differential.calls import commit, committed, join, sync
from differential.scenario import scenario
from differential.stage import Stage
from drave.wire.api import ApiKey
from drave.wire.messages.k10_find_coordinator import FindCoordinatorRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest

FIND = ApiKey.FIND_COORDINATOR
DESCRIBE = ApiKey.DESCRIBE_GROUPS
LIST = ApiKey.LIST_GROUPS
DELETE = ApiKey.DELETE_GROUPS
SEVERAL_KEYS_SINCE = 4

GROUP = 0
TRANSACTION = 1
SHARE = 2


def _stable(stage: Stage, group: str, **more: str) -> str:
    member: str = stage.quietly(join(group, **more)).member_id
    joined = stage.quietly(join(group, member, **more))
    stage.quietly(sync(group, joined.generation_id, member, {member: b"all"}, **more))
    return member


def _each_state(stage: Stage) -> dict[str, str]:
    """One group in each state."""
    topic = stage.topic()
    groups = {word: stage.group(word) for word in ("empty", "stable", "waiting", "offsets", "connect")}
    member = _stable(stage, groups["empty"])
    stage.quietly(LeaveGroupRequest(group_id=groups["empty"], member_id=member), 2)
    _stable(stage, groups["stable"])
    _stable(stage, groups["connect"], protocol_type="connect")
    member = stage.quietly(join(groups["waiting"])).member_id
    stage.quietly(join(groups["waiting"], member))
    stage.quietly(commit(groups["offsets"], topic, {0: 1}))
    return groups


# -- FindCoordinator


@scenario(FIND)
def the_coordinator_of_a_group(stage: Stage, version: int) -> None:
    group = stage.group()
    stage.ask(FindCoordinatorRequest(key=group, coordinator_keys=[group]), version)


@scenario(FIND)
def the_coordinator_of_no_name(stage: Stage, version: int) -> None:
    stage.group()
    stage.ask(FindCoordinatorRequest(key="", coordinator_keys=[""]), version)


@scenario(FIND, since=1, kind=(3, -1, 100))
def a_kind_of_coordinator_that_is_not_there(stage: Stage, version: int, kind: int) -> None:
    stage.ask(FindCoordinatorRequest(key="x", key_type=kind, coordinator_keys=["x"]), version)


@scenario(FIND, since=SEVERAL_KEYS_SINCE)
def several_coordinators_at_once(stage: Stage, version: int) -> None:
    keys = [stage.group(word) for word in "ab"]
    stage.ask(FindCoordinatorRequest(coordinator_keys=[*keys, "", keys[0]]), version)
    stage.ask(FindCoordinatorRequest(coordinator_keys=[]), version)


# -- DescribeGroups


@scenario(DESCRIBE)
def groups_in_each_state_are_described(stage: Stage, version: int) -> None:
    stage.ask(DescribeGroupsRequest(groups=list(_each_state(stage).values())), version)


@scenario(DESCRIBE)
def groups_that_are_not_there_are_described(stage: Stage, version: int) -> None:
    stage.group()
    stage.ask(DescribeGroupsRequest(groups=[stage.name("nothing")]), version)
    stage.ask(DescribeGroupsRequest(groups=[]), version)


@scenario(DESCRIBE)
def the_same_group_is_described_twice(stage: Stage, version: int) -> None:
    group = stage.group()
    _stable(stage, group)
    stage.ask(DescribeGroupsRequest(groups=[group, group]), version)


@scenario(DESCRIBE, since=3)
def what_may_be_done_with_a_group(stage: Stage, version: int) -> None:
    group = stage.group()
    _stable(stage, group)
    stage.ask(DescribeGroupsRequest(groups=[group], include_authorized_operations=True), version)
    stage.ask(DescribeGroupsRequest(groups=[stage.name("nothing")], include_authorized_operations=True), version)


# -- ListGroups


@scenario(LIST)
def groups_in_each_state_are_listed(stage: Stage, version: int) -> None:
    _each_state(stage)
    stage.ask(ListGroupsRequest(), version, mine=True)


@scenario(
    LIST, since=4, states=("Stable", "stable", "EMPTY", "CompletingRebalance", "Dead", "Assigning", "nonsense", "")
)
def groups_in_one_state_are_listed(stage: Stage, version: int, states: str) -> None:
    _each_state(stage)
    stage.ask(ListGroupsRequest(states_filter=[states]), version, mine=True)


@scenario(LIST, since=5, kind=("classic", "Classic", "consumer", "share", "streams", "nonsense", ""))
def groups_of_one_kind_are_listed(stage: Stage, version: int, kind: str) -> None:
    _each_state(stage)
    stage.ask(ListGroupsRequest(types_filter=[kind]), version, mine=True)


# -- DeleteGroups


@scenario(DELETE)
def groups_in_each_state_are_deleted(stage: Stage, version: int) -> None:
    groups = _each_state(stage)
    stage.ask(DeleteGroupsRequest(groups_names=list(groups.values())), version)
    stage.ask(DescribeGroupsRequest(groups=list(groups.values())))
    stage.ask(committed(groups["offsets"], None), 9)


@scenario(DELETE)
def groups_that_are_not_there_are_deleted(stage: Stage, version: int) -> None:
    group = stage.group()
    stage.ask(DeleteGroupsRequest(groups_names=[stage.name("nothing"), group]), version)
    stage.ask(DeleteGroupsRequest(groups_names=[]), version)


@scenario(DELETE)
def the_same_group_is_deleted_twice(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.ask(DeleteGroupsRequest(groups_names=[group, group]), version)
    stage.ask(DeleteGroupsRequest(groups_names=[group]), version)


@scenario(DELETE)
def a_deleted_group_comes_back_empty(stage: Stage, version: int) -> None:
    topic, group = stage.topic(), stage.group()
    stage.quietly(commit(group, topic, {0: 1}))
    stage.ask(DeleteGroupsRequest(groups_names=[group]), version)
    stage.ask(committed(group, topic, 0), 9)
    stage.quietly(commit(group, topic, {0: 2}))
    stage.ask(committed(group, topic, 0), 9)
